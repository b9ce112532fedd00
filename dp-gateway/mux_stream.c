/*
 * dp-gateway/mux_stream.c - one stream: opened, answered, taken from; see mux.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes nothing of the peer, and does
 * not look at what streams carry. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/mux_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- life -- */

struct mux_stream *
mux_stream_new(struct mux *m, int32_t id, void *owner)
{
	struct mux_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->m = m;
	s->id = id;
	s->owner = owner;
	s->window = m->conf.window;
	if ((s->next = m->first) != NULL)
		s->next->prev = s;
	m->first = s;
	m->stats.streams++;
	return s;
}

static void
queue_drop(struct mux_stream *s)
{
	s->m->stats.queued -= s->len;
	free(s->queue);
	s->queue = NULL;
	s->off = s->len = s->size = 0;
}

/* nghttp2 has a last frame for it, which the peer may take its time to read. */
static void
owe(struct mux_stream *s, int submitted)
{
	if (submitted != 0)
		mux_fail(s->m, MUX_MEMORY, nghttp2_strerror(submitted));
	s->m->stats.owed += !s->owed;
	s->owed = true;
}

/* s is one of m's, and is no more. */
static void
destroy(struct mux *m, struct mux_stream *s)
{
	queue_drop(s);
	m->stats.owed -= s->owed;
	*(s->prev != NULL ? &s->prev->next : &m->first) = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	m->stats.streams--;
	free(s);
	mux_check_done(m);
}

void
mux_stream_free(struct mux_stream *s)
{
	destroy(s->m, s);
}

/* The last word about it. nghttp2 does not know it any more. */
void
mux_stream_close(struct mux_stream *s, enum mux_end why)
{
	if (!s->forgotten) {
		s->forgotten = true;
		s->m->ops->closed(s->m->ctx, s, why);
	}
	if (!s->busy)
		mux_stream_free(s);
}

/*
 * Lets its owner go and tells the peer. nghttp2 drops the stream when the frame
 * is sent, which is soon enough to free it, and not under somebody's hands.
 */
void
mux_stream_abort(struct mux_stream *s, uint32_t code)
{
	s->forgotten = true;
	queue_drop(s);
	if (!s->gone)
		owe(s, nghttp2_submit_rst_stream(s->m->session,
			   NGHTTP2_FLAG_NONE, s->id, code));
	else if (!s->busy)
		mux_stream_free(s);
}

/* -- what comes -- */

/* Window for n bytes that the owner took. */
void
mux_stream_consumed(struct mux_stream *s, size_t n)
{
	struct mux *m = s->m;

	if (s->gone || s->eof)
		return;
	(void)nghttp2_session_consume_stream(m->session, s->id, n);
	/* who keeps up with a whole window gets a larger one: a long line is
	 * not slowed down then, and who never keeps up never holds much */
	s->flowed = s->len == 0 ? s->flowed + (uint32_t)n : 0;
	if (s->flowed < s->window || s->window >= m->conf.window_max)
		return;
	s->flowed = 0;
	s->window = s->window <= m->conf.window_max / 2 ? s->window * 2
							: m->conf.window_max;
	(void)nghttp2_session_set_local_window_size(m->session,
	    NGHTTP2_FLAG_NONE, s->id, (int32_t)s->window);
}

size_t
mux_stream_offer(struct mux_stream *s, const uint8_t *p, size_t n)
{
	size_t took;

	if (!s->answered || s->forgotten)
		return 0;
	s->busy = true;
	took = s->m->ops->take(s->m->ctx, s, p, n);
	s->busy = false;
	return took < n ? took : n;
}

/* All is taken: what comes after that. May free s. */
void
mux_stream_check(struct mux_stream *s)
{
	if (s->len > 0)
		return;
	if (s->eof && !s->told && s->answered && !s->forgotten) {
		s->told = true;
		s->busy = true;
		s->m->ops->ended(s->m->ctx, s);
		s->busy = false;
	}
	if (s->gone)
		mux_stream_close(s, MUX_CLOSED);
}

/* The first n bytes of the queue have been taken. */
static void
dequeue(struct mux_stream *s, size_t n)
{
	s->off += (uint32_t)n;
	s->len -= (uint32_t)n;
	s->m->stats.queued -= n;
	if (s->len == 0)
		queue_drop(s);
	mux_stream_consumed(s, n);
}

void
mux_take(struct mux_stream *s)
{
	size_t n;

	if (s->busy)
		return;
	n = s->len > 0 ? mux_stream_offer(s, s->queue + s->off, s->len) : 0;
	if (n > 0 && !s->forgotten)
		dequeue(s, n);
	mux_stream_check(s);
}

size_t
mux_read(struct mux_stream *s, uint8_t *buf, size_t max)
{
	size_t n = s->len < max ? s->len : max;

	if (n == 0)
		return 0;
	memcpy(buf, s->queue + s->off, n);
	dequeue(s, n);
	if (!s->busy)
		mux_stream_check(s);
	return n;
}

/* May free s, and others by what its owner does. */
static void
overflow(struct mux *m, struct mux_stream *s)
{
	if (!s->gone)
		owe(s, nghttp2_submit_rst_stream(m->session,
			   NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CONNECT_ERROR));
	queue_drop(s);
	if (!s->forgotten) {
		s->forgotten = true;
		m->ops->closed(m->ctx, s, MUX_OVERFLOW);
	}
	if (s->gone && !s->busy)
		destroy(m, s);
}

