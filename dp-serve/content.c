/*
 * dp-serve/content.c - the table of what can be served; see content.h.
 *
 * Runs in dp-serve behind its sandbox. Believes the store and the fetcher about
 * content, but not about message shapes; believes nothing about a path but
 * that http_request.c let it pass.
 * SPDX-License-Identifier: ISC
 */
#include "dp-serve/content.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"
#include "common/worker.h"
#include "dp-serve/range.h"

#define BUCKETS	   4096	 /* a power of two */
#define PENDING	   2048	 /* questions under way; more: 503 */
#define MISSING_MS 2000	 /* a name that is not there is not asked again for */
#define BY_HASH	   "/objects/sha256/"

struct content {
	struct loop	     *loop;
	struct ipc	     *store, *fetch;
	struct object	     *bucket[BUCKETS];
	struct object	     *oldest, *newest; /* all in the table, by last use */
	struct object	     *pending, **pending_end;
	unsigned	      max, npending;
	uint32_t	      next_id;
	struct content_counts n;
	const struct content_reports *reports; /* may be NULL */
	void		     *reports_ctx;
};

/* -- the table -- */

static uint32_t
key_of(const char *p, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)p[i]) * 16777619u;
	return h;
}

static void
lru_remove(struct content *c, struct object *o)
{
	*(o->older != NULL ? &o->older->newer : &c->oldest) = o->newer;
	*(o->newer != NULL ? &o->newer->older : &c->newest) = o->older;
	o->older = o->newer = NULL;
}

static void
lru_append(struct content *c, struct object *o)
{
	o->older = c->newest;
	o->newer = NULL;
	*(c->newest != NULL ? &c->newest->newer : &c->oldest) = o;
	c->newest = o;
}

static void
pending_add(struct object *o)
{
	struct content *c = o->table;

	o->id = ++c->next_id != 0 ? c->next_id : ++c->next_id;
	o->pending_next = NULL;
	*c->pending_end = o;
	c->pending_end = &o->pending_next;
	c->npending++;
}

static void
pending_remove(struct object *o)
{
	struct content *c = o->table;
	struct object **p = &c->pending;

	if (o->id == 0)
		return;
	while (*p != o)
		p = &(*p)->pending_next;
	if ((*p = o->pending_next) == NULL)
		c->pending_end = p;
	o->id = 0;
	c->npending--;
}

static struct object *
pending_find(struct content *c, uint32_t id)
{
	struct object *o = c->pending; /* answers come in order: mostly first */

	while (o != NULL && o->id != id)
		o = o->pending_next;
	return o;
}

static void
object_free(struct object *o)
{
	struct content *c = o->table;

	if (o->id != 0 && o->asked_fetch && c->fetch != NULL)
		(void)ipc_send(c->fetch, MSG_WANT_STOP, o->id, NULL, 0);
	pending_remove(o);
	if (o->fd >= 0)
		close(o->fd);
	if (o->bytes != NULL && !o->is_made)
		c->n.small_bytes -= o->size;
	free(o->bytes);
	free(o);
}

/* Out of the table; freed when the last reader has gone. */
static void
object_forget(struct object *o)
{
	struct content *c = o->table;
	struct object **p;

	if (!o->in_table)
		return;
	p = &c->bucket[o->key & (BUCKETS - 1)];
	while (*p != o)
		p = &(*p)->chain;
	*p = o->chain;
	lru_remove(c, o);
	o->in_table = false;
	c->n.objects--;
	if (o->refs == 0)
		object_free(o);
}

void
object_unref(struct object **op)
{
	struct object *o = *op;

	*op = NULL;
	if (o == NULL || --o->refs > 0)
		return;
	if (!o->in_table)
		object_free(o);
	else if (o->state <= OBJECT_GROWING)
		object_forget(o); /* nobody waits any more: stop asking */
}

static bool
make_room(struct content *c)
{
	struct object *o = c->oldest;

	if (c->n.objects < c->max)
		return true;
	while (o != NULL && o->refs > 0)
		o = o->newer;
	if (o == NULL)
		return false;
	object_forget(o);
	return true;
}

void
object_wait(struct object *o, struct waiter *w)
{
	if (w->prev != NULL)
		return;
	w->next = o->waiters;
	w->prev = &o->waiters;
	if (w->next != NULL)
		w->next->prev = &w->next;
	o->waiters = w;
}

void
waiter_stop(struct waiter *w)
{
	if (w->prev == NULL)
		return;
	*w->prev = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	w->prev = NULL;
}

