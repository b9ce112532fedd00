/*
 * dp-scan/admin.c - what administrators ask of the keeper; docs/scan.md describes
 * the rows.
 *
 * Runs in dp-scan. Texts of devices are printable already (common/sight.h); who
 * shows them escapes them for its form.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/size.h"
#include "dp-scan/directory.h"
#include "dp-scan/guess.h"
#include "dp-scan/scan.h"
#include "dp-scan/vendor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLICE	  200 /* rows a turn */
#define SLICE_MS  5
#define QUEUE_MAX 1000 /* rows that wait for who asked */

/* -- one device -- */

static json_t *
text_of(const struct item *it)
{
	json_t *t = json_stringn((const char *)it->data, it->len);

	return t != NULL ? t : json_string("?");
}

static void
mac_text(const uint8_t *m, char out[18])
{
	snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2],
	    m[3], m[4], m[5]);
}

/* In the record's order. */
static json_t *
list_of(const struct record *r, uint8_t kind)
{
	json_t	   *list = json_array();
	struct item it;
	char	    text[18];
	size_t	    pos = 0;

	while (record_next(r, &pos, &it)) {
		if (it.kind != kind)
			continue;
		if (kind == ITEM_MAC)
			mac_text(it.data, text);
		json_array_append_new(list, kind == ITEM_MAC ? json_string(text)
							     : text_of(&it));
	}
	return list;
}

/* The one that was heard last comes first; lasting: in the record's order. */
static json_t *
addresses_of(const struct scan *s, const struct record *r, bool lasting)
{
	json_t	   *list = json_array();
	struct item it, by_age[RECORD_ADDRS];
	char	    text[80];
	size_t	    pos = 0, n = 0, i;

	while (n < RECORD_ADDRS && record_next(r, &pos, &it)) {
		if (it.kind != ITEM_ADDR)
			continue;
		for (i = n++; !lasting && i > 0 && by_age[i - 1].seen < it.seen; i--)
			by_age[i] = by_age[i - 1];
		by_age[i] = it;
	}
	for (i = 0; i < n; i++) {
		scan_addr_text(s, by_age[i].data, text);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

/* The name that people know it by: its own words before others'. */
static unsigned
name_rank(const struct item *it)
{
	static const uint8_t order[] = { SIGHT_AGENT, SIGHT_LDAP, SIGHT_DNS,
		SIGHT_OWN, SIGHT_MDNS, SIGHT_LLDP, SIGHT_SNMP, SIGHT_DHCP,
		SIGHT_DHCP6, SIGHT_LLMNR, SIGHT_NETBIOS };

	for (unsigned i = 0; i < COUNT(order); i++)
		if (order[i] == it->by)
			return i;
	return COUNT(order);
}

static json_t *
best_name(const struct record *r)
{
	struct item it, best = { 0 };
	size_t	    pos = 0;

	while (record_next(r, &pos, &it))
		if (it.kind == FACT_NAME && (best.data == NULL ||
			name_rank(&it) < name_rank(&best) ||
			(name_rank(&it) == name_rank(&best) &&
			    it.seen > best.seen)))
			best = it;
	return best.data != NULL ? text_of(&best) : json_null();
}

static json_t *
found_by(const struct record *r)
{
	json_t *list = json_array();

	for (int i = 1; i < SIGHT_BY_MAX; i++)
		if ((r->by & 1U << i) != 0)
			json_array_append_new(list,
			    json_string(sight_by_name((enum sight_by)i)));
	return list;
}

static const char *
vendor_name(const struct record *r, size_t *len)
{
	struct item it;
	size_t	    pos = 0;
	const char *v;

	while (record_next(r, &pos, &it))
		if (it.kind == ITEM_MAC && (v = vendor_of(it.data, len)) != NULL)
			return v;
	return NULL;
}

static bool
routes_lead_to(const struct scan *s, const struct record *r)
{
	struct item it;
	size_t	    pos = 0;

	while (record_next(r, &pos, &it))
		if (it.kind == ITEM_ADDR && net_is_router(s->net, it.data))
			return true;
	return false;
}

static json_t *
or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static json_t *
or_null_n(const char *text, size_t len)
{
	json_t *t = text != NULL ? json_stringn(text, len) : NULL;

	return t != NULL ? t : json_null(); /* not UTF-8 */
}

static json_t *
newest_of(const struct record *r, uint8_t kind)
{
	struct item it;

	return record_newest(r, kind, &it) ? text_of(&it) : json_null();
}

/* What stands in every list; *g for who wants more. */
static json_t *
short_row(const struct scan *s, const struct record *r, bool lasting,
    struct guess *g)
{
	size_t	    len = 0;
	const char *v = vendor_name(r, &len);
	json_t	   *macs = list_of(r, ITEM_MAC), *row;

	guess(r, v, len, routes_lead_to(s, r), g);
	row = json_pack("{s:I,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:o,s:o}", "id",
	    (json_int_t)r->id, "state",
	    r->state == RECORD_SEEN ? "seen" : "not-seen", "name", best_name(r),
	    "addresses", addresses_of(s, r, lasting), "mac",
	    json_array_size(macs) > 0 ? json_incref(json_array_get(macs, 0))
				      : json_null(),
	    "vendor", or_null_n(v, len),
	    "kind", or_null(g->kind), "os", or_null(g->os), "first_seen",
	    (json_int_t)r->first, "last_seen",
	    lasting ? 0 : (json_int_t)r->last, "found_by",
	    found_by(r), "agent", newest_of(r, FACT_AGENT));
	json_decref(macs);
	return row;
}

static json_t *
evidence_of(const struct guess *g)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->n; i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:i,s:o,s:o}",
		    "what", g->evidence[i].what, "text", g->evidence[i].text,
		    "weight", (int)g->evidence[i].weight, "kind",
		    or_null(g->evidence[i].kind), "os",
		    or_null(g->evidence[i].os)));
	return list;
}

