/*
 * dp-agent/net_report.c - the device's reports; see net_report.h.
 *
 * Runs in the network child. Believes of an answer its status, and a number if it
 * is higher than ours and can be one of ours.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/net_report.h"

#include "common/json.h"
#include "common/log.h"
#include "common/report.h"
#include "common/tls.h"
#include "common/wr.h"
#include "dp-agent/net_link.h"
#include "dp-agent/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define KEY	     "report.json" /* the parent's file */
#define KEPT_MAX     (4 * REPORT_LEN)
#define FIRST_MS     60000 /* at most, from the start to the first one */
#define RETRY_MIN    5000
#define RETRY_MAX    3600000
#define ANSWER_MAX   512
/* So many reports a device cannot have made; one each 15 s are 2,000 years. Who
 * says that he knows more would have us use our numbers up. */
#define AHEAD_MAX    (UINT64_C(1) << 32)

enum report_state {
	R_STARTS, /* the parent is asked what was kept */
	R_RESTS,  /* nothing is to be sent */
	R_KEEPS,  /* the parent is asked whether it has the report */
	R_WAITS,  /* to try again */
	R_SENDS,
};

struct net_report {
	struct net	  *n;
	char		   device[REPORT_DEVICE_TEXT];
	enum report_state  state;
	uint64_t	   sequence; /* of text, or the last one */
	char		  *text;     /* NULL: the last one has arrived */
	uint64_t	   due_ms;   /* of the next */
	uint64_t	   first_ms; /* so long the first waits for a round */
	uint64_t	   ended_ms; /* the last; 0: none yet */
	unsigned	   tried, failures; /* bits of sources; in a row */
	size_t		   source;
	uint32_t	   ticket, tickets; /* asked for; the last one */
	struct stream	  *stream;
	char		   answer[ANSWER_MAX + 1];
	size_t		   nanswer;
	struct loop_timer *timer; /* of whatever the state waits for */
	int64_t		   arrived; /* time */
	char		   error[300];
};

static void send_on(struct net_report *r);
static void try_again(struct net_report *r);

static uint64_t
now_ms(const struct net_report *r)
{
	return loop_now_ms(r->n->loop);
}

static uint64_t
dice_ms(uint64_t below)
{
	uint32_t x;

	if (getrandom(&x, sizeof(x), 0) != (ssize_t)sizeof(x))
		x = UINT32_MAX / 2;
	return below * x >> 32;
}

/* -- what it says -- */

static bool
add_file(json_t *files, const struct target *t, size_t *room)
{
	char	hex[HASH_HEX];
	json_t *row;
	size_t	n;

	hash_to_hex(&t->hash, hex);
	row = json_pack("{s:s?,s:s,s:s,s:s}", "path", t->path, "state",
	    t->state == TARGET_OK	? "verified"
		: t->state == TARGET_FAILED ? "failed"
					    : "comes",
	    "sha256", hex, "version", t->version);
	if (row == NULL)
		return false;
	n = json_dumpb(row, NULL, 0, JSON_COMPACT) + 1;
	if (n > *room) {
		json_decref(row);
		return false;
	}
	*room -= n;
	json_array_append_new(files, row);
	return true;
}

/* Those that are not in place, then the others, as many as fit. */
static json_t *
files_of(const struct net *n, size_t room, size_t *left_out)
{
	json_t *files = json_array();

	*left_out = n->ntargets;
	for (int ok = 0; ok < 2; ok++)
		for (size_t i = 0; i < n->ntargets; i++)
			if ((n->targets[i].state == TARGET_OK) == ok) {
				if (!add_file(files, &n->targets[i], &room))
					return files;
				--*left_out;
			}
	return files;
}

