/*
 * dp-master/control_admin.c - the admin socket's connections.
 *
 * Runs in the control half. Believes the kernel about who asks, once per
 * connection; of the asker's bytes one line at a time. A reader that lets more
 * than OUT_MAX bytes wait, or takes nothing for STALL_MS, is cut off.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/control.h"
#include "common/log.h"
#include "common/size.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS_MAX  64
#define CONNS_BUSY 16 /* more, who are only told that it is busy */
#define OUT_MAX	   ((size_t)16 << 20) /* of one reader */
#define OUT_SUM	   ((size_t)32 << 20) /* of all */
#define OUT_AHEAD  ((size_t)64 << 10) /* waits: no further request is taken */
#define IDLE_MS	   60000
#define STALL_MS   30000
#define SWEEP_MS   5000
#define GROUPS_MAX 256

struct conn {
	struct conn    *next;
	struct control *c;
	int		fd;
	struct loop_io *io;
	struct request *q; /* one at a time */
	char		in[REQUEST_MAX], *out;
	size_t		in_len, out_len, out_off, out_size;
	/* closing: reads on only so that the asker gets to read our error */
	bool		eof, dead, busy, closing;
	bool		may_read, may_change;
	uint64_t	active; /* loop ms of the last byte either way */
};

static size_t out_sum;

static void process(struct conn *k);

/* Freed by the sweep, never under the feet of who is writing to it. */
static void
conn_die(struct conn *k)
{
	if (k->dead)
		return;
	k->dead = true;
	loop_io_set(k->io, 0);
	loop_timer_set(k->c->sweep, 0);
}

static void
request_free(struct request *q)
{
	struct request **p = &q->c->requests;

	while (*p != q)
		p = &(*p)->next;
	*p = q->next;
	if (q->conn != NULL)
		q->conn->q = NULL;
	json_decref(q->merged);
	loop_timer_free(&q->deadline);
	metrics_free(&q->metrics);
	json_decref(q->warnings);
	free(q);
}

static void
conn_free(struct conn *k)
{
	if (k->q != NULL) {
		control_stop_answers(k->q);
		request_free(k->q);
	}
	loop_io_free(&k->io);
	close(k->fd);
	out_sum -= k->out_size;
	free(k->out);
	free(k);
}

static void
rewatch(struct conn *k)
{
	int events = 0;

	if (k->dead)
		return;
	if (k->out_len == k->out_off && k->q == NULL && k->eof &&
	    (k->closing || k->in_len == 0)) {
		conn_die(k);
		return;
	}
	if (!k->eof && k->in_len < sizeof(k->in))
		events |= LOOP_READ;
	if (k->out_len > k->out_off)
		events |= LOOP_WRITE;
	if (loop_io_set(k->io, events) < 0)
		conn_die(k);
}

static void
put(struct conn *k, const char *text, size_t len)
{
	size_t size = k->out_size;
	char  *bigger;

	if (k->dead)
		return;
	if (k->out_off > 0) {
		memmove(k->out, k->out + k->out_off, k->out_len - k->out_off);
		k->out_len -= k->out_off;
		k->out_off = 0;
	}
	while (size < k->out_len + len)
		size = size == 0 ? 4096 : size * 2;
	if (size > OUT_MAX || out_sum - k->out_size + size > OUT_SUM) {
		log_warn("admin socket: a reader is too slow, cut off");
		conn_die(k);
		return;
	}
	if (size > k->out_size) {
		if ((bigger = realloc(k->out, size)) == NULL) {
			conn_die(k);
			return;
		}
		out_sum += size - k->out_size;
		k->out = bigger;
		k->out_size = size;
	}
	memcpy(k->out + k->out_len, text, len);
	k->out_len += len;
	rewatch(k);
}

static void
put_error(struct conn *k, const char *reason)
{
	char line[700];
	int  n = snprintf(line, sizeof(line), "error %.650s\n", reason);

	for (int i = 0; i < n - 1; i++) /* one line, whoever worded it */
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	put(k, line, (size_t)n);
}

void
request_text(struct request *q, const char *line)
{
	put(q->conn, line, strlen(line));
}

void
request_row(struct request *q, json_t *take_row)
{
	char *text = q->json ? json_dumps(take_row, JSON_COMPACT)
			     : row_text(take_row);

	if (text != NULL) {
		put(q->conn, text, strlen(text));
		put(q->conn, "\n", 1);
	}
	free(text);
	json_decref(take_row);
}

void
request_end(struct request *q, const char *error)
{
	struct conn *k = q->conn;
	char	     why[651] = "";

	if (error != NULL) /* which may be the request's own */
		snprintf(why, sizeof(why), "%s", error);
	request_free(q);
	if (k == NULL)
		return;
	if (error != NULL)
		put_error(k, why);
	else
		put(k, "ok\n", 3);
	k->active = loop_now_ms(k->c->loop);
	process(k);
}

struct request *
request_new(struct control *c, struct conn *conn)
{
	struct request *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	if (++c->last_id == 0)
		c->last_id = 1;
	*q = (struct request){ .next = c->requests, .c = c, .conn = conn,
		.id = c->last_id };
	c->requests = q;
	return q;
}

static void
run_line(struct conn *k, const char *line, size_t len)
{
	struct words	w = { 0 };
	struct request *q;
	const char     *reason;
	char	      **argv = w.argv;

	if (len > 0 && line[len - 1] == '\r') /* a terminal's line end */
		len--;
	if (!k->may_read) {
		k->closing = true;
		put_error(k, "permission denied: neither root nor in "
			     "master.admin-read-group");
		return;
	}
	if (words_parse(&w, line, len, &reason) < 0) {
		put_error(k, reason);
		return;
	}
	if ((q = request_new(k->c, k)) == NULL) {
		put_error(k, "no memory");
		return;
	}
	k->q = q;
	if (strcmp(argv[0], "json") == 0) {
		q->json = true;
		argv++;
		w.argc--;
	}
	if (w.argc == 0)
		request_end(q, "json: expected a command after it");
	else
		command_run(q, w.argc, argv, k->may_change);
}

