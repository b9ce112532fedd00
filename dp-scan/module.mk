# dp-scan/ - network polling: keeps the records of devices, says what is asked.
PROGS += dp-scan
dp-scan_SRCS := \
	dp-scan/main.c \
	dp-scan/directory.c \
	dp-scan/devices.c \
	dp-scan/index.c \
	dp-scan/merge.c \
	dp-scan/record.c \
	dp-scan/sandbox.c \
	dp-scan/scan.c
dp-scan_PKGS :=
dp-scan_TESTS := check_devices
dp-scan_FUZZ := fuzz_scan_record
