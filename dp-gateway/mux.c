/*
 * dp-gateway/mux.c - HTTP/2 CONNECT streams on nghttp2; see mux.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes nothing of the peer, and does
 * not look at what streams carry. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/mux.h"

#include "common/size.h"
#include "dp-gateway/mux_budget.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A DATA frame with its header is one record of TLS. */
#define FRAME_MAX	  (16384 - 9)
#define CONNECTION_WINDOW (16 << 20) /* streams' windows are what bounds */
#define HEADERS_MAX	  8192	     /* names and values of one block */
#define CONTINUATIONS_MAX 4
#define SETTING_PROCESS	  0xfd01 /* see mux_process() */
#define SETTINGS_MS	  10000 /* the peer's must be here by then */
#define NOTICE_MS	  1000	/* from the notice of a GOAWAY to the GOAWAY */

/*
 * What costs the peer nothing and us something, by the reason it ends with. A
 * peer of a thousand streams that all reset at once is no attacker; one that
 * resets what was not even answered is, after so many.
 */
static const struct {
	uint32_t burst, each_us;
} rules[MUX_WHYS] = {
	[MUX_SETTINGS] = { 32, 1000000 },
	[MUX_PINGS] = { 64, 100000 },
	[MUX_RESETS] = { 2000, 5000 },
	[MUX_STREAMS] = { 200, 50000 },
	[MUX_UPDATES] = { 10000, 2000 },
	[MUX_EMPTY] = { 1000, 10000 },
};

static const struct {
	const char *word;
	uint32_t    code;
} whys[MUX_WHYS] = {
	[MUX_NONE] = { "none", NGHTTP2_NO_ERROR },
	[MUX_DONE] = { "drained", NGHTTP2_NO_ERROR },
	[MUX_PEER] = { "peer-goaway", NGHTTP2_NO_ERROR },
	[MUX_SETTINGS_LATE] = { "settings-timeout", NGHTTP2_SETTINGS_TIMEOUT },
	[MUX_PING_LATE] = { "ping-timeout", NGHTTP2_NO_ERROR },
	[MUX_PROTOCOL] = { "protocol", NGHTTP2_PROTOCOL_ERROR },
	[MUX_WINDOW] = { "flow-control", NGHTTP2_FLOW_CONTROL_ERROR },
	[MUX_HEADERS] = { "headers", NGHTTP2_ENHANCE_YOUR_CALM },
	[MUX_STREAMS] = { "streams-flood", NGHTTP2_ENHANCE_YOUR_CALM },
	[MUX_RESETS] = { "rapid-reset", NGHTTP2_ENHANCE_YOUR_CALM },
	[MUX_SETTINGS] = { "settings-flood", NGHTTP2_ENHANCE_YOUR_CALM },
	[MUX_PINGS] = { "ping-flood", NGHTTP2_ENHANCE_YOUR_CALM },
	[MUX_UPDATES] = { "window-update-flood", NGHTTP2_ENHANCE_YOUR_CALM },
	[MUX_EMPTY] = { "empty-frames", NGHTTP2_ENHANCE_YOUR_CALM },
	[MUX_MEMORY] = { "memory", NGHTTP2_INTERNAL_ERROR },
};

struct mux_stream {
	struct mux	  *m;
	struct mux_stream *prev, *next;
	void		  *owner;
	uint8_t		  *queue; /* not taken: len bytes from off */
	uint32_t	   off, len, size;
	uint32_t	   window, flowed; /* flowed: taken while none waited */
	int32_t		   id;
	bool		   answered; /* with 2xx: bytes flow */
	bool		   deferred; /* nghttp2 waits for mux_give */
	bool		   eof, told;  /* the peer sends no more; owner knows */
	bool		   gone;	    /* nghttp2 knows it no more */
	bool		   forgotten; /* by its owner: nothing is called */
	bool		   refused;   /* its answer is all there is */
	bool		   busy;	    /* an op runs: not freed under it */
};

