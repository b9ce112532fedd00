/*
 * dp-scan/devices.c - see devices.h.
 *
 * Believes of a sight that its text is printable, and nothing that it claims.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/devices.h"

#include "common/size.h"
#include "dp-scan/index.h"
#include "dp-scan/merge.h"
#include "dp-scan/servers.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE	      UINT32_MAX
#define MOVES	      256 /* addresses that moved lately */
#define CONFLICT_S    600 /* there and back within this: two have it */
#define AT_ONCE_S     2	  /* two answers to one question */
#define CROWD_S	      60  /* the claims of one poll */
#define TOLD_S	      3600 /* from one event of a conflict to the next */
#define AGENT_LIVES   7	   /* life times that an agent counts: it may stay connected */
#define TWICE	      1024 /* identities that two had lately */
#define PROBES	      32
#define DUPLICATES    64
#define DEFEND_S      5
#define HEARSAY	      (1U << SIGHT_DNS | 1U << SIGHT_LDAP)
#define SURE	      (1U << SIGHT_AGENT | 1U << SIGHT_OWN) /* nobody forges it */
#define BYTES_EACH    640 /* of items, on an average: half of it is common */

/* From who goes first when there is no room, but for who is absent. */
enum list { LIST_HEARD, LIST_CONFIRMED, LIST_VOUCHED, LIST_ABSENT, LISTS };

struct move { /* an address went from one device to another */
	uint8_t	 addr[16];
	uint32_t from, to, when; /* ids */
	uint32_t conflict;	 /* when it was last one; 0: never */
	uint32_t told;
};

struct twice { /* an identity that two say they have */
	uint32_t hash, told;
};

struct probe_of { /* somebody asks whether an address is free */
	uint8_t	 addr[16], mac[6];
	uint32_t when;
};

struct devices {
	struct devices_conf   conf;
	struct devices_ops    ops;
	void		     *ctx;
	struct record	     *recs;
	uint8_t		     *dirty; /* by page */
	size_t		      nslots, room, used;
	size_t		      bytes; /* of all items */
	uint32_t	      next_id, free_hint;
	struct { uint32_t head, tail; } lists[LISTS]; /* longest silent first */
	struct index	      index;
	struct devices_counts n;
	struct move	      moves[MOVES];
	size_t		      next_move;
	struct twice	      twice[TWICE];
	size_t		      next_twice;
	struct probe_of	      probes[PROBES];
	size_t		      next_probe;
	struct probe_of	      duplicates[DUPLICATES]; /* that were told of, when */
	size_t		      next_duplicate;
	struct dhcp_servers   servers;
	uint32_t	      full_told;
	uint32_t	      own; /* this machine, or NONE */
	uint32_t	      began; /* time of the first look at ages; 0: none yet */
};

static const char *const event_names[DEVICE_EVENTS] = { "device-new",
	"device-vanished", "device-back", "devices-merged", "address-conflict",
	"duplicate-address", "dhcp-server-unknown", "device-claims-many",
	"devices-full", "identity-claimed-twice" };

const char *
device_event_name(enum device_event e)
{
	return event_names[e];
}

static bool
tell(struct devices *d, enum device_event e, const struct record *r,
    const struct record *other, const char *detail)
{
	return d->ops.event(d->ctx, e, r, other, detail);
}

/* -- addresses -- */

void
devices_scope(uint32_t ifindex, uint8_t addr[16])
{
	if (addr[0] != 0xfe || (addr[1] & 0xc0) != 0x80)
		return;
	addr[4] = (uint8_t)(ifindex >> 24); /* zero on the wire, RFC 4291 2.5.6 */
	addr[5] = (uint8_t)(ifindex >> 16);
	addr[6] = (uint8_t)(ifindex >> 8);
	addr[7] = (uint8_t)ifindex;
}

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* One that a single device may have, and others reach it by. */
static bool
is_host(const uint8_t a[16])
{
	if (memcmp(a, mapped, 12) == 0)
		return a[12] != 0 && a[12] != 127 && a[12] < 224;
	return a[0] != 0xff && memcmp(a, (uint8_t[15]){ 0 }, 15) != 0;
}

static int
addr_parse(const char *text, uint8_t out[16])
{
	memcpy(out, mapped, 12);
	return inet_pton(AF_INET, text, out + 12) == 1 ||
	    inet_pton(AF_INET6, text, out) == 1 ? 0 : -EINVAL;
}

static void
addr_text(const uint8_t a[16], char out[INET6_ADDRSTRLEN])
{
	uint8_t plain[16];

	memcpy(plain, a, 16);
	devices_scope(0, plain);
	if (memcmp(a, mapped, 12) == 0)
		inet_ntop(AF_INET, a + 12, out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, plain, out, INET6_ADDRSTRLEN);
}

/* -- lists: who was heard last stands last -- */

/* Who is only in a directory, and was never heard, makes no room for himself. */
static bool
is_vouched_for(const struct record *r)
{
	return (r->by & SURE) != 0 ||
	    ((r->by & 1U << SIGHT_LDAP) != 0 && (r->by & ~HEARSAY) != 0);
}

static enum list
list_of(const struct record *r)
{
	return r->state == RECORD_ABSENT ? LIST_ABSENT
	    : !r->confirmed		 ? LIST_HEARD
	    : is_vouched_for(r)		 ? LIST_VOUCHED
					 : LIST_CONFIRMED;
}

static size_t *
count_of(struct devices *d, const struct record *r)
{
	return r->state == RECORD_ABSENT ? &d->n.absent : &d->n.seen;
}

/* Before what list_of() looks at is changed. */
static void
unlink_rec(struct devices *d, uint32_t slot)
{
	struct record *r = &d->recs[slot];
	enum list      l = list_of(r);

	*(r->prev != NONE ? &d->recs[r->prev].next : &d->lists[l].head) = r->next;
	*(r->next != NONE ? &d->recs[r->next].prev : &d->lists[l].tail) = r->prev;
	--*count_of(d, r);
	if (r->confirmed)
		d->n.confirmed--;
}

static void
link_rec(struct devices *d, uint32_t slot)
{
	struct record *r = &d->recs[slot];
	enum list      l = list_of(r);

	r->prev = d->lists[l].tail;
	r->next = NONE;
	*(r->prev != NONE ? &d->recs[r->prev].next : &d->lists[l].head) = slot;
	d->lists[l].tail = slot;
	++*count_of(d, r);
	if (r->confirmed)
		d->n.confirmed++;
}

/* -- index -- */

static bool
is_key(uint8_t kind)
{
	return kind == ITEM_MAC || kind == ITEM_ADDR || kind == FACT_CLIENT_ID ||
	    kind == FACT_SWITCH || kind == FACT_AGENT ||
	    kind == FACT_DIRECTORY_ID || kind == FACT_DIRECTORY_UUID ||
	    kind == FACT_NAME;
}

static uint32_t
hash_of(const struct devices *d, uint8_t kind, const void *key, size_t len)
{
	uint8_t small[255];

	if (kind != FACT_NAME)
		return index_hash(&d->index, kind, key, len);
	for (size_t i = 0; i < len; i++)
		small[i] = (uint8_t)tolower(((const uint8_t *)key)[i]);
	return index_hash(&d->index, kind, small, len);
}

/* Who has it; NONE: nobody, or, of a name, several. */
static uint32_t
holder(const struct devices *d, uint8_t kind, const void *key, size_t len)
{
	uint32_t hash = hash_of(d, kind, key, len), slot, found = NONE;
	size_t	 pos = SIZE_MAX;

	while ((slot = index_next(&d->index, hash, &pos)) != NONE)
		if (record_find(&d->recs[slot], kind, key, len, NULL)) {
			if (kind != FACT_NAME)
				return slot;
			if (found != NONE)
				return NONE;
			found = slot;
		}
	return found;
}

