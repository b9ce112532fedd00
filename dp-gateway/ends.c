/*
 * dp-gateway/ends.c - bytes from TLS to TLS, or to clear; see ends.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes neither side, and does not look
 * at what it carries.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/ends.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define TURN_BYTES (1 << 20)

static uint8_t buf[ENDS_BATCH];
static size_t  waiting; /* in clear, of all */

void
ends_init(struct ends *e)
{
	*e = (struct ends){ .of = { { .fd = -1 }, { .fd = -1 } } };
}

void
ends_set(struct ends *e, int side, int fd, struct tls_conn *take_tls)
{
	e->of[side] = (struct end){ .tls = take_tls, .fd = fd };
}

void
ends_drop(struct ends *e, int side)
{
	struct end *end = &e->of[side];

	tls_conn_free(&end->tls);
	waiting -= end->rest_len;
	free(end->rest);
	*end = (struct end){ .fd = -1 };
}

void
ends_fini(struct ends *e)
{
	ends_drop(e, 0);
	ends_drop(e, 1);
}

/* -- one end -- */

ssize_t
end_read(struct end *e, void *p, size_t n)
{
	ssize_t r;

	if (e->tls != NULL)
		return tls_read(e->tls, p, n);
	r = recv(e->fd, p, n, 0);
	return r < 0 ? (errno == EINTR ? -EAGAIN : -errno) : r;
}

bool
end_has_more(const struct end *e)
{
	return e->tls != NULL && tls_has_more(e->tls);
}

static size_t
unsent(const struct end *e)
{
	return e->tls != NULL ? tls_unsent(e->tls) : e->rest_len - e->rest_off;
}

static ssize_t
push(int fd, const uint8_t *p, size_t n)
{
	ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

	return r < 0 ? (errno == EAGAIN || errno == EINTR ? 0 : -errno) : r;
}

int
end_write(struct end *e, const void *p, size_t n)
{
	ssize_t r;

	if (e->tls != NULL)
		return tls_write(e->tls, p, n);
	if (e->rest != NULL)
		return -EAGAIN;
	if ((r = push(e->fd, p, n)) < 0 || (size_t)r == n)
		return r < 0 ? (int)r : 0;
	if ((e->rest = malloc(n - (size_t)r)) == NULL)
		return -ENOMEM;
	e->rest_off = 0;
	e->rest_len = (uint32_t)(n - (size_t)r);
	memcpy(e->rest, (const uint8_t *)p + r, e->rest_len);
	waiting += e->rest_len;
	return 0;
}

int
end_flush(struct end *e)
{
	ssize_t r;

	if (e->tls != NULL)
		return tls_flush(e->tls);
	if (e->rest == NULL)
		return 0;
	if ((r = push(e->fd, e->rest + e->rest_off, e->rest_len - e->rest_off)) < 0)
		return (int)r;
	e->rest_off += (uint32_t)r;
	if (e->rest_off < e->rest_len)
		return -EAGAIN;
	waiting -= e->rest_len;
	free(e->rest);
	e->rest = NULL;
	e->rest_off = e->rest_len = 0;
	return 0;
}

size_t
ends_waiting(void)
{
	return tls_counts()->unsent + waiting;
}

/* -- from one to the other -- */

/* Moves what is there until one end has no more or the other takes no more. */
static int
pump(struct ends *e, struct relay *r, int from, uint64_t now_ms, int *bad)
{
	struct end *src = &e->of[from], *dst = &e->of[!from];
	size_t	    turn = 0, batch = 0, max;
	ssize_t	    n = 0;
	int	    f = 0;

	max = ends_waiting() > ENDS_WAITING ? 1 : ENDS_BATCH;
	while (f == 0 && !r->ended[from]) {
		if ((n = end_read(src, buf, sizeof(buf))) <= 0) {
			r->ended[from] = n == 0;
			break;
		}
		r->bytes[from] += (uint64_t)n;
		turn += (size_t)n;
		batch += (size_t)n;
		e->moved_ms[from] = now_ms;
		/* a clear end that took a part takes no more before the rest */
		if ((f = end_write(dst, buf, (size_t)n)) == 0 &&
		    (batch >= max || dst->rest != NULL)) {
			f = end_flush(dst);
			batch = 0;
		}
		if (turn >= TURN_BYTES && !end_has_more(src))
			break;
	}
	if (f == 0)
		f = end_flush(dst); /* what came before an error, too */
	if (f < 0 && f != -EAGAIN) {
		*bad = !from;
		return f;
	}
	r->blocked[from] = f == -EAGAIN;
	*bad = from;
	return n < 0 && n != -EAGAIN ? (int)n : 0;
}

/* Tells the other side that no more comes. */
static int
tell_end(struct ends *e, struct relay *r, int from, int *bad)
{
	struct end *src = &e->of[from], *dst = &e->of[!from];
	int	    f;

	if (!r->ended[from] || r->told[from] || r->blocked[from])
		return 0;
	*bad = !from;
	if (!e->said[from] && dst->tls != NULL &&
	    (src->tls == NULL || tls_ended(src->tls)))
		tls_goodbye(dst->tls);
	e->said[from] = true;
	if ((f = end_flush(dst)) == -EAGAIN) {
		r->blocked[from] = true;
		return 0;
	}
	if (f < 0)
		return f;
	r->told[from] = true;
	/* after the second end both are closed anyway */
	return r->told[!from] || shutdown(dst->fd, SHUT_WR) == 0 ? 0 : -errno;
}

static int
move(struct ends *e, struct relay *r, int from, uint64_t now_ms, int *bad)
{
	struct end *dst = &e->of[!from];
	size_t	    before = unsent(dst);
	int	    f = end_flush(dst);

	if (unsent(dst) != before)
		e->moved_ms[from] = now_ms;
	if (f == 0)
		f = pump(e, r, from, now_ms, bad);
	else if (f == -EAGAIN) {
		r->blocked[from] = true;
		f = 0;
	} else
		*bad = !from;
	return f < 0 ? f : tell_end(e, r, from, bad);
}

int
ends_run(struct ends *e, struct relay *r, int side, uint32_t events,
    uint64_t now_ms, int *bad)
{
	const uint32_t gone = EPOLLERR | EPOLLHUP;
	int	       f;

	*bad = side;
	if (events & (EPOLLIN | EPOLLRDHUP | gone)) {
		if (e->of[side].tls != NULL)
			tls_readable(e->of[side].tls, false);
		if (!r->ended[side] && !r->blocked[side] &&
		    (f = move(e, r, side, now_ms, bad)) < 0)
			return f;
	}
	if ((events & (EPOLLOUT | gone)) && r->blocked[!side] &&
	    (f = move(e, r, !side, now_ms, bad)) < 0)
		return f;
	/* it sends no more and takes no more, and was not asked to */
	if ((events & EPOLLERR) && r->ended[side] && !r->blocked[side] &&
	    !relay_over(r)) {
		*bad = side;
		return -ECONNRESET;
	}
	return 0;
}

bool
ends_stuck(const struct ends *e, const struct relay *r, uint64_t before)
{
	for (int from = 0; from < 2; from++)
		if (r->blocked[from] && e->moved_ms[from] < before)
			return true;
	return false;
}