struct mux {
	nghttp2_session	     *session;
	struct mux_conf	      conf;
	const struct mux_ops *ops;
	void		     *ctx;
	struct mux_stream    *first;
	struct mux_stats      stats;
	enum mux_why	      why;
	char		      text[MUX_TEXT_MAX];
	bool		      told; /* GOAWAY with why is on its way */
	bool		      greeted, draining, peer_draining;
	uint64_t	      now, since, notice_ms; /* 0: no notice */
	uint64_t	      ping_at, asked_at; /* asked_at 0: no PING is out */
	struct mux_budget     budget[MUX_WHYS];
	uint8_t		      last_type;
	/* of the block of headers that comes in */
	int32_t		      last_id; /* newest stream of the peer */
	unsigned	      continuations, status;
	size_t		      headers;
	bool		      is_connect;
	struct mux_request    rq;
	char		      proxy_status[MUX_TEXT_MAX];
	unsigned	    process, processes; /* the peer's */
};

const char *
mux_why_word(enum mux_why w)
{
	return whys[w].word;
}

/* -- the end of the connection -- */

/* The first reason counts. The GOAWAY is made outside of nghttp2's callbacks. */
static void
fail(struct mux *m, enum mux_why why, const char *text)
{
	if (m->why != MUX_NONE)
		return;
	m->why = why;
	snprintf(m->text, sizeof(m->text), "%s", text);
}

static void
tell_why(struct mux *m)
{
	const char *word = whys[m->why].word;

	if (m->why == MUX_NONE || m->told)
		return;
	m->told = true;
	/* which of two sides of the same word the peer is, is left to it */
	(void)nghttp2_submit_goaway(m->session, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(m->session),
	    whys[m->why].code, (const uint8_t *)word, strlen(word));
}

static bool
charge(struct mux *m, enum mux_why k)
{
	if (mux_charge(&m->budget[k], m->now, rules[k].burst, rules[k].each_us))
		return true;
	fail(m, k, "more than the peer may send");
	return false;
}

static void
check_done(struct mux *m)
{
	if ((m->draining || m->peer_draining) && m->stats.streams == 0 &&
	    m->notice_ms == 0)
		fail(m, MUX_DONE, "");
}

/* -- streams -- */

static struct mux_stream *
stream_new(struct mux *m, int32_t id, void *owner)
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

static void
stream_free(struct mux_stream *s)
{
	struct mux *m = s->m;

	queue_drop(s);
	*(s->prev != NULL ? &s->prev->next : &m->first) = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	m->stats.streams--;
	free(s);
	check_done(m);
}

/* The last word about it. nghttp2 does not know it any more. */
static void
stream_close(struct mux_stream *s, enum mux_end why)
{
	if (!s->forgotten) {
		s->forgotten = true;
		s->m->ops->closed(s->m->ctx, s, why);
	}
	if (!s->busy)
		stream_free(s);
}

/*
 * Lets its owner go and tells the peer. nghttp2 drops the stream when the frame
 * is sent, which is soon enough to free it, and not under somebody's hands.
 */
static void
stream_abort(struct mux_stream *s, uint32_t code)
{
	s->forgotten = true;
	queue_drop(s);
	if (!s->gone)
		(void)nghttp2_submit_rst_stream(s->m->session,
		    NGHTTP2_FLAG_NONE, s->id, code);
	else if (!s->busy)
		stream_free(s);
}

/* Window for n bytes that the owner took. */
static void
consumed(struct mux_stream *s, size_t n)
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

static size_t
ask_to_take(struct mux_stream *s, const uint8_t *p, size_t n)
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
static void
check_ended(struct mux_stream *s)
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
		stream_close(s, MUX_CLOSED);
}

void
mux_take(struct mux_stream *s)
{
	size_t n;

	if (s->busy)
		return;
	n = s->len > 0 ? ask_to_take(s, s->queue + s->off, s->len) : 0;
	if (n > 0 && !s->forgotten) {
		s->off += (uint32_t)n;
		s->len -= (uint32_t)n;
		s->m->stats.queued -= n;
		if (s->len == 0)
			queue_drop(s);
		consumed(s, n);
	}
	check_ended(s);
}