/*
 * The fullest streams go, until an eighth of the room is free again: a look at
 * all of them for each frame of a peer that fills ever so many would be what he
 * is after.
 */
static void
shed(struct mux *m)
{
	const size_t enough = m->conf.queue_max - m->conf.queue_max / 8;

	while (m->stats.queued > enough) {
		struct mux_stream *s, *next;
		uint32_t	   most = 0;
		size_t		   n;

		for (s = m->first; s != NULL; s = s->next)
			most = s->len > most ? s->len : most;
		for (s = m->first; s != NULL && m->stats.queued > enough;
		     s = next) {
			next = s->next;
			if (s->len < most - most / 8)
				continue;
			n = m->stats.streams;
			overflow(m, s);
			if (m->stats.streams != n) /* next may be gone, too */
				break;
		}
	}
}

/* Never more than the stream's window, which nghttp2 guards. */
int
mux_stream_keep(struct mux_stream *s, const uint8_t *p, size_t n)
{
	struct mux *m = s->m;
	uint8_t	   *q;
	size_t	    size;

	if (s->off > 0 && s->off + s->len + n > s->size) {
		memmove(s->queue, s->queue + s->off, s->len);
		s->off = 0;
	}
	if (s->len + n > s->size) {
		size = s->size < 4096 ? 4096 : s->size;
		while (size < s->len + n)
			size *= 2;
		if ((q = realloc(s->queue, size)) == NULL)
			return -ENOMEM;
		s->queue = q;
		s->size = (uint32_t)size;
	}
	memcpy(s->queue + s->off + s->len, p, n);
	s->len += (uint32_t)n;
	m->stats.queued += n;
	if (m->stats.queued > m->conf.queue_max)
		shed(m);
	return 0;
}

/* -- opening and answering -- */

static nghttp2_nv
nv(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name,
		(uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
		NGHTTP2_NV_FLAG_NONE };
}

bool
mux_is_used_up(const struct mux *m)
{
	return !m->conf.far &&
	    nghttp2_session_get_next_stream_id(m->session) >= INT32_MAX;
}

int
mux_may_open(const struct mux *m)
{
	if (m->why != MUX_NONE || m->draining || m->peer_draining ||
	    m->conf.far || mux_is_used_up(m))
		return -ESHUTDOWN;
	return m->greeted &&
		m->stats.streams < nghttp2_session_get_remote_settings(
		    m->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
	    ? 0
	    : -EAGAIN;
}

int
mux_open(struct mux *m, const struct mux_request *rq, void *owner,
    struct mux_stream **out)
{
	nghttp2_nv	      headers[4];
	nghttp2_data_provider data;
	size_t		      n = 0;
	struct mux_stream    *s;
	int32_t		      id;
	int		      r = mux_may_open(m);

	*out = NULL;
	if (r < 0)
		return r;
	if ((s = mux_stream_new(m, 0, owner)) == NULL)
		return -ENOMEM;
	headers[n++] = nv(":method", "CONNECT");
	headers[n++] = nv(":authority", rq->authority);
	if (rq->via[0] != '\0')
		headers[n++] = nv("via", rq->via);
	if (rq->device[0] != '\0')
		headers[n++] = nv("dpoint-device", rq->device);
	data = (nghttp2_data_provider){ { .ptr = s }, mux_on_read };
	id = nghttp2_submit_request(m->session, NULL, headers, n, &data, s);
	if (id < 0) {
		s->gone = true;
		mux_stream_free(s);
		return id == NGHTTP2_ERR_NOMEM ? -ENOMEM : -ESHUTDOWN;
	}
	s->id = id;
	mux_earned(m, 1);
	*out = s;
	return 0;
}

void
mux_own(struct mux_stream *s, void *owner)
{
	s->owner = owner;
}

void
mux_accept(struct mux_stream *s, void *owner)
{
	nghttp2_nv	      header = nv(":status", "200");
	nghttp2_data_provider data = { { .ptr = s }, mux_on_read };

	s->owner = owner;
	s->answered = true;
	(void)nghttp2_submit_response(s->m->session, s->id, &header, 1, &data);
	mux_earned(s->m, 1);
	mux_take(s); /* who did not wait for the answer */
}

void
mux_refuse(struct mux_stream *s, unsigned status, const char *text)
{
	char	   code[4];
	nghttp2_nv headers[2];
	size_t	   n = 0;

	if (s->gone) { /* the peer did not wait for it */
		mux_stream_abort(s, NGHTTP2_NO_ERROR);
		return;
	}
	snprintf(code, sizeof(code), "%03u", status % 1000);
	headers[n++] = nv(":status", code);
	if (text != NULL)
		headers[n++] = nv("proxy-status", text);
	s->refused = s->forgotten = true;
	owe(s, nghttp2_submit_response(s->m->session, s->id, headers, n, NULL));
	queue_drop(s);
}

void
mux_reset(struct mux_stream *s)
{
	mux_stream_abort(s, NGHTTP2_CONNECT_ERROR);
}

void
mux_give(struct mux_stream *s)
{
	if (!s->deferred || s->gone || s->forgotten)
		return;
	s->deferred = false;
	(void)nghttp2_session_resume_data(s->m->session, s->id);
}

/* -- what is known of it -- */

void *
mux_owner(const struct mux_stream *s)
{
	return s->owner;
}

size_t
mux_waiting(const struct mux_stream *s)
{
	return s->len;
}

uint32_t
mux_id(const struct mux_stream *s)
{
	return (uint32_t)s->id;
}
