/*
 * dp-gateway/conn.c - a connection's life between its two ends.
 *
 * Runs in dp-gateway behind its sandbox. Believes neither end; what they send
 * each other is not looked at.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/gateway.h"

#include "common/log.h"
#include "dp-gateway/proxy.h"
#include "dp-gateway/push.h"
#include "dp-gateway/terminate.h"
#include "dp-gateway/uplink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS	 256   /* of one turn */
#define BEGINS	 64    /* handshakes of those that waited, likewise */
#define SAY_MS	 10000 /* between two lines about one reason */
#define LANES_MS 60000 /* so long the same addresses share a lane */
#define MOVED_MS 1000  /* a busy connection is put in order so often */
#define QUIET_MS 2000  /* at the end: it carries nothing now */

/* -- lists -- */

static void
phase_remove(struct conn *c)
{
	struct gateway *g = c->g;

	*(c->prev != NULL ? &c->prev->next : &g->list[c->phase].first) = c->next;
	*(c->next != NULL ? &c->next->prev : &g->list[c->phase].last) = c->prev;
	g->list[c->phase].n--;
}

static void
phase_append(struct conn *c, enum phase p)
{
	struct gateway *g = c->g;

	c->phase = (uint8_t)p;
	c->since_ms = loop_now_ms(g->loop);
	c->prev = g->list[p].last;
	c->next = NULL;
	*(c->prev != NULL ? &c->prev->next : &g->list[p].first) = c;
	g->list[p].last = c;
	g->list[p].n++;
}

void
conn_phase(struct conn *c, enum phase p)
{
	phase_remove(c);
	phase_append(c, p);
}

static uint64_t
phase_ms(const struct gateway *g, enum phase p)
{
	const uint64_t server = g->conf.server_timeout * 1000;
	const uint64_t ms[P_COUNT] = { [P_HELLO] = g->conf.hello_timeout * 1000,
		[P_SHAKE] = g->conf.hello_timeout * 1000,
		[P_LINK] = 3 * server,
		[P_QUEUE] = 3 * server, /* others may wait for all of theirs */
		[P_CROWD] = 3 * server,
		/* dp-connect, and a far end of the same server-timeout, end it
		 * before */
		[P_ASKED] = server + 5000,
		[P_ANSWER] = server,
		[P_OPEN] = g->conf.idle_timeout * 1000 };

	return ms[p];
}

/* -- life and death -- */

/* No two processes give the same. */
uint64_t
conn_number(struct gateway *g)
{
	uint64_t n = g->conf.processes;

	return ++g->last_id * n +
	    (uint64_t)(worker_role(g->w) - PEER_GATEWAY + 1) - n;
}

int
conn_new(struct gateway *g, const struct listener_kind *kind, int fd,
    const uint8_t addr[16], uint16_t port, struct conn **out)
{
	struct conn *c = calloc(1, sizeof(*c));
	int	     r = -ENOMEM;

	*out = NULL;
	/* of a gateway's devices, which all have its address, none is counted */
	if (c == NULL ||
	    (!kind->anywhere && (r = addr_count_add(g->addresses, addr,
		 g->conf.max_per_address)) < 0)) {
		free(c);
		return r;
	}
	c->g = g;
	c->kind = kind;
	c->refusal = WHY_CLOSED;
	c->id = conn_number(g);
	memcpy(c->addr, addr, 16);
	c->port = port;
	relay_init(&c->relay, fd, -1);
	phase_append(c, P_HELLO);
	c->start_ms = c->since_ms;
	c->older = g->newest;
	*(c->older != NULL ? &c->older->newer : &g->oldest) = c;
	g->newest = c;
	g->n++;
	g->fds += 2;
	*out = c;
	return 0;
}

