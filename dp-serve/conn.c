/*
 * dp-serve/conn.c - the connections of clients; see conn.h.
 *
 * Runs in dp-serve behind its sandbox. Believes nothing that comes over a
 * connection. One turn of a connection reads once, answers all the requests it
 * got and writes once; buffers are the process's, not the connection's, and
 * what must outlive a turn is copied to memory of its own, bounded.
 * SPDX-License-Identifier: ISC
 */
#include "dp-serve/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#include "common/addr_count.h"
#include "common/listen.h"
#include "common/log.h"
#include "dp-serve/range.h"
#include "common/http_request.h"
#include "common/http_status.h"

#define IN_MAX	    HTTP_REQUEST_HEAD_MAX
#define OUT_MAX	    (64 * 1024) /* answers of one turn, small ones whole */
#define OUT_ROOM    (1024 + CONTENT_SMALL) /* one such answer at most */
#define BULK_MAX    (TLS_WRITE_MAX - OUT_MAX)
#define TURN_BYTES  (128 * 1024) /* then the others have their turn */
#define TURN_ANSWERS 128
/*
 * Bytes of a body in clear that a socket holds beyond what TCP has sent. More
 * would wait there until acknowledgements release it, cold by then: a fast
 * client's transfer runs out of the caches, and a slow one's is only memory.
 */
#define UNSENT_MAX  (32 * 1024)
#define SEND_MIN    (16 * 1024) /* taken in each send_ms, or the client goes */
/* A report that comes slower than this in any such time, or send_ms if that is
 * shorter, is given up: what is promised to it is kept from others. */
#define BODY_MS	    10000
#define BODY_RATE   1024 /* bytes a second */
#define LINGER_MS   2000
#define LINGER_MAX  (256 * 1024)
#define REST_SUM    (32 * 1024 * 1024) /* of all: above it, small batches */
#define TICK_MS	    500
#define ACCEPTS	    64	 /* of one turn of a listener */
#define METHODS	    (HTTP_GET | HTTP_HEAD | HTTP_PUT)

/* The lists of connections by what they are given time for. */
enum phase { P_HEAD, P_IDLE, P_BODY, P_SEND, P_WAIT, P_LINGER, P_COUNT };

struct partial { /* a head that came in pieces, or requests that must wait */
	struct http_request req;
	uint16_t       len;
	char	       buf[];
};

struct rest { /* bytes of answers the socket did not take */
	size_t off, len;
	char   bytes[];
};

struct conn {
	struct engine	*e;
	struct conn	*prev, *next; /* in the list of its phase */
	struct conn	*again_prev, *again_next; /* those with more to do */
	struct loop_io	*io;
	struct tls_conn *tls;
	struct object	*obj;	   /* whose bytes are being sent */
	uint64_t	 off, end; /* of them */
	struct partial	*in;
	struct rest	*rest;
	struct upload	*up;	   /* a report that comes, or waits */
	struct waiter	 waiter;
	uint64_t	 deadline_ms, moved, mark;
	uint32_t	 batch, lingered;
	int		 fd;
	uint16_t	 force; /* a status, since time is over */
	uint8_t		 phase, addr[16];
	bool		 readable, shaking, close_after, headed, queued,
	    denied, begun, closing, unread; /* unread: a body that nobody wants */
};

struct listener {
	struct listener *next;
	struct engine	*e;
	struct loop_io	*io;
	struct tls	*tls;
	int		 fd;
};

struct engine {
	struct loop	    *loop;
	struct content	    *content;
	struct api	    *api;
	struct inbox	    *inbox;
	struct agent_sight  *agents; /* NULL: nobody is told */
	struct engine_conf   conf;
	struct engine_counts n;
	struct listener	    *listeners;
	struct tls	    *lists; /* of who is revoked now; NULL: nobody */
	struct {
		struct conn *first, *last;
	} list[P_COUNT];
	struct conn	   *again, *again_last;
	unsigned	    nagain;
	struct loop_timer  *tick, *again_timer;
	struct addr_count  *addresses;
	bool		    draining, out_of_fds;
	void		  (*drained)(void *ctx);
	void		   *drained_ctx;
	char		    start[64]; /* "HTTP/1.1 200 OK\r\nDate: ...\r\n" */
	time_t		    start_time;
};

/* The buffers of the turn under way; there is one turn at a time. */
static char	      in_buf[IN_MAX];
static size_t	      in_pos, in_end;
static struct http_request req; /* at in_pos; done when it has a head_len */
static char	      out_buf[OUT_MAX];
static size_t	      out_len;
static char	      bulk[BULK_MAX];

static void conn_run(struct conn *c);

/* -- lists, addresses, life and death -- */

