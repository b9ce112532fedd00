/*
 * dp-gateway/dial.c - from an admitted connection to its server.
 *
 * Runs in dp-gateway behind its sandbox. dp-connect makes the connections, and
 * only to hosts that the configuration names for us; at most ASKS_MAX questions
 * are open at once (and one for each link), the others wait in the order they came.
 * Of one target that clients or gateways name at most ASKS_EACH are under way, of
 * all of them ASKS_FAR, so that dead ones hold up neither others nor devices. An
 * address that fails is known to be away from then on, and who was on its way
 * there goes on to the next. Where a server is named by its address its sockets
 * come while they are still connecting, and the question is answered: of these
 * (P_BEGUN) there may be as many as connections.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/uplink.h"

#include "common/log.h"
#include "common/size.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CROWD_LOOKS 256

void
dial_say_of(struct gateway *g, struct upstream *u, const char *at)
{
	const char *by = at[0] != '\0' ? " by the uplink " : "";

	for (size_t i = 0; i < u->n; i++) {
		struct server *s = &u->of[i];
		bool	       down = s->state == SERVER_DOWN;

		if (s->state == SERVER_TRIAL || down == s->said_down)
			continue;
		s->said_down = down;
		if (down)
			log_warn("server %s port %u is passed over%s%s: %s",
			    s->host, s->port, by, at, s->why);
		else
			log_info("server %s port %u is back%s%s", s->host,
			    s->port, by, at);
		worker_event(g->w, down ? "gateway-server-down"
					: "gateway-server-up",
		    json_pack("{s:s,s:i,s:s,s:s}", "host", s->host, "port",
			(int)s->port, "why", down ? s->why : "", "uplink", at));
	}
}

void
dial_say(struct gateway *g)
{
	dial_say_of(g, &g->upstream, "");
	dial_say_of(g, &g->terminate.servers, "");
	uplinks_say(g->uplinks);
	conn_tick_soon(g); /* to try it again */
}

static struct ask *
ask_at(struct gateway *g, const char *host, uint16_t port,
    int (*how)(struct connect_client *, uint32_t, const char *, uint16_t,
	uint64_t))
{
	struct ask *a = g->asks;

	while (a->ticket != 0)
		a++;
	if (++g->last_ticket == 0)
		g->last_ticket = 1;
	if (how(g->connector, g->last_ticket, host, port,
		g->conf.server_timeout * 1000) < 0)
		return NULL;
	*a = (struct ask){ .ticket = g->last_ticket, .of = &g->upstream };
	g->nasks++;
	return a;
}

static struct ask *
ask(struct gateway *g, struct upstream *of, const struct server *s,
    struct conn *c)
{
	struct ask *a = ask_at(g, s->host, s->port,
	    c != NULL ? connect_client_begin : connect_client_ask);

	if (a == NULL)
		return NULL;
	a->of = of;
	a->server = s->id;
	a->probe = c == NULL;
	a->conn = c;
	return a;
}

int
dial_link(struct gateway *g, struct dialler *d, const char *host, uint16_t port)
{
	struct ask *a = ask_at(g, host, port, connect_client_ask);

	if (a == NULL)
		return -ENOTCONN;
	a->dialler = d;
	return 0;
}

/* Whether there is room for one more to the target of c, where that is, and among
 * all such targets. The first of a target may go where many have all of ASKS_FAR,
 * and the rest is for our own server's devices, who wait for none of these. */
static bool
has_room(const struct conn *c, struct url *at)
{
	unsigned n = 0, far = 0;

	if (url_host_port(c->sni, at) < 0)
		return true; /* for the refusal */
	for (size_t i = 0; i < COUNT(c->g->asks); i++) {
		const struct ask *a = &c->g->asks[i];

		if (a->ticket == 0 || a->host[0] == '\0')
			continue;
		far++;
		n += a->port == at->port && strcmp(a->host, at->host) == 0;
	}
	return n < ASKS_EACH &&
	    far < (n == 0 ? ASKS_MAX - ASKS_EACH : ASKS_FAR);
}

/* One that waits for its turn gets it: the first at this target, or else at any
 * that has room. */