static void
wake(struct object *o)
{
	struct waiter *w;

	o->refs++; /* the last waiter may let it go */
	while ((w = o->waiters) != NULL) {
		waiter_stop(w);
		w->woken(w);
	}
	object_unref(&o);
}

bool
object_is_for(const struct object *o, bool is_device)
{
	return o->reach == REACH_ALL || (o->reach == REACH_DEVICES && is_device);
}

uint64_t
object_limit(const struct object *o)
{
	uint64_t most;

	if (o->state == OBJECT_READY)
		return o->size;
	if (o->is_made)
		return o->avail;
	if (o->state != OBJECT_GROWING || o->size <= CONTENT_HOLD_BACK)
		return 0;
	most = o->size - CONTENT_HOLD_BACK;
	return o->avail < most ? o->avail : most;
}

/* -- how an object comes to be -- */

static void
fail(struct object *o, int status)
{
	pending_remove(o);
	o->state = OBJECT_FAILED;
	o->status = status;
	o->expires_ms = loop_now_ms(o->table->loop) + MISSING_MS;
	if (status != 404 && status != 403)
		object_forget(o); /* may be right the next moment */
	wake(o); /* what is pending has readers, see object_unref */
}

static bool
ends_with(const struct object *o, const char *s)
{
	size_t n = strlen(s);

	return o->path_len >= n &&
	    memcmp(o->path + o->path_len - n, s, n) == 0;
}

static void
write_fields(struct object *o, const char *type, const char *caching)
{
	char hex[HASH_HEX], date[HTTP_DATE_LEN + 1];

	hash_to_hex(&o->hash, hex);
	http_date(o->mtime, date);
	snprintf(o->etag, sizeof(o->etag), "\"%s\"", hex);
	o->fields_len = (uint16_t)snprintf(o->fields, sizeof(o->fields),
	    "Content-Type: %s\r\nContent-Length: %llu\r\nETag: %s\r\n"
	    "Last-Modified: %s\r\nAccept-Ranges: bytes\r\nCache-Control: %s\r\n"
	    "X-Content-Type-Options: nosniff\r\n\r\n",
	    type, (unsigned long long)o->size, o->etag, date, caching);
}

static void
describe(struct object *o)
{
	bool by_hash = strncmp(o->path, BY_HASH, strlen(BY_HASH)) == 0;

	write_fields(o, ends_with(o, ".json") ? "application/json"
					      : "application/octet-stream",
	    by_hash ? "public, max-age=31536000, immutable" : "no-cache");
}

/* -- what is made here -- */

int
object_make(struct content *c, enum object_reach reach, struct object **out)
{
	struct object *o = calloc(1, sizeof(*o) + 1);

	*out = o;
	if (o == NULL)
		return -ENOMEM;
	o->table = c;
	o->reach = reach;
	o->fd = -1;
	o->refs = 1;
	o->is_made = true;
	return 0;
}

void
object_made(struct object *o, const char *type, const struct hash *tag,
    uint8_t *take_bytes, uint64_t size, uint64_t avail)
{
	o->bytes = take_bytes;
	o->size = size;
	o->hash = *tag;
	o->mtime = time(NULL);
	write_fields(o, type, "no-store");
	o->state = OBJECT_GROWING;
	object_made_more(o, avail);
}

void
object_made_more(struct object *o, uint64_t avail)
{
	o->avail = avail;
	if (avail == o->size)
		o->state = OBJECT_READY;
	wake(o);
}

void
object_refuse(struct object *o, int status)
{
	fail(o, status);
}

static void
load_small(struct object *o)
{
	struct content_counts *n = &o->table->n;

	if (o->size > CONTENT_SMALL || o->size == 0 ||
	    n->small_bytes + o->size > CONTENT_SMALL_SUM ||
	    (o->bytes = malloc(o->size)) == NULL)
		return;
	if (pread(o->fd, o->bytes, o->size, 0) != (ssize_t)o->size) {
		free(o->bytes); /* the descriptor will tell who reads it */
		o->bytes = NULL;
		return;
	}
	n->small_bytes += o->size;
}

static int
ask_fetch(struct object *o)
{
	struct content *c = o->table;
	uint8_t		buf[CONTENT_PATH_MAX + 2];
	struct wr	w = wr_to(buf, sizeof(buf));
	const char     *name = o->path + 1;

	if (strncmp(o->path, BY_HASH, strlen(BY_HASH)) == 0)
		name = o->path + strlen("/objects/");
	wr_str(&w, name);
	o->asked_fetch = true;
	c->n.wants++;
	if (c->fetch == NULL)
		return -ENOTCONN;
	return w.err != 0 ? w.err
			  : ipc_send(c->fetch, MSG_WANT, o->id, buf, w.len);
}