/* NULL: no memory. */
static char *
text_of(const struct net *n, uint64_t sequence)
{
	json_t *o, *files;
	size_t	left_out, used;
	char   *text = NULL;

	o = json_pack("{s:i,s:I,s:I,s:s,s:s?,s:s?,s:I,s:s?,s:I,s:I,s:O}",
	    "version", 1, "sequence", (json_int_t)sequence, "time",
	    (json_int_t)time(NULL), "agent", DPOINT_VERSION, "group",
	    n->conf.group, "kinds", n->conf.kinds, "refreshed",
	    (json_int_t)n->refreshed, "error", n->error, "wanted",
	    (json_int_t)n->ntargets, "verified", (json_int_t)n->here,
	    "metadata", n->metadata);
	if (o == NULL)
		return NULL;
	if (n->link != NULL)
		json_object_set_new(o, "link", link_status(n));
	used = json_dumpb(o, NULL, 0, JSON_COMPACT) + 64;
	if (used > REPORT_LEN) { /* of metadata; it is told in short */
		json_object_del(o, "metadata");
		used = json_dumpb(o, NULL, 0, JSON_COMPACT) + 64;
	}
	files = files_of(n, used < REPORT_LEN ? REPORT_LEN - used : 0, &left_out);
	json_object_set_new(o, "files", files);
	json_object_set_new(o, "files_left_out",
	    json_integer((json_int_t)left_out));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

/* -- what is kept -- */

static int
keep(struct net_report *r)
{
	json_t *o = json_pack("{s:I,s:s?,s:I,s:s?}", "sequence",
	    (json_int_t)r->sequence, "report", r->text, "arrived",
	    (json_int_t)r->arrived, "error", r->error);
	char   *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	int	e = text != NULL ? net_keep(r->n, KEY, text, strlen(text)) : -ENOMEM;

	json_decref(o);
	free(text);
	return e;
}

static int
ask_kept(struct net_report *r)
{
	uint8_t	  buf[64];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_str(&w, KEY);
	return ipc_send(r->n->keeper, MSG_KEPT_GET, REPORT_KEPT_ID, buf, w.len);
}

/* The parent's answer comes after it has done what it was told before. */
static void
keep_surely(struct net_report *r)
{
	r->state = R_KEEPS;
	if (keep(r) < 0 || ask_kept(r) < 0)
		try_again(r);
}

/* 0: what the file says; else as if there were none. */
static int
read_kept(struct ipc_msg *m, uint64_t *sequence, char **text, int64_t *arrived)
{
	off_t	    len = lseek(m->fds[0], 0, SEEK_END);
	char	    why[100], *buf;
	const char *s;
	json_t	   *o = NULL;
	int64_t	    v = 0;
	int	    e = -EBADMSG;

	*text = NULL;
	if (len < 0 || len > KEPT_MAX || (buf = malloc((size_t)len + 1)) == NULL)
		return -EBADMSG;
	if (pread(m->fds[0], buf, (size_t)len, 0) == len &&
	    js_parse(&o, buf, (size_t)len, why, sizeof(why)) == 0 &&
	    js_int(o, "sequence", 0, (int64_t)REPORT_SEQUENCE_MAX - 1, &v) == 0) {
		*sequence = (uint64_t)v;
		(void)js_int(o, "arrived", 0, INT64_MAX, arrived);
		if ((s = js_str(o, "report")) != NULL)
			*text = strdup(s);
		e = s != NULL && *text == NULL ? -ENOMEM : 0;
	}
	json_decref(o);
	free(buf);
	return e;
}

int
report_on_kept(struct net *n, struct ipc_msg *m)
{
	struct net_report *r = n->report;
	uint64_t	   sequence = 0;
	int64_t		   arrived = 0;
	char		  *text = NULL;
	int		   e = m != NULL ? read_kept(m, &sequence, &text, &arrived) : 0;

	if (r == NULL || (r->state != R_STARTS && r->state != R_KEEPS)) {
		free(text);
		return -EBADMSG;
	}
	if (r->state == R_STARTS) {
		if (e < 0)
			log_warn("kept report: unreadable; numbers begin anew");
		else
			r->sequence = sequence;
		r->arrived = arrived;
		r->text = text;
		r->state = R_RESTS;
		if (r->text != NULL)
			keep_surely(r); /* the same again, and sent */
		else
			(void)loop_timer_set(r->timer, 0);
		return 0;
	}
	if (e < 0 || text == NULL || r->text == NULL ||
	    sequence != r->sequence || strcmp(text, r->text) != 0) {
		snprintf(r->error, sizeof(r->error), "is not kept on disk");
		try_again(r);
	} else {
		r->tried = 0;
		send_on(r);
	}
	free(text);
	return 0;
}

/* -- sending -- */

static void
try_again(struct net_report *r)
{
	if (r->failures == 0)
		log_warn("report %" PRIu64 ": %s; it is repeated", r->sequence,
		    r->error[0] != '\0' ? r->error : "cannot be sent");
	r->failures++;
	r->state = R_WAITS;
	(void)keep(r); /* for the status */
	(void)loop_timer_set(r->timer,
	    download_backoff_ms(r->failures, RETRY_MIN, RETRY_MAX));
}

/* No more of this one: it has arrived, or never will. */
static void
over(struct net_report *r)
{
	free(r->text);
	r->text = NULL;
	r->failures = 0;
	r->ended_ms = now_ms(r);
	(void)keep(r); /* if that fails it is sent once more, as the same */
	r->state = R_RESTS;
	(void)loop_timer_set(r->timer, 0);
}

/* It was not new there: what is to be said goes under the number after the
 * highest known, as the next report, so not before the pause. */
static void
go_on_after(struct net_report *r, uint64_t highest)
{
	log_warn("report %" PRIu64 ": report %" PRIu64 " of this device is known "
		 "already; goes on from there", r->sequence, highest);
	r->sequence = highest;
	r->due_ms = now_ms(r);
	over(r);
}

static uint64_t
highest_of(const struct net_report *r)
{
	char	why[100];
	json_t *o = NULL;
	int64_t v = 0;

	if (js_parse(&o, r->answer, r->nanswer, why, sizeof(why)) == 0)
		(void)js_int(o, "highest", 0, (int64_t)REPORT_SEQUENCE_MAX, &v);
	json_decref(o);
	return (uint64_t)v;
}

static int
on_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct net_report *r = ctx;

	if (n > ANSWER_MAX - r->nanswer)
		return -EMSGSIZE;
	memcpy(r->answer + r->nanswer, p, n);
	r->nanswer += n;
	return 0;
}