static uint32_t
holder_of_text(const struct devices *d, uint8_t kind, const char *text)
{
	return text == NULL ? NONE : holder(d, kind, text, strlen(text));
}

static void
soil(struct devices *d, uint32_t slot)
{
	d->dirty[slot / DEVICES_PAGE] = 1;
}

static void
forget(struct devices *d, uint32_t slot, uint8_t kind, const void *key,
    size_t len)
{
	if (is_key(kind))
		index_del(&d->index, hash_of(d, kind, key, len), slot);
	soil(d, slot);
}

static void
take_away(struct devices *d, uint32_t slot, uint8_t kind, const void *key,
    size_t len)
{
	record_drop(&d->recs[slot], kind, key, len);
	forget(d, slot, kind, key, len);
}

/* -EAGAIN: more than is believed of it. */
static int
learn(struct devices *d, uint32_t slot, uint8_t kind, uint8_t by, uint32_t now,
    const void *data, size_t len)
{
	enum record_change change;
	struct item_copy   out;
	uint16_t	   room = d->recs[slot].room;
	int r = record_put(&d->recs[slot], kind, by, now, data, len, &change,
	    &out);

	d->bytes += (size_t)d->recs[slot].room - room;
	if (out.kind != 0)
		forget(d, slot, out.kind, out.data, out.len);
	if (change == RECORD_KNOWN && kind == FACT_NAME) /* one of too many once */
		(void)index_put(&d->index, hash_of(d, kind, data, len), slot);
	if (r < 0 || change == RECORD_KNOWN)
		return r;
	if (change == RECORD_REFUSED)
		return -EAGAIN;
	soil(d, slot);
	if (is_key(kind) &&
	    (r = index_put(&d->index, hash_of(d, kind, data, len), slot)) < 0)
		record_drop(&d->recs[slot], kind, data, len);
	return r;
}

static void
drop_said_before(struct devices *d, uint32_t slot, uint8_t kind, uint32_t since)
{
	struct item	 it;
	struct item_copy old;
	size_t		 pos = 0;

	while (record_next(&d->recs[slot], &pos, &it)) {
		if (it.kind != kind || it.seen >= since)
			continue;
		old.len = it.len;
		memcpy(old.data, it.data, it.len);
		take_away(d, slot, kind, old.data, old.len);
		pos = 0;
	}
}

/* -- slots -- */

static int
more_slots(struct devices *d)
{
	size_t	       room = d->room + (d->room < 128 ? 64 : d->room / 2);
	struct record *recs = reallocarray(d->recs, room, sizeof(*recs));
	uint8_t	      *dirty = calloc(room / DEVICES_PAGE + 1, 1);

	if (recs != NULL)
		d->recs = recs;
	if (recs == NULL || dirty == NULL) {
		free(dirty);
		return -ENOMEM;
	}
	if (d->room > 0)
		memcpy(dirty, d->dirty, d->room / DEVICES_PAGE + 1);
	free(d->dirty);
	d->dirty = dirty;
	d->room = room;
	return 0;
}

static uint32_t
slot_new(struct devices *d)
{
	uint32_t slot = NONE;

	if (d->used < d->nslots)
		for (size_t i = 0; slot == NONE && i < d->nslots; i++) {
			uint32_t at = (uint32_t)((d->free_hint + i) % d->nslots);

			if (d->recs[at].state == RECORD_FREE)
				slot = at;
		}
	else if (d->nslots < d->room || more_slots(d) == 0)
		slot = (uint32_t)d->nslots++;
	if (slot != NONE) {
		d->recs[slot] = (struct record){ .prev = NONE, .next = NONE };
		d->used++;
		d->free_hint = slot + 1;
	}
	return slot;
}

static void
slot_free(struct devices *d, uint32_t slot)
{
	struct record *r = &d->recs[slot];
	struct item    it;
	size_t	       pos = 0;

	while (record_next(r, &pos, &it))
		if (is_key(it.kind))
			index_del(&d->index, hash_of(d, it.kind, it.data, it.len),
			    slot);
	unlink_rec(d, slot);
	d->bytes -= r->room;
	record_fini(r); /* the state is RECORD_FREE then */
	d->used--;
	d->free_hint = slot;
	if (d->own == slot)
		d->own = NONE;
	soil(d, slot);
}

static bool
are_too_long(const struct devices *d)
{
	return d->bytes > d->conf.max * BYTES_EACH;
}

/* Room for one more: who was only heard goes for anybody, who answered only for
 * who answered here, or says who it is, and who is vouched for (has shown an agent, is
 * of a directory, or ourselves) for such a one alone. */
static bool
make_room(struct devices *d, enum list as, uint32_t now)
{
	static const enum list order[] = { LIST_HEARD, LIST_ABSENT,
		LIST_CONFIRMED, LIST_VOUCHED };
	uint32_t slot;

again: /* max may have become smaller */
	if (d->used < d->conf.max && !are_too_long(d))
		return true;
	slot = NONE;
	for (size_t i = 0; slot == NONE && i < COUNT(order); i++)
		if (order[i] <= as || (order[i] == LIST_ABSENT && as > LIST_HEARD))
			slot = d->lists[order[i]].head;
	if (now - d->full_told >= 60) {
		d->full_told = now;
		tell(d, DEVICES_FULL, slot != NONE ? &d->recs[slot] : NULL, NULL,
		    as == LIST_HEARD ? "heard" : "confirmed");
	}
	if (slot == NONE) {
		d->n.dropped_full++;
		return false;
	}
	d->n.evicted++;
	slot_free(d, slot);
	goto again;
}

/* -- two records that are one machine -- */

/* Two of one machine become the older one, whose number stays in its slot; what does
 * not fit is lost. The slot that is left. */
static uint32_t
unite(struct devices *d, uint32_t x, uint32_t y, const char *why)
{
	uint32_t       a = d->recs[x].id < d->recs[y].id ? x : y;
	uint32_t       b = a == x ? y : x;
	struct record *ra = &d->recs[a], gone = d->recs[b];
	bool	       is_shown = (ra->by & ~HEARSAY) != 0;
	bool	       is_own = d->own == b;
	struct item    it;
	size_t	       pos = 0;

	tell(d, DEVICE_MERGED, ra, &gone, why);
	gone.items = NULL;
	if (gone.len > 0 && (gone.items = malloc(gone.len)) != NULL)
		memcpy(gone.items, d->recs[b].items, gone.len);
	else
		gone.len = 0;
	slot_free(d, b);
	unlink_rec(d, a);
	if (is_own)
		d->own = a;
	if (gone.first < ra->first)
		ra->first = gone.first;
	if ((gone.by & ~HEARSAY) != 0) {
		if (!is_shown || gone.last > ra->last)
			ra->last = gone.last;
		if (!is_shown || gone.state == RECORD_SEEN)
			ra->state = gone.state;
	}
	ra->by |= gone.by;
	ra->confirmed |= gone.confirmed;
	if (gone.many && (!ra->many || gone.many_at > ra->many_at))
		ra->many_at = gone.many_at;
	ra->many |= gone.many;
	link_rec(d, a);
	while (record_next(&gone, &pos, &it))
		(void)learn(d, a, it.kind, it.by, it.seen, it.data, it.len);
	free(gone.items);
	soil(d, a);
	d->n.merged++;
	return a;
}

