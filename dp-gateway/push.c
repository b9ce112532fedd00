/*
 * dp-gateway/push.c - the push channel: connections from their start to their
 * end; see push.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes of a client what its verified
 * certificate says.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "dp-gateway/push_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS	   64	/* of one turn: each may be a handshake */
#define TURN_ALIVE 1000 /* of one tick */
#define LINGER_MS  2000
#define TURN_LINGER 65536 /* bytes of one that was answered */
#define ASK_MS	   5000
#define KEEPIDLE_MAX 32767 /* s, of the kernel's */
#define LEAVE_MIN  1000
#define LEAVE_EACH 5 /* ms: two hundred devices come back in a second */
/* What the kernel keeps of what a device does not take: some fifty events. */
#define SEND_BUFFER 4096

/* -- lists -- */

static void
state_remove(struct push_conn *c)
{
	struct push *p = c->p;

	*(c->prev != NULL ? &c->prev->next : &p->list[c->state].first) = c->next;
	*(c->next != NULL ? &c->next->prev : &p->list[c->state].last) = c->prev;
	p->list[c->state].n--;
}

static void
state_append(struct push_conn *c, enum state s)
{
	struct push *p = c->p;

	c->state = (uint8_t)s;
	c->since_ms = loop_now_ms(p->g->loop);
	c->prev = p->list[s].last;
	c->next = NULL;
	*(c->prev != NULL ? &c->prev->next : &p->list[s].first) = c;
	p->list[s].last = c;
	p->list[s].n++;
}

void
push_state(struct push_conn *c, enum state s)
{
	state_remove(c);
	state_append(c, s);
}

static void
tick_soon(struct push *p)
{
	if (!p->ticking && p->oldest != NULL)
		p->ticking = loop_timer_set(p->tick, TICK_MS) == 0;
}

/* -- the end of one -- */

void
push_end(struct push_conn *c, enum why why)
{
	struct push    *p = c->p;
	struct gateway *g = p->g;
	const char     *name = NULL;

	if (c->state == S_ENDED)
		return;
	if (c->state > S_SHAKE)
		name = tls_peer_name(c->tls);
	else if (why == WHY_TLS && tls_error()[0] != '\0')
		name = tls_error(); /* in its place */
	push_runs_skip(c);
	conn_count(g, c->addr, c->port, name, why);
	state_remove(c);
	c->state = S_ENDED;
	*(c->older != NULL ? &c->older->newer : &p->oldest) = c->newer;
	*(c->newer != NULL ? &c->newer->older : &p->newest) = c->older;
	registry_remove(p->devices, &c->device);
	push_forget_waiting(c);
	free(c->head);
	c->head = NULL;
	shakes_leave(&g->shakes, &c->shake);
	tls_conn_free(&c->tls);
	close(c->fd); /* and with it leaves the epoll set */
	addr_count_drop(g->addresses, c->addr);
	c->next = p->ended; /* events at hand may still name it */
	p->ended = c;
	g->n--;
	g->fds--;
	conn_check_drained(g);
}

void
push_bury(struct push *p)
{
	struct push_conn *c;

	while ((c = p->ended) != NULL) {
		p->ended = c->next;
		free(c);
	}
}

void
push_goodbye(struct push_conn *c, enum why why)
{
	if (c->state != S_ENDED && c->state > S_SHAKE && !c->blocked)
		tls_goodbye(c->tls);
	push_end(c, why);
}

/* -- bytes out -- */

bool
push_flush(struct push_conn *c)
{
	int r = tls_flush(c->tls);

	c->blocked = r == -EAGAIN;
	if (r < 0 && r != -EAGAIN) {
		push_end(c, WHY_CLIENT_RESET);
		return false;
	}
	return true;
}

bool
push_put(struct push_conn *c, const char *text, size_t n)
{
	if (tls_write(c->tls, text, n) < 0) {
		push_end(c, WHY_CLIENT_RESET);
		return false;
	}
	return push_flush(c);
}

bool
push_emit(struct push_conn *c, const char *text, size_t n)
{
	if (!push_put(c, text, n))
		return false;
	push_state(c, c->blocked ? S_SLOW : S_OPEN);
	return true;
}

