/*
 * dp-gateway/terminate.c - from a device's TLS to the server's; see terminate.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes a device's name once its
 * certificate is verified, and a server once its own is.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/terminate.h"

#include "common/identity.h"
#include "common/log.h"
#include "common/value.h"
#include "dp-gateway/forward.h"
#include "dp-gateway/uplink.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "urn:dpoint:device:"
#define ALERT_CERTIFICATE_REVOKED 44
#define ALERT_CERTIFICATE_EXPIRED 45
#define ALERT_ACCESS_DENIED	  49
#define ALERT_INTERNAL_ERROR	  80

/* -- configuration -- */

int
terminate_prepare(struct gateway *g, const struct gateway_conf *conf)
{
	struct terminate *t = &g->terminate;
	bool		  own = conf->terminate_cert[0] != '\0';

	tls_unref(&t->next);
	if (t->devices == NULL &&
	    addr_count_new(&t->devices, ADDR_COUNT_ALL) < 0)
		return -ENOMEM;
	if (conf->terminate_listen[0] == '\0' || !conf->terminate_tls)
		return 0;
	return identity_client(g->w,
	    own ? "gateway.terminate-cert" : "gateway.cert",
	    own ? "gateway.terminate-key" : "gateway.key",
	    "gateway.terminate-ca", &t->next);
}

void
terminate_take(struct gateway *g)
{
	struct terminate *t = &g->terminate;

	tls_unref(&t->tls);
	t->tls = t->next;
	t->next = NULL;
}

void
terminate_close(struct gateway *g)
{
	tls_unref(&g->terminate.tls);
	tls_unref(&g->terminate.next);
	addr_count_free(&g->terminate.devices);
}

/* -- the device's side -- */

/* As wanted by a handshake, or by what it left unsent. */
static void
watch(struct conn *c, int side)
{
	bool out = tls_unsent(c->term->ends.of[side].tls) > 0;

	conn_watch(c, side, EPOLLIN | EPOLLRDHUP | (out ? (uint32_t)EPOLLOUT : 0));
}

/* The 16 bytes of the UUID in a device's name; false: it is none. */
static bool
device_of(const char *name, uint8_t out[16])
{
	size_t n = strlen(DEVICE), i = 0;
	char   hex[33];

	if (strncmp(name, DEVICE, n) != 0 || strlen(name + n) != 36)
		return false;
	for (const char *p = name + n; *p != '\0'; p++)
		if (*p != '-' && i < sizeof(hex) - 1)
			hex[i++] = *p;
	hex[i] = '\0';
	return i == 32 && OPENSSL_hexstr2buf_ex(out, 16, &i, hex, '\0') == 1;
}

/* A verified device goes on, or says first where to. */
static void
onward(struct conn *c)
{
	if (c->kind->is_forward) {
		forward_tls_head(c);
		return;
	}
	conn_watch(c, CLIENT, EPOLLET); /* only that it leaves */
	if (c->phase != P_ENDED)
		dial_queue(c);
}

static void
verified(struct conn *c)
{
	struct gateway	 *g = c->g;
	struct terminate *t = &g->terminate;
	struct tls_conn	 *tls = c->term->ends.of[CLIENT].tls;

	c->term->shaken = true;
	conn_shaken(g, SHAKEN_DEVICE, tls, c->start_ms);
	if ((c->sni = strdup(tls_peer_name(tls))) == NULL) {
		conn_end(c, WHY_MEMORY);
		return;
	}
	/* hands may have been shaken by the lists of before a reload */
	if (g->lists != NULL && tls_peer_revoked(tls, g->lists)) {
		conn_end(c, WHY_CERT_REVOKED);
		return;
	}
	if (!device_of(c->sni, c->term->device)) {
		conn_end(c, WHY_NO_DEVICE);
		return;
	}
	agent_sight_say(g->agents, c->sni, c->addr, loop_now_ms(g->loop));
	if (addr_count_add(t->devices, c->term->device,
		g->conf.max_per_device) < 0) {
		conn_end(c, WHY_DEVICE);
		return;
	}
	c->term->counted = true;
	if (t->next_expiry == 0 || tls_peer_expires(tls) < t->next_expiry)
		t->next_expiry = tls_peer_expires(tls);
	onward(c);
}

static bool
begin(struct conn *c)
{
	struct tls_conn *tls;

	if (tls_accept(c->g->tls, c->relay.fd[CLIENT], &tls) < 0)
		return false;
	tls_offer_alpn(tls, c->kind->is_forward		? "http/1.1"
		: c->g->conf.alpn[0] != '\0' ? c->g->conf.alpn
					     : "*");
	ends_set(&c->term->ends, CLIENT, c->relay.fd[CLIENT], tls);
	return true;
}

/* In gateway.alpn "none" is for who offers none. */
static bool
alpn_is_missing(const struct conn *c, const struct tls_conn *tls)
{
	char   word[256];
	size_t pos = 0;

	if (tls_alpn(tls)[0] != '\0' || c->g->conf.alpn[0] == '\0' ||
	    c->kind->is_forward)
		return false;
	while (value_word(c->g->conf.alpn, &pos, word, sizeof(word)))
		if (strcmp(word, "none") == 0)
			return false;
	return true;
}

