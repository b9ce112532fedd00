/*
 * dp-listen/ndp.h - IPv6 neighbour discovery (RFC 4861; options of RFC 8106).
 *
 * Solicitation		its sender; from :: it is duplicate address detection (RFC
 *			4862, 5.4) and says FACT_CONFLICT
 * Advertisement	who has the target address
 * Router solicitation	its sender
 * Router advertisement	SIGHT_ROUTER: FACT_ROUTER with its life time in seconds,
 *			FACT_PREFIX for each prefix, FACT_DOMAIN for a search list
 * The MAC is that of the link-layer address option, or else of the frame.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_NDP_H
#define DP_LISTEN_NDP_H

#include "dp-listen/packet.h"

#define NDP_FIRST 133 /* router solicitation */
#define NDP_LAST  136 /* neighbour advertisement */

/* r: the ICMPv6 message. */
int ndp_read(const struct packet *p, struct rd r, const struct told *to);

#endif
