/*
 * dp-scan/sandbox.c - everything dp-scan may ask of the kernel once it keeps
 * records.
 *
 * It opens nothing and makes no socket. Over the netlink socket, which comes
 * from the master, it may ask for tables and change none: the kernel looks at
 * the rights of who sends, and dp-scan has none.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-scan/scan.h"

#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_sendto, "questions to netlink", 0, 0 },
};

const struct sandbox scan_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.max_fds = 64, /* netlink, channels */
};
