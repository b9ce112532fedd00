/*
 * dp-scan/run.c - what is asked when: schedules, runs, polls, orders.
 *
 * A run is a set of kinds for all networks and devices, or for one network. It goes
 * through the kinds one after the other, so that what one found the next one asks;
 * a poll of it is sent in orders of PROBE_TARGETS, two of them under way.
 * Runs in dp-scan. Believes the prober about what it sent.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"
#include "dp-scan/scan.h"
#include "dp-scan/schedule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BIT(k)	     (1U << (k))
#define FIRST_MS     3000  /* after the start */
#define NAMES_MS     1000  /* after the first ranges */
#define SERVICES_MAX 128  /* types that are browsed for */
#define ORDER_MS     60000 /* without a word of an order: the prober is broken */
#define NAME_WAIT_MS 1000  /* a server may have to ask others */
/* Who answers all nodes' echo must find us first, unless we introduced ourselves, by
 * a solicitation that is lost easily where all do so at once, and repeated after a
 * second (RFC 4861 10): that of the first echo comes again in this time. */
#define ALLNODES_WAIT_MS 900
#define SSDP_WAIT_MS	 1300 /* within one second they answer */
#define MLD_WAIT_MS	 400 /* members report within 300 */
#define ROUTED_WAIT_MS	 1000 /* by satellite, say: later answers are not believed */

/* Not another kind, but a turn of its own: neighbour solicitations from each of our
 * addresses to devices of whose link-local ones we know. They know us then. */
#define INTRODUCE PROBE_MAX

#define NDP    (BIT(PROBE_MLD) | BIT(INTRODUCE) | BIT(PROBE_ALLNODES) | BIT(PROBE_NS))
#define RANGES (BIT(PROBE_ARP) | NDP | BIT(PROBE_ECHO4) | BIT(PROBE_ECHO6))
#define NAMES  (BIT(PROBE_DNS_PTR) | BIT(PROBE_NBSTAT) | \
		BIT(PROBE_LLMNR_PTR) | BIT(PROBE_MDNS_BROWSE) | \
		BIT(PROBE_MDNS_PTR) | BIT(PROBE_SSDP))

const struct run_kind run_kinds[] = {
	{ "all", RANGES | NAMES | BIT(PROBE_SNMP) },
	{ "ranges", RANGES },
	{ "names", NAMES },
	{ "arp", BIT(PROBE_ARP) },
	{ "ndp", NDP },
	{ "echo", BIT(PROBE_ECHO4) | BIT(PROBE_ECHO6) },
	{ "dns", BIT(PROBE_DNS_PTR) },
	{ "netbios", BIT(PROBE_NBSTAT) },
	{ "llmnr", BIT(PROBE_LLMNR_PTR) },
	{ "mdns", BIT(PROBE_MDNS_BROWSE) | BIT(PROBE_MDNS_PTR) },
	{ "ssdp", BIT(PROBE_SSDP) },
	{ "snmp", BIT(PROBE_SNMP) },
	{ NULL, 0 },
};

/* In this order: what is found first is asked more of. */
static const unsigned stages[] = { PROBE_ARP, PROBE_ECHO4, PROBE_MLD, INTRODUCE,
	PROBE_ALLNODES, PROBE_NS, PROBE_ECHO6, PROBE_MDNS_BROWSE,
	PROBE_MDNS_BROWSE, /* types first, then who offers them */
	PROBE_MDNS_PTR, PROBE_SSDP, PROBE_LLMNR_PTR, PROBE_NBSTAT, PROBE_DNS_PTR,
	PROBE_SNMP };

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
static const uint8_t none[16];

static bool
is_v4(const uint8_t a[16])
{
	return memcmp(a, mapped, 12) == 0;
}

static bool
is_link_local(const uint8_t a[16])
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

static bool
is_network(enum probe_kind k)
{
	return k == PROBE_ARP || k == PROBE_ECHO4 || k == PROBE_ECHO6;
}

/* -- results -- */

static struct result *
result_of(struct scan *s, const struct poll *p, const char *interface)
{
	struct result *oldest = &s->results[0];
	uint8_t	       bits = p->list == NULL ? p->bits : 0;

	for (size_t i = 0; i < RESULTS_MAX; i++) {
		struct result *r = &s->results[i];

		if (r->kind == p->kind && r->bits == bits && r->v4 == p->v4 &&
		    strcmp(r->interface, interface) == 0 &&
		    memcmp(r->net, p->net, 16) == 0)
			return r;
		if (r->kind == PROBE_NONE || r->when < oldest->when)
			oldest = r;
		if (r->kind == PROBE_NONE)
			break;
	}
	*oldest = (struct result){ .kind = p->kind, .bits = bits,
		.v4 = p->v4 };
	memcpy(oldest->net, p->net, 16);
	snprintf(oldest->interface, sizeof(oldest->interface), "%s", interface);
	return oldest;
}

/* Who answered for more addresses than are believed of one device. */
static struct tally_of
claimant_of(const struct scan *s)
{
	struct tally_of most = tally_most(&s->tally);

	return most.n > record_limit(ITEM_ADDR) ? most
						: (struct tally_of){ .n = 0 };
}

static json_t *
progress_row(struct scan *s, const struct run *r, const struct poll *p,
    const char *state)
{
	struct tally_of claimant = claimant_of(s);
	char		text[80] = "", net[100] = "";

	if (p->list == NULL) {
		scan_addr_text(s, p->net, text);
		snprintf(net, sizeof(net), "%s/%d", text,
		    is_v4(p->net) ? p->bits - 96 : p->bits);
	}
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:I,s:I,s:I,s:I,s:o,s:I}",
	    "kind", probe_kind_name(p->kind), "network", net, "interface",
	    p->interface, "family", scan_family(p->v4), "state", state, "round", p->round + 1,
	    "targets", (json_int_t)p->left, "sent", (json_int_t)r->sent, "failed",
	    (json_int_t)r->failed, "answered", (json_int_t)p->answered,
	    "claimant", scan_claimant(&claimant), "claimed",
	    (json_int_t)claimant.n);
}

