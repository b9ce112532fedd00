/*
 * dp-mcast/sandbox.c - everything dp-mcast may ask of the kernel once it sends.
 *
 * It opens nothing and makes no socket: the groups' sockets, bound, come from
 * the master, files from the store. What a socket sends to is not confined by
 * the filter, but by the namespace it was made in and by its one port.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-mcast/mcast.h"

#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_sendto, "notices to the groups", 0, 0 },
	{ SYS_sendmmsg, "packets to the groups, many at once", 0, 0 },
	{ SYS_timerfd_settime, "when the next train may leave", 0, 0 },
	{ SYS_recvmmsg, "reports of receivers, many at once", 0, 0 },
	{ SYS_getsockname, "of which family a group's socket is", 0, 0 },
};

const struct sandbox mcast_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.max_fds = 256, /* groups, objects being sent, channels */
};