/* What a sight says after a look at who may say what. */
struct claim {
	const struct sight *s;
	const uint8_t	   *mac;  /* NULL: none that counts */
	uint8_t		    addr[16];
	bool		    has_addr;
	const char	   *agent, *directory, *uuid, *client, *chassis;
	bool		    shows; /* the device; else what others say of it */
	bool		    confirms;
	bool		    is_near; /* its address is on the link */
	bool		    between; /* an agent, and the MAC is another's */
};

static bool
is_wire(enum sight_by by)
{
	return by == SIGHT_ARP || by == SIGHT_NDP || by == SIGHT_NEIGHBOUR;
}

static struct move *
move_of(struct devices *d, const uint8_t addr[16])
{
	for (size_t i = 0; i < MOVES; i++)
		if (d->moves[i].when != 0 &&
		    memcmp(d->moves[i].addr, addr, 16) == 0)
			return &d->moves[i];
	return NULL;
}

/* Besides this one it has an IPv4 address of the link, and was heard to. */
static bool
has_another(const struct devices *d, const struct claim *c, uint32_t slot,
    uint32_t now)
{
	struct item it;
	size_t	    pos = 0;

	while (record_next(&d->recs[slot], &pos, &it))
		if (it.kind == ITEM_ADDR && memcmp(it.data, mapped, 12) == 0 &&
		    memcmp(it.data, c->addr, 16) != 0 &&
		    now - it.seen <= d->conf.life_time &&
		    d->ops.place(d->ctx, c->s->ifindex, it.data) == PLACE_LINK)
			return true;
	return false;
}

/* Where the kernel sends an agent's frames is what an ARP reply said last, of whom
 * forwards them, maybe. So it does not count if another showed the address within
 * minutes, or of who took it from the agent (known) within a life time. slot: who
 * has that MAC address; either may be NONE. */
static bool
took_address(struct devices *d, const struct claim *c, uint32_t slot,
    uint32_t known, uint32_t now)
{
	uint32_t	   at = holder(d, ITEM_ADDR, c->addr, 16);
	const struct move *m = move_of(d, c->addr);
	struct item	   it;

	if (at != NONE && at != slot)
		return record_has(&d->recs[at], ITEM_MAC) &&
		    record_find(&d->recs[at], ITEM_ADDR, c->addr, 16, &it) &&
		    now - it.seen <= CONFLICT_S;
	return m != NULL && slot != NONE && known != NONE &&
	    m->to == d->recs[slot].id && m->from == d->recs[known].id &&
	    now - m->when <= d->conf.life_time;
}

/* A relay's MAC address is that of many devices, and who has another agent is
 * another, or one such; as is who has an address of its own while the agent's is
 * heard. */
static void
read_agent(struct devices *d, struct claim *c, uint32_t now)
{
	const struct record *r;
	uint32_t	     slot, known;

	c->agent = sight_first(c->s, FACT_AGENT);
	if (c->agent == NULL || c->mac == NULL)
		return;
	slot = holder(d, ITEM_MAC, c->mac, 6);
	known = holder_of_text(d, FACT_AGENT, c->agent);
	if (slot != NONE && slot == known)
		return;
	r = slot != NONE ? &d->recs[slot] : NULL;
	if (r != NULL && (r->many || record_has(r, FACT_ROUTER) ||
		record_has(r, FACT_AGENT)))
		c->mac = NULL; /* another agent */
	else if (c->has_addr && took_address(d, c, slot, known, now)) {
		c->mac = NULL;
		c->between = true;
	} else if (r != NULL && known != NONE && c->has_addr &&
	    now - merge_heard(&d->recs[known], r) <= d->conf.life_time &&
	    has_another(d, c, slot, now))
		c->mac = NULL;
}

/* Whether it is worth a record. */
static bool
claim_read(struct devices *d, const struct sight *s, uint32_t now,
    struct claim *c)
{
	enum place where = PLACE_LINK;

	*c = (struct claim){ .s = s };
	if (merge_mac_is_own(s->mac))
		c->mac = s->mac;
	if (is_host(s->addr)) {
		memcpy(c->addr, s->addr, 16);
		devices_scope(s->ifindex, c->addr);
		where = d->ops.place(d->ctx, s->ifindex, s->addr);
		/* the wire's own protocols are not routed */
		if (is_wire(s->by) || s->by == SIGHT_DHCP ||
		    s->by == SIGHT_DHCP6 || s->by == SIGHT_OWN)
			where = PLACE_LINK;
		c->has_addr = where != PLACE_NOWHERE;
		c->is_near = where == PLACE_LINK;
	}
	if (where != PLACE_LINK && s->by != SIGHT_LDAP)
		c->mac = NULL; /* a router's */
	if (where == PLACE_NOWHERE && s->by != SIGHT_AGENT &&
	    s->by != SIGHT_LDAP)
		return false;
	if (s->by == SIGHT_NETBIOS) /* a node status names whichever it likes */
		c->mac = NULL;
	if (s->by == SIGHT_AGENT)
		read_agent(d, c, now);
	if (s->by == SIGHT_LDAP) {
		c->directory = sight_first(s, FACT_DIRECTORY_ID);
		c->uuid = sight_first(s, FACT_DIRECTORY_UUID);
	}
	if (s->by == SIGHT_DHCP || s->by == SIGHT_DHCP6)
		c->client = sight_first(s, FACT_CLIENT_ID);
	if (s->by == SIGHT_LLDP || s->by == SIGHT_CDP)
		c->chassis = sight_first(s, FACT_SWITCH);
	c->shows = s->by != SIGHT_DNS && s->by != SIGHT_LDAP && !s->hearsay;
	/* who answers a search for UPnP proves nothing */
	c->confirms = (s->asked && c->shows && s->by != SIGHT_SSDP) ||
	    s->by == SIGHT_AGENT || s->by == SIGHT_LDAP || s->by == SIGHT_OWN;
	return c->mac != NULL || c->has_addr || c->agent != NULL ||
	    c->directory != NULL;
}

static bool
is_of_directory(uint8_t kind)
{
	return kind == FACT_DIRECTORY_ID || kind == FACT_DIRECTORY_UUID;
}

/* A record made of the sight alone, for the rules; items are the caller's. */
static void
claim_record(const struct claim *c, uint32_t now, struct record *r)
{
	enum record_change change;
	struct item_copy   out;
	const struct sight *s = c->s;

	*r = (struct record){ .state = RECORD_SEEN, .last = now };
	if (c->mac != NULL)
		(void)record_put(r, ITEM_MAC, (uint8_t)s->by, now, c->mac, 6,
		    &change, &out);
	if (c->has_addr)
		(void)record_put(r, ITEM_ADDR, (uint8_t)s->by, now, c->addr, 16,
		    &change, &out);
	for (unsigned i = 0; i < s->nfacts; i++)
		if (s->fact[i].kind == FACT_NAME ||
		    (s->fact[i].kind == FACT_AGENT && c->agent != NULL) ||
		    (is_of_directory(s->fact[i].kind) && c->directory != NULL))
			(void)record_put(r, s->fact[i].kind, (uint8_t)s->by, now,
			    sight_fact(s, i), strlen(sight_fact(s, i)), &change,
			    &out);
}

struct candidate {
	enum merge_key by;
	uint32_t       slot;
};

/* The only one whose address has that name by DNS. */
static uint32_t
holder_by_dns(const struct devices *d, const char *name)
{
	size_t	    len = strlen(name), pos = SIZE_MAX;
	uint32_t    hash = hash_of(d, FACT_NAME, name, len), slot, found = NONE;
	struct item it;

	while ((slot = index_next(&d->index, hash, &pos)) != NONE)
		if (record_find(&d->recs[slot], FACT_NAME, name, len, &it) &&
		    it.by == SIGHT_DNS) {
			if (found != NONE)
				return NONE;
			found = slot;
		}
	return found;
}