size_t
mux_read(struct mux_stream *s, uint8_t *buf, size_t max)
{
	size_t n = s->len < max ? s->len : max;

	if (n == 0)
		return 0;
	memcpy(buf, s->queue + s->off, n);
	s->off += (uint32_t)n;
	s->len -= (uint32_t)n;
	s->m->stats.queued -= n;
	if (s->len == 0)
		queue_drop(s);
	consumed(s, n);
	if (!s->busy)
		check_ended(s);
	return n;
}

static void
overflow(struct mux_stream *s)
{
	struct mux *m = s->m;

	if (!s->gone)
		(void)nghttp2_submit_rst_stream(m->session, NGHTTP2_FLAG_NONE,
		    s->id, NGHTTP2_CONNECT_ERROR);
	queue_drop(s);
	if (!s->forgotten) {
		s->forgotten = true;
		m->ops->closed(m->ctx, s, MUX_OVERFLOW);
	}
	if (s->gone && !s->busy)
		stream_free(s);
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
			overflow(s);
			if (m->stats.streams != n) /* next may be gone, too */
				break;
		}
	}
}

/* Never more than the stream's window, which nghttp2 guards. */
static int
keep(struct mux_stream *s, const uint8_t *p, size_t n)
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

/* -- what nghttp2 tells -- */

static struct mux_stream *
stream_of(struct mux *m, int32_t id)
{
	return nghttp2_session_get_stream_user_data(m->session, id);
}

