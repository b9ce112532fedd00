/*
 * dp-store/jobs.c - requests that write: done in the I/O threads, answered in
 * the loop.
 *
 * The run_* functions run in an I/O thread and touch nothing but their own
 * request, the content and the index; the done_* functions run in the loop.
 * A peer may have left meanwhile: its turn then has another number.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/wr.h"
#include "dp-store/publish.h"
#include "dp-store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LEASE_RETRY_MS 50
#define LEASE_RETRIES  40 /* 2 s: a closed descriptor may still be in flight */
#define TOUCH_MS       5000

struct req {
	struct job	   job;
	struct store	  *s;
	struct peer	  *p; /* NULL: our own */
	uint32_t	   turn, id;
	struct hash	   hash;
	int		   r;
	struct hashes	   evicted;
	struct partial	   row;
	uint64_t	   size, written, generation;
	int		   fd, read_fd, retries;
	bool		   had_open;
	struct loop_timer *timer;
	enum peer_role	   role;
	enum space	   space;
	struct draft	   draft;
	char		   key[INDEX_KEY_MAX + 1];
	size_t		   len;
	uint8_t		   bytes[];
};

/* -- what all have in common -- */

void
answer_no(struct peer *p, uint32_t turn, uint32_t id, int r, const char *text)
{
	uint8_t	  buf[512];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u32(&w, (uint32_t)-r);
	wr_str(&w, text);
	peer_answer(p, turn, MSG_STORE_NO, id, buf, w.len);
}

static bool
is_there(const struct req *q)
{
	return q->p != NULL && q->p->ipc != NULL && q->p->turn == q->turn;
}

static struct req *
req_new(struct store *s, struct peer *p, uint32_t id, const struct hash *h,
    const void *bytes, size_t len)
{
	struct req *q = calloc(1, sizeof(*q) + len);

	if (q == NULL) {
		if (p != NULL)
			answer_no(p, p->turn, id, -ENOMEM, "no memory");
		return NULL;
	}
	q->s = s;
	q->p = p;
	q->id = id;
	q->fd = q->read_fd = -1;
	q->len = len;
	if (p != NULL) {
		q->turn = p->turn;
		q->role = p->role;
	}
	if (h != NULL)
		q->hash = *h;
	if (len > 0)
		memcpy(q->bytes, bytes, len);
	return q;
}

static void
req_free(struct req *q)
{
	loop_timer_free(&q->timer);
	if (q->fd >= 0)
		close(q->fd);
	if (q->read_fd >= 0)
		close(q->read_fd);
	names_fini(&q->draft);
	free(q->evicted.h);
	free(q);
}

static void
submit(struct io *io, struct req *q, void (*run)(struct job *),
    void (*done)(struct job *))
{
	q->job.run = run;
	q->job.done = done;
	io_submit(io, &q->job);
}

struct open_partial *
open_find(struct store *s, const struct hash *h)
{
	for (size_t i = 0; i < OPEN_MAX; i++)
		if (s->open[i].used && hash_eq(&s->open[i].hash, h))
			return &s->open[i];
	return NULL;
}

static void
open_end(struct store *s, const struct hash *h)
{
	struct open_partial *o = open_find(s, h);

	if (o != NULL)
		o->used = false;
}

static void
issue(struct store *s, const char *importance, const struct hash *h,
    const char *text)
{
	char hex[HASH_HEX] = "";

	if (h != NULL)
		hash_to_hex(h, hex);
	worker_event(s->worker, "security-issue",
	    json_pack("{s:s,s:s,s:s}", "importance", importance, "text", text,
		"object", hex));
}

void
store_check(struct store *s)
{
	if (index_broken(s->index) || reports_broken(s->reports))
		loop_stop(s->loop, -EIO); /* the next start reconciles */
}

void
store_gone(struct store *s, const struct hash *h)
{
	peer_tell_all(s, MSG_EVICTED, h->b, HASH_LEN);
}

static void
tell_evicted(struct req *q)
{
	char hex[HASH_HEX];

	for (size_t i = 0; i < q->evicted.n; i++) {
		hash_to_hex(&q->evicted.h[i], hex);
		log_info("object %s: evicted for space", hex);
		worker_event(q->s->worker, "object-evicted",
		    json_pack("{s:s}", "object", hex));
		store_gone(q->s, &q->evicted.h[i]);
		q->s->stats.evicted++;
	}
}

static void
tell_space(struct req *q)
{
	struct store *s = q->s;

	if (q->r == -ENOSPC) {
		s->stats.no_space++;
		if (!s->low_space) {
			log_err("store: free space is at its reserve and "
				"nothing may be evicted");
			issue(s, "Warning", NULL,
			    "Free space is below the reserve; nothing more is "
			    "stored until there is room.");
		}
		s->low_space = true;
	} else if (q->r == 0)
		s->low_space = false;
}

