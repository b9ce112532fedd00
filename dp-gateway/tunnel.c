/*
 * dp-gateway/tunnel.c - a connection of which one side, or each, is a stream of
 * an uplink; see uplink.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes of a request from a gateway
 * that may come here no more than the closed list allows. Bytes go from a socket
 * right into a frame and from a record right to a socket: nothing is kept but
 * what a slow socket leaves with its stream.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/uplink.h"

#include "dp-gateway/proxy.h"
#include "dp-gateway/terminate.h"
#include "dp-gateway/via.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define WATCH (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

static int
side_of(const struct conn *c, const struct mux_stream *s)
{
	return c->stream[CLIENT] == s ? CLIENT : SERVER;
}

static bool
is_socket(const struct conn *c, int side)
{
	return c->relay.fd[side] >= 0;
}

static void
reset_by(struct conn *c, int side)
{
	conn_end(c, side == CLIENT ? WHY_CLIENT_RESET : WHY_SERVER_RESET);
}

/* -- refusals, as statuses (RFC 9209, 2.3) -- */

static const struct {
	enum why    why;
	unsigned    status;
	const char *error;
} refusals[] = {
	{ WHY_CIRCLE, 508, "proxy_loop_detected" },
	{ WHY_NOT_ALLOWED, 403, "http_request_denied" },
	{ WHY_FULL, 503, "connection_limit_reached" },
	{ WHY_PEER, 429, "connection_limit_reached" },
	{ WHY_MEMORY, 503, "proxy_internal_error" },
	{ WHY_DRAINING, 503, "destination_unavailable" },
	{ WHY_FAR_FULL, 503, "connection_limit_reached" },
	{ WHY_FAR_DRAINING, 503, "destination_unavailable" },
	{ WHY_FAR_REFUSED, 502, "destination_unavailable" },
	{ WHY_NO_UPLINK, 502, "destination_unavailable" },
	{ WHY_NO_SERVER, 502, "connection_refused" },
	{ WHY_CLOSED, 502, "destination_unavailable" }, /* all others */
};

static void
refuse(struct gateway *g, struct mux_stream *s, enum why why)
{
	char   text[MUX_TEXT_MAX];
	size_t i = 0;

	while (refusals[i].why != why && refusals[i].why != WHY_CLOSED)
		i++;
	snprintf(text, sizeof(text), "%s; error=%s; details=\"%s\"", g->id,
	    refusals[i].error, why_text(why));
	mux_refuse(s, refusals[i].status, text);
}

/* text: proxy-status, whose words count as they stand in the table above. */
static enum why
why_of(unsigned status, const char *text)
{
	if (status == 503)
		return strstr(text, "error=connection_limit_reached") != NULL ||
			strstr(text, "error=proxy_internal_error") != NULL
		    ? WHY_FAR_FULL
		    : strstr(text, "error=destination_unavailable") != NULL
		    ? WHY_FAR_DRAINING
		    : WHY_FAR_REFUSED;
	return status == 508	? WHY_CIRCLE
	    : status == 403	? WHY_NOT_ALLOWED
	    : status == 429	? WHY_PEER
	    : status / 100 == 5 ? WHY_NO_SERVER
				: WHY_FAR_REFUSED;
}

/* -- far end: a gateway asks for a connection -- */

static enum why
admit_request(struct gateway *g, const struct mux_request *rq, char *via,
    struct url *at)
{
	if (via_has(rq->via, g->id) ||
	    via_add(rq->via, g->id, via, MUX_VIA_MAX) < 0)
		return WHY_CIRCLE;
	if (!via_allows(g->conf.far_end_allow, rq->authority, at))
		return WHY_NOT_ALLOWED;
	if (g->refusing)
		return WHY_DRAINING;
	if (g->n >= g->conf.max_connections || g->fds + 2 > g->max_fds)
		return WHY_FULL;
	return WHY_CLOSED;
}