/* A device says nothing after its request; a lingering one may. */
static void
read_rest(struct push_conn *c)
{
	char	buf[512];
	size_t	turn = 0;
	ssize_t n;

	do {
		n = tls_read(c->tls, buf, sizeof(buf));
		turn += n > 0 ? (size_t)n : 0;
	} while (n > 0 && c->state == S_LINGER && turn < TURN_LINGER);
	/* what more has come may lie there until LINGER_MS are over */
	if (n == -EAGAIN || (n > 0 && c->state == S_LINGER))
		return;
	if (c->state == S_LINGER && n == 0)
		push_was_alive(c);
	if (c->state == S_LINGER)
		push_end(c, (enum why)c->why);
	else if (n > 0)
		push_goodbye(c, WHY_BAD_REQUEST);
	else
		push_end(c, n == 0 ? WHY_CLOSED : WHY_CLIENT_RESET);
}

/* -- events -- */

static void
shake(struct push_conn *c)
{
	struct push *p = c->p;
	int	     r = tls_handshake(c->tls);

	if (r == -EAGAIN)
		return;
	shakes_leave(&p->g->shakes, &c->shake);
	if (r < 0) {
		push_end(c, conn_why_tls(c->tls, r));
		return;
	}
	conn_shaken(p->g, SHAKEN_DEVICE, c->tls, c->start_ms);
	push_state(c, S_HEAD);
	if (p->next_expiry == 0 || tls_peer_expires(c->tls) < p->next_expiry)
		p->next_expiry = tls_peer_expires(c->tls);
	/* by the lists of before a reload, perhaps */
	if (p->g->lists != NULL && tls_peer_revoked(c->tls, p->g->lists))
		push_goodbye(c, WHY_CERT_REVOKED);
	else {
		agent_sight_say(p->g->agents, tls_peer_name(c->tls), c->addr,
		    loop_now_ms(p->g->loop));
		(void)push_flush(c);
	}
}

/* Its hello is read when it is its turn: whether that is now. */
static bool
may_begin(struct push_conn *c, uint32_t events)
{
	if (c->tls != NULL)
		return true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		push_end(c, WHY_LEFT);
		return false;
	}
	if (c->state == S_SILENT) {
		if (!(events & EPOLLIN))
			return false;
		push_state(c, S_SHAKE);
		(void)shakes_enter(&c->p->g->shakes, &c->shake, c->addr);
	}
	if (c->shake.state != SHAKE_ON)
		return false;
	if (c->p->g->tls == NULL) /* a reload took it in the meantime */
		push_end(c, WHY_DRAINING);
	else if (tls_accept(c->p->g->tls, c->fd, &c->tls) == 0)
		return true;
	else
		push_end(c, WHY_MEMORY);
	return false;
}

static void
on_event(struct push_conn *c, uint32_t events)
{
	if (c->state == S_ENDED || !may_begin(c, events))
		return;
	tls_readable(c->tls, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
	if (c->state == S_SHAKE)
		shake(c);
	else if (c->blocked && !push_flush(c))
		return;
	if (c->state == S_SLOW && !c->blocked)
		(void)push_catch_up(c);
	if (c->state == S_HEAD)
		push_read_request(c);
	if (c->state == S_OPEN || c->state == S_SLOW || c->state == S_LINGER)
		read_rest(c);
}

static void
on_turn(void *owner)
{
	on_event(owner, EPOLLIN);
}

static void
on_events(void *ctx, int events)
{
	struct push	  *p = ctx;
	struct epoll_event ev[EVENTS];
	int		   n = epoll_wait(p->epoll, ev, EVENTS, 0);

	(void)events;
	for (int i = 0; i < n; i++)
		on_event(ev[i].data.ptr, ev[i].events);
	conn_settle(p->g);
	tick_soon(p);
}

void
push_take(struct listener *l, int take_fd, const uint8_t addr[16], uint16_t port)
{
	struct gateway	  *g = l->g;
	struct push	  *p = g->push;
	struct push_conn  *c = calloc(1, sizeof(*c));
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP |
		    EPOLLET, .data.ptr = c };
	int r = -ENOMEM;

	if (c == NULL ||
	    (r = addr_count_add(g->addresses, addr, g->conf.max_per_address)) <
		0) {
		close(take_fd);
		free(c);
		conn_count(g, addr, port, NULL,
		    r == -EUSERS ? WHY_ADDRESS : WHY_MEMORY);
		return;
	}
	c->p = p;
	c->shake.begin = on_turn;
	c->shake.owner = c;
	c->fd = take_fd;
	c->id = conn_number(g);
	c->port = port;
	memcpy(c->addr, addr, 16);
	state_append(c, S_SILENT);
	c->start_ms = c->since_ms;
	c->older = p->newest;
	*(c->older != NULL ? &c->older->newer : &p->oldest) = c;
	p->newest = c;
	g->n++;
	g->fds++;
	conn_option(take_fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
	/* comments are asked for sooner, and no more often is a battery woken */
	conn_option(take_fd, IPPROTO_TCP, TCP_KEEPIDLE,
	    g->conf.push_keepalive < KEEPIDLE_MAX / 2 ? 2 * g->conf.push_keepalive
						    : KEEPIDLE_MAX);
	/* keep-alives of TCP's do not count while bytes are under way */
	conn_option(take_fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
	    g->conf.send_timeout * 1000);
	if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, take_fd, &e) < 0) {
		push_end(c, WHY_MEMORY);
		push_bury(p);
	}
	tick_soon(p);
}