/* A computer of the directory is who has its whole name by DNS: what a machine says
 * that it is called, by mDNS or to a DHCP server, any other can say, too. */
static uint32_t
holder_of_name(const struct devices *d, const struct claim *c)
{
	const struct sight *s = c->s;
	uint32_t	    slot = NONE;

	if (c->directory == NULL)
		return NONE;
	for (unsigned i = 0; slot == NONE && i < s->nfacts; i++)
		if (s->fact[i].kind == FACT_NAME &&
		    strchr(sight_fact(s, i), '.') != NULL)
			slot = holder_by_dns(d, sight_fact(s, i));
	return slot;
}

/* Nothing is known of it but an address, and what others say of that. */
static bool
is_bare(const struct record *r)
{
	struct item it;
	size_t	    pos = 0;

	while (record_next(r, &pos, &it))
		if (it.kind != ITEM_ADDR && it.by != SIGHT_DNS)
			return false;
	return true;
}

/* The rules of docs/design.md, "One record for one machine", from the top. */
static uint32_t
find(struct devices *d, const struct claim *c, uint32_t now)
{
	static const char *const names[] = { "agent", "MAC address", "client id",
		"chassis", "directory", "address", "name" };
	const struct candidate all[] = {
		{ MERGE_AGENT, holder_of_text(d, FACT_AGENT, c->agent) },
		{ MERGE_DIRECTORY, holder_of_text(d, FACT_DIRECTORY_UUID, c->uuid) },
		{ MERGE_DIRECTORY,
		    holder_of_text(d, FACT_DIRECTORY_ID, c->directory) },
		{ MERGE_MAC, c->mac != NULL ? holder(d, ITEM_MAC, c->mac, 6)
					    : NONE },
		{ MERGE_MAC, c->s->by == SIGHT_OWN ? d->own : NONE },
		{ MERGE_CLIENT_ID, holder_of_text(d, FACT_CLIENT_ID, c->client) },
		{ MERGE_CHASSIS, holder_of_text(d, FACT_SWITCH, c->chassis) },
		{ MERGE_ADDRESS, c->has_addr ? holder(d, ITEM_ADDR, c->addr, 16)
					     : NONE },
		{ MERGE_NAME, holder_of_name(d, c) },
	};
	const uint32_t silent = now > d->conf.life_time
	    ? now - d->conf.life_time : 0;
	struct record  mine;
	uint32_t       slot = NONE;

	claim_record(c, now, &mine);
	for (size_t i = 0; i < COUNT(all); i++) {
		const struct record *r = all[i].slot != NONE
		    ? &d->recs[all[i].slot] : NULL;
		enum merge_key by = all[i].by;

		if (r == NULL || all[i].slot == slot || r->state == RECORD_FREE)
			continue; /* it was united just now */
		/* a known agent takes an address, and nobody who had it */
		if (by == MERGE_ADDRESS && slot != NONE && c->agent != NULL &&
		    !is_bare(r))
			continue;
		if (merge_verdict(&mine, r, by, silent) != NULL || (slot != NONE &&
			merge_verdict(&d->recs[slot], r, by, silent) != NULL))
			continue;
		if (slot == NONE)
			slot = all[i].slot;
		else
			slot = unite(d, slot, all[i].slot, names[all[i].by]);
	}
	record_fini(&mine);
	return slot;
}

/* -- addresses that two have -- */

static struct move *
move_new(struct devices *d, const uint8_t addr[16])
{
	struct move *m = &d->moves[d->next_move++ % MOVES];

	*m = (struct move){ 0 };
	memcpy(m->addr, addr, 16);
	return m;
}

static void
in_conflict(struct devices *d, struct move *m, const struct record *r,
    const struct record *other, uint32_t now)
{
	char text[INET6_ADDRSTRLEN];

	m->conflict = now;
	d->n.conflicts++;
	if (m->told != 0 && now - m->told < TOLD_S)
		return;
	addr_text(m->addr, text);
	if (tell(d, ADDRESS_CONFLICT, r, other, text))
		m->told = now;
}

/* Who answers a poll for many is told of as such, and not for each of them. What it
 * claims otherwise is as everybody's: nobody claims many to be left in peace. */
static bool
is_rival(const struct record *r, const struct claim *c, uint32_t now)
{
	return record_has(r, ITEM_MAC) &&
	    !(r->many && c->s->asked && now - r->many_at <= CROWD_S);
}

/* The address goes from who had it to another; refused: would, but for the limit
 * of what is believed of that one. */
static void
moved(struct devices *d, const struct claim *c, uint32_t from, uint32_t to,
    const struct item *was, bool refused, uint32_t now)
{
	const struct record *a = &d->recs[from], *b = &d->recs[to];
	struct move	    *m = move_of(d, c->addr);
	bool		     conflict;

	if (c->s->by == SIGHT_OWN) { /* see is_kept_by_us() */
		if (m == NULL)
			m = move_new(d, c->addr);
		m->from = a->id;
		m->to = b->id;
		m->when = now;
		return;
	}
	if (!is_wire(c->s->by) ||
	    (!is_wire(was->by) && was->by != SIGHT_AGENT) ||
	    !is_rival(a, c, now) || !is_rival(b, c, now))
		return;
	conflict = (c->s->asked && now - was->seen <= AT_ONCE_S) ||
	    (refused && now - was->seen <= CONFLICT_S) ||
	    (m != NULL && m->from == b->id && m->to == a->id &&
		now - m->when <= CONFLICT_S);
	if (refused && !conflict)
		return;
	if (m == NULL)
		m = move_new(d, c->addr);
	m->from = a->id;
	m->to = b->id;
	m->when = now;
	if (conflict)
		in_conflict(d, m, b, a, now);
}

/* Another MAC address shows an address that we have, as the kernel says: we keep it,
 * and it is a conflict if it is another machine's. What that one said before we took the address from it may come just after. */
static bool
is_kept_by_us(struct devices *d, const struct claim *c, uint32_t own,
    uint32_t other, uint32_t now)
{
	struct move *m;
	bool	     is_other;

	if (own != d->own || c->mac == NULL || !is_wire(c->s->by) ||
	    d->ops.is_ours == NULL ||
	    !d->ops.is_ours(d->ctx, c->s->ifindex, c->s->addr, c->mac,
		&is_other))
		return false;
	if (!is_other || !is_rival(&d->recs[other], c, now))
		return true;
	if ((m = move_of(d, c->addr)) == NULL)
		m = move_new(d, c->addr);
	if (m->when != 0 && m->to == d->recs[own].id &&
	    now - m->when <= AT_ONCE_S)
		return true;
	m->from = d->recs[own].id;
	m->to = d->recs[other].id;
	m->when = now;
	in_conflict(d, m, &d->recs[other], &d->recs[own], now);
	return true;
}

/* By a MAC address that machines share somebody claims the address of who has one of
 * its own: it does not count as his, nor does the address move while he is heard.
 * That it does in the end is a router that became a virtual one. */
