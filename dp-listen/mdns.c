/*
 * dp-listen/mdns.c - see mdns.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 *
 * Two walks over the message: hosts with their addresses first, then what is said
 * of them, since services come before the addresses of their hosts.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/mdns.h"

#include "common/size.h"
#include "dp-listen/dns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CACHE_FLUSH 0x8000 /* of a class, RFC 6762, 10.2 */
#define INSTANCES   32

struct host {
	struct dns_name name;
	bool		is_sender;
	bool		other_family; /* none of its addresses is as the sender's */
	struct sight	sight;
};

struct message {
	const struct packet *p;
	struct dns	     dns;
	unsigned	     nhosts;
	struct host	     hosts[MDNS_HOSTS + 1]; /* the last: of the sender */
	struct host	    *sender;
	unsigned	     ninstances; /* whose host is known */
	struct {
		struct dns_name name;
		struct host    *host;
	} instances[INSTANCES];
};

static struct host *
host_of(struct message *m, const struct dns_name *name)
{
	for (unsigned i = 0; i < m->nhosts; i++)
		if (dns_same(&m->hosts[i].name, name))
			return &m->hosts[i];
	return NULL;
}

static struct host *
host_add(struct message *m, const struct dns_name *name)
{
	struct host *h = host_of(m, name);
	char	     text[DNS_TEXT];

	if (h != NULL || m->nhosts == MDNS_HOSTS || name->labels == 0)
		return h;
	h = &m->hosts[m->nhosts++];
	h->name = *name;
	h->is_sender = false;
	h->other_family = true;
	sight_begin(&h->sight, SIGHT_MDNS);
	h->sight.ifindex = m->p->ifindex;
	h->sight.hearsay = true; /* until it turns out to be the sender */
	sight_add(&h->sight, FACT_NAME, text,
	    dns_text(name, 0, name->labels, text));
	return h;
}

static void
host_address(struct message *m, const struct dns_name *name,
    const uint8_t addr[16])
{
	static const uint8_t none[16];
	struct host	    *h;

	if (!addr_is_host(addr) || (h = host_add(m, name)) == NULL)
		return;
	if (memcmp(addr, m->p->src, 16) == 0)
		h->is_sender = true;
	else if (memcmp(h->sight.addr, none, 16) == 0)
		memcpy(h->sight.addr, addr, 16);
	else if (memcmp(h->sight.addr, addr, 16) != 0)
		sight_add_addr(&h->sight, FACT_ADDRESS, addr, 16);
	if (addr_is_v4(addr) == addr_is_v4(m->p->src))
		h->other_family = false;
}

/* Of an answer, and ours by class. */
static bool
is_answer(const struct dns_rr *rr)
{
	return rr->section != DNS_QUESTION && rr->section != DNS_AUTHORITY &&
	    (rr->class & ~CACHE_FLUSH) == DNS_IN;
}

/* A record that counts: not a goodbye. */
static bool
counts(const struct dns_rr *rr)
{
	return is_answer(rr) && rr->ttl > 0;
}

static int
find_hosts(struct message *m)
{
	struct dns	d = m->dns;
	struct dns_rr	rr;
	struct dns_name name;
	uint8_t		addr[16];
	int		r;

	while ((r = dns_next(&d, &rr)) > 0) {
		if (!counts(&rr))
			continue;
		if (rr.type == DNS_A && rr.data.left == 4) {
			addr_from_v4(addr, rr.data.p);
			host_address(m, &rr.name, addr);
		} else if (rr.type == DNS_AAAA && rr.data.left == 16 &&
		    !addr_is_v4(rr.data.p))
			host_address(m, &rr.name, rr.data.p);
		else if (rr.type == DNS_PTR && dns_reverse(&rr.name, addr) &&
		    dns_rdata_name(&d, &rr, 0, &name) == 0)
			host_address(m, &name, addr);
	}
	return r;
}

