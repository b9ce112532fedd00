/*
 * dp-store/sandbox.c - everything dp-store may ask of the kernel once it serves.
 *
 * The one worker that opens files itself: it cannot know beforehand which. Its
 * directory is its root by then, and Landlock says the same again, so that a
 * path leads nowhere else. No socket, no new process, no other user.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-store/store.h"

#include <fcntl.h>
#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_openat, "objects and partial files, by hash", 0, 0 },
	{ SYS_unlinkat, "evicted objects, partial files that are done with", 0,
	    0 },
	{ SYS_linkat, "a proven partial file becomes an object", 0, 0 },
	{ SYS_renameat, "a small object takes its place", 0, 0 },
	{ SYS_renameat2, "how some C libraries rename", 0, 0 },
	{ SYS_fallocate, "space reserved before a download starts", 0, 0 },
	{ SYS_ftruncate, "what is not durable of a partial file", 0, 0 },
	{ SYS_fsync, "file and directory before the index", 0, 0 },
	{ SYS_fdatasync, "LMDB's pages, partial files", 0, 0 },
	{ SYS_sync_file_range, "lets the disk begin while we hash", 0, 0 },
	{ SYS_msync, "LMDB", 0, 0 },
	{ SYS_pwrite64, "LMDB's pages", 0, 0 },
	{ SYS_writev, "LMDB's pages", 0, 0 },
	{ SYS_pwritev, "LMDB's pages", 0, 0 },
	{ SYS_getdents64, "store-verify looks for files without a row", 0, 0 },
	{ SYS_fcntl, "how glibc opens a directory", SANDBOX_ARG1, F_SETFD },
	{ SYS_fstatfs, "free space", 0, 0 },
	{ SYS_fcntl, "no writer is left; nobody reads", SANDBOX_ARG1,
	    F_SETLEASE },
	{ SYS_fcntl, "LMDB's table of readers", SANDBOX_ARG1, F_SETLK },
	{ SYS_fcntl, "LMDB's table of readers", SANDBOX_ARG1, F_GETLK },
	{ SYS_sched_yield, "LMDB's locks", 0, 0 },
};

static const struct sandbox_path paths[] = {
	{ ".", "content and index; the root, when started as root", 1 },
	{ NULL, NULL, 0 },
};

const struct sandbox store_sandbox = {
	.calls = calls,
	.ncalls = COUNT(calls),
	.paths = paths,
	/* two a partial file, answers that wait, ghosts, slack */
	.max_fds = 16384,
};
