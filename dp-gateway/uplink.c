/*
 * dp-gateway/uplink.c - who comes to us, which link a device takes, and time; see
 * uplink.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes of who comes what link.c
 * has found out.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/link_impl.h"

#include "common/identity.h"
#include "common/log.h"
#include "common/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX    1024 /* that others make */
#define COMING_MAX   64	  /* of one address, that are not up */
#define COMING_ALL   128  /* of all; there are descriptors for these, KEPT_FDS */
#define QUEUE_ALL    (256 << 20) /* bytes that wait in all streams of all */
#define SHAKE_MS     10000

const char *
uplink_at(const struct uplinks *u, uint32_t id)
{
	for (const struct link *k = u->first; k != NULL; k = k->next)
		if (k->id == id && !k->ended)
			return k->at;
	return id == 0 ? "direct" : "";
}

void
uplinks_sweep(struct uplinks *u)
{
	struct link **at = &u->first, *k;

	while ((k = *at) != NULL) {
		if (!k->ended) {
			at = &k->next;
			continue;
		}
		*at = k->next;
		free(k);
	}
}

/* -- who comes to us -- */

/*
 * The oldest of those that are not up makes room, so that whoever is silent here
 * keeps nobody out: first among those of the same address, which are COMING_MAX
 * at most, of COMING_ALL.
 */
static void
make_room(struct uplinks *u, const uint8_t addr[16])
{
	struct link *oldest = NULL, *same = NULL;
	unsigned     n = 0, coming = 0;

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (k->ended || !k->accepted || k->up)
			continue;
		oldest = k; /* the newest are first */
		coming++;
		if (memcmp(k->addr, addr, 16) == 0) {
			same = k;
			n++;
		}
	}
	if (n >= COMING_MAX)
		link_end(same, END_CROWD, "");
	else if (oldest != NULL &&
	    (coming >= COMING_ALL || u->naccepted >= LINKS_MAX))
		link_end(oldest, END_CROWD, "");
}

static void
take(struct listener *l, int take_fd, const uint8_t addr[16], uint16_t port,
    bool near)
{
	struct uplinks *u = l->g->uplinks;
	char		at[CONN_ADDR];
	struct link    *k;

	conn_address(addr, port, at);
	make_room(u, addr);
	uplinks_sweep(u);
	if (u->naccepted >= LINKS_MAX) {
		close(take_fd);
		conn_count(l->g, addr, port, NULL, WHY_FULL);
		return;
	}
	if (link_new(u, take_fd, at, near, &k) < 0) {
		conn_count(l->g, addr, port, NULL, WHY_MEMORY);
		return;
	}
	k->accepted = true;
	u->naccepted++;
	memcpy(k->addr, addr, 16);
	k->port = port;
	if (tls_accept(l->g->tls, take_fd, &k->tls) < 0) {
		link_end(k, END_TLS, "no memory");
		return;
	}
	tls_offer_alpn(k->tls, "h2");
}

void
uplink_take(struct listener *l, int take_fd, const uint8_t addr[16],
    uint16_t port)
{
	take(l, take_fd, addr, port, false);
}

void
uplink_take_dmz(struct listener *l, int take_fd, const uint8_t addr[16],
    uint16_t port)
{
	take(l, take_fd, addr, port, true);
}

/* -- devices -- */

static struct link *
link_of(const struct conn *c)
{
	for (struct link *k = c->g->uplinks->first; k != NULL; k = k->next)
		if (k->id == c->link && !k->ended)
			return k;
	return NULL;
}

/* What is known of the server's addresses by way of k. */
static struct upstream *
servers_by(struct link *k, const struct conn *c)
{
	return &k->servers[c->term != NULL];
}

struct upstream *
uplink_servers(const struct conn *c)
{
	struct link *k = link_of(c);

	return k != NULL && k->servers != NULL ? servers_by(k, c) : NULL;
}

static bool
was_tried(const struct conn *c, uint32_t id)
{
	for (size_t i = 0; i < TRIED_MAX; i++)
		if (id != 0 && c->tried[i] == id)
			return true;
	return false;
}

static void
set_tried(struct conn *c, uint32_t id)
{
	size_t i = 0;

	if (was_tried(c, id))
		return;
	while (i < TRIED_MAX && c->tried[i] != 0)
		i++;
	if (i < TRIED_MAX)
		c->tried[i] = id;
}

/* One that goes by k already goes on to the next address there. */
static uint16_t
after(const struct link *k, const struct conn *c)
{
	return k->id == c->link ? c->server : UPSTREAM_NONE;
}

static bool
has_room(const struct link *k)
{
	return k->near && link_is_up(k) && mux_may_open(k->mux) == 0;
}

