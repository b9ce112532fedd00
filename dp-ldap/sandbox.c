/*
 * dp-ldap/sandbox.c - everything dp-ldap may ask of the kernel once it reads.
 *
 * It opens nothing and makes no socket: those to the directory come connected,
 * from dp-connect. libldap opens files of its own accord where it can; here
 * there is none, and it takes no for an answer.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-ldap/directory.h"

#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_recvfrom, "TLS", 0, 0 },
	{ SYS_sendto, "TLS", 0, 0 },
	{ SYS_poll, "libldap: is the socket readable", 0, 0 },
	{ SYS_getpeername, "libldap: is the socket connected", 0, 0 },
	{ SYS_shutdown, "libldap: the end of a connection", 0, 0 },
};

const struct sandbox ldap_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.max_fds = 64, /* a connection, channels */
};