static void
result(struct scan *s, struct run *r, struct poll *p, const char *state)
{
	struct result *e = result_of(s, p, p->interface);

	snprintf(e->state, sizeof(e->state), "%s", state);
	e->when = (uint32_t)time(NULL);
	e->took_ms = (uint32_t)(loop_now_ms(s->loop) - r->poll_ms);
	e->targets = p->left;
	e->answered = p->answered;
	e->sent = r->sent;
	e->failed = r->failed;
	e->claimant = claimant_of(s);
	s->polls++;
	r->results += p->left > 0;
	r->found += p->answered;
	r->sent_all += r->sent;
	if (r->reply != NULL)
		admin_row(r->reply, progress_row(s, r, p, state));
}

/* -- the polls of a kind -- */

static struct poll *
poll_more(struct run *r)
{
	struct poll *more = reallocarray(r->polls, r->npolls + 1, sizeof(*more));

	if (more == NULL)
		return NULL;
	r->polls = more;
	return memset(&more[r->npolls], 0, sizeof(*more));
}

static void
skip_ours(struct scan *s, struct poll *p)
{
	for (size_t i = 0; i < net_naddrs(s->net); i++)
		poll_skip(p, net_addr_at(s->net, i)->addr);
	poll_skip_ranges(p, &s->exclude);
}

/* Our address on the interface that is best for asking the target. */
static void
sender(struct scan *s, struct poll *p, const uint8_t source[16])
{
	const struct net_link *l = net_link_by(s->net, p->ifindex);

	if (l != NULL) {
		memcpy(p->mac, l->mac, 6);
		memcpy(p->interface, l->name, sizeof(p->interface));
	}
	memcpy(p->source, source, 16);
}

/* Whether its network is asked by ARP, or all nodes of it at once. */
static bool
is_attached(const struct scan *s, const struct net_addr *a)
{
	const struct net_link *l = net_link_by(s->net, a->ifindex);

	return l != NULL && l->up && l->ethernet && scan_uses(s, l) &&
	    a->bits < 128 && !(is_v4(a->addr) && a->addr[12] == 127);
}

/* Its hosts are found as all of that network are. */
static bool
is_in_attached(const struct scan *s, const uint8_t net[16], unsigned bits)
{
	for (size_t i = 0; i < net_naddrs(s->net); i++) {
		const struct net_addr *a = net_addr_at(s->net, i);

		if (is_attached(s, a) && a->bits <= bits &&
		    scope_same_network(a->addr, net, a->bits))
			return true;
	}
	return false;
}

static void
not_polled(struct scan *s, struct run *r, enum probe_kind kind,
    uint32_t ifindex, const uint8_t net[16], unsigned bits, const char *state)
{
	struct poll p = { .kind = kind, .ifindex = ifindex,
		.bits = (uint8_t)bits, .v4 = is_v4(net) };

	memcpy(p.net, net, bits / 8);
	if (bits % 8 != 0)
		p.net[bits / 8] = (uint8_t)(net[bits / 8] & 0xff00 >> bits % 8);
	sender(s, &p, none);
	r->sent = r->failed = 0;
	result(s, r, &p, state);
}

/* All of it but what this stage asks already, or ARP. False: it is too large. */
static bool
add_network(struct scan *s, struct run *r, enum probe_kind kind,
    uint32_t ifindex, const uint8_t net[16], unsigned bits,
    const uint8_t source[16])
{
	struct poll *p;
	bool	     yes = r->large || s->conf.large_ranges;

	if ((bits < LARGE_BITS && !yes) || bits < LIMIT_BITS) {
		not_polled(s, r, kind, ifindex, net, bits, "too-large");
		return false;
	}
	if ((p = poll_more(r)) == NULL ||
	    poll_network(p, kind, net, bits) < 0) {
		log_warn("no memory for a poll");
		return true;
	}
	p->ifindex = ifindex;
	sender(s, p, source);
	skip_ours(s, p);
	for (size_t i = 0; i < r->npolls; i++)
		if (r->polls[i].kind == kind && r->polls[i].ifindex == ifindex)
			poll_skip_poll(p, &r->polls[i]);
	if (kind != PROBE_ARP)
		for (size_t i = 0; i < net_naddrs(s->net); i++)
			if (is_attached(s, net_addr_at(s->net, i)))
				poll_skip_network(p,
				    net_addr_at(s->net, i)->addr,
				    net_addr_at(s->net, i)->bits);
	if (p->left > 0) {
		r->npolls++;
	} else {
		r->sent = r->failed = 0;
		result(s, r, p, "nothing-to-ask");
		poll_fini(p);
	}
	return true;
}

/* What of the range is in the network of one of our addresses. */
static void
add_part(struct scan *s, struct run *r, const struct net_addr *a,
    const uint8_t net[16], unsigned bits)
{
	if (!scope_same_network(net, a->addr, bits < a->bits ? bits : a->bits))
		return;
	if (bits < a->bits)
		(void)add_network(s, r, PROBE_ARP, a->ifindex, a->addr, a->bits,
		    a->addr);
	else
		(void)add_network(s, r, PROBE_ARP, a->ifindex, net, bits,
		    a->addr);
}