static json_t *
whole_row(const struct scan *s, const struct record *r, bool lasting)
{
	struct guess g;
	json_t	    *row = short_row(s, r, lasting, &g), *facts = json_array();
	struct item  it;
	size_t	     pos = 0;

	while (record_next(r, &pos, &it))
		if (it.kind < FACT_MAX && it.kind != FACT_NAME &&
		    it.kind != FACT_SERVICE)
			json_array_append_new(facts,
			    json_pack("{s:s,s:o,s:s,s:I}", "fact",
				fact_name((enum fact)it.kind), "text",
				text_of(&it), "by",
				lasting ? "" : sight_by_name((enum sight_by)it.by),
				"seen", lasting ? 0 : (json_int_t)it.seen));
	json_object_set_new(row, "macs", list_of(r, ITEM_MAC));
	json_object_set_new(row, "names", list_of(r, FACT_NAME));
	json_object_set_new(row, "services", list_of(r, FACT_SERVICE));
	json_object_set_new(row, "facts", facts);
	json_object_set_new(row, "kind_weight",
	    json_integer((json_int_t)g.kind_weight));
	json_object_set_new(row, "os_weight",
	    json_integer((json_int_t)g.os_weight));
	json_object_set_new(row, "evidence", evidence_of(&g));
	json_object_set_new(row, "answered", json_boolean(r->confirmed));
	json_object_set_new(row, "claims_many", json_boolean(r->many));
	json_object_set_new(row, "seen_by",
	    json_string(s->conf.id[0] != '\0' ? s->conf.id : s->host));
	return row;
}

json_t *
scan_device_row(const struct scan *s, const struct record *r)
{
	return whole_row(s, r, false);
}

json_t *
scan_device_lasting(const struct scan *s, const struct record *r)
{
	return whole_row(s, r, true);
}

/* -- lists: in slices, as the asker reads -- */

