/*
 * dp-scan/upward.c - see upward.h.
 *
 * Sequences are this machine's clock in milliseconds, or above what the store
 * says it has: so they rise over a restart, and over the loss of the inbox. A part
 * whose answer was lost is put again under its number, and is a repeat then.
 * Runs in dp-scan. Believes the store about what it keeps.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/upward.h"

#include "common/log.h"
#include "dp-scan/round.h"
#include "dp-scan/scan.h"
#include "dp-scan/schedule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_S	 60    /* after the start; the first polls have ended mostly */
#define AWAY_MS	 1000  /* the store is away */
#define RETRY_S	 30    /* the inbox takes none; or the interval, if that is less */
#define SLICE_MS 5     /* from one look at some devices to the next */

struct upward {
	struct scan *s;
	bool	     on, under_way, asked, known; /* a sequence that was kept */
	uint8_t	     device[REPORT_DEVICE_LEN];
	char	     url[sizeof(((struct inbox_conf *)0)->url)];
	uint64_t     due_ms, retry_ms, sequence, parts, bytes;
	uint64_t     full_ms; /* when the last full round began */

	struct round	  *round;
	uint32_t	   number; /* of the last one that began */
	bool		   is_made; /* its next part */
	struct loop_timer *slice;
	struct round_counts done; /* the last whole one */
	char why[128]; /* the inbox takes none; empty: it does */
};

/* -- a round -- */

static void on_put(void *ctx, const struct store_answer *a);

static void
later(struct upward *u, uint64_t ms, const char *why) /* why: for people, or NULL */
{
	u->retry_ms = loop_now_ms(u->s->loop) + ms;
	if (why != NULL && u->why[0] == '\0')
		log_warn("devices are not reported: %s", why);
	if (why != NULL)
		snprintf(u->why, sizeof(u->why), "%s", why);
}

static void
put(struct upward *u)
{
	struct report_id id = { .sequence = u->sequence };
	size_t		 len;
	const void	*part = round_part(u->round, &len);

	memcpy(id.device, u->device, sizeof(id.device));
	if (store_report_put(u->s->store, &id, part, len, on_put, u) < 0)
		later(u, AWAY_MS, NULL);
	else
		u->asked = true;
}

static void
drop(struct upward *u)
{
	store_cancel(u->s->store, u);
	loop_timer_stop(u->slice);
	round_drop(u->round);
	u->under_way = u->asked = u->is_made = false;
}

/* In slices: others wait. */
static void
make(void *ctx)
{
	struct upward *u = ctx;
	int	       r = round_work(u->round,
	    worker_settings(u->s->w)->inbox.max_report);

	if (r == 0)
		loop_timer_set(u->slice, SLICE_MS);
	else if (r < 0) {
		log_warn_err(r, "devices are not reported");
		drop(u);
	} else {
		u->is_made = true;
		put(u);
	}
}

static void
begin(struct upward *u)
{
	const struct scan_conf *c = &u->s->conf;
	uint64_t		ms = loop_now_ms(u->s->loop);
	bool   full = ms - u->full_ms >= c->report_full_interval * 1000;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	u->number = (uint32_t)now.tv_sec > u->number ? (uint32_t)now.tv_sec
						     : u->number + 1;
	if (round_begin(u->round, u->device, u->number, full) < 0)
		return; /* a second later */
	if (round_counts(u->round)->base == 0) /* the chain was broken, too */
		u->full_ms = ms;
	u->due_ms = ms + schedule_wait(c->report_interval);
	if (!u->known)
		u->sequence = (uint64_t)now.tv_sec * 1000 +
		    (uint64_t)now.tv_nsec / 1000000;
	u->under_way = true;
	make(u);
}

static void
part_kept(struct upward *u)
{
	size_t len;

	(void)round_part(u->round, &len);
	u->known = true;
	u->sequence++;
	u->parts++;
	u->bytes += len;
	u->why[0] = '\0';
	u->is_made = false;
	if (!round_is_last(u->round)) {
		make(u);
		return;
	}
	u->done = *round_counts(u->round);
	round_end(u->round);
	u->under_way = false;
}