static void
on_ended(void *ctx, int e, long status, const char *why)
{
	struct net_report *r = ctx;
	uint64_t	   highest;

	r->stream = NULL; /* it is gone */
	loop_timer_stop(r->timer);
	/* a 2xx is one, whatever its body was */
	if (status >= 200 && status < 300 && (e == 0 || e == -EMSGSIZE)) {
		highest = status == 200 ? highest_of(r) : 0;
		if (highest > r->sequence && highest - r->sequence > AHEAD_MAX) {
			snprintf(r->error, sizeof(r->error),
			    "%.200s: says to know report %" PRIu64 " already",
			    r->n->sources[r->source].url, highest);
			send_on(r);
			return;
		}
		r->error[0] = '\0';
		if (highest > r->sequence) {
			go_on_after(r, highest);
			return;
		}
		r->arrived = time(NULL);
		over(r);
		return;
	}
	snprintf(r->error, sizeof(r->error), "%.200s: %.90s",
	    r->n->sources[r->source].url, why);
	if (status == 400 || status == 413) { /* and it never will */
		log_warn("report %" PRIu64 ": %s; it is dropped", r->sequence,
		    r->error);
		over(r);
	} else
		send_on(r);
}

static int
start(struct net_report *r, int take_fd, const struct url *at)
{
	const struct source *s = &r->n->sources[r->source];
	const char	    *proxy = s->direct ? "" : r->n->conf.proxy;
	char		     path[REPORT_NAME_TEXT + 32], url[URL_LEN];
	struct stream_want   w = { .url = url, .host = at->host,
		  .port = at->port, .tls = &r->n->tls, .proxy = proxy,
		  .proxy_auth = s->direct ? "" : r->n->proxy_auth,
		  .body = r->text, .len = strlen(r->text), .bytes = on_bytes,
		  .ended = on_ended, .ctx = r };

	snprintf(path, sizeof(path), REPORT_PATH "%s/%" PRIu64, r->device,
	    r->sequence);
	if (url_at_host(s->url, path, url, sizeof(url)) < 0) {
		close(take_fd);
		return -EINVAL;
	}
	r->nanswer = 0;
	return stream_start(r->n->loop, take_fd, &w, &r->stream);
}

/* Whom the socket leads to: the source, or the proxy to it. */
static int
end_of(const struct net_report *r, size_t i, struct url *out)
{
	const struct source *s = &r->n->sources[i];
	int e = url_parse(s->url, out);

	if (e < 0 || !out->tls)
		return -EINVAL;
	return s->direct || r->n->conf.proxy[0] == '\0'
	    ? 0
	    : url_parse(r->n->conf.proxy, out);
}