static int
stop_if_over(const struct mux *m)
{
	return m->why == MUX_NONE ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void
begin_headers(struct mux *m, const nghttp2_frame_hd *hd)
{
	struct mux_stream *s = stream_of(m, hd->stream_id);

	m->continuations = 0;
	if (s != NULL && s->answered)
		(void)charge(m, MUX_EMPTY); /* trailers: of no use here */
	if (m->conf.far && hd->stream_id > m->last_id) {
		m->last_id = hd->stream_id;
		if (m->stats.streams >= m->conf.max_streams)
			(void)charge(m, MUX_STREAMS);
	}
}

static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *ctx)
{
	struct mux	  *m = ctx;
	struct mux_stream *s;

	(void)session;
	m->last_type = hd->type;
	switch (hd->type) {
	case NGHTTP2_DATA:
		if (hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM))
			(void)charge(m, MUX_EMPTY);
		break;
	case NGHTTP2_HEADERS:
		begin_headers(m, hd);
		break;
	case NGHTTP2_CONTINUATION:
		if (++m->continuations > CONTINUATIONS_MAX)
			fail(m, MUX_HEADERS, "too many CONTINUATION frames");
		break;
	case NGHTTP2_SETTINGS:
		(void)charge(m, MUX_SETTINGS);
		break;
	case NGHTTP2_PING:
		(void)charge(m, MUX_PINGS);
		break;
	case NGHTTP2_RST_STREAM:
		s = stream_of(m, hd->stream_id);
		if (m->conf.far && (s == NULL || !s->answered))
			(void)charge(m, MUX_RESETS);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		(void)charge(m, MUX_UPDATES);
		break;
	default:
		(void)charge(m, MUX_EMPTY);
	}
	return stop_if_over(m);
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct mux	  *m = ctx;
	struct mux_stream *s;

	m->headers = 0;
	m->status = 0;
	m->is_connect = false;
	m->rq = (struct mux_request){ 0 };
	m->proxy_status[0] = '\0';
	if (frame->hd.type != NGHTTP2_HEADERS ||
	    frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if ((s = stream_new(m, frame->hd.stream_id, NULL)) == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	(void)nghttp2_session_set_stream_user_data(session, s->id, s);
	return 0;
}

static bool
is(const uint8_t *p, size_t n, const char *word)
{
	return n == strlen(word) && memcmp(p, word, n) == 0;
}

/* A second one is appended as a list (RFC 9110, 5.3). Whether it has room. */
static bool
put(char *out, size_t size, const uint8_t *p, size_t n)
{
	size_t at = strlen(out), comma = at > 0 ? 2 : 0;

	if (memchr(p, '\0', n) != NULL || n >= size - at ||
	    n + comma >= size - at)
		return false;
	memcpy(out + at, ", ", comma);
	memcpy(out + at + comma, p, n);
	out[at + comma + n] = '\0';
	return true;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_len, const uint8_t *value, size_t len,
    uint8_t flags, void *ctx)
{
	struct mux *m = ctx;
	bool	    fits = true;

	(void)session, (void)frame, (void)flags;
	m->headers += name_len + len + 32; /* RFC 9113, 6.5.2 */
	if (m->headers > HEADERS_MAX)
		fits = false;
	else if (is(name, name_len, ":method"))
		m->is_connect = is(value, len, "CONNECT");
	else if (is(name, name_len, ":status"))
		m->status = len == 3 ? (unsigned)(value[0] - '0') * 100 +
			(unsigned)(value[1] - '0') * 10 +
			(unsigned)(value[2] - '0')
				     : 0;
	else if (is(name, name_len, ":authority"))
		fits = put(m->rq.authority, sizeof(m->rq.authority), value, len);
	else if (is(name, name_len, "via"))
		fits = put(m->rq.via, sizeof(m->rq.via), value, len);
	else if (is(name, name_len, "dpoint-device"))
		fits = put(m->rq.device, sizeof(m->rq.device), value, len);
	else if (is(name, name_len, "proxy-status"))
		(void)put(m->proxy_status, sizeof(m->proxy_status), value, len);
	if (!fits)
		fail(m, MUX_HEADERS, "headers too long");
	return stop_if_over(m);
}

static void
got_request(struct mux *m, struct mux_stream *s)
{
	if (!m->is_connect) {
		if (charge(m, MUX_RESETS))
			mux_refuse(s, 405, NULL);
		return;
	}
	s->busy = true;
	m->ops->request(m->ctx, s, &m->rq);
	s->busy = false;
}

static void
got_response(struct mux *m, struct mux_stream *s)
{
	if (m->status / 100 == 1)
		(void)charge(m, MUX_EMPTY);
	if (s->answered || s->forgotten || m->status / 100 == 1)
		return;
	if (m->status / 100 != 2) {
		unsigned status = m->status;

		s->busy = true;
		s->forgotten = true;
		m->ops->response(m->ctx, s, status, m->proxy_status);
		s->busy = false;
		stream_abort(s, NGHTTP2_NO_ERROR);
		return;
	}
	s->answered = true;
	s->busy = true;
	m->ops->response(m->ctx, s, 200, "");
	s->busy = false;
	mux_give(s);
}

static void
got_goaway(struct mux *m, const nghttp2_goaway *g)
{
	char word[64];
	size_t n = g->opaque_data_len < sizeof(word) - 1 ? g->opaque_data_len
							 : sizeof(word) - 1;

	m->peer_draining = true;
	if (g->error_code == NGHTTP2_NO_ERROR && n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		word[i] = g->opaque_data[i] >= ' ' && g->opaque_data[i] < 0x7f
		    ? (char)g->opaque_data[i]
		    : '?';
	word[n] = '\0';
	if (g->error_code != NGHTTP2_NO_ERROR) {
		char text[MUX_TEXT_MAX];

		snprintf(text, sizeof(text), "%s%s%s",
		    nghttp2_http2_strerror(g->error_code), n > 0 ? ": " : "",
		    word);
		fail(m, MUX_PEER, text);
	}
}

static void
got_settings(struct mux *m, const nghttp2_settings *f)
{
	for (size_t i = 0; i < f->niv; i++) {
		unsigned n = f->iv[i].value >> 16, of = f->iv[i].value & 0xffff;

		if (f->iv[i].settings_id != SETTING_PROCESS || n < 1 ||
		    n > of || of > MUX_PROCESSES)
			continue;
		m->process = n;
		m->processes = of;
	}
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct mux	  *m = ctx;
	struct mux_stream *s = stream_of(m, frame->hd.stream_id);

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_SETTINGS:
		m->greeted |= !(frame->hd.flags & NGHTTP2_FLAG_ACK);
		got_settings(m, &frame->settings);
		break;
	case NGHTTP2_PING:
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && m->asked_at != 0) {
			m->stats.rtt_ms = m->now - m->asked_at;
			m->asked_at = 0;
			m->ping_at = m->now + m->conf.ping_ms;
		}
		break;
	case NGHTTP2_GOAWAY:
		got_goaway(m, &frame->goaway);
		break;
	case NGHTTP2_DATA:
		if (frame->hd.length > 0 &&
		    frame->hd.length == frame->data.padlen)
			(void)charge(m, MUX_EMPTY); /* all of it is padding */
		break;
	case NGHTTP2_HEADERS:
		if (s == NULL)
			break;
		if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			got_request(m, s);
		else if (!m->conf.far)
			got_response(m, s);
		else /* trailers, which nobody here has a use for */
			(void)charge(m, MUX_EMPTY);
		break;
	default:
		break;
	}
	if ((frame->hd.type == NGHTTP2_HEADERS ||
		frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
	    (s = stream_of(m, frame->hd.stream_id)) != NULL) {
		s->eof = true;
		check_ended(s);
	}
	check_done(m);
	return stop_if_over(m);
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p,
    size_t n, void *ctx)
{
	struct mux	  *m = ctx;
	struct mux_stream *s = stream_of(m, id);
	size_t		   took = 0;

	(void)flags;
	(void)nghttp2_session_consume_connection(session, n);
	if (s == NULL || s->forgotten) { /* crossed our reset */
		(void)nghttp2_session_consume_stream(session, id, n);
		return stop_if_over(m);
	}
	m->stats.in += n;
	if (s->len == 0)
		took = ask_to_take(s, p, n);
	if (took < n && !s->forgotten && keep(s, p + took, n - took) < 0)
		fail(m, MUX_MEMORY, "no memory for what streams carry");
	if (took > 0)
		consumed(s, took);
	if (took < n && s->answered && !s->forgotten && m->ops->waits != NULL)
		m->ops->waits(m->ctx, s);
	return stop_if_over(m);
}

static enum mux_end
end_of(uint32_t code)
{
	return code == NGHTTP2_NO_ERROR		? MUX_CLOSED
	    : code == NGHTTP2_REFUSED_STREAM ? MUX_REFUSED
					     : MUX_RESET;
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
	struct mux_stream *s = stream_of(ctx, id);

	(void)session;
	if (s == NULL)
		return 0;
	s->gone = true;
	/* a reset without an error before the end is a reset all the same */
	if (code == NGHTTP2_NO_ERROR && !s->eof)
		code = NGHTTP2_CANCEL;
	if (code == NGHTTP2_NO_ERROR && !s->forgotten) {
		check_ended(s); /* what waits is still taken */
		return 0;
	}
	stream_close(s, end_of(code));
	return 0;
}

/* nghttp2 answers what a peer does wrong with frames of its own. */
static int
on_sending(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct mux *m = ctx;

	(void)session;
	if (frame->hd.type == NGHTTP2_RST_STREAM &&
	    frame->rst_stream.error_code == NGHTTP2_FLOW_CONTROL_ERROR)
		fail(m, MUX_WINDOW, "more than the stream's window");
	if (frame->hd.type != NGHTTP2_GOAWAY ||
	    frame->goaway.error_code == NGHTTP2_NO_ERROR || m->told)
		return 0;
	if (frame->goaway.error_code == NGHTTP2_FLOW_CONTROL_ERROR)
		fail(m, MUX_WINDOW, "more than the connection's window");
	else
		fail(m, MUX_PROTOCOL,
		    nghttp2_http2_strerror(frame->goaway.error_code));
	m->told = true;
	return 0;
}

/* A refusal is whole: no more is wanted of that stream (RFC 9113, 8.1). */
static int
on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct mux_stream *s = stream_of(ctx, frame->hd.stream_id);

	(void)session;
	if (frame->hd.type == NGHTTP2_HEADERS && s != NULL && s->refused)
		stream_abort(s, NGHTTP2_NO_ERROR);
	return 0;
}