struct listing {
	struct scan	   *s;
	struct admin_reply *reply;
	struct loop_timer  *timer;
	size_t		    at;
	uint32_t	    since; /* --new: first seen after that */
	bool		    is_new, without_agent, whole;
};

static bool
is_listed(const struct listing *l, const struct record *r)
{
	return (!l->is_new || r->first >= l->since) &&
	    (!l->without_agent || !record_has(r, FACT_AGENT));
}

static void
on_slice(void *ctx)
{
	struct listing	    *l = ctx;
	struct scan	    *s = l->s;
	const struct record *r;
	struct guess	     g;
	int		     n = 0;

	while (!admin_gone(l->reply) && n < SLICE &&
	    l->at < devices_slots(s->devices) && worker_control(s->w) != NULL &&
	    ipc_queued(worker_control(s->w)) < QUEUE_MAX)
		if ((r = devices_at(s->devices, l->at++)) != NULL &&
		    is_listed(l, r)) {
			admin_row(l->reply, l->whole ? scan_device_row(s, r)
						     : short_row(s, r, false, &g));
			n++;
		}
	if (!admin_gone(l->reply) && l->at < devices_slots(s->devices) &&
	    worker_control(s->w) != NULL) {
		loop_timer_set(l->timer, SLICE_MS);
		return;
	}
	admin_end(l->reply, NULL);
	loop_timer_free(&l->timer);
	free(l);
}

static void
list(struct scan *s, struct admin_reply *reply, int argc, char *argv[],
    bool whole)
{
	struct listing *l = calloc(1, sizeof(*l));

	for (int i = 1; l != NULL && i < argc; i++)
		if (strcmp(argv[i], "--new") == 0)
			l->is_new = true;
		else if (strcmp(argv[i], "--without-agent") == 0)
			l->without_agent = true;
		else {
			free(l);
			admin_end(reply,
			    "expected --new or --without-agent");
			return;
		}
	if (l == NULL || loop_timer_new(s->loop, on_slice, l, &l->timer) < 0) {
		free(l);
		admin_end(reply, "out of memory");
		return;
	}
	l->s = s;
	l->reply = reply;
	l->whole = whole;
	l->since = scan_now(s) - (uint32_t)s->conf.life_time;
	on_slice(l);
}

static void
on_devices(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	list(ctx, reply, argc, argv, false);
}

static void
on_export(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	list(ctx, reply, argc, argv, true);
}

static void
on_show(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct scan	    *s = ctx;
	const struct record *r = devices_find(s->devices, argv[1]);

	(void)argc;
	if (r != NULL)
		admin_row(reply, scan_device_row(s, r));
	admin_end(reply, r != NULL ? NULL
				   : "no such device, or several: expected the "
				     "number, MAC or IP address, or name of one");
}

/* -- status -- */

const char *
scan_family(bool v4)
{
	return v4 ? "IPv4" : "IPv6";
}

json_t *
scan_claimant(const struct tally_of *t)
{
	char text[18];

	mac_text(t->mac, text);
	return t->n > 0 ? json_string(text) : json_null();
}

