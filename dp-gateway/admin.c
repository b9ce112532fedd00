/*
 * dp-gateway/admin.c - what an administrator may ask and say, and the metrics.
 *
 * Runs in dp-gateway. Believes control: who asks has been checked. Names that
 * clients sent are letters, digits, "-", "_" and dots (hello.c).
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/gateway.h"

#include "common/identity.h"
#include "common/size.h"
#include "dp-gateway/push.h"
#include "dp-gateway/terminate.h"
#include "dp-gateway/uplink.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_ROWS 512 /* of a turn */
#define LIST_MS	  20  /* control takes them meanwhile */

/* -- gateway-list -- */

struct list {
	struct gateway	   *g;
	struct admin_reply *reply;
	struct loop_timer  *timer;
	uint64_t	    next_id;
	bool		    of_one;
	uint8_t		    addr[16];
};

static bool
parse_address(const char *text, uint8_t addr[16])
{
	struct sockaddr_storage	 ss = { 0 };
	struct sockaddr_in	*v4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6	*v6 = (struct sockaddr_in6 *)&ss;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		ss.ss_family = AF_INET6;
	else
		return false;
	scope_addr(&ss, addr);
	return true;
}

static json_t *
conn_row(struct conn *c)
{
	static const char *const phases[] = { "hello", "handshake", "queued",
		"queued", "queued", "connecting", "connecting", "unanswered",
		"open" };
	struct gateway	    *g = c->g;
	const struct server *s = upstream_find(conn_upstream(c), c->server);
	uint64_t	     now = loop_now_ms(g->loop);
	char		     at[CONN_ADDR], server[URL_HOST_LEN + 8] = "";

	conn_address(c->addr, c->port, at);
	if (s != NULL && c->phase >= P_ASKED)
		snprintf(server, sizeof(server),
		    strchr(s->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
		    s->host, s->port);
	if ((c->origin != NULL || (c->term != NULL && c->kind->is_forward)) &&
	    c->phase >= P_ASKED)
		snprintf(server, sizeof(server), "%s", c->sni);
	return json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I}", "id",
	    (json_int_t)c->id, "kind", c->kind->name, "client", at, "name",
	    c->origin != NULL ? c->origin->device
	    : c->term != NULL && c->term->counted
	    ? tls_peer_name(c->term->ends.of[CLIENT].tls)
	    : c->sni != NULL ? c->sni : "",
	    "server", server, "way",
	    c->phase < P_ASKED ? "" : uplink_at(g->uplinks, c->link), "state",
	    phases[c->phase], "age_s", (json_int_t)((now - c->start_ms) / 1000),
	    "idle_s", (json_int_t)((now - c->since_ms) / 1000), "from_client",
	    (json_int_t)c->relay.bytes[CLIENT], "from_server",
	    (json_int_t)c->relay.bytes[SERVER]);
}

/* In order of age, which is that of the numbers. */
static void
list_turn(void *ctx)
{
	struct list	 *l = ctx;
	struct conn	 *c = l->g->oldest;
	struct push_conn *d = push_from(l->g->push, l->next_id);

	while (c != NULL && c->id < l->next_id)
		c = c->newer;
	for (unsigned rows = 0; (c != NULL || d != NULL) && rows < LIST_ROWS;) {
		bool is_push = d != NULL && (c == NULL || push_id(d) < c->id);
		const uint8_t *addr = is_push ? push_addr(d) : c->addr;

		if (!l->of_one || memcmp(addr, l->addr, 16) == 0) {
			admin_row(l->reply, is_push ? push_row(d) : conn_row(c));
			rows++;
		}
		l->next_id = (is_push ? push_id(d) : c->id) + 1;
		if (is_push)
			d = push_newer(d);
		else
			c = c->newer;
	}
	if ((c != NULL || d != NULL) && !admin_gone(l->reply)) {
		loop_timer_set(l->timer, LIST_MS);
		return;
	}
	admin_end(l->reply, NULL);
	loop_timer_free(&l->timer);
	free(l);
}

static void
cmd_list(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct gateway *g = ctx;
	struct list    *l = calloc(1, sizeof(*l));
	const char     *why = NULL;

	if (l == NULL || loop_timer_new(g->loop, list_turn, l, &l->timer) < 0)
		why = "no memory";
	else if (argc > 1 && !(l->of_one = parse_address(argv[1], l->addr)))
		why = "expected an IPv4 or IPv6 address";
	if (why != NULL) {
		if (l != NULL)
			loop_timer_free(&l->timer);
		free(l);
		admin_end(reply, why);
		return;
	}
	l->g = g;
	l->reply = reply;
	list_turn(l);
}

