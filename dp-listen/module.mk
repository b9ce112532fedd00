# dp-listen/ - parses what the network says; sends nothing.
PROGS += dp-listen
dp-listen_SRCS := \
	dp-listen/main.c \
	dp-listen/listen.c \
	dp-listen/sandbox.c
dp-listen_PKGS :=
dp-listen_TESTS :=
dp-listen_FUZZ :=
