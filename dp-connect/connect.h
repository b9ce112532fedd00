/*
 * dp-connect/connect.h - the parts of dp-connect.
 *
 * Shape:   main.c holds the list of hosts and the channel; attempt.c turns one
 *          host and port into one connected socket; sandbox.c is data.
 * Ownership: an attempt frees itself after its one call of done(), or by
 *          attempts_cancel(), which calls nobody.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_CONNECT_CONNECT_H
#define DP_CONNECT_CONNECT_H

#include "common/loop.h"
#include "common/msg.h"
#include "common/sandbox.h"

#include <stdint.h>

#define ATTEMPTS_MAX 64 /* under way at once, for each who asks */
#define ASKERS_MAX   (1 + GATEWAYS_MAX) /* the fetcher and the gateways */

struct attempts; /* the resolver and all that is under way */

/* fd: connected, non-blocking, the callee's; or -1, then r and text say why. */
typedef void (*attempt_fn)(void *asker, uint32_t id, int take_fd, int r,
    const char *text);

/* Reads resolv.conf and hosts, and opens the resolver's sockets. */
int  attempts_new(struct loop *l, attempt_fn done, struct attempts **out);
int  attempt_start(struct attempts *a, void *asker, uint32_t id,
     const char *host, uint16_t port, uint32_t timeout_ms);
     /* -EBUSY: too many of this asker's are under way */
void attempts_cancel(struct attempts *a, const void *asker); /* it is gone */

extern const struct sandbox connect_sandbox;

#endif