static bool
shared_claims(struct devices *d, const struct claim *c, uint32_t now)
{
	static const uint8_t none[6];
	uint32_t	     slot;
	struct move	    *m;
	struct item	     it;

	if (c->mac != NULL || !c->has_addr || !is_wire(c->s->by) ||
	    memcmp(c->s->mac, none, 6) == 0 ||
	    (slot = holder(d, ITEM_ADDR, c->addr, 16)) == NONE ||
	    !record_has(&d->recs[slot], ITEM_MAC) ||
	    !record_find(&d->recs[slot], ITEM_ADDR, c->addr, 16, &it))
		return false;
	if (now - it.seen > CONFLICT_S) {
		take_away(d, slot, ITEM_ADDR, c->addr, 16);
		return false;
	}
	if ((m = move_of(d, c->addr)) == NULL)
		m = move_new(d, c->addr);
	if ((c->s->asked && now - it.seen <= AT_ONCE_S) ||
	    (m->when != 0 && m->to == 0 && m->from == d->recs[slot].id &&
		now - m->when <= CONFLICT_S && it.seen > m->when))
		in_conflict(d, m, &d->recs[slot], NULL, now);
	m->from = d->recs[slot].id;
	m->to = 0; /* no device's */
	m->when = now;
	return true;
}

/* The kernel sends what goes to an agent to another machine than its own. */
static void
got_between(struct devices *d, const struct claim *c, uint32_t slot, uint32_t now)
{
	struct move *m = move_of(d, c->addr);
	uint32_t     other;

	if (!c->between)
		return;
	if (m == NULL)
		m = move_new(d, c->addr);
	other = holder(d, ITEM_MAC, c->s->mac, 6);
	if (other == NONE)
		other = holder(d, ITEM_ADDR, c->addr, 16);
	in_conflict(d, m, &d->recs[slot],
	    other != NONE && other != slot ? &d->recs[other] : NULL, now);
}

/* RFC 5227 and 4862: somebody probes for an address that another has. */
static void
probed(struct devices *d, const struct sight *s, uint32_t now)
{
	const char	*text = sight_first(s, FACT_CONFLICT);
	struct probe_of *p;
	uint8_t		 addr[16];

	if (text == NULL || addr_parse(text, addr) < 0 || !is_host(addr))
		return;
	devices_scope(s->ifindex, addr);
	p = &d->probes[d->next_probe++ % PROBES];
	memcpy(p->addr, addr, 16);
	memcpy(p->mac, s->mac, 6);
	p->when = now;
}

static bool
duplicate_is_told(const struct devices *d, const struct probe_of *p, uint32_t now)
{
	for (size_t i = 0; i < DUPLICATES; i++) {
		const struct probe_of *t = &d->duplicates[i];

		if (t->when != 0 && now - t->when < TOLD_S &&
		    memcmp(t->mac, p->mac, 6) == 0 &&
		    memcmp(t->addr, p->addr, 16) == 0)
			return true;
	}
	return false;
}

/* Who holds the address says so just after another has probed for it. */
static void
defended(struct devices *d, const struct claim *c, uint32_t slot, uint32_t now)
{
	char text[INET6_ADDRSTRLEN];

	if (c->mac == NULL || !c->has_addr ||
	    (c->s->by != SIGHT_ARP && c->s->by != SIGHT_NDP))
		return;
	for (size_t i = 0; i < PROBES; i++) {
		struct probe_of *p = &d->probes[i];
		uint32_t	 other;

		if (p->when == 0 || now - p->when > DEFEND_S ||
		    memcmp(p->addr, c->addr, 16) != 0)
			continue;
		if (memcmp(p->mac, c->mac, 6) == 0)
			continue; /* it took what was free */
		p->when = 0;
		other = holder(d, ITEM_MAC, p->mac, 6);
		if (other == slot)
			continue;
		if (duplicate_is_told(d, p, now))
			continue;
		addr_text(c->addr, text);
		if (tell(d, DUPLICATE_ADDRESS, &d->recs[slot],
			other != NONE ? &d->recs[other] : NULL, text)) {
			d->duplicates[d->next_duplicate] = *p;
			d->duplicates[d->next_duplicate].when = now;
			d->next_duplicate = (d->next_duplicate + 1) % DUPLICATES;
		}
	}
}

/* -- identities that two have -- */

static bool
twice_is_told(const struct devices *d, uint32_t hash, uint32_t now)
{
	for (size_t i = 0; i < TWICE; i++)
		if (d->twice[i].told != 0 && d->twice[i].hash == hash &&
		    now - d->twice[i].told <= d->conf.keep_time)
			return true; /* a laptop in its dock says it all day */
	return false;
}

/* The rules kept it from whom the identity is that it says, and both are there: a
 * copy of a disk image, a second interface, or somebody who hides. */
static void
claimed_twice(struct devices *d, uint32_t slot, uint8_t kind, const char *text,
    uint32_t now)
{
	uint32_t	     other = holder_of_text(d, kind, text), heard, hash;
	const struct record *r;

	if (other == NONE || other == slot)
		return;
	r = &d->recs[other];
	heard = record_has(r, ITEM_MAC) ? merge_heard(r, &d->recs[slot]) : r->last;
	hash = hash_of(d, kind, text, strlen(text));
	if (now - heard <= CONFLICT_S && !twice_is_told(d, hash, now) &&
	    tell(d, IDENTITY_TWICE, &d->recs[slot], r, text))
		d->twice[d->next_twice++ % TWICE] = (struct twice){ hash, now };
}

/* -- DHCP servers -- */

static bool
is_listed_server(const struct devices *d, const uint8_t addr[16])
{
	char	word[64];
	uint8_t a[16];
	size_t	n;

	for (const char *p = d->conf.dhcp_servers; *p != '\0'; p += n) {
		p += strspn(p, " ");
		n = strcspn(p, " ");
		if (n == 0 || n >= sizeof(word))
			continue;
		memcpy(word, p, n);
		word[n] = '\0';
		if (addr_parse(word, a) == 0 && memcmp(a, addr, 16) == 0)
			return true;
	}
	return false;
}

static bool
mac_parse(const char *text, uint8_t out[6])
{
	unsigned m[6];
	int	 n = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &m[0], &m[1], &m[2], &m[3],
		&m[4], &m[5], &n) != 6 || text[n] != '\0')
		return false;
	for (int i = 0; i < 6; i++)
		out[i] = (uint8_t)m[i];
	return true;
}

/* Whose frame an answer of a DHCP server was, if its MAC address says nothing of
 * the server: a relay's, or one that machines share. */
static const uint8_t *
frame_of(const struct sight *s, uint8_t out[6])
{
	static const uint8_t none[6];
	const char	    *text = sight_first(s, FACT_FRAME);

	if (text != NULL)
		return mac_parse(text, out) ? out : NULL;
	return memcmp(s->mac, none, 6) != 0 ? s->mac : NULL;
}

static void
serves_dhcp(struct devices *d, const struct claim *c, uint32_t slot,
    const char *text, uint32_t now)
{
	struct dhcp_answer a = { .mac = c->mac, .ifindex = c->s->ifindex,
		.machine = &d->recs[slot] };
	struct dhcp_server *v;
	char		   shown[INET6_ADDRSTRLEN];
	uint8_t		   frame[6];
	uint32_t	   who = slot;

	if (addr_parse(text, a.addr) < 0)
		return;
	a.frame = frame_of(c->s, frame);
	a.on_link = d->ops.place(d->ctx, a.ifindex, a.addr) == PLACE_LINK;
	if (d->conf.dhcp_servers[0] != '\0')
		a.list = is_listed_server(d, a.addr) ? DHCP_LISTED
						     : DHCP_NOT_LISTED;
	v = servers_heard(&d->servers, &a, now, d->conf.life_time);
	if (v == NULL)
		return;
	addr_text(a.addr, shown);
	if (c->mac == NULL && a.on_link && a.frame != NULL &&
	    (who = holder(d, ITEM_MAC, a.frame, 6)) == NONE)
		who = slot;
	if (tell(d, DHCP_SERVER_UNKNOWN, &d->recs[who], NULL, shown))
		v->told = now;
}

