/*
 * common/place.h - what must be there before a program of the suite begins:
 * users, directories, the lock, sockets in its run directory.
 * Errors: each failure is one line naming user or key, and exit 100.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_PLACE_H
#define COMMON_PLACE_H

#include <pwd.h>
#include <stdbool.h>
#include <sys/types.h>

/* The user named by both; root is refused. Borrowed until the next call. */
const struct passwd *place_user(const char *prefix, const char *name);

/* Makes the directory and its parents; sets its own mode, as root its owner. */
void place_make_dir(const char *key, const char *path, mode_t mode,
    uid_t owner);

/* Locks the file, writes our process id, and keeps it until the process ends. */
void place_lock(const char *key, const char *path, const char *program);

/* Whether a process holds it. Does not touch the lock, which might be wanted now. */
bool place_is_locked(const char *path);

/* A listening Unix socket; replaces one that an earlier run left. Everyone may
 * connect: who may do what is asked of the kernel. */
int place_socket(const char *key, const char *dir, const char *name, int type);

#endif
