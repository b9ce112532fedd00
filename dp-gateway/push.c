/*
 * dp-gateway/push.c - the push channel; see push.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes of a client what its verified
 * certificate says, and of its words the group it wants to be woken with.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/push.h"

#include "common/http_request.h"
#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"
#include "dp-gateway/registry.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS	   64	/* of one turn: each may be a handshake */
#define TURN_WAKES 256	/* of one turn */
#define TURN_ALIVE 1000 /* of one tick */
#define RUNS_MAX   64
#define LINGER_MS  2000
#define ASK_MS	   5000
#define LEAVE_MIN  1000
#define LEAVE_EACH 5 /* ms: two hundred devices come back in a second */
/* What the kernel keeps of what a device does not take: some fifty events. */
#define SEND_BUFFER 4096

#define DEVICE "urn:dpoint:device:"

/* Each a list in order of time, so that a tick looks at the heads only. */
enum state {
	S_SHAKE,
	S_HEAD, /* its request is not whole */
	S_OPEN, /* since_ms: the last event or comment */
	S_SLOW, /* an open one that does not take what it got */
	S_ASKS, /* its order is under way */
	S_LINGER, /* is answered for good */
	S_ENDED,
	S_COUNT = S_ENDED
};

struct head { /* a request that comes */
	struct http_request req;
	size_t		    len;
	bool		    is_done, continued;
	char		    buf[HTTP_REQUEST_HEAD_MAX + WAKE_BODY_MAX];
};

struct push_conn {
	struct device	  device;
	struct push	 *p;
	struct push_conn *prev, *next;	 /* in the list of its state */
	struct push_conn *older, *newer; /* of all */
	struct tls_conn	 *tls;
	struct head	 *head;
	struct wake	**waiting; /* by kind; NULL: nothing waits */
	uint64_t	  id, start_ms, since_ms;
	int		  fd;
	uint16_t	  port;
	uint8_t		  addr[16], state, why;
	bool		  blocked; /* bytes of ours wait for the socket */
};

struct run { /* a wake on its way */
	struct run	  *next;
	struct wake_order  order;
	struct wake	  *wake;
	struct push_conn  *at; /* whose turn it is */
	struct wake_result result;
	uint64_t	   start_ms;
	void (*done)(void *ctx, const struct wake_result *r);
	void		  *ctx;
};

struct push {
	struct gateway	  *g;
	struct registry	  *devices;
	int		   epoll;
	struct loop_io	  *io;
	struct loop_timer *tick, *turn;
	bool		   ticking;
	struct {
		struct push_conn *first, *last;
		unsigned	  n;
	} list[S_COUNT];
	struct push_conn  *oldest, *newest, *ended;
	struct run	  *runs;
	unsigned	   nruns;
	uint64_t	   last_wake;
	struct push_counts n;
};

/* Of now; the loop's time is that of its turn's beginning. */
static uint64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

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

static void
set_state(struct push_conn *c, enum state s)
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

static void
forget_waiting(struct push_conn *c)
{
	for (int i = 0; c->waiting != NULL && i < WAKE_WHATS; i++)
		wake_unref(&c->waiting[i]);
	free(c->waiting);
	c->waiting = NULL;
}

