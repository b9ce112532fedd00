/*
 * dp-gateway/relay.c - bytes from one socket to the other; see relay.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes nothing of either side, and
 * does not look at what it carries, also not at what it copies.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK	   (1 << 20) /* a pipe has 16 slots, each of many pages */
#define TURN_BYTES (1 << 20)
#define MORE_BYTES (16 << 10) /* came at once: there is likely more */
#define BULK_BYTES (128 << 10) /* in a turn: the next one copies */
#define COPY_BYTES (32 << 10)  /* half of what an empty pipe holds */
#define PEEK_BYTES (64 << 10)

struct pipe {
	struct pipe *prev, *next; /* in the list of the held, or of the spare */
	void	    *owner;
	uint64_t     moved_ms;
	size_t	     len;
	int	     fd[2];
	bool	     is_small; /* the kernel gives a user only so many others */
};

struct pipes {
	struct pipe *spare, *held;
	unsigned     max, made, nheld, nbare;
};

int
pipes_new(unsigned max, struct pipes **out)
{
	if ((*out = calloc(1, sizeof(**out))) == NULL)
		return -ENOMEM;
	(*out)->max = max;
	return 0;
}

static void
pipe_free(struct pipe *p)
{
	close(p->fd[0]);
	close(p->fd[1]);
	free(p);
}

void
pipes_free(struct pipes **pp)
{
	struct pipe *p;

	if (*pp == NULL)
		return;
	while ((p = (*pp)->spare) != NULL) {
		(*pp)->spare = p->next;
		pipe_free(p);
	}
	free(*pp);
	*pp = NULL;
}

unsigned
pipes_held(const struct pipes *p)
{
	return p->nheld;
}

unsigned
pipes_bare(const struct pipes *p)
{
	return p->nbare;
}

void
pipes_each_stuck(struct pipes *ps, uint64_t before,
    void (*fn)(void *ctx, void *owner), void *ctx)
{
	struct pipe *next;

	for (struct pipe *p = ps->held; p != NULL; p = next) {
		next = p->next;
		if (p->moved_ms >= before)
			continue;
		/* an owner may hold the next one, too, and end with fn */
		while (next != NULL && next->owner == p->owner)
			next = next->next;
		fn(ctx, p->owner);
	}
}

