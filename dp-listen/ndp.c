/*
 * dp-listen/ndp.c - see ndp.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/ndp.h"

#include "dp-listen/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum {
	ROUTER_SOLICIT = NDP_FIRST,
	ROUTER_ADVERT,
	NEIGHBOUR_SOLICIT,
	NEIGHBOUR_ADVERT = NDP_LAST,
};

/* options, RFC 4861, 4.6; RFC 8106, 5.2 */
#define OPT_SOURCE_LLA 1
#define OPT_TARGET_LLA 2
#define OPT_PREFIX     3
#define OPT_DNSSL      31

/* type:u8 len:u8 prefix-length:u8 flags:u8 valid:u32 preferred:u32 reserved:u32
 * prefix[16] */
static void
add_prefix(struct sight *s, struct rd o)
{
	char	       text[INET6_ADDRSTRLEN];
	uint8_t	       bits = rd_u8(&o);
	const uint8_t *prefix;

	(void)rd_bytes(&o, 13);
	prefix = rd_bytes(&o, 16);
	if (o.err != 0 || bits > 128 || prefix[0] == 0xff)
		return;
	inet_ntop(AF_INET6, prefix, text, sizeof(text));
	sight_addf(s, FACT_PREFIX, "%s/%u", text, bits);
}

/* reserved:u16 lifetime:u32 names, padded with zeros to eight bytes */
static void
add_domains(struct sight *s, struct rd o)
{
	struct dns_name name;
	char		text[DNS_TEXT];
	struct dns	d;
	size_t		at = 0;

	(void)rd_bytes(&o, 6);
	if (o.err != 0)
		return;
	d = (struct dns){ .msg = o.p, .len = o.left, .is_plain = true };
	while (dns_name(&d, &at, &name) == 0 && name.labels > 0)
		sight_add(s, FACT_DOMAIN, text,
		    dns_text(&name, 0, name.labels, text));
}

/* { type:u8 len:u8 in units of eight, both counted } repeated. A length of 0 makes
 * the whole packet wrong (RFC 4861, 4.6). */
static int
read_options(struct sight *s, struct rd r, uint8_t lla)
{
	while (r.left > 0) {
		uint8_t	  type = rd_u8(&r), len = rd_u8(&r);
		struct rd o;

		if (len == 0)
			return -EBADMSG;
		o = rd_sub(&r, (size_t)len * 8 - 2);
		if (r.err != 0)
			return -EBADMSG;
		if (type == lla && len == 1 && mac_is_host(o.p))
			memcpy(s->mac, o.p, sizeof(s->mac));
		else if (type == OPT_PREFIX && s->by == SIGHT_ROUTER)
			add_prefix(s, o);
		else if (type == OPT_DNSSL && s->by == SIGHT_ROUTER)
			add_domains(s, o);
	}
	return 0;
}

static int
read_router(struct sight *s, struct rd *r)
{
	uint16_t seconds;

	(void)rd_bytes(r, 2); /* hop limit, flags */
	seconds = rd_u16(r);
	(void)rd_bytes(r, 8);
	s->by = SIGHT_ROUTER;
	sight_addf(s, FACT_ROUTER, "%u", seconds);
	return r->err == 0 && addr_is_link_local(s->addr) ? 0 : -EBADMSG;
}

/* What solicitation (of a neighbour) and advertisement begin with. */
static const uint8_t *
read_target(struct rd *r)
{
	const uint8_t *target;

	(void)rd_bytes(r, 4);
	target = rd_bytes(r, 16);
	return target != NULL && addr_is_host(target) ? target : NULL;
}

int
ndp_read(const struct packet *p, struct rd r, const struct told *to)
{
	uint8_t	       type = rd_u8(&r), code = rd_u8(&r);
	uint8_t	       lla = OPT_SOURCE_LLA;
	const uint8_t *target = NULL;
	struct sight   s;

	(void)rd_u16(&r);
	if (r.err != 0 || code != 0 || p->ttl != 255 || addr_is_v4(p->src))
		return -EBADMSG;
	packet_sight(p, SIGHT_NDP, &s);
	s.asked = false;
	switch (type) {
	case ROUTER_SOLICIT:
		(void)rd_bytes(&r, 4);
		break;
	case ROUTER_ADVERT:
		if (read_router(&s, &r) < 0)
			return -EBADMSG;
		break;
	case NEIGHBOUR_SOLICIT:
		if ((target = read_target(&r)) == NULL)
			return -EBADMSG;
		if (!addr_is_host(p->src))
			sight_add_addr(&s, FACT_CONFLICT, target, 16);
		break;
	case NEIGHBOUR_ADVERT:
		if ((target = read_target(&r)) == NULL)
			return -EBADMSG;
		memcpy(s.addr, target, sizeof(s.addr));
		s.asked = p->to_us;
		lla = OPT_TARGET_LLA;
		break;
	default:
		return 0;
	}
	if (r.err != 0 || read_options(&s, r, lla) < 0)
		return -EBADMSG;
	to->fn(to->ctx, &s);
	return 0;
}
