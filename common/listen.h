/*
 * common/listen.h - opens sockets for workers, non-blocking and close-on-exec.
 * Errors: 0 or a negative errno, *out -1 then.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_LISTEN_H
#define COMMON_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

/* "ADDRESS:PORT" or "[V6]:PORT", numeric; IPv6 never takes IPv4 too. */
/* beside: others of ours may hold the port, on this address (the kernel spreads
 * connections among them) or on a wider or narrower one (which is preferred).
 * Else somebody's socket is noticed: -EADDRINUSE, after *patience_ms, of which
 * what was not needed is left. Where there are others this one admits nobody
 * before listen_admit: whoever came would be lost if it were given up again. */
int listen_tcp(const char *address, bool beside, unsigned *patience_ms, int *out);
/* Whether a listening socket answers a SYN. Who is not answered asks again after
 * a second, and gets another socket on this port then. */
int listen_admit(int fd, bool newcomers);
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