static void
list_remove(struct conn *c)
{
	struct engine *e = c->e;

	*(c->prev != NULL ? &c->prev->next : &e->list[c->phase].first) = c->next;
	*(c->next != NULL ? &c->next->prev : &e->list[c->phase].last) = c->prev;
}

static uint64_t
phase_ms(const struct engine *e, enum phase p)
{
	const uint64_t ms[P_COUNT] = { e->conf.header_ms, e->conf.idle_ms,
		e->conf.send_ms < BODY_MS ? e->conf.send_ms : BODY_MS,
		e->conf.send_ms, e->conf.want_ms, LINGER_MS };

	return ms[p];
}

static void
list_append(struct conn *c, enum phase p)
{
	struct engine *e = c->e;

	c->phase = (uint8_t)p;
	c->prev = e->list[p].last;
	c->next = NULL;
	*(c->prev != NULL ? &c->prev->next : &e->list[p].first) = c;
	e->list[p].last = c;
	c->deadline_ms = loop_now_ms(e->loop) + phase_ms(e, p);
	c->mark = c->moved;
}

/* A phase has its time from its beginning; staying in it gives no more. */
static void
set_phase(struct conn *c, enum phase p)
{
	if (c->phase == p && p != P_IDLE)
		return;
	c->e->n.idle += (p == P_IDLE) - (uint64_t)(c->phase == P_IDLE);
	c->e->n.waiting += (p == P_WAIT) - (uint64_t)(c->phase == P_WAIT);
	list_remove(c);
	list_append(c, p);
}

static void
check_drained(struct engine *e)
{
	void (*done)(void *) = e->drained;

	if (!e->draining || e->n.current > 0 || done == NULL)
		return;
	e->drained = NULL;
	done(e->drained_ctx);
}

static void
again_remove(struct conn *c)
{
	struct engine *e = c->e;

	if (!c->queued)
		return;
	*(c->again_prev != NULL ? &c->again_prev->again_next : &e->again) =
	    c->again_next;
	*(c->again_next != NULL ? &c->again_next->again_prev : &e->again_last) =
	    c->again_prev;
	c->queued = false;
	e->nagain--;
}

static void
conn_free(struct conn *c)
{
	struct engine *e = c->e;

	set_phase(c, P_HEAD);
	list_remove(c);
	again_remove(c);
	waiter_stop(&c->waiter);
	object_unref(&c->obj);
	upload_free(&c->up);
	tls_conn_free(&c->tls);
	loop_io_free(&c->io);
	close(c->fd);
	free(c->rest);
	free(c->in);
	addr_count_drop(e->addresses, c->addr);
	free(c);
	e->n.current--;
	if (e->out_of_fds) {
		e->out_of_fds = false;
		for (struct listener *l = e->listeners; l != NULL; l = l->next)
			(void)loop_io_set(l->io, LOOP_READ);
	}
	check_drained(e);
}

/* At once: what the socket holds does not go out any more, either. */
static void
conn_cut(struct conn *c)
{
	struct linger now = { 1, 0 };

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	conn_free(c);
}

/* What was promised cannot be kept: the client must not take it for whole. */
static void
conn_reset(struct conn *c)
{
	c->e->n.reset++;
	conn_cut(c);
}

/* More to do, but not now: the others come first. */
static void
run_again(struct conn *c)
{
	struct engine *e = c->e;

	if (c->queued)
		return;
	if (e->nagain == 0)
		(void)loop_timer_set(e->again_timer, 0);
	c->queued = true;
	c->again_prev = e->again_last;
	c->again_next = NULL;
	*(e->again_last != NULL ? &e->again_last->again_next : &e->again) = c;
	e->again_last = c;
	e->nagain++;
}

static void
on_again(void *ctx)
{
	struct engine *e = ctx;

	/* those that come back during this are for after the next poll */
	for (unsigned n = e->nagain; n > 0 && e->again != NULL; n--) {
		struct conn *c = e->again;

		again_remove(c);
		conn_run(c);
	}
	if (e->nagain > 0)
		(void)loop_timer_set(e->again_timer, 0);
}

static void
wake(struct conn *c)
{
	if (c->phase == P_WAIT) { /* something came: its time begins anew */
		list_remove(c);
		list_append(c, P_WAIT);
	}
	run_again(c);
}

static void
on_woken(struct waiter *w)
{
	wake((struct conn *)((char *)w - offsetof(struct conn, waiter)));
}

static void
on_report(struct upload *u)
{
	wake(u->ctx);
}

/* -- bytes in and out: 0, -EAGAIN, or what ends the connection -- */

