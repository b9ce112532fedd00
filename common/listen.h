/*
 * common/listen.h - opens listening sockets, non-blocking and close-on-exec.
 * Errors: 0 or a negative errno, *out -1 then.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_LISTEN_H
#define COMMON_LISTEN_H

#include <sys/types.h>

/* "ADDRESS:PORT" or "[V6]:PORT", numeric; IPv6 never takes IPv4 too. */
int listen_tcp(const char *address, int *out);
/* Removes what lies at path: the caller knows that nobody listens there. */
int listen_unix(const char *path, int type, mode_t mode, int *out);

#endif
