/*
 * common/sandbox.h - what a worker may still ask of the kernel.
 *
 * Each program describes its rights as data in its own sandbox.c, with a
 * reason per line; the mechanism is here. sandbox_enter: no_new_privs, rlimits,
 * Landlock (no path at all but those listed, where the kernel has it), then a
 * seccomp filter on all threads. What is not listed fails with EPERM.
 * priv_drop goes first: an empty root (or `root` alone), then the user.
 * Errors: both end the process with one line; a wall that cannot be put up is
 *         not a warning.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

enum sandbox_rule {
	SANDBOX_ALLOW, /* what sends: but not to connect by it */
	SANDBOX_NO_EXEC,    /* mmap, mprotect: without PROT_EXEC */
	SANDBOX_THREAD,	    /* clone: a thread, nothing else */
	SANDBOX_SELF,	    /* kill, tgkill: own process only */
	SANDBOX_INPROGRESS, /* not done; answers EINPROGRESS (libcurl) */
	SANDBOX_ENOSYS,	    /* not done; the caller takes another way */
	SANDBOX_ARG1,	    /* second argument (ioctl request, fcntl command,
			     * madvise...) must be .value */
	SANDBOX_ARG0,	    /* first argument must be .value */
	SANDBOX_TCP,	    /* socket: TCP over IPv4 or IPv6, non-blocking */
};

struct sandbox_call {
	int		  nr;
	const char	 *why;
	enum sandbox_rule rule;
	uint64_t	  value;
};

struct sandbox_path {
	const char *path; /* as seen after priv_drop */
	const char *why;
	int	    writable;
};

struct sandbox {
	const struct sandbox_call *calls;
	size_t			   ncalls;
	const struct sandbox_path *paths; /* path NULL ends; NULL: none */
	int			   connects; /* TCP, for the connector only */
	uint64_t		   max_fds;
	uint64_t		   max_file; /* largest file it may write; 0: any size,
				      * for those who get no file to write */
	int hears_fd; /* a descriptor that only hears: what base[] lets through to
		       * write to, send on or duplicate is below it; 0: none */
	/* what every worker needs (memory, epoll, its channels, exit) comes from
	 * base[] in common/sandbox.c without being listed again */
};

/*
 * root: NULL for an empty root, "/" to keep the file system (dp-connect), or a
 * directory that becomes "/" (dp-store). Changes to user, its groups gone.
 * Started without root rights: only no_new_privs, and says so.
 */
void priv_drop(const char *user, const char *root);
void sandbox_enter(const struct sandbox *s);

#endif