/* One with nothing in it, in neither list; NULL: there are no more. */
static struct pipe *
pipe_take(struct pipes *ps)
{
	struct pipe *p = ps->spare;

	if (p != NULL) {
		ps->spare = p->next;
		return p;
	}
	if (ps->made == ps->max || (p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	if (pipe2(p->fd, O_NONBLOCK | O_CLOEXEC) < 0) {
		free(p);
		return NULL;
	}
	p->is_small = fcntl(p->fd[1], F_GETPIPE_SZ) < COPY_BYTES;
	ps->made++;
	return p;
}

static void
pipe_give(struct pipes *ps, struct pipe *p)
{
	p->next = ps->spare;
	ps->spare = p;
}

/* Bytes stay in it. */
static void
hold(struct relay *r, struct pipes *ps, int from, struct pipe *p, void *owner)
{
	p->owner = owner;
	p->prev = NULL;
	p->next = ps->held;
	if (p->next != NULL)
		p->next->prev = p;
	ps->held = p;
	ps->nheld++;
	r->held[from] = p;
}

static struct pipe *
unhold(struct relay *r, struct pipes *ps, int from)
{
	struct pipe *p = r->held[from];

	*(p->prev != NULL ? &p->prev->next : &ps->held) = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	ps->nheld--;
	r->held[from] = NULL;
	return p;
}

/* Since when a direction is blocked without a pipe; 0: it is not. */
static void
set_bare(struct relay *r, struct pipes *ps, int from, uint32_t ms)
{
	ps->nbare += (ms != 0) - (r->bare_ms[from] != 0);
	r->bare_ms[from] = ms;
}

void
relay_init(struct relay *r, int fd0, int fd1)
{
	*r = (struct relay){ .fd = { fd0, fd1 } };
}

void
relay_fini(struct relay *r, struct pipes *ps)
{
	for (int from = 0; from < 2; from++)
		if (r->held[from] != NULL) { /* not empty: of no more use */
			pipe_free(unhold(r, ps, from));
			ps->made--;
		} else
			set_bare(r, ps, from, 0);
}

uint32_t
relay_wants(const struct relay *r, int side)
{
	return (!r->ended[side] && !r->blocked[side] ? (uint32_t)EPOLLIN : 0) |
	    (r->blocked[!side] ? (uint32_t)EPOLLOUT : 0);
}

bool
relay_stuck(const struct relay *r, uint64_t before)
{
	for (int from = 0; from < 2; from++)
		if (r->bare_ms[from] != 0 &&
		    (int32_t)((uint32_t)before - r->bare_ms[from]) > 0)
			return true;
	return false;
}

bool
relay_over(const struct relay *r)
{
	return r->told[0] && r->told[1];
}

/* The pipe's bytes to the other side, as many as it takes. */
static int
pipe_out(struct relay *r, struct pipe *p, int from, uint64_t now_ms, int *bad)
{
	ssize_t n;

	while (p->len > 0) {
		n = splice(p->fd[0], NULL, r->fd[!from], NULL, p->len,
		    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			r->blocked[from] = true;
			return 0;
		}
		if (n <= 0) {
			*bad = !from;
			return n < 0 ? -errno : -EPIPE;
		}
		p->len -= (size_t)n;
		p->moved_ms = now_ms;
		r->bytes[from] += (uint64_t)n;
	}
	return 0;
}

/* Bytes, or 0 at the end, or -EAGAIN. */
static ssize_t
pipe_in(struct relay *r, struct pipe *p, int from, int *bad)
{
	ssize_t n;

	do
		n = splice(r->fd[from], NULL, p->fd[1], NULL, CHUNK,
		    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	if (n >= 0) {
		p->len = (size_t)n;
		return n;
	}
	if (errno != EAGAIN)
		*bad = from;
	return -errno;
}

/* Through a buffer; what the other side does not take goes into the empty
 * pipe, which has room for it. */
static ssize_t
copy_over(struct relay *r, struct pipe *p, int from, int *bad)
{
	static char buf[COPY_BYTES];
	ssize_t	    n, m;

	if ((n = recv(r->fd[from], buf, sizeof(buf), 0)) <= 0) {
		if (n < 0 && errno != EAGAIN)
			*bad = from;
		return n < 0 ? -errno : 0;
	}
	m = send(r->fd[!from], buf, (size_t)n, MSG_NOSIGNAL);
	if (m < 0 && errno != EAGAIN) {
		*bad = !from;
		return -errno;
	}
	m = m > 0 ? m : 0;
	r->bytes[from] += (uint64_t)m;
	if (m == n)
		return n;
	r->blocked[from] = true;
	if (write(p->fd[1], buf + m, (size_t)(n - m)) != n - m) {
		*bad = from;
		return -EIO;
	}
	p->len = (size_t)(n - m);
	return n;
}

/* Without a pipe: what the other side took is then taken off this one. */
static ssize_t
peek_over(struct relay *r, int from, int *bad)
{
	static char buf[PEEK_BYTES];
	ssize_t	    n, m;

	if ((n = recv(r->fd[from], buf, sizeof(buf), MSG_PEEK)) <= 0) {
		if (n < 0 && errno != EAGAIN)
			*bad = from;
		return n < 0 ? -errno : 0;
	}
	m = send(r->fd[!from], buf, (size_t)n, MSG_NOSIGNAL);
	if (m < 0 && errno != EAGAIN) {
		*bad = !from;
		return -errno;
	}
	if (m < n)
		r->blocked[from] = true;
	if (m <= 0)
		return -EAGAIN;
	/* MSG_TRUNC: TCP drops the bytes without copying them (tcp(7)) */
	if (recv(r->fd[from], NULL, (size_t)m, MSG_TRUNC) != m) {
		*bad = from;
		return -EIO;
	}
	r->bytes[from] += (uint64_t)m;
	return m;
}

/* Moves what is there in one direction. 0, or -errno. */
static int
move(struct relay *r, struct pipes *ps, int from, void *owner, uint64_t now_ms,
    int *bad)
{
	struct pipe *p = r->held[from] != NULL ? unhold(r, ps, from)
					       : pipe_take(ps);
	size_t	     turn = 0;
	ssize_t	     n = 0;
	int	     w = 0;

	r->blocked[from] = false;
	if (p != NULL && p->len > 0)
		w = pipe_out(r, p, from, now_ms, bad);
	while (w == 0 && !r->blocked[from] && !r->ended[from]) {
		n = p == NULL ? peek_over(r, from, bad)
		    : (turn == 0 || r->bulk[from]) && !p->is_small
		    ? copy_over(r, p, from, bad)
		    : pipe_in(r, p, from, bad);
		if (n == 0)
			r->ended[from] = true;
		if (n <= 0)
			break;
		if (p != NULL)
			p->moved_ms = now_ms;
		if (p != NULL && !r->blocked[from])
			w = pipe_out(r, p, from, now_ms, bad);
		turn += (size_t)n;
		if (n < MORE_BYTES || turn >= TURN_BYTES)
			break;
	}
	r->bulk[from] = turn >= BULK_BYTES;
	if (p != NULL && p->len > 0)
		hold(r, ps, from, p, owner);
	else if (p != NULL)
		pipe_give(ps, p);
	if (p == NULL && r->blocked[from]) {
		if (turn > 0 || r->bare_ms[from] == 0)
			set_bare(r, ps, from, (uint32_t)now_ms | 1);
	} else if (r->bare_ms[from] != 0)
		set_bare(r, ps, from, 0);
	return w < 0 ? w : n < 0 && n != -EAGAIN ? (int)n : 0;
}

/* Tells the other side that no more comes. */
static int
tell_end(struct relay *r, int from, int *bad)
{
	if (!r->ended[from] || r->told[from] || r->held[from] != NULL)
		return 0;
	r->told[from] = true;
	if (r->told[!from] || shutdown(r->fd[!from], SHUT_WR) == 0)
		return 0; /* after the second end both are closed anyway */
	*bad = !from;
	return -errno;
}

int
relay_run(struct relay *r, struct pipes *ps, int side, uint32_t events,
    void *owner, uint64_t now_ms, int *bad)
{
	const uint32_t gone = EPOLLERR | EPOLLHUP;
	int	       e = 0;

	*bad = side;
	if ((events & (EPOLLIN | EPOLLRDHUP | gone)) && !r->ended[side] &&
	    !r->blocked[side] &&
	    ((e = move(r, ps, side, owner, now_ms, bad)) < 0 ||
		(e = tell_end(r, side, bad)) < 0))
		return e;
	if ((events & (EPOLLOUT | gone)) && r->blocked[!side] &&
	    ((e = move(r, ps, !side, owner, now_ms, bad)) < 0 ||
		(e = tell_end(r, !side, bad)) < 0))
		return e;
	/* it sends no more and takes no more, and was not asked to */
	if ((events & EPOLLERR) && r->ended[side] && r->held[side] == NULL &&
	    !relay_over(r)) {
		*bad = side;
		return -ECONNRESET;
	}
	return 0;
}
