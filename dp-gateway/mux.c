/*
 * dp-gateway/mux.c - HTTP/2 CONNECT streams on nghttp2; see mux.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes nothing of the peer, and does
 * not look at what streams carry. Pure, but for the dice of a PING.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/mux_impl.h"

#include "common/size.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTION_WINDOW (16 << 20) /* streams' windows are what bounds */
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

const char *
mux_why_word(enum mux_why w)
{
	return whys[w].word;
}

/* -- its end -- */

/* The first reason counts. The GOAWAY is made outside of nghttp2's callbacks. */
void
mux_fail(struct mux *m, enum mux_why why, const char *text)
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

bool
mux_pays(struct mux *m, enum mux_why k)
{
	if (mux_charge(&m->budget[k], m->now, rules[k].burst, rules[k].each_us))
		return true;
	mux_fail(m, k, "more than the peer may send");
	return false;
}

void
mux_earned(struct mux *m, unsigned updates)
{
	while (updates-- > 0)
		mux_earn(&m->budget[MUX_UPDATES], rules[MUX_UPDATES].each_us);
}

void
mux_check_done(struct mux *m)
{
	if ((m->draining || m->peer_draining) && m->stats.streams == 0 &&
	    m->notice_ms == 0)
		mux_fail(m, MUX_DONE, "");
}

/* -- life -- */

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
	 * devices of a line that breaks; ours is mux_pays() */
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
	nghttp2_session_callbacks *cb = mux_callbacks();
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
		mux_stream_close(s, MUX_LOST);
	}
	nghttp2_session_del(m->session);
	while (m->first != NULL) {
		m->first->gone = true;
		mux_stream_free(m->first);
	}
	free(m);
	*mp = NULL;
}

/* -- bytes and time -- */

void
mux_in(struct mux *m, const uint8_t *p, size_t n, uint64_t now)
{
	ssize_t r;

	m->now = now;
	if (m->why != MUX_NONE)
		return;
	r = nghttp2_session_mem_recv(m->session, p, n);
	if (r == NGHTTP2_ERR_FLOODED)
		mux_fail(m, m->last_type == NGHTTP2_PING ? MUX_PINGS : MUX_SETTINGS,
		    "more to answer than the peer takes");
	else if (r == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
		mux_fail(m, MUX_PROTOCOL, "it does not speak HTTP/2");
	else if (r < 0)
		mux_fail(m, r == NGHTTP2_ERR_NOMEM ? MUX_MEMORY : MUX_PROTOCOL,
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
		mux_fail(m, MUX_MEMORY, nghttp2_strerror((int)n));
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

/* Only who has read it can answer. */
static void
ask(struct mux *m)
{
	if (RAND_bytes(m->ping, sizeof(m->ping)) == 1 &&
	    nghttp2_submit_ping(m->session, NGHTTP2_FLAG_NONE, m->ping) == 0)
		m->asked_at = m->now;
}

void
mux_tick(struct mux *m, uint64_t now)
{
	m->now = now;
	if (m->why != MUX_NONE)
		return;
	if (!m->greeted && now - m->since >= SETTINGS_MS)
		mux_fail(m, MUX_SETTINGS_LATE, "");
	else if (m->asked_at != 0 &&
	    now - m->asked_at >= m->conf.ping_timeout_ms)
		mux_fail(m, MUX_PING_LATE, "");
	else if (m->asked_at == 0 && now >= m->ping_at)
		ask(m);
	/* the last one that may be opened is on its way: another connection takes
	 * the next, and this one ends with its streams */
	if (m->why == MUX_NONE && mux_is_used_up(m))
		mux_drain(m);
	if (m->notice_ms != 0 && now - m->notice_ms >= NOTICE_MS) {
		m->notice_ms = 0;
		(void)nghttp2_submit_goaway(m->session, NGHTTP2_FLAG_NONE,
		    nghttp2_session_get_last_proc_stream_id(m->session),
		    NGHTTP2_NO_ERROR, NULL, 0);
		mux_check_done(m);
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
	mux_check_done(m);
}

/* -- what is known of it -- */

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

void
mux_stats(const struct mux *m, struct mux_stats *out)
{
	*out = m->stats;
}
