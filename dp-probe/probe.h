/*
 * dp-probe/probe.h - the only process of network polling that transmits.
 *
 * Shape:   one struct probe: the sockets that the master made, by their names in
 *          common/packet.h, and channels to the keeper and the listener.
 * Ownership: probe_open() gives it, probe_close() ends it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_PROBE_PROBE_H
#define DP_PROBE_PROBE_H

#include "common/sandbox.h"
#include "common/worker.h"

struct probe;

extern const struct sandbox probe_sandbox;

/* May end the process: the first configuration must do. */
struct probe *probe_open(struct worker *w);
int	      probe_run(struct probe *p);
void	      probe_close(struct probe **p);

#endif
