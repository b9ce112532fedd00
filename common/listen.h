/*
 * common/listen.h - opens sockets for workers, non-blocking and close-on-exec.
 * Errors: 0 or a negative errno, *out -1 then.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_LISTEN_H
#define COMMON_LISTEN_H

#include <sys/types.h>

/* "ADDRESS:PORT" or "[V6]:PORT", numeric; IPv6 never takes IPv4 too. */
/* nth of several sockets on one address, from 1 up, among which the kernel
 * spreads connections; 0: there is one. */
int listen_tcp(const char *address, unsigned nth, int *out);
/*
 * A UDP socket that sends to a group and takes what is sent back. The text is
 * "GROUP TTL LOOP [SOURCE...]": as common/mcast_group.h has it, a number, 0 or
 * 1, our addresses. Bound to MCAST_NOTICE_PORT of the source of the group's
 * family or, if none is given, of the address that the routing table would send
 * from; so what others send to the group itself does not come here, and what has
 * MCAST_PORT at either end is FLUTE and nothing else. Two groups may have the
 * same source: what comes back then goes to either of their sockets.
 */
int listen_group(const char *text, int *out);
/* Removes what lies at path: the caller knows that nobody listens there. */
int listen_unix(const char *path, int type, mode_t mode, int *out);

#endif