static int
ask_store(struct object *o)
{
	struct content *c = o->table;
	uint8_t		buf[CONTENT_PATH_MAX + 2];
	struct wr	w = wr_to(buf, sizeof(buf));
	bool		by_hash = strncmp(o->path, BY_HASH, strlen(BY_HASH)) == 0;

	if (c->store == NULL)
		return -ENOTCONN;
	if (by_hash)
		wr_bytes(&w, o->hash.b, HASH_LEN);
	else
		wr_str(&w, o->path + 1);
	o->asked_fetch = false;
	c->n.lookups++;
	return w.err != 0 ? w.err
			  : ipc_send(c->store,
				by_hash ? MSG_LOOKUP_HASH : MSG_LOOKUP_NAME,
				o->id, buf, w.len);
}

static struct object *
find(struct content *c, const char *path, size_t len, uint32_t key)
{
	struct object *o = c->bucket[key & (BUCKETS - 1)];

	while (o != NULL && (o->key != key || o->path_len != len ||
				memcmp(o->path, path, len) != 0))
		o = o->chain;
	return o;
}

/* Whether such a path can name anything; for whom, as far as it shows. */
static bool
named(const char *path, size_t len, struct hash *h, enum object_reach *reach)
{
	size_t n = strlen(BY_HASH);

	*reach = REACH_UNKNOWN;
	if (len > n && memcmp(path, BY_HASH, n) == 0)
		return hash_from_hex(h, path + n, len - n) == 0;
	if (len <= 6 || len >= CONTENT_PATH_MAX || path[len - 1] == '/')
		return false;
	if (memcmp(path, "/repo/", 6) == 0)
		*reach = REACH_ALL;
	else if (memcmp(path, "/site/", 6) == 0)
		*reach = REACH_DEVICES;
	return *reach != REACH_UNKNOWN;
}

int
content_get(struct content *c, const char *path, size_t len, bool is_device,
    struct object **out)
{
	uint32_t	  key = key_of(path, len);
	struct object	 *o = find(c, path, len, key);
	struct hash	  h = { { 0 } };
	enum object_reach reach;
	int		  r;

	*out = NULL;
	/* what was refused to others is asked anew for a device */
	if (o != NULL && o->state == OBJECT_FAILED &&
	    (o->expires_ms <= loop_now_ms(c->loop) ||
		(is_device && o->status == 403))) {
		object_forget(o);
		o = NULL;
	}
	if (o != NULL) {
		if (c->newest != o) {
			lru_remove(c, o);
			lru_append(c, o);
		}
		c->n.hits++;
		o->for_device |= is_device;
		o->refs++;
		*out = o;
		return 0;
	}
	if (!named(path, len, &h, &reach))
		return -ENOENT;
	if (reach == REACH_DEVICES && !is_device)
		return -EACCES;
	if (c->npending >= PENDING || !make_room(c))
		return -ENOBUFS;
	if ((o = calloc(1, sizeof(*o) + len + 1)) == NULL)
		return -ENOMEM;
	memcpy(o->path, path, len);
	o->path_len = (uint16_t)len;
	o->reach = reach;
	o->for_device = is_device;
	o->key = key;
	o->hash = h;
	o->fd = -1;
	o->table = c;
	pending_add(o);
	if ((r = ask_store(o)) < 0) {
		object_free(o);
		return r == -ENOTCONN ? -ENOBUFS : r;
	}
	o->chain = c->bucket[key & (BUCKETS - 1)];
	c->bucket[key & (BUCKETS - 1)] = o;
	lru_append(c, o);
	o->in_table = true;
	c->n.objects++;
	o->refs = 1;
	*out = o;
	return 0;
}

/* -- what the store says -- */

/* Of a path by hash: the store tells whose names mean it. */
static void
learn_reach(struct object *o, uint8_t spaces)
{
	if (o->reach == REACH_UNKNOWN)
		o->reach = (spaces & SPACES_CONTENT) != 0 ? REACH_ALL
							  : REACH_DEVICES;
}

static int
on_object(void *ctx, struct ipc_msg *m)
{
	struct content *c = ctx;
	struct object  *o = pending_find(c, m->id);
	const uint8_t  *h = rd_bytes(&m->rd, HASH_LEN);
	uint64_t	size = rd_u64(&m->rd), mtime = rd_u64(&m->rd);
	uint8_t		spaces = rd_u8(&m->rd);

	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	if (o == NULL || o->state != OBJECT_ASKED)
		return 0; /* asked for by somebody who has left since */
	learn_reach(o, spaces);
	memcpy(o->hash.b, h, HASH_LEN);
	o->size = o->avail = size;
	o->mtime = (int64_t)mtime;
	o->fd = ipc_take_fd(m, 0);
	o->state = OBJECT_READY;
	pending_remove(o);
	describe(o);
	load_small(o);
	wake(o);
	return 0;
}

