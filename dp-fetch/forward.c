/*
 * dp-fetch/forward.c - reports on their way to the server; see forward.h.
 *
 * Runs in dp-fetch. Believes the store about reports, and of the server its
 * status alone.
 * SPDX-License-Identifier: ISC
 */
#include "dp-fetch/forward.h"

#include "common/log.h"
#include "common/size.h"
#include "common/value.h"
#include "dp-fetch/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX	32
#define HOLD_MS		2000  /* a device whose report alone fails */
#define PAUSE_MIN_MS	1000
#define PAUSE_MAX_MS	60000
#define RETRY_AFTER_MAX 600

enum slot_state { SLOT_IDLE, SLOT_TAKING, SLOT_READY, SLOT_SENDING, SLOT_ENDING };

struct slot {
	struct forward	*w;
	enum slot_state	 state;
	struct report_id id;
	uint8_t		*body;
	size_t		 len;
	struct download *put;
};

struct forward_conf {
	struct download_tls tls;
	char		    url[URL_LEN]; /* without its last slash; "": off */
	size_t		    parallel;
};

struct forward {
	struct fetch	    *f;
	struct forward_conf *conf;
	struct slot	     slots[SLOTS_MAX];
	struct loop_timer   *pause;
	bool		     paused, ended;
	unsigned	     failures; /* in a row */
	char		     error[512]; /* of the last one */
	uint64_t	     sent, sent_bytes, failed; /* counted since the start */
};

static void pump(struct forward *w);

enum report_end
forward_end_of(unsigned status)
{
	static const unsigned ours[] = { 401, 403, 404, 405, 407, 408, 421, 425,
		426, 429, 451 };

	if (status / 100 == 2)
		return REPORT_FORWARDED;
	for (size_t i = 0; i < COUNT(ours); i++)
		if (status == ours[i])
			return REPORT_LATER;
	return status / 100 == 4 ? REPORT_REFUSED : REPORT_LATER;
}

static void
slot_clear(struct slot *s)
{
	download_cancel(&s->put);
	free(s->body);
	s->body = NULL;
	s->state = SLOT_IDLE;
}

static void
on_ended(void *ctx, const struct store_answer *a)
{
	struct slot *s = ctx;

	if (a->r < 0 && a->r != -ENOTCONN)
		log_warn_err(a->r, "inbox: the end of a report: %s", a->text);
	slot_clear(s);
	pump(s->w);
}

static void
end_slot(struct slot *s, enum report_end end, unsigned status, uint64_t hold_ms)
{
	int r;

	s->put = NULL; /* it has ended */
	free(s->body);
	s->body = NULL;
	s->state = SLOT_ENDING;
	r = store_report_done(s->w->f->store, &s->id, end, (uint16_t)status,
	    (uint32_t)hold_ms, on_ended, s);
	if (r == 0)
		return;
	slot_clear(s); /* the store is away: it gives it out anew */
	worker_accuse(PEER_STORE, r); /* or waits for an end that never comes */
}

/* Nobody sends before so many ms. */
static void
pause_for(struct forward *w, uint64_t ms)
{
	w->paused = true;
	loop_timer_set(w->pause, ms);
}

static void
on_pause_end(void *ctx)
{
	struct forward *w = ctx;

	w->paused = false;
	pump(w);
}

static void
failed(struct slot *s, const struct download_result *r)
{
	struct forward *w = s->w;
	char		name[REPORT_NAME_TEXT];
	uint64_t	hold = 0, after = r->retry_after_s;

	w->failed++;
	w->failures++;
	snprintf(w->error, sizeof(w->error), "%s", r->text);
	if (after > RETRY_AFTER_MAX)
		after = RETRY_AFTER_MAX;
	if (w->failures == 1) {
		report_name(&s->id, name);
		log_warn("inbox: report %s: not forwarded, tried again: %s",
		    name, r->text);
		worker_event(w->f->worker, "forward-failed",
		    json_pack("{s:s,s:s}", "report", name, "error", r->text));
	}
	if (after > 0)
		pause_for(w, after * 1000);
	else if (r->status != 0 && w->failures < w->conf->parallel)
		hold = HOLD_MS; /* the server is there: the others go on */
	else
		pause_for(w, download_backoff_ms(w->failures, PAUSE_MIN_MS,
		    PAUSE_MAX_MS));
	end_slot(s, REPORT_LATER, r->status, hold);
}

static void
on_put(void *ctx, const struct download_result *r)
{
	struct slot    *s = ctx;
	struct forward *w = s->w;
	enum report_end end = forward_end_of(r->status);

	if (end == REPORT_LATER) {
		failed(s, r);
		return;
	}
	if (w->failures > 0)
		log_info("inbox: the server takes reports again");
	w->failures = 0;
	w->error[0] = '\0';
	w->sent += end == REPORT_FORWARDED;
	end_slot(s, end, r->status, 0);
	pump(w);
}

static void
send_report(struct slot *s)
{
	struct forward	    *w = s->w;
	char		     url[URL_LEN + REPORT_NAME_TEXT + 1];
	const char	    *urls[] = { url };
	struct download_want want = { .urls = urls, .nurls = 1,
		.tls = &w->conf->tls, .fd = -1, .read_fd = -1, .done = on_put,
		.ctx = s, .body = s->body, .body_len = s->len };

	snprintf(url, sizeof(url), "%s/", w->conf->url);
	report_name(&s->id, url + strlen(url));
	s->state = SLOT_SENDING;
	if (download_start(w->f->downloads, &want, &s->put) < 0)
		end_slot(s, REPORT_LATER, 0, HOLD_MS);
	else
		w->sent_bytes += s->len;
}

