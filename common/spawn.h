/*
 * common/spawn.h - starts a program of the suite behind walls of its own.
 *
 * The child has descriptors 0 (/dev/null), 1 and 2 (our 2) and 3 (its channel),
 * an almost empty environment, its own session, and the namespaces asked for:
 * CLONE_NEW* bits, CLONE_NEWNS among them unless 0; its mounts are private.
 * Errors: 0 or a negative errno; what fails in the child is one line and exit
 *         100 (no such program) or 111.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SPAWN_H
#define COMMON_SPAWN_H

#include <sys/types.h>

/* fork(), but for a child that no signal can reach before it has default
 * handlers and none blocked. Negative errno on failure. */
pid_t spawn_fork(void);

int spawn(const char *path, int namespaces, int borrowed_channel_fd,
    pid_t *pid, int *pidfd);

/*
 * Who connected to us: its user, and the process for good, not whoever gets
 * its number next. *pidfd is the caller's.
 */
int peer_process(int fd, uid_t *uid, pid_t *pid, int *pidfd);

#endif
