/*
 * dp-listen/sandbox.c - everything dp-listen may ask of the kernel once it
 * listens.
 *
 * It opens nothing and makes no socket: the one that hears, its filter locked,
 * comes from the master.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-listen/listen.h"

#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_getsockopt, "what the ring lost", 0, 0 },
};

const struct sandbox listen_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.max_fds = 64, /* capture, channels */
};