/* By ARP: networks of our interfaces, and what of the ranges is in them. */
static void
add_attached(struct scan *s, struct run *r)
{
	for (size_t i = 0; i < net_naddrs(s->net); i++) {
		const struct net_addr *a = net_addr_at(s->net, i);
		bool		       twice = false;

		if (!is_v4(a->addr) || !is_attached(s, a) ||
		    (r->ifindex != 0 && r->ifindex != a->ifindex))
			continue;
		for (size_t k = 0; k < i; k++) {
			const struct net_addr *b = net_addr_at(s->net, k);

			twice = twice || (b->ifindex == a->ifindex &&
			    b->bits == a->bits &&
			    scope_same_network(a->addr, b->addr, a->bits));
		}
		if (twice)
			continue;
		if (r->has_net)
			add_part(s, r, a, r->net, r->bits);
		else if (!s->conf.attached ||
		    !add_network(s, r, PROBE_ARP, a->ifindex, a->addr, a->bits,
			a->addr))
			for (unsigned k = 0; k < s->ranges.n; k++)
				add_part(s, r, a, s->ranges.range[k].addr,
				    s->ranges.range[k].bits);
	}
}

/* By echo: what of the ranges is not. Nobody can ask all of an IPv6 network, and
 * who is known in it is asked anyway: add_devices(). */
static void
add_range(struct scan *s, struct run *r, enum probe_kind kind,
    const uint8_t net[16], unsigned bits)
{
	if (is_v4(net) != (kind == PROBE_ECHO4))
		return;
	if (bits >= 96)
		(void)add_network(s, r, kind, 0, net, bits, none);
	else if (!is_in_attached(s, net, bits))
		not_polled(s, r, kind, 0, net, bits, "known-only");
}

static void
add_routed(struct scan *s, struct run *r, enum probe_kind kind)
{
	if (r->has_net)
		add_range(s, r, kind, r->net, r->bits);
	else if (r->ifindex == 0)
		for (unsigned i = 0; i < s->ranges.n; i++)
			add_range(s, r, kind, s->ranges.range[i].addr,
			    s->ranges.range[i].bits);
}

/* "_ipp._tcp 631 x" as msg.h has it for PROBE_MDNS_BROWSE. */
static bool
service_type(const struct item *it, uint8_t out[16])
{
	const char *text = (const char *)it->data;
	size_t	    n = 0;

	memset(out, 0, 16);
	while (n + 1 < it->len && text[n + 1] != '.')
		n++;
	if (it->len < n + 6 || text[0] != '_' || n == 0 || n > 15 ||
	    (memcmp(text + n + 1, "._tcp", 5) != 0 &&
		memcmp(text + n + 1, "._udp", 5) != 0) ||
	    memchr(text, '\\', n) != NULL)
		return false;
	out[0] = text[n + 3] == 't' ? 'T' : 'U';
	memcpy(out + 1, text + 1, n);
	return true;
}

/* The question for types, and each type that somebody has. */
static size_t
service_types(const struct scan *s, uint8_t (*list)[16])
{
	const struct record *rec;
	struct item	     it;
	size_t		     n = 1;

	memset(list[0], 0, 16);
	for (size_t i = 0; i < devices_slots(s->devices); i++) {
		size_t pos = 0, k;

		if ((rec = devices_at(s->devices, i)) == NULL)
			continue;
		while (n < SERVICES_MAX && record_next(rec, &pos, &it)) {
			if (it.kind != FACT_SERVICE || it.by != SIGHT_MDNS ||
			    !service_type(&it, list[n]))
				continue;
			for (k = 0; k < n && memcmp(list[k], list[n], 16) != 0;)
				k++;
			n += k == n;
		}
	}
	return n;
}

/* To a group, from each of our addresses: who answers does it from a like one. */
static void
add_group(struct scan *s, struct run *r, enum probe_kind kind, bool v4)
{
	/* all nodes, or what is browsed for: the same from each address */
	uint8_t group[SERVICES_MAX][16] = { { 0xff, 0x02, [15] = 1 } };
	size_t	n = kind == PROBE_MDNS_BROWSE ? service_types(s, group) : 1;

	for (size_t i = 0; i < net_naddrs(s->net); i++) {
		const struct net_addr *a = net_addr_at(s->net, i);
		const struct net_link *l = net_link_by(s->net, a->ifindex);
		struct poll	      *p;
		uint8_t		     (*list)[16];

		if (is_v4(a->addr) != v4 || l == NULL || !l->up ||
		    !l->ethernet || !scan_uses(s, l) || a->tentative ||
		    (r->ifindex != 0 && r->ifindex != a->ifindex) ||
		    (r->has_net && !scope_same_network(r->net, a->addr,
			r->bits < a->bits ? r->bits : a->bits)) ||
		    (!v4 && kind != PROBE_ALLNODES && !is_link_local(a->addr)))
			continue;
		if ((p = poll_more(r)) == NULL ||
		    (list = malloc(n * sizeof(*list))) == NULL)
			return;
		memcpy(list, group, n * sizeof(*list));
		if (poll_list(p, kind, list, n) < 0)
			return;
		p->ifindex = a->ifindex;
		p->v4 = v4;
		sender(s, p, a->addr);
		r->npolls++;
	}
}

static bool
in_run(const struct run *r, const uint8_t addr[16])
{
	return !r->has_net || scope_same_network(r->net, addr, r->bits);
}