/* Its sight gets the sender's address, and keeps the one it had as a fact. */
static void
make_sender(struct message *m, struct host *h)
{
	struct sight from;
	uint8_t	     had[16];

	packet_sight(m->p, SIGHT_MDNS, &from);
	memcpy(had, h->sight.addr, 16);
	memcpy(h->sight.addr, from.addr, 16);
	memcpy(h->sight.mac, from.mac, 6);
	h->sight.asked = from.asked;
	h->sight.hearsay = false;
	sight_add_addr(&h->sight, FACT_ADDRESS, had, 16);
	if (m->sender == NULL)
		m->sender = h;
}

static void
find_sender(struct message *m)
{
	m->sender = NULL;
	for (unsigned i = 0; i < m->nhosts; i++) /* it may have several names */
		if (m->hosts[i].is_sender ||
		    (m->nhosts == 1 && m->hosts[i].other_family))
			make_sender(m, &m->hosts[i]);
	if (m->sender == NULL) {
		m->sender = &m->hosts[MDNS_HOSTS];
		packet_sight(m->p, SIGHT_MDNS, &m->sender->sight);
	}
}

static struct host *
host_of_instance(struct message *m, const struct dns_name *name, bool *known)
{
	for (unsigned i = 0; i < m->ninstances; i++)
		if (dns_same(&m->instances[i].name, name)) {
			*known = true;
			return m->instances[i].host;
		}
	*known = false;
	return m->sender;
}

static bool
is_service(const struct dns_name *n, unsigned at)
{
	size_t	       len;
	const uint8_t *p = dns_label(n, at, &len);

	return p != NULL && len > 1 && p[0] == '_' &&
	    (dns_label_is(n, at + 1, "_tcp") || dns_label_is(n, at + 1, "_udp"));
}

/* Instance._ipp._tcp.local, as "_ipp._tcp 631 Instance" */
static void
add_service(struct host *h, enum fact kind, const struct dns_name *n,
    unsigned port)
{
	char	       text[2 * DNS_TEXT];
	size_t	       at = dns_text(n, 1, 2, text), len;
	const uint8_t *instance = dns_label(n, 0, &len);

	at += (size_t)snprintf(text + at, DNS_TEXT, " %u ", port);
	memcpy(text + at, instance, len);
	sight_add(&h->sight, kind, text, at + len);
}

/* priority:u16 weight:u16 port:u16 target */
static void
read_srv(struct message *m, const struct dns *d, const struct dns_rr *rr)
{
	struct dns_name target;
	struct rd	r = rr->data;
	struct host    *h;
	uint16_t	port;

	(void)rd_u32(&r);
	port = rd_u16(&r);
	if (!is_service(&rr->name, 1) || dns_rdata_name(d, rr, 6, &target) < 0)
		return;
	h = host_of(m, &target);
	if (h == NULL && m->sender == &m->hosts[MDNS_HOSTS]) {
		char text[DNS_TEXT];

		h = m->sender; /* whose address is not in this message */
		sight_add(&h->sight, FACT_NAME, text,
		    dns_text(&target, 0, target.labels, text));
	}
	if (h == NULL)
		h = m->sender;
	add_service(h, FACT_SERVICE, &rr->name, port);
	if (m->ninstances < INSTANCES) {
		m->instances[m->ninstances].name = rr->name;
		m->instances[m->ninstances++].host = h;
	}
}

static int
find_services(struct message *m)
{
	struct dns    d = m->dns;
	struct dns_rr rr;
	int	      r;

	while ((r = dns_next(&d, &rr)) > 0)
		if (counts(&rr) && rr.type == DNS_SRV)
			read_srv(m, &d, &rr);
	return r;
}

/* Keys whose values name make and model, or an operating system: printers (IPP
 * Everywhere, AirPrint), Cast, AirPlay, _device-info. */
static const struct {
	const char *key;
	enum fact   kind;
	bool	    with_key;
} hints[] = {
	{ "ty", FACT_MODEL, false }, { "md", FACT_MODEL, false },
	{ "model", FACT_MODEL, false }, { "am", FACT_MODEL, false },
	{ "product", FACT_MODEL, false }, { "usb_MDL", FACT_MODEL, false },
	{ "osxvers", FACT_OS, true }, { "os", FACT_OS, false },
};

static void
read_hint(struct sight *s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < COUNT(hints); i++) {
		size_t n = strlen(hints[i].key);

		if (len <= n + 1 || p[n] != '=' ||
		    strncasecmp((const char *)p, hints[i].key, n) != 0)
			continue;
		n = hints[i].with_key ? 0 : n + 1;
		sight_add(s, hints[i].kind, p + n, len - n);
	}
}

