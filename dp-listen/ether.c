/*
 * dp-listen/ether.c - see ether.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/ether.h"

#include "dp-listen/arp.h"
#include "dp-listen/cdp.h"
#include "dp-listen/ip.h"
#include "dp-listen/lldp.h"

#include <errno.h>
#include <string.h>

#define TYPE_IPV4 0x0800
#define TYPE_ARP  0x0806
#define TYPE_VLAN 0x8100 /* 802.1Q: a customer's tag */
#define TYPE_IPV6 0x86dd
#define TYPE_QINQ 0x88a8 /* 802.1ad: a provider's tag */
#define TYPE_LLDP 0x88cc
#define TYPE_MIN  0x0600 /* below: a length, LLC follows */
#define TAGS_MAX  2

/* dsap:u8 ssap:u8 control:u8 oui[3] protocol:u16, the SNAP form of LLC */
static int
read_llc(struct packet *p, struct rd r, const struct told *to)
{
	static const uint8_t cisco[] = { 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c };
	const uint8_t	    *snap = rd_bytes(&r, sizeof(cisco));

	if (snap == NULL || memcmp(snap, cisco, sizeof(cisco)) != 0 ||
	    rd_u16(&r) != CDP_SNAP)
		return 0; /* spanning tree and the like */
	p->protocol = PROTOCOL_CDP;
	return cdp_read(p, r, to);
}

int
ether_payload(struct packet *p, uint16_t type, struct rd r,
    const struct told *to)
{
	p->protocol = PROTOCOL_ETHERNET;
	for (int i = 0; i < TAGS_MAX && (type == TYPE_VLAN || type == TYPE_QINQ);
	     i++) {
		(void)rd_u16(&r); /* priority and number */
		type = rd_u16(&r);
	}
	if (r.err != 0)
		return -EBADMSG;
	if (type < TYPE_MIN) {
		r = rd_sub(&r, type);
		return r.left == 0 ? -EBADMSG : read_llc(p, r, to);
	}
	switch (type) {
	case TYPE_ARP:
		p->protocol = PROTOCOL_ARP;
		return arp_read(p, r, to);
	case TYPE_IPV4:
		return ip4_read(p, r, to);
	case TYPE_IPV6:
		return ip6_read(p, r, to);
	case TYPE_LLDP:
		p->protocol = PROTOCOL_LLDP;
		return lldp_read(p, r, to);
	default:
		return 0;
	}
}

int
ether_read(struct packet *p, struct rd frame, const struct told *to)
{
	const uint8_t *dst = rd_bytes(&frame, 6), *src = rd_bytes(&frame, 6);
	uint16_t       type = rd_u16(&frame);

	p->protocol = PROTOCOL_ETHERNET;
	if (frame.err != 0 || !mac_is_host(src))
		return -EBADMSG;
	p->to_many = (dst[0] & 1) != 0;
	p->is_near = true; /* so far: see ip.c */
	memcpy(p->mac, src, sizeof(p->mac));
	return ether_payload(p, type, frame, to);
}