/* Whether the kind is asked of this address of a device. */
static bool
is_target(const struct scan *s, const struct run *r, enum probe_kind kind,
    const struct record *rec, const uint8_t addr[16])
{
	bool v4 = is_v4(addr), on_link = net_is_on_link(s->net, 0, addr);

	if (rec->state != RECORD_SEEN || rec->by & BIT(SIGHT_OWN) ||
	    !in_run(r, addr) ||
	    (s->exclude.n > 0 && scope_has(&s->exclude, addr)))
		return false;
	switch (kind) {
	case PROBE_NS: /* who has not just answered */
		return !v4 && on_link && rec->last < r->begun;
	case PROBE_ECHO6: /* known ones, in ranges that are too large above all */
		return !v4 && !on_link && rec->last < r->begun;
	case PROBE_NBSTAT:
		return v4;
	case PROBE_LLMNR_PTR:
	case PROBE_MDNS_PTR:
		return on_link;
	case PROBE_SNMP:
		return !is_link_local(addr) && scope_has(&s->snmp_ranges, addr);
	case PROBE_DNS_PTR:
		return !is_link_local(addr);
	default:
		return false;
	}
}

/* Which interface an address is reached by; 0: as routes say. Link-local ones
 * have it in them, see devices_scope(). */
static uint32_t
way_to(const struct scan *s, const uint8_t addr[16])
{
	if (is_link_local(addr))
		return (uint32_t)addr[4] << 24 | (uint32_t)addr[5] << 16 |
		    (uint32_t)addr[6] << 8 | addr[7];
	for (size_t i = 0; i < net_naddrs(s->net); i++) {
		const struct net_addr *a = net_addr_at(s->net, i);

		if (scope_same_network(a->addr, addr, a->bits))
			return a->ifindex;
	}
	return 0;
}

/* Our own address of the like on that interface. */
static void
set_sender(struct scan *s, struct poll *p, const uint8_t addr[16])
{
	const uint8_t *best = none;

	for (size_t i = 0; i < net_naddrs(s->net); i++) {
		const struct net_addr *a = net_addr_at(s->net, i);

		if (a->ifindex != p->ifindex || is_v4(a->addr) != is_v4(addr) ||
		    a->tentative)
			continue;
		if (best == none || scope_same_network(a->addr, addr, a->bits) ||
		    is_link_local(a->addr))
			best = a->addr;
	}
	sender(s, p, best);
}

struct ways { /* targets by interface and family */
	struct way {
		uint32_t ifindex;
		bool	 v4;
		uint8_t (*list)[16];
		size_t	 n, room;
	} way[64];
	size_t n;
};

static void
ways_add(struct ways *ws, uint32_t ifindex, const uint8_t addr[16])
{
	struct way *w;
	size_t	    i = 0;
	void	   *more;

	while (i < ws->n && (ws->way[i].ifindex != ifindex ||
	    ws->way[i].v4 != is_v4(addr)))
		i++;
	if (i == COUNT(ws->way))
		return;
	w = &ws->way[i];
	if (i == ws->n) {
		*w = (struct way){ .ifindex = ifindex, .v4 = is_v4(addr) };
		ws->n++;
	}
	if (w->n == w->room) {
		more = reallocarray(w->list, w->room * 2 + 64, 16);
		if (more == NULL)
			return;
		w->list = more;
		w->room = w->room * 2 + 64;
	}
	memcpy(w->list[w->n], addr, 16);
	devices_scope(0, w->list[w->n++]);
}

/* Devices that are known, and neighbours that the kernel knew. */
static void
add_devices(struct scan *s, struct run *r, enum probe_kind kind)
{
	struct ways		   ws = { .n = 0 };
	const struct record	  *rec;
	struct item		   it;
	bool			   on_links = kind == PROBE_NS ||
	    kind == PROBE_LLMNR_PTR || kind == PROBE_MDNS_PTR;

	for (size_t i = 0; i < devices_slots(s->devices); i++) {
		size_t pos = 0;

		if ((rec = devices_at(s->devices, i)) == NULL)
			continue;
		while (record_next(rec, &pos, &it))
			if (it.kind == ITEM_ADDR &&
			    is_target(s, r, kind, rec, it.data))
				ways_add(&ws, on_links ? way_to(s, it.data) : 0,
				    it.data);
	}
	for (size_t i = 0; kind == PROBE_NS && i < net_nseeds(s->net); i++)
		if (in_run(r, net_seed_at(s->net, i)->addr))
			ways_add(&ws, net_seed_at(s->net, i)->ifindex,
			    net_seed_at(s->net, i)->addr);
	for (size_t i = 0; i < ws.n; i++) {
		struct way  *w = &ws.way[i];
		const struct net_link *l = net_link_by(s->net, w->ifindex);
		struct poll *p = NULL;

		if ((w->ifindex != 0 && (l == NULL || !l->up ||
			!scan_uses(s, l))) ||
		    (r->ifindex != 0 && w->ifindex != r->ifindex) ||
		    (p = poll_more(r)) == NULL ||
		    poll_list(p, kind, w->list, w->n) < 0) {
			if (p == NULL)
				free(w->list);
			continue;
		}
		p->ifindex = w->ifindex;
		set_sender(s, p, p->list[0]);
		skip_ours(s, p);
		for (size_t k = 0; kind == PROBE_ECHO6 && k < r->npolls; k++)
			poll_skip_poll(p, &r->polls[k]); /* of its network */
		r->npolls++;
	}
}

static void
polls_free(struct run *r)
{
	for (size_t i = 0; i < r->npolls; i++)
		poll_fini(&r->polls[i]);
	free(r->polls);
	r->polls = NULL;
	r->npolls = r->at = 0;
}

