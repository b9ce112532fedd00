/*
 * dp-gateway/term_tunnel.c - a device whose TLS ends here, by way of an uplink:
 * what tunnel.c does where the device's side is more than a socket.
 *
 * Runs in dp-gateway behind its sandbox. Believes a server once its certificate
 * is verified, and of the stream nothing. What the stream brings waits with it
 * until the device takes it, also records that are not whole; what the device
 * sends is read when the stream has window for it, and goes into its frame.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/terminate.h"

#include "dp-gateway/uplink.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define RECORD_OVER 32	 /* a record is so much longer than what is in it */
#define LEAST	    1024 /* read of the device at a time, however small the window */

/* -- the stream, as TLS to the server sees it -- */

static ssize_t
io_recv(struct tls_io *io, void *p, size_t max)
{
	struct conn *c = ((struct stream_io *)io)->c;
	size_t	     n = 0;

	if (c->stream[SERVER] != NULL)
		n = mux_read(c->stream[SERVER], p, max);
	if (n > 0)
		return (ssize_t)n;
	return c->stream[SERVER] == NULL || c->relay.ended[SERVER] ? 0 : -EAGAIN;
}

/* Into the frame that is being made; else it waits for the next one. */
static size_t
io_send(struct tls_io *io, const void *p, size_t n)
{
	struct stream_io *s = (struct stream_io *)io;

	if (n > s->room)
		n = s->room;
	if (n == 0)
		return 0;
	memcpy(s->at, p, n);
	s->at += n;
	s->room -= n;
	return n;
}

static void
wake(struct conn *c)
{
	if (c->phase != P_ENDED && c->stream[SERVER] != NULL)
		mux_give(c->stream[SERVER]);
}

/* -- from the server to the device -- */

static ssize_t
from_server(struct conn *c, uint8_t *p, size_t n)
{
	struct end *server = &c->term->ends.of[SERVER];

	if (server->tls == NULL)
		return io_recv(&c->term->io.io, p, n);
	tls_readable(server->tls, false);
	return tls_read(server->tls, p, n);
}

/* As tell_end() of ends.c: announced, if it was. True: the device knows. */
static bool
tell_device(struct conn *c)
{
	struct end     *device = &c->term->ends.of[CLIENT];
	struct tls_conn *server = c->term->ends.of[SERVER].tls;

	if (!c->term->ends.said[SERVER] &&
	    (server == NULL || tls_ended(server)))
		tls_goodbye(device->tls);
	c->term->ends.said[SERVER] = true;
	if (end_flush(device) == -EAGAIN)
		return false;
	(void)shutdown(device->fd, SHUT_WR);
	c->relay.told[SERVER] = true;
	return true;
}

/* All that the device takes. Records that gather are flushed one by one: they
 * share a buffer with those of the link that brought this. */
static int
move(struct conn *c, ssize_t *last)
{
	static uint8_t buf[16 << 10];
	struct end    *device = &c->term->ends.of[CLIENT];
	ssize_t	       n = -EAGAIN;
	int	       r;

	while ((r = end_flush(device)) == 0 &&
	    (n = from_server(c, buf, sizeof(buf))) > 0) {
		if ((r = end_write(device, buf, (size_t)n)) < 0)
			break;
		c->blocked_ms = loop_now_ms(c->g->loop);
		c->relay.bytes[SERVER] += (uint64_t)n;
	}
	*last = n;
	return r;
}

static void
read_stream(struct conn *c)
{
	struct term *t = c->term;
	bool	     was_blocked = c->relay.blocked[SERVER];
	ssize_t	     last;
	int	     r;

	t->busy = true; /* a stream that ends in it is looked at by down() */
	r = move(c, &last);
	t->busy = false;
	if ((c->relay.blocked[SERVER] = r == -EAGAIN) && !was_blocked)
		c->blocked_ms = loop_now_ms(c->g->loop);
	if (r < 0 && r != -EAGAIN)
		conn_end(c, WHY_CLIENT_RESET);
	else if (r == 0 && last < 0 && last != -EAGAIN) {
		terminate_server_failed(c);
		conn_end(c, WHY_SERVER_RESET);
	}
	else if (r == 0 && last == 0 && !tell_device(c))
		c->relay.blocked[SERVER] = true;
}

/* After the server's close_notify nobody takes what still comes of it: read, so
 * that the stream can end. */
static void
drain_stream(struct conn *c)
{
	uint8_t none[4096];

	c->term->busy = true;
	while (c->stream[SERVER] != NULL &&
	    mux_read(c->stream[SERVER], none, sizeof(none)) > 0)
		;
	c->term->busy = false;
}

static void
down(struct conn *c)
{
	if (c->term->busy || c->phase != P_OPEN)
		return;
	if (!c->relay.told[SERVER])
		read_stream(c);
	if (c->phase == P_ENDED)
		return;
	if (c->relay.told[SERVER])
		drain_stream(c);
	conn_moved(c);
	if (c->stream[SERVER] == NULL && c->relay.told[SERVER])
		conn_end(c, WHY_CLOSED);
	else
		wake(c); /* what TLS had to answer */
}

/* -- from the device to the server -- */

/* The device's next bytes; 0: the end; -EAGAIN; or it has been reset. */
static ssize_t
from_device(struct conn *c, uint8_t *p, size_t n)
{
	struct end *device = &c->term->ends.of[CLIENT];
	ssize_t	    r;

	if (c->relay.ended[CLIENT])
		return 0;
	r = end_read(device, p, n);
	if (r > 0) {
		c->relay.bytes[CLIENT] += (uint64_t)r;
		conn_moved(c);
	} else if (r == 0)
		c->relay.ended[CLIENT] = c->relay.told[CLIENT] = true;
	else if (r != -EAGAIN)
		conn_end(c, WHY_CLIENT_RESET);
	return r;
}

