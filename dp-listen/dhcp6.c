/*
 * dp-listen/dhcp6.c - see dhcp6.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/dhcp6.h"

#include "dp-listen/dns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RELAYS_MAX 8 /* HOP_COUNT_LIMIT */

enum message_type {
	SOLICIT = 1,
	ADVERTISE,
	REQUEST,
	CONFIRM,
	RENEW,
	REBIND,
	REPLY,
	RELEASE,
	DECLINE,
	RECONFIGURE,
	INFORMATION,
	RELAY_FORWARD,
	RELAY_REPLY,
};

enum option {
	OPT_CLIENT_ID = 1,
	OPT_SERVER_ID = 2,
	OPT_IA_NA = 3,
	OPT_IA_TA = 4,
	OPT_IA_ADDRESS = 5,
	OPT_REQUEST = 6,
	OPT_RELAYED = 9,
	OPT_VENDOR_CLASS = 16,
	OPT_DOMAINS = 24,
	OPT_FQDN = 39,
	OPT_CLIENT_LLA = 79,
};

/* code:u16 length:u16 value */
static int
next_option(struct rd *r, uint16_t *code, struct rd *value)
{
	*code = rd_u16(r);
	*value = rd_sub(r, rd_u16(r));
	return r->err;
}

static void
add_names(struct sight *s, enum fact kind, struct rd r)
{
	struct dns	d = { .msg = r.p, .len = r.left, .is_plain = true };
	struct dns_name name;
	char		text[DNS_TEXT];
	size_t		at = 0;

	while (at < d.len && dns_name(&d, &at, &name) == 0)
		sight_add(s, kind, text, dns_text(&name, 0, name.labels, text));
}

/* flags:u8 name; a name that is not full has no root (RFC 4704, section 4.2) */
static void
add_fqdn(struct sight *s, struct rd r)
{
	uint8_t name[DNS_NAME + 1] = { 0 };

	(void)rd_u8(&r);
	if (r.err != 0 || r.left > DNS_NAME)
		return;
	memcpy(name, r.p, r.left);
	add_names(s, FACT_NAME, rd_from(name, r.left + 1));
}

static void
add_request(struct sight *s, struct rd r)
{
	char   text[SIGHT_TEXT + 1];
	size_t at = 0;

	while (r.left >= 2 && at < sizeof(text) - 7)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u",
		    at > 0 ? "," : "", rd_u16(&r));
	sight_add(s, FACT_FINGERPRINT, text, at);
}

/* enterprise:u32 { length:u16 text } repeated */
static void
add_class(struct sight *s, struct rd r)
{
	(void)rd_u32(&r);
	while (r.left > 0) {
		struct rd t = rd_sub(&r, rd_u16(&r));

		sight_add(s, FACT_VENDOR_CLASS, t.p, t.left);
	}
}

/* iaid:u32 (IA_NA: t1:u32 t2:u32) options, among them address[16] ... */
static void
add_addresses(struct sight *s, struct rd r, size_t fixed)
{
	uint16_t       code;
	struct rd      o;
	const uint8_t *addr;

	(void)rd_bytes(&r, fixed);
	while (r.left > 0 && next_option(&r, &code, &o) == 0)
		if (code == OPT_IA_ADDRESS && (addr = rd_bytes(&o, 16)) != NULL)
			sight_add_addr(s, FACT_ADDRESS, addr, 16);
}

static int
read_client(struct sight *s, uint8_t type, struct rd r)
{
	bool	  has_them = type == CONFIRM || type == RENEW || type == REBIND;
	uint16_t  code;
	struct rd o;

	while (r.left > 0) {
		if (next_option(&r, &code, &o) < 0)
			return -EBADMSG;
		if (code == OPT_CLIENT_ID)
			sight_add_hex(s, FACT_CLIENT_ID, o.p, o.left, '\0');
		else if (code == OPT_FQDN)
			add_fqdn(s, o);
		else if (code == OPT_REQUEST)
			add_request(s, o);
		else if (code == OPT_VENDOR_CLASS)
			add_class(s, o);
		else if (code == OPT_IA_NA && has_them)
			add_addresses(s, o, 12);
		else if (code == OPT_IA_TA && has_them)
			add_addresses(s, o, 4);
	}
	return r.err;
}

static int
read_server(struct sight *s, struct rd r)
{
	uint16_t  code;
	struct rd o;

	sight_add_addr(s, FACT_DHCP_SERVER, s->addr, 16);
	while (r.left > 0) {
		if (next_option(&r, &code, &o) < 0)
			return -EBADMSG;
		if (code == OPT_DOMAINS)
			add_names(s, FACT_DOMAIN, o);
	}
	return r.err;
}

/*
 * hops:u8 link[16] peer[16] options, among them the message. The peer is the
 * client, or the relay before; *r becomes what is carried.
 */
static int
unwrap(struct sight *s, struct rd *r)
{
	struct rd      carried = rd_from(r->p, 0), o;
	uint16_t       code;
	const uint8_t *peer;

	(void)rd_bytes(r, 1 + 16);
	if ((peer = rd_bytes(r, 16)) == NULL)
		return -EBADMSG;
	memset(s->mac, 0, sizeof(s->mac));
	memset(s->addr, 0, sizeof(s->addr));
	if (addr_is_host(peer) && !addr_is_v4(peer) && !addr_is_link_local(peer))
		memcpy(s->addr, peer, sizeof(s->addr));
	while (r->left > 0) {
		if (next_option(r, &code, &o) < 0)
			return -EBADMSG;
		if (code == OPT_RELAYED)
			carried = o;
		else if (code == OPT_CLIENT_LLA && o.left == 8 && o.p[0] == 0 &&
		    o.p[1] == 1 && mac_is_host(o.p + 2))
			memcpy(s->mac, o.p + 2, sizeof(s->mac));
	}
	*r = carried;
	return carried.left > 0 ? 0 : -EBADMSG;
}

/* type:u8 transaction[3] options */
int
dhcp6_read(const struct packet *p, struct rd r, const struct told *to)
{
	uint8_t	     type = rd_u8(&r);
	struct sight s;
	int	     e;

	if (addr_is_v4(p->src))
		return -EBADMSG;
	packet_sight(p, SIGHT_DHCP6, &s);
	s.asked = false;
	for (int i = 0; type == RELAY_FORWARD; i++) {
		if (i == RELAYS_MAX || unwrap(&s, &r) < 0)
			return -EBADMSG;
		type = rd_u8(&r);
	}
	(void)rd_bytes(&r, 3);
	if (r.err != 0)
		return -EBADMSG;
	switch (type) {
	case ADVERTISE:
	case REPLY:
	case RECONFIGURE:
		e = read_server(&s, r);
		break;
	case RELAY_REPLY: /* of a server to its relay: nothing new */
		return 0;
	default:
		if (type == 0 || type > INFORMATION)
			return 0;
		e = read_client(&s, type, r);
	}
	if (e < 0)
		return -EBADMSG;
	to->fn(to->ctx, &s);
	return 0;
}
