/*
 * dp-store/inbox.c - rows and transactions of the inbox; see inbox.h.
 *
 * Runs in dp-store, in a thread of its own. Believes nothing a disk gives back.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/inbox.h"

#include "common/log.h"
#include "common/rd.h"
#include "common/wr.h"
#include "dp-store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEP  (4ULL << 20) /* blocks are taken in such steps */
#define SPARE (1ULL << 20) /* for removing, when nothing can be put */
#define STAMP 30	   /* seconds of the clock that a kill may lose */

enum { DB_META, DB_DEVICES, DB_QUEUE, DB_ASIDE, DB_TIMES, DB_MAX };
static const char *const db_names[DB_MAX] = { "meta", "devices", "queue",
	"aside", "times" };

struct inbox {
	MDB_env	   *env;
	MDB_dbi	    dbi[DB_MAX];
	MDB_txn	   *txn;
	int	    fd; /* LMDB's */
	uint64_t    blocks; /* of the file, taken so far, in bytes */
	struct inbox_sums sums, before;
	uint64_t    clock, boot; /* it was that when CLOCK_BOOTTIME was this */
	uint64_t    stamped;	 /* as of the last commit */
	atomic_bool broken;
};

/* -- the clock -- */

static uint64_t
boot_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec;
}

uint64_t
inbox_now(const struct inbox *ib)
{
	return ib->clock + (boot_s() - ib->boot);
}

/* -- rows -- */

static int
get(struct inbox *ib, int db, const void *key, size_t klen, MDB_val *out)
{
	MDB_val k = { klen, (void *)key };

	return db_errno(mdb_get(ib->txn, ib->dbi[db], &k, out));
}

static int
put(struct inbox *ib, int db, const void *key, size_t klen, const void *value,
    size_t len)
{
	MDB_val k = { klen, (void *)key }, v = { len, (void *)value };

	return db_errno(mdb_put(ib->txn, ib->dbi[db], &k, &v, 0));
}

/* One that must be there: that it is not is the disk's word against ours. */
static int
del(struct inbox *ib, int db, const void *key, size_t klen)
{
	MDB_val k = { klen, (void *)key };
	int	r = db_errno(mdb_del(ib->txn, ib->dbi[db], &k, NULL));

	return r == -ENOENT ? -EUCLEAN : r;
}

static int
device_get(struct inbox *ib, const uint8_t *device, struct inbox_device *d)
{
	MDB_val v;
	int	r = get(ib, DB_DEVICES, device, REPORT_DEVICE_LEN, &v);

	return r < 0 ? r : inbox_device_parse(v.mv_data, v.mv_size, d);
}

static int
device_put(struct inbox *ib, const uint8_t *device,
    const struct inbox_device *d)
{
	uint8_t buf[INBOX_DEVICE_LEN];

	inbox_device_write(d, buf);
	return put(ib, DB_DEVICES, device, REPORT_DEVICE_LEN, buf, sizeof(buf));
}

static int
record_get(struct inbox *ib, int db, const struct report_id *id,
    struct inbox_record *out)
{
	uint8_t key[INBOX_KEY_LEN];
	MDB_val v;
	int	r;

	inbox_key(id, key);
	r = get(ib, db, key, sizeof(key), &v);
	return r < 0 ? r : inbox_record_parse(v.mv_data, v.mv_size, out);
}

/* rec->body may not lie in the transaction. */
static int
record_put(struct inbox *ib, int db, const struct report_id *id,
    const struct inbox_record *rec)
{
	uint8_t key[INBOX_KEY_LEN];
	MDB_val k = { sizeof(key), key }, v = { INBOX_HEAD_LEN + rec->len, NULL };
	int	r;

	inbox_key(id, key);
	r = db_errno(mdb_put(ib->txn, ib->dbi[db], &k, &v,
	    MDB_RESERVE | MDB_NOOVERWRITE));
	if (r == 0) {
		inbox_record_head(rec, v.mv_data);
		if (rec->len > 0)
			memcpy((uint8_t *)v.mv_data + INBOX_HEAD_LEN, rec->body,
			    rec->len);
	}
	return r;
}