/*
 * How good k is for c; 0: not at all. Whoever has refused lately has few streams
 * for that, and whoever finds no server there, too: neither is to attract all.
 */
static int
rank(struct link *k, const struct conn *c)
{
	enum upstream_offer offer = OFFER_GOOD;

	if (!has_room(k) || was_tried(c, k->id))
		return 0;
	if (c->origin == NULL)
		offer = upstream_offers(servers_by(k, c), after(k, c));
	return offer == OFFER_NONE ? 0
	    : offer == OFFER_POOR  ? 1
	    : link_has_refused(k) ? 2
	    : k->id != c->link	   ? 3
				   : 4;
}

/* The best of the links, of several the one with the fewest streams. */
static struct link *
choose(struct uplinks *u, const struct conn *c)
{
	struct link	*best = NULL;
	struct mux_stats st, least = { 0 };
	int		 r, best_rank = 0;

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if ((r = rank(k, c)) == 0 || r < best_rank)
			continue;
		mux_stats(k->mux, &st);
		if (r > best_rank || st.streams < least.streams) {
			best = k;
			best_rank = r;
			least = st;
		}
	}
	return best;
}

/* Whether one is on its way, or, where there is nothing else, up and without room
 * for one more. Of one that is down not, nor of whoever came and has not said who
 * it is. */
static bool
is_coming(const struct uplinks *u)
{
	const struct link *up = u->up.link;
	bool		   coming = u->up.redial.n > 0 && !u->up.redial.down &&
	    (up == NULL || !link_is_up(up));

	for (const struct link *k = u->first; k != NULL; k = k->next) {
		if (has_room(k))
			return false; /* but not for this one */
		if (k->near && !k->ended && !k->shaking &&
		    mux_may_open(k->mux) == -EAGAIN &&
		    (k->by == NULL || !k->by->redial.down))
			coming = coming || !mux_is_greeted(k->mux) ||
			    !u->g->conf.uplink_fallback;
	}
	return coming;
}

/* Whose the stream is to be: a gateway's that goes on, or our own device's. */
static void
fill_request(const struct conn *c, const struct server *s,
    struct mux_request *rq)
{
	*rq = (struct mux_request){ 0 };
	if (c->origin != NULL) {
		snprintf(rq->authority, sizeof(rq->authority), "%s", c->sni);
		snprintf(rq->via, sizeof(rq->via), "%s", c->origin->via);
		snprintf(rq->device, sizeof(rq->device), "%s",
		    c->origin->device);
		return;
	}
	if (c->term != NULL) /* whom we have verified */
		snprintf(rq->device, sizeof(rq->device), "%s", c->sni);
	snprintf(rq->authority, sizeof(rq->authority),
	    strchr(s->host, ':') != NULL ? "[%s]:%u" : "%s:%u", s->host,
	    s->port);
	snprintf(rq->via, sizeof(rq->via), "2.0 %s", c->g->id);
}

/* What an uplink said of servers is of that way only. */
static enum uplink_way
go_directly(struct conn *c)
{
	if (c->link != 0) {
		set_tried(c, c->link);
		c->server = UPSTREAM_NONE;
		c->link = 0;
	}
	return UPLINK_DIRECT;
}

/* No link is any good for it. */
static enum uplink_way
go_without(struct conn *c)
{
	struct uplinks *u = c->g->uplinks;

	for (const struct link *k = u->first; k != NULL; k = k->next)
		if (has_room(k) && c->refusal == WHY_CLOSED)
			c->refusal = (uint8_t)k->failure; /* of one before it */
	return c->g->conf.uplink_fallback ? go_directly(c) : UPLINK_NONE;
}

/* Who was refused is told, if it was not because that link is to be replaced. */
static bool
may_wait(const struct conn *c)
{
	return c->refusal == WHY_FAR_DRAINING ||
	    (c->server == UPSTREAM_NONE && c->tried[0] == 0);
}

enum uplink_way
uplink_open(struct conn *c)
{
	struct gateway	  *g = c->g;
	struct uplinks	  *u = g->uplinks;
	struct mux_request rq;
	struct link	  *k;
	struct server	  *s = NULL;

	if (g->conf.uplink[0] == '\0' && g->conf.dmz_listen[0] == '\0')
		return go_directly(c);
	if ((k = choose(u, c)) == NULL)
		return may_wait(c) && is_coming(u) ? UPLINK_WAIT : go_without(c);
	if (c->link != k->id) {
		if (c->tried[TRIED_MAX - 1] != 0)
			return go_without(c);
		set_tried(c, c->link);
	}
	if (c->origin == NULL)
		s = upstream_choose(servers_by(k, c), after(k, c));
	fill_request(c, s, &rq);
	c->link = k->id;
	c->server = s != NULL ? s->id : UPSTREAM_NONE;
	if (mux_open(k->mux, &rq, c, &c->stream[SERVER]) < 0) {
		upstream_abandoned(servers_by(k, c), c->server);
		return UPLINK_NONE;
	}
	c->introduced = 0;
	c->introduce = g->conf.proxy_protocol && c->origin == NULL;
	conn_phase(c, P_ASKED);
	return UPLINK_OPENED;
}

