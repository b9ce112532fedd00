# dp-master/ - the root half (dp-master) and the control half (dp-control).
PROGS += dp-master dp-control
dp-master_SRCS := \
	dp-master/main.c \
	dp-master/conf_set.c \
	dp-master/slot.c
dp-control_SRCS := \
	dp-master/control.c \
	dp-master/control_admin.c \
	dp-master/control_commands.c \
	dp-master/control_gateways.c \
	dp-master/control_sandbox.c \
	dp-master/control_words.c \
	dp-master/control_workers.c \
	dp-master/merge.c
dp-control_TESTS := check_control_merge check_control_words
dp-control_FUZZ := fuzz_control_words
