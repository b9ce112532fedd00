/*
 * dp-listen/dhcp.c - see dhcp.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/dhcp.h"

#include "dp-listen/dns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAGIC	 0x63825363
#define FILE_LEN 128
#define SNAME	 64

enum { FROM_CLIENT = 1, FROM_SERVER = 2 };

/* Message types, option 53. */
enum { OFFER = 2, ACK = 5, NAK = 6 };

enum option {
	OPT_PAD = 0,
	OPT_NAME = 12,
	OPT_DOMAIN = 15,
	OPT_OVERLOAD = 52,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_PARAMETERS = 55,
	OPT_VENDOR_CLASS = 60,
	OPT_CLIENT_ID = 61,
	OPT_FQDN = 81,
	OPT_END = 255,
};

/* The fixed part, and the options as views: the first of each counts (those that
 * we read are never so long that RFC 3396 would split them). */
struct dhcp {
	uint8_t	       op;
	const uint8_t *ciaddr, *yiaddr, *giaddr, *mac;
	struct rd      option[256];
};

/* { code:u8 len:u8 value } repeated, but for PAD and END, which are alone */
static int
read_options(struct dhcp *d, struct rd r)
{
	while (r.left > 0) {
		uint8_t	  code = rd_u8(&r);
		struct rd value;

		if (code == OPT_PAD)
			continue;
		if (code == OPT_END)
			break;
		value = rd_sub(&r, rd_u8(&r));
		if (r.err != 0)
			return -EBADMSG;
		if (d->option[code].left == 0)
			d->option[code] = value;
	}
	return 0;
}

static uint8_t
first_byte(const struct dhcp *d, enum option o)
{
	return d->option[o].left > 0 ? d->option[o].p[0] : 0;
}

/* op:u8 htype:u8 hlen:u8 hops:u8 xid:u32 secs:u16 flags:u16 ciaddr[4] yiaddr[4]
 * siaddr[4] giaddr[4] chaddr[16] sname[64] file[128] magic:u32 options */
static int
read_message(struct dhcp *d, struct rd r)
{
	uint8_t	       htype, hlen, overload;
	const uint8_t *sname, *file;

	memset(d, 0, sizeof(*d));
	d->op = rd_u8(&r);
	htype = rd_u8(&r);
	hlen = rd_u8(&r);
	(void)rd_bytes(&r, 1 + 4 + 2 + 2);
	d->ciaddr = rd_bytes(&r, 4);
	d->yiaddr = rd_bytes(&r, 4);
	(void)rd_bytes(&r, 4);
	d->giaddr = rd_bytes(&r, 4);
	d->mac = rd_bytes(&r, 16);
	sname = rd_bytes(&r, SNAME);
	file = rd_bytes(&r, FILE_LEN);
	if (rd_u32(&r) != MAGIC || r.err != 0 || htype != 1 || hlen != 6 ||
	    !mac_is_host(d->mac) || read_options(d, r) < 0)
		return -EBADMSG;
	overload = first_byte(d, OPT_OVERLOAD);
	if (((overload & 1) != 0 && read_options(d, rd_from(file, FILE_LEN)) < 0) ||
	    ((overload & 2) != 0 && read_options(d, rd_from(sname, SNAME)) < 0))
		return -EBADMSG;
	return 0;
}

static void
add_option(struct sight *s, enum fact kind, const struct dhcp *d, enum option o)
{
	size_t n = d->option[o].left;

	while (n > 0 && d->option[o].p[n - 1] == '\0') /* RFC 2132, section 2 */
		n--;
	sight_add(s, kind, d->option[o].p, n);
}

static void
add_parameters(struct sight *s, const struct dhcp *d)
{
	char   text[256 * 4];
	size_t at = 0;

	for (struct rd r = d->option[OPT_PARAMETERS]; r.left > 0;)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u",
		    at > 0 ? "," : "", rd_u8(&r));
	sight_add(s, FACT_FINGERPRINT, text, at);
}