/* Solicitations from that address of ours to devices of its link. */
static void
add_introduction(struct scan *s, struct run *r, const struct net_addr *from)
{
	const struct record *rec;
	struct item	     it;
	uint8_t		     scoped[16] = { 0xfe, 0x80 };
	struct ways	     ws = { .n = 0 };
	struct poll	    *p = NULL;

	devices_scope(from->ifindex, scoped); /* how records tell links apart */
	for (size_t i = 0; i < devices_slots(s->devices); i++)
		if ((rec = devices_at(s->devices, i)) != NULL &&
		    rec->state == RECORD_SEEN && (rec->by & BIT(SIGHT_OWN)) == 0)
			for (size_t pos = 0; record_next(rec, &pos, &it);)
				if (it.kind == ITEM_ADDR &&
				    memcmp(it.data, scoped, 8) == 0)
					ways_add(&ws, from->ifindex, it.data);
	if (ws.n == 0)
		return;
	if ((p = poll_more(r)) == NULL ||
	    poll_list(p, PROBE_NS, ws.way[0].list, ws.way[0].n) < 0) {
		if (p == NULL)
			free(ws.way[0].list);
		return;
	}
	p->ifindex = from->ifindex;
	sender(s, p, from->addr);
	skip_ours(s, p);
	r->npolls++;
}

static void
add_introductions(struct scan *s, struct run *r)
{
	for (size_t i = 0; i < net_naddrs(s->net); i++) {
		const struct net_addr *a = net_addr_at(s->net, i);
		const struct net_link *l = net_link_by(s->net, a->ifindex);

		if (!is_v4(a->addr) && l != NULL && l->up && l->ethernet &&
		    scan_uses(s, l) && !a->tentative &&
		    (r->ifindex == 0 || r->ifindex == a->ifindex) &&
		    (!r->has_net || scope_same_network(r->net, a->addr,
			r->bits < a->bits ? r->bits : a->bits)))
			add_introduction(s, r, a);
	}
}

static void
build(struct scan *s, struct run *r, unsigned kind)
{
	switch (kind) {
	case INTRODUCE:
		add_introductions(s, r);
		break;
	case PROBE_MLD:
		if (s->conf.mld)
			add_group(s, r, PROBE_MLD, false);
		break;
	case PROBE_ARP:
		add_attached(s, r);
		break;
	case PROBE_ECHO4:
		add_routed(s, r, PROBE_ECHO4);
		break;
	case PROBE_ECHO6:
		add_routed(s, r, PROBE_ECHO6);
		add_devices(s, r, PROBE_ECHO6);
		break;
	case PROBE_ALLNODES:
		add_group(s, r, PROBE_ALLNODES, false);
		break;
	case PROBE_MDNS_BROWSE:
		add_group(s, r, PROBE_MDNS_BROWSE, true);
		add_group(s, r, PROBE_MDNS_BROWSE, false);
		break;
	case PROBE_SSDP:
		add_group(s, r, PROBE_SSDP, true);
		add_group(s, r, PROBE_SSDP, false);
		break;
	case PROBE_SNMP:
		if (s->conf.snmp_communities[0] == '\0')
			break;
		/* fallthrough */
	default:
		add_devices(s, r, (enum probe_kind)kind);
	}
}

/* -- orders -- */

static void advance(struct scan *s);

static struct poll *
current(struct scan *s)
{
	struct run *r = &s->runs[0];

	return s->nruns > 0 && r->at < r->npolls ? &r->polls[r->at] : NULL;
}

static int
send_order(struct scan *s, const struct poll *p, uint8_t (*targets)[16],
    size_t n, uint32_t id)
{
	static uint8_t buf[MSG_MAX_PAYLOAD];
	struct wr      w = wr_to(buf, sizeof(buf));

	wr_u32(&w, id);
	wr_u8(&w, (uint8_t)p->kind);
	wr_u32(&w, p->ifindex);
	wr_bytes(&w, p->mac, 6);
	wr_bytes(&w, p->source, 16);
	wr_u32(&w, (uint32_t)s->conf.rate);
	wr_bytes(&w, targets, n * 16);
	return s->probe == NULL ? -ENOTCONN
				: ipc_send(s->probe, MSG_PROBE, 0, buf, w.len);
}

/* Orders until two are under way; whether one is. */
static bool
order(struct scan *s, struct poll *p)
{
	static uint8_t targets[PROBE_TARGETS][16];
	bool	       any = false;

	for (size_t i = 0; i < COUNT(s->orders); i++) {
		size_t n;

		if (s->orders[i].id == 0 && s->probe != NULL &&
		    (n = poll_take(p, targets, PROBE_TARGETS)) > 0) {
			if (++s->next_order == 0)
				s->next_order = 1;
			s->orders[i].id = s->next_order;
			s->orders[i].count = (uint32_t)n;
			s->orders[i].sent = s->orders[i].failed = 0;
			s->order_ms = loop_now_ms(s->loop);
			if (send_order(s, p, targets, n, s->next_order) < 0) {
				log_warn("dp-probe takes no orders");
				s->orders[i].id = 0; /* the next round asks them */
				s->runs[0].failed += n;
			}
		}
		any = any || s->orders[i].id != 0;
	}
	return any || s->probe == NULL;
}

static void
orders_stop(struct scan *s)
{
	for (size_t i = 0; i < COUNT(s->orders); i++) {
		uint8_t	  buf[4];
		struct wr w = wr_to(buf, sizeof(buf));

		if (s->orders[i].id == 0)
			continue;
		wr_u32(&w, s->orders[i].id);
		if (s->probe != NULL)
			(void)ipc_send(s->probe, MSG_PROBE_STOP, 0, buf, w.len);
		s->orders[i].id = 0;
	}
	loop_timer_stop(s->wait);
	s->waiting = false;
}

