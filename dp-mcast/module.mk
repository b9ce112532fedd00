# dp-mcast/ - sends content to all devices of the scope at once.
PROGS += dp-mcast
dp-mcast_SRCS := \
	dp-mcast/main.c \
	dp-mcast/admin.c \
	dp-mcast/api.c \
	dp-mcast/carousel.c \
	dp-mcast/decide.c \
	dp-mcast/heat.c \
	dp-mcast/keys.c \
	dp-mcast/mcast.c \
	dp-mcast/sandbox.c \
	dp-mcast/session.c \
	dp-mcast/want.c \
	dp-mcast/pace.c \
	dp-mcast/sender.c \
	dp-mcast/wire.c
dp-mcast_PKGS :=
dp-mcast_TESTS := check_mcast_heat check_mcast_keys check_mcast_pace \
	check_mcast_sending
dp-mcast_FUZZ :=