/* -- a sight -- */

static void
claims_many(struct devices *d, uint32_t slot, uint32_t now)
{
	struct record *r = &d->recs[slot];

	r->many_at = now;
	if (r->many)
		return;
	r->many = true;
	soil(d, slot);
	tell(d, DEVICE_CLAIMS_MANY, r, NULL, NULL);
}

/* Against a MAC address that has shown it: many agents behind one address have none
 * of them that address, and in a datagram anybody writes what he likes. */
static bool
keeps_address(const struct devices *d, const struct claim *c,
    const struct item *was, uint32_t now)
{
	return c->mac == NULL || (!is_wire(c->s->by) &&
	    c->s->by != SIGHT_OWN && now - was->seen <= d->conf.life_time);
}

static void
learn_address(struct devices *d, const struct claim *c, uint32_t slot,
    uint32_t now)
{
	uint32_t    was = holder(d, ITEM_ADDR, c->addr, 16);
	struct item it;
	int	    r;

	if (was != NONE && was != slot && is_kept_by_us(d, c, was, slot, now))
		return;
	if (was != NONE && was != slot && record_has(&d->recs[was], ITEM_MAC) &&
	    record_find(&d->recs[was], ITEM_ADDR, c->addr, 16, &it) &&
	    keeps_address(d, c, &it, now))
		return;
	r = learn(d, slot, ITEM_ADDR, (uint8_t)c->s->by, now, c->addr, 16);
	if (r == -EAGAIN)
		claims_many(d, slot, now);
	if ((r < 0 && r != -EAGAIN) || was == NONE || was == slot)
		return;
	if (record_find(&d->recs[was], ITEM_ADDR, c->addr, 16, &it))
		moved(d, c, was, slot, &it, r < 0, now);
	if (r == 0)
		take_away(d, was, ITEM_ADDR, c->addr, 16);
}

/* Of several that a record has: on which of them the agent is. */
static void
learn_agent_mac(struct devices *d, const struct claim *c, uint32_t slot,
    uint32_t now)
{
	const uint8_t *m = c->mac;
	char	       text[18];

	if (c->agent == NULL || m == NULL)
		return;
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
	    m[2], m[3], m[4], m[5]);
	(void)learn(d, slot, FACT_AGENT_MAC, SIGHT_AGENT, now, text, 17);
}

static void
learn_facts(struct devices *d, const struct claim *c, uint32_t slot,
    uint32_t now)
{
	const struct sight *s = c->s;
	uint8_t		    addr[16];

	for (unsigned i = 0; i < s->nfacts; i++) {
		const char *text = sight_fact(s, i);
		uint8_t	    kind = s->fact[i].kind;
		uint32_t    has;

		if (kind == FACT_CONFLICT || kind == FACT_FRAME ||
		    kind == FACT_AGENT_MAC ||
		    (kind == FACT_AGENT && c->agent == NULL) ||
		    (is_of_directory(kind) && c->directory == NULL))
			continue;
		if (kind == FACT_GONE) { /* by the frames of its machine */
			if (s->by == SIGHT_MDNS && c->mac != NULL &&
			    record_find(&d->recs[slot], FACT_SERVICE, text,
				strlen(text), NULL))
				take_away(d, slot, FACT_SERVICE, text,
				    strlen(text));
			continue;
		}
		if (kind == FACT_ADDRESS) {
			if (addr_parse(text, addr) < 0 || !is_host(addr))
				continue;
			devices_scope(s->ifindex, addr);
			has = holder(d, ITEM_ADDR, addr, 16);
			/* nobody is believed that he is behind a router */
			if ((has == NONE || has == slot) &&
			    d->ops.place(d->ctx, s->ifindex, addr) ==
				PLACE_LINK &&
			    learn(d, slot, ITEM_ADDR, (uint8_t)s->by, now, addr,
				16) == -EAGAIN)
				claims_many(d, slot, now);
			continue;
		}
		/* an identity that another one keeps is not given twice */
		if (kind != FACT_NAME && is_key(kind) &&
		    (has = holder(d, kind, text, strlen(text))) != NONE &&
		    has != slot)
			continue;
		(void)learn(d, slot, kind, (uint8_t)s->by, now, text,
		    strlen(text));
		if (kind == FACT_DIRECTORY_ID && c->uuid != NULL)
			drop_said_before(d, slot, kind, now);
		if (kind == FACT_DHCP_SERVER)
			serves_dhcp(d, c, slot, text, now);
	}
}

/* How long it counts after it was said last. */
static uint64_t
lasts(const struct devices *d, const struct item *it)
{
	const uint64_t life = d->conf.life_time, all = life + d->conf.keep_time;

	switch (it->kind) {
	case ITEM_ADDR:
		return life;
	case ITEM_MAC:
	case FACT_CLIENT_ID:
	case FACT_SWITCH:
	case FACT_DIRECTORY_ID:
	case FACT_DIRECTORY_UUID:
		return all; /* what it is known by, for as long as it is kept */
	case FACT_AGENT:
		return AGENT_LIVES * life;
	case FACT_DHCP_SERVER:
		return d->conf.said_time;
	default: /* a lease is asked for aloud at the start alone */
		return it->by == SIGHT_DHCP || it->by == SIGHT_DHCP6 ||
			it->by == SIGHT_LDAP ? all
		    : it->by == SIGHT_AGENT  ? AGENT_LIVES * life
					     : d->conf.said_time;
	}
}

/* What it was not heard to have, or to be, for so long is not so any more. While we
 * were away nobody was asked. */
static void
expire(struct devices *d, uint32_t slot, uint32_t now)
{
	bool		 was_away = now - d->began < d->conf.life_time;
	struct item	 it;
	struct item_copy old;
	size_t		 pos = 0;

	while (record_next(&d->recs[slot], &pos, &it))
		if (it.seen + lasts(d, &it) < now &&
		    (it.kind == ITEM_ADDR || !was_away)) {
			old.len = it.len;
			memcpy(old.data, it.data, it.len);
			take_away(d, slot, it.kind, old.data, old.len);
			pos = 0;
		}
}

static void
mark(struct devices *d, uint32_t slot, const struct claim *c)
{
	struct record *r = &d->recs[slot], then = *r;

	then.by |= 1U << c->s->by;
	then.confirmed |= c->confirms;
	if (list_of(&then) == list_of(r) && then.confirmed == r->confirmed) {
		r->by = then.by;
		return;
	}
	unlink_rec(d, slot);
	r->by = then.by;
	r->confirmed = then.confirmed;
	link_rec(d, slot);
}

static void
touch(struct devices *d, const struct claim *c, uint32_t slot, uint32_t now)
{
	struct record *r = &d->recs[slot];
	bool	       shows = c->shows || (r->by & ~HEARSAY) == 0;
	bool	       back = shows && r->state == RECORD_ABSENT;

	if ((r->by & 1U << c->s->by) == 0 || back ||
	    (c->confirms && !r->confirmed))
		soil(d, slot);
	mark(d, slot, c);
	if (!shows)
		return; /* a name outlives who had it */
	expire(d, slot, now);
	unlink_rec(d, slot);
	r->last = now;
	if (c->s->by == SIGHT_OWN)
		d->own = slot;
	r->many = r->many && now - r->many_at <= d->conf.life_time;
	r->state = RECORD_SEEN;
	link_rec(d, slot);
	if (back)
		tell(d, DEVICE_BACK, r, NULL, NULL);
}

/* What a third one says of who has an address (a reflector of mDNS, a proxy, or
 * anybody): texts of a device that is known, and a name only if it has none. */
