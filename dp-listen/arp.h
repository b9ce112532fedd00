/*
 * dp-listen/arp.h - ARP for IPv4 on Ethernet (RFC 826, RFC 5227).
 *
 * Requests, replies and announcements alike say who has the sender's address.
 * A probe (5227, 2.1.1: sender 0.0.0.0) says FACT_CONFLICT: the address that its
 * sender would like to have. The MAC is that of the ARP message, not that of the
 * frame: what neighbours will send to; none if it is a group's.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_ARP_H
#define DP_LISTEN_ARP_H

#include "dp-listen/packet.h"

/* p: ifindex, to_us. */
int arp_read(const struct packet *p, struct rd r, const struct told *to);

#endif
