/*
 * dp-listen/sandbox.c - everything dp-listen may ask of the kernel once it
 * listens.
 *
 * It opens nothing and makes no socket: the one that hears, its filter locked,
 * comes from the master. A packet socket would send as well as hear, and no option
 * takes that from it; so it has the highest number that a descriptor of ours can
 * have, and what sends, writes or duplicates is let through for lower ones only.
 * No lower one is of that socket (take_capture), nor does the master send one later.
 * It could still be passed to a peer; no table of theirs takes a descriptor from us.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-listen/listen.h"

#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_getsockopt, "what the ring lost", SANDBOX_ARG0, LISTEN_CAPTURE_FD },
	/* its filter is locked, and no option of it sends */
	{ SYS_setsockopt, "to be in groups of a link", SANDBOX_ARG0,
	    LISTEN_CAPTURE_FD },
};

const struct sandbox listen_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.max_fds = LISTEN_CAPTURE_FD + 1, /* channels; capture is the last */
	.hears_fd = LISTEN_CAPTURE_FD,
};
