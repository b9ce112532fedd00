/*
 * dp-scan/round.c - see round.h.
 *
 * What the server was told stands by slot: which device, when it was seen, and a
 * hash of its row. Rows come first, as devices are looked at; who is gone or was only
 * seen again is gathered meanwhile, and comes sorted by time at the end.
 * Runs in dp-scan.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/round.h"

#include "common/hash.h"
#include "common/store_client.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKED_MORE 64	/* gzip's own, of what cannot be packed */
#define END_MAX	    128 /* of a part, all that is in no list */
#define LEVEL_BUF   ISAL_DEF_LVL1_DEFAULT

struct told { /* the server, of the device in this slot */
	uint32_t id;   /* 0: of none */
	uint32_t last; /* seen */
	uint64_t row;  /* hash of what lasts */
};

struct zip {
	struct isal_zstream stream;
	uint8_t		    level[LEVEL_BUF];
};

struct round {
	const struct devices *devices;
	round_row	      row;
	void		     *ctx;
	struct told	     *told;
	size_t		      ntold;
	uint32_t	      whole; /* the last round that was; 0: none */
	struct round_counts   n;
	char		      id[REPORT_DEVICE_TEXT];

	/* under way */
	size_t	  slot;
	uint64_t *moved; /* when << 32 | id; when 0: gone */
	size_t	  nmoved, at;
	bool	  is_sorted, is_last;
	char	 *text; /* of the part; len 0: none is begun */
	size_t	  len, max, rows; /* max: but for its end */
	uint8_t	 *packed;
	size_t	  npacked;
	struct zip *zip;
};

/* -- the text of a part -- */

/* false: it does not fit, and nothing was added. */
static bool __attribute__((format(printf, 3, 4)))
say(struct round *r, size_t max, const char *fmt, ...)
{
	va_list ap;
	int	n;

	if (r->len >= max)
		return false; /* into the room for the end, already */
	va_start(ap, fmt);
	n = vsnprintf(r->text + r->len, max - r->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= max - r->len)
		return false;
	r->len += (size_t)n;
	return true;
}

static void
part_begin(struct round *r, size_t max)
{
	char base[16] = "null";

	if (r->n.base != 0)
		snprintf(base, sizeof(base), "%u", r->n.base);
	if (max < ROUND_PART_MIN)
		max = ROUND_PART_MIN;
	if (max > STORE_REPORT_MAX)
		max = STORE_REPORT_MAX;
	r->max = max - PACKED_MORE - END_MAX;
	r->len = r->rows = 0;
	(void)say(r, r->max,
	    "{\"format\":\"dpoint-devices-2\",\"distribution_point\":\"%s\","
	    "\"round\":%u,\"base\":%s,\"part\":%u,\"devices\":[", r->id,
	    r->n.number, base, ++r->n.parts);
}

/* 1: it was added; 0: it does not fit; -ENOMEM. */
static int
say_row(struct round *r, const struct record *rec)
{
	json_t *row;
	size_t	comma = r->rows > 0, room = r->max - r->len, n;
	char   *at = r->text + r->len;

	if (room <= comma)
		return 0;
	row = r->row(r->ctx, rec, false);
	n = json_dumpb(row, at + comma, room - comma, JSON_COMPACT);
	json_decref(row);
	if (n == 0)
		return -ENOMEM;
	if (n > room - comma)
		return 0;
	if (comma)
		*at = ',';
	r->len += comma + n;
	r->rows++;
	return 1;
}

static void
say_gone(struct round *r)
{
	const char *comma = "";

	for (; r->at < r->nmoved && r->moved[r->at] >> 32 == 0; r->at++) {
		if (!say(r, r->max, "%s%u", comma, (uint32_t)r->moved[r->at]))
			break;
		comma = ",";
	}
}

/* Lists of a time, the id of who was seen then, steps to those of the next ones. */
static void
say_seen(struct round *r)
{
	uint32_t group = 0, before = 0;

	for (; r->at < r->nmoved; r->at++) {
		uint32_t when = (uint32_t)(r->moved[r->at] >> 32);
		uint32_t id = (uint32_t)r->moved[r->at];

		if (when == 0 || !(when == group
			? say(r, r->max, ",%u", id - before)
			: say(r, r->max, "%s[%u,%u", group != 0 ? "]," : "",
			    when, id)))
			break; /* some are gone still, or it is full */
		group = when;
		before = id;
	}
	if (group != 0)
		(void)say(r, r->max + END_MAX, "]");
}

/* gzip, RFC 1952. There is room for what cannot be packed, too. */
static int
pack(struct round *r)
{
	struct isal_zstream *z = &r->zip->stream;

	isal_deflate_stateless_init(z);
	z->level = 1;
	z->level_buf = r->zip->level;
	z->level_buf_size = LEVEL_BUF;
	z->gzip_flag = IGZIP_GZIP;
	z->end_of_stream = 1;
	z->next_in = (uint8_t *)r->text;
	z->avail_in = (uint32_t)r->len;
	z->next_out = r->packed;
	z->avail_out = (uint32_t)(r->len + PACKED_MORE);
	if (isal_deflate_stateless(z) != COMP_OK)
		return -EIO;
	r->npacked = z->total_out;
	r->len = 0;
	return 1;
}

