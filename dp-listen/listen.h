/*
 * dp-listen/listen.h - parses everything foreign that network polling hears.
 *
 * Shape:   one struct listen: the ring of the capture socket that the master made
 *          (common/packet.h), and channels to the keeper and the prober. Nothing is
 *          heard before the keeper has said on which interfaces (MSG_LISTEN_ON).
 * Ownership: listen_open() gives it, listen_close() ends it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_LISTEN_H
#define DP_LISTEN_LISTEN_H

#include "common/sandbox.h"
#include "common/worker.h"

#define LISTEN_CAPTURE_FD 63 /* above all others: see sandbox.c */

struct listen;

extern const struct sandbox listen_sandbox;

/* May end the process: the first configuration must do. */
struct listen *listen_open(struct worker *w);
int	      listen_run(struct listen *p);
void	      listen_close(struct listen **p);

#endif