static int
on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int err,
    void *ctx)
{
	struct mux *m = ctx;

	(void)session;
	if (err == NGHTTP2_ERR_FLOW_CONTROL)
		fail(m, MUX_WINDOW, nghttp2_strerror(err));
	else if (err == NGHTTP2_ERR_REFUSED_STREAM ||
	    err == NGHTTP2_ERR_STREAM_CLOSED)
		return 0;
	else if (m->conf.far && frame->hd.type == NGHTTP2_HEADERS &&
	    m->stats.streams >= m->conf.max_streams)
		fail(m, MUX_STREAMS, "more streams than it may open");
	else if (err == NGHTTP2_ERR_HTTP_HEADER ||
	    err == NGHTTP2_ERR_HTTP_MESSAGING)
		(void)charge(m, MUX_RESETS); /* the stream is reset */
	else
		fail(m, MUX_PROTOCOL, nghttp2_strerror(err));
	return 0;
}

/* -- sending -- */

static ssize_t
on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t max,
    uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct mux	  *m = ctx;
	struct mux_stream *s = source->ptr;
	ssize_t		   n = -EAGAIN;

	(void)session, (void)id;
	if (!s->forgotten && s->answered && m->why == MUX_NONE) {
		s->busy = true;
		n = m->ops->give(m->ctx, s, buf, max);
		s->busy = false;
	}
	if (n < 0) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	m->stats.out += (size_t)n;
	/* the peer may open windows for each frame: the stream's and its own */
	for (int i = 0; i < 3; i++)
		mux_earn(&m->budget[MUX_UPDATES], rules[MUX_UPDATES].each_us);
	return n;
}

