/*
 * dp-agent/net_link.h - the connection that the agent keeps, to be woken over.
 *
 * Runs in the network child. One GET /v1/push to a gateway or to the server,
 * by the way that link.h decides; its answer is events without end (sse.h),
 * which ask for a refresh (wake.h). Nothing else depends on it: rounds keep
 * their own time whether it is up, down, slow or lies.
 * Silence: of two and a half push-keepalive, or more than LINK_BYTES in a
 *          minute, and the connection is given up.
 * Status:  state-dir/tuf/link.json, as often as something changes, once a
 *          second at most.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_NET_LINK_H
#define DP_AGENT_NET_LINK_H

#include "dp-agent/net.h"

#define LINK_BYTES (256 << 10)

/* Tickets for the connector: those of downloads are counted from 1. */
#define LINK_TICKETS 0x80000000U

int  link_open(struct net *n); /* n->link; NULL: no ways */
void link_begin(struct net *n); /* the channels are there */
void link_socket(struct net *n, uint32_t ticket, int take_fd, const char *text);
void link_sockets_lost(struct net *n);
/* A round is over: what was asked for meanwhile is due. */
void link_round_over(struct net *n);
json_t *link_status(const struct net *n); /* if there is one */

#endif