static bool
is_routed_network(const struct poll *p)
{
	return (p->kind == PROBE_ECHO4 || p->kind == PROBE_ECHO6) &&
	    p->list == NULL;
}

/* Records of those whose echoes were withheld, unless all answered. */
static void
release(struct scan *s, const struct poll *p)
{
	struct sight g;
	size_t	     pos = 0;

	if (!is_routed_network(p) || poll_all_answer(p))
		return;
	sight_begin(&g, SIGHT_ECHO);
	g.asked = true;
	while (poll_next_heard(p, &pos, g.addr))
		(void)devices_see(s->devices, &g, scan_now(s));
}

static void
poll_done(struct scan *s, const char *state)
{
	struct run  *r = &s->runs[0];
	struct poll *p = current(s);

	orders_stop(s);
	release(s, p);
	result(s, r, p, state);
	tally_fini(&s->tally);
	r->at++;
	r->sent = r->failed = 0;
	r->error = 0;
	r->poll_ms = loop_now_ms(s->loop);
}

static const char *
state_of(const struct scan *s, const struct run *r, const struct poll *p)
{
	if (p->left == 0)
		return "nothing-to-ask";
	if (r->sent == 0 && r->failed > 0)
		return "not-sent";
	if (claimant_of(s).n > 0)
		return "claims-many";
	if (is_routed_network(p) && poll_all_answer(p))
		return "all-answer";
	if (p->answered > 0)
		return "answers";
	return is_network(p->kind) ? "silent" : "done";
}

static void
on_waited(void *ctx)
{
	struct scan *s = ctx;
	struct poll *p = current(s);

	s->waiting = false;
	if (p != NULL && !poll_again(p))
		poll_done(s, state_of(s, &s->runs[0], p));
	advance(s);
}

static void
run_end(struct scan *s)
{
	struct run *r = &s->runs[0];

	if (current(s) != NULL) /* broken off */
		release(s, current(s));
	tally_fini(&s->tally);
	polls_free(r);
	worker_event(s->w, "scan-done", json_pack("{s:s,s:I,s:I,s:I}", "why",
	    r->why, "sent", (json_int_t)r->sent_all, "answered",
	    (json_int_t)r->found, "ms",
	    (json_int_t)(loop_now_ms(s->loop) - r->begun_ms)));
	if (r->reply != NULL) {
		admin_row(r->reply, json_pack("{s:s,s:I,s:I,s:f,s:I}", "state",
		    r->results > 0 ? "done" : "nothing-to-ask", "sent", (json_int_t)r->sent_all, "answered",
		    (json_int_t)r->found, "seconds",
		    (double)(loop_now_ms(s->loop) - r->begun_ms) / 1000,
		    "devices", (json_int_t)devices_counts(s->devices)->seen));
		admin_end(r->reply, NULL);
	}
	memmove(&s->runs[0], &s->runs[1], --s->nruns * sizeof(s->runs[0]));
}

/* The next kind of the run with anything to ask; false: it is over. */
static bool
next_stage(struct scan *s, struct run *r)
{
	if (r->stage == 0) {
		r->begun_ms = loop_now_ms(s->loop);
		r->begun = scan_now(s);
	}
	polls_free(r);
	while (r->stage < COUNT(stages)) {
		unsigned kind = stages[r->stage++];

		if ((r->kinds & BIT(kind)) != 0)
			build(s, r, kind);
		if (r->npolls > 0) {
			r->poll_ms = loop_now_ms(s->loop);
			return true;
		}
	}
	return false;
}

static bool
has_link(const struct scan *s, const struct poll *p)
{
	const struct net_link *l = net_link_by(s->net, p->ifindex);

	return p->ifindex == 0 || (l != NULL && l->up && scan_uses(s, l));
}

/* How long answers to a round are waited for. */
static uint64_t
wait_of(const struct scan *s, const struct run *r, const struct poll *p)
{
	uint64_t least = 0;

	if (p->kind == PROBE_ALLNODES)
		least = p->round + 1 == POLL_ROUNDS && r->at + 1 == r->npolls
		    ? ALLNODES_WAIT_MS : 0;
	else if (p->kind == PROBE_SSDP)
		least = p->round + 1 == POLL_ROUNDS && r->at + 1 == r->npolls
		    ? SSDP_WAIT_MS : 0;
	else if (p->kind == PROBE_MLD)
		least = MLD_WAIT_MS;
	else if (is_routed_network(p))
		least = p->round + 1 == POLL_ROUNDS ? ROUTED_WAIT_MS : 0;
	else if (!is_network(p->kind) && p->kind != PROBE_NS)
		least = NAME_WAIT_MS;
	return s->conf.wait_ms > least ? s->conf.wait_ms : least;
}

static void
advance(struct scan *s)
{
	struct poll *p;

	while (s->nruns > 0 && !s->waiting) {
		struct run *r = &s->runs[0];

		if (r->reply != NULL && admin_gone(r->reply)) {
			orders_stop(s); /* who ordered it has left */
			run_end(s);
			continue;
		}
		if ((p = current(s)) == NULL) {
			if (!next_stage(s, r))
				run_end(s);
			continue;
		}
		if (!has_link(s, p)) { /* vanished before its turn */
			poll_done(s, "interface-gone");
			continue;
		}
		if (order(s, p))
			return;
		s->waiting = true;
		loop_timer_set(s->wait, wait_of(s, r, p));
	}
}

