/*
 * dp-listen/mld.h - multicast listener reports (RFC 3810; version 1: RFC 2710).
 *
 * Whoever has an IPv6 address is in a group, and says so when it comes and when a
 * querier asks: the sender, by its address of the link. In which groups it is
 * is not told. A report that has no sender yet (from ::) says nothing.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_MLD_H
#define DP_LISTEN_MLD_H

#include "dp-listen/packet.h"

#define MLD_REPORT1 131
#define MLD_REPORT2 143

/* r: the ICMPv6 message. */
int mld_read(const struct packet *p, struct rd r, const struct told *to);

#endif
