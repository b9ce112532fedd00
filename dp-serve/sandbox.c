/*
 * dp-serve/sandbox.c - everything dp-serve may ask of the kernel once it serves.
 *
 * It opens nothing and connects to nobody: sockets come from the master, files
 * from the store. SPDX-License-Identifier: ISC
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/size.h"
#include "dp-serve/serve.h"

static const struct sandbox_call calls[] = {
	{ SYS_accept4, "clients, on the sockets the master made", 0, 0 },
	{ SYS_recvfrom, "requests", 0, 0 },
	{ SYS_sendto, "answers, on accepted sockets", 0, 0 },
	{ SYS_sendfile, "bodies in clear", 0, 0 },
	{ SYS_shutdown, "the last answer before a close", 0, 0 },
	{ SYS_setsockopt, "SO_LINGER; which SYNs a listener answers",
	    SANDBOX_ARG1, SOL_SOCKET },
	{ SYS_setsockopt, "TCP_NODELAY on new listeners; kernel TLS",
	    SANDBOX_ARG1, IPPROTO_TCP },
	{ SYS_setsockopt, "kernel TLS keys", SANDBOX_ARG1, SOL_TLS },
};

const struct sandbox serve_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.max_fds = 20000, /* connections, open objects, channels */
};