/* -- the others -- */

static uint64_t
bytes_from(const struct gateway *g, int side)
{
	uint64_t n = g->bytes[side];

	for (const struct conn *c = g->oldest; c != NULL; c = c->newer)
		n += c->relay.bytes[side];
	return n;
}

/* The i-th of all servers, of whatever kind of listener; NULL past the last. With
 * an uplink: as it is known by that one. */
static const struct server *
server_at(const struct gateway *g, size_t i, uint64_t *failures)
{
	const struct upstream *t = &g->terminate.servers;
	bool		       terminated = i >= g->upstream.n;
	const struct server   *own, *by_uplink;

	if (terminated && i - g->upstream.n >= t->n)
		return NULL;
	own = terminated ? &t->of[i - g->upstream.n] : &g->upstream.of[i];
	by_uplink = uplinks_server(g->uplinks, terminated, own->id);
	*failures = own->failures +
	    uplinks_failures(g->uplinks, terminated, own->id);
	return by_uplink != NULL ? by_uplink : own;
}

static void
cmd_stats(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	const struct server *s;
	uint64_t	failures;
	struct gateway *g = ctx;
	json_t	       *refused = json_object(), *ended = json_object();

	(void)argc;
	(void)argv;
	for (int w = 0; w < WHY_KINDS; w++)
		if (g->why[w] > 0)
			json_object_set_new(w <= WHY_REFUSED ? refused : ended,
			    why_word((enum why)w),
			    json_integer((json_int_t)g->why[w]));
	admin_row(reply,
	    json_pack("{s:s,s:i,s:i,s:i,s:i,s:i,s:I,s:I,s:I,s:I,s:o,s:o}",
		"state", g->refusing ? "draining" : "serving",
		"connections", (int)g->n, "push_devices",
		(int)push_devices(g->push), "open", (int)g->list[P_OPEN].n, "queued",
		(int)(g->list[P_LINK].n + g->list[P_QUEUE].n +
		    g->list[P_CROWD].n), "max", (int)g->max, "accepted",
		(json_int_t)g->accepted, "carried", (json_int_t)g->carried,
		"from_clients", (json_int_t)bytes_from(g, CLIENT),
		"from_servers", (json_int_t)bytes_from(g, SERVER), "refused",
		refused, "ended", ended));
	for (size_t i = 0; (s = server_at(g, i, &failures)) != NULL; i++)
		admin_row(reply,
		    json_pack("{s:s,s:i,s:s,s:I,s:s}", "server", s->host,
			"port", (int)s->port, "state",
			server_state_word(s->state), "failures",
			(json_int_t)failures, "why",
			s->state == SERVER_UP ? "" : s->why));
	uplinks_rows(g->uplinks, reply);
	admin_end(reply, NULL);
}

static void
cmd_drain(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct gateway *g = ctx;
	bool		on = argc == 1;

	if (argc == 2 && strcmp(argv[1], "off") != 0) {
		admin_end(reply, "usage: gateway-drain [off]");
		return;
	}
	g->refusing = on || g->draining;
	uplinks_refuse(g->uplinks, g->refusing);
	worker_event(g->w, on ? "gateway-draining" : "gateway-serving", NULL);
	admin_row(reply,
	    json_pack("{s:s,s:i}", "state", on ? "draining" : "serving",
		"connections", (int)g->n));
	admin_end(reply, NULL);
}

static void
cmd_kick(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct gateway *g = ctx;
	char	       *end;
	uint64_t	id = strtoull(argv[1], &end, 10);
	bool		all = strcmp(argv[1], "all") == 0;
	bool		by_id = argv[1][0] >= '0' && argv[1][0] <= '9' &&
	    *end == '\0';
	uint8_t		addr[16];
	int		n = 0;

	(void)argc;
	if (!all && !by_id && !parse_address(argv[1], addr)) {
		admin_end(reply, "expected a connection's number, an address, "
				 "or all");
		return;
	}
	for (struct conn *c = g->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (all || (by_id ? c->id == id
				  : memcmp(c->addr, addr, 16) == 0)) {
			conn_end(c, WHY_KICKED);
			n++;
		}
	}
	uplink_pump(g->uplinks);
	conn_bury(g);
	for (struct push_conn *c = push_from(g->push, 0), *next; c != NULL;
	     c = next) {
		next = push_newer(c);
		if (all || (by_id ? push_id(c) == id
				  : memcmp(push_addr(c), addr, 16) == 0)) {
			push_kick(c);
			n++;
		}
	}
	push_bury(g->push);
	if (n == 0 && !all) {
		admin_end(reply, "no such connection");
		return;
	}
	admin_row(reply, json_pack("{s:i}", "kicked", n));
	admin_end(reply, NULL);
}

