/*
 * dp-listen/lldp.c - see lldp.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/lldp.h"

#include "common/size.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum tlv {
	TLV_END,
	TLV_CHASSIS,
	TLV_PORT,
	TLV_TTL,
	TLV_PORT_DESCRIPTION,
	TLV_NAME,
	TLV_DESCRIPTION,
	TLV_CAPABILITIES,
	TLV_ADDRESS,
	TLV_ORGANIZATION = 127,
};

#define CHASSIS_MAC	4
#define CHASSIS_ADDRESS 5
#define PORT_MAC	3
#define PORT_ADDRESS	4
#define FAMILY_IPV4	1 /* IANA's address family numbers */
#define FAMILY_IPV6	2

/* ANSI/TIA-1057, 10.2.6: inventory */
enum { MED_SOFTWARE = 7, MED_MANUFACTURER = 9, MED_MODEL = 10 };

static const char *const capabilities[] = { "other", "repeater", "bridge",
	"wlan-ap", "router", "telephone", "docsis", "station", "c-vlan",
	"s-vlan", "two-port-relay" };

struct lldp {
	struct sight s;
	unsigned     nseen; /* the first three have a fixed order */
	struct rd    port, port_description, manufacturer, model;
	uint8_t	     port_kind;
};

/* family:u8 address */
static bool
family_addr(struct rd r, const uint8_t **addr, size_t *len)
{
	uint8_t family = rd_u8(&r);

	*addr = r.p;
	*len = r.left;
	return (family == FAMILY_IPV4 && r.left == 4) ||
	    (family == FAMILY_IPV6 && r.left == 16);
}

static void
add_id(struct sight *s, enum fact kind, struct rd r, bool is_mac, bool is_addr)
{
	const uint8_t *addr;
	size_t	       len;

	if (is_mac)
		sight_add_hex(s, kind, r.p, r.left, ':');
	else if (is_addr && family_addr(r, &addr, &len))
		sight_add_addr(s, kind, addr, len);
	else
		sight_add(s, kind, r.p, r.left);
}

/* { length:u8, the next two counted; family:u8 address } interface:u8 number:u32
 * oid-length:u8 oid */
static void
add_address(struct sight *s, struct rd r)
{
	const uint8_t *addr;
	size_t	       len;
	struct rd      a = rd_sub(&r, rd_u8(&r));

	if (family_addr(a, &addr, &len))
		sight_add_addr(s, FACT_ADDRESS, addr, len);
}

/* what it can be:u16, what it is:u16 */
static void
add_capabilities(struct sight *s, struct rd r)
{
	char	 text[128];
	size_t	 at = 0;
	uint16_t on;

	(void)rd_u16(&r);
	on = rd_u16(&r);
	for (size_t i = 0; i < COUNT(capabilities); i++)
		if ((on & 1U << i) != 0)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			    "%s%s", at > 0 ? "," : "", capabilities[i]);
	sight_add(s, FACT_CAPABILITIES, text, at);
}

/* oui[3] subtype:u8 value */
static void
read_organization(struct lldp *l, struct rd r)
{
	const uint8_t *oui = rd_bytes(&r, 3);
	uint8_t	       kind = rd_u8(&r);

	if (r.err != 0 || memcmp(oui, "\x00\x12\xbb", 3) != 0)
		return; /* 802.1's and 802.3's say nothing of who it is */
	if (kind == MED_SOFTWARE)
		sight_add(&l->s, FACT_OS, r.p, r.left);
	else if (kind == MED_MANUFACTURER)
		l->manufacturer = r;
	else if (kind == MED_MODEL)
		l->model = r;
}

static int
read_tlv(struct lldp *l, uint8_t type, struct rd r)
{
	uint8_t kind;

	if (l->nseen < 3 && type != l->nseen + 1)
		return -EBADMSG; /* chassis, port, time to live: 8.2 */
	switch (type) {
	case TLV_CHASSIS:
		kind = rd_u8(&r);
		add_id(&l->s, FACT_SWITCH, r, kind == CHASSIS_MAC,
		    kind == CHASSIS_ADDRESS);
		break;
	case TLV_PORT:
		l->port_kind = rd_u8(&r);
		l->port = r;
		break;
	case TLV_TTL:
		if (rd_u16(&r) == 0)
			return r.err != 0 ? -EBADMSG : 1;
		break;
	case TLV_PORT_DESCRIPTION:
		l->port_description = r;
		break;
	case TLV_NAME:
		sight_add(&l->s, FACT_NAME, r.p, r.left);
		break;
	case TLV_DESCRIPTION:
		sight_add(&l->s, FACT_DESCRIPTION, r.p, r.left);
		break;
	case TLV_CAPABILITIES:
		add_capabilities(&l->s, r);
		break;
	case TLV_ADDRESS:
		add_address(&l->s, r);
		break;
	case TLV_ORGANIZATION:
		read_organization(l, r);
		break;
	default:
		break;
	}
	l->nseen += l->nseen < 3;
	return r.err;
}

/* A port that is named by a MAC only is better told by its description. */
static void
add_port(struct lldp *l)
{
	bool is_mac = l->port_kind == PORT_MAC;

	if (is_mac && l->port_description.left > 0)
		sight_add(&l->s, FACT_PORT, l->port_description.p,
		    l->port_description.left);
	else
		add_id(&l->s, FACT_PORT, l->port, is_mac,
		    l->port_kind == PORT_ADDRESS);
}

static void
add_model(struct lldp *l)
{
	char text[80]; /* each is 32 bytes at most */

	if (l->model.left > 32 || l->manufacturer.left > 32 || l->model.left == 0)
		return;
	memcpy(text, l->manufacturer.p, l->manufacturer.left);
	text[l->manufacturer.left] = ' ';
	memcpy(text + l->manufacturer.left + 1, l->model.p, l->model.left);
	if (l->manufacturer.left == 0)
		sight_add(&l->s, FACT_MODEL, l->model.p, l->model.left);
	else
		sight_add(&l->s, FACT_MODEL, text,
		    l->manufacturer.left + 1 + l->model.left);
}

/* { type:7 bits length:9 bits value } repeated, up to END */
int
lldp_read(const struct packet *p, struct rd r, const struct told *to)
{
	struct lldp l = { .nseen = 0 };
	uint8_t	    type = TLV_TTL;
	int	    e = 0;

	l.port = l.port_description = l.manufacturer = l.model = rd_from("", 0);
	packet_sight(p, SIGHT_LLDP, &l.s);
	l.s.asked = false;
	memset(l.s.addr, 0, sizeof(l.s.addr));
	while (r.left > 0 && type != TLV_END && e == 0) {
		uint16_t  head = rd_u16(&r);
		struct rd value = rd_sub(&r, head & 0x1ff);

		type = (uint8_t)(head >> 9);
		if (r.err != 0)
			return -EBADMSG;
		if (type != TLV_END)
			e = read_tlv(&l, type, value);
	}
	if (e < 0 || (e == 0 && l.nseen < 3))
		return -EBADMSG;
	if (e > 0)
		return 0; /* it leaves */
	add_port(&l);
	add_model(&l);
	to->fn(to->ctx, &l.s);
	return 0;
}
