/*
 * dp-probe/sandbox.c - everything dp-probe may ask of the kernel once it asks
 * the network.
 *
 * It opens nothing and makes no socket: those that send come from the master.
 * What they send to is not confined by the filter, but by the namespace they
 * were made in.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-probe/probe.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_sendmmsg, "questions, many at once", 0, 0 },
	{ SYS_recvmmsg, "answers, many at once", 0, 0 },
	{ SYS_timerfd_settime, "when the next packet may leave", 0, 0 },
	{ SYS_ioctl, "an interface's name, to ask for", SANDBOX_ARG1,
	    SIOCGIFNAME },
	{ SYS_ioctl, "its address, which must be that of frames", SANDBOX_ARG1,
	    SIOCGIFHWADDR },
};

const struct sandbox probe_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.max_fds = 96, /* sockets, those of a reload, channels */
};