static void
network_text(const struct scan *s, const struct result *r, char out[100])
{
	char text[80];

	out[0] = '\0';
	if (r->bits == 0)
		return;
	scan_addr_text(s, r->net, text);
	snprintf(out, 100, "%s/%d", text,
	    memcmp(r->net, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0
		? r->bits - 96 : r->bits);
}

static void
on_status(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct scan		    *s = ctx;
	const struct devices_counts *n = devices_counts(s->devices);
	uint64_t		     now = loop_now_ms(s->loop);
	time_t			     wall = time(NULL);
	char			     net[100];

	(void)argc;
	(void)argv;
	admin_row(reply, json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
	    "worker", "scan", "state", !s->going ? "reading"
		: s->nruns > 0			 ? "polling"
						 : "listening",
	    "devices", (json_int_t)n->seen, "not_seen", (json_int_t)n->absent,
	    "answered", (json_int_t)n->confirmed, "sights",
	    (json_int_t)n->sights, "merged", (json_int_t)n->merged, "evicted",
	    (json_int_t)n->evicted, "packets", (json_int_t)s->packets));
	for (size_t i = 0; i < SCHEDULES; i++)
		admin_row(reply, json_pack("{s:s,s:o}", "schedule",
		    s->schedules[i].name, "next_time",
		    s->schedules[i].due_ms == 0 ? json_null()
			: json_integer(wall + ((json_int_t)s->schedules[i].due_ms -
			      (json_int_t)now) / 1000)));
	upward_status(s->upward, reply);
	for (size_t i = 0; i < RESULTS_MAX; i++) {
		const struct result *r = &s->results[i];

		if (r->kind == PROBE_NONE)
			break;
		network_text(s, r, net);
		admin_row(reply,
		    json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:o,s:I,s:I,s:I,s:f,s:I}",
			"poll", probe_kind_name(r->kind), "network", net,
			"interface", r->interface, "family",
			scan_family(r->v4), "result", r->state, "targets",
			(json_int_t)r->targets, "answered",
			(json_int_t)r->answered, "claimant",
			scan_claimant(&r->claimant), "claimed",
			(json_int_t)r->claimant.n, "sent", (json_int_t)r->sent,
			"failed", (json_int_t)r->failed, "seconds",
			(double)r->took_ms / 1000, "last_time",
			(json_int_t)r->when));
	}
	for (size_t i = 0; i < net_nlinks(s->net); i++) {
		const struct net_link *l = net_link_at(s->net, i);

		admin_row(reply, json_pack("{s:s,s:b,s:b}", "interface", l->name,
		    "up", l->up, "used", l->ethernet && scan_uses(s, l)));
	}
	for (int p = PROTOCOL_NONE + 1; p < PROTOCOLS; p++)
		if (s->malformed[p] > 0)
			admin_row(reply, json_pack("{s:s,s:I}", "malformed",
			    protocol_name((enum protocol)p), "packets",
			    (json_int_t)s->malformed[p]));
	admin_end(reply, NULL);
}

/* -- ordering a reading of the directory -- */

#define READING_MS 200 /* between two looks; a row each second */

struct reading {
	struct scan	   *s;
	struct admin_reply *reply;
	struct loop_timer  *timer;
	uint32_t	    said; /* what dp-ldap had said before it was told */
	unsigned	    looks;
};

static void
reading_row(struct admin_reply *reply, const struct scan_directory_state *d,
    const char *state)
{
	admin_row(reply, json_pack("{s:s,s:s,s:s,s:I,s:I,s:s}", "kind", "ldap",
	    "network", d->server, "state", state, "answered",
	    (json_int_t)d->computers, "left_out", (json_int_t)d->left_out, "reason",
	    d->text));
}

static void
on_look(void *ctx)
{
	struct reading			  *g = ctx;
	const struct scan_directory_state *d = scan_directory_state(
	    g->s->directory);
	bool is_over = d->said != g->said && d->state != DIRECTORY_READING;

	if (d->there && !is_over && !admin_gone(g->reply)) {
		if (++g->looks % 5 == 0)
			reading_row(g->reply, d, "running");
		loop_timer_set(g->timer, READING_MS);
		return;
	}
	if (is_over)
		reading_row(g->reply, d, d->state == DIRECTORY_READ
			? "done" : "failed");
	admin_end(g->reply, !is_over ? "dp-ldap has gone"
	    : d->state == DIRECTORY_READ ? NULL
	    : d->text[0] != '\0'	 ? d->text : "dp-ldap has begun anew");
	loop_timer_free(&g->timer);
	free(g);
}

static void
read_directory(struct scan *s, struct admin_reply *reply)
{
	struct reading *g = calloc(1, sizeof(*g));

	if (g == NULL || loop_timer_new(s->loop, on_look, g, &g->timer) < 0) {
		free(g);
		admin_end(reply, "out of memory");
		return;
	}
	g->s = s;
	g->reply = reply;
	g->said = scan_directory_state(s->directory)->said;
	if (scan_directory_read(s->directory) < 0) {
		loop_timer_free(&g->timer);
		free(g);
		admin_end(reply, "no directory is read: dp-ldap is away, or "
				 "directory.url is empty");
		return;
	}
	loop_timer_set(g->timer, READING_MS);
}