static const char *
why(int r)
{
	switch (r) {
	case -ENOSPC:
		return "no space: the reserve would be touched";
	case -EEXIST:
		return "is an object already";
	case -EBADMSG:
		return "the bytes are not what their hash says";
	case -EBUSY:
		return "somebody can still write to it";
	case -ENOENT:
		return "there is no such partial file";
	default:
		return strerror(-r);
	}
}

/* Answers empty success or the failure, and ends the request. */
static void
finish(struct req *q, const char *what)
{
	char hex[HASH_HEX];

	if (q->r < 0 && q->r != -EEXIST && q->r != -ENOENT) {
		hash_to_hex(&q->hash, hex);
		log_warn_err(q->r, "%s %s", what, hex);
	}
	if (q->p != NULL && q->r < 0)
		answer_no(q->p, q->turn, q->id, q->r, why(q->r));
	else if (q->p != NULL)
		peer_answer(q->p, q->turn, MSG_STORE_OK, q->id, NULL, 0);
	store_check(q->s);
	req_free(q);
}

/* -- partial files -- */

static void
run_open(struct job *j)
{
	struct req     *q = (struct req *)j;
	struct index   *ix = q->s->index;
	struct MDB_txn *t = NULL;
	struct partial	old;
	struct object	o;
	uint64_t	need = q->row.size;
	int		r = index_begin(ix, &t);

	if (r == 0)
		r = index_object_get(ix, t, &q->hash, &o) == 0 ? -EEXIST : 0;
	if (r == 0) {
		r = index_partial_get(ix, t, &q->hash, &old);
		if (r == 0 && old.size == q->row.size) {
			q->row.durable = old.durable;
			need = 0; /* is reserved since the first time */
		}
		r = r == -ENOENT ? 0 : r;
	}
	index_end(ix, &t);
	if (r == 0)
		r = content_reserve(q->s->content, ix, need, &q->evicted);
	if (r == 0)
		r = content_partial_open(q->s->content, &q->hash, q->row.size,
		    &q->row.durable, &q->fd, &q->read_fd);
	if (r == 0)
		r = index_write(ix, &t);
	if (r == 0 && (r = index_partial_put(ix, t, &q->hash, &q->row)) == 0)
		r = index_commit(ix, &t);
	index_end(ix, &t);
	if (r == -ENOSPC && q->fd >= 0)
		(void)content_partial_unlink(q->s->content, &q->hash);
	q->r = r;
}

static void
done_open(struct job *j)
{
	struct req *q = (struct req *)j;
	uint8_t	    buf[HASH_LEN + 8];
	struct wr   w = wr_to(buf, sizeof(buf));

	tell_evicted(q);
	tell_space(q);
	if (q->r < 0 || !is_there(q)) {
		if (is_there(q))
			open_end(q->s, &q->hash);
		finish(q, "partial file");
		return;
	}
	wr_bytes(&w, q->hash.b, HASH_LEN);
	wr_u64(&w, q->row.durable);
	peer_sent(q->p, ipc_send_fds(q->p->ipc, MSG_PARTIAL, q->id, buf, w.len,
			    q->fd, q->read_fd));
	q->fd = q->read_fd = -1;
	req_free(q);
}

void
job_partial_open(struct peer *p, uint32_t id, const struct hash *h,
    const struct partial *row)
{
	struct req *q = req_new(p->store, p, id, h, NULL, 0);

	if (q == NULL) {
		open_end(p->store, h);
		return;
	}
	q->row = *row;
	submit(p->store->rows, q, run_open, done_open);
}

static void
run_sync(struct job *j)
{
	struct req     *q = (struct req *)j;
	struct index   *ix = q->s->index;
	struct MDB_txn *t = NULL;
	uint64_t	there;
	int r = content_partial_sync(q->s->content, &q->hash, &there);

	if (r == 0)
		r = index_write(ix, &t);
	if (r == 0)
		r = index_partial_get(ix, t, &q->hash, &q->row);
	if (r == 0) {
		q->row.durable = q->written < there ? q->written : there;
		r = index_partial_put(ix, t, &q->hash, &q->row);
	}
	if (r == 0)
		r = index_commit(ix, &t);
	index_end(ix, &t);
	/* after a failed sync nobody knows what is on the disk */
	if (r < 0 && r != -ENOENT && r != -ENOSPC)
		(void)drop_partial(q->s->content, ix, &q->hash);
	q->r = r;
}

static void
done_sync(struct job *j)
{
	struct req	    *q = (struct req *)j;
	struct open_partial *o = open_find(q->s, &q->hash);
	char		     hex[HASH_HEX];

	if (o != NULL)
		o->syncing = false;
	if (q->r < 0 && q->r != -ENOENT) {
		hash_to_hex(&q->hash, hex);
		log_warn_err(q->r, "partial file %s: sync", hex);
	}
	store_check(q->s);
	req_free(q);
}