static enum why
keep_origin(struct conn *c, const struct mux_request *rq, const char *via,
    const struct link *k)
{
	struct origin *o = calloc(1, sizeof(*o));
	bool	       believed = via_believes(link_peer(k), rq->device);
	int	       r;

	c->origin = o;
	if (o == NULL ||
	    (c->sni = strdup(rq->authority)) == NULL ||
	    (o->via = strdup(via)) == NULL ||
	    (o->device = strdup(believed ? rq->device : "")) == NULL)
		return WHY_MEMORY;
	memcpy(o->peer, link_key(k), sizeof(o->peer));
	r = addr_count_add(c->g->peers, o->peer, c->g->max_per_peer);
	o->counted = r == 0;
	return r == 0 ? WHY_CLOSED : r == -EUSERS ? WHY_PEER : WHY_MEMORY;
}

static void
on_request(void *ctx, struct mux_stream *s, const struct mux_request *rq)
{
	static const struct listener_kind far = { .name = "far-end",
		.key = NULL, .anywhere = true };
	struct link    *k = ctx;
	struct gateway *g = link_gateway(k);
	uint16_t	port;
	const uint8_t  *addr = link_addr(k, &port);
	char		via[MUX_VIA_MAX];
	struct url	at;
	struct conn    *c;
	enum why	why = admit_request(g, rq, via, &at);

	g->accepted++;
	if (why == WHY_CLOSED && conn_new(g, &far, -1, addr, port, &c) < 0)
		why = WHY_MEMORY;
	if (why != WHY_CLOSED) {
		conn_count(g, addr, port, rq->authority, why);
		refuse(g, s, why);
		return;
	}
	c->stream[CLIENT] = s;
	mux_own(s, c);
	if ((why = keep_origin(c, rq, via, k)) != WHY_CLOSED)
		conn_end(c, why);
	else
		dial_queue(c);
}

/* Of a connection through us to the next gateway; the first byte is answered. */
static void
opened(struct conn *c)
{
	c->g->carried++;
	/* whether the server answers is watched where the device is */
	conn_phase(c, c->origin != NULL ? P_OPEN : P_ANSWER);
	if (c->origin != NULL) {
		free(c->origin->via);
		c->origin->via = NULL;
	}
	if (c->stream[CLIENT] != NULL)
		mux_accept(c->stream[CLIENT], c);
	if (c->term != NULL)
		term_opened(c);
	for (int side = 0; side < 2 && c->phase >= P_ANSWER &&
	     c->phase != P_ENDED; side++)
		if (is_socket(c, side))
			conn_watch(c, side, WATCH);
}

void
tunnel_connected(struct conn *c)
{
	opened(c);
}

/* -- near end: the answer -- */

static void
on_response(void *ctx, struct mux_stream *s, unsigned status, const char *text)
{
	struct conn *c = mux_owner(s);
	enum why     why;

	(void)ctx;
	if (status == 200) {
		uplink_opened(c);
		opened(c);
		return;
	}
	c->stream[SERVER] = NULL;
	why = why_of(status, text);
	if (why == WHY_NO_SERVER)
		uplink_failed(c, why, "the far end cannot connect to it");
	else if (why == WHY_NOT_ALLOWED || why == WHY_FAR_REFUSED)
		uplink_failed(c, why, why_text(why));
	else
		uplink_refused(c, why);
}

/* Whether it would ever have answered nobody knows: there may be a better one. */
void
tunnel_late(struct conn *c)
{
	if (c->origin != NULL) { /* whose gateway waits, too */
		conn_end(c, WHY_NO_SERVER);
		return;
	}
	mux_reset(c->stream[SERVER]);
	c->stream[SERVER] = NULL;
	uplink_failed(c, WHY_NO_SERVER, "the far end does not connect in time");
}

/* -- bytes -- */