static void
shake(struct conn *c)
{
	struct tls_conn *tls = c->term->ends.of[CLIENT].tls;
	int		 r;

	tls_readable(tls, false);
	if ((r = tls_handshake(tls)) == 0 && (r = tls_flush(tls)) == -EAGAIN)
		r = 0; /* the ticket goes with what comes after */
	else if (r == -EAGAIN) {
		watch(c, CLIENT);
		return;
	}
	shakes_leave(&c->g->shakes, &c->term->shake);
	if (r < 0) {
		enum why why = conn_why_tls(tls, r);

		if (why == WHY_TLS && tls_error()[0] != '\0')
			c->sni = strdup(tls_error()); /* in place of a name */
		conn_end(c, why);
	} else if (alpn_is_missing(c, tls))
		conn_end(c, WHY_ALPN);
	else
		verified(c);
}

static void
on_turn(void *owner)
{
	struct conn *c = owner;

	if (c->g->tls == NULL) /* a reload took it while this one was silent */
		conn_end(c, WHY_DRAINING);
	else if (!begin(c))
		conn_end(c, WHY_MEMORY);
	else
		shake(c);
}

/* Who says nothing holds no place among those whose hands are shaken. */
static bool
has_spoken(struct conn *c)
{
	uint8_t byte;
	ssize_t n = recv(c->relay.fd[CLIENT], &byte, 1, MSG_PEEK);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		conn_end(c, WHY_LEFT);
	else if (n < 0)
		conn_watch(c, CLIENT, EPOLLIN | EPOLLRDHUP);
	return n > 0;
}

void
terminate_hello(struct conn *c, uint32_t events)
{
	struct term *t = c->term;

	(void)events;
	if (t == NULL && !has_spoken(c))
		return;
	if (t == NULL && (t = c->term = calloc(1, sizeof(*t))) == NULL)
		conn_end(c, WHY_MEMORY);
	else if (t->counted) {
		tls_readable(t->ends.of[CLIENT].tls, false);
		onward(c);
	} else if (t->shake.state == SHAKE_ON)
		shake(c);
	else if (t->shake.state == SHAKE_WAITS)
		conn_end(c, WHY_LEFT);
	else {
		conn_phase(c, P_SHAKE);
		ends_init(&t->ends);
		t->shake.begin = on_turn;
		t->shake.owner = c;
		if (shakes_enter(&c->g->shakes, &t->shake, c->addr))
			on_turn(c);
		else
			conn_watch(c, CLIENT, EPOLLRDHUP);
	}
}

/* -- the server's side -- */

static void
opened(struct conn *c)
{
	struct gateway *g = c->g;

	upstream_answered(&g->terminate.servers, c->server,
	    loop_now_ms(g->loop));
	dial_say(g);
	conn_phase(c, P_OPEN);
	/* either may have said something already */
	conn_carry(c, CLIENT, EPOLLIN);
	if (c->phase == P_OPEN)
		conn_carry(c, SERVER, EPOLLIN);
}

void
terminate_failed(struct conn *c, const char *fault)
{
	struct gateway	*g = c->g;
	struct upstream *u = conn_upstream(c);
	uint64_t	 now = loop_now_ms(g->loop);

	if (fault[0] != '\0')
		upstream_failed(u, c->server, now, fault);
	else /* by its PROXY header it may not like the device */
		upstream_unanswered(u, c->server, c->since_ms, now,
		    "leaves in the TLS handshake");
	dial_say(g);
}

/* This address is no good: on to the next one. */
static void
next_server(struct conn *c, const char *fault)
{
	terminate_failed(c, fault);
	ends_drop(&c->term->ends, SERVER);
	conn_drop_server(c);
	dial_queue(c);
}

/* What a reload has said since of another server, as that it is spoken to in
 * clear, it has not said of the one that was being connected to. */
bool
terminate_listed(struct conn *c)
{
	return upstream_find(&c->g->terminate.servers, c->server) != NULL;
}

enum why
terminate_connect(struct conn *c, int fd, struct tls_conn **out)
{
	struct terminate    *t = &c->g->terminate;
	const struct server *s = upstream_find(&t->servers, c->server);
	const char	    *name = c->g->conf.terminate_name;

	if (name[0] == '\0' && s != NULL)
		name = s->host;
	/* no context: a reload took the listener, and how to reach the server */
	if (t->tls == NULL || name[0] == '\0')
		return WHY_NO_SERVER;
	return tls_connect(t->tls, fd, name,
		   tls_alpn(c->term->ends.of[CLIENT].tls), out) < 0
	    ? WHY_MEMORY
	    : WHY_CLOSED;
}

void
terminate_open(struct conn *c)
{
	struct tls_conn *tls;
	int		 fd = c->relay.fd[SERVER];
	enum why	 why;

	if (!terminate_listed(c)) {
		conn_drop_server(c);
		dial_queue(c);
		return;
	}
	if (!conn_announce(c))
		return;
	if (!c->g->conf.terminate_tls) {
		ends_set(&c->term->ends, SERVER, fd, NULL);
		opened(c);
		return;
	}
	if ((why = terminate_connect(c, fd, &tls)) != WHY_CLOSED) {
		conn_end(c, why);
		return;
	}
	ends_set(&c->term->ends, SERVER, fd, tls);
	terminate_answer(c, 0);
}