static ssize_t
on_read_length(nghttp2_session *session, uint8_t type, int32_t id,
    int32_t connection_window, int32_t stream_window, uint32_t frame_max,
    void *ctx)
{
	(void)session, (void)type, (void)id, (void)ctx;
	(void)connection_window, (void)stream_window, (void)frame_max;
	return FRAME_MAX; /* nghttp2 takes the smallest of all */
}

void
mux_give(struct mux_stream *s)
{
	if (!s->deferred || s->gone || s->forgotten)
		return;
	s->deferred = false;
	(void)nghttp2_session_resume_data(s->m->session, s->id);
}

/* -- the connection -- */

static nghttp2_session_callbacks *
callbacks(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb,
	    on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb,
	    on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb,
	    on_stream_close);
	nghttp2_session_callbacks_set_before_frame_send_callback(cb, on_sending);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb,
	    on_invalid_frame);
	nghttp2_session_callbacks_set_data_source_read_length_callback(cb,
	    on_read_length);
	return cb;
}

static nghttp2_option *
options(const struct mux_conf *conf)
{
	nghttp2_option *o;

	if (nghttp2_option_new(&o) != 0)
		return NULL;
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_outbound_ack(o, 1000);
	/* its own limit of resets knows nothing of those that are honest: all
	 * devices of a line that breaks; ours is charge() */
	nghttp2_option_set_stream_reset_rate_limit(o,
	    (uint64_t)conf->max_streams + 1000, conf->max_streams);
	return o;
}

