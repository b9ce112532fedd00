/*
 * dp-connect/sandbox.c - everything dp-connect may ask of the kernel.
 *
 * It makes TCP sockets and connects them, and talks to name servers over
 * sockets it opened before. resolv.conf and hosts are read before the walls go
 * up; a restart of this worker reads them again.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-connect/connect.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_socket, "TCP over IPv4 and IPv6, nothing else", SANDBOX_TCP, 0 },
	{ SYS_connect, "to what the configuration names", 0, 0 },
	{ SYS_setsockopt, "that a handshake's last ACK waits for bytes",
	    SANDBOX_ARG1, IPPROTO_TCP },
	{ SYS_getsockopt, "whether a connection came about", 0, 0 },
	{ SYS_getsockname, "which of our addresses a route starts from", 0, 0 },
	{ SYS_sendto, "questions to the name servers", 0, 0 },
	{ SYS_recvfrom, "their answers", 0, 0 },
};

const struct sandbox connect_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.connects = 1,
	.max_fds = 16 + ASKERS_MAX * ATTEMPTS_MAX * 8, /* each tries 8 addresses */
};