static int
on_missing(void *ctx, struct ipc_msg *m)
{
	struct content *c = ctx;
	struct object  *o = pending_find(c, m->id);
	uint8_t		spaces = 0;

	if (m->type == MSG_ABSENT) {
		(void)rd_bytes(&m->rd, HASH_LEN);
		(void)rd_u64(&m->rd);
		spaces = rd_u8(&m->rd);
	}
	if (o == NULL || o->state != OBJECT_ASKED || o->asked_fetch)
		return 0;
	learn_reach(o, spaces);
	if (!object_is_for(o, o->for_device))
		fail(o, 403); /* nor is anything fetched for them */
	else if (o->looked_twice)
		fail(o, 404); /* fetched, they said, and gone already */
	else if (ask_fetch(o) < 0)
		fail(o, m->type == MSG_UNKNOWN && c->fetch == NULL ? 404 : 503);
	else
		wake(o); /* some of those who wait may not have it */
	return 0;
}

static int
on_store_no(void *ctx, struct ipc_msg *m)
{
	struct object *o = pending_find(ctx, m->id);

	if (o != NULL)
		fail(o, 503);
	return 0;
}

/* All, since any name may mean another object from now on, and a hash be for
 * others; an answer under way may be of the old snapshot, too. */
static int
on_snapshot(void *ctx, struct ipc_msg *m)
{
	struct content *c = ctx;
	char		space[64];
	struct object  *o, *next;

	rd_str(&m->rd, space, sizeof(space));
	(void)rd_u64(&m->rd);
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	for (o = c->oldest; o != NULL; o = next) {
		next = o->newer;
		object_forget(o);
	}
	return 0;
}

static int
on_evicted(void *ctx, struct ipc_msg *m)
{
	struct content *c = ctx;
	const uint8_t  *h = rd_bytes(&m->rd, HASH_LEN);
	struct object  *o, *next;

	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	for (o = c->oldest; o != NULL; o = next) {
		next = o->newer;
		if (o->state == OBJECT_READY &&
		    memcmp(o->hash.b, h, HASH_LEN) == 0)
			object_forget(o);
	}
	return 0;
}

static int
on_report_kept(void *ctx, struct ipc_msg *m)
{
	struct content *c = ctx;

	return c->reports == NULL ? -EBADMSG
				  : c->reports->kept(c->reports_ctx, m);
}

static const struct ipc_handler from_store[] = {
	/* type		nfds min       max	    fn */
	{ MSG_OBJECT,	1, HASH_LEN + 17, HASH_LEN + 17, on_object },
	{ MSG_ABSENT,	0, HASH_LEN + 9, HASH_LEN + 9, on_missing },
	{ MSG_UNKNOWN,	0, 0,	     0,	      on_missing },
	{ MSG_STORE_NO, 0, 6,	     2048,    on_store_no },
	{ MSG_SNAPSHOT, 0, 10,	     80,      on_snapshot },
	{ MSG_EVICTED,	0, HASH_LEN, HASH_LEN, on_evicted },
	{ MSG_REPORT_KEPT, 0, 9,     9,	      on_report_kept },
};

/* -- what the fetcher says -- */

static int
on_want_start(void *ctx, struct ipc_msg *m)
{
	struct object *o = pending_find(ctx, m->id);
	const uint8_t *h = rd_bytes(&m->rd, HASH_LEN);
	uint64_t       size = rd_u64(&m->rd);

	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	if (o == NULL || o->state != OBJECT_ASKED || !o->asked_fetch)
		return 0;
	memcpy(o->hash.b, h, HASH_LEN);
	o->size = size;
	o->mtime = time(NULL);
	o->fd = ipc_take_fd(m, 0);
	o->state = OBJECT_GROWING;
	describe(o);
	wake(o);
	return 0;
}

static int
on_want_progress(void *ctx, struct ipc_msg *m)
{
	struct object *o = pending_find(ctx, m->id);
	uint64_t       there = rd_u64(&m->rd);

	if (o == NULL || o->state != OBJECT_GROWING || there <= o->avail)
		return 0;
	if (there > o->size)
		return -EBADMSG;
	o->avail = there;
	wake(o);
	return 0;
}

