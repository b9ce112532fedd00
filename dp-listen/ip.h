/*
 * dp-listen/ip.h - IPv4, IPv6 and UDP headers (RFC 791, 8200, 768), and whose
 * parser gets what is behind them.
 *
 * UDP that is to us alone is left to the prober, but for DHCP: it knows what it
 * asked, and hands on what answers that. Only of a capture file it is read here,
 * DNS's and SNMP's too. An echo's answer to us is read, but as not asked for.
 * Fragments say nothing: none of what we read comes in pieces. Checksums are not
 * looked at: the frame had its own, and a virtual card leaves them unfinished.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_IP_H
#define DP_LISTEN_IP_H

#include "dp-listen/packet.h"

int ip4_read(struct packet *p, struct rd r, const struct told *to);
int ip6_read(struct packet *p, struct rd r, const struct told *to);

#endif
