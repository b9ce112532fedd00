# dp-scan/ - network polling: keeps the records of devices, says what is asked.
PROGS += dp-scan
dp-scan_SRCS := \
	dp-scan/main.c \
	dp-scan/sandbox.c \
	dp-scan/scan.c
dp-scan_PKGS :=
dp-scan_TESTS :=
dp-scan_FUZZ :=
