/*
 * dp-master/control_sandbox.c - everything dp-control may ask of the kernel.
 * SPDX-License-Identifier: ISC
 */
#include "common/sandbox.h"
#include "common/size.h"
#include "dp-master/control_sandbox.h"

#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_accept4, "askers on the admin socket", SANDBOX_ALLOW, 0 },
	{ SYS_getsockopt, "who an asker is: SO_PEERCRED, SO_PEERGROUPS",
	    SANDBOX_ARG1, 1 /* SOL_SOCKET */ },
	{ SYS_poll, "whether a silent follower is still there", SANDBOX_ALLOW,
	    0 },
	{ SYS_setsockopt, "buffers of a channel that is replaced",
	    SANDBOX_ARG1, 1 /* SOL_SOCKET */ },
};

const struct sandbox control_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.max_fds = 128, /* 80 askers, the channels, slack */
};