static const struct record *
told_of(struct devices *d, const struct claim *c, uint32_t now)
{
	const struct sight *s = c->s;
	uint32_t slot = c->has_addr ? holder(d, ITEM_ADDR, c->addr, 16) : NONE;
	bool	 is_nameless;

	if (slot == NONE)
		return NULL;
	is_nameless = !record_has(&d->recs[slot], FACT_NAME);
	for (unsigned i = 0; i < s->nfacts; i++) {
		const char *text = sight_fact(s, i);
		uint8_t	    kind = s->fact[i].kind;

		if ((kind == FACT_NAME && is_nameless) || kind == FACT_SERVICE ||
		    kind == FACT_MODEL || kind == FACT_OS)
			(void)learn(d, slot, kind, (uint8_t)s->by, now, text,
			    strlen(text));
	}
	return &d->recs[slot];
}

/* For whom a new record makes room. A router that answers for all behind it is no
 * crowd. */
static enum list
rank_of(const struct claim *c)
{
	if (!c->confirms || (c->mac == NULL && c->s->by == SIGHT_ECHO))
		return LIST_HEARD;
	return (1U << c->s->by & SURE) != 0 ? LIST_VOUCHED : LIST_CONFIRMED;
}

/* On a link a question to a group is everybody's to answer from any address that he
 * makes up: who has no MAC address was not shown to be there. */
static void
doubt(const struct devices *d, struct claim *c, uint32_t slot)
{
	if (c->is_near && c->mac == NULL && !is_wire(c->s->by) &&
	    (1U << c->s->by & SURE) == 0 && c->s->by != SIGHT_LDAP &&
	    (slot == NONE || !record_has(&d->recs[slot], ITEM_MAC)))
		c->confirms = false;
}

const struct record *
devices_see(struct devices *d, const struct sight *s, uint32_t now)
{
	struct claim c;
	uint32_t     slot, other;
	bool	     is_new = false;

	d->n.sights++;
	if (are_too_long(d)) /* they have grown */
		(void)make_room(d, LIST_VOUCHED, now);
	probed(d, s, now);
	if (!claim_read(d, s, now, &c)) {
		d->n.dropped_foreign++;
		return NULL;
	}
	if (s->hearsay)
		return told_of(d, &c, now);
	if (shared_claims(d, &c, now))
		return NULL;
	slot = find(d, &c, now);
	doubt(d, &c, slot);
	if (slot == NONE) {
		if (s->by == SIGHT_DNS)
			return NULL; /* of one that is gone meanwhile */
		if (!make_room(d, rank_of(&c), now) ||
		    (slot = slot_new(d)) == NONE)
			return NULL;
		d->recs[slot].id = d->next_id++;
		d->recs[slot].first = d->recs[slot].last = now;
		d->recs[slot].state = RECORD_SEEN;
		link_rec(d, slot);
		soil(d, slot);
		is_new = true;
	}
	/* of whom the rules keep apart no two have one */
	if (c.mac != NULL && ((other = holder(d, ITEM_MAC, c.mac, 6)) == NONE ||
		other == slot))
		(void)learn(d, slot, ITEM_MAC, (uint8_t)s->by, now, c.mac, 6);
	defended(d, &c, slot, now);
	got_between(d, &c, slot, now);
	if (c.has_addr && (c.shows || is_new))
		learn_address(d, &c, slot, now);
	learn_facts(d, &c, slot, now);
	learn_agent_mac(d, &c, slot, now);
	touch(d, &c, slot, now);
	if (is_new)
		tell(d, DEVICE_NEW, &d->recs[slot], NULL, NULL);
	claimed_twice(d, slot, FACT_CLIENT_ID, c.client, now);
	claimed_twice(d, slot, FACT_SWITCH, c.chassis, now);
	return &d->recs[slot];
}

void
devices_directory_read(struct devices *d, uint32_t since)
{
	for (uint32_t i = 0; i < d->nslots; i++)
		/* who only the directory knows lives by it, and goes with age */
		if (d->recs[i].state != RECORD_FREE &&
		    (d->recs[i].by & ~HEARSAY) != 0) {
			drop_said_before(d, i, FACT_DIRECTORY_ID, since);
			drop_said_before(d, i, FACT_DIRECTORY_UUID, since);
		}
}

void
devices_begin(struct devices *d, uint32_t now)
{
	if (d->next_id < now)
		d->next_id = now;
}

void
devices_age(struct devices *d, uint32_t now)
{
	uint32_t slot;

	if (d->began == 0)
		d->began = now;
	for (int l = LIST_HEARD; l < LIST_ABSENT; l++)
		while ((slot = d->lists[l].head) != NONE &&
		    (uint64_t)d->recs[slot].last + d->conf.life_time < now) {
			unlink_rec(d, slot);
			d->recs[slot].state = RECORD_ABSENT;
			link_rec(d, slot);
			soil(d, slot);
			tell(d, DEVICE_VANISHED, &d->recs[slot], NULL, NULL);
		}
	/* nobody was looked for while we were away: not before all may be back */
	while (now - d->began >= d->conf.life_time &&
	    (slot = d->lists[LIST_ABSENT].head) != NONE &&
	    (uint64_t)d->recs[slot].last + d->conf.life_time +
		    d->conf.keep_time < now)
		slot_free(d, slot);
}

struct leap {
	uint32_t from, to;
	int64_t	 by;
};

static uint32_t
leapt(void *ctx, uint32_t t)
{
	const struct leap *l = ctx;

	return t >= l->from && t <= l->to ? (uint32_t)(t + l->by) : t;
}

void
devices_leap(struct devices *d, uint32_t from, uint32_t to, int64_t by)
{
	struct leap l = { from, to, by };

	for (size_t i = 0; i < d->nslots; i++)
		if (d->recs[i].state != RECORD_FREE)
			record_times(&d->recs[i], leapt, &l);
	for (size_t i = 0; i < MOVES; i++) {
		d->moves[i].when = leapt(&l, d->moves[i].when);
		d->moves[i].conflict = leapt(&l, d->moves[i].conflict);
		d->moves[i].told = leapt(&l, d->moves[i].told);
	}
	for (size_t i = 0; i < TWICE; i++)
		d->twice[i].told = leapt(&l, d->twice[i].told);
	for (size_t i = 0; i < PROBES; i++)
		d->probes[i].when = leapt(&l, d->probes[i].when);
	for (size_t i = 0; i < DUPLICATES; i++)
		d->duplicates[i].when = leapt(&l, d->duplicates[i].when);
	servers_times(&d->servers, leapt, &l);
	d->full_told = leapt(&l, d->full_told);
	d->began = leapt(&l, d->began);
	(void)devices_loaded(d, (uint32_t)(to + by));
	devices_unsaved(d);
}

/* -- what is asked -- */

size_t
devices_slots(const struct devices *d)
{
	return d->nslots;
}

const struct record *
devices_at(const struct devices *d, size_t slot)
{
	return slot < d->nslots && d->recs[slot].state != RECORD_FREE
	    ? &d->recs[slot] : NULL;
}

static uint32_t
by_id(const struct devices *d, const char *text)
{
	char	     *end;
	unsigned long id = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0')
		return NONE;
	for (size_t i = 0; i < d->nslots; i++)
		if (d->recs[i].state != RECORD_FREE && d->recs[i].id == id)
			return (uint32_t)i;
	return NONE;
}

