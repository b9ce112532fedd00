/*
 * dp-scan/agents.h - who tells from where agents spoke, as the keeper sees them.
 *
 * Shape:   a channel to each process that ends TLS of devices, which may say
 *          agents' sights (common/agent_sight.h) and nothing else. Until
 *          scan_agents_begin they wait unread: who came while the kept records
 *          were read does not come again soon.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_AGENTS_H
#define DP_SCAN_AGENTS_H

#include "dp-scan/directory.h"

struct scan_agents;

bool scan_agents_may(enum peer_role role); /* has such a channel */

int  scan_agents_new(struct loop *l, scan_sight_fn fn, void *ctx,
     struct scan_agents **out);
void scan_agents_free(struct scan_agents **a);
int  scan_agents_attach(struct scan_agents *a, enum peer_role role, int take_fd);
void scan_agents_begin(struct scan_agents *a); /* again: nothing */

#endif