static void
sums_add(struct inbox *ib, int db, size_t len, int by)
{
	uint64_t *n = db == DB_QUEUE ? &ib->sums.queued : &ib->sums.aside;
	uint64_t *bytes = db == DB_QUEUE ? &ib->sums.queued_bytes
					 : &ib->sums.aside_bytes;

	*n += (uint64_t)by;
	*bytes += (uint64_t)by * inbox_cost(len);
}

/* A report leaves db and its device's sums; rec is what record_get gave. */
static int
take_out(struct inbox *ib, int db, const struct report_id *id,
    const struct inbox_record *rec, uint64_t now)
{
	uint8_t		    key[INBOX_KEY_LEN], at[INBOX_TIME_LEN];
	size_t		    len = rec->len;
	struct inbox_device d;
	int		    r;

	inbox_key(id, key);
	inbox_time_key(rec->received, id, at);
	if ((r = del(ib, db, key, sizeof(key))) < 0 ||
	    (r = del(ib, DB_TIMES, at, sizeof(at))) < 0 ||
	    (r = device_get(ib, id->device, &d)) < 0)
		return r == -ENOENT ? -EUCLEAN : r;
	if (d.reports == 0 || d.bytes < inbox_cost(len))
		return -EUCLEAN;
	d.reports--;
	d.bytes -= inbox_cost(len);
	if (now > d.used)
		d.used = now;
	sums_add(ib, db, len, -1);
	return device_put(ib, id->device, &d);
}

/* -- transactions -- */

int
inbox_begin(struct inbox *ib)
{
	if (inbox_broken(ib))
		return -EIO;
	ib->before = ib->sums;
	return db_errno(mdb_txn_begin(ib->env, NULL, 0, &ib->txn));
}

void
inbox_abort(struct inbox *ib)
{
	if (ib->txn == NULL)
		return;
	mdb_txn_abort(ib->txn);
	ib->txn = NULL;
	ib->sums = ib->before;
}

/* The sums if they are others, and where the next start's clock goes on from. */
static int
write_meta(struct inbox *ib, bool changed, uint64_t now)
{
	uint8_t	  buf[INBOX_SUMS_LEN];
	struct wr w = wr_to(buf, sizeof(buf));
	int	  r;

	wr_u64(&w, now);
	r = put(ib, DB_META, "clock", 5, buf, w.len);
	if (r < 0 || !changed)
		return r;
	inbox_sums_write(&ib->sums, buf);
	return put(ib, DB_META, "sums", 4, buf, sizeof(buf));
}

int
inbox_commit(struct inbox *ib)
{
	bool changed = memcmp(&ib->sums, &ib->before, sizeof(ib->sums)) != 0;
	uint64_t now = inbox_now(ib);
	bool	 stamps = changed || now >= ib->stamped + STAMP;
	int	 r = stamps ? write_meta(ib, changed, now) : 0;

	if (r < 0) {
		inbox_abort(ib);
		return r;
	}
	r = db_errno(mdb_txn_commit(ib->txn));
	ib->txn = NULL;
	if (r < 0) {
		ib->sums = ib->before;
		if (r != -ENOSPC) {
			/* what is on the disk shows only a fresh look */
			log_err_err(r, "inbox: commit");
			atomic_store(&ib->broken, true);
		}
	} else if (stamps)
		ib->stamped = now;
	return r;
}

bool
inbox_broken(const struct inbox *ib)
{
	return atomic_load(&ib->broken);
}

struct inbox_sums
inbox_sums(const struct inbox *ib)
{
	return ib->sums;
}

int
inbox_reserve(struct inbox *ib, uint64_t bytes)
{
	MDB_envinfo info;
	MDB_stat    st;
	uint64_t    used, want;

	if (mdb_env_info(ib->env, &info) != 0 || mdb_env_stat(ib->env, &st) != 0)
		return -EIO;
	used = (uint64_t)st.ms_psize * (info.me_last_pgno + 1);
	want = used + 2 * bytes + SPARE; /* pages are not filled to the brim */
	if (want <= ib->blocks)
		return 0;
	if (fallocate(ib->fd, FALLOC_FL_KEEP_SIZE, (off_t)used,
		(off_t)(want + STEP - used)) == 0) {
		ib->blocks = want + STEP;
		return 0;
	}
	if (errno == EOPNOTSUPP) /* then a commit tells */
		return 0;
	if (errno != ENOSPC)
		return -errno;
	if (fallocate(ib->fd, FALLOC_FL_KEEP_SIZE, (off_t)used,
		(off_t)(want - used)) < 0)
		return -errno;
	ib->blocks = want;
	return 0;
}

