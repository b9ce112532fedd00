/*
 * dp-gateway/sandbox.c - everything dp-gateway may ask of the kernel.
 *
 * It opens nothing and connects to nobody: listening sockets come from the
 * master, connected ones from dp-connect.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-gateway/gateway.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_accept4, "devices, on the sockets the master made", 0, 0 },
	{ SYS_recvfrom, "looks at a ClientHello; carries without a pipe", 0, 0 },
	{ SYS_sendto, "PROXY header, alerts; carries without a pipe", 0, 0 },
	{ SYS_splice, "carries bytes from socket to socket", 0, 0 },
	{ SYS_pipe2, "what splice goes through", 0, 0 },
	{ SYS_fcntl, "how much a pipe holds", SANDBOX_ARG1, F_GETPIPE_SZ },
	{ SYS_shutdown, "tells one end that the other sends no more", 0, 0 },
	{ SYS_getsockname, "where a device came in, for the PROXY header", 0, 0 },
	{ SYS_setsockopt, "SO_LINGER, SO_KEEPALIVE; which SYNs a listener answers",
	    SANDBOX_ARG1, SOL_SOCKET },
	{ SYS_setsockopt, "TCP_NODELAY, keep-alive; kernel TLS", SANDBOX_ARG1,
	    IPPROTO_TCP },
	{ SYS_setsockopt, "kernel TLS keys", SANDBOX_ARG1, SOL_TLS },
};

const struct sandbox gateway_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.max_fds = 210000, /* two a connection, pipes, channels */
};