/* -- what becomes of it -- */

void
uplink_opened(struct conn *c)
{
	struct link *k = link_of(c);

	if (k != NULL)
		k->unopened = 0;
}

/* What only the gateway behind c is to blame for says nothing of k. */
static void
count_unopened(struct link *k, const struct conn *c, enum why why)
{
	if (k == NULL ||
	    (c->origin != NULL && (why == WHY_CIRCLE || why == WHY_NOT_ALLOWED)))
		return;
	if (k->unopened++ == 0)
		k->unopened_ms = uplinks_now(k->u);
	k->unopened_why = why;
}

void
uplink_failed(struct conn *c, enum why why, const char *text)
{
	struct link	*k = link_of(c);
	struct upstream *servers = uplink_servers(c);
	struct server	*s = upstream_find(servers, c->server);

	c->refusal = (uint8_t)why;
	count_unopened(k, c, why);
	if (k != NULL)
		k->failure = why;
	if (c->origin != NULL) /* its gateway has other addresses itself */
		set_tried(c, c->link);
	else if (s != NULL &&
	    s->answered_ms > c->since_ms) /* the far end has many to connect */
		upstream_abandoned(servers, s->id);
	else if (s != NULL)
		upstream_failed(servers, s->id, uplinks_now(c->g->uplinks), text);
	dial_queue(c);
	uplinks_say(c->g->uplinks);
}

void
uplink_refused(struct conn *c, enum why why)
{
	struct link *k = link_of(c);

	c->refusal = (uint8_t)why;
	upstream_abandoned(uplink_servers(c), c->server);
	set_tried(c, c->link);
	count_unopened(k, c, why);
	/* a circle is that one's, and not the next one's */
	if (k != NULL && (why != WHY_CIRCLE || c->origin == NULL)) {
		k->refused = why;
		k->refused_ms = uplinks_now(k->u);
	}
	dial_queue(c);
}

void
uplinks_say(struct uplinks *u)
{
	for (struct link *k = u->first; k != NULL; k = k->next)
		for (int i = 0; k->servers != NULL && !k->ended && i < 2; i++)
			dial_say_of(u->g, &k->servers[i], k->at);
}

const struct server *
uplinks_server(const struct uplinks *u, bool terminated, uint16_t id)
{
	const struct server *best = NULL, *s;

	for (const struct link *k = u->first; k != NULL; k = k->next)
		if (k->servers != NULL && link_is_up(k) &&
		    (s = upstream_find(&k->servers[terminated], id)) != NULL &&
		    (best == NULL || s->state < best->state))
			best = s;
	return best;
}

uint64_t
uplinks_failures(const struct uplinks *u, bool terminated, uint16_t id)
{
	const struct server *s;
	uint64_t	     n = 0;

	for (const struct link *k = u->first; k != NULL; k = k->next)
		if (k->servers != NULL &&
		    (s = upstream_find(&k->servers[terminated], id)) != NULL)
			n += s->failures;
	return n;
}

/* No connection of our own is worth a stream: a device is the first to try it. */
static void
try_servers(struct link *k, uint64_t now)
{
	struct server *s;

	for (int i = 0; k->servers != NULL && i < 2; i++)
		while ((s = upstream_due(&k->servers[i], now)) != NULL)
			upstream_probed(&k->servers[i], s->id, now, NULL);
}

/* -- time -- */

/* It takes no new ones: those there live on, and another link is made. */
static void
replace_if_draining(struct link *k)
{
	if (k->by == NULL || !mux_is_draining(k->mux))
		return;
	log_info("uplink to %s is draining", k->at);
	dialler_let_go(k, END_OURS, "it is draining");
}

/* What waits in all links; the one with most, if there is any. */
static size_t
queued_in(struct uplinks *u, struct link **most)
{
	struct mux_stats st;
	size_t		 sum = 0, n = 0;

	*most = NULL;
	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (k->mux == NULL)
			continue;
		mux_stats(k->mux, &st);
		sum += st.queued;
		if (st.queued > n) {
			n = st.queued;
			*most = k;
		}
	}
	return sum;
}

/* A peer has several links, and its streams need no server that answers. */
static void
check_queues(struct uplinks *u)
{
	struct link *most;

	while (queued_in(u, &most) > QUEUE_ALL)
		link_end(most, END_QUEUE, most->peer);
}