/* -- putting -- */

static int
by_age(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Rows of devices one after the other: 1, 0 at the end, negative. */
static int
device_row(MDB_cursor *c, MDB_cursor_op op, uint8_t *device,
    struct inbox_device *d)
{
	MDB_val k, v;
	int	rc = mdb_cursor_get(c, &k, &v, op), r;

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return db_errno(rc);
	if (k.mv_size != REPORT_DEVICE_LEN)
		return -EUCLEAN;
	memcpy(device, k.mv_data, REPORT_DEVICE_LEN);
	r = inbox_device_parse(v.mv_data, v.mv_size, d);
	return r < 0 ? r : 1;
}

/* Forgets the sixty-fourth part of the devices, at least one, that have nothing
 * here and have been silent longest; so this walk is seldom. */
static int
forget_some(struct inbox *ib, uint64_t *forgotten)
{
	uint64_t	   *used = NULL, limit, left;
	uint8_t		    device[REPORT_DEVICE_LEN];
	struct inbox_device d = { 0 };
	MDB_cursor	   *c;
	size_t		    n = 0;
	int		    r;

	used = reallocarray(NULL, ib->sums.devices + 1, sizeof(*used));
	if (used == NULL)
		return -ENOMEM;
	if ((r = db_errno(mdb_cursor_open(ib->txn, ib->dbi[DB_DEVICES], &c))) <
	    0) {
		free(used);
		return r;
	}
	for (r = device_row(c, MDB_FIRST, device, &d); r == 1;
	    r = device_row(c, MDB_NEXT, device, &d))
		if (d.reports == 0 && n < ib->sums.devices)
			used[n++] = d.used;
	if (r == 0 && n > 0) {
		qsort(used, n, sizeof(*used), by_age);
		left = ib->sums.devices / 64 + 1;
		if (left > n)
			left = n;
		limit = used[left - 1];
		for (r = device_row(c, MDB_FIRST, device, &d); r == 1 && left > 0;
		    r = device_row(c, MDB_NEXT, device, &d)) {
			if (d.reports > 0 || d.used > limit)
				continue;
			if ((r = db_errno(mdb_cursor_del(c, 0))) < 0)
				break;
			left--;
			ib->sums.devices--;
			++*forgotten;
		}
		r = r > 0 ? 0 : r;
	}
	mdb_cursor_close(c);
	free(used);
	return r;
}

int
inbox_put(struct inbox *ib, const struct report_id *id, uint64_t now,
    const void *body, size_t len, const struct inbox_limits *l,
    struct inbox_kept *out)
{
	struct inbox_record rec = { .received = now, .body = body, .len = len };
	struct inbox_device d = { 0 };
	uint8_t		    at[INBOX_TIME_LEN];
	int		    r = device_get(ib, id->device, &d);
	bool		    is_new = r == -ENOENT;

	if (r < 0 && !is_new)
		return r;
	*out = (struct inbox_kept){ .kept = REPORT_REPEATED,
		.highest = d.highest };
	if (!is_new && id->sequence <= d.highest)
		return 0;
	out->kept = REPORT_FULL;
	out->why = FULL_SIZE;
	if (ib->sums.queued_bytes + ib->sums.aside_bytes + inbox_cost(len) >
	    l->max_size)
		return 0;
	out->why = FULL_DEVICE;
	if (d.bytes + inbox_cost(len) > l->max_device)
		return 0;
	out->why = FULL_DEVICES;
	if (is_new && ib->sums.devices >= l->max_devices) {
		if ((r = forget_some(ib, &out->forgotten)) < 0)
			return r;
		if (ib->sums.devices >= l->max_devices)
			return 0;
	}
	inbox_time_key(now, id, at);
	d.highest = id->sequence;
	d.used = now > d.used ? now : d.used;
	d.reports++;
	d.bytes += inbox_cost(len);
	if ((r = record_put(ib, DB_QUEUE, id, &rec)) < 0 ||
	    (r = put(ib, DB_TIMES, at, sizeof(at), "", 0)) < 0 ||
	    (r = device_put(ib, id->device, &d)) < 0)
		return r;
	sums_add(ib, DB_QUEUE, len, 1);
	ib->sums.devices += is_new;
	out->kept = REPORT_KEPT;
	out->highest = d.highest;
	return 0;
}

/* -- leaving -- */

int
inbox_remove(struct inbox *ib, const struct report_id *id, uint64_t now)
{
	struct inbox_record rec;
	int		    r = record_get(ib, DB_QUEUE, id, &rec);

	return r < 0 ? r : take_out(ib, DB_QUEUE, id, &rec, now);
}

/* From one table to the other, with another status. */
static int
move(struct inbox *ib, int from, int to, const struct report_id *id,
    uint16_t status)
{
	uint8_t		    key[INBOX_KEY_LEN];
	struct inbox_record rec;
	uint8_t		   *copy;
	int		    r = record_get(ib, from, id, &rec);

	if (r < 0)
		return r;
	if ((copy = malloc(rec.len + 1)) == NULL)
		return -ENOMEM;
	memcpy(copy, rec.body, rec.len); /* the table moves under it */
	rec.body = copy;
	rec.status = status;
	inbox_key(id, key);
	if ((r = del(ib, from, key, sizeof(key))) == 0)
		r = record_put(ib, to, id, &rec);
	free(copy);
	sums_add(ib, from, rec.len, -1);
	sums_add(ib, to, rec.len, 1);
	return r;
}

int
inbox_refuse(struct inbox *ib, const struct report_id *id, uint16_t status,
    uint64_t now, const struct inbox_limits *l, bool *dropped)
{
	struct inbox_record rec;
	int		    r = record_get(ib, DB_QUEUE, id, &rec);

	*dropped = false;
	if (r < 0)
		return r;
	if (ib->sums.aside_bytes + inbox_cost(rec.len) <= l->max_size / 4)
		return move(ib, DB_QUEUE, DB_ASIDE, id, status);
	*dropped = true;
	return take_out(ib, DB_QUEUE, id, &rec, now);
}

static int
take_out_of_any(struct inbox *ib, const struct report_id *id)
{
	struct inbox_record rec;
	int		    db = DB_QUEUE, r = record_get(ib, db, id, &rec);

	if (r == -ENOENT)
		r = record_get(ib, db = DB_ASIDE, id, &rec);
	if (r == 0)
		r = take_out(ib, db, id, &rec, 0);
	return r == -ENOENT ? -EUCLEAN : r;
}

/* The first key of times, or -ENOENT. */
static int
first_time(MDB_txn *t, MDB_dbi dbi, uint64_t *received, struct report_id *id)
{
	MDB_cursor *c;
	MDB_val	    k, v;
	int	    rc = mdb_cursor_open(t, dbi, &c);

	if (rc != 0)
		return db_errno(rc);
	rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
	mdb_cursor_close(c);
	return rc != 0 ? db_errno(rc)
		       : inbox_time_parse(k.mv_data, k.mv_size, received, id);
}

int
inbox_expire(struct inbox *ib, uint64_t before, size_t max,
    struct report_id *gone, size_t *n)
{
	uint64_t received = 0;
	int	 r;

	for (*n = 0; *n < max; ++*n) {
		r = first_time(ib->txn, ib->dbi[DB_TIMES], &received, &gone[*n]);
		if (r == -ENOENT || (r == 0 && received >= before))
			return 0;
		if (r == 0)
			r = take_out_of_any(ib, &gone[*n]);
		if (r < 0)
			return r;
	}
	return 0;
}

int
inbox_oldest(struct inbox *ib, uint64_t *oldest)
{
	struct report_id id;
	int		 r = first_time(ib->txn, ib->dbi[DB_TIMES], oldest, &id);

	if (r == -ENOENT)
		*oldest = 0;
	return r == -ENOENT ? 0 : r;
}

/* -- looking -- */

/* The first key at or after id; -ENOENT at the end. */
static int
seek(struct inbox *ib, int db, const struct report_id *id,
    struct report_id *out, struct inbox_record *rec)
{
	uint8_t	    key[INBOX_KEY_LEN];
	MDB_val	    k = { sizeof(key), key }, v;
	MDB_cursor *c;
	int	    rc = mdb_cursor_open(ib->txn, ib->dbi[db], &c), r;

	if (rc != 0)
		return db_errno(rc);
	inbox_key(id, key);
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	mdb_cursor_close(c);
	if (rc != 0)
		return db_errno(rc);
	if ((r = inbox_key_parse(k.mv_data, k.mv_size, out)) == 0)
		r = inbox_record_parse(v.mv_data, v.mv_size, rec);
	return r;
}

int
inbox_next(struct inbox *ib, const uint8_t after[REPORT_DEVICE_LEN],
    bool (*skip)(void *ctx, const uint8_t *device), void *ctx,
    struct report_id *id, struct inbox_record *rec)
{
	struct report_id at = { .sequence = UINT64_MAX };
	bool		 round = false;
	int		 r;

	memcpy(at.device, after, REPORT_DEVICE_LEN);
	for (;;) {
		r = seek(ib, DB_QUEUE, &at, id, rec);
		if (r == -ENOENT && !round) {
			round = true;
			at = (struct report_id){ 0 };
			continue;
		}
		if (r < 0)
			return r;
		if (!skip(ctx, id->device))
			return 0;
		if (round && memcmp(id->device, after, REPORT_DEVICE_LEN) >= 0)
			return -ENOENT;
		memcpy(at.device, id->device, REPORT_DEVICE_LEN);
		at.sequence = UINT64_MAX;
	}
}

int
inbox_each_device(struct inbox *ib, uint8_t from[REPORT_DEVICE_LEN],
    bool *begun, int (*fn)(void *ctx, const uint8_t *device,
	const struct inbox_device *d), void *ctx)
{
	uint8_t		    device[REPORT_DEVICE_LEN];
	struct inbox_device d;
	MDB_cursor	   *c;
	MDB_val		    k = { REPORT_DEVICE_LEN, from }, v;
	int		    rc = mdb_cursor_open(ib->txn, ib->dbi[DB_DEVICES], &c);
	int		    r = 0;

	if (rc != 0)
		return db_errno(rc);
	rc = *begun ? mdb_cursor_get(c, &k, &v, MDB_SET_RANGE) : 0;
	if (rc == 0)
		r = device_row(c, *begun ? MDB_GET_CURRENT : MDB_FIRST, device,
		    &d);
	if (r == 1 && *begun && memcmp(device, from, sizeof(device)) == 0)
		r = device_row(c, MDB_NEXT, device, &d);
	for (; r == 1; r = device_row(c, MDB_NEXT, device, &d)) {
		memcpy(from, device, sizeof(device));
		*begun = true;
		if ((r = fn(ctx, device, &d)) != 0)
			break;
	}
	mdb_cursor_close(c);
	return rc != 0 && rc != MDB_NOTFOUND ? db_errno(rc) : r;
}

int
inbox_each_report(struct inbox *ib, const uint8_t *device, bool aside,
    int (*fn)(void *ctx, const struct report_id *id,
	const struct inbox_record *r), void *ctx)
{
	struct report_id    at = { 0 }, id;
	struct inbox_record rec;
	int		    r;

	memcpy(at.device, device, REPORT_DEVICE_LEN);
	for (;;) {
		r = seek(ib, aside ? DB_ASIDE : DB_QUEUE, &at, &id, &rec);
		if (r == -ENOENT || (r == 0 &&
			memcmp(id.device, device, REPORT_DEVICE_LEN) != 0))
			return 0;
		if (r == 0)
			r = fn(ctx, &id, &rec);
		if (r != 0)
			return r;
		at.sequence = id.sequence + 1;
	}
}

int
inbox_drop(struct inbox *ib, const uint8_t device[REPORT_DEVICE_LEN],
    size_t max, size_t *n)
{
	struct report_id    at = { 0 }, id;
	struct inbox_record rec = { 0 };
	struct inbox_device d;
	int		    r = device_get(ib, device, &d);

	*n = 0;
	memcpy(at.device, device, REPORT_DEVICE_LEN);
	for (int db = DB_QUEUE; r == 0 && db <= DB_ASIDE; db++)
		while (r == 0 && *n < max) {
			r = seek(ib, db, &at, &id, &rec);
			if (r == -ENOENT ||
			    (r == 0 && memcmp(id.device, device,
					   REPORT_DEVICE_LEN) != 0)) {
				r = 0;
				break;
			}
			if (r == 0)
				r = take_out(ib, db, &id, &rec, 0);
			++*n;
		}
	if (r == 0 && *n < max) {
		r = del(ib, DB_DEVICES, device, REPORT_DEVICE_LEN);
		ib->sums.devices--;
	}
	return r;
}

int
inbox_retry(struct inbox *ib, const uint8_t *device, size_t max, size_t *n)
{
	struct report_id    at = { 0 }, id;
	struct inbox_record rec;
	int		    r = 0;

	if (device != NULL)
		memcpy(at.device, device, REPORT_DEVICE_LEN);
	for (*n = 0; r == 0 && *n < max; ++*n) {
		r = seek(ib, DB_ASIDE, &at, &id, &rec);
		if (r == -ENOENT || (r == 0 && device != NULL &&
			memcmp(id.device, device, REPORT_DEVICE_LEN) != 0))
			return 0;
		if (r == 0)
			r = move(ib, DB_ASIDE, DB_QUEUE, &id, 0);
	}
	return r;
}

/* -- open -- */

static int
read_meta(struct inbox *ib, uint32_t *version)
{
	uint8_t	  buf[4];
	struct wr w = wr_to(buf, sizeof(buf));
	struct rd rd;
	MDB_val	  v;
	int	  r = get(ib, DB_META, "version", 7, &v);

	*version = INBOX_VERSION;
	if (r == -ENOENT) {
		wr_u32(&w, INBOX_VERSION);
		return put(ib, DB_META, "version", 7, buf, w.len);
	}
	if (r < 0)
		return r;
	rd = rd_from(v.mv_data, v.mv_size);
	*version = rd_u32(&rd);
	if (rd_done(&rd) < 0)
		return -EUCLEAN;
	if (*version != INBOX_VERSION)
		return -EPROTO;
	r = get(ib, DB_META, "sums", 4, &v);
	if (r == 0)
		r = inbox_sums_parse(v.mv_data, v.mv_size, &ib->sums);
	if (r < 0 && r != -ENOENT)
		return r;
	if ((r = get(ib, DB_META, "clock", 5, &v)) < 0)
		return r == -ENOENT ? 0 : r; /* it begins */
	rd = rd_from(v.mv_data, v.mv_size);
	ib->clock = ib->stamped = rd_u64(&rd);
	return rd_done(&rd) < 0 ? -EUCLEAN : 0;
}

/* Reports of 2 kB take a page of 4, and freed pages wait for two commits. */
static size_t
map_size(uint64_t max_size)
{
	return (size_t)(4 * max_size + (64ULL << 20));
}

int
inbox_resize(struct inbox *ib, uint64_t max_size)
{
	return db_errno(mdb_env_set_mapsize(ib->env, map_size(max_size)));
}

int
inbox_open(const char *dir, uint64_t max_size, struct inbox **out,
    uint32_t *version)
{
	struct inbox *ib = calloc(1, sizeof(*ib));
	int	      rc, r;

	*out = NULL;
	*version = 0;
	if (ib == NULL)
		return -ENOMEM;
	ib->clock = ib->stamped = (uint64_t)time(NULL);
	ib->boot = boot_s();
	rc = mdb_env_create(&ib->env);
	if (rc == 0)
		rc = mdb_env_set_mapsize(ib->env, map_size(max_size));
	if (rc == 0)
		rc = mdb_env_set_maxdbs(ib->env, DB_MAX);
	if (rc == 0)
		rc = mdb_env_open(ib->env, dir, MDB_NOTLS, 0600);
	if (rc == 0)
		rc = mdb_env_get_fd(ib->env, &ib->fd);
	r = db_errno(rc);
	if (r == 0)
		r = inbox_begin(ib);
	for (int i = 0; r == 0 && i < DB_MAX; i++)
		r = db_errno(mdb_dbi_open(ib->txn, db_names[i], MDB_CREATE,
		    &ib->dbi[i]));
	if (r == 0)
		r = read_meta(ib, version);
	ib->before = ib->sums;
	if (r == 0)
		r = inbox_commit(ib);
	if (r < 0) {
		inbox_close(&ib);
		return r;
	}
	*out = ib;
	return 0;
}

void
inbox_close(struct inbox **ibp)
{
	struct inbox *ib = *ibp;

	if (ib == NULL)
		return;
	if (ib->txn != NULL)
		mdb_txn_abort(ib->txn);
	if (ib->env != NULL)
		mdb_env_close(ib->env);
	free(ib);
	*ibp = NULL;
}