static size_t
on_take(void *ctx, struct mux_stream *s, const uint8_t *p, size_t n)
{
	struct conn *c = mux_owner(s);
	int	     from = side_of(c, s);
	ssize_t	     sent;

	(void)ctx;
	if (c->term != NULL || !is_socket(c, !from))
		return 0; /* it waits for whoever on_waits tells */
	sent = send(c->relay.fd[!from], p, n, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		reset_by(c, !from);
		return n;
	}
	if (sent < (ssize_t)n && !c->relay.blocked[from]) {
		c->relay.blocked[from] = true;
		c->blocked_ms = loop_now_ms(c->g->loop);
	}
	if (sent <= 0)
		return 0;
	c->blocked_ms = loop_now_ms(c->g->loop);
	c->relay.bytes[from] += (uint64_t)sent;
	conn_moved(c);
	return (size_t)sent;
}

static void
on_waits(void *ctx, struct mux_stream *s)
{
	struct conn *c = mux_owner(s);
	int	     from = side_of(c, s);

	(void)ctx;
	if (c->term != NULL) {
		term_waits(c);
		return;
	}
	if (is_socket(c, !from))
		return;
	if (!c->relay.blocked[from]) {
		c->relay.blocked[from] = true;
		c->blocked_ms = loop_now_ms(c->g->loop);
	}
	if (c->stream[!from] != NULL)
		mux_give(c->stream[!from]);
}

static void
on_ended(void *ctx, struct mux_stream *s)
{
	struct conn *c = mux_owner(s);
	int	     from = side_of(c, s);

	(void)ctx;
	if (c->term != NULL) {
		term_ended(c);
		return;
	}
	c->relay.ended[from] = true;
	c->relay.told[from] = true;
	conn_moved(c);
	if (is_socket(c, !from))
		(void)shutdown(c->relay.fd[!from], SHUT_WR);
	else if (c->stream[!from] != NULL)
		mux_give(c->stream[!from]);
}

static ssize_t
give_socket(struct conn *c, int from, uint8_t *buf, size_t max)
{
	ssize_t n;

	if (c->drained[from])
		return -EAGAIN; /* the next edge tells */
	n = recv(c->relay.fd[from], buf, max, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		c->drained[from] = errno == EAGAIN;
		return -EAGAIN;
	}
	if (n < 0) {
		reset_by(c, from);
		return -EAGAIN;
	}
	if (n == 0) {
		c->relay.ended[from] = c->relay.told[from] = true;
		conn_moved(c);
		return 0;
	}
	/* a short read took all; an end has its own edge, and undoes this */
	c->drained[from] = (size_t)n < max && !c->closing[from];
	return n;
}

static ssize_t
give_stream(struct conn *c, int from, uint8_t *buf, size_t max)
{
	struct mux_stream *s = c->stream[from];
	size_t		   n;

	/* its end may be told in it, and it be gone */
	if (s != NULL && (n = mux_read(s, buf, max)) > 0) {
		c->blocked_ms = loop_now_ms(c->g->loop);
		c->relay.blocked[from] = c->stream[from] != NULL &&
		    mux_waiting(c->stream[from]) > 0;
		return (ssize_t)n;
	}
	return c->stream[from] == NULL || c->relay.ended[from] ? 0 : -EAGAIN;
}

/* Who the device is, to the server, before the device's first byte. */
static ssize_t
give_introduction(struct conn *c, uint8_t *buf, size_t max)
{
	uint8_t header[PROXY_MAX];
	size_t	n, all = conn_introduction(c, header), at = c->introduced;

	if (all <= at) {
		conn_end(c, WHY_SERVER_RESET);
		return -EAGAIN;
	}
	n = all - at < max ? all - at : max; /* a far end may have a small window */
	memcpy(buf, header + at, n);
	c->introduced += (uint16_t)n;
	c->introduce = c->introduced < all;
	return (ssize_t)n;
}

static ssize_t
on_give(void *ctx, struct mux_stream *s, uint8_t *buf, size_t max)
{
	struct conn *c = mux_owner(s);
	int	     from = !side_of(c, s);
	ssize_t	     n;

	(void)ctx;
	if (c->introduce)
		return give_introduction(c, buf, max);
	if (c->term != NULL)
		return term_give(c, buf, max);
	n = is_socket(c, from) ? give_socket(c, from, buf, max)
			       : give_stream(c, from, buf, max);
	if (n > 0) {
		c->relay.bytes[from] += (uint64_t)n;
		conn_moved(c);
	}
	return n;
}

