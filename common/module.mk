# common/ - what two or more programs need; knows no program.
common_SRCS := \
	common/hash.c \
	common/log.c \
	common/rd.c \
	common/wr.c
common_PKGS := libcrypto libssl
common_LIBS :=
common_TESTS :=
common_FUZZ :=