/* The next line without its newline, or false: none yet. */
static bool
take_line(struct conn *k, char line[REQUEST_MAX], size_t *len)
{
	char  *nl;
	size_t used;

	if (k->closing || k->in_len == 0)
		return false;
	nl = memchr(k->in, '\n', k->in_len);
	if (nl == NULL && k->in_len == sizeof(k->in)) {
		k->closing = true;
		k->in_len = 0;
		put_error(k, "request is longer than 4095 bytes");
	}
	if (k->closing || (nl == NULL && !k->eof))
		return false;
	*len = nl != NULL ? (size_t)(nl - k->in) : k->in_len;
	used = nl != NULL ? *len + 1 : *len;
	memcpy(line, k->in, *len);
	k->in_len -= used;
	memmove(k->in, k->in + used, k->in_len);
	return true;
}

/* Runs lines until one waits for its answer, or answers for their reader: who asks
 * without an end and reads nothing costs no time. A loop: an answer given at once
 * comes back here, and many short lines must not nest. */
static void
process(struct conn *k)
{
	char   line[REQUEST_MAX];
	size_t len;

	if (k->busy)
		return;
	k->busy = true;
	while (k->q == NULL && !k->dead &&
	    k->out_len - k->out_off <= OUT_AHEAD && take_line(k, line, &len))
		run_line(k, line, len);
	k->busy = false;
	rewatch(k);
}

static void
on_io(void *ctx, int events)
{
	struct conn *k = ctx;
	ssize_t	     n;

	if (events & LOOP_WRITE) {
		n = write(k->fd, k->out + k->out_off, k->out_len - k->out_off);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			conn_die(k);
			return;
		}
		if (n > 0) {
			k->out_off += (size_t)n;
			k->active = loop_now_ms(k->c->loop);
		}
	}
	if (events & LOOP_READ) {
		n = read(k->fd, k->in + k->in_len, sizeof(k->in) - k->in_len);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			conn_die(k);
			return;
		}
		if (n == 0)
			k->eof = true;
		if (n > 0 && !k->closing) {
			k->in_len += (size_t)n;
			k->active = loop_now_ms(k->c->loop);
		}
	}
	process(k);
}

/* Who asks, by the kernel's word at the time of its connect(). */
static void
ask_kernel(struct conn *k)
{
	struct control *c = k->c;
	struct ucred	cred;
	gid_t		groups[GROUPS_MAX + 1];
	socklen_t	len = sizeof(cred), glen = sizeof(gid_t) * GROUPS_MAX;
	size_t		n = 0;

	if (getsockopt(k->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return;
	if (cred.uid == 0 || (c->own_uid != 0 && cred.uid == c->own_uid)) {
		k->may_read = k->may_change = true;
		return;
	}
	if (getsockopt(k->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &glen) == 0)
		n = glen / sizeof(gid_t);
	groups[n++] = cred.gid;
	while (n-- > 0) {
		if (c->change_gid != (gid_t)-1 && groups[n] == c->change_gid)
			k->may_read = k->may_change = true;
		if (c->read_gid != (gid_t)-1 && groups[n] == c->read_gid)
			k->may_read = true;
	}
}

static void
on_accept(void *ctx, int events)
{
	struct control	 *c = ctx;
	struct conn	 *k;
	int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (c->nconns >= CONNS_MAX + CONNS_BUSY ||
	    (k = calloc(1, sizeof(*k))) == NULL) {
		close(fd);
		return;
	}
	*k = (struct conn){ .c = c, .fd = fd, .next = c->conns,
		.active = loop_now_ms(c->loop) };
	if (loop_io_new(c->loop, fd, LOOP_READ, on_io, k, &k->io) < 0) {
		close(fd);
		free(k);
		return;
	}
	c->conns = k;
	c->nconns++;
	ask_kernel(k);
	if (c->nconns > CONNS_MAX) {
		k->closing = true;
		put_error(k, "busy: 64 connections");
	}
}

/* Whether nobody can hear the answer any more. */
static bool
has_left(const struct conn *k)
{
	struct pollfd p = { .fd = k->fd };

	return k->eof && poll(&p, 1, 0) == 1 &&
	    (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void
on_sweep(void *ctx)
{
	struct control *c = ctx;
	struct conn   **p = &c->conns, *k;
	uint64_t	now = loop_now_ms(c->loop);

	loop_timer_set(c->sweep, SWEEP_MS);
	while ((k = *p) != NULL) {
		bool	 waits = k->out_len > k->out_off;
		uint64_t limit = k->closing ? SWEEP_MS
		    : waits		    ? STALL_MS
					    : IDLE_MS;

		if (!k->dead && !has_left(k) && now - k->active < limit) {
			p = &k->next;
			continue;
		}
		if (!k->dead && !waits && k->q != NULL && !has_left(k)) {
			p = &k->next; /* its answer takes its time */
			continue;
		}
		*p = k->next;
		c->nconns--;
		conn_free(k);
	}
}

int
admin_init(struct control *c)
{
	int r;

	if ((r = loop_timer_new(c->loop, on_sweep, c, &c->sweep)) < 0 ||
	    (r = loop_timer_set(c->sweep, SWEEP_MS)) < 0)
		return r;
	return loop_io_new(c->loop, c->listen_fd, LOOP_READ, on_accept, c,
	    &c->listen_io);
}