/* -- time -- */

static void
late(struct push *p, enum state s, uint64_t ms,
    void (*fn)(struct push_conn *c, enum why why), enum why why)
{
	uint64_t	  now = loop_now_ms(p->g->loop);
	struct push_conn *c;

	while ((c = p->list[s].first) != NULL && now - c->since_ms >= ms)
		fn(c, why);
}

static void
linger_end(struct push_conn *c, enum why why)
{
	(void)why;
	push_end(c, (enum why)c->why);
}

static void
keep_alive(struct push *p)
{
	uint64_t	  now = loop_now_ms(p->g->loop);
	struct push_conn *c;
	char		  text[WAKE_ID_MAX];
	size_t		  len = p->has_gap
		? (size_t)snprintf(text, sizeof(text), ":\n\n")
		: push_id_text(push_heard(p), true, text);

	for (int n = 0; n < TURN_ALIVE && (c = p->list[S_OPEN].first) != NULL &&
	     now - c->since_ms >= p->g->conf.push_keepalive * 1000; n++) {
		p->n.alive++;
		(void)push_emit(c, text, len);
	}
}

/* Whose certificate is no longer good: all are looked at when the first one's
 * is due. */
static void
expire(struct push *p)
{
	int64_t now = time(NULL), at;

	if (p->next_expiry == 0 || now < p->next_expiry)
		return;
	p->next_expiry = 0;
	for (struct push_conn *c = p->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (c->state <= S_SHAKE)
			continue;
		at = tls_peer_expires(c->tls);
		if (at <= now)
			push_goodbye(c, WHY_NOW_EXPIRED);
		else if (p->next_expiry == 0 || at < p->next_expiry)
			p->next_expiry = at;
	}
}

static void
on_tick(void *ctx)
{
	struct push		  *p = ctx;
	const struct gateway_conf *conf = &p->g->conf;
	uint64_t		   total = conf->total_timeout * 1000;

	p->ticking = false;
	late(p, S_SILENT, conf->hello_timeout * 1000, push_end, WHY_HELLO_TIMEOUT);
	late(p, S_SHAKE, conf->hello_timeout * 1000, push_end, WHY_HELLO_TIMEOUT);
	late(p, S_HEAD, conf->hello_timeout * 1000, push_end, WHY_HELLO_TIMEOUT);
	late(p, S_SLOW, conf->send_timeout * 1000, push_end, WHY_STUCK);
	late(p, S_ASKS, ASK_MS, push_unanswered, WHY_CLOSED);
	late(p, S_LINGER, LINGER_MS, linger_end, WHY_CLOSED);
	while (total > 0 && p->oldest != NULL &&
	    loop_now_ms(p->g->loop) - p->oldest->start_ms >= total)
		push_goodbye(p->oldest, WHY_TOTAL);
	expire(p);
	keep_alive(p);
	accept_resume(p->g);
	push_bury(p);
	tick_soon(p);
}

/* -- the administrator's -- */