static void
on_woken(void *ctx, const struct wake_result *r)
{
	struct admin_reply *reply = ctx;

	admin_row(reply,
	    json_pack("{s:i,s:i,s:i,s:I}", "devices", (int)r->devices, "sent",
		(int)r->sent, "waiting", (int)r->waiting, "took_ms",
		(json_int_t)r->took_ms));
	admin_end(reply, NULL);
}

static void
on_woken_one(void *ctx, const struct wake_result *r)
{
	if (r->devices > 0)
		on_woken(ctx, r);
	else
		admin_end(ctx, "no such device waits here");
}

static void
cmd_wake(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct gateway	 *g = ctx;
	struct wake_order o = { .what = WAKE_REFRESH };
	char		  why[WAKE_WHY] = "expected a number";
	uint64_t	  number;
	int		  r;

	(void)argc;
	if (g->conf.push_listen[0] == '\0')
		admin_end(reply, "gateway.push-listen is not given: nobody waits here");
	else if (wake_to_parse(argv[1], &o, why) < 0 ||
	    wake_what_parse(argv[2], &o, why) < 0 ||
	    push_id_parse(argv[3], strlen(argv[3]), &number) < 0)
		admin_end(reply, why);
	else if ((r = push_wake(g->push, &o, number,
		      o.whom == WAKE_DEVICE ? on_woken_one : on_woken,
		      reply)) < 0)
		admin_end(reply, strerror(-r));
}

const struct admin_command gateway_commands[] = {
	{ "gateway-list", 0, 1, false, cmd_list, "[ADDRESS]",
	    "The connections, oldest first." },
	{ "gateway-stats", 0, 0, false, cmd_stats, "",
	    "Connections, bytes, refusals by reason, the servers." },
	{ "gateway-drain", 0, 1, true, cmd_drain, "[off]",
	    "Take no new connections, of far-side links either; off: take them "
	    "again." },
	{ "gateway-kick", 1, 1, true, cmd_kick, "ID|ADDRESS|all",
	    "End a connection, those of an address, or all." },
	/* control adds what is left out, and the number */
	{ "gateway-wake", 3, 3, true, cmd_wake,
	    "DEVICE|group:NAME|all WHAT NUMBER",
	    "Wake devices on the push channel: refresh, policy, task, report." },
	{ 0 }
};

/* How many were refused or ended, by reason. */
static void
reasons(const struct gateway *g, struct admin_reply *reply)
{
	char label[64];

	for (int k = 0; k < WHY_KINDS; k++) {
		snprintf(label, sizeof(label), "reason=\"%s\"",
		    why_word((enum why)k));
		worker_metric(reply, k <= WHY_REFUSED
			? "dpoint_gateway_refused_total"
			: "dpoint_gateway_ended_total", "counter",
		    k <= WHY_REFUSED ? "Connections refused, by reason."
				     : "Connections that ended, by reason.",
		    label, (double)g->why[k]);
	}
}

/* Samples of the servers, of whatever kind of listener. */
static void
servers(const struct gateway *g, struct admin_reply *reply)
{
	const struct server *s;
	char		     label[URL_HOST_LEN + 64];
	uint64_t	     n;

	for (int failures = 0; failures < 2; failures++)
		for (size_t i = 0; (s = server_at(g, i, &n)) != NULL; i++) {
			snprintf(label, sizeof(label), "server=\"%s:%u\"%s",
			    s->host, s->port, i < g->upstream.n
				? "" : ",kind=\"terminating\"");
			if (failures)
				worker_metric(reply,
				    "dpoint_gateway_server_failures_total",
				    "counter",
				    "Times this address was found to be away.",
				    label, (double)n);
			else
				worker_metric(reply, "dpoint_gateway_server_up",
				    "gauge", "Whether connections go to this "
				    "address of the server.",
				    label, s->state != SERVER_DOWN);
		}
}

static void
handshakes(const struct gateway *g, struct admin_reply *reply)
{
	static const char *const with[SHAKEN_KINDS] = { "with=\"device\"",
		"with=\"server\"", "with=\"uplink\"" };
	const struct handshakes *h = g->shaken;

	for (int i = 0; i < SHAKEN_KINDS; i++)
		worker_metric(reply, "dpoint_gateway_handshake_seconds_sum",
		    "counter", "Time that TLS handshakes took, of a device since its accept.", with[i],
		    (double)h[i].ms / 1000);
	for (int i = 0; i < SHAKEN_KINDS; i++)
		worker_metric(reply, "dpoint_gateway_handshake_seconds_count",
		    "counter", "TLS handshakes completed, by who with.",
		    with[i], (double)h[i].n);
	for (int i = 0; i < SHAKEN_KINDS; i++)
		worker_metric(reply, "dpoint_gateway_handshake_resumed_total",
		    "counter", "Those that resumed a session.", with[i],
		    (double)h[i].resumed);
}

