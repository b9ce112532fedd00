/*
 * common/ipc.c - framing, descriptors and queues; see ipc.h.
 *
 * Runs in every program, on both sides of every privilege boundary. Believes
 * nothing of the peer: lengths and descriptors are counted before a handler
 * sees them, and what was not asked for is closed first.
 * SPDX-License-Identifier: ISC
 */
#include "common/ipc.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER	   8
#define RECV_BURST 64 /* messages handled before others get their turn */
#define SOCKET_BUF (1 << 20)
#define CONTROL_FDS 16 /* room to see that a peer sent too many */

struct out {
	struct out *next;
	size_t	    len;
	int	    fds[MSG_MAX_FDS];
	uint8_t	    bytes[];
};

struct ipc {
	int		 fd;
	struct loop_io	*io;
	struct ipc_table table;
	void		*ctx;
	void (*broken)(void *ctx, struct ipc *c, int r);
	loop_fn	    drained;
	void	   *drained_ctx;
	struct out *head, **tail;
	size_t	    queued, max_queue;
	bool	    dead, busy, freed; /* freed while busy: on_ready ends it */
};

/* A message is received here; one thread, one at a time, not reentered. */
static uint8_t inbuf[MSG_MAX + 1];

int
ipc_pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	return 0;
}

static void
close_fds(int fds[MSG_MAX_FDS])
{
	for (int i = 0; i < MSG_MAX_FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static void
put_header(uint8_t h[HEADER], uint16_t type, uint32_t id)
{
	h[0] = (uint8_t)(type >> 8);
	h[1] = (uint8_t)type;
	h[2] = h[3] = 0;
	h[4] = (uint8_t)(id >> 24);
	h[5] = (uint8_t)(id >> 16);
	h[6] = (uint8_t)(id >> 8);
	h[7] = (uint8_t)id;
}

static int
raw_send(int fd, struct iovec *iov, int niov, const int *fds, int flags)
{
	union {
		struct cmsghdr align;
		char	       buf[CMSG_SPACE(sizeof(int) * MSG_MAX_FDS)];
	} ctl;
	struct msghdr	mh = { .msg_iov = iov, .msg_iovlen = (size_t)niov };
	struct cmsghdr *c;
	size_t		n = 0;

	while (n < MSG_MAX_FDS && fds[n] >= 0)
		n++;
	if (n > 0) {
		memset(&ctl, 0, sizeof(ctl));
		mh.msg_control = ctl.buf;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	while (sendmsg(fd, &mh, MSG_NOSIGNAL | flags) < 0) {
		if (errno == EINTR)
			continue;
		return errno == EPIPE || errno == ECONNRESET ? -ENOTCONN
							     : -errno;
	}
	return 0;
}

/* Payload length, or negative; -ENOTCONN at the end. m->fds are ours then. */
static ssize_t
raw_recv(int fd, uint8_t *buf, size_t size, int flags, struct ipc_msg *m)
{
	union {
		struct cmsghdr align;
		char	       buf[CMSG_SPACE(sizeof(int) * CONTROL_FDS)];
	} ctl;
	struct iovec	iov = { buf, size };
	struct msghdr	mh = { .msg_iov = &iov, .msg_iovlen = 1,
		   .msg_control = ctl.buf, .msg_controllen = sizeof(ctl.buf) };
	int		got[CONTROL_FDS];
	size_t		nfds = 0, k;
	ssize_t		n;

	for (int i = 0; i < MSG_MAX_FDS; i++)
		m->fds[i] = -1;
	while ((n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC | flags)) < 0) {
		if (errno == EINTR)
			continue;
		return errno == ECONNRESET ? -ENOTCONN : -errno;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c != NULL;
	    c = CMSG_NXTHDR(&mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (k > CONTROL_FDS - nfds)
			k = CONTROL_FDS - nfds;
		memcpy(got + nfds, CMSG_DATA(c), k * sizeof(int));
		nfds += k;
	}
	if (n == 0 && nfds == 0)
		return -ENOTCONN;
	if ((mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
	    nfds > MSG_MAX_FDS || n < HEADER || buf[2] != 0 || buf[3] != 0) {
		for (size_t i = 0; i < nfds; i++)
			close(got[i]);
		/* descriptors missing where there was room: our own limit */
		return (mh.msg_flags & MSG_CTRUNC) != 0 && nfds < MSG_MAX_FDS
		    ? -EMFILE
		    : -EBADMSG;
	}
	for (size_t i = 0; i < nfds; i++)
		m->fds[i] = got[i];
	m->type = (uint16_t)(buf[0] << 8 | buf[1]);
	m->id = (uint32_t)buf[4] << 24 | (uint32_t)buf[5] << 16 |
	    (uint32_t)buf[6] << 8 | buf[7];
	m->len = (size_t)n - HEADER;
	m->rd = rd_from(buf + HEADER, m->len);
	return n - HEADER;
}

static uint16_t
count_fds(const struct ipc_msg *m)
{
	uint16_t n = 0;

	while (n < MSG_MAX_FDS && m->fds[n] >= 0)
		n++;
	return n;
}

static int
dispatch(struct ipc *c, struct ipc_msg *m)
{
	const struct ipc_handler *h = c->table.handlers;

	for (size_t i = 0; i < c->table.n; i++, h++)
		if (h->type == m->type) {
			if (m->len < h->min || m->len > h->max ||
			    count_fds(m) != h->nfds)
				return -EBADMSG;
			return h->fn(c->ctx, m);
		}
	return -EBADMSG;
}

static void
drop_queue(struct ipc *c)
{
	struct out *o;

	while ((o = c->head) != NULL) {
		c->head = o->next;
		close_fds(o->fds);
		free(o);
	}
	c->tail = &c->head;
	c->queued = 0;
}

static void
fail(struct ipc *c, int r)
{
	if (c->dead)
		return;
	c->dead = true;
	loop_io_set(c->io, 0);
	drop_queue(c);
	c->broken(c->ctx, c, r);
}

/* Sends what waits; 0 also when the socket is full. */
static int
flush(struct ipc *c)
{
	struct out *o;
	int	    r = 0;

	while ((o = c->head) != NULL) {
		struct iovec iov = { o->bytes, o->len };

		if ((r = raw_send(c->fd, &iov, 1, o->fds, MSG_DONTWAIT)) < 0)
			break;
		if ((c->head = o->next) == NULL)
			c->tail = &c->head;
		c->queued--;
		close_fds(o->fds);
		free(o);
	}
	if (r == -EAGAIN)
		r = 0;
	return r < 0 ? r
		     : loop_io_set(c->io,
			   LOOP_READ | (c->head != NULL ? LOOP_WRITE : 0));
}

static void
on_ready(void *ctx, int events)
{
	struct ipc    *c = ctx;
	struct ipc_msg m;
	ssize_t	       n;
	int	       r = 0;

	c->busy = true;
	if (events & LOOP_WRITE) {
		r = flush(c);
		if (r == 0 && c->head == NULL && c->drained != NULL)
			c->drained(c->drained_ctx);
	}
	for (int i = 0; r == 0 && !c->freed && (events & LOOP_READ) &&
	    i < RECV_BURST; i++) {
		n = raw_recv(c->fd, inbuf, MSG_MAX, MSG_DONTWAIT, &m);
		if (n == -EAGAIN)
			break;
		r = n < 0 ? (int)n : dispatch(c, &m);
		close_fds(m.fds);
		if (c->dead)
			break;
	}
	if (r < 0 && !c->freed)
		fail(c, r);
	c->busy = false;
	if (c->freed)
		free(c);
}

int
ipc_new(struct loop *l, int take_fd, struct ipc_table table, void *ctx,
    void (*broken)(void *ctx, struct ipc *c, int r), size_t max_queue,
    struct ipc **out)
{
	struct ipc *c = calloc(1, sizeof(*c));
	int	    r = -ENOMEM, buf = SOCKET_BUF;

	*out = NULL;
	if (c == NULL) {
		close(take_fd);
		return -ENOMEM;
	}
	*c = (struct ipc){ .fd = take_fd, .table = table, .ctx = ctx,
		.broken = broken, .max_queue = max_queue };
	c->tail = &c->head;
	/* a full-sized message must fit; more is a courtesy of the kernel */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &buf, sizeof(buf));
	if ((r = loop_io_new(l, c->fd, LOOP_READ, on_ready, c, &c->io)) < 0) {
		ipc_free(&c);
		return r;
	}
	*out = c;
	return 0;
}

void
ipc_free(struct ipc **cp)
{
	struct ipc *c = *cp;

	if (c == NULL)
		return;
	loop_io_free(&c->io);
	drop_queue(c);
	close(c->fd);
	c->dead = c->freed = true;
	if (!c->busy)
		free(c);
	*cp = NULL;
}

void
ipc_set_table(struct ipc *c, struct ipc_table table, void *ctx)
{
	c->table = table;
	c->ctx = ctx;
}

int
ipc_send_fds(struct ipc *c, uint16_t type, uint32_t id, const void *payload,
    size_t len, int take_fd, int take_fd2)
{
	int	     fds[MSG_MAX_FDS] = { take_fd, take_fd2 };
	uint8_t	     head[HEADER];
	struct iovec iov[2] = { { head, HEADER }, { (void *)payload, len } };
	struct out  *o;
	int	     r = -EAGAIN;

	if (c->dead || len > MSG_MAX_PAYLOAD) {
		r = c->dead ? -ENOTCONN : -EMSGSIZE;
		goto out;
	}
	put_header(head, type, id);
	if (c->head == NULL)
		r = raw_send(c->fd, iov, len > 0 ? 2 : 1, fds, MSG_DONTWAIT);
	if (r != -EAGAIN)
		goto out; /* a dead peer shows as EOF in on_ready */
	if (c->queued >= c->max_queue) {
		r = -ENOBUFS;
		goto out;
	}
	if ((o = malloc(sizeof(*o) + HEADER + len)) == NULL) {
		r = -ENOMEM;
		goto out;
	}
	o->next = NULL;
	o->len = HEADER + len;
	memcpy(o->fds, fds, sizeof(fds));
	memcpy(o->bytes, head, HEADER);
	if (len > 0)
		memcpy(o->bytes + HEADER, payload, len);
	*c->tail = o;
	c->tail = &o->next;
	c->queued++;
	return loop_io_set(c->io, LOOP_READ | LOOP_WRITE);
out:
	close_fds(fds);
	return r;
}

int
ipc_send(struct ipc *c, uint16_t type, uint32_t id, const void *payload,
    size_t len)
{
	return ipc_send_fds(c, type, id, payload, len, -1, -1);
}

int
ipc_notify(struct ipc *c, uint16_t type, const void *payload, size_t len)
{
	return c->queued >= c->max_queue / 2 ? -ENOBUFS
					     : ipc_send(c, type, 0, payload, len);
}

size_t
ipc_queued(const struct ipc *c)
{
	return c->queued;
}

void
ipc_on_drained(struct ipc *c, loop_fn fn, void *ctx)
{
	c->drained = fn;
	c->drained_ctx = ctx;
}

int
ipc_take_fd(struct ipc_msg *m, int i)
{
	int fd = m->fds[i];

	m->fds[i] = -1;
	return fd;
}

int
ipc_send_now(int fd, uint16_t type, uint32_t id, const void *payload, size_t len,
    int borrowed_fd)
{
	int	     fds[MSG_MAX_FDS] = { borrowed_fd, -1 };
	uint8_t	     head[HEADER];
	struct iovec iov[2] = { { head, HEADER }, { (void *)payload, len } };

	if (len > MSG_MAX_PAYLOAD)
		return -EMSGSIZE;
	put_header(head, type, id);
	return raw_send(fd, iov, len > 0 ? 2 : 1, fds, 0);
}

int
ipc_recv_now(int fd, void *buf, size_t size, int timeout_ms, struct ipc_msg *m)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t	      n;
	int	      r;

	while ((r = poll(&p, 1, timeout_ms)) < 0 && errno == EINTR)
		;
	if (r < 0)
		return -errno;
	if (r == 0)
		return -ETIMEDOUT;
	n = raw_recv(fd, buf, size, 0, m);
	return n < 0 ? (int)n : 0;
}