static void
end(struct push_conn *c, enum why why)
{
	struct push    *p = c->p;
	struct gateway *g = p->g;
	const char     *name = c->state > S_SHAKE ? tls_peer_name(c->tls) : NULL;

	if (c->state == S_ENDED)
		return;
	for (struct run *r = p->runs; r != NULL; r = r->next)
		r->at = r->at == c ? c->newer : r->at;
	conn_count(g, c->addr, c->port, name, why);
	state_remove(c);
	c->state = S_ENDED;
	*(c->older != NULL ? &c->older->newer : &p->oldest) = c->newer;
	*(c->newer != NULL ? &c->newer->older : &p->newest) = c->older;
	registry_remove(p->devices, &c->device);
	forget_waiting(c);
	free(c->head);
	c->head = NULL;
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

/* In order: the other end is told that no more comes. */
static void
goodbye(struct push_conn *c, enum why why)
{
	if (c->state != S_ENDED && c->state != S_SHAKE && !c->blocked)
		tls_goodbye(c->tls);
	end(c, why);
}

/* -- bytes out: false if that was its end -- */

static bool
flush(struct push_conn *c)
{
	int r = tls_flush(c->tls);

	c->blocked = r == -EAGAIN;
	if (r < 0 && r != -EAGAIN) {
		end(c, WHY_CLIENT_RESET);
		return false;
	}
	return true;
}

/* Nothing of ours waits for this socket now. */
static bool
put(struct push_conn *c, const char *text, size_t n)
{
	if (tls_write(c->tls, text, n) < 0) {
		end(c, WHY_CLIENT_RESET);
		return false;
	}
	return flush(c);
}

/* An event or a comment, to an open one that is not slow. */
static bool
emit(struct push_conn *c, const char *text, size_t n)
{
	int64_t expires = tls_peer_expires(c->tls);

	if (expires != 0 && expires <= time(NULL)) {
		goodbye(c, WHY_NOW_EXPIRED);
		return false;
	}
	if (!put(c, text, n))
		return false;
	set_state(c, c->blocked ? S_SLOW : S_OPEN);
	return true;
}

/* Whether it went out; else it waits, in place of what it replaces. */
static bool
give(struct push_conn *c, struct wake *w)
{
	struct push *p = c->p;

	if (c->state == S_OPEN) {
		p->n.wakes++;
		return emit(c, w->text, w->len);
	}
	if (c->waiting == NULL &&
	    (c->waiting = calloc(WAKE_WHATS, sizeof(struct wake *))) == NULL) {
		end(c, WHY_MEMORY); /* it comes again, and is up to date then */
		return false;
	}
	p->n.merged += c->waiting[w->what] != NULL;
	wake_unref(&c->waiting[w->what]);
	w->refs++;
	c->waiting[w->what] = w;
	return false;
}

/* A slow one takes bytes again. */
static bool
catch_up(struct push_conn *c)
{
	set_state(c, S_OPEN);
	for (int i = 0; i < WAKE_WHATS && c->waiting != NULL; i++)
		if (c->waiting[i] != NULL && c->state == S_OPEN) {
			struct wake *w = c->waiting[i];

			c->waiting[i] = NULL;
			(void)give(c, w);
			wake_unref(&w);
		}
	if (c->state == S_OPEN)
		forget_waiting(c); /* empty now */
	return c->state == S_OPEN;
}

/* -- answers that end it -- */

static const char *
reason(int status)
{
	static const struct {
		int	    status;
		const char *text;
	} all[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 413, "Content Too Large" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < COUNT(all); i++)
		if (all[i].status == status)
			return all[i].text;
	return "Refused";
}

static void
answer(struct push_conn *c, int status, const char *text, enum why why)
{
	char buf[1024];
	int  n = snprintf(buf, sizeof(buf),
	     "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	     "%sConnection: close\r\n\r\n%s\n", status, reason(status),
	     status == 200 ? "application/json" : "text/plain",
	     strlen(text) + 1, status == 405 ? "Allow: GET, POST\r\n" : "",
	     text);

	c->why = (uint8_t)why;
	free(c->head);
	c->head = NULL;
	if (!put(c, buf, (size_t)n))
		return;
	if (!c->blocked) {
		tls_goodbye(c->tls);
		(void)shutdown(c->fd, SHUT_WR);
	}
	set_state(c, S_LINGER); /* so that it gets to read this */
}

/* -- orders: control has all gateways carry them out -- */

void
push_woken(struct push *p, uint32_t id, const struct wake_result *r)
{
	struct push_conn *c = p->list[S_ASKS].first;
	char		  text[160];

	while (c != NULL && (uint32_t)c->id != id)
		c = c->next;
	if (c == NULL) /* it has left meanwhile */
		return;
	if (r == NULL) {
		answer(c, 404, "no such device waits here", WHY_CLOSED);
		return;
	}
	snprintf(text, sizeof(text),
	    "{\"devices\":%u,\"sent\":%u,\"waiting\":%u,\"took_ms\":%llu}",
	    r->devices, r->sent, r->waiting, (unsigned long long)r->took_ms);
	answer(c, 200, text, WHY_CLOSED);
}

static void
unanswered(struct push_conn *c, enum why why)
{
	answer(c, 503, "cannot be done now", why);
}

static void
order(struct push_conn *c)
{
	struct head	 *h = c->head;
	struct ipc	 *control = worker_control(c->p->g->w);
	struct wake_order o;
	uint8_t		  buf[400];
	struct wr	  w = wr_to(buf, sizeof(buf));
	char		  why[WAKE_WHY], to[WAKE_TO_MAX];

	if (wake_order_parse(h->buf + h->req.head_len, (size_t)h->req.body_len,
		&o, why) < 0) {
		answer(c, 400, why, WHY_BAD_REQUEST);
		return;
	}
	wake_to_text(&o, to);
	wr_str(&w, to);
	wr_str(&w, wake_what_word(o.what));
	if (control == NULL || w.err != 0 ||
	    ipc_send(control, MSG_WAKE, (uint32_t)c->id, buf, w.len) < 0) {
		unanswered(c, WHY_CLOSED);
		return;
	}
	free(c->head);
	c->head = NULL;
	set_state(c, S_ASKS);
}

static bool
is_admin(const struct push_conn *c)
{
	const char *name = tls_peer_name(c->tls);
	char	    word[TLS_NAME_MAX];
	size_t	    pos = 0;

	while (name[0] != '\0' &&
	    conf_word(c->p->g->conf.push_admins, &pos, word, sizeof(word)))
		if (strcmp(word, name) == 0)
			return true;
	return false;
}

/* -- requests -- */

static void
open_stream(struct push_conn *c, const char *group)
{
	static const char head[] = "HTTP/1.1 200 OK\r\n"
	    "Content-Type: text/event-stream\r\nCache-Control: no-store\r\n"
	    "Connection: close\r\n\r\n";
	struct push   *p = c->p;
	struct device *old;

	if (registry_add(p->devices, &c->device, tls_peer_name(c->tls), group,
		&old) < 0) {
		answer(c, 503, "no memory", WHY_MEMORY);
		return;
	}
	if (old != NULL) {
		p->n.replaced++;
		goodbye((struct push_conn *)((char *)old -
			    offsetof(struct push_conn, device)), WHY_REPLACED);
	}
	free(c->head);
	c->head = NULL;
	(void)emit(c, head, sizeof(head) - 1);
}

static bool
is_path(const struct head *h, const char *path)
{
	return h->req.path.len == strlen(path) &&
	    memcmp(h->buf + h->req.path.off, path, h->req.path.len) == 0;
}

static void
on_get(struct push_conn *c)
{
	struct head *h = c->head;
	char	     group[GROUP_LEN];

	if (strncmp(tls_peer_name(c->tls), DEVICE, strlen(DEVICE)) != 0)
		answer(c, 403, "the certificate names no device",
		    WHY_NO_DEVICE);
	else if (push_query_parse(h->buf + h->req.query.off, h->req.query.len,
		     group) < 0)
		answer(c, 400, "expected ?group=/NAME, or nothing",
		    WHY_BAD_REQUEST);
	else
		open_stream(c, group);
}

/* The head is whole; of a body perhaps not all. */
static void
on_request(struct push_conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct head	 *h = c->head;
	bool		  is_push = is_path(h, "/v1/push");

	if (!is_push && !is_path(h, "/v1/wake"))
		answer(c, 404, "expected /v1/push or /v1/wake",
		    WHY_BAD_REQUEST);
	else if (is_push != (h->req.method == HTTP_GET))
		answer(c, 405, "expected GET /v1/push or POST /v1/wake",
		    WHY_BAD_REQUEST);
	else if (is_push)
		on_get(c);
	else if (!is_admin(c))
		answer(c, 403, "the certificate is not in gateway.push-admins",
		    WHY_NO_ADMIN);
	else if (h->req.body_len > WAKE_BODY_MAX)
		answer(c, 413, "expected a shorter order", WHY_BAD_REQUEST);
	else if (h->len >= h->req.head_len + h->req.body_len)
		order(c);
	else if (h->req.f[HTTP_EXPECT].len > 0 && !h->continued) {
		h->continued = true;
		(void)put(c, go_on, sizeof(go_on) - 1);
	}
}

static void
read_request(struct push_conn *c)
{
	struct head *h;
	ssize_t	     n;
	int	     status;

	while (c->state == S_HEAD && !c->blocked) {
		if ((h = c->head) == NULL) {
			if ((h = c->head = malloc(sizeof(*h))) == NULL) {
				end(c, WHY_MEMORY);
				return;
			}
			http_request_begin(&h->req, HTTP_GET | HTTP_POST);
			h->len = 0;
			h->is_done = h->continued = false;
		}
		n = tls_read(c->tls, h->buf + h->len, sizeof(h->buf) - h->len);
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			end(c, WHY_LEFT);
			return;
		}
		h->len += (size_t)n;
		status = h->is_done ? HTTP_REQUEST_DONE
				    : http_request_parse(&h->req, h->buf, h->len);
		h->is_done = status == HTTP_REQUEST_DONE;
		if (h->is_done)
			on_request(c);
		else if (status != HTTP_REQUEST_MORE)
			answer(c, status, "not a request that is understood here",
			    WHY_BAD_REQUEST);
	}
}

