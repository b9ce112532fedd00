/*
 * dp-listen/rdns.h - a name server's answers to reverse questions (RFC 1035).
 *
 * The sight is of the address that was asked for: FACT_NAME for each name. Names
 * may come by way of an alias (RFC 2317). No such name says nothing.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_RDNS_H
#define DP_LISTEN_RDNS_H

#include "dp-listen/packet.h"

/* Of p only ifindex and to_us count: the sender is the name server. */
int rdns_read(const struct packet *p, struct rd r, const struct told *to);

#endif