void
terminate_answer(struct conn *c, uint32_t events)
{
	struct tls_conn *tls = c->term->ends.of[SERVER].tls;
	int		 r;

	(void)events;
	tls_readable(tls, false);
	if ((r = tls_handshake(tls)) == -EAGAIN)
		watch(c, SERVER);
	else if (r < 0 && tls_fault(tls) == TLS_FAULT_ALPN)
		conn_end(c, WHY_ALPN); /* the device's choice, no server's fault */
	else if (r == -ENOMEM)
		conn_end(c, WHY_MEMORY); /* ours */
	else if (r < 0)
		next_server(c, r == -EPROTO ? tls_error() : "");
	else {
		conn_shaken(c->g, SHAKEN_SERVER, tls, c->since_ms);
		opened(c);
	}
}

void
terminate_server_failed(struct conn *c)
{
	struct gateway *g = c->g;

	const struct tls_conn *tls = c->term->ends.of[SERVER].tls;

	/* in TLS 1.3 a server refuses our certificate after the handshake */
	if (c->relay.bytes[SERVER] > 0 || tls == NULL ||
	    tls_fault(tls) != TLS_FAULT_ALERT)
		return;
	upstream_failed(conn_upstream(c), c->server, loop_now_ms(g->loop),
	    tls_error());
	dial_say(g);
}

/* -- ends -- */

static void
farewell(struct end *e, enum why why)
{
	if (e->tls == NULL)
		return;
	if (why == WHY_NO_SERVER || why == WHY_MEMORY)
		tls_abort(e->tls, ALERT_INTERNAL_ERROR);
	else if (why == WHY_NO_DEVICE || why == WHY_DEVICE)
		tls_abort(e->tls, ALERT_ACCESS_DENIED);
	else if (why == WHY_NOW_REVOKED || why == WHY_CERT_REVOKED)
		tls_abort(e->tls, ALERT_CERTIFICATE_REVOKED);
	else if (why == WHY_NOW_EXPIRED)
		tls_abort(e->tls, ALERT_CERTIFICATE_EXPIRED);
	else
		tls_goodbye(e->tls);
}

void
terminate_fini(struct conn *c, enum why why)
{
	struct term *t = c->term;

	if (t == NULL)
		return;
	if (t->shaken && c->kind->is_forward && why < WHY_REFUSED &&
	    c->phase < P_ANSWER) {
		forward_tls_refuse(&t->ends.of[CLIENT], why);
		farewell(&t->ends.of[CLIENT], WHY_CLOSED);
	} else if (t->shaken && why != WHY_CLOSED && why != WHY_CLIENT_RESET &&
	    why != WHY_SERVER_RESET && why != WHY_LEFT)
		farewell(&t->ends.of[CLIENT], why);
	if (c->phase == P_OPEN && why > WHY_SERVER_RESET)
		farewell(&t->ends.of[SERVER], WHY_CLOSED);
	shakes_leave(&c->g->shakes, &t->shake);
	if (t->counted)
		addr_count_drop(c->g->terminate.devices, t->device);
	ends_fini(&t->ends);
	free(t->head);
	free(t);
	c->term = NULL;
}

/* -- certificates that are no longer good -- */

void
terminate_check(struct gateway *g)
{
	for (struct conn *c = g->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (c->term != NULL && g->lists != NULL && c->term->counted &&
		    tls_peer_revoked(c->term->ends.of[CLIENT].tls, g->lists))
			conn_end(c, WHY_NOW_REVOKED);
	}
}

static void
expire(struct gateway *g)
{
	struct terminate *t = &g->terminate;
	int64_t		  now = time(NULL), at;

	if (t->next_expiry == 0 || now < t->next_expiry)
		return;
	t->next_expiry = 0;
	for (struct conn *c = g->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (c->term == NULL || !c->term->counted)
			continue;
		at = tls_peer_expires(c->term->ends.of[CLIENT].tls);
		if (at <= now)
			conn_end(c, WHY_NOW_EXPIRED);
		else if (t->next_expiry == 0 || at < t->next_expiry)
			t->next_expiry = at;
	}
}

void
terminate_tick(struct gateway *g)
{
	uint64_t now = loop_now_ms(g->loop), send = g->conf.send_timeout * 1000;

	expire(g);
	if (now - g->terminate.looked_ms < 1000 || now < send)
		return;
	g->terminate.looked_ms = now;
	if (ends_waiting() == 0) /* to look at 5,000 takes a millisecond */
		return;
	for (struct conn *c = g->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (c->term != NULL && c->phase == P_OPEN &&
		    (c->link != 0 ? tunnel_is_stuck(c, now)
				  : ends_stuck(&c->term->ends, &c->relay,
					now - send)))
			conn_end(c, WHY_STUCK);
	}
}