void
job_partial_sync(struct peer *p, const struct hash *h, uint64_t written)
{
	struct req *q = req_new(p->store, NULL, 0, h, NULL, 0);

	if (q == NULL)
		return; /* the next one, or publishing, syncs */
	q->written = written;
	submit(p->store->bulk, q, run_sync, done_sync);
}

static void
run_publish(struct job *j)
{
	struct req *q = (struct req *)j;

	q->r = publish_partial(q->s->content, q->s->index, &q->hash, q->fd,
	    &q->size);
}

static void
done_publish(struct job *j)
{
	struct req   *q = (struct req *)j;
	struct store *s = q->s;
	char	      hex[HASH_HEX];

	open_end(s, &q->hash);
	hash_to_hex(&q->hash, hex);
	if (q->r == 0) {
		s->stats.published++;
		s->stats.published_bytes += q->size;
		worker_event(s->worker, "object-published",
		    json_pack("{s:s,s:I}", "object", hex, "bytes",
			(json_int_t)q->size));
	} else {
		s->stats.refused++;
		if (q->r == -EBADMSG)
			issue(s, "Warning", &q->hash,
			    "A download was not what its hash says; deleted.");
	}
	finish(q, "publish");
}

static void
run_drop(struct job *j)
{
	struct req *q = (struct req *)j;

	q->r = drop_partial(q->s->content, q->s->index, &q->hash);
}

static void
done_drop(struct job *j)
{
	struct req *q = (struct req *)j;

	if (q->had_open)
		open_end(q->s, &q->hash);
	finish(q, "drop");
}

static void
done_drop_written(struct job *j)
{
	struct req *q = (struct req *)j;

	q->r = -EBUSY;
	done_publish(j);
}

static void
try_lease(void *ctx)
{
	struct req *q = ctx;

	q->r = publish_lease(q->s->content, &q->hash, &q->fd);
	if (q->r == 0) {
		submit(q->s->bulk, q, run_publish, done_publish);
		return;
	}
	if (q->r == -EAGAIN && q->retries++ < LEASE_RETRIES) {
		if (q->timer != NULL ||
		    loop_timer_new(q->s->loop, try_lease, q, &q->timer) == 0) {
			loop_timer_set(q->timer, LEASE_RETRY_MS);
			return;
		}
	}
	if (q->r == -EAGAIN) {
		/* whoever holds the descriptor may write to what has no name */
		issue(q->s, "Critical", &q->hash,
		    "A download was handed over, yet somebody keeps it open "
		    "for writing; deleted.");
		submit(q->s->rows, q, run_drop, done_drop_written);
		return;
	}
	done_publish(&q->job);
}

void
job_partial_done(struct peer *p, uint32_t id, const struct hash *h)
{
	struct req *q = req_new(p->store, p, id, h, NULL, 0);

	if (q == NULL)
		open_end(p->store, h);
	else
		try_lease(q);
}

void
job_partial_drop(struct peer *p, uint32_t id, const struct hash *h)
{
	struct req *q = req_new(p->store, p, id, h, NULL, 0);
	bool	    had_open = open_find(p->store, h) != NULL;

	if (q == NULL) {
		open_end(p->store, h);
		return;
	}
	q->had_open = had_open;
	submit(p->store->rows, q, run_drop, done_drop);
}

/* -- small objects -- */

static void
run_put(struct job *j)
{
	struct req *q = (struct req *)j;

	q->r = content_reserve(q->s->content, q->s->index, q->len, &q->evicted);
	if (q->r == 0)
		q->r = publish_bytes(q->s->content, q->s->index, &q->hash,
		    q->bytes, q->len);
}

static void
done_put(struct job *j)
{
	struct req *q = (struct req *)j;

	tell_evicted(q);
	tell_space(q);
	if (q->r == 0) {
		q->s->stats.published++;
		q->s->stats.published_bytes += q->len;
	} else if (q->r == -EEXIST)
		q->r = 0; /* what was asked for is so */
	finish(q, "small object");
}

void
job_put(struct peer *p, uint32_t id, const struct hash *h, const void *bytes,
    size_t len)
{
	struct req *q = req_new(p->store, p, id, h, bytes, len);

	if (q != NULL)
		submit(p->store->rows, q, run_put, done_put);
}

/* -- names and tables -- */

static void
run_names(struct job *j)
{
	struct req     *q = (struct req *)j;
	struct index   *ix = q->s->index;
	struct MDB_txn *t = NULL;
	int		r = index_write(ix, &t);

	if (r == 0)
		r = index_names_replace(ix, t, q->space, q->draft.of,
		    q->draft.n, &q->generation);
	if (r == 0)
		r = index_commit(ix, &t);
	index_end(ix, &t);
	q->r = r;
}