static int
greet(struct mux *m)
{
	nghttp2_settings_entry settings[5] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		    m->conf.far ? m->conf.max_streams : 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, m->conf.window },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADERS_MAX },
	};
	size_t n = 3;

	if (!m->conf.far)
		settings[n++] = (nghttp2_settings_entry){
			NGHTTP2_SETTINGS_ENABLE_PUSH, 0 };
	if (m->conf.process != 0)
		settings[n++] = (nghttp2_settings_entry){ SETTING_PROCESS,
			m->conf.process << 16 | m->conf.processes };
	if (nghttp2_submit_settings(m->session, NGHTTP2_FLAG_NONE, settings,
		n) != 0 ||
	    nghttp2_session_set_local_window_size(m->session, NGHTTP2_FLAG_NONE,
		0, CONNECTION_WINDOW) != 0)
		return -ENOMEM;
	return 0;
}

int
mux_new(const struct mux_conf *conf, const struct mux_ops *ops, void *ctx,
    uint64_t now, struct mux **out)
{
	nghttp2_session_callbacks *cb = callbacks();
	nghttp2_option		  *o = options(conf);
	struct mux		  *m = calloc(1, sizeof(*m));
	int			   r = -ENOMEM;

	*out = NULL;
	if (cb == NULL || o == NULL || m == NULL)
		goto out;
	m->conf = *conf;
	m->ops = ops;
	m->ctx = ctx;
	m->now = m->since = now;
	m->ping_at = now + conf->ping_ms;
	m->process = m->processes = 1;
	if ((conf->far ? nghttp2_session_server_new2(&m->session, cb, m, o)
		       : nghttp2_session_client_new2(&m->session, cb, m, o)) !=
		0 ||
	    (r = greet(m)) < 0)
		goto out;
	*out = m;
	m = NULL;
	r = 0;
out:
	if (m != NULL)
		nghttp2_session_del(m->session);
	free(m);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(o);
	return r;
}

void
mux_free(struct mux **mp)
{
	struct mux *m = *mp;

	if (m == NULL)
		return;
	if (m->why == MUX_NONE)
		m->why = MUX_DONE;
	for (struct mux_stream *s = m->first, *next; s != NULL; s = next) {
		next = s->next;
		s->busy = true; /* freed below, whatever its owner does */
		stream_close(s, MUX_LOST);
	}
	nghttp2_session_del(m->session);
	while (m->first != NULL) {
		m->first->gone = true;
		stream_free(m->first);
	}
	free(m);
	*mp = NULL;
}