static int
part_end(struct round *r)
{
	bool   all_looked_at = r->slot >= r->ntold;
	size_t max = r->max + END_MAX;

	(void)say(r, max, "],\"gone\":[");
	if (all_looked_at)
		say_gone(r);
	(void)say(r, max, "],\"seen\":[");
	if (all_looked_at)
		say_seen(r);
	r->is_last = all_looked_at && r->at == r->nmoved;
	if (r->is_last)
		(void)say(r, max,
		    "],\"last\":true,\"count\":%zu,\"left_out\":%zu}",
		    r->n.devices, r->n.left_out);
	else
		(void)say(r, max, "],\"last\":false}");
	return pack(r);
}

/* -- what changed -- */

static void
moved(struct round *r, uint32_t when, uint32_t id)
{
	r->moved[r->nmoved++] = (uint64_t)when << 32 | id;
}

static void
forget(struct round *r, struct told *t)
{
	if (t->id == 0)
		return;
	moved(r, 0, t->id);
	t->id = 0;
	r->n.devices--;
}

static int
hash_row(const struct round *r, const struct record *rec, uint64_t *out)
{
	json_t	   *row = r->row(r->ctx, rec, true);
	char	   *text = json_dumps(row, JSON_COMPACT);
	struct hash h;
	int	    e = text != NULL ? hash_of(&h, text, strlen(text)) : -ENOMEM;

	json_decref(row);
	free(text);
	if (e == 0)
		memcpy(out, h.b, sizeof(*out));
	return e;
}

/* false: the part is full; the slot's turn comes again. A slot moves one at most. */
static bool
look(struct round *r, size_t slot)
{
	const struct record *rec = devices_at(r->devices, slot);
	struct told	    *t = &r->told[slot], now;
	int		     e;

	if (rec == NULL || rec->id != t->id)
		forget(r, t);
	if (rec == NULL)
		return true;
	now = (struct told){ .id = rec->id, .last = rec->last };
	e = hash_row(r, rec, &now.row);
	if (e == 0 && t->id != 0 && t->row == now.row) {
		if (t->last != now.last && now.last != 0)
			moved(r, now.last, now.id);
		*t = now;
		return true;
	}
	if (e == 0 && (e = say_row(r, rec)) == 0 && r->rows > 0)
		return false;
	if (e <= 0) { /* it fits no part, or there is no memory for it now */
		r->n.left_out++;
		forget(r, t);
		return true;
	}
	r->n.devices += t->id == 0;
	r->n.rows++;
	*t = now;
	return true;
}

static int
by_time_and_id(const void *va, const void *vb)
{
	const uint64_t *a = va, *b = vb;

	return *a < *b ? -1 : *a > *b;
}

int
round_work(struct round *r, size_t max)
{
	if (r->len == 0)
		part_begin(r, max);
	for (int n = 0; r->slot < r->ntold; r->slot++) {
		if (n++ == ROUND_SLICE)
			return 0;
		if (!look(r, r->slot))
			return part_end(r);
	}
	if (!r->is_sorted)
		qsort(r->moved, r->nmoved, sizeof(*r->moved), by_time_and_id);
	r->is_sorted = true;
	return part_end(r);
}

const void *
round_part(const struct round *r, size_t *len)
{
	*len = r->npacked;
	return r->packed;
}

bool
round_is_last(const struct round *r)
{
	return r->is_last;
}

/* -- life -- */

static void
close_round(struct round *r)
{
	free(r->moved);
	free(r->text);
	free(r->packed);
	free(r->zip);
	r->moved = NULL;
	r->text = NULL;
	r->packed = NULL;
	r->zip = NULL;
}

static int
more_told(struct round *r, size_t n)
{
	struct told *p;

	if (n <= r->ntold)
		return 0;
	if ((p = reallocarray(r->told, n, sizeof(*p))) == NULL)
		return -ENOMEM;
	memset(p + r->ntold, 0, (n - r->ntold) * sizeof(*p));
	r->told = p;
	r->ntold = n;
	return 0;
}

static void
forget_all(struct round *r)
{
	memset(r->told, 0, r->ntold * sizeof(*r->told));
	r->n.devices = 0;
	r->whole = 0;
}

int
round_begin(struct round *r, const uint8_t by[REPORT_DEVICE_LEN],
    uint32_t number, bool full)
{
	if (more_told(r, devices_slots(r->devices)) < 0 ||
	    (r->moved = calloc(r->ntold + 1, sizeof(*r->moved))) == NULL ||
	    (r->text = malloc(STORE_REPORT_MAX)) == NULL ||
	    (r->packed = malloc(STORE_REPORT_MAX)) == NULL ||
	    (r->zip = malloc(sizeof(*r->zip))) == NULL) {
		close_round(r);
		return -ENOMEM;
	}
	if (full || r->whole == 0)
		forget_all(r);
	report_device_text(by, r->id);
	r->n = (struct round_counts){ .number = number, .base = r->whole,
		.devices = r->n.devices };
	r->slot = r->nmoved = r->at = r->len = 0;
	r->is_sorted = false;
	return 0;
}

void
round_end(struct round *r)
{
	r->whole = r->n.number;
	close_round(r);
}

void
round_drop(struct round *r)
{
	r->whole = 0;
	close_round(r);
}

const struct round_counts *
round_counts(const struct round *r)
{
	return &r->n;
}

int
round_new(const struct devices *d, round_row row, void *ctx, struct round **out)
{
	struct round *r = calloc(1, sizeof(*r));

	*out = r;
	if (r == NULL || more_told(r, 1) < 0) { /* never NULL then */
		round_free(out);
		return -ENOMEM;
	}
	r->devices = d;
	r->row = row;
	r->ctx = ctx;
	return 0;
}

void
round_free(struct round **rp)
{
	if (*rp == NULL)
		return;
	close_round(*rp);
	free((*rp)->told);
	free(*rp);
	*rp = NULL;
}
