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
#include "dp-scan/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_S	 60    /* after the start; the first polls have ended mostly */
#define AWAY_MS	 1000  /* the store is away */
#define RETRY_S	 30    /* the inbox takes none; or the interval, if that is less */
#define PART_MIN 1024  /* whatever inbox.max-report says */
#define TAIL_MAX 96

struct upward {
	struct scan *s;
	bool	     on, under_way, asked, known; /* a sequence that was kept */
	uint8_t	     device[REPORT_DEVICE_LEN];
	uint64_t     due_ms, retry_ms, sequence, parts;

	/* the round */
	uint32_t     round;
	unsigned     part;
	size_t	     slot, devices, left_out;
	bool	     last; /* part of it */
	char	    *buf;  /* STORE_REPORT_MAX; NULL: none under way */
	size_t	     len;

	struct {
		uint32_t round;
		unsigned parts;
		size_t	 devices, left_out;
	} done; /* the last whole one */
	char why[128]; /* the inbox takes none; empty: it does */
};

/* -- one part -- */

static size_t
part_max(const struct upward *u)
{
	uint64_t n = worker_settings(u->s->w)->inbox.max_report;

	return n < PART_MIN ? PART_MIN : n < STORE_REPORT_MAX ? (size_t)n
							      : STORE_REPORT_MAX;
}

/* The bytes that it takes; more than room: nothing was added. 0: no memory. */
static size_t
add_row(struct upward *u, const struct record *r, bool is_first, size_t max)
{
	json_t *row = scan_device_row(u->s, r);
	char   *at = u->buf + u->len;
	size_t	room = max - u->len, n;

	if (room < 1)
		n = SIZE_MAX;
	else
		n = json_dumpb(row, at + !is_first, room - !is_first,
		    JSON_COMPACT);
	json_decref(row);
	if (n == 0 || n > room - !is_first)
		return n;
	if (!is_first)
		*at = ',';
	u->len += n + !is_first;
	return n;
}

static void
build(struct upward *u)
{
	const struct devices *d = u->s->devices;
	const struct record  *r;
	size_t		      max = part_max(u) - TAIL_MAX, was, n;
	char		      id[REPORT_DEVICE_TEXT];
	bool		      is_first = true;

	report_device_text(u->device, id);
	u->len = (size_t)snprintf(u->buf, STORE_REPORT_MAX,
	    "{\"format\":\"dpoint-devices-1\",\"distribution_point\":\"%s\","
	    "\"round\":%u,\"part\":%u,\"devices\":[", id, u->round, ++u->part);
	for (; u->slot < devices_slots(d); u->slot++) {
		if ((r = devices_at(d, u->slot)) == NULL)
			continue;
		was = u->len;
		n = add_row(u, r, is_first, max);
		if (u->len > was) {
			is_first = false;
			u->devices++;
		} else if (n == 0 || is_first)
			u->left_out++; /* it fits no part */
		else
			break;
	}
	u->last = u->slot >= devices_slots(d);
	u->len += (size_t)snprintf(u->buf + u->len, STORE_REPORT_MAX - u->len,
	    u->last ? "],\"last\":true,\"count\":%zu,\"left_out\":%zu}"
		    : "],\"last\":false}", u->devices, u->left_out);
}

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

	memcpy(id.device, u->device, sizeof(id.device));
	if (store_report_put(u->s->store, &id, u->buf, u->len, on_put, u) < 0)
		later(u, AWAY_MS, NULL);
	else
		u->asked = true;
}

static void
round_drop(struct upward *u)
{
	store_cancel(u->s->store, u);
	free(u->buf);
	u->buf = NULL;
	u->under_way = u->asked = false;
}

static void
round_begin(struct upward *u)
{
	struct timespec now;

	if ((u->buf = malloc(STORE_REPORT_MAX)) == NULL)
		return; /* a second later */
	clock_gettime(CLOCK_REALTIME, &now);
	u->due_ms = loop_now_ms(u->s->loop) +
	    runs_jittered(u->s->conf.report_interval);
	u->round = (uint32_t)now.tv_sec > u->round ? (uint32_t)now.tv_sec
						   : u->round + 1;
	if (!u->known)
		u->sequence = (uint64_t)now.tv_sec * 1000 +
		    (uint64_t)now.tv_nsec / 1000000;
	u->part = 0;
	u->slot = u->devices = u->left_out = 0;
	u->under_way = true;
	build(u);
	put(u);
}

static void
part_kept(struct upward *u)
{
	u->known = true;
	u->sequence++;
	u->parts++;
	u->why[0] = '\0';
	if (!u->last) {
		build(u);
		put(u);
		return;
	}
	u->done.round = u->round;
	u->done.parts = u->part;
	u->done.devices = u->devices;
	u->done.left_out = u->left_out;
	round_drop(u);
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
	if (!u->under_way && now >= u->due_ms)
		round_begin(u);
	else if (u->under_way && now >= u->retry_ms)
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
	if (!u->on || memcmp(device, u->device, sizeof(device)) != 0) {
		round_drop(u);
		u->known = was_on = false;
		u->why[0] = '\0';
		memcpy(u->device, device, sizeof(device));
	}
	if (u->on && !was_on)
		u->due_ms = now + runs_jittered(each < FIRST_S ? each : FIRST_S);
	else if (u->on && u->due_ms > now + each * 1100)
		u->due_ms = now + runs_jittered(each); /* it became shorter */
}

int
upward_new(struct scan *s, struct upward **out)
{
	if ((*out = calloc(1, sizeof(**out))) == NULL)
		return -ENOMEM;
	(*out)->s = s;
	return 0;
}

void
upward_free(struct upward **up)
{
	if (*up == NULL)
		return;
	round_drop(*up);
	free(*up);
	*up = NULL;
}

/* -- what administrators are told -- */

void
upward_status(const struct upward *u, struct admin_reply *r)
{
	int64_t due = (int64_t)u->due_ms - (int64_t)loop_now_ms(u->s->loop);

	admin_row(r, json_pack("{s:s,s:I,s:I,s:I,s:I,s:o}", "report",
	    !u->on		  ? "off"
		: u->why[0] != '\0' ? "held up"
		: u->under_way	  ? "under way"
				  : "waiting",
	    "last_round", (json_int_t)u->done.round, "parts",
	    (json_int_t)u->done.parts, "devices", (json_int_t)u->done.devices,
	    "left_out", (json_int_t)u->done.left_out, "next_time",
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