void
mux_in(struct mux *m, const uint8_t *p, size_t n, uint64_t now)
{
	ssize_t r;

	m->now = now;
	if (m->why != MUX_NONE)
		return;
	r = nghttp2_session_mem_recv(m->session, p, n);
	if (r == NGHTTP2_ERR_FLOODED)
		fail(m, m->last_type == NGHTTP2_PING ? MUX_PINGS : MUX_SETTINGS,
		    "more to answer than the peer takes");
	else if (r == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
		fail(m, MUX_PROTOCOL, "it does not speak HTTP/2");
	else if (r < 0)
		fail(m, r == NGHTTP2_ERR_NOMEM ? MUX_MEMORY : MUX_PROTOCOL,
		    nghttp2_strerror((int)r));
	tell_why(m);
}

ssize_t
mux_out(struct mux *m, const uint8_t **p, uint64_t now)
{
	ssize_t n;

	m->now = now;
	n = nghttp2_session_mem_send(m->session, p);
	if (n < 0) {
		fail(m, MUX_MEMORY, nghttp2_strerror((int)n));
		m->told = true; /* it can tell nothing any more */
		n = 0;
	}
	tell_why(m);
	return n;
}

bool
mux_has_out(const struct mux *m)
{
	return nghttp2_session_want_write(m->session) != 0;
}

void
mux_tick(struct mux *m, uint64_t now)
{
	m->now = now;
	if (m->why != MUX_NONE)
		return;
	if (!m->greeted && now - m->since >= SETTINGS_MS)
		fail(m, MUX_SETTINGS_LATE, "");
	else if (m->asked_at != 0 &&
	    now - m->asked_at >= m->conf.ping_timeout_ms)
		fail(m, MUX_PING_LATE, "");
	else if (m->asked_at == 0 && now >= m->ping_at &&
	    nghttp2_submit_ping(m->session, NGHTTP2_FLAG_NONE, NULL) == 0)
		m->asked_at = now;
	if (m->notice_ms != 0 && now - m->notice_ms >= NOTICE_MS) {
		m->notice_ms = 0;
		(void)nghttp2_submit_goaway(m->session, NGHTTP2_FLAG_NONE,
		    nghttp2_session_get_last_proc_stream_id(m->session),
		    NGHTTP2_NO_ERROR, NULL, 0);
		check_done(m);
	}
	tell_why(m);
}

/* The far end says first that it is about to: what is on its way still comes. */
void
mux_drain(struct mux *m)
{
	if (m->draining)
		return;
	m->draining = true;
	if (m->conf.far && nghttp2_submit_shutdown_notice(m->session) == 0)
		m->notice_ms = m->now;
	else
		(void)nghttp2_submit_goaway(m->session, NGHTTP2_FLAG_NONE, 0,
		    NGHTTP2_NO_ERROR, NULL, 0);
	check_done(m);
}

bool
mux_is_draining(const struct mux *m)
{
	return m->draining || m->peer_draining;
}

void
mux_process(const struct mux *m, unsigned *process, unsigned *processes)
{
	*process = m->process;
	*processes = m->processes;
}

bool
mux_is_greeted(const struct mux *m)
{
	return m->greeted;
}

enum mux_why
mux_why(const struct mux *m, const char **text)
{
	if (text != NULL)
		*text = m->text;
	return m->why;
}

/* -- opening and answering -- */

static nghttp2_nv
nv(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name,
		(uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
		NGHTTP2_NV_FLAG_NONE };
}

int
mux_may_open(const struct mux *m)
{
	if (m->why != MUX_NONE || m->draining || m->peer_draining ||
	    m->conf.far ||
	    nghttp2_session_get_next_stream_id(m->session) >= INT32_MAX)
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
	if ((s = stream_new(m, 0, owner)) == NULL)
		return -ENOMEM;
	headers[n++] = nv(":method", "CONNECT");
	headers[n++] = nv(":authority", rq->authority);
	if (rq->via[0] != '\0')
		headers[n++] = nv("via", rq->via);
	if (rq->device[0] != '\0')
		headers[n++] = nv("dpoint-device", rq->device);
	data = (nghttp2_data_provider){ { .ptr = s }, on_read };
	id = nghttp2_submit_request(m->session, NULL, headers, n, &data, s);
	if (id < 0) {
		s->gone = true;
		stream_free(s);
		return id == NGHTTP2_ERR_NOMEM ? -ENOMEM : -ESHUTDOWN;
	}
	s->id = id;
	mux_earn(&m->budget[MUX_UPDATES], rules[MUX_UPDATES].each_us);
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
	nghttp2_data_provider data = { { .ptr = s }, on_read };

	s->owner = owner;
	s->answered = true;
	(void)nghttp2_submit_response(s->m->session, s->id, &header, 1, &data);
	mux_earn(&s->m->budget[MUX_UPDATES], rules[MUX_UPDATES].each_us);
	mux_take(s); /* who did not wait for the answer */
}

void
mux_refuse(struct mux_stream *s, unsigned status, const char *text)
{
	char	   code[4];
	nghttp2_nv headers[2];
	size_t	   n = 0;

	if (s->gone) { /* the peer did not wait for it */
		stream_abort(s, NGHTTP2_NO_ERROR);
		return;
	}
	snprintf(code, sizeof(code), "%03u", status % 1000);
	headers[n++] = nv(":status", code);
	if (text != NULL)
		headers[n++] = nv("proxy-status", text);
	(void)nghttp2_submit_response(s->m->session, s->id, headers, n, NULL);
	s->refused = s->forgotten = true;
	queue_drop(s);
}

void
mux_reset(struct mux_stream *s)
{
	stream_abort(s, NGHTTP2_CONNECT_ERROR);
}

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

void
mux_stats(const struct mux *m, struct mux_stats *out)
{
	*out = m->stats;
}
