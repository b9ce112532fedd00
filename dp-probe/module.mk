# dp-probe/ - asks the network; the only process of network polling that sends.
PROGS += dp-probe
dp-probe_SRCS := \
	dp-probe/main.c \
	dp-probe/probe.c \
	dp-probe/sandbox.c
dp-probe_PKGS :=
dp-probe_TESTS :=
dp-probe_FUZZ :=
