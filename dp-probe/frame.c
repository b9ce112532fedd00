/*
 * dp-probe/frame.c - ARP requests, neighbour solicitations, queries for groups; see
 * frame.h.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/frame.h"

#include "common/size.h"
#include "dp-probe/echo.h"

#include <linux/if_ether.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

static void
ethernet(struct wr *w, const uint8_t to[6], const uint8_t from[6], uint16_t type)
{
	wr_bytes(w, to, 6);
	wr_bytes(w, from, 6);
	wr_u16(w, type);
}

static void
ip6(struct wr *w, size_t len, uint8_t next, uint8_t hops, const uint8_t from[16],
    const uint8_t to[16])
{
	wr_u32(w, 6u << 28);
	wr_u16(w, (uint16_t)len);
	wr_u8(w, next);
	wr_u8(w, hops);
	wr_bytes(w, from, 16);
	wr_bytes(w, to, 16);
}

void
frame_arp(struct wr *w, const uint8_t mac[6], const uint8_t from[16],
    const uint8_t target[16])
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
	static const uint8_t nobody[6];

	ethernet(w, all, mac, ETH_P_ARP);
	wr_u16(w, ARPHRD_ETHER);
	wr_u16(w, ETH_P_IP);
	wr_u8(w, 6);
	wr_u8(w, 4);
	wr_u16(w, ARPOP_REQUEST);
	wr_bytes(w, mac, 6);
	wr_bytes(w, from + 12, 4);
	wr_bytes(w, nobody, 6); /* what is asked for */
	wr_bytes(w, target + 12, 4);
}

void
frame_ns(struct wr *w, const uint8_t mac[6], const uint8_t from[16],
    const uint8_t target[16])
{
	uint8_t	  group[16] = { 0xff, 2, [11] = 1, 0xff }; /* ff02::1:ff00:0 */
	uint8_t	  to[6] = { 0x33, 0x33, 0xff };		   /* RFC 2464 7 */
	uint8_t	  message[32];
	struct wr m = wr_to(message, sizeof(message));
	uint16_t  sum;

	for (size_t i = 13; i < 16; i++)
		to[i - 10] = group[i] = target[i];
	wr_u8(&m, ND_NEIGHBOR_SOLICIT);
	wr_u8(&m, 0);
	wr_u16(&m, 0); /* checksum */
	wr_u32(&m, 0);
	wr_bytes(&m, target, 16);
	wr_u8(&m, ND_OPT_SOURCE_LINKADDR);
	wr_u8(&m, 1); /* times 8 bytes */
	wr_bytes(&m, mac, 6);
	sum = echo_sum6(from, group, message, m.len);
	message[2] = (uint8_t)(sum >> 8);
	message[3] = (uint8_t)sum;

	ethernet(w, to, mac, ETH_P_IPV6);
	ip6(w, m.len, IPPROTO_ICMPV6, 255, from, group); /* routed is not believed */
	wr_bytes(w, message, m.len);
}

void
frame_mld(struct wr *w, const uint8_t mac[6], const uint8_t from[16])
{
	static const uint8_t all[16] = { 0xff, 2, [15] = 1 };
	static const uint8_t to[6] = { 0x33, 0x33, [5] = 1 };
	/* next header, length; router alert (RFC 2711): MLD; padding */
	static const uint8_t options[8] = { IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0 };
	uint8_t		     message[28] = { MLD_LISTENER_QUERY, [4] = FRAME_MLD_MS >> 8,
			 [5] = FRAME_MLD_MS & 255,
			 /* S; robustness 2, interval 125 s: as hosts assume */
			 [24] = 0x08 | 2, [25] = 125 };
	uint16_t	     sum = echo_sum6(from, all, message, sizeof(message));

	message[2] = (uint8_t)(sum >> 8);
	message[3] = (uint8_t)sum;
	ethernet(w, to, mac, ETH_P_IPV6);
	ip6(w, sizeof(options) + sizeof(message), IPPROTO_HOPOPTS, 1, from, all);
	wr_bytes(w, options, sizeof(options));
	wr_bytes(w, message, sizeof(message));
}