static ssize_t
take_bytes(struct conn *c, void *buf, size_t n)
{
	ssize_t r;

	if (!c->readable)
		return -EAGAIN;
	if (c->tls != NULL) {
		if ((r = tls_read(c->tls, buf, n)) == -EAGAIN)
			c->readable = false;
		return r;
	}
	r = recv(c->fd, buf, n, 0);
	if (r < 0) {
		r = errno == EAGAIN || errno == EINTR ? -EAGAIN : -EPIPE;
		c->readable = false;
	} else if (r > 0 && (size_t)r < n && !c->closing)
		c->readable = false; /* more of it would be a new edge */
	return r;
}

static int
keep_rest(struct conn *c, const char *p, size_t n)
{
	if ((c->rest = malloc(sizeof(*c->rest) + n)) == NULL)
		return -ENOMEM;
	c->rest->off = 0;
	c->rest->len = n;
	memcpy(c->rest->bytes, p, n);
	return -EAGAIN;
}

static int
send_rest(struct conn *c)
{
	struct rest *r = c->rest;
	ssize_t	     n;

	if (c->tls != NULL)
		return tls_flush(c->tls);
	if (r == NULL)
		return 0;
	n = send(c->fd, r->bytes + r->off, r->len - r->off, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : -EPIPE;
	c->moved += (uint64_t)n;
	r->off += (size_t)n;
	if (r->off < r->len)
		return -EAGAIN;
	free(r);
	c->rest = NULL;
	return 0;
}

/* Sends what is in out_buf; more: the bytes of a file follow at once. */
static int
flush(struct conn *c, bool more)
{
	ssize_t n;
	size_t	len = out_len;
	int	r;

	out_len = 0;
	if (c->tls != NULL) {
		if ((r = tls_write(c->tls, out_buf, len)) < 0)
			return r == -EAGAIN ? -EPIPE : r;
		c->moved += len;
		return more ? 0 : tls_flush(c->tls);
	}
	if (len == 0)
		return 0;
	n = send(c->fd, out_buf, len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	if (n < 0) {
		if (errno != EAGAIN)
			return -EPIPE;
		n = 0;
	}
	c->moved += (uint64_t)n;
	return (size_t)n == len ? 0 : keep_rest(c, out_buf + n, len - (size_t)n);
}

static void
out(const void *p, size_t n)
{
	memcpy(out_buf + out_len, p, n);
	out_len += n;
}

/* -- heads of answers -- */

/* "HTTP/1.1 200 OK" and the date, made once a second. */
static void
out_start(struct conn *c, int status)
{
	struct engine *e = c->e;
	time_t	       now = time(NULL);
	const char    *line = "";

	if (now != e->start_time) {
		memcpy(e->start, "HTTP/1.1 200 OK\r\nDate: ", 23);
		http_date(now, e->start + 23);
		memcpy(e->start + 52, "\r\n", 2);
		e->start_time = now;
	}
	if (status == 200)
		out(e->start, 54);
	else {
		out_len += (size_t)snprintf(out_buf + out_len, 64,
		    "HTTP/1.1 %d %s", status, http_status_phrase(status));
		out(e->start + 15, 54 - 15);
	}
	if (c->close_after)
		line = "Connection: close\r\n";
	else if (req.minor == 0)
		line = "Connection: keep-alive\r\n";
	out(line, strlen(line));
	e->n.by_class[status / 100]++;
}

/* The request has been understood for good: its bytes are not needed again. */
static void
request_used(struct conn *c)
{
	in_pos += req.head_len;
	http_request_begin(&req, METHODS);
	c->begun = true;
}

static void
answer_done(struct conn *c)
{
	object_unref(&c->obj);
	c->headed = false;
}

/* A whole answer that says only how it went. */
static int
answer_status(struct conn *c, int status)
{
	const char *more = status == 405 ? "Allow: GET, HEAD\r\n"
	    : status == 503		 ? "Retry-After: 2\r\n"
	    : status == 429		 ? "Retry-After: 10\r\n" /* BODY_MS */
	    : status == 507		 ? "Retry-After: 60\r\n"
					 : "";
	char	    text[64];
	int	    n;

	n = snprintf(text, sizeof(text), "%d %s\n", status, http_status_phrase(status));
	out_start(c, status);
	out_len += (size_t)snprintf(out_buf + out_len, 256,
	    "Content-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n%s", n,
	    more, req.method == HTTP_HEAD ? "" : text);
	request_used(c);
	answer_done(c);
	return 0;
}

/* After this nothing on the line can be understood, or it is over anyway. */
static int
answer_last(struct conn *c, int status)
{
	c->close_after = true;
	c->unread |= req.body_len > 0;
	req.head_len = (uint16_t)(in_end - in_pos);
	return answer_status(c, status);
}

static void
out_object_head(struct conn *c, int status, uint64_t first, uint64_t last)
{
	const struct object *o = c->obj;
	size_t		     skip;
	const char	    *etag;

	out_start(c, status);
	if (status == 200) {
		out(o->fields, o->fields_len);
		return;
	}
	/* the object's own fields, but for Content-Type and -Length */
	etag = strstr(o->fields, "ETag:");
	skip = (size_t)(etag - o->fields);
	if (status == 206)
		out_len += (size_t)snprintf(out_buf + out_len, 256,
		    "Content-Type: application/octet-stream\r\n"
		    "Content-Length: %llu\r\nContent-Range: bytes %llu-%llu/%llu\r\n",
		    (unsigned long long)last - first + 1,
		    (unsigned long long)first, (unsigned long long)last,
		    (unsigned long long)o->size);
	else if (status == 416)
		out_len += (size_t)snprintf(out_buf + out_len, 256,
		    "Content-Length: 0\r\nContent-Range: bytes */%llu\r\n",
		    (unsigned long long)o->size);
	else if (status == 412)
		out("Content-Length: 0\r\n", 19);
	out(etag, o->fields_len - skip);
}

/* It has shown a certificate of the site's CA. */
static bool
is_device(const struct conn *c)
{
	return c->tls != NULL && tls_peer_name(c->tls)[0] != '\0';
}

/* The head of the answer, as soon as it can be kept. 0: go on. */
static int
answer_object(struct conn *c)
{
	struct object *o = c->obj;
	uint64_t       first = 0, last = o->size - 1;
	int	       status;

	if (o->reach != REACH_UNKNOWN && !object_is_for(o, is_device(c)))
		return answer_status(c, 403);
	if (o->state == OBJECT_FAILED)
		return answer_status(c, o->status);
	if (o->state == OBJECT_ASKED)
		return -EINPROGRESS;
	status = conditions(&req, in_buf + in_pos, o->etag, o->mtime, o->size,
	    &first, &last);
	if (status == 200) {
		first = 0;
		last = o->size - 1; /* unused when it is empty */
	}
	if ((status == 200 || status == 206) && req.method != HTTP_HEAD && o->size > 0) {
		/* with a byte to send, failure would still be an error page */
		if (object_limit(o) <= first)
			return -EINPROGRESS;
		c->off = first;
		c->end = last + 1;
	} else
		c->off = c->end = 0;
	out_object_head(c, status, first, last);
	c->headed = true;
	c->e->n.bytes += c->end - c->off;
	if (o->bytes != NULL && o->size <= CONTENT_SMALL &&
	    o->state == OBJECT_READY) {
		out(o->bytes + c->off, c->end - c->off);
		c->off = c->end;
	}
	request_used(c);
	if (c->off == c->end)
		answer_done(c);
	return 0;
}

/* -- reports that are put -- */

static int
answer_report(struct conn *c)
{
	struct upload *u = c->up;
	char	       text[48];
	int	       n;

	if (u->status >= 300)
		(void)answer_status(c, u->status);
	else {
		n = snprintf(text, sizeof(text), "{\"highest\":%llu}\n",
		    (unsigned long long)u->highest);
		out_start(c, u->status);
		out_len += (size_t)snprintf(out_buf + out_len, 256,
		    "Content-Type: application/json\r\nContent-Length: %d\r\n"
		    "Cache-Control: no-store\r\n\r\n%s", n, text);
	}
	upload_free(&c->up);
	return 0;
}

/* Its bytes, then the store's word. 0, -EAGAIN, -EINPROGRESS, or the end. */
static int
take_report(struct conn *c)
{
	struct upload *u = c->up;
	ssize_t	       n;

	while (u->got < u->len) {
		size_t left = u->len - u->got;

		if (in_pos < in_end) {
			n = (ssize_t)(in_end - in_pos < left ? in_end - in_pos
							     : left);
			memcpy(u->bytes + u->got, in_buf + in_pos, (size_t)n);
			in_pos += (size_t)n;
		} else if ((n = take_bytes(c, u->bytes + u->got, left)) <= 0)
			return n < 0 ? (int)n : -EPIPE;
		u->got += (size_t)n;
		c->moved += (uint64_t)n;
	}
	if (!u->asked)
		inbox_put(u);
	return u->status == 0 ? -EINPROGRESS : answer_report(c);
}

static int
begin_report(struct conn *c)
{
	const char *path = in_buf + in_pos + req.path.off;
	bool	    expects = req.f[HTTP_EXPECT].len > 0;
	int	    status = 405;

	if (req.has_query)
		status = 404;
	else if (api_has(path, req.path.len))
		status = inbox_begin(c->e->inbox, path, req.path.len,
		    c->tls != NULL ? tls_peer_name(c->tls) : "",
		    req.f[HTTP_CONTENT_LENGTH].len > 0, req.body_len, &c->up);
	if (status != 0)
		return answer_last(c, status);
	c->up->woken = on_report;
	c->up->ctx = c;
	request_used(c);
	if (expects && in_pos == in_end && c->up->len > 0)
		out("HTTP/1.1 100 Continue\r\n\r\n", 25);
	return take_report(c);
}

static int
answer(struct conn *c)
{
	const char *path = in_buf + in_pos + req.path.off;
	int	    r;

	c->e->n.requests++;
	c->close_after = !req.keep_alive || c->e->draining;
	if (c->denied)
		return answer_last(c, 403);
	if (req.method == HTTP_PUT)
		return begin_report(c);
	if (req.has_query)
		return answer_status(c, 404);
	if (api_has(path, req.path.len))
		r = api_get(c->e->api, path, req.path.len,
		    c->tls != NULL ? tls_peer_name(c->tls) : "", &c->obj);
	else
		r = content_get(c->e->content, path, req.path.len, is_device(c),
		    &c->obj);
	if (r < 0)
		return answer_status(c, r == -ENOENT ? 404
			: r == -EACCES		     ? 403
						     : 503);
	return answer_object(c);
}

/* -- bodies -- */

static int
send_bytes(struct conn *c, uint64_t n)
{
	if (n > OUT_MAX - out_len)
		n = OUT_MAX - out_len;
	out(c->obj->bytes + c->off, n);
	c->off += n;
	return 0;
}

static int
send_file(struct conn *c, uint64_t n)
{
	off_t	at = (off_t)c->off;
	ssize_t sent;
	int	r;

	if ((r = flush(c, c->tls == NULL)) < 0)
		return r;
	sent = sendfile(c->fd, c->obj->fd, &at, n);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EPIPE;
	if (sent == 0)
		return -EIO; /* the file is shorter than was said */
	c->off += (uint64_t)sent;
	c->moved += (uint64_t)sent;
	return 0;
}

static int
send_tls(struct conn *c, uint64_t n)
{
	ssize_t got;
	size_t	max = sizeof(bulk);
	int	r;

	if (c->batch > 0 && c->batch < max)
		max = c->batch;
	if (tls_counts()->unsent > REST_SUM)
		max = 16384;
	if ((r = flush(c, true)) < 0)
		return r;
	got = pread(c->obj->fd, bulk, n < max ? n : max, (off_t)c->off);
	if (got <= 0)
		return -EIO;
	if ((r = tls_write(c->tls, bulk, (size_t)got)) < 0)
		return r == -EAGAIN ? -EPIPE : r;
	c->off += (uint64_t)got;
	c->moved += (uint64_t)got;
	r = tls_flush(c->tls);
	/* a client that takes little gets little memory */
	c->batch = r == 0 ? (uint32_t)max * 2 : 16384;
	return r;
}

static int
send_body(struct conn *c)
{
	struct object *o = c->obj;
	uint64_t       limit;

	if (o->state == OBJECT_FAILED)
		return -ECONNRESET;
	limit = object_limit(o);
	if (limit > c->end)
		limit = c->end;
	if (c->off >= limit)
		return -EINPROGRESS;
	limit -= c->off;
	if (limit > TURN_BYTES)
		limit = TURN_BYTES;
	if (o->bytes != NULL)
		return send_bytes(c, limit);
	return c->tls == NULL || tls_has_sendfile(c->tls) ? send_file(c, limit)
							  : send_tls(c, limit);
}

/* -- turns -- */

/* Reads and parses until a request is whole. 0, -EAGAIN, or the end. */
static int
get_request(struct conn *c)
{
	ssize_t n;
	int	status;

	for (;;) {
		if (in_pos < in_end) {
			status = http_request_parse(&req, in_buf + in_pos,
			    in_end - in_pos);
			if (status == HTTP_REQUEST_DONE)
				return 0;
			if (status != HTTP_REQUEST_MORE) {
				c->e->n.requests++;
				return answer_last(c, status) < 0 ? -EPIPE
								  : -EBADMSG;
			}
		}
		if (in_pos > 0) {
			memmove(in_buf, in_buf + in_pos, in_end - in_pos);
			in_end -= in_pos;
			in_pos = 0;
		}
		if ((n = take_bytes(c, in_buf + in_end, IN_MAX - in_end)) < 0)
			return (int)n;
		if (n == 0)
			return -ENOTCONN;
		in_end += (size_t)n;
	}
}

/* By the lists of now: it may have been judged by those of before a reload. */
static bool
is_revoked(const struct conn *c)
{
	return c->e->lists != NULL && tls_peer_revoked(c->tls, c->e->lists);
}

static int
turn(struct conn *c)
{
	uint64_t moved = c->moved;
	unsigned answers = 0;
	int	 r;

	if (c->shaking) {
		if ((r = tls_handshake(c->tls)) < 0)
			return r;
		c->shaking = false;
		if (is_revoked(c))
			return -EPROTO;
		if (c->e->agents != NULL)
			agent_sight_say(c->e->agents, tls_peer_name(c->tls),
			    c->addr, loop_now_ms(c->e->loop));
	}
	if ((r = send_rest(c)) < 0)
		return r;
	if (c->force != 0) {
		waiter_stop(&c->waiter);
		c->unread = c->up != NULL && c->up->got < c->up->len;
		upload_free(&c->up);
		(void)answer_last(c, c->force);
		c->force = 0;
	}
	for (;;) {
		if (c->obj != NULL && !c->headed)
			r = answer_object(c);
		else if (c->obj != NULL) {
			/* a turn may have ended with all of it written to TLS
			 * and some of that waiting for the socket */
			r = c->off < c->end ? send_body(c) : 0;
			if (r == 0 && c->off == c->end)
				answer_done(c);
		} else if (c->up != NULL)
			r = take_report(c);
		else if (c->close_after)
			return (r = flush(c, false)) < 0 ? r : -ESHUTDOWN;
		else if ((r = get_request(c)) == 0) {
			answers++;
			r = answer(c);
		}
		if (r == -EBADMSG)
			continue; /* the last answer is written */
		if (r == -ENOTCONN) { /* it asks no more, but may still listen */
			c->close_after = true;
			in_pos = in_end;
			continue;
		}
		if (r == -EINPROGRESS) {
			if (c->obj != NULL)
				object_wait(c->obj, &c->waiter);
			if ((r = flush(c, false)) == 0)
				set_phase(c, P_WAIT);
			return r == 0 ? -EINPROGRESS : r;
		}
		if (r == -EAGAIN && (c->obj == NULL || !c->headed)) {
			/* all that was asked for is answered */
			if ((r = flush(c, false)) < 0)
				return r;
			return -ENODATA;
		}
		if (r < 0)
			return r;
		if (out_len > OUT_MAX - OUT_ROOM && (r = flush(c, false)) < 0)
			return r;
		if (c->moved - moved > TURN_BYTES || answers > TURN_ANSWERS) {
			if ((r = flush(c, false)) < 0)
				return r;
			return -EINTR; /* enough of one turn */
		}
	}
}

static void
turn_begin(struct conn *c)
{
	out_len = in_pos = in_end = 0;
	if (c->in == NULL) {
		http_request_begin(&req, METHODS);
		return;
	}
	req = c->in->req;
	in_end = c->in->len;
	memcpy(in_buf, c->in->buf, in_end);
}

/* What was received and not answered yet stays with the connection. */
static int
turn_end(struct conn *c)
{
	if (in_pos == in_end) {
		free(c->in);
		c->in = NULL;
		return 0;
	}
	if (c->in == NULL || c->in->len < in_end - in_pos) {
		free(c->in);
		c->in = malloc(sizeof(*c->in) + in_end - in_pos);
		if (c->in == NULL)
			return -ENOMEM;
	}
	c->in->req = req;
	c->in->len = (uint16_t)(in_end - in_pos);
	memcpy(c->in->buf, in_buf + in_pos, c->in->len);
	return 0;
}

/*
 * Closing while bytes of the client's lie unread would make the kernel reset
 * the connection, and the client lose our last words: listen a little longer.
 */
static void
conn_close(struct conn *c)
{
	if (c->tls != NULL)
		tls_goodbye(c->tls);
	if (!c->readable && c->in == NULL && !c->unread) {
		conn_free(c);
		return;
	}
	free(c->in);
	c->in = NULL;
	shutdown(c->fd, SHUT_WR);
	set_phase(c, P_LINGER);
	run_again(c);
}

static void
linger(struct conn *c)
{
	ssize_t n;

	for (int i = 0; i < 16; i++) {
		n = recv(c->fd, bulk, sizeof(bulk), 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 || (c->lingered += (uint32_t)n) > LINGER_MAX)
			break;
	}
	conn_free(c);
}

static void
conn_run(struct conn *c)
{
	int r;

	again_remove(c);
	if (c->phase == P_LINGER) {
		linger(c);
		return;
	}
	turn_begin(c);
	r = turn(c);
	if (turn_end(c) < 0)
		r = -ENOMEM;
	switch (r) {
	case -EINPROGRESS: /* for the object */
		break;
	case -EAGAIN: /* for the socket: to take our bytes, or to shake hands */
		if (!c->shaking)
			set_phase(c, P_SEND);
		break;
	case -ENODATA: /* for the client to ask */
		if (c->up != NULL) {
			set_phase(c, P_BODY);
			break;
		}
		if (c->e->draining && c->in == NULL) {
			conn_close(c);
			break;
		}
		set_phase(c, c->in != NULL || !c->begun ? P_HEAD : P_IDLE);
		break;
	case -EINTR:
		set_phase(c, P_SEND);
		run_again(c);
		break;
	case -ESHUTDOWN:
	case -EPROTO:
		conn_close(c);
		break;
	case -EIO:
	case -ECONNRESET:
		conn_reset(c);
		break;
	default:
		conn_free(c);
	}
}

static void
on_io(void *ctx, int events)
{
	struct conn *c = ctx;

	c->closing |= (events & LOOP_CLOSED) != 0;
	if (events & (LOOP_READ | LOOP_CLOSED)) {
		c->readable = true;
		if (c->tls != NULL)
			tls_readable(c->tls, c->closing);
	}
	if (c->phase != P_WAIT)
		conn_run(c);
	else if (c->closing)
		conn_free(c); /* it left before its answer came */
}

/* -- time -- */

/* Whether it does enough with its time to be given the same again. */
static bool
moves_on(const struct conn *c)
{
	uint64_t least = c->phase == P_SEND
	    ? SEND_MIN
	    : phase_ms(c->e, P_BODY) * BODY_RATE / 1000;

	return (c->phase == P_SEND || c->phase == P_BODY) &&
	    c->moved - c->mark >= least;
}

static void
expire(struct conn *c)
{
	struct engine *e = c->e;

	if (moves_on(c)) {
		enum phase p = (enum phase)c->phase;

		list_remove(c);
		list_append(c, p);
		return;
	}
	e->n.timed_out += c->phase != P_LINGER;
	if ((c->phase == P_HEAD && c->in != NULL && !c->shaking) ||
	    c->phase == P_BODY || (c->phase == P_WAIT && !c->headed)) {
		c->force = c->phase == P_WAIT ? 504 : 408;
		set_phase(c, P_SEND);
		conn_run(c);
	} else if (c->phase == P_IDLE)
		conn_close(c);
	else if (c->phase == P_WAIT || c->phase == P_SEND)
		conn_reset(c);
	else
		conn_free(c);
}

static void
on_tick(void *ctx)
{
	struct engine *e = ctx;
	uint64_t       now = loop_now_ms(e->loop);

	for (int p = 0; p < P_COUNT; p++)
		while (e->list[p].first != NULL &&
		    e->list[p].first->deadline_ms <= now)
			expire(e->list[p].first);
	(void)loop_timer_set(e->tick, TICK_MS);
}

/* -- accept -- */

static int
conn_new(struct engine *e, int fd, const uint8_t addr[16], struct tls *tls)
{
	struct conn *c = calloc(1, sizeof(*c));
	int	     r = -ENOMEM;

	if (c == NULL || (r = addr_count_add(e->addresses, addr,
		 e->conf.max_per_address)) < 0) {
		free(c);
		close(fd);
		return r;
	}
	c->e = e;
	c->fd = fd;
	c->waiter.woken = on_woken;
	memcpy(c->addr, addr, 16);
	c->denied = !scope_has(&e->conf.scope, addr);
	list_append(c, P_HEAD);
	e->n.current++;
	e->n.accepted++;
	if (tls != NULL) {
		r = tls_accept(tls, fd, &c->tls);
		c->shaking = true;
	}
	if (r == 0)
		r = loop_io_new(e->loop, fd, LOOP_READ | LOOP_WRITE | LOOP_CLOSED |
			LOOP_EDGE,
		    on_io, c, &c->io);
	if (r < 0)
		conn_free(c);
	return r;
}

/* Too many: the one that has been idle longest goes, or else the new one. */
static bool
make_room(struct engine *e, int fd, const struct tls *tls)
{
	static const char full[] = "HTTP/1.1 503 Service Unavailable\r\n"
	    "Connection: close\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";

	if (e->n.current < e->conf.max_connections)
		return true;
	if (e->list[P_IDLE].first != NULL) {
		conn_free(e->list[P_IDLE].first);
		return true;
	}
	if (tls == NULL)
		(void)send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL);
	return false;
}

static void
on_accept(void *ctx, int events)
{
	struct listener	       *l = ctx;
	struct engine	       *e = l->e;
	struct sockaddr_storage ss;
	uint8_t			addr[16];
	socklen_t		len;
	int			fd;

	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		len = sizeof(ss);
		fd = accept4(l->fd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE) &&
		    e->n.current > 0) {
			/* until somebody leaves; it would be ready for ever */
			e->out_of_fds = true;
			(void)loop_io_set(l->io, 0);
			log_warn("no descriptor for another connection");
		}
		if (fd < 0)
			return;
		scope_addr(&ss, addr);
		if ((l->tls != NULL && !scope_has(&e->conf.scope, addr)) ||
		    !make_room(e, fd, l->tls)) {
			e->n.refused++;
			close(fd);
		} else if (conn_new(e, fd, addr, l->tls) < 0)
			e->n.refused++;
	}
}