static void
call_next(struct gateway *g, const char *host, uint16_t port)
{
	struct conn *other = NULL;
	unsigned     looks = 0;
	struct url   at;

	for (struct conn *c = g->list[P_CROWD].first; c != NULL; c = c->next)
		if (url_host_port(c->sni, &at) == 0 && at.port == port &&
		    strcmp(at.host, host) == 0) {
			if (has_room(c, &at))
				other = c;
			break;
		} else if (other == NULL && looks++ < CROWD_LOOKS &&
		    has_room(c, &at))
			other = c;
	if (other != NULL)
		conn_phase(other, P_QUEUE);
}

static void
ask_free(struct gateway *g, struct ask *a)
{
	struct ask was = *a;

	*a = (struct ask){ 0 };
	g->nasks--;
	if (was.host[0] != '\0')
		call_next(g, was.host, was.port);
}

/* Each of the two queues is in the order they came, and none waits for who is
 * in the other. */
void
dial_queue(struct conn *c)
{
	conn_phase(c, c->kind->is_forward ? P_QUEUE : P_LINK);
}

/* To where a gateway or a client asked for; the list that allows it was looked
 * at. */
static bool
ask_far(struct conn *c)
{
	struct url  at;
	struct ask *a;

	if (!has_room(c, &at)) {
		conn_phase(c, P_CROWD);
		return true;
	}
	if (url_host_port(c->sni, &at) < 0 ||
	    (a = ask_at(c->g, at.host, at.port, connect_client_ask)) == NULL)
		return false;
	a->conn = c;
	snprintf(a->host, sizeof(a->host), "%s", at.host);
	a->port = at.port;
	conn_phase(c, P_ASKED);
	return true;
}

/* What one waits for, all others do. */
static void
pump_up(struct gateway *g)
{
	struct conn    *c;
	enum uplink_way way;

	while ((c = g->list[P_LINK].first) != NULL &&
	    (way = uplink_open(c)) != UPLINK_WAIT)
		if (way == UPLINK_DIRECT)
			conn_phase(c, P_QUEUE);
		else if (way == UPLINK_NONE)
			conn_end(c, c->refusal != WHY_CLOSED
				? (enum why)c->refusal
				: c->server != UPSTREAM_NONE
				? WHY_NO_SERVER
				: WHY_NO_UPLINK);
}

void
dial_pump(struct gateway *g)
{
	struct conn	*c;
	struct upstream *u;
	struct server	*s;
	struct url	 at;

	pump_up(g);
	/* who was called may have left */
	if (g->list[P_QUEUE].first == NULL &&
	    (c = g->list[P_CROWD].first) != NULL && has_room(c, &at))
		conn_phase(c, P_QUEUE);
	while (g->nasks < ASKS_MAX && (c = g->list[P_QUEUE].first) != NULL) {
		if (c->origin != NULL || c->kind->is_forward) {
			if (!ask_far(c))
				return;
			continue;
		}
		u = conn_upstream(c);
		if ((s = upstream_choose(u, c->server)) == NULL) {
			conn_end(c, WHY_NO_SERVER);
			continue;
		}
		if (ask(g, u, s, c) == NULL) { /* dp-connect comes back */
			upstream_abandoned(u, s->id);
			return;
		}
		c->server = s->id;
		conn_phase(c, P_ASKED);
	}
}

static void
probe(struct gateway *g, struct upstream *u)
{
	struct server *s;

	while (g->nasks < ASKS_MAX &&
	    (s = upstream_due(u, loop_now_ms(g->loop))) != NULL)
		if (ask(g, u, s, NULL) == NULL)
			upstream_probed(u, s->id, loop_now_ms(g->loop),
			    "dp-connect is away");
}

void
dial_probe(struct gateway *g)
{
	probe(g, &g->upstream);
	probe(g, &g->terminate.servers);
}

void
dial_left(struct conn *c)
{
	for (size_t i = 0; i < COUNT(c->g->asks); i++)
		if (c->g->asks[i].ticket != 0 && c->g->asks[i].conn == c)
			c->g->asks[i].conn = NULL;
}