/* flags:u8 rcode1:u8 rcode2:u8 name, as ASCII or (flag E) as DNS has it */
static void
add_fqdn(struct sight *s, const struct dhcp *d)
{
	struct rd	r = d->option[OPT_FQDN];
	uint8_t		flags = rd_u8(&r);
	struct dns_name name;
	char		text[DNS_TEXT];
	size_t		at = 0, n;

	(void)rd_bytes(&r, 2);
	if (r.err != 0)
		return;
	if ((flags & 4) == 0) {
		for (n = r.left; n > 0 && r.p[n - 1] == '\0'; n--)
			;
		sight_add(s, FACT_NAME, r.p, n);
		return;
	}
	/* the closing root may be missing: RFC 4702, 2.3.1 */
	if (r.left == 0 || r.left >= DNS_NAME)
		return;
	memcpy(text, r.p, r.left);
	text[r.left] = '\0';
	if (dns_name(&(struct dns){ .msg = (uint8_t *)text, .len = r.left + 1,
			 .is_plain = true },
		&at, &name) == 0) {
		char out[DNS_TEXT];

		sight_add(s, FACT_NAME, out, dns_text(&name, 0, name.labels, out));
	}
}

static void
client(const struct packet *p, const struct dhcp *d, const uint8_t addr[4],
    struct sight *s)
{
	sight_begin(s, SIGHT_DHCP);
	s->ifindex = p->ifindex;
	memcpy(s->mac, d->mac, sizeof(s->mac));
	addr_from_v4(s->addr, addr);
	if (!addr_is_host(s->addr))
		memset(s->addr, 0, sizeof(s->addr));
	add_option(s, FACT_NAME, d, OPT_NAME);
	add_fqdn(s, d);
}

static void
tell_client(const struct packet *p, const struct dhcp *d, const struct told *to)
{
	struct sight s;

	client(p, d, d->ciaddr, &s);
	add_option(&s, FACT_VENDOR_CLASS, d, OPT_VENDOR_CLASS);
	add_parameters(&s, d);
	sight_add_hex(&s, FACT_CLIENT_ID, d->option[OPT_CLIENT_ID].p,
	    d->option[OPT_CLIENT_ID].left, '\0');
	to->fn(to->ctx, &s);
}

/* The relay, or who only says that he is one, is a machine of this link; its address
 * the datagram may have forged. */
static void
tell_relay(const struct packet *p, const struct told *to)
{
	struct sight s;

	if (!mac_is_host(p->mac))
		return;
	sight_begin(&s, SIGHT_DHCP);
	s.ifindex = p->ifindex;
	memcpy(s.mac, p->mac, sizeof(s.mac));
	to->fn(to->ctx, &s);
}

static void
tell_server(const struct packet *p, const struct dhcp *d, uint8_t type,
    const struct told *to)
{
	static const uint8_t none[6];
	struct sight	     s;
	uint8_t		     addr[16];

	if (d->option[OPT_SERVER].left != 4)
		return; /* it must be there: RFC 2131, 4.3.1 */
	addr_from_v4(addr, d->option[OPT_SERVER].p);
	packet_sight(p, SIGHT_DHCP, &s);
	s.asked = false; /* this machine's DHCP client did, not we */
	if (memcmp(addr, p->src, 16) != 0 || memcmp(d->giaddr, none, 4) != 0)
		memset(s.mac, 0, sizeof(s.mac)); /* a relay's */
	memcpy(s.addr, addr, 16);
	if (!addr_is_host(addr))
		return;
	if (memcmp(s.mac, none, 6) == 0 && memcmp(p->mac, none, 6) != 0) {
		tell_relay(p, to);
		sight_add_hex(&s, FACT_FRAME, p->mac, sizeof(p->mac), ':');
	}
	sight_add_addr(&s, FACT_DHCP_SERVER, addr, 16);
	add_option(&s, FACT_DOMAIN, d, OPT_DOMAIN);
	to->fn(to->ctx, &s);
	if (type == ACK && memcmp(d->yiaddr, none, 4) != 0) {
		client(p, d, d->yiaddr, &s);
		to->fn(to->ctx, &s);
	}
}

int
dhcp_read(const struct packet *p, struct rd r, const struct told *to)
{
	struct dhcp d;
	uint8_t	    type;

	if (!addr_is_v4(p->src) || read_message(&d, r) < 0)
		return -EBADMSG;
	type = first_byte(&d, OPT_TYPE);
	if (d.op == FROM_CLIENT)
		tell_client(p, &d, to);
	else if (d.op == FROM_SERVER && (type == OFFER || type == ACK || type == NAK))
		tell_server(p, &d, type, to);
	return 0;
}