static void
on_put(void *ctx, const struct store_answer *a)
{
	struct upward *u = ctx;
	uint64_t       each = u->s->conf.report_interval;
	bool	       is_ours = u->known && a->highest == u->sequence;

	u->asked = false;
	if (a->r == 0 || (a->r == -EEXIST && is_ours))
		part_kept(u);
	else if (a->r == -EEXIST && a->highest < REPORT_SEQUENCE_MAX) {
		u->sequence = a->highest + 1;
		put(u);
	} else if (a->r == -ENOTCONN)
		later(u, AWAY_MS, NULL);
	else
		later(u, (each < RETRY_S ? each : RETRY_S) * 1000, a->text);
}

/* -- life -- */

void
upward_second(struct upward *u)
{
	uint64_t now = loop_now_ms(u->s->loop);

	/* before the kept ones are read all others would seem gone */
	if (!u->on || !u->s->loaded || u->s->draining || u->asked)
		return;
	if (!u->under_way && schedule_is_due(u->due_ms, now))
		begin(u);
	else if (u->is_made && now >= u->retry_ms)
		put(u);
}

void
upward_configure(struct upward *u)
{
	const struct settings *st = worker_settings(u->s->w);
	uint64_t	       now = loop_now_ms(u->s->loop);
	uint64_t	       each = st->scan.report_interval;
	uint8_t		       device[REPORT_DEVICE_LEN] = { 0 };
	bool		       was_on = u->on;

	u->on = settings_reports_devices(st) && report_device_parse(st->scan.id,
	    strlen(st->scan.id), device) == 0;
	if (!u->on || memcmp(device, u->device, sizeof(device)) != 0 ||
	    strcmp(st->inbox.url, u->url) != 0) { /* another server knows nothing */
		drop(u);
		u->known = was_on = false;
		u->why[0] = '\0';
		memcpy(u->device, device, sizeof(device));
		snprintf(u->url, sizeof(u->url), "%s", st->inbox.url);
	}
	if (!was_on)
		u->due_ms = 0;
	schedule_set(&u->due_ms, u->on ? each : 0,
	    now + schedule_wait(each < FIRST_S ? each : FIRST_S), now);
}

static json_t *
row(void *ctx, const struct record *r, bool lasting)
{
	return lasting ? scan_device_lasting(ctx, r) : scan_device_row(ctx, r);
}

int
upward_new(struct scan *s, struct upward **out)
{
	struct upward *u = calloc(1, sizeof(*u));
	int	       r;

	*out = u;
	if (u == NULL)
		return -ENOMEM;
	u->s = s;
	if ((r = round_new(s->devices, row, s, &u->round)) < 0 ||
	    (r = loop_timer_new(s->loop, make, u, &u->slice)) < 0)
		upward_free(out);
	return r;
}

void
upward_free(struct upward **up)
{
	struct upward *u = *up;

	if (u == NULL)
		return;
	store_cancel(u->s->store, u);
	loop_timer_free(&u->slice);
	round_free(&u->round);
	free(u);
	*up = NULL;
}

/* -- what administrators are told -- */

void
upward_status(const struct upward *u, struct admin_reply *r)
{
	int64_t due = (int64_t)u->due_ms - (int64_t)loop_now_ms(u->s->loop);

	admin_row(r, json_pack("{s:s,s:I,s:b,s:I,s:I,s:I,s:I,s:o}", "report",
	    !u->on		  ? "off"
		: u->why[0] != '\0' ? "held up"
		: u->under_way	  ? "under way"
				  : "waiting",
	    "last_round", (json_int_t)u->done.number, "full",
	    u->done.number != 0 && u->done.base == 0, "parts",
	    (json_int_t)u->done.parts, "rows", (json_int_t)u->done.rows,
	    "devices", (json_int_t)u->done.devices, "left_out",
	    (json_int_t)u->done.left_out, "next_time",
	    u->on ? json_integer((json_int_t)time(NULL) + due / 1000)
		  : json_null()));
}

void
upward_warnings(const struct upward *u, struct admin_reply *r)
{
	if (u->why[0] != '\0')
		worker_warning(r, "scan: devices are not reported to the server: "
		    "%s", u->why);
	if (u->on && u->done.left_out > 0)
		worker_warning(r, "scan: %zu devices are larger than a report may "
		    "be and were left out: inbox.max-report", u->done.left_out);
}

uint64_t
upward_parts(const struct upward *u)
{
	return u->parts;
}

uint64_t
upward_bytes(const struct upward *u)
{
	return u->bytes;
}