int
runs_on_probed(void *scan, struct ipc_msg *m)
{
	struct scan *s = scan;
	uint32_t     id = rd_u32(&m->rd), sent = rd_u32(&m->rd),
		 failed = rd_u32(&m->rd), error = rd_u32(&m->rd);
	struct run  *r = &s->runs[0];
	size_t	     i = 0;

	while (i < COUNT(s->orders) && s->orders[i].id != id)
		i++;
	if (i == COUNT(s->orders) || id == 0)
		return 0; /* was stopped */
	if (sent < s->orders[i].sent || failed < s->orders[i].failed ||
	    (uint64_t)sent + failed > s->orders[i].count)
		return -EBADMSG;
	s->order_ms = loop_now_ms(s->loop);
	r->sent += sent - s->orders[i].sent;
	r->failed += failed - s->orders[i].failed;
	s->packets += sent - s->orders[i].sent;
	if (error != 0)
		r->error = (int)error;
	s->orders[i].sent = sent;
	s->orders[i].failed = failed;
	if (sent + failed == s->orders[i].count) {
		s->orders[i].id = 0;
		advance(s);
	}
	return 0;
}

void
runs_prober_back(struct scan *s)
{
	struct poll *p = current(s);

	memset(s->orders, 0, sizeof(s->orders));
	if (p != NULL && !s->waiting)
		p->next = 0; /* the round begins anew */
	advance(s);
}

/* -- what was heard -- */

void
runs_heard(struct scan *s, const struct sight *g)
{
	static const unsigned answers[PROBE_MAX] = {
		[PROBE_ARP] = BIT(SIGHT_ARP) | BIT(SIGHT_NEIGHBOUR),
		[PROBE_NS] = BIT(SIGHT_NDP) | BIT(SIGHT_ECHO) |
		    BIT(SIGHT_NEIGHBOUR),
		[PROBE_ECHO4] = BIT(SIGHT_ECHO),
		[PROBE_ECHO6] = BIT(SIGHT_ECHO),
		[PROBE_DNS_PTR] = BIT(SIGHT_DNS),
		[PROBE_NBSTAT] = BIT(SIGHT_NETBIOS),
		[PROBE_LLMNR_PTR] = BIT(SIGHT_LLMNR),
		[PROBE_MDNS_PTR] = BIT(SIGHT_MDNS),
		[PROBE_SNMP] = BIT(SIGHT_SNMP),
	};
	struct poll *p = current(s);

	if (p == NULL)
		return;
	if (p->kind == PROBE_MLD) {
		p->answered += g->by == SIGHT_MLD && g->ifindex == p->ifindex;
		return;
	}
	if (p->kind == PROBE_SSDP && g->by != SIGHT_SSDP)
		return;
	if (p->kind == PROBE_SSDP || p->kind == PROBE_ALLNODES || p->kind == PROBE_MDNS_BROWSE) {
		if (g->asked && g->ifindex == p->ifindex) /* each answer counts */
			p->answered++;
		return;
	}
	if ((answers[p->kind] & BIT(g->by)) == 0 ||
	    (p->ifindex != 0 && g->ifindex != 0 && p->ifindex != g->ifindex))
		return;
	if (!poll_heard(p, g->addr))
		return;
	if (p->kind == PROBE_ARP) /* without memory it is not counted */
		(void)tally_add(&s->tally, g->mac);
	if (p->answered == p->left && s->waiting)
		loop_timer_set(s->wait, 0); /* nobody is left to wait for */
}

/* One known by its echo alone, from behind a router: who answers there may do so
 * for all, which is known when the poll is over. */
bool
runs_withholds(const struct scan *s, const struct sight *g)
{
	const struct run *r = &s->runs[0];

	if (g->by != SIGHT_ECHO || devices_holder(s->devices, g->addr) != NULL)
		return false;
	if (s->nruns > 0 && r->at < r->npolls &&
	    is_routed_network(&r->polls[r->at]) &&
	    poll_has(&r->polls[r->at], g->addr))
		return true;
	return !net_is_on_link(s->net, 0, g->addr);
}

bool
runs_asks(const struct scan *s, const uint8_t addr[16])
{
	const struct run *r = &s->runs[0];

	return s->nruns > 0 && r->at < r->npolls &&
	    (r->polls[r->at].kind == PROBE_ARP ||
		r->polls[r->at].kind == PROBE_NS) &&
	    poll_has(&r->polls[r->at], addr);
}

bool
runs_asks_groups(const struct scan *s)
{
	const struct run *r = &s->runs[0];

	return s->nruns > 0 && r->at < r->npolls &&
	    r->polls[r->at].kind == PROBE_MLD;
}

bool
runs_covers(const struct scan *s, const uint8_t addr[16])
{
	return s->nruns > 0 && s->runs[0].has_net &&
	    scope_same_network(s->runs[0].net, addr, s->runs[0].bits);
}

/* -- what changes under way -- */

static void
look_at_link(struct scan *s)
{
	struct poll *p = current(s);

	if (p == NULL || has_link(s, p))
		return;
	poll_done(s, "interface-gone");
	advance(s);
}

/* The kind's turn is yet to come, or it is among what is asked now. */
static bool
will_ask(const struct run *r, enum probe_kind kind, const struct net_addr *a)
{
	size_t turn = 0;

	while (stages[turn] != kind)
		turn++;
	if ((r->kinds & BIT(kind)) == 0 || r->stage <= turn)
		return (r->kinds & BIT(kind)) != 0;
	for (size_t i = r->at; r->stage == turn + 1 && i < r->npolls; i++)
		if (r->polls[i].ifindex == a->ifindex &&
		    (kind != PROBE_ARP || scope_same_network(r->polls[i].net,
			a->addr, r->polls[i].bits)))
			return true;
	return false;
}

