/*
 * dp-agent/net_sandbox.c - everything dp-agent-net may ask of the kernel once it serves.
 *
 * It gets connected sockets and open files, and makes neither.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-agent/net.h"

#include <fcntl.h>
#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_pwrite64, "body bytes into the partial file the parent gave us", 0, 0 },
	{ SYS_ftruncate, "a file whose blocks come in any order has its length "
	    "first", 0, 0 },
	{ SYS_recvmmsg, "packets of multicast groups", 0, 0 },
	{ SYS_fdatasync, "what is there stays there, every 16 MiB", 0, 0 },
	{ SYS_memfd_create, "metadata on its way to the parent", 0, 0 },
	{ SYS_recvfrom, "bytes of the upstream, notices of a group", 0, 0 },
	{ SYS_sendto, "requests to the upstream, reports to a sender", 0, 0 },
	{ SYS_connect, "libcurl's, on a socket that is connected already",
	    SANDBOX_INPROGRESS, 0 },
	{ SYS_getsockopt, "libcurl asks whether that has worked", 0, 0 },
	{ SYS_setsockopt, "no delay, receive buffer", 0, 0 },
	{ SYS_getpeername, "libcurl notes who it talks to", 0, 0 },
	{ SYS_getsockname, "libcurl notes from where", 0, 0 },
	{ SYS_poll, "libcurl looks whether a kept connection lives", 0, 0 },
	{ SYS_shutdown, "end of a connection", 0, 0 },
	{ SYS_fcntl, "libcurl makes its socket non-blocking", SANDBOX_ARG1,
	    F_SETFL },
	{ SYS_fcntl, "libcurl asks for close-on-exec", SANDBOX_ARG1, F_SETFD },
	{ SYS_fcntl, "libcurl asks for close-on-exec", SANDBOX_ARG1, F_GETFD },
};

const struct sandbox net_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.max_fds = 256, /* 16 transfers with socket and two files, slack */
};
