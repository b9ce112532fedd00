/*
 * dp-listen/cdp.c - see cdp.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/cdp.h"

#include "common/size.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum tlv {
	TLV_DEVICE = 1,
	TLV_ADDRESSES = 2,
	TLV_PORT = 3,
	TLV_CAPABILITIES = 4,
	TLV_VERSION = 5,
	TLV_PLATFORM = 6,
	TLV_MANAGEMENT = 22, /* addresses, as in 2 */
};

static const char *const capabilities[] = { "router", "bridge", "source-bridge",
	"switch", "station", "igmp", "repeater", "telephone" };

/* count:u32 { kind:u8 length:u8 protocol length:u16 address } repeated; IPv4 is
 * NLPID cc, IPv6 802.2's SNAP with 86dd */
static int
add_addresses(struct sight *s, struct rd r)
{
	static const uint8_t ipv6[] = { 0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd };
	uint32_t	     n = rd_u32(&r);

	while (n-- > 0 && r.err == 0 && r.left > 0) {
		struct rd protocol, addr;

		(void)rd_u8(&r);
		protocol = rd_sub(&r, rd_u8(&r));
		addr = rd_sub(&r, rd_u16(&r));
		if (protocol.left == 1 && protocol.p[0] == 0xcc && addr.left == 4)
			sight_add_addr(s, FACT_ADDRESS, addr.p, 4);
		else if (protocol.left == sizeof(ipv6) &&
		    memcmp(protocol.p, ipv6, sizeof(ipv6)) == 0 &&
		    addr.left == 16)
			sight_add_addr(s, FACT_ADDRESS, addr.p, 16);
	}
	return r.err;
}

static void
add_capabilities(struct sight *s, uint32_t on)
{
	char   text[128];
	size_t at = 0;

	for (size_t i = 0; i < COUNT(capabilities); i++)
		if ((on & 1U << i) != 0)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			    "%s%s", at > 0 ? "," : "", capabilities[i]);
	sight_add(s, FACT_CAPABILITIES, text, at);
}

static int
read_tlv(struct sight *s, uint16_t type, struct rd r)
{
	switch (type) {
	case TLV_DEVICE:
		sight_add(s, FACT_SWITCH, r.p, r.left);
		sight_add(s, FACT_NAME, r.p, r.left);
		break;
	case TLV_ADDRESSES:
	case TLV_MANAGEMENT:
		return add_addresses(s, r);
	case TLV_PORT:
		sight_add(s, FACT_PORT, r.p, r.left);
		break;
	case TLV_CAPABILITIES:
		add_capabilities(s, rd_u32(&r));
		break;
	case TLV_VERSION:
		sight_add(s, FACT_DESCRIPTION, r.p, r.left);
		break;
	case TLV_PLATFORM:
		sight_add(s, FACT_MODEL, r.p, r.left);
		break;
	default:
		break;
	}
	return r.err;
}

/* version:u8 ttl:u8 checksum:u16 { type:u16 length:u16, header counted; value } */
int
cdp_read(const struct packet *p, struct rd r, const struct told *to)
{
	uint8_t	     version = rd_u8(&r), ttl = rd_u8(&r);
	struct sight s;

	(void)rd_u16(&r);
	if (r.err != 0 || version == 0 || version > 2)
		return -EBADMSG;
	packet_sight(p, SIGHT_CDP, &s);
	s.asked = false;
	memset(s.addr, 0, sizeof(s.addr));
	while (r.left > 0) {
		uint16_t  type = rd_u16(&r), len = rd_u16(&r);
		struct rd value;

		if (r.err != 0 || len < 4)
			return -EBADMSG;
		value = rd_sub(&r, len - 4U);
		if (r.err != 0 || read_tlv(&s, type, value) < 0)
			return -EBADMSG;
	}
	if (ttl > 0)
		to->fn(to->ctx, &s);
	return 0;
}