/* The next address, if there is one. */
static void
begun_failed(struct conn *c, const char *why)
{
	struct upstream	    *u = conn_upstream(c);
	const struct server *s = upstream_find(u, c->server);
	char		     text[URL_HOST_LEN + 80] = "";

	if (s != NULL) /* a reload may have taken it away */
		snprintf(text, sizeof(text),
		    strchr(s->host, ':') != NULL ? "[%s]:%u: %s" : "%s:%u: %s",
		    s->host, s->port, why);
	conn_drop_server(c);
	upstream_failed(u, c->server, loop_now_ms(c->g->loop), text);
	dial_queue(c);
	dial_say(c->g);
}

void
dial_begun(struct conn *c)
{
	/* of all ways to ask how it stands this is the shortest */
	if (send(c->relay.fd[SERVER], NULL, 0, MSG_NOSIGNAL) == 0)
		conn_open(c);
	else if (errno != EAGAIN)
		begun_failed(c, strerror(errno));
	else if (c->phase != P_BEGUN) {
		conn_phase(c, P_BEGUN);
		conn_watch(c, SERVER, EPOLLOUT);
	}
}

void
dial_tick(struct gateway *g)
{
	const uint64_t ms = g->conf.server_timeout * 1000;
	struct conn   *c;

	while ((c = g->list[P_BEGUN].first) != NULL &&
	    loop_now_ms(g->loop) - c->since_ms >= ms)
		begun_failed(c, "no answer in time");
}

static void
on_answer(void *ctx, uint32_t ticket, int take_fd, const char *text)
{
	struct gateway *g = ctx;
	struct ask     *a = g->asks, is;
	uint64_t	now = loop_now_ms(g->loop);

	while (a < g->asks + COUNT(g->asks) && a->ticket != ticket)
		a++;
	if (a == g->asks + COUNT(g->asks) || ticket == 0) {
		if (take_fd >= 0)
			close(take_fd); /* nobody asked */
		return;
	}
	is = *a;
	ask_free(g, a);
	if (is.dialler != NULL) {
		uplink_dialled(is.dialler, take_fd, text);
		return;
	}
	if (is.probe)
		upstream_probed(is.of, is.server, now,
		    take_fd < 0 ? text : NULL);
	else if (take_fd < 0)
		upstream_failed(is.of, is.server, now, text);
	else if (is.conn == NULL)
		upstream_abandoned(is.of, is.server);
	if (is.conn != NULL && take_fd >= 0) {
		is.conn->relay.fd[SERVER] = take_fd;
		if (is.host[0] != '\0')
			conn_open(is.conn);
		else
			dial_begun(is.conn);
	} else if (take_fd >= 0)
		close(take_fd);
	else if (is.conn != NULL && is.conn->origin != NULL)
		conn_end(is.conn, WHY_NO_SERVER);
	else if (is.conn != NULL && is.conn->kind->is_forward)
		conn_end(is.conn, take_fd == -EACCES ? WHY_TARGET_ADDRESS
			: take_fd == -ETIMEDOUT	     ? WHY_TARGET_LATE
						     : WHY_TARGET_AWAY);
	else if (is.conn != NULL)
		dial_queue(is.conn);
	if (take_fd < 0)
		dial_say(g);
	dial_pump(g);
	uplink_pump(g->uplinks);
}

/* All that was asked will have no answer: it is asked again. */
static void
on_lost(void *ctx, int r)
{
	struct gateway *g = ctx;

	worker_accuse(PEER_CONNECT, r);
	for (size_t i = 0; i < COUNT(g->asks); i++) {
		struct ask is = g->asks[i];

		if (is.ticket == 0)
			continue;
		ask_free(g, &g->asks[i]);
		if (is.dialler != NULL)
			uplink_dialled(is.dialler, -1, "dp-connect is away");
		else if (is.probe)
			upstream_probed(is.of, is.server,
			    loop_now_ms(g->loop), "dp-connect is away");
		else
			upstream_abandoned(is.of, is.server);
		if (is.conn != NULL) {
			is.conn->server = UPSTREAM_NONE;
			dial_queue(is.conn);
		}
	}
}

const struct connect_client_ops dial_ops = { on_answer, on_lost };
