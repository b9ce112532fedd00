/*
 * dp-listen/arp.c - see arp.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/arp.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define HTYPE_ETHERNET 1
#define PTYPE_IPV4     0x0800
#define OP_REQUEST     1
#define OP_REPLY       2

/* Of a cluster whose nodes all hear what is sent to it (RFC 1812, 3.3.2, has no use
 * for it; hosts believe it). The address is in use; the MAC is nobody's. */
static bool
mac_is_group(const uint8_t mac[6])
{
	return (mac[0] & 1) != 0 && memcmp(mac, "\xff\xff\xff\xff\xff\xff", 6) != 0;
}

/* htype:u16 ptype:u16 hlen:u8 plen:u8 op:u16 sha[6] spa[4] tha[6] tpa[4] */
int
arp_read(const struct packet *p, struct rd r, const struct told *to)
{
	uint16_t       htype = rd_u16(&r), ptype = rd_u16(&r);
	uint8_t	       hlen = rd_u8(&r), plen = rd_u8(&r);
	uint16_t       op = rd_u16(&r);
	const uint8_t *sha = rd_bytes(&r, 6), *spa = rd_bytes(&r, 4);
	const uint8_t *tpa;
	struct sight   s;

	(void)rd_bytes(&r, 6);
	tpa = rd_bytes(&r, 4); /* Ethernet's padding follows */
	if (r.err != 0 || htype != HTYPE_ETHERNET || ptype != PTYPE_IPV4 ||
	    hlen != 6 || plen != 4 || (op != OP_REQUEST && op != OP_REPLY) ||
	    (!mac_is_host(sha) && !mac_is_group(sha)))
		return -EBADMSG;
	sight_begin(&s, SIGHT_ARP);
	s.ifindex = p->ifindex;
	s.asked = op == OP_REPLY && p->to_us;
	if (mac_is_host(sha))
		memcpy(s.mac, sha, sizeof(s.mac));
	addr_from_v4(s.addr, spa);
	if (!addr_is_host(s.addr)) {
		if (memcmp(spa, "\0\0\0", 4) != 0)
			return -EBADMSG;
		if (!mac_is_host(sha))
			return 0;
		memset(s.addr, 0, sizeof(s.addr));
		sight_add_addr(&s, FACT_CONFLICT, tpa, 4);
	}
	to->fn(to->ctx, &s);
	return 0;
}
