# dp-scan/ - network polling: keeps the records of devices, says what is asked.
PROGS += dp-scan
dp-scan_SRCS := \
	dp-scan/main.c \
	dp-scan/directory.c \
	dp-scan/admin.c \
	dp-scan/agents.c \
	dp-scan/devices.c \
	dp-scan/guess.c \
	dp-scan/index.c \
	dp-scan/keep.c \
	dp-scan/merge.c \
	dp-scan/net.c \
	dp-scan/poll.c \
	dp-scan/record.c \
	dp-scan/round.c \
	dp-scan/run.c \
	dp-scan/sandbox.c \
	dp-scan/scan.c \
	dp-scan/schedule.c \
	dp-scan/servers.c \
	dp-scan/tally.c \
	dp-scan/upward.c \
	dp-scan/vendor.c
dp-scan_PKGS := libnl-route-3.0 libnl-3.0
dp-scan_TESTS := check_devices check_scan_net check_scan_poll check_scan_round check_scan_schedule
dp-scan_FUZZ := fuzz_directory_state fuzz_scan_record fuzz_scan_servers
$(BUILD)/obj/dp-scan/net.o: override CPPFLAGS += $(shell pkg-config --cflags libnl-route-3.0)
