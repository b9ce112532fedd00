/*
 * dp-gateway/mux_peer.c - what the peer says and is sent, as nghttp2 calls for it.
 *
 * Runs in dp-gateway behind its sandbox. Believes nothing of the peer, and does
 * not look at what streams carry. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/mux_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A DATA frame with its header is one record of TLS. */
#define FRAME_MAX	  (16384 - 9)
#define CONTINUATIONS_MAX 4

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

/* -- frames and headers -- */

static void
begin_headers(struct mux *m, const nghttp2_frame_hd *hd)
{
	struct mux_stream *s = stream_of(m, hd->stream_id);

	m->continuations = 0;
	if (s != NULL && s->answered)
		(void)mux_pays(m, MUX_EMPTY); /* trailers: of no use here */
	if (m->conf.far && hd->stream_id > m->last_id) {
		m->last_id = hd->stream_id;
		if (m->stats.streams >= m->conf.max_streams)
			(void)mux_pays(m, MUX_STREAMS);
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
			(void)mux_pays(m, MUX_EMPTY);
		break;
	case NGHTTP2_HEADERS:
		begin_headers(m, hd);
		break;
	case NGHTTP2_CONTINUATION:
		if (++m->continuations > CONTINUATIONS_MAX)
			mux_fail(m, MUX_HEADERS, "too many CONTINUATION frames");
		break;
	case NGHTTP2_SETTINGS:
		(void)mux_pays(m, MUX_SETTINGS);
		break;
	case NGHTTP2_PING:
		(void)mux_pays(m, MUX_PINGS);
		break;
	case NGHTTP2_RST_STREAM:
		s = stream_of(m, hd->stream_id);
		if (m->conf.far && (s == NULL || !s->answered))
			(void)mux_pays(m, MUX_RESETS);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		(void)mux_pays(m, MUX_UPDATES);
		break;
	default:
		(void)mux_pays(m, MUX_EMPTY);
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
	if ((s = mux_stream_new(m, frame->hd.stream_id, NULL)) == NULL)
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
		mux_fail(m, MUX_HEADERS, "headers too long");
	return stop_if_over(m);
}

static void
got_request(struct mux *m, struct mux_stream *s)
{
	if (!m->is_connect) {
		if (mux_pays(m, MUX_RESETS))
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
		(void)mux_pays(m, MUX_EMPTY);
	if (s->answered || s->forgotten || m->status / 100 == 1)
		return;
	if (m->status / 100 != 2) {
		unsigned status = m->status;

		s->busy = true;
		s->forgotten = true;
		m->ops->response(m->ctx, s, status, m->proxy_status);
		s->busy = false;
		mux_stream_abort(s, NGHTTP2_NO_ERROR);
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
		mux_fail(m, MUX_PEER, text);
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
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && m->asked_at != 0 &&
		    memcmp(frame->ping.opaque_data, m->ping, sizeof(m->ping)) == 0) {
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
			(void)mux_pays(m, MUX_EMPTY); /* all of it is padding */
		break;
	case NGHTTP2_HEADERS:
		if (s == NULL)
			break;
		if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			got_request(m, s);
		else if (!m->conf.far)
			got_response(m, s);
		else /* trailers, which nobody here has a use for */
			(void)mux_pays(m, MUX_EMPTY);
		break;
	default:
		break;
	}
	if ((frame->hd.type == NGHTTP2_HEADERS ||
		frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
	    (s = stream_of(m, frame->hd.stream_id)) != NULL) {
		s->eof = true;
		mux_stream_check(s);
	}
	mux_check_done(m);
	return stop_if_over(m);
}

/* -- data and ends -- */

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
		took = mux_stream_offer(s, p, n);
	if (took < n && !s->forgotten && mux_stream_keep(s, p + took, n - took) < 0)
		mux_fail(m, MUX_MEMORY, "no memory for what streams carry");
	if (took > 0)
		mux_stream_consumed(s, took);
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
	s->m->stats.owed -= s->owed;
	s->owed = false;
	/* a reset without an error before the end is a reset all the same */
	if (code == NGHTTP2_NO_ERROR && !s->eof)
		code = NGHTTP2_CANCEL;
	if (code == NGHTTP2_NO_ERROR && !s->forgotten) {
		mux_stream_check(s); /* what waits is still taken */
		return 0;
	}
	mux_stream_close(s, end_of(code));
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
		mux_fail(m, MUX_WINDOW, "more than the stream's window");
	if (frame->hd.type != NGHTTP2_GOAWAY ||
	    frame->goaway.error_code == NGHTTP2_NO_ERROR || m->told)
		return 0;
	if (frame->goaway.error_code == NGHTTP2_FLOW_CONTROL_ERROR)
		mux_fail(m, MUX_WINDOW, "more than the connection's window");
	else
		mux_fail(m, MUX_PROTOCOL,
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
		mux_stream_abort(s, NGHTTP2_NO_ERROR);
	return 0;
}

static int
on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int err,
    void *ctx)
{
	struct mux *m = ctx;

	(void)session;
	if (err == NGHTTP2_ERR_FLOW_CONTROL)
		mux_fail(m, MUX_WINDOW, nghttp2_strerror(err));
	else if (err == NGHTTP2_ERR_REFUSED_STREAM ||
	    err == NGHTTP2_ERR_STREAM_CLOSED)
		return 0;
	else if (m->conf.far && frame->hd.type == NGHTTP2_HEADERS &&
	    m->stats.streams >= m->conf.max_streams)
		mux_fail(m, MUX_STREAMS, "more streams than it may open");
	else if (err == NGHTTP2_ERR_HTTP_HEADER ||
	    err == NGHTTP2_ERR_HTTP_MESSAGING)
		(void)mux_pays(m, MUX_RESETS); /* the stream is reset */
	else
		mux_fail(m, MUX_PROTOCOL, nghttp2_strerror(err));
	return 0;
}

/* -- sending -- */

ssize_t
mux_on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t max,
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
	mux_earned(m, 3);
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

nghttp2_session_callbacks *
mux_callbacks(void)
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