/* Link-local ones are told apart by interface: the first that has it. */
static uint32_t
by_addr(const struct devices *d, const uint8_t addr[16])
{
	uint32_t    slot = holder(d, ITEM_ADDR, addr, 16);
	struct item it;
	uint8_t	    plain[16];

	if (slot != NONE || addr[0] != 0xfe || (addr[1] & 0xc0) != 0x80)
		return slot;
	for (size_t i = 0; i < d->nslots; i++)
		for (size_t pos = 0; record_next(&d->recs[i], &pos, &it);) {
			if (it.kind != ITEM_ADDR)
				continue;
			memcpy(plain, it.data, 16);
			devices_scope(0, plain);
			if (memcmp(plain, addr, 16) == 0)
				return (uint32_t)i;
		}
	return NONE;
}

const struct record *
devices_find(const struct devices *d, const char *text)
{
	uint8_t	 addr[16], mac[6];
	uint32_t slot = by_id(d, text);

	if (slot == NONE && mac_parse(text, mac))
		slot = holder(d, ITEM_MAC, mac, 6);
	if (slot == NONE && addr_parse(text, addr) == 0)
		slot = by_addr(d, addr);
	if (slot == NONE && strlen(text) <= SIGHT_TEXT)
		slot = holder_of_text(d, FACT_NAME, text);
	if (slot == NONE && strlen(text) <= SIGHT_TEXT)
		slot = holder_of_text(d, FACT_AGENT, text);
	return slot != NONE ? &d->recs[slot] : NULL;
}

const struct record *
devices_holder(const struct devices *d, const uint8_t addr[16])
{
	uint32_t slot = holder(d, ITEM_ADDR, addr, 16);

	return slot != NONE ? &d->recs[slot] : NULL;
}

const struct devices_counts *
devices_counts(const struct devices *d)
{
	return &d->n;
}

void
devices_conflicts(const struct devices *d, uint32_t now,
    void (*fn)(void *ctx, const uint8_t addr[16], uint32_t id, uint32_t other),
    void *ctx)
{
	for (size_t i = 0; i < MOVES; i++)
		if (d->moves[i].conflict != 0 &&
		    now - d->moves[i].conflict < TOLD_S)
			fn(ctx, d->moves[i].addr, d->moves[i].to,
			    d->moves[i].from);
}

/* -- kept -- */

size_t
devices_dirty(struct devices *d, size_t from)
{
	for (size_t p = from; p * DEVICES_PAGE < d->nslots; p++) {
		bool yes = d->dirty[p] != 0;

		for (size_t i = p * DEVICES_PAGE; !yes && i < d->nslots &&
		    i < (p + 1) * DEVICES_PAGE; i++)
			yes = d->recs[i].state != RECORD_FREE &&
			    d->recs[i].last >= d->recs[i].saved + DEVICES_LAZY_S;
		if (yes)
			return p;
	}
	return SIZE_MAX;
}

void
devices_save(struct devices *d, size_t page, struct wr *w)
{
	for (size_t i = page * DEVICES_PAGE; i < d->nslots &&
	    i < (page + 1) * DEVICES_PAGE; i++)
		if (d->recs[i].state != RECORD_FREE) {
			record_write(&d->recs[i], w);
			d->recs[i].saved = d->recs[i].last;
		}
	d->dirty[page] = 0;
}

void
devices_unsaved(struct devices *d)
{
	memset(d->dirty, 1, d->room / DEVICES_PAGE + 1);
	d->servers.dirty = d->servers.n > 0;
}

bool
devices_servers_dirty(const struct devices *d)
{
	return d->servers.dirty;
}

void
devices_save_servers(struct devices *d, struct wr *w)
{
	servers_write(&d->servers, w);
}

int
devices_load_servers(struct devices *d, const uint8_t *bytes, size_t len)
{
	return servers_read(&d->servers, bytes, len);
}

static int
load_one(struct devices *d, struct record *r)
{
	struct record *now;
	struct item    it;
	size_t	       pos = 0;
	uint32_t       slot;

	while (record_next(r, &pos, &it))
		if (is_key(it.kind) && it.kind != FACT_NAME &&
		    holder(d, it.kind, it.data, it.len) != NONE)
			return 0; /* of a page that was read twice, or old */
	pos = 0;
	if (d->used >= d->conf.max || (slot = slot_new(d)) == NONE)
		return -ENOSPC;
	now = &d->recs[slot];
	now->id = r->id;
	now->first = r->first;
	now->last = r->last;
	now->by = r->by;
	now->confirmed = r->confirmed;
	now->many = r->many;
	now->many_at = r->last;
	now->state = r->state;
	if ((r->by & 1U << SIGHT_OWN) != 0)
		d->own = slot;
	link_rec(d, slot);
	soil(d, slot); /* another slot, maybe */
	if (r->id >= d->next_id)
		d->next_id = r->id + 1;
	while (record_next(r, &pos, &it))
		(void)learn(d, slot, it.kind, it.by, it.seen, it.data, it.len);
	if (now->len == 0)
		slot_free(d, slot);
	return 0;
}

int
devices_load(struct devices *d, const uint8_t *bytes, size_t len)
{
	struct rd     rd = rd_from(bytes, len);
	struct record r;
	int	      e = 0;

	while (e == 0 && rd.left > 0 && (e = record_read(&rd, &r)) == 0) {
		e = load_one(d, &r);
		record_fini(&r);
	}
	return e;
}

static int
by_last(const void *a, const void *b, void *recs)
{
	const struct record *r = recs;
	uint32_t	     x = r[*(const uint32_t *)a].last,
			     y = r[*(const uint32_t *)b].last;

	return x < y ? -1 : x > y;
}

static uint32_t
not_after(void *ctx, uint32_t t)
{
	const uint32_t *now = ctx;

	return t < *now ? t : *now;
}

int
devices_loaded(struct devices *d, uint32_t now)
{
	uint32_t *slots = calloc(d->used + 1, sizeof(*slots));
	size_t	  n = 0;

	for (size_t i = 0; i < d->nslots; i++) {
		uint32_t first = d->recs[i].first;

		if (d->recs[i].state == RECORD_FREE)
			continue;
		record_times(&d->recs[i], not_after, &now);
		d->recs[i].first = first; /* it may be now that is wrong */
	}
	servers_times(&d->servers, not_after, &now);
	if (slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < d->nslots; i++)
		if (d->recs[i].state != RECORD_FREE)
			slots[n++] = (uint32_t)i;
	qsort_r(slots, n, sizeof(*slots), by_last, d->recs);
	for (size_t i = 0; i < n; i++) {
		unlink_rec(d, slots[i]);
		link_rec(d, slots[i]);
	}
	free(slots);
	return 0;
}

/* -- life -- */

void
devices_configure(struct devices *d, const struct devices_conf *conf)
{
	d->conf = *conf;
}

int
devices_new(const struct devices_conf *conf, const struct devices_ops *ops,
    void *ctx, struct devices **out)
{
	struct devices *d = calloc(1, sizeof(*d));

	*out = NULL;
	if (d == NULL || index_init(&d->index) < 0 || more_slots(d) < 0) {
		devices_free(&d);
		return -ENOMEM;
	}
	d->conf = *conf;
	d->ops = *ops;
	d->ctx = ctx;
	d->next_id = 1;
	d->own = NONE;
	for (int l = 0; l < LISTS; l++)
		d->lists[l].head = d->lists[l].tail = NONE;
	*out = d;
	return 0;
}

void
devices_free(struct devices **dp)
{
	struct devices *d = *dp;

	if (d == NULL)
		return;
	for (size_t i = 0; i < d->nslots; i++)
		record_fini(&d->recs[i]);
	index_fini(&d->index);
	free(d->recs);
	free(d->dirty);
	free(d);
	*dp = NULL;
}