/* -- ends -- */

static void
on_closed(void *ctx, struct mux_stream *s, enum mux_end why)
{
	struct conn *c = mux_owner(s);
	int	     side;

	(void)ctx;
	if (c == NULL)
		return;
	side = side_of(c, s);
	c->stream[side] = NULL;
	if (why == MUX_OVERFLOW)
		conn_end(c, WHY_QUEUE); /* we let it go, it did not leave */
	else if (side == CLIENT && c->phase < P_ANSWER && why != MUX_LOST)
		conn_end(c, WHY_LEFT);
	else if (why == MUX_CLOSED && c->stream[!side] != NULL)
		mux_give(c->stream[!side]); /* it has its end still to send */
	else if (side == SERVER && c->phase == P_ASKED &&
	    (why == MUX_REFUSED || why == MUX_LOST)) {
		/* nothing of it is lost: once more, but a far end that breaks
		 * whenever it is asked does not keep a device waiting */
		upstream_abandoned(conn_upstream(c), c->server);
		c->server = UPSTREAM_NONE;
		if (c->again)
			conn_end(c, WHY_NO_UPLINK);
		else
			dial_queue(c);
		c->again = true;
	} else if (why == MUX_CLOSED && c->term != NULL)
		term_closed(c);
	else if (why == MUX_CLOSED)
		conn_end(c, WHY_CLOSED);
	else if (why == MUX_LOST)
		conn_end(c, WHY_UPLINK);
	else if (c->term != NULL && c->phase == P_ANSWER)
		term_next_server(c, "");
	else
		reset_by(c, side);
}

void
tunnel_drop(struct conn *c, enum why why)
{
	struct mux_stream *s = c->stream[CLIENT];

	if (s != NULL && c->phase < P_ANSWER)
		refuse(c->g, s, why);
	else if (s != NULL)
		mux_reset(s);
	if (c->stream[SERVER] != NULL)
		mux_reset(c->stream[SERVER]);
	c->stream[CLIENT] = c->stream[SERVER] = NULL;
	if (c->origin != NULL) {
		if (c->origin->counted)
			addr_count_drop(c->g->peers, c->origin->peer);
		free(c->origin->via);
		free(c->origin->device);
		free(c->origin);
		c->origin = NULL;
	}
}

/* -- the socket's events -- */

void
tunnel_event(struct conn *c, int side, uint32_t events)
{
	struct mux_stream *other = c->stream[!side];

	if (c->term != NULL) {
		term_event(c, events);
		return;
	}
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->closing[side] = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->drained[side] = false;
	/* it sends no more already, and now it takes no more either */
	if ((events & EPOLLERR) && c->relay.ended[side]) {
		reset_by(c, side);
		return;
	}
	if (other == NULL)
		return;
	if ((events & EPOLLOUT) && c->relay.blocked[!side]) {
		c->relay.blocked[!side] = false;
		mux_take(other);
	}
	if ((other = c->stream[!side]) != NULL && c->phase != P_ENDED)
		mux_give(other);
}

bool
tunnel_is_stuck(const struct conn *c, uint64_t now)
{
	for (int side = 0; side < 2; side++)
		/* without a link, blocked_ms is nobody's: ends.h keeps time itself */
		if ((c->stream[side] != NULL ||
			(c->term != NULL && c->link != 0)) &&
		    c->relay.blocked[side] &&
		    now - c->blocked_ms >= c->g->conf.send_timeout * 1000)
			return true;
	return false;
}

const struct mux_ops tunnel_ops = {
	.request = on_request,
	.response = on_response,
	.take = on_take,
	.waits = on_waits,
	.ended = on_ended,
	.give = on_give,
	.closed = on_closed,
};
