/*
 * common/place.h - directories and the lock of a program that runs as root.
 * Errors: each failure is one line naming key, and exit 100.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_PLACE_H
#define COMMON_PLACE_H

#include <sys/types.h>

/* Makes the directory and its parents; sets its own mode, as root its owner. */
void place_make_dir(const char *key, const char *path, mode_t mode,
    uid_t owner);

/* Locks the file, writes our process id, and keeps it until the process ends. */
void place_lock(const char *key, const char *path, const char *program);

#endif