/* { length:u8 key=value } repeated */
static void
read_txt(struct message *m, const struct dns_rr *rr)
{
	struct rd    r = rr->data;
	bool	     known;
	struct host *h = host_of_instance(m, &rr->name, &known);

	if (!is_service(&rr->name, 1))
		return;
	while (r.left > 0) {
		struct rd t = rd_sub(&r, rd_u8(&r));

		read_hint(&h->sight, t.p, t.left);
	}
}

static void
read_ptr(struct message *m, const struct dns *d, const struct dns_rr *rr)
{
	struct dns_name name;
	bool		known;
	struct host    *h;
	char		text[DNS_TEXT];

	if (dns_rdata_name(d, rr, 0, &name) < 0)
		return;
	if (is_service(&name, 1)) {
		h = host_of_instance(m, &name, &known);
		if (!known)
			add_service(h, FACT_SERVICE, &name, 0);
	} else if (dns_label_is(&rr->name, 0, "_services") &&
	    dns_label_is(&rr->name, 1, "_dns-sd") && is_service(&name, 0))
		sight_add(&m->sender->sight, FACT_SERVICE, text,
		    dns_text(&name, 0, 2, text));
}

/* cpu and os, each length:u8 and text (RFC 1035, 3.3.2) */
static void
read_hinfo(struct message *m, const struct dns_rr *rr)
{
	struct host *h = host_of(m, &rr->name);
	struct rd    r = rr->data, os;

	(void)rd_sub(&r, rd_u8(&r));
	os = rd_sub(&r, rd_u8(&r));
	sight_add(&(h != NULL ? h : m->sender)->sight, FACT_OS, os.p, os.left);
}

/* RFC 6762, 10.1. Of whom it is the sender alone can say. */
static void
read_goodbye(struct message *m, const struct dns *d, const struct dns_rr *rr)
{
	struct dns_name name;
	struct rd	r = rr->data;

	if (rr->type == DNS_SRV && is_service(&rr->name, 1)) {
		(void)rd_u32(&r);
		add_service(m->sender, FACT_GONE, &rr->name, rd_u16(&r));
	} else if (rr->type == DNS_PTR &&
	    dns_rdata_name(d, rr, 0, &name) == 0 && is_service(&name, 1))
		add_service(m->sender, FACT_GONE, &name, 0);
}

static void
find_facts(struct message *m)
{
	struct dns    d = m->dns;
	struct dns_rr rr;

	while (dns_next(&d, &rr) > 0) {
		if (is_answer(&rr) && rr.ttl == 0)
			read_goodbye(m, &d, &rr);
		if (!counts(&rr))
			continue;
		if (rr.type == DNS_PTR)
			read_ptr(m, &d, &rr);
		else if (rr.type == DNS_TXT)
			read_txt(m, &rr);
		else if (rr.type == DNS_HINFO)
			read_hinfo(m, &rr);
	}
}

int
mdns_read(const struct packet *p, struct rd r, const struct told *to)
{
	struct message m;
	struct sight   s;

	if (dns_begin(&m.dns, r) < 0 || (m.dns.flags & DNS_OPCODE) != 0)
		return -EBADMSG;
	if ((m.dns.flags & DNS_RESPONSE) == 0) {
		packet_sight(p, SIGHT_MDNS, &s);
		s.asked = false;
		to->fn(to->ctx, &s);
		return 0;
	}
	if (p->sport != MDNS_PORT) /* RFC 6762, section 6 */
		return -EBADMSG;
	m.p = p;
	m.nhosts = m.ninstances = 0;
	if (find_hosts(&m) < 0)
		return -EBADMSG;
	find_sender(&m);
	if (find_services(&m) < 0)
		return -EBADMSG;
	find_facts(&m);
	for (unsigned i = 0; i < m.nhosts; i++)
		to->fn(to->ctx, &m.hosts[i].sight);
	if (m.sender == &m.hosts[MDNS_HOSTS])
		to->fn(to->ctx, &m.sender->sight);
	return 0;
}
