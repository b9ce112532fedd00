/*
 * dp-connect/connect.h - the parts of dp-connect.
 *
 * Shape:   main.c holds the list of hosts and the channel; attempt.c turns one
 *          host and port into one connected socket; special.c knows addresses
 *          that are not for everybody; sandbox.c is data.
 * Ownership: an attempt frees itself after its one call of done(), or by
 *          attempts_cancel(), which calls nobody.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_CONNECT_CONNECT_H
#define DP_CONNECT_CONNECT_H

#include "common/loop.h"
#include "common/msg.h"
#include "common/sandbox.h"

#include <stdbool.h>
#include <stdint.h>

#define ATTEMPTS_MAX 64 /* under way at once, for each who asks */
#define ASKERS_MAX   (2 + GATEWAYS_MAX) /* fetcher, directory reader, gateways */

struct attempts; /* the resolver and all that is under way */

/* fd: connected, non-blocking, the callee's; or -1, then r and text say why. */
typedef void (*attempt_fn)(void *asker, uint32_t id, int take_fd, int r,
    const char *text);

/* Whether this of a host's addresses may be used: NULL, or why not, a clause.
 * is_own: it is this machine's. */
typedef const char *(*attempt_filter)(const void *asker, const uint8_t addr[16],
    uint16_t port, bool is_own);

/* Reads resolv.conf and hosts, and opens the resolver's sockets. */
int  attempts_new(struct loop *l, attempt_fn done, struct attempts **out);
int  attempt_start(struct attempts *a, void *asker, uint32_t id,
     const char *host, uint16_t port, uint32_t timeout_ms,
     attempt_filter filter); /* NULL: any address; none is left: -EACCES */
     /* -EBUSY: too many of this asker's are under way */
/* A socket that connects to an address, for who sends at once; negative: errno,
 * -EINVAL if it is a name. */
int  attempt_begin(const char *address, uint16_t port);
void attempts_cancel(struct attempts *a, const void *asker); /* it is gone */

extern const struct sandbox connect_sandbox;

#endif