static void
on_taken(void *ctx, const struct store_answer *a)
{
	struct slot    *s = ctx;
	struct forward *w = s->w;

	s->state = SLOT_IDLE;
	if (a->r < 0)
		return; /* the store is away; we begin anew when it is back */
	s->id = a->report;
	s->len = a->len;
	/* it may be off since this was asked for */
	if (w->conf->url[0] == '\0' || (s->body = malloc(a->len + 1)) == NULL) {
		end_slot(s, REPORT_LATER, 0, HOLD_MS);
		return;
	}
	memcpy(s->body, a->bytes, a->len);
	s->state = SLOT_READY;
	pump(w);
}

/* What was taken is sent, and more is taken, as far as both may be now: what
 * was asked for before a pause may come during it, and waits. */
static void
pump(struct forward *w)
{
	size_t n[SLOT_ENDING + 1] = { 0 }, busy, most;

	if (w->ended || w->paused || w->conf->url[0] == '\0' ||
	    !store_client_connected(w->f->store))
		return;
	most = w->failures > 0 ? 1 : w->conf->parallel;
	for (size_t i = 0; i < SLOTS_MAX; i++)
		n[w->slots[i].state]++;
	busy = n[SLOT_SENDING] + n[SLOT_ENDING];
	for (size_t i = 0; i < SLOTS_MAX && busy < most; i++)
		if (w->slots[i].state == SLOT_READY) {
			send_report(&w->slots[i]);
			n[SLOT_READY]--;
			busy++;
		}
	busy += n[SLOT_READY] + n[SLOT_TAKING];
	for (size_t i = 0; i < SLOTS_MAX && busy < most; i++) {
		struct slot *s = &w->slots[i];

		if (s->state != SLOT_IDLE)
			continue;
		if (store_report_take(w->f->store, on_taken, s) < 0) {
			loop_timer_set(w->pause, PAUSE_MIN_MS); /* try again */
			return;
		}
		s->state = SLOT_TAKING;
		busy++;
	}
}

void
forward_store_ready(struct forward *w)
{
	pump(w);
}

/* Requests to it have been answered by then. */
void
forward_store_lost(struct forward *w)
{
	for (size_t i = 0; i < SLOTS_MAX; i++)
		slot_clear(&w->slots[i]);
}

void
forward_end(struct forward *w)
{
	w->ended = true;
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		store_cancel(w->f->store, &w->slots[i]);
		slot_clear(&w->slots[i]);
	}
}

/* -- configuration -- */

int
forward_read(struct fetch *f, const struct inbox_conf *conf,
    struct forward_conf **out)
{
	struct forward_conf *c = calloc(1, sizeof(*c));
	size_t		     pos = 0, n;
	int		     r;

	*out = c;
	if (c == NULL)
		return -ENOMEM;
	c->parallel = conf->parallel;
	if (!value_word(conf->url, &pos, c->url, sizeof(c->url)))
		return 0;
	n = strlen(c->url);
	if (c->url[n - 1] == '/')
		c->url[n - 1] = '\0';
	if ((r = source_read_tls(f, "inbox", &c->tls)) == 0 &&
	    c->tls.ca == NULL) {
		log_err("inbox.ca: is needed: no CA of the system's is in %s",
		    DOWNLOAD_SYSTEM_CA);
		r = -EINVAL;
	}
	if (r < 0)
		forward_conf_free(out);
	return r;
}

void
forward_conf_free(struct forward_conf **cp)
{
	struct forward_conf *c = *cp;

	if (c == NULL)
		return;
	source_free_tls(&c->tls);
	free(c);
	*cp = NULL;
}

/* What is under way goes on under the new rules, from its beginning. */
void
forward_apply(struct forward *w, struct forward_conf **take)
{
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		struct slot *s = &w->slots[i];

		if (s->state != SLOT_SENDING && s->state != SLOT_READY)
			continue;
		download_cancel(&s->put);
		end_slot(s, REPORT_LATER, 0, 0);
	}
	forward_conf_free(&w->conf);
	w->conf = *take;
	*take = NULL;
	w->failures = 0;
	w->error[0] = '\0';
	w->paused = false;
	loop_timer_stop(w->pause);
	pump(w);
}

int
forward_new(struct fetch *f, struct forward **out)
{
	struct forward *w = calloc(1, sizeof(*w));

	*out = w;
	if (w == NULL)
		return -ENOMEM;
	w->f = f;
	for (size_t i = 0; i < SLOTS_MAX; i++)
		w->slots[i].w = w;
	return loop_timer_new(f->loop, on_pause_end, w, &w->pause);
}

/* -- what the administrator sees -- */

void
forward_flush(void *fetch, struct admin_reply *reply, int argc, char *argv[])
{
	struct forward *w = ((struct fetch *)fetch)->forward;

	(void)argc;
	(void)argv;
	if (w->conf->url[0] == '\0') {
		admin_end(reply, "inbox.url is not set");
		return;
	}
	w->paused = false;
	loop_timer_stop(w->pause);
	pump(w);
	admin_end(reply, NULL);
}

void
forward_metrics(struct forward *w, struct admin_reply *reply)
{
	worker_metric(reply, "dpoint_fetch_reports_total", "counter",
	    "Reports put to the server.", NULL, (double)w->sent);
	worker_metric(reply, "dpoint_fetch_report_bytes_total", "counter",
	    "Bytes of reports put, or tried.", NULL, (double)w->sent_bytes);
	worker_metric(reply, "dpoint_fetch_reports_failed_total", "counter",
	    "Attempts to put a report that are to be repeated.", NULL,
	    (double)w->failed);
}

void
forward_warnings(struct forward *w, struct admin_reply *reply)
{
	if (w->failures > 0)
		worker_warning(reply, "inbox: reports are not forwarded, %u "
				      "failures in a row: %s",
		    w->failures, w->error);
}
