# common/ - what two or more programs need; knows no program.
common_SRCS := \
	common/hash.c \
	common/ipc.c \
	common/log.c \
	common/loop.c \
	common/msg.c \
	common/rd.c \
	common/wr.c
common_PKGS := libcrypto libevent_core libssl
common_LIBS :=
common_TESTS :=
common_FUZZ :=