/* A device says nothing after its request; a lingering one may. */
static void
read_rest(struct push_conn *c)
{
	char	buf[512];
	ssize_t n;

	do
		n = tls_read(c->tls, buf, sizeof(buf));
	while (n > 0 && c->state == S_LINGER);
	if (n == -EAGAIN)
		return;
	if (c->state == S_LINGER)
		end(c, (enum why)c->why);
	else if (n > 0)
		goodbye(c, WHY_BAD_REQUEST);
	else
		end(c, n == 0 ? WHY_CLOSED : WHY_CLIENT_RESET);
}

/* -- events -- */

static void
shake(struct push_conn *c)
{
	int r = tls_handshake(c->tls);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		end(c, r == -EPROTO ? WHY_TLS : WHY_LEFT);
		return;
	}
	set_state(c, S_HEAD);
	(void)flush(c);
}

static void
on_event(struct push_conn *c, uint32_t events)
{
	if (c->state == S_ENDED)
		return;
	tls_readable(c->tls, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
	if (c->state == S_SHAKE)
		shake(c);
	else if (c->blocked && !flush(c))
		return;
	if (c->state == S_SLOW && !c->blocked)
		(void)catch_up(c);
	if (c->state == S_HEAD)
		read_request(c);
	if (c->state == S_OPEN || c->state == S_SLOW || c->state == S_LINGER)
		read_rest(c);
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
	push_bury(p);
	tick_soon(p);
}

static void
set_int(int fd, int level, int name, uint64_t v)
{
	int n = (int)v;

	(void)setsockopt(fd, level, name, &n, sizeof(n));
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

	if (c == NULL || g->tls == NULL ||
	    (r = addr_count_add(g->addresses, addr, g->conf.max_per_address)) <
		0) {
		close(take_fd);
		free(c);
		conn_count(g, addr, port, NULL,
		    r == -EUSERS ? WHY_ADDRESS : WHY_MEMORY);
		return;
	}
	c->p = p;
	c->fd = take_fd;
	c->id = conn_number(g);
	c->port = port;
	memcpy(c->addr, addr, 16);
	state_append(c, S_SHAKE);
	c->start_ms = c->since_ms;
	c->older = p->newest;
	*(c->older != NULL ? &c->older->newer : &p->oldest) = c;
	p->newest = c;
	g->n++;
	g->fds++;
	set_int(take_fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
	/* keep-alives of TCP's do not count while bytes are under way */
	set_int(take_fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
	    g->conf.send_timeout * 1000);
	if (tls_accept(g->tls, take_fd, &c->tls) < 0 ||
	    epoll_ctl(p->epoll, EPOLL_CTL_ADD, take_fd, &e) < 0) {
		end(c, WHY_MEMORY);
		push_bury(p);
	}
	tick_soon(p);
}

/* -- wakes -- */

static bool
is_meant(const struct run *r, const struct push_conn *c)
{
	if (c->state != S_OPEN && c->state != S_SLOW)
		return false;
	return r->order.whom != WAKE_GROUP ||
	    group_holds(r->order.name, device_group(&c->device));
}

static void
run_give(struct run *r, struct push_conn *c)
{
	r->result.devices++;
	if (give(c, r->wake))
		r->result.sent++;
	else if (c->state == S_SLOW)
		r->result.waiting++;
}

/* Some of it, so that others have their turn. */
static bool
run_some(struct run *r)
{
	for (int n = 0; r->at != NULL && n < TURN_WAKES;) {
		struct push_conn *c = r->at;

		r->at = c->newer;
		if (is_meant(r, c)) {
			run_give(r, c);
			n++;
		}
	}
	return r->at == NULL;
}

static void
run_end(struct push *p, struct run *r)
{
	struct run **at = &p->runs;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	p->nruns--;
	wake_unref(&r->wake);
	r->result.took_ms = clock_ms() - r->start_ms;
	r->done(r->ctx, &r->result);
	free(r);
}

static void
on_turn(void *ctx)
{
	struct push *p = ctx;

	for (struct run *r = p->runs, *next; r != NULL; r = next) {
		next = r->next;
		if (run_some(r))
			run_end(p, r);
	}
	push_bury(p);
	if (p->runs != NULL)
		(void)loop_timer_set(p->turn, 0);
}

int
push_wake(struct push *p, const struct wake_order *o,
    void (*done)(void *ctx, const struct wake_result *r), void *ctx)
{
	struct run    *r = p->nruns < RUNS_MAX ? calloc(1, sizeof(*r)) : NULL;
	struct device *d;

	if (r == NULL)
		return p->nruns < RUNS_MAX ? -ENOMEM : -EBUSY;
	if (wake_new(o, ++p->last_wake, &r->wake) < 0) {
		free(r);
		return -ENOMEM;
	}
	r->order = *o;
	r->start_ms = clock_ms();
	r->done = done;
	r->ctx = ctx;
	r->next = p->runs;
	p->runs = r;
	p->nruns++;
	if (o->whom != WAKE_DEVICE)
		r->at = p->oldest;
	else if ((d = registry_find(p->devices, o->name)) != NULL)
		run_give(r, (struct push_conn *)((char *)d -
			       offsetof(struct push_conn, device)));
	(void)loop_timer_set(p->turn, 0);
	return 0;
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
	end(c, (enum why)c->why);
}

static void
keep_alive(struct push *p)
{
	uint64_t	  now = loop_now_ms(p->g->loop);
	struct push_conn *c;

	for (int n = 0; n < TURN_ALIVE && (c = p->list[S_OPEN].first) != NULL &&
	     now - c->since_ms >= p->g->conf.push_keepalive * 1000; n++) {
		p->n.alive++;
		(void)emit(c, WAKE_ALIVE, strlen(WAKE_ALIVE));
	}
}

static void
on_tick(void *ctx)
{
	struct push		  *p = ctx;
	const struct gateway_conf *conf = &p->g->conf;
	uint64_t		   total = conf->total_timeout * 1000;

	p->ticking = false;
	late(p, S_SHAKE, conf->hello_timeout * 1000, end, WHY_HELLO_TIMEOUT);
	late(p, S_HEAD, conf->hello_timeout * 1000, end, WHY_HELLO_TIMEOUT);
	late(p, S_SLOW, conf->send_timeout * 1000, end, WHY_STUCK);
	late(p, S_ASKS, ASK_MS, unanswered, WHY_CLOSED);
	late(p, S_LINGER, LINGER_MS, linger_end, WHY_CLOSED);
	while (total > 0 && p->oldest != NULL &&
	    loop_now_ms(p->g->loop) - p->oldest->start_ms >= total)
		goodbye(p->oldest, WHY_TOTAL);
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
	static const char *const states[S_COUNT] = { "handshake", "request",
		"open", "slow", "order", "answered" };
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
	goodbye(c, WHY_KICKED);
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
		    !emit(c, text,
			push_leave_text(LEAVE_MIN + dice % spread, text)))
			continue;
		goodbye(c, c->state <= S_HEAD ? WHY_DRAINING : WHY_DRAINED);
	}
	push_bury(p);
}

void
push_reload(struct push *p)
{
	for (struct push_conn *c = p->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (c->state != S_SHAKE && p->g->tls != NULL &&
		    tls_peer_revoked(c->tls, p->g->tls))
			goodbye(c, WHY_NOW_REVOKED);
	}
	push_bury(p);
}

int
push_new(struct gateway *g, struct push **out)
{
	struct push *p = calloc(1, sizeof(*p));
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
		r = loop_timer_new(g->loop, on_turn, p, &p->turn);
	/* no number comes again after a restart */
	if (r == 0 && RAND_bytes((uint8_t *)&p->last_wake,
			  sizeof(p->last_wake)) != 1)
		r = -EIO;
	return r;
}

void
push_free(struct push **pp)
{
	struct push *p = *pp;

	if (p == NULL)
		return;
	push_drain(p);
	while (p->runs != NULL)
		run_end(p, p->runs);
	loop_io_free(&p->io);
	loop_timer_free(&p->tick);
	loop_timer_free(&p->turn);
	registry_free(&p->devices);
	if (p->epoll >= 0)
		close(p->epoll);
	free(p);
	*pp = NULL;
}