int
engine_adopt(struct engine *e, int take_fd, struct tls *tls)
{
	static const uint8_t nowhere[16];

	return conn_new(e, take_fd, nowhere, tls);
}

int
engine_listen(struct engine *e, int take_fd, struct tls *tls)
{
	struct listener *l = calloc(1, sizeof(*l));
	int		 one = 1, unsent = UNSENT_MAX, r;

	if (l == NULL) {
		close(take_fd);
		return -ENOMEM;
	}
	(void)listen_admit(take_fd, true);
	/* inherited by every connection, which saves each a system call */
	(void)setsockopt(take_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (tls == NULL)
		(void)setsockopt(take_fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
		    &unsent, sizeof(unsent));
	l->e = e;
	l->fd = take_fd;
	r = loop_io_new(e->loop, take_fd, LOOP_READ, on_accept, l, &l->io);
	if (r < 0) {
		close(take_fd);
		free(l);
		return r;
	}
	if ((l->tls = tls) != NULL)
		tls_ref(tls);
	l->next = e->listeners;
	e->listeners = l;
	return 0;
}

void
engine_unlisten(struct engine *e)
{
	struct listener *l;

	while ((l = e->listeners) != NULL) {
		e->listeners = l->next;
		loop_io_free(&l->io);
		close(l->fd);
		tls_unref(&l->tls);
		free(l);
	}
	e->out_of_fds = false;
}

void
engine_drain(struct engine *e, void (*done)(void *ctx), void *ctx)
{
	engine_unlisten(e);
	e->draining = true;
	e->drained = done;
	e->drained_ctx = ctx;
	e->n.current++; /* so that closing the last idle one is not the end yet */
	while (e->list[P_IDLE].first != NULL)
		conn_free(e->list[P_IDLE].first);
	for (struct conn *c = e->list[P_HEAD].first, *next; c != NULL; c = next) {
		next = c->next;
		if (c->in == NULL && !c->shaking)
			conn_free(c);
	}
	e->n.current--;
	check_drained(e);
}

void
engine_revoke(struct engine *e, struct tls *lists)
{
	uint64_t n = 0;

	tls_unref(&e->lists);
	if ((e->lists = lists) != NULL)
		tls_ref(lists);
	for (int p = 0; p < P_COUNT; p++)
		for (struct conn *c = e->list[p].first, *next; c != NULL; c = next) {
			next = c->next;
			if (c->tls == NULL || c->shaking || !is_revoked(c))
				continue;
			n++;
			conn_cut(c);
		}
	e->n.revoked += n;
	if (n > 0)
		log_info("%llu connections ended, of certificates in client-crl",
		    (unsigned long long)n);
}

void
engine_tell(struct engine *e, struct agent_sight *agents)
{
	e->agents = agents;
}

void
engine_set_conf(struct engine *e, const struct engine_conf *conf)
{
	e->conf = *conf;
}

int
engine_new(struct loop *l, struct content *c, struct api *a, struct inbox *in,
    const struct engine_conf *conf, struct engine **out_e)
{
	struct engine *e = calloc(1, sizeof(*e));
	int	       r = -ENOMEM;

	*out_e = NULL;
	if (e == NULL)
		return r;
	e->loop = l;
	e->content = c;
	e->api = a;
	e->inbox = in;
	e->conf = *conf;
	if ((r = addr_count_new(&e->addresses, ADDR_COUNT_NET)) < 0 ||
	    (r = loop_timer_new(l, on_tick, e, &e->tick)) < 0 ||
	    (r = loop_timer_new(l, on_again, e, &e->again_timer)) < 0 ||
	    (r = loop_timer_set(e->tick, TICK_MS)) < 0)
		engine_free(&e);
	*out_e = e;
	return r;
}

void
engine_free(struct engine **ep)
{
	struct engine *e = *ep;

	if (e == NULL)
		return;
	engine_unlisten(e);
	tls_unref(&e->lists);
	for (int p = 0; p < P_COUNT; p++)
		for (struct conn *c = e->list[p].first, *next; c != NULL;
		     c = next) {
			next = c->next;
			conn_free(c);
		}
	loop_timer_free(&e->tick);
	loop_timer_free(&e->again_timer);
	addr_count_free(&e->addresses);
	free(e);
	*ep = NULL;
}

const struct engine_counts *
engine_counts(const struct engine *e)
{
	return &e->n;
}