static int
on_want_done(void *ctx, struct ipc_msg *m)
{
	struct object *o = pending_find(ctx, m->id);

	if (o == NULL || !o->asked_fetch)
		return 0;
	if (o->state == OBJECT_GROWING) {
		o->avail = o->size;
		o->state = OBJECT_READY;
		pending_remove(o);
		load_small(o);
		wake(o);
		return 0;
	}
	o->looked_twice = true; /* it was so small that it is all there */
	if (ask_store(o) < 0)
		fail(o, 503);
	return 0;
}

static int
on_want_no(void *ctx, struct ipc_msg *m)
{
	struct object *o = pending_find(ctx, m->id);
	uint16_t       status = rd_u16(&m->rd);
	char	       why[512];

	rd_str(&m->rd, why, sizeof(why));
	if (rd_done(&m->rd) < 0 || status < 400 || status > 599)
		return -EBADMSG;
	if (o == NULL || !o->asked_fetch)
		return 0;
	if (status != 404)
		log_warn("%s: not fetched: %s", o->path, why);
	fail(o, status);
	return 0;
}

static const struct ipc_handler from_fetch[] = {
	/* type		     nfds min	     max	fn */
	{ MSG_WANT_START,    1, HASH_LEN + 8, HASH_LEN + 8, on_want_start },
	{ MSG_WANT_PROGRESS, 0, 8,	      8,	on_want_progress },
	{ MSG_WANT_DONE,     0, 0,	      0,	on_want_done },
	{ MSG_WANT_NO,	     0, 4,	      516,	on_want_no },
};

/* -- the channels -- */

/* A peer left: its questions stay unanswered. */
static void
fail_pending(struct content *c, bool of_fetch)
{
	struct object *o, *next;

	for (o = c->pending; o != NULL; o = next) {
		next = o->pending_next;
		if (o->asked_fetch == of_fetch)
			fail(o, 503); /* frees none: all that is pending is read */
	}
}

static void
store_broken(void *ctx, struct ipc *i, int r)
{
	struct content *c = ctx;

	ipc_free(&i);
	worker_accuse(PEER_STORE, r);
	c->store = NULL;
	fail_pending(c, false);
	if (c->reports != NULL)
		c->reports->lost(c->reports_ctx);
	/* what it evicts until it is back would go unnoticed */
	for (struct object *o = c->oldest, *next; o != NULL; o = next) {
		next = o->newer;
		if (o->state == OBJECT_READY || o->state == OBJECT_FAILED)
			object_forget(o);
	}
}

static void
fetch_broken(void *ctx, struct ipc *i, int r)
{
	struct content *c = ctx;

	ipc_free(&i);
	worker_accuse(PEER_FETCH, r);
	c->fetch = NULL;
	fail_pending(c, true);
}

void
content_set_reports(struct content *c, const struct content_reports *ops,
    void *ctx)
{
	c->reports = ops;
	c->reports_ctx = ctx;
}

int
content_tell_store(struct content *c, uint16_t type, uint32_t id,
    const void *payload, size_t len)
{
	return c->store == NULL ? -ENOTCONN
				: ipc_send(c->store, type, id, payload, len);
}

int
content_set_store(struct content *c, int take_fd)
{
	const struct ipc_table t = { from_store, COUNT(from_store) };

	if (c->store != NULL)
		store_broken(c, c->store, -ENOTCONN);
	return ipc_new(c->loop, take_fd, t, c, store_broken, PENDING, &c->store);
}

int
content_set_fetch(struct content *c, int take_fd)
{
	const struct ipc_table t = { from_fetch, COUNT(from_fetch) };

	if (c->fetch != NULL)
		fetch_broken(c, c->fetch, -ENOTCONN);
	return ipc_new(c->loop, take_fd, t, c, fetch_broken, 2 * PENDING,
	    &c->fetch);
}

int
content_new(struct loop *l, unsigned max_objects, struct content **out)
{
	struct content *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (c == NULL)
		return -ENOMEM;
	c->loop = l;
	c->max = max_objects;
	c->pending_end = &c->pending;
	*out = c;
	return 0;
}

void
content_free(struct content **cp)
{
	struct content *c = *cp;

	if (c == NULL)
		return;
	for (struct object *o = c->oldest, *next; o != NULL; o = next) {
		next = o->newer;
		object_forget(o);
	}
	ipc_free(&c->store);
	ipc_free(&c->fetch);
	free(c);
	*cp = NULL;
}

void
content_set_max(struct content *c, unsigned max_objects)
{
	c->max = max_objects;
}

const struct content_counts *
content_counts(const struct content *c)
{
	return &c->n;
}