/* -- ordering a poll -- */

static int
net_parse(const char *text, struct run *r)
{
	struct scope one;
	char	     err[SCOPE_ERR];

	if (strchr(text, ' ') != NULL || scope_parse(text, &one, err) < 0 ||
	    one.n != 1)
		return -EINVAL;
	memcpy(r->net, one.range[0].addr, 16);
	r->bits = one.range[0].bits;
	r->has_net = true;
	return 0;
}

static void
on_run(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct scan *s = ctx;
	struct run   r = { .why = "order", .reply = reply };

	if (argc == 2 && strcmp(argv[1], "ldap") == 0) {
		read_directory(s, reply);
		return;
	}
	if (!s->conf.active) {
		admin_end(reply, "scan.active = no: nothing is asked");
		return;
	}
	for (int i = 1; i < argc; i++) {
		const struct run_kind *k = run_kinds;

		while (k->name != NULL && strcmp(k->name, argv[i]) != 0)
			k++;
		if (k->name != NULL)
			r.kinds |= k->kinds;
		else if (strcmp(argv[i], "--large") == 0)
			r.large = true;
		else if (r.has_net || net_parse(argv[i], &r) < 0) {
			admin_end(reply, "expected all, ranges, names, arp, ndp, "
			    "echo, dns, netbios, llmnr, mdns, ssdp or snmp, and one range "
			    "such as 10.1.0.0/22; or ldap alone");
			return;
		}
	}
	if (r.kinds == 0)
		r.kinds = run_kinds[0].kinds;
	switch (runs_add(s, &r)) {
	case 0:
		return; /* run.c ends it */
	case -ERANGE:
		admin_end(reply, "more than 65,536 addresses: --large if that is "
				 "meant");
		return;
	case -E2BIG:
		admin_end(reply, "more than 16,777,216 addresses: never polled "
				 "as one");
		return;
	default:
		admin_end(reply, "enough polls wait already");
	}
}

const struct admin_command scan_commands[] = {
	{ "scan-status", 0, 0, false, on_status, "",
	    "Schedules, the last polls, interfaces, malformed packets." },
	{ "scan-run", 0, 4, true, on_run, "[KIND] [RANGE] [--large]",
	    "Polls now; a row each second." },
	{ "scan-devices", 0, 2, false, on_devices, "[--new] [--without-agent]",
	    "The devices of the network." },
	{ "scan-show", 1, 1, false, on_show, "DEVICE",
	    "All that is known of one." },
	{ "scan-export", 0, 2, false, on_export, "[--new] [--without-agent]",
	    "All that is known of all." },
	{ .name = NULL },
};

/* -- metrics, warnings -- */