/* Whether the address's network was polled, or is about to be. */
static bool
is_polled(const struct scan *s, const struct net_addr *a)
{
	const struct net_link *l = net_link_by(s->net, a->ifindex);
	bool		       v4 = is_v4(a->addr);
	enum probe_kind	       kind = v4 ? PROBE_ARP : PROBE_ALLNODES;

	for (size_t k = 0; k < RESULTS_MAX; k++)
		if (s->results[k].kind == kind &&
		    strcmp(s->results[k].interface, l->name) == 0 &&
		    strcmp(s->results[k].state, "interface-gone") != 0 &&
		    (!v4 || (s->results[k].bits == a->bits &&
			scope_same_network(s->results[k].net, a->addr, a->bits))))
			return true;
	for (size_t k = 0; k < s->nruns; k++)
		if (!s->runs[k].has_net && (s->runs[k].ifindex == 0 ||
			s->runs[k].ifindex == a->ifindex) &&
		    will_ask(&s->runs[k], kind, a))
			return true;
	return false;
}

/* A network that was not there when the last ranges were polled; all of IPv6 on an
 * interface is one. */
static void
look_for_new(struct scan *s)
{
	for (size_t i = 0; i < net_naddrs(s->net); i++) {
		const struct net_addr *a = net_addr_at(s->net, i);
		struct run r = { .kinds = RANGES, .ifindex = a->ifindex,
			.why = "new network" };

		if (is_attached(s, a) && !a->tentative && !is_polled(s, a))
			(void)runs_add(s, &r);
	}
}

void
runs_net_changed(struct scan *s)
{
	look_at_link(s);
	/* before the first poll of all there is nothing new */
	if (s->going && s->conf.active && s->conf.attached &&
	    s->conf.range_interval > 0 &&
	    s->schedules[SCHEDULE_RANGES].due_ms >
		loop_now_ms(s->loop) + FIRST_MS)
		look_for_new(s);
}

/* -- when -- */

/* 0: on demand only. */
static uint64_t
interval_of(const struct scan *s, size_t i)
{
	if (!s->conf.active ||
	    (i == SCHEDULE_SNMP && s->conf.snmp_communities[0] == '\0'))
		return 0;
	return i == SCHEDULE_RANGES  ? s->conf.range_interval
	    : i == SCHEDULE_NAMES    ? s->conf.name_interval
				     : s->conf.snmp_interval;
}

void
runs_configure(struct scan *s)
{
	static const struct schedule all[SCHEDULES] = {
		{ "ranges", RANGES, 0 }, { "names", NAMES, 0 },
		{ "snmp", BIT(PROBE_SNMP), 0 },
	};
	uint64_t now = loop_now_ms(s->loop);

	while (!s->conf.active && s->nruns > 0) {
		orders_stop(s); /* whoever would send is going */
		run_end(s);
	}
	for (size_t i = 0; i < SCHEDULES; i++) {
		struct schedule *c = &s->schedules[i];

		c->name = all[i].name;
		c->kinds = all[i].kinds;
		schedule_set(&c->due_ms, interval_of(s, i),
		    now + FIRST_MS + i * NAMES_MS, now);
	}
}

int
runs_add(struct scan *s, const struct run *take)
{
	if (s->nruns == RUNS_MAX)
		return -EBUSY;
	if (take->has_net && take->bits >= 96 && take->bits < LIMIT_BITS)
		return -E2BIG;
	if (take->has_net && take->bits >= 96 && take->bits < LARGE_BITS &&
	    !take->large && !s->conf.large_ranges)
		return -ERANGE;
	s->runs[s->nruns++] = *take;
	if (s->nruns == 1)
		advance(s);
	return 0;
}

static void
look_after_orders(struct scan *s)
{
	bool any = false;

	for (size_t i = 0; i < COUNT(s->orders); i++)
		any = any || s->orders[i].id != 0;
	if (!any || s->probe == NULL ||
	    loop_now_ms(s->loop) - s->order_ms < ORDER_MS)
		return;
	ipc_free(&s->probe); /* a new one begins the round anew */
	worker_accuse(PEER_PROBE, -ETIMEDOUT);
}

/* One like it is there already: the prober is away, or slower than we ask. */
static bool
waits(const struct scan *s, const struct run *r)
{
	for (size_t i = 0; i < s->nruns; i++)
		if (s->runs[i].reply == NULL && s->runs[i].kinds == r->kinds &&
		    !s->runs[i].has_net && s->runs[i].ifindex == 0)
			return true;
	return false;
}

void
runs_second(struct scan *s)
{
	uint64_t     now = loop_now_ms(s->loop);
	struct poll *p = current(s);

	if (p != NULL && s->runs[0].reply != NULL)
		admin_row(s->runs[0].reply,
		    progress_row(s, &s->runs[0], p, "running"));
	if (!s->going)
		return;
	look_after_orders(s);
	for (size_t i = 0; i < SCHEDULES; i++) {
		struct schedule *c = &s->schedules[i];
		struct run	 r = { .kinds = c->kinds, .why = "schedule" };

		/* where too many wait it stays due */
		if (schedule_is_due(c->due_ms, now) &&
		    (waits(s, &r) || runs_add(s, &r) == 0))
			c->due_ms = now + schedule_wait(interval_of(s, i));
	}
	advance(s); /* who ordered the run may have left */
}

int
runs_init(struct scan *s)
{
	return loop_timer_new(s->loop, on_waited, s, &s->wait);
}

void
runs_fini(struct scan *s)
{
	for (size_t i = 0; i < s->nruns; i++)
		polls_free(&s->runs[i]);
	loop_timer_free(&s->wait);
	tally_fini(&s->tally);
}