static void
done_names(struct job *j)
{
	struct req *q = (struct req *)j;
	uint8_t	    buf[32];
	struct wr   w = wr_to(buf, sizeof(buf));

	if (q->r == 0) {
		wr_str(&w, space_name(q->space));
		wr_u64(&w, q->generation);
		peer_tell_all(q->s, MSG_SNAPSHOT, buf, w.len);
	}
	finish(q, "names");
}

void
job_names_commit(struct peer *p, uint32_t id, enum space space,
    struct draft *take_draft)
{
	struct req *q = req_new(p->store, p, id, NULL, NULL, 0);

	if (q == NULL) {
		names_fini(take_draft);
		return;
	}
	q->draft = *take_draft;
	q->space = space;
	submit(p->store->rows, q, run_names, done_names);
}

static void
run_table(struct job *j)
{
	struct req     *q = (struct req *)j;
	struct index   *ix = q->s->index;
	struct MDB_txn *t = NULL;
	int		r = index_write(ix, &t);

	if (r == 0)
		r = index_table_put(ix, t, q->role, q->key, q->bytes, q->len);
	if (r == 0)
		r = index_commit(ix, &t);
	index_end(ix, &t);
	q->r = r;
}

static void
done_table(struct job *j)
{
	finish((struct req *)j, "table");
}

void
job_table_put(struct peer *p, uint32_t id, const char *key, const void *bytes,
    size_t len)
{
	struct req *q = req_new(p->store, p, id, NULL, bytes, len);

	if (q == NULL)
		return;
	strcpy(q->key, key); /* both are INDEX_KEY_MAX */
	submit(p->store->rows, q, run_table, done_table);
}

/* -- a file that is not there, and times of use -- */

static void
run_lost(struct job *j)
{
	struct req *q = (struct req *)j;
	int	    fd;

	q->r = content_object_open(q->s->content, &q->hash, &fd);
	if (q->r == 0) { /* published again meanwhile */
		close(fd);
		return;
	}
	q->r = unpublish(q->s->content, q->s->index, &q->hash);
}

static void
done_lost(struct job *j)
{
	struct req *q = (struct req *)j;
	char	    hex[HASH_HEX];

	hash_to_hex(&q->hash, hex);
	log_err("object %s: its file is gone; the row was dropped", hex);
	store_gone(q->s, &q->hash);
	store_check(q->s);
	req_free(q);
}

void
job_lost(struct store *s, const struct hash *h)
{
	struct req *q = req_new(s, NULL, 0, h, NULL, 0);

	if (q != NULL)
		submit(s->rows, q, run_lost, done_lost);
}

static void
run_touch(struct job *j)
{
	struct req	  *q = (struct req *)j;
	struct index	  *ix = q->s->index;
	const struct hash *h = (const struct hash *)(const void *)q->bytes;
	struct MDB_txn	  *t = NULL;
	struct object	   o;
	int		   r = index_write(ix, &t);

	for (size_t i = 0; r == 0 && i < q->len / HASH_LEN; i++) {
		r = index_object_get(ix, t, &h[i], &o);
		if (r == 0) {
			o.used = q->written;
			r = index_object_put(ix, t, &h[i], &o);
		}
		r = r == -ENOENT ? 0 : r;
	}
	if (r == 0)
		r = index_commit(ix, &t);
	index_end(ix, &t);
	q->r = r;
}

static void
done_touch(struct job *j)
{
	struct req *q = (struct req *)j;

	if (q->r < 0)
		log_warn_err(q->r, "times of use");
	store_check(q->s);
	req_free(q);
}

void
job_touch_flush(void *store)
{
	struct store *s = store;
	struct hash   h[TOUCH_SLOTS];
	struct req   *q;
	size_t	      n = 0;

	for (size_t i = 0; i < TOUCH_SLOTS; i++)
		if (s->touch_set[i])
			h[n++] = s->touched[i];
	memset(s->touch_set, 0, sizeof(s->touch_set));
	s->ntouched = 0;
	if (n == 0 || (q = req_new(s, NULL, 0, NULL, h, n * HASH_LEN)) == NULL)
		return;
	q->written = (uint64_t)time(NULL);
	submit(s->rows, q, run_touch, done_touch);
}

void
job_touch(struct store *s, const struct hash *h)
{
	size_t slot = (h->b[0] | (size_t)h->b[1] << 8) % TOUCH_SLOTS;

	if (s->touch_set[slot]) {
		if (hash_eq(&s->touched[slot], h))
			return;
		job_touch_flush(s);
	}
	if (s->ntouched++ == 0)
		loop_timer_set(s->touch_timer, TOUCH_MS);
	s->touched[slot] = *h;
	s->touch_set[slot] = true;
}
