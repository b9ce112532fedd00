# dp-probe/ - asks the network; the only process of network polling that sends.
PROGS += dp-probe
dp-probe_SRCS := \
	dp-probe/main.c \
	dp-probe/ask.c \
	dp-probe/asker.c \
	dp-probe/echo.c \
	dp-probe/frame.c \
	dp-probe/hear.c \
	dp-probe/order.c \
	dp-probe/own.c \
	dp-probe/pace.c \
	dp-probe/probe.c \
	dp-probe/query.c \
	dp-probe/sandbox.c \
	dp-probe/token.c
dp-probe_PKGS :=
dp-probe_TESTS := check_probe
dp-probe_FUZZ := fuzz_communities fuzz_order fuzz_probe_hear