static void
reset_at_close(int fd)
{
	struct linger now = { 1, 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void
conn_check_drained(struct gateway *g)
{
	if (g->draining && g->n == 0)
		worker_drained(g->w);
}

/* One side, or each, is a stream. */
static bool
is_tunnel(const struct conn *c)
{
	return c->origin != NULL || c->stream[CLIENT] != NULL ||
	    c->stream[SERVER] != NULL || c->link != 0;
}

static void
close_side(struct conn *c, int side)
{
	if (c->relay.fd[side] < 0)
		return;
	/* the close alone does not end the watch of a server: dp-connect, which
	 * gave us the socket, may not have closed its own descriptor yet */
	if (c->watch[side] != 0 && side == SERVER)
		(void)epoll_ctl(c->g->epoll, EPOLL_CTL_DEL, c->relay.fd[side],
		    NULL);
	close(c->relay.fd[side]);
	c->relay.fd[side] = -1;
	c->watch[side] = 0;
}

void
conn_drop_server(struct conn *c)
{
	close_side(c, SERVER);
}

struct upstream *
conn_upstream(struct conn *c)
{
	if (c->link != 0)
		return uplink_servers(c);
	return c->term != NULL ? &c->g->terminate.servers : &c->g->upstream;
}

/* It leaves P_ANSWER: what that says of the server. A server may answer the end
 * of a client, and its reset, by its own. */
static void
judge(struct conn *c, bool is_late, bool has_left)
{
	struct upstream *u = conn_upstream(c);
	uint64_t	 now = loop_now_ms(c->g->loop);

	if (c->relay.bytes[SERVER] > 0)
		upstream_answered(u, c->server, now);
	else if (is_late || (has_left && !c->relay.ended[CLIENT]))
		upstream_unanswered(u, c->server, c->since_ms, now,
		    is_late ? "connects, but does not answer"
			    : "connects, and leaves without an answer");
	else
		upstream_abandoned(u, c->server);
	dial_say(c->g);
}

void
conn_end(struct conn *c, enum why why)
{
	struct gateway *g = c->g;

	if (c->phase == P_ENDED)
		return;
	if (why <= WHY_REFUSED && c->phase < P_ANSWER && c->kind->refuse != NULL)
		c->kind->refuse(c->relay.fd[CLIENT], why);
	conn_count(g, c->addr, c->port, c->sni, why);
	if (c->phase == P_ASKED)
		dial_left(c);
	if (c->phase == P_ANSWER)
		judge(c, why == WHY_SILENT, why == WHY_SERVER_RESET);
	else if (c->phase == P_BEGUN || (c->phase == P_ASKED && c->link != 0))
		upstream_abandoned(conn_upstream(c), c->server);
	if (is_tunnel(c))
		tunnel_drop(c, why);
	terminate_fini(c, why);
	if (why == WHY_CLIENT_RESET)
		reset_at_close(c->relay.fd[SERVER]);
	if (why == WHY_SERVER_RESET)
		reset_at_close(c->relay.fd[CLIENT]);
	phase_remove(c);
	c->phase = P_ENDED;
	*(c->older != NULL ? &c->older->newer : &g->oldest) = c->newer;
	*(c->newer != NULL ? &c->newer->older : &g->newest) = c->older;
	for (int side = 0; side < 2; side++) {
		g->bytes[side] += c->relay.bytes[side];
		close_side(c, side);
	}
	relay_fini(&c->relay, g->pipes);
	if (!c->kind->anywhere)
		addr_count_drop(g->addresses, c->addr);
	free(c->sni);
	c->sni = NULL;
	c->next = g->ended; /* events at hand may still name it */
	g->ended = c;
	g->n--;
	g->fds -= 2;
	conn_check_drained(g);
}

void
conn_bury(struct gateway *g)
{
	struct conn *c;

	while ((c = g->ended) != NULL) {
		g->ended = c->next;
		free(c);
	}
}

void
conn_address(const uint8_t addr[16], uint16_t port, char out[CONN_ADDR])
{
	static const uint8_t v4[12] = { [10] = 0xff, [11] = 0xff };
	char		     ip[INET6_ADDRSTRLEN] = "?";

	if (memcmp(addr, v4, 12) == 0) {
		inet_ntop(AF_INET, addr + 12, ip, sizeof(ip));
		snprintf(out, CONN_ADDR, "%s:%u", ip, port);
	} else {
		inet_ntop(AF_INET6, addr, ip, sizeof(ip));
		snprintf(out, CONN_ADDR, "[%s]:%u", ip, port);
	}
}

void
conn_count(struct gateway *g, const uint8_t addr[16], uint16_t port,
    const char *name, enum why why)
{
	uint64_t now = loop_now_ms(g->loop);
	char	 at[CONN_ADDR], more[64] = "";

	g->why[why]++;
	if (why > WHY_REFUSED)
		return;
	if (g->said[why].said_ms != 0 && now - g->said[why].said_ms < SAY_MS) {
		g->said[why].unsaid++;
		return;
	}
	if (g->said[why].unsaid > 0)
		snprintf(more, sizeof(more), "; %u others, too, since the last line",
		    g->said[why].unsaid);
	conn_address(addr, port, at);
	log_info("%s refused: %s: %s%s%s%s%s", at, why_word(why),
	    why_text(why), name != NULL ? ", \"" : "", name != NULL ? name : "",
	    name != NULL ? "\"" : "", more);
	g->said[why].said_ms = now;
	g->said[why].unsaid = 0;
}

enum why
conn_why_tls(const struct tls_conn *t, int r)
{
	static const enum why whys[] = { [TLS_FAULT_NONE] = WHY_TLS,
		[TLS_FAULT_PROTOCOL] = WHY_TLS,
		[TLS_FAULT_ALERT] = WHY_TLS, [TLS_FAULT_ALPN] = WHY_ALPN,
		[TLS_FAULT_NO_CERT] = WHY_NO_CERT, [TLS_FAULT_CERT] = WHY_CERT,
		[TLS_FAULT_EXPIRED] = WHY_CERT_EXPIRED,
		[TLS_FAULT_REVOKED] = WHY_CERT_REVOKED,
		[TLS_FAULT_NOT_YET] = WHY_CERT_NOT_YET,
		[TLS_FAULT_CRL] = WHY_CRL };

	return r == -ENOMEM ? WHY_MEMORY
	    : r != -EPROTO  ? WHY_LEFT /* closed or reset: TLS is not at fault */
			    : whys[tls_fault(t)];
}

void
conn_shaken(struct gateway *g, enum shaken with, const struct tls_conn *t,
    uint64_t since_ms)
{
	g->shaken[with].n++;
	g->shaken[with].resumed += tls_resumed(t);
	g->shaken[with].ms += loop_now_ms(g->loop) - since_ms;
}

/* -- events -- */

void
conn_watch(struct conn *c, int side, uint32_t events)
{
	struct epoll_event e = { .events = events,
		.data.u64 = (uint64_t)(uintptr_t)c | (uint64_t)side };

	if (c->watch[side] == events)
		return;
	if (epoll_ctl(c->g->epoll,
		c->watch[side] == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
		c->relay.fd[side], &e) < 0) {
		log_warn_err(-errno, "epoll");
		conn_end(c, WHY_MEMORY);
		return;
	}
	c->watch[side] = events;
}

/* It moved: last in the order of the idle, but not for each byte. */
void
conn_moved(struct conn *c)
{
	struct gateway *g = c->g;

	if (c->phase == P_ANSWER &&
	    (c->relay.bytes[SERVER] > 0 || c->relay.ended[SERVER])) {
		judge(c, false, true);
		conn_phase(c, P_OPEN);
	} else if (c->phase == P_OPEN &&
	    loop_now_ms(g->loop) - c->since_ms >= MOVED_MS)
		conn_phase(c, P_OPEN);
}

void
conn_carry(struct conn *c, int side, uint32_t events)
{
	struct gateway *g = c->g;
	uint64_t	now = loop_now_ms(g->loop);
	int		bad, r;

	r = c->term != NULL
	    ? ends_run(&c->term->ends, &c->relay, side, events, now, &bad)
	    : relay_run(&c->relay, g->pipes, side, events, c, now, &bad);
	if (r < 0) {
		if (c->term != NULL && bad == SERVER)
			terminate_server_failed(c);
		conn_end(c, bad == CLIENT ? WHY_CLIENT_RESET : WHY_SERVER_RESET);
		return;
	}
	conn_moved(c);
	if (relay_over(&c->relay)) {
		conn_end(c, WHY_CLOSED);
		return;
	}
	/* who is wanted for nothing may still fail: told once, not without end */
	for (int s = 0; s < 2 && c->phase != P_ENDED; s++) {
		uint32_t wants = relay_wants(&c->relay, s);

		conn_watch(c, s, wants != 0 ? wants : EPOLLET);
	}
}

static void
on_event(struct conn *c, int side, uint32_t events)
{
	switch (c->phase) {
	case P_HELLO:
	case P_SHAKE:
		c->kind->hello(c, events);
		break;
	case P_LINK:
	case P_QUEUE:
	case P_CROWD:
	case P_ASKED:
	case P_BEGUN:
		if (side == SERVER && c->phase == P_BEGUN)
			dial_begun(c);
		else if (side == CLIENT && (events & (EPOLLERR | EPOLLHUP)))
			conn_end(c, WHY_LEFT);
		break;
	case P_ANSWER:
		if (c->term != NULL) {
			if (side == SERVER)
				terminate_answer(c, events);
			else if (events & (EPOLLERR | EPOLLHUP))
				conn_end(c, WHY_CLIENT_RESET);
			else if (events & EPOLLRDHUP) /* an edge: not told again */
				c->closing[CLIENT] = true;
			break;
		}
		/* fallthrough */
	case P_OPEN:
		if (is_tunnel(c))
			tunnel_event(c, side, events);
		else
			conn_carry(c, side, events);
		break;
	default:
		break;
	}
}

void
conn_events(void *gateway, int events)
{
	struct gateway	  *g = gateway;
	struct epoll_event ev[EVENTS];
	int		   n = epoll_wait(g->epoll, ev, EVENTS, 0);

	(void)events;
	for (int i = 0; i < n; i++)
		on_event((struct conn *)(uintptr_t)(ev[i].data.u64 & ~1ULL),
		    (int)(ev[i].data.u64 & 1), ev[i].events);
	conn_settle(g);
}

void
conn_settle(struct gateway *g)
{
	struct shake *e;
	int	      n;

	for (n = 0; n < BEGINS && (e = shakes_next(&g->shakes)) != NULL; n++)
		e->begin(e->owner);
	if (n == BEGINS && g->shakes.waiting > 0) /* after the events at hand */
		g->ticking = loop_timer_set(g->tick, 0) == 0;
	dial_pump(g);
	uplink_pump(g->uplinks);
	conn_bury(g);
	push_bury(g->push);
}

/* -- the server's side -- */

void
conn_option(int fd, int level, int name, uint64_t v)
{
	int n = (int)v;

	(void)setsockopt(fd, level, name, &n, sizeof(n));
}

void
conn_socket(const struct gateway *g, int fd)
{
	conn_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	conn_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	conn_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, g->conf.keepalive);
	conn_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, g->conf.keepalive / 4 + 1);
	conn_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

static void
fill(struct sockaddr_storage *ss, const struct conn *c, sa_family_t family)
{
	struct sockaddr_in  *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = family;
	if (family == AF_INET) {
		memcpy(&v4->sin_addr, c->addr + 12, 4);
		v4->sin_port = htons(c->port);
	} else {
		memcpy(&v6->sin6_addr, c->addr, 16);
		v6->sin6_port = htons(c->port);
	}
}

size_t
conn_introduction(const struct conn *c, uint8_t *out)
{
	struct sockaddr_storage client, here = { 0 };
	socklen_t		len = sizeof(here);
	struct proxy_tls	tls;

	if (getsockname(c->relay.fd[CLIENT], (struct sockaddr *)&here, &len) < 0)
		return 0;
	fill(&client, c, here.ss_family);
	if (c->term != NULL)
		tls = (struct proxy_tls){ c->sni,
			tls_version(c->term->ends.of[CLIENT].tls),
			tls_alpn(c->term->ends.of[CLIENT].tls) };
	return proxy_build(&client, &here, c->term != NULL ? &tls : NULL, out,
	    PROXY_MAX);
}

/* Who the client is, before its first byte. A new socket has room for it. */
static bool
send_proxy(struct conn *c)
{
	uint8_t header[PROXY_MAX] = { 0 };
	size_t	n = conn_introduction(c, header);

	return n > 0 && send(c->relay.fd[SERVER], header, n, MSG_NOSIGNAL) ==
	    (ssize_t)n;
}

bool
conn_announce(struct conn *c)
{
	conn_phase(c, P_ANSWER);
	if (!c->g->conf.proxy_protocol || send_proxy(c))
		return true;
	conn_end(c, WHY_SERVER_RESET);
	return false;
}

void
conn_pass(struct conn *c)
{
	if (conn_announce(c))
		conn_carry(c, CLIENT, EPOLLIN); /* a ClientHello waits */
}

void
conn_open(struct conn *c)
{
	struct gateway *g = c->g;

	conn_socket(g, c->relay.fd[SERVER]);
	if (is_tunnel(c)) {
		tunnel_connected(c);
		return;
	}
	g->carried++;
	c->kind->open(c);
}

/* -- time -- */

static void
late(struct gateway *g, enum phase p, enum why why)
{
	struct conn *c;
	uint64_t     now = loop_now_ms(g->loop);

	while ((c = g->list[p].first) != NULL && phase_ms(g, p) > 0 &&
	    now - c->since_ms >= phase_ms(g, p))
		if (p == P_ASKED && c->stream[SERVER] != NULL)
			tunnel_late(c);
		else
			conn_end(c, why == WHY_NO_SERVER && c->kind->is_forward
				? WHY_TARGET_LATE
				: why);
}

static void
on_stuck(void *ctx, void *owner)
{
	(void)ctx;
	conn_end(owner, WHY_STUCK);
}

/* Who takes nothing for send-timeout, with a pipe or, if there were no more,
 * without. All are looked at once a second. */
static void
drop_stuck(struct gateway *g)
{
	uint64_t now = loop_now_ms(g->loop), send = g->conf.send_timeout * 1000;

	if (now <= send)
		return;
	pipes_each_stuck(g->pipes, now - send, on_stuck, NULL);
	if (pipes_bare(g->pipes) == 0 || now - g->looked_ms < 1000)
		return;
	g->looked_ms = now;
	for (struct conn *c = g->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (relay_stuck(&c->relay, now - send))
			conn_end(c, WHY_STUCK);
	}
}

/* At the end: who carries nothing goes, and after a while everybody. */
static void
drain_some(struct gateway *g)
{
	uint64_t now = loop_now_ms(g->loop);

	for (struct conn *c = g->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (now >= g->drain_end_ms ||
		    (now - c->since_ms >= QUIET_MS && c->relay.held[0] == NULL &&
			c->relay.held[1] == NULL && !c->relay.blocked[0] &&
			!c->relay.blocked[1]))
			conn_end(c, WHY_DRAINED);
	}
}

/* Nobody shares a lane with the same others for ever; who is in one stays. */
static void
deal_lanes(struct gateway *g)
{
	uint64_t now = loop_now_ms(g->loop), secret;

	if (now - g->dealt_ms < LANES_MS ||
	    RAND_bytes((uint8_t *)&secret, sizeof(secret)) != 1)
		return;
	g->dealt_ms = now;
	g->shakes.secret = secret;
}

static void
too_old(struct gateway *g)
{
	uint64_t now = loop_now_ms(g->loop), max = g->conf.total_timeout * 1000;

	while (max > 0 && g->oldest != NULL && now - g->oldest->start_ms >= max)
		conn_end(g->oldest, WHY_TOTAL);
}

void
conn_tick_soon(struct gateway *g)
{
	bool away = upstream_away(&g->upstream) ||
	    upstream_away(&g->terminate.servers);

	if (!g->ticking && (g->n > 0 || away || g->paused || g->leaving != NULL ||
		uplinks_want_ticks(g->uplinks)))
		g->ticking = loop_timer_set(g->tick, TICK_MS) == 0;
}

void
conn_tick(void *gateway)
{
	struct gateway *g = gateway;

	g->ticking = false;
	late(g, P_HELLO, WHY_HELLO_TIMEOUT);
	late(g, P_SHAKE, WHY_HELLO_TIMEOUT);
	late(g, P_LINK, WHY_NO_UPLINK);
	late(g, P_QUEUE, WHY_NO_SERVER);
	late(g, P_CROWD, WHY_NO_SERVER);
	late(g, P_ASKED, WHY_NO_SERVER);
	late(g, P_ANSWER, WHY_SILENT);
	late(g, P_OPEN, WHY_IDLE);
	too_old(g);
	drop_stuck(g);
	terminate_tick(g);
	if (g->draining)
		drain_some(g);
	accept_resume(g);
	accept_tick(g);
	dial_tick(g);
	dial_probe(g);
	uplinks_tick(g->uplinks);
	deal_lanes(g);
	conn_settle(g);
	if (shakes_rest(&g->shakes))
		(void)malloc_trim(0); /* malloc keeps what lies between others */
	conn_tick_soon(g);
}

void
conn_drain(struct gateway *g)
{
	const uint64_t ms = worker_settings(g->w)->master.drain_timeout * 500;

	g->refusing = g->draining = true;
	g->drain_end_ms = loop_now_ms(g->loop) + ms;
	g->n++; /* the last one to end now is not the end yet */
	for (int p = P_HELLO; p < P_ANSWER; p++)
		while (g->list[p].first != NULL)
			conn_end(g->list[p].first, WHY_DRAINING);
	push_drain(g->push);
	uplinks_drain(g->uplinks);
	g->n--;
	accept_unlisten(&g->listeners);
	accept_unlisten(&g->leaving);
	conn_check_drained(g);
	conn_tick_soon(g);
}
