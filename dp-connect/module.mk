# dp-connect - resolves and connects, only to the hosts that are configured.
PROGS += dp-connect
dp-connect_SRCS := \
	dp-connect/main.c \
	dp-connect/attempt.c \
	dp-connect/sandbox.c \
	dp-connect/special.c
dp-connect_PKGS := libevent_extra
dp-connect_TESTS := check_connect_special