struct push_conn *
push_from(const struct push *p, uint64_t id)
{
	struct push_conn *c = p->oldest;

	while (c != NULL && c->id < id)
		c = c->newer;
	return c;
}

struct push_conn *
push_newer(const struct push_conn *c)
{
	return c->newer;
}

uint64_t
push_id(const struct push_conn *c)
{
	return c->id;
}

const uint8_t *
push_addr(const struct push_conn *c)
{
	return c->addr;
}

json_t *
push_row(const struct push_conn *c)
{
	static const char *const states[S_COUNT] = { "hello", "handshake",
		"request", "open", "slow", "order", "answered" };
	uint64_t now = loop_now_ms(c->p->g->loop);
	char	 at[CONN_ADDR];

	conn_address(c->addr, c->port, at);
	return json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:I,s:I}", "id",
	    (json_int_t)c->id, "kind", "push", "client", at, "name",
	    c->state > S_SHAKE ? tls_peer_name(c->tls) : "", "group",
	    c->device.name != NULL ? device_group(&c->device) : "", "state",
	    states[c->state], "age_s", (json_int_t)((now - c->start_ms) / 1000),
	    "idle_s", (json_int_t)((now - c->since_ms) / 1000));
}

void
push_kick(struct push_conn *c)
{
	push_goodbye(c, WHY_KICKED);
}

const struct push_counts *
push_counts(const struct push *p)
{
	return &p->n;
}

unsigned
push_devices(const struct push *p)
{
	return registry_size(p->devices);
}

unsigned
push_slow(const struct push *p)
{
	return p->list[S_SLOW].n;
}

/* -- life -- */

/* Those who lost us together are not to come back together. */
void
push_drain(struct push *p)
{
	uint64_t  spread = (uint64_t)registry_size(p->devices) * LEAVE_EACH + 1;
	char	  text[WAKE_LEAVE_MAX];
	uint32_t  dice;

	while (p->oldest != NULL) {
		struct push_conn *c = p->oldest;

		if (c->state == S_OPEN &&
		    RAND_bytes((uint8_t *)&dice, sizeof(dice)) == 1 &&
		    !push_emit(c, text,
			push_leave_text(LEAVE_MIN + dice % spread, text)))
			continue;
		push_goodbye(c, c->state <= S_HEAD ? WHY_DRAINING : WHY_DRAINED);
	}
	push_bury(p);
}

void
push_make_room(struct push *p, uint64_t before)
{
	struct push_conn *c = p->list[S_SILENT].first;

	if (c != NULL && c->since_ms <= before)
		push_end(c, WHY_HELLO_TIMEOUT);
}

void
push_reload(struct push *p)
{
	for (struct push_conn *c = p->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (c->state > S_SHAKE && p->g->lists != NULL &&
		    tls_peer_revoked(c->tls, p->g->lists))
			push_goodbye(c, WHY_NOW_REVOKED);
	}
	push_bury(p);
}

int
push_new(struct gateway *g, struct push **out)
{
	struct push *p = calloc(1, sizeof(*p));
	uint64_t     start;
	int	     r = -ENOMEM;

	*out = p;
	if (p == NULL)
		return r;
	p->g = g;
	if ((p->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		r = -errno;
	else if ((r = registry_new(&p->devices)) == 0 &&
	    (r = loop_io_new(g->loop, p->epoll, LOOP_READ, on_events, p,
		 &p->io)) == 0 &&
	    (r = loop_timer_new(g->loop, on_tick, p, &p->tick)) == 0)
		r = loop_timer_new(g->loop, push_on_turn, p, &p->turn);
	/* no number comes again after a restart */
	if (r == 0 && RAND_bytes((uint8_t *)&start, sizeof(start)) != 1)
		r = -EIO;
	return r != 0 ? r : recent_new(start, &p->recent);
}

void
push_free(struct push **pp)
{
	struct push *p = *pp;

	if (p == NULL)
		return;
	push_drain(p);
	push_runs_end(p);
	loop_io_free(&p->io);
	loop_timer_free(&p->tick);
	loop_timer_free(&p->turn);
	registry_free(&p->devices);
	recent_free(&p->recent);
	if (p->epoll >= 0)
		close(p->epoll);
	free(p);
	*pp = NULL;
}
