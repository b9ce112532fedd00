/*
 * dp-scan/sandbox.c - everything dp-scan may ask of the kernel once it keeps
 * records.
 *
 * It opens nothing and makes no socket. Over the netlink socket, which comes
 * from the master, it may ask for tables and change none: the kernel looks at
 * the rights of who sends, and dp-scan has none.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/scan.h"

/* What every worker needs is enough: netlink is spoken by sendmsg and recvmsg. */
const struct sandbox scan_sandbox = {
	.calls = NULL,
	.ncalls = 0,
	.max_fds = 64, /* netlink, channels */
};
