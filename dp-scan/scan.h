/*
 * dp-scan/scan.h - the keeper of what network polling knows.
 *
 * Shape:   one struct scan: the netlink socket that the master made, and
 *          channels to the listener, whose sights come here, to the prober,
 *          which is told what to ask, and to the store, where records are kept.
 * Ownership: scan_open() gives it, scan_close() ends it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_SCAN_H
#define DP_SCAN_SCAN_H

#include "common/sandbox.h"
#include "common/worker.h"

struct scan;

extern const struct sandbox scan_sandbox;

/* May end the process: the first configuration must do. */
struct scan *scan_open(struct worker *w);
int	     scan_run(struct scan *s);
void	     scan_close(struct scan **s);

#endif