static void
check_stuck(struct uplinks *u)
{
	struct gateway *g = u->g;
	uint64_t	now = uplinks_now(u);
	struct link    *most;

	if (queued_in(u, &most) == 0)
		return;
	for (struct conn *c = g->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (tunnel_is_stuck(c, now))
			conn_end(c, WHY_STUCK);
	}
}

/* Who has come, or was dialled, is not believed for ever. */
void
uplinks_check(struct uplinks *u)
{
	time_t now = time(NULL);

	for (struct link *k = u->first; k != NULL; k = k->next)
		if (!k->ended && !k->shaking)
			(void)link_check(k, now);
	uplink_pump(u); /* conns that have ended say so */
	uplinks_sweep(u);
}

void
uplinks_tick(struct uplinks *u)
{
	uint64_t now = uplinks_now(u);

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (k->ended)
			continue;
		if (k->shaking && now - k->since_ms >= SHAKE_MS)
			link_end(k, END_LATE, "");
		else if (!k->shaking) {
			mux_tick(k->mux, now);
			try_servers(k, now);
			replace_if_draining(k);
			dialler_leave(k, now);
		}
	}
	for (struct dialler *d = &u->up; d != NULL; d = dialler_next(d))
		dialler_dial(d);
	check_queues(u);
	if (now - u->checked_ms >= 1000) {
		u->checked_ms = now;
		check_stuck(u);
		uplinks_check(u);
	}
	uplink_pump(u);
	uplinks_sweep(u);
}

bool
uplinks_want_ticks(const struct uplinks *u)
{
	bool want = u->first != NULL;

	for (const struct dialler *d = &u->up; d != NULL; d = dialler_next(d))
		want = want || d->redial.n > 0;
	return want;
}

/* -- life -- */

int
uplinks_new(struct gateway *g, struct uplinks **out)
{
	struct uplinks *u = calloc(1, sizeof(*u));

	*out = u;
	if (u == NULL)
		return -ENOMEM;
	u->g = g;
	u->up = (struct dialler){ .u = u, .head = &u->up, .near = true };
	for (size_t i = 0; i < GATEWAY_SERVERS; i++)
		u->dial[i] = (struct dialler){ .u = u, .head = &u->dial[i] };
	return 0;
}

int
uplinks_configure(struct uplinks *u)
{
	const struct gateway_conf *conf = &u->g->conf;
	struct tls		  *client = NULL;
	char			   word[1024];
	size_t			   pos = 0;
	int			   r;

	if (conf->uplink[0] != '\0' || conf->dial[0] != '\0') {
		r = identity_client(u->g->w, "gateway.cert", "gateway.key",
		    conf->uplink_ca[0] != '\0' ? "gateway.uplink-ca"
					       : "gateway.client-ca",
		    &client);
		if (r < 0)
			return r;
	}
	tls_unref(&u->client);
	u->client = client;
	(void)dialler_set(&u->up, conf->uplink);
	for (size_t i = 0; i < GATEWAY_SERVERS; i++)
		if (dialler_set(&u->dial[i],
			value_word(conf->dial, &pos, word, sizeof(word))
			    ? word : ""))
			dialler_want(&u->dial[i], 1);
	uplinks_sweep(u);
	conn_tick_soon(u->g);
	return 0;
}

/* -- the server's addresses, which are g's -- */

void
uplinks_follow(struct uplinks *u)
{
	for (struct link *k = u->first; k != NULL; k = k->next)
		if (!k->ended)
			link_follow(k);
}

void
uplinks_refuse(struct uplinks *u, bool refuse)
{
	for (struct link *k = u->first; k != NULL; k = k->next)
		if (refuse && !k->ended && !k->shaking && !k->near)
			mux_drain(k->mux);
	for (struct dialler *d = &u->up; d != NULL; d = dialler_next(d))
		if (!refuse && !d->near)
			redial_anew(&d->redial);
	uplink_pump(u);
	conn_tick_soon(u->g);
}

void
uplinks_drain(struct uplinks *u)
{
	for (struct link *k = u->first; k != NULL; k = k->next)
		if (!k->ended && !k->shaking)
			mux_drain(k->mux);
	uplink_pump(u);
}

void
uplinks_free(struct uplinks **up)
{
	struct uplinks *u = *up;

	if (u == NULL)
		return;
	for (struct link *k = u->first; k != NULL; k = k->next)
		link_end(k, END_OURS, "");
	uplinks_sweep(u);
	for (size_t i = 0; i < GATEWAY_SERVERS; i++)
		for (struct dialler *d = u->dial[i].sibling, *next; d != NULL;
		     d = next) {
			next = d->sibling;
			free(d);
		}
	tls_unref(&u->client);
	free(u);
	*up = NULL;
}