static int
seal(struct conn *c, size_t max)
{
	static uint8_t	 buf[16 << 10];
	struct term	*t = c->term;
	struct tls_conn *server = t->ends.of[SERVER].tls;
	size_t		 want = max < RECORD_OVER + LEAST ? LEAST
					  : max - RECORD_OVER;
	ssize_t		 n;
	int		 r;

	if ((r = tls_flush(server)) < 0 || c->phase != P_OPEN ||
	    t->io.room < max)
		return r;
	n = from_device(c, buf, want < sizeof(buf) ? want : sizeof(buf));
	if (c->phase == P_ENDED)
		return -EAGAIN;
	if (n > 0 && (r = tls_write(server, buf, (size_t)n)) == 0)
		r = tls_flush(server);
	if (n == 0 && !t->ends.said[CLIENT]) {
		t->ends.said[CLIENT] = true;
		if (tls_ended(t->ends.of[CLIENT].tls))
			tls_goodbye(server);
	}
	return r;
}

ssize_t
term_give(struct conn *c, uint8_t *buf, size_t max)
{
	struct term *t = c->term;
	size_t	     n;
	int	     r;

	if (t->ends.of[SERVER].tls == NULL)
		return c->phase == P_OPEN ? from_device(c, buf, max) : -EAGAIN;
	t->io.at = buf;
	t->io.room = max;
	r = seal(c, max);
	if (c->phase == P_ENDED)
		return -EAGAIN;
	n = max - t->io.room;
	t->io.room = 0;
	if (n > 0)
		return (ssize_t)n;
	if (r < 0 && r != -EAGAIN)
		conn_end(c, WHY_SERVER_RESET);
	else if (c->relay.ended[CLIENT] &&
	    tls_unsent(t->ends.of[SERVER].tls) == 0)
		return 0;
	return -EAGAIN;
}

/* -- the server -- */

static void
answered(struct conn *c)
{
	upstream_answered(conn_upstream(c), c->server, loop_now_ms(c->g->loop));
	dial_say(c->g);
	conn_phase(c, P_OPEN);
}

static void
shaken(struct conn *c)
{
	conn_shaken(c->g, SHAKEN_SERVER, c->term->ends.of[SERVER].tls,
	    c->since_ms);
	answered(c);
	tls_readable(c->term->ends.of[CLIENT].tls, c->closing[CLIENT]);
	wake(c);
	down(c); /* it may have spoken already */
}

static void
shake(struct conn *c)
{
	struct term	*t = c->term;
	struct tls_conn *server = t->ends.of[SERVER].tls;
	int		 r;

	if (t->busy)
		return;
	t->busy = true;
	tls_readable(server, false);
	r = tls_handshake(server);
	t->busy = false;
	if (r == 0)
		shaken(c);
	else if (r == -EAGAIN && c->stream[SERVER] != NULL)
		wake(c);
	else if (tls_fault(server) == TLS_FAULT_ALPN)
		conn_end(c, WHY_ALPN); /* the device's choice */
	else
		term_next_server(c, r == -EPROTO ? tls_error() : "");
}

void
term_next_server(struct conn *c, const char *fault)
{
	struct mux_stream *s = c->stream[SERVER];

	terminate_failed(c, fault);
	c->stream[SERVER] = NULL;
	if (s != NULL)
		mux_reset(s);
	ends_drop(&c->term->ends, SERVER);
	c->relay.ended[SERVER] = false;
	conn_watch(c, CLIENT, EPOLLET);
	if (c->phase != P_ENDED)
		dial_queue(c);
}

void
term_opened(struct conn *c)
{
	struct term	*term = c->term;
	struct tls_conn *tls = NULL;
	enum why	 why;

	term->io = (struct stream_io){ { io_recv, io_send }, .c = c };
	if (!terminate_listed(c)) {
		term_next_server(c, ""); /* of one that is not known, too */
		return;
	}
	if (!c->g->conf.terminate_tls) {
		ends_set(&term->ends, SERVER, -1, NULL);
		answered(c);
		tls_readable(term->ends.of[CLIENT].tls, false);
		return;
	}
	if ((why = terminate_connect(c, -1, &tls)) != WHY_CLOSED) {
		conn_end(c, why);
		return;
	}
	tls_use_io(tls, &term->io.io);
	ends_set(&term->ends, SERVER, -1, tls);
	shake(c);
}

/* -- what happens -- */

void
term_waits(struct conn *c)
{
	if (c->phase == P_ANSWER)
		shake(c);
	else
		down(c);
}

void
term_ended(struct conn *c)
{
	c->relay.ended[SERVER] = true;
	term_waits(c);
}

/* The stream is over, and all of it was read; not all may be with the device. */
void
term_closed(struct conn *c)
{
	term_waits(c);
}

void
term_event(struct conn *c, uint32_t events)
{
	const uint32_t gone = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
	struct end    *device = &c->term->ends.of[CLIENT];

	if ((events & EPOLLERR) && c->relay.ended[CLIENT]) {
		conn_end(c, WHY_CLIENT_RESET);
		return;
	}
	if (events & (EPOLLIN | gone))
		tls_readable(device->tls, (events & gone) != 0);
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) &&
	    c->relay.blocked[SERVER])
		down(c);
	wake(c);
}