/* The next distribution point, or later all of them again. */
static void
send_on(struct net_report *r)
{
	struct url at;

	r->state = R_SENDS;
	while (source_pick(r->n, r->tried, &r->source) == 0) {
		r->tried |= 1U << r->source;
		if (!r->n->sources[r->source].is_point ||
		    end_of(r, r->source, &at) < 0)
			continue;
		r->ticket = REPORT_TICKETS |
		    (++r->tickets & (REPORT_TICKETS - 1));
		if (connect_client_ask(r->n->connector, r->ticket, at.host,
			at.port, r->n->conf.connect_timeout * 1000) == 0) {
			(void)loop_timer_set(r->timer,
			    (r->n->conf.connect_timeout +
				r->n->conf.stall_timeout) * 1000);
			return;
		}
	}
	r->ticket = 0;
	if (r->error[0] == '\0')
		snprintf(r->error, sizeof(r->error),
		    "no distribution point with an https:// address");
	try_again(r);
}

void
report_socket(struct net *n, uint32_t ticket, int take_fd, const char *text)
{
	struct net_report *r = n->report;
	struct url	   at;

	if (r == NULL || r->state != R_SENDS || ticket != r->ticket) {
		if (take_fd >= 0)
			close(take_fd);
		return;
	}
	r->ticket = 0;
	if (take_fd >= 0 && end_of(r, r->source, &at) == 0 &&
	    start(r, take_fd, &at) == 0)
		return;
	snprintf(r->error, sizeof(r->error), "%.290s",
	    take_fd < 0 ? text : "cannot be sent");
	send_on(r);
}

/* -- time -- */

static void
next_one(struct net_report *r)
{
	uint64_t now = now_ms(r), wait = r->due_ms > now ? r->due_ms - now : 0;

	if (r->ended_ms != 0 && now + wait < r->ended_ms + REPORT_PAUSE_MS)
		wait = r->ended_ms + REPORT_PAUSE_MS - now;
	if (now + wait < r->first_ms)
		wait = r->first_ms - now;
	if (wait > 0) {
		(void)loop_timer_set(r->timer, wait);
		return;
	}
	r->due_ms = now + r->n->conf.report_interval * 1000;
	r->due_ms -= dice_ms(r->n->conf.report_interval * 100); /* a tenth */
	if ((r->text = text_of(r->n, r->sequence + 1)) == NULL) {
		(void)loop_timer_set(r->timer, RETRY_MIN);
		return;
	}
	r->sequence++;
	keep_surely(r);
}

static void
on_time(void *ctx)
{
	struct net_report *r = ctx;

	switch (r->state) {
	case R_RESTS:
		next_one(r);
		break;
	case R_WAITS:
		keep_surely(r);
		break;
	case R_SENDS: /* nothing came of it */
		stream_end(&r->stream);
		r->ticket = 0;
		snprintf(r->error, sizeof(r->error), "%.250s: no answer",
		    r->n->sources[r->source].url);
		send_on(r);
		break;
	default:
		break;
	}
}

/* The next one does not wait for a round. */
static void
as_due(struct net_report *r)
{
	r->first_ms = 0;
	if (r->state == R_RESTS)
		(void)loop_timer_set(r->timer, 0);
}

void
report_wanted(struct net *n, uint64_t in_ms)
{
	struct net_report *r = n->report;
	uint64_t	   due;

	if (r == NULL)
		return;
	due = now_ms(r) + in_ms;
	if (due < r->due_ms)
		r->due_ms = due;
	as_due(r);
}

void
report_round_over(struct net *n)
{
	if (n->report != NULL)
		as_due(n->report);
}

void
report_begin(struct net *n)
{
	if (n->report != NULL && ask_kept(n->report) < 0)
		log_warn("reports: the parent cannot be asked");
}

int
report_open(struct net *n)
{
	struct net_report *r;
	uint8_t		   id[REPORT_DEVICE_LEN];
	char		   name[TLS_NAME_MAX];
	uint64_t	   first = n->conf.report_interval * 1000;
	int		   e;

	if (n->conf.report_interval == 0)
		return 0;
	if (n->tls.cert == NULL ||
	    tls_name_of_pem(n->tls.cert, n->tls.cert_len, name) < 0 ||
	    report_device_of_uri(name, id) < 0) {
		log_err("agent.client-cert: names no urn:dpoint:device, whose "
			"reports nobody takes");
		return -EINVAL;
	}
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return -ENOMEM;
	r->n = n;
	report_device_text(id, r->device);
	if ((e = loop_timer_new(n->loop, on_time, r, &r->timer)) < 0) {
		free(r);
		return e;
	}
	r->first_ms = loop_now_ms(n->loop) + FIRST_MS;
	r->due_ms = loop_now_ms(n->loop) +
	    dice_ms(first < FIRST_MS ? first : FIRST_MS);
	n->report = r;
	return 0;
}