void
scan_metrics(void *scan, struct worker *w, struct admin_reply *r)
{
	struct scan		    *s = scan;
	const struct devices_counts *n = devices_counts(s->devices);
	char			     label[32];
	const struct {
		const char *name, *type, *help;
		uint64_t    v;
	} rows[] = {
		{ "dpoint_scan_devices", "gauge", "Devices seen in their life time.",
		    n->seen },
		{ "dpoint_scan_devices_not_seen", "gauge",
		    "Devices known that were silent for longer.", n->absent },
		{ "dpoint_scan_devices_answered", "gauge",
		    "Devices that answered us, or show an agent.", n->confirmed },
		{ "dpoint_scan_sights_foreign_total", "counter",
		    "Those of no device of ours.", n->dropped_foreign },
		{ "dpoint_scan_devices_merged_total", "counter",
		    "Records that turned out to be of one device.", n->merged },
		{ "dpoint_scan_devices_evicted_total", "counter",
		    "Records dropped for others: there were too many.",
		    n->evicted },
		{ "dpoint_scan_devices_refused_total", "counter",
		    "Devices not recorded: there were too many better ones.",
		    n->dropped_full },
		{ "dpoint_scan_conflicts_total", "counter",
		    "Times two devices had one address.", n->conflicts },
		{ "dpoint_scan_packets_total", "counter",
		    "Packets that asked something.", s->packets },
		{ "dpoint_scan_polls_total", "counter", "Polls done.", s->polls },
		{ "dpoint_scan_pages_saved_total", "counter",
		    "Pages of records put into the store.", s->saved },
		{ "dpoint_scan_report_parts_total", "counter",
		    "Parts of reports of devices put into the inbox.",
		    upward_parts(s->upward) },
		{ "dpoint_scan_report_bytes_total", "counter",
		    "Bytes of these parts.", upward_bytes(s->upward) },
	};

	(void)w;
	for (int by = SIGHT_NONE + 1; by < SIGHT_BY_MAX; by++) {
		snprintf(label, sizeof(label), "by=\"%s\"",
		    sight_by_name((enum sight_by)by));
		worker_metric(r, "dpoint_scan_sights_total", "counter",
		    "What was seen of devices, by what.", label,
		    (double)s->sights[by]);
	}
	for (size_t i = 0; i < COUNT(rows); i++)
		worker_metric(r, rows[i].name, rows[i].type, rows[i].help, NULL,
		    (double)rows[i].v);
}

struct warn_conflict {
	struct scan	   *s;
	struct admin_reply *reply;
};

static void
warn_conflict(void *ctx, const uint8_t addr[16], uint32_t id, uint32_t other)
{
	struct warn_conflict *c = ctx;
	char		      text[80];

	scan_addr_text(c->s, addr, text);
	if (id != 0 && other != 0)
		worker_warning(c->reply, "scan: devices %u and %u both have %s",
		    id, other, text);
	else if (id != 0 || other != 0)
		worker_warning(c->reply, "scan: device %u and another machine "
		    "both have %s", id != 0 ? id : other, text);
	else
		worker_warning(c->reply, "scan: two machines have %s", text);
}

static const char *
claims_many(const struct result *e, char out[120])
{
	char mac[18];

	mac_text(e->claimant.mac, mac);
	snprintf(out, 120, "one device, %s, answers for %u of %zu addresses", mac,
	    e->claimant.n, e->targets);
	return out;
}

void
scan_warnings(void *scan, struct admin_reply *r)
{
	struct scan	    *s = scan;
	struct warn_conflict c = { s, r };
	char		     net[100], many[120];

	for (size_t i = 0; i < RESULTS_MAX; i++) {
		const struct result *e = &s->results[i];
		const char	    *why = NULL;

		if (e->kind == PROBE_NONE)
			break;
		if (strcmp(e->state, "silent") == 0)
			why = "nothing answers";
		else if (strcmp(e->state, "too-large") == 0)
			why = e->bits < LIMIT_BITS
			    ? "not polled: more than 16,777,216 addresses"
			    : "not polled: more than 65,536 addresses, see "
			      "scan.large-ranges";
		else if (strcmp(e->state, "all-answer") == 0)
			why = "every address answers, so that this proves nothing";
		else if (strcmp(e->state, "claims-many") == 0)
			why = claims_many(e, many);
		else if (strcmp(e->state, "not-sent") == 0)
			why = "nothing could be sent";
		network_text(s, e, net);
		if (why != NULL)
			worker_warning(r, "scan: %s of %s%s%s: %s",
			    probe_kind_name(e->kind),
			    net[0] != '\0' ? net : "all devices",
			    e->interface[0] != '\0' ? " on " : "", e->interface,
			    why);
	}
	devices_conflicts(s->devices, scan_now(s), warn_conflict, &c);
	if (s->save_failed)
		worker_warning(r, "scan: devices are not kept in the store");
	upward_warnings(s->upward, r);
}