void
gateway_metrics(void *gateway, struct worker *w, struct admin_reply *reply)
{
	struct gateway *g = gateway;
	const struct push_counts *push = push_counts(g->push);
	const struct {
		const char *name, *type, *help, *labels;
		uint64_t    v;
	} rows[] = {
		{ "dpoint_gateway_connections", "gauge",
		    "Connections of devices.", NULL, g->n },
		{ "dpoint_gateway_open_connections", "gauge",
		    "Those that the server has answered.", NULL,
		    g->list[P_OPEN].n },
		{ "dpoint_gateway_queued_connections", "gauge",
		    "Those that wait to be connected.", NULL,
		    g->list[P_LINK].n + g->list[P_QUEUE].n +
			g->list[P_CROWD].n },
		{ "dpoint_gateway_pipes_held", "gauge",
		    "Pipes with bytes on their way.", NULL,
		    pipes_held(g->pipes) },
		{ "dpoint_gateway_accepted_total", "counter",
		    "Connections accepted, refused ones too.", NULL,
		    g->accepted },
		{ "dpoint_gateway_carried_total", "counter",
		    "Connections that were connected to a server.", NULL,
		    g->carried },
		{ "dpoint_gateway_bytes_total", "counter",
		    "Bytes carried, by who sent them.", "from=\"client\"",
		    bytes_from(g, CLIENT) },
		{ "dpoint_gateway_bytes_total", "counter", "",
		    "from=\"server\"", bytes_from(g, SERVER) },
		{ "dpoint_gateway_push_devices", "gauge",
		    "Devices that wait to be woken.", NULL,
		    push_devices(g->push) },
		{ "dpoint_gateway_push_slow_devices", "gauge",
		    "Those that do not take what they were sent.", NULL,
		    push_slow(g->push) },
		{ "dpoint_gateway_push_wakes_total", "counter",
		    "Wakes sent to devices.", NULL, push->wakes },
		{ "dpoint_gateway_push_merged_total", "counter",
		    "Wakes that a later one took the place of.", NULL,
		    push->merged },
		{ "dpoint_gateway_push_comments_total", "counter",
		    "Comments sent to keep connections open.", NULL,
		    push->alive },
		{ "dpoint_gateway_push_replaced_total", "counter",
		    "Devices that came anew before they had left.", NULL,
		    push->replaced },
		{ "dpoint_gateway_push_clones", "gauge",
		    "Certificates that two devices have, and take each other's "
		    "place.", NULL, push_clones(g->push) },
		{ "dpoint_gateway_push_resumed_total", "counter",
		    "Devices that came back and were told what they had missed.",
		    NULL, push->resumed },
		{ "dpoint_gateway_tls_handshakes_total", "counter",
		    "TLS handshakes completed here.", NULL,
		    tls_counts()->handshakes },
		{ "dpoint_gateway_tls_resumed_total", "counter",
		    "Those that resumed a session.", NULL,
		    tls_counts()->resumed },
		{ "dpoint_gateway_tls_revoked_total", "counter",
		    "Those refused for a revoked certificate.", NULL,
		    tls_counts()->revoked },
	};

	(void)w;
	for (size_t i = 0; i < COUNT(rows); i++)
		worker_metric(reply, rows[i].name, rows[i].type, rows[i].help,
		    rows[i].labels, (double)rows[i].v);
	reasons(g, reply);
	servers(g, reply);
	handshakes(g, reply);
	uplinks_metrics(g->uplinks, reply);
	identity_metrics("dpoint_gateway_tls_expires_seconds", g->tls, reply);
}

void
gateway_warnings(void *gateway, struct admin_reply *reply)
{
	const struct gateway *g = gateway;
	const struct server  *s;
	uint64_t	      failures;

	uplinks_warnings(g->uplinks, reply);
	push_warnings(g->push, reply);
	identity_warnings("gateway", g->tls, reply);
	for (size_t i = 0; (s = server_at(g, i, &failures)) != NULL; i++)
		if (s->state == SERVER_DOWN)
			worker_warning(reply,
			    "gateway: server %s port %u is passed over: %s",
			    s->host, s->port, s->why);
	if (g->refusing)
		worker_warning(reply, "gateway: takes no new connections "
				      "(gateway drain)");
}
