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
 * at most.
 */
static void
make_room(struct uplinks *u, const uint8_t addr[16])
{
	struct link *oldest = NULL, *same = NULL;
	unsigned     n = 0;

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (k->ended || !k->accepted || k->up)
			continue;
		oldest = k; /* the newest are first */
		if (memcmp(k->addr, addr, 16) == 0) {
			same = k;
			n++;
		}
	}
	if (n >= COMING_MAX)
		link_end(same, END_CROWD, "");
	else if (u->naccepted >= LINKS_MAX && oldest != NULL)
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

/* Of the links that are up, the one with the fewest streams. */
static struct link *
choose(struct uplinks *u)
{
	struct link	*best = NULL;
	struct mux_stats st, least;

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (!k->near || !link_is_up(k) || mux_may_open(k->mux) < 0)
			continue;
		mux_stats(k->mux, &st);
		if (best == NULL || st.streams < least.streams) {
			best = k;
			least = st;
		}
	}
	return best;
}

/* Whether one is on its way, or up and without room for one more. Of one that
 * is down not, nor of whoever came and has not said who it is. */
static bool
is_coming(const struct uplinks *u)
{
	for (const struct link *k = u->first; k != NULL; k = k->next)
		if (k->near && !k->ended && !k->shaking &&
		    mux_may_open(k->mux) == -EAGAIN &&
		    (k->by == NULL || !k->by->redial.down))
			return true;
	return u->up.redial.n > 0 && !u->up.redial.down;
}

static const struct server *
next_server(const struct upstream *s, uint16_t after)
{
	size_t i = 0;

	for (size_t j = 0; j < s->n; j++)
		if (s->of[j].id == after)
			i = j + 1;
	return i < s->n ? &s->of[i] : NULL;
}

/* Whose the stream is to be: a gateway's that goes on, or our own device's. */
static bool
fill_request(struct conn *c, struct mux_request *rq)
{
	struct gateway	    *g = c->g;
	const struct server *s;

	*rq = (struct mux_request){ 0 };
	if (c->origin != NULL) {
		snprintf(rq->authority, sizeof(rq->authority), "%s", c->sni);
		snprintf(rq->via, sizeof(rq->via), "%s", c->origin->via);
		snprintf(rq->device, sizeof(rq->device), "%s",
		    c->origin->device);
		return true;
	}
	if ((s = next_server(conn_upstream(c), c->server)) == NULL)
		return false;
	c->server = s->id;
	if (c->term != NULL) /* whom we have verified */
		snprintf(rq->device, sizeof(rq->device), "%s", c->sni);
	snprintf(rq->authority, sizeof(rq->authority),
	    strchr(s->host, ':') != NULL ? "[%s]:%u" : "%s:%u", s->host,
	    s->port);
	snprintf(rq->via, sizeof(rq->via), "2.0 %s", g->id);
	return true;
}

enum uplink_way
uplink_open(struct conn *c)
{
	struct gateway	  *g = c->g;
	struct uplinks	  *u = g->uplinks;
	struct mux_request rq;
	struct link	  *k;

	if (g->conf.uplink[0] == '\0' && g->conf.dmz_listen[0] == '\0')
		return UPLINK_DIRECT;
	if ((k = choose(u)) == NULL)
		return is_coming(u) ? UPLINK_WAIT
		    : g->conf.uplink_fallback
		    ? UPLINK_DIRECT
		    : UPLINK_NONE;
	if (!fill_request(c, &rq) ||
	    mux_open(k->mux, &rq, c, &c->stream[SERVER]) < 0)
		return UPLINK_NONE;
	c->link = k->id;
	c->introduce = g->conf.proxy_protocol && c->origin == NULL;
	conn_phase(c, P_ASKED);
	return UPLINK_OPENED;
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
			replace_if_draining(k);
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
