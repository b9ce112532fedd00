/*
 * dp-store/admin.c - what the administrator may ask: list, status, verify,
 * repair; and the metrics.
 *
 * Runs in dp-store: run_check() in the bulk thread, the rest in the loop.
 * Verifying goes in slices, so that publishing and the asker's going are not
 * held up by a store of terabytes.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "dp-store/publish.h"
#include "dp-store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLICE	    (32 << 20) /* bytes hashed before others get their turn */
#define CHUNK	    (256 << 10)
#define PROGRESS_MS 1000
#define LIST_ROWS   256 /* a turn; the channel must take them */
#define LIST_MS	    5

/* -- content-list -- */

struct list {
	struct store	   *s;
	struct admin_reply *reply;
	struct loop_timer  *timer;
	struct MDB_txn	   *t;
	enum space	    space;
	struct hash	    from;
	char		    prefix[512];
	unsigned	    rows;
};

static int
list_row(void *ctx, const char *name, const struct named *n)
{
	struct list   *l = ctx;
	struct store  *s = l->s;
	struct partial p = { 0 };
	struct object  o;
	const char    *state = "absent";
	char	       hex[HASH_HEX];
	json_t	      *row;

	if (strncmp(name, l->prefix, strlen(l->prefix)) != 0)
		return 0;
	hash_to_hex(&n->hash, hex);
	if (index_object_get(s->index, l->t, &n->hash, &o) == 0)
		state = "here";
	else if (open_find(s, &n->hash) != NULL)
		state = "downloading";
	else if (index_partial_get(s->index, l->t, &n->hash, &p) == 0)
		state = "partial";
	row = json_pack("{s:s,s:s,s:I,s:s,s:b,s:s}", "name", name, "space",
	    space_name(l->space), "size", (json_int_t)n->size, "state", state,
	    "pinned", n->pinned, "sha256", hex);
	if (row != NULL && strcmp(state, "partial") == 0)
		json_object_set_new(row, "durable",
		    json_integer((json_int_t)p.durable));
	admin_row(l->reply, row);
	return ++l->rows < LIST_ROWS ? 0 : 1;
}

static void
list_turn(void *ctx)
{
	struct list *l = ctx;
	int	     r = index_read(l->s->index, &l->t);

	l->rows = 0;
	while (r == 0 && l->space < SPACE_MAX) {
		r = index_each_name(l->s->index, l->t, l->space, &l->from,
		    list_row, l);
		if (r == 0) {
			l->space++;
			memset(&l->from, 0, sizeof(l->from));
		}
	}
	index_end(l->s->index, &l->t);
	if (r == 1 && !admin_gone(l->reply)) {
		loop_timer_set(l->timer, LIST_MS);
		return;
	}
	admin_end(l->reply, r < 0 ? strerror(-r) : NULL);
	loop_timer_free(&l->timer);
	free(l);
}

static void
content_list(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct store *s = ctx;
	struct list  *l = calloc(1, sizeof(*l));

	if (l == NULL || loop_timer_new(s->loop, list_turn, l, &l->timer) < 0) {
		free(l);
		admin_end(reply, "no memory");
		return;
	}
	l->s = s;
	l->reply = reply;
	snprintf(l->prefix, sizeof(l->prefix), "%s", argc > 1 ? argv[1] : "");
	list_turn(l);
}

/* -- store-status -- */

static void
store_status(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct store	     *s = ctx;
	struct content_counts n = content_counts(s->content);
	uint64_t	      space = 0;
	unsigned	      open = 0;

	(void)argc;
	(void)argv;
	(void)content_free_bytes(s->content, &space);
	for (size_t i = 0; i < OPEN_MAX; i++)
		open += s->open[i].used;
	admin_row(reply,
	    json_pack("{s:I,s:I,s:I,s:i,s:I,s:s}", "objects",
		(json_int_t)n.objects, "bytes", (json_int_t)n.bytes,
		"evicted_open_bytes", (json_int_t)n.ghost_bytes, "downloads",
		(int)open, "free_bytes", (json_int_t)space, "space",
		s->low_space ? "low" : "ok"));
	admin_end(reply, NULL);
}

/* -- store-verify, store-repair -- */

enum verdict { GOOD, GONE, MISSING, DAMAGED, UNREADABLE };
static const char *const verdicts[] = { "good", "gone", "missing", "damaged",
	"unreadable" };

struct entry {
	struct hash hash;
	uint64_t    size;
};

struct found {
	struct hash  hash;
	enum verdict is;
};

struct check {
	struct job	    job;
	struct store	   *s;
	struct admin_reply *reply;
	bool		    repair, ended;
	int		    r;
	struct entry	   *of;
	size_t		    n, size, i;
	int		    fd; /* of entry i, or -1 */
	uint64_t	    at; /* within it */
	struct hash_run	   *run;
	uint8_t		   *buf;
	struct found	    bad[64]; /* of this slice */
	size_t		    nbad;
	uint64_t	    bytes, total, damaged, missing, repaired, orphans;
	uint64_t	    told_ms;
};

static int
add_entry(void *ctx, const struct hash *h, const struct object *o)
{
	struct check *k = ctx;
	struct entry *p;
	size_t	      size = k->size == 0 ? 256 : k->size * 2;

	if (k->n == k->size) {
		if ((p = reallocarray(k->of, size, sizeof(*p))) == NULL)
			return -ENOMEM;
		k->of = p;
		k->size = size;
	}
	k->of[k->n++] = (struct entry){ *h, o->size };
	k->total += o->size;
	return 0;
}

static int
check_begin(struct check *k)
{
	struct MDB_txn *t = NULL;
	int		r = index_begin(k->s->index, &t);

	if (r == 0)
		r = index_each_object(k->s->index, t, add_entry, k);
	index_end(k->s->index, &t);
	if (r == 0)
		r = hash_run_new(&k->run);
	if (r == 0 && (k->buf = malloc(CHUNK)) == NULL)
		r = -ENOMEM;
	return r;
}

/* What is wrong with entry i, once its row has been looked at again: it may
 * have been evicted since the list was made. */
static int
check_end(struct check *k, enum verdict is)
{
	const struct entry *e = &k->of[k->i++];
	struct MDB_txn	   *t = NULL;
	struct object	    o;
	int		    r;

	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	k->bytes += e->size - (k->at < e->size ? k->at : e->size);
	k->at = 0;
	if (is == GOOD)
		return 0;
	if ((r = index_begin(k->s->index, &t)) == 0)
		r = index_object_get(k->s->index, t, &e->hash, &o);
	index_end(k->s->index, &t);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (k->repair)
		r = unpublish(k->s->content, k->s->index, &e->hash);
	k->bad[k->nbad++] = (struct found){ e->hash, is };
	return r == -ENOENT ? 0 : r;
}

/* One chunk of entry i. */
static int
check_chunk(struct check *k, size_t *did)
{
	const struct entry *e = &k->of[k->i];
	struct hash	    h;
	ssize_t		    n;
	int		    r;

	*did = 0;
	if (k->fd < 0) {
		r = content_object_open(k->s->content, &e->hash, &k->fd);
		if (r < 0)
			return check_end(k, r == -ENOENT ? MISSING : UNREADABLE);
	}
	n = pread(k->fd, k->buf, CHUNK, (off_t)k->at);
	if (n < 0) {
		(void)hash_run_end(k->run, &h);
		return check_end(k, UNREADABLE);
	}
	*did = (size_t)n;
	k->at += (size_t)n;
	k->bytes += (size_t)n;
	if (n > 0)
		return hash_run_add(k->run, k->buf, (size_t)n);
	if ((r = hash_run_end(k->run, &h)) < 0)
		return r;
	return check_end(k,
	    k->at == e->size && hash_eq(&h, &e->hash) ? GOOD : DAMAGED);
}

static void
run_check(struct job *j)
{
	struct check *k = (struct check *)j;
	size_t	      did, sum = 0;

	if (k->run == NULL)
		k->r = check_begin(k);
	while (k->r == 0 && k->i < k->n && sum < SLICE && k->nbad < 64) {
		k->r = check_chunk(k, &did);
		sum += did + 4096; /* small ones cost an open each */
	}
	if (k->r == 0 && k->i == k->n) {
		k->r = content_orphans(k->s->content, k->s->index, k->repair,
		    &k->orphans);
		k->ended = true;
	}
}

static void
check_told(struct check *k)
{
	char hex[HASH_HEX];

	for (size_t i = 0; i < k->nbad; i++) {
		const struct found *f = &k->bad[i];

		hash_to_hex(&f->hash, hex);
		admin_row(k->reply,
		    json_pack("{s:s,s:s,s:b}", "object", hex, "state",
			verdicts[f->is], "dropped", k->repair));
		log_err("object %s: %s%s", hex, verdicts[f->is],
		    k->repair ? ", dropped" : "");
		worker_event(k->s->worker, "security-issue",
		    json_pack("{s:s,s:s,s:s}", "importance", "Critical", "text",
			"The store does not hold what was put there.", "object",
			hex));
		if (f->is == MISSING)
			k->missing++;
		else
			k->damaged++;
		if (k->repair) {
			k->repaired++;
			store_gone(k->s, &f->hash);
		}
	}
	k->nbad = 0;
}

static void
check_free(struct check *k)
{
	k->s->checking = false;
	if (k->fd >= 0)
		close(k->fd);
	hash_run_free(&k->run);
	free(k->buf);
	free(k->of);
	free(k);
}

static void
done_check(struct job *j)
{
	struct check *k = (struct check *)j;
	struct store *s = k->s;
	uint64_t      now = loop_now_ms(s->loop), bad;
	char	      text[160];

	check_told(k);
	store_check(s);
	if (k->r == 0 && !k->ended && !admin_gone(k->reply) && !s->draining) {
		if (now - k->told_ms >= PROGRESS_MS)
			admin_row(k->reply,
			    json_pack("{s:I,s:I}", "done_bytes",
				(json_int_t)k->bytes, "total_bytes",
				(json_int_t)k->total));
		if (now - k->told_ms >= PROGRESS_MS)
			k->told_ms = now;
		io_submit(s->bulk, j);
		return;
	}
	if (k->ended)
		admin_row(k->reply,
		    json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "objects",
			(json_int_t)k->n, "bytes", (json_int_t)k->bytes,
			"damaged", (json_int_t)k->damaged, "missing",
			(json_int_t)k->missing, "orphans",
			(json_int_t)k->orphans, "dropped",
			(json_int_t)k->repaired));
	bad = k->damaged + k->missing;
	snprintf(text, sizeof(text),
	    "%llu objects are damaged or missing: store-repair drops them, so "
	    "that they are fetched again",
	    (unsigned long long)bad);
	admin_end(k->reply,
	    k->r < 0		  ? strerror(-k->r)
		: !k->ended	  ? "not finished"
		: bad > 0 && !k->repair ? text
					: NULL);
	check_free(k);
}

static void
store_verify(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct store *s = ctx;
	struct check *k;

	(void)argc;
	if (s->checking) {
		admin_end(reply, "a verify or repair is under way");
		return;
	}
	if ((k = calloc(1, sizeof(*k))) == NULL) {
		admin_end(reply, "no memory");
		return;
	}
	*k = (struct check){ .s = s, .reply = reply, .fd = -1,
		.repair = strcmp(argv[0], "store-repair") == 0,
		.told_ms = loop_now_ms(s->loop) };
	k->job.run = run_check;
	k->job.done = done_check;
	s->checking = true;
	io_submit(s->bulk, &k->job);
}

const struct admin_command store_commands[] = {
	{ "content-list", 0, 1, false, content_list, "[PREFIX]",
	    "Names, sizes and whether they are here." },
	{ "store-status", 0, 0, false, store_status, "",
	    "Objects, bytes, free space." },
	{ "store-verify", 0, 0, false, store_verify, "",
	    "Proves every object by hashing it." },
	{ "store-repair", 0, 0, true, store_verify, "",
	    "Drops what store-verify finds damaged." },
	{ "inbox-list", 0, 1, false, reports_list, "[DEVICE]",
	    "Devices and what is kept of them; the reports of one." },
	{ "inbox-stats", 0, 0, false, reports_stats, "",
	    "Reports that wait, and what became of others." },
	{ "inbox-retry", 1, 1, true, reports_change, "DEVICE|all",
	    "Puts what the server refused back into the queue." },
	{ "inbox-drop", 1, 1, true, reports_change, "DEVICE",
	    "Drops all of a device, and forgets its sequence." },
	{ 0 }
};

void
store_warnings(void *store, struct admin_reply *reply)
{
	const struct store *s = store;

	if (s->low_space)
		worker_warning(reply, "free space is at its reserve and nothing "
				      "may be evicted; nothing more is stored");
	reports_warnings(s->reports, reply);
}

/* -- metrics -- */

void
store_metrics(void *store, struct worker *w, struct admin_reply *reply)
{
	struct store	     *s = store;
	struct content_counts n = content_counts(s->content);
	uint64_t	      space = 0;
	unsigned	      open = 0;

	(void)w;
	(void)content_free_bytes(s->content, &space);
	for (size_t i = 0; i < OPEN_MAX; i++)
		open += s->open[i].used;
#define GAUGE(name, help, v) \
	worker_metric(reply, "dpoint_store_" name, "gauge", help, NULL, (double)(v))
#define COUNTER(name, help, v)                                                 \
	worker_metric(reply, "dpoint_store_" name "_total", "counter", help,   \
	    NULL, (double)(v))
	GAUGE("objects", "Objects stored.", n.objects);
	GAUGE("bytes", "Bytes of objects stored.", n.bytes);
	GAUGE("evicted_open_bytes", "Bytes evicted that somebody still reads.",
	    n.ghost_bytes);
	GAUGE("free_bytes", "Free bytes of the file system.", space);
	GAUGE("space_low", "1 while nothing is stored for want of space.",
	    s->low_space);
	GAUGE("index_bytes", "Bytes of the index in use.",
	    index_bytes(s->index));
	GAUGE("partial_open", "Partial files being written.", open);
	GAUGE("jobs", "Requests that wait for the disk.",
	    io_waiting(s->rows) + io_waiting(s->bulk));
	COUNTER("lookups", "Look-ups by name or hash.", s->stats.lookups);
	COUNTER("published", "Objects published.", s->stats.published);
	COUNTER("published_bytes", "Bytes published.", s->stats.published_bytes);
	COUNTER("refused", "Downloads that were not published.",
	    s->stats.refused);
	COUNTER("evicted", "Objects evicted for space.", s->stats.evicted);
	COUNTER("no_space", "Requests refused for want of space.",
	    s->stats.no_space);
#undef GAUGE
#undef COUNTER
	reports_metrics(s->reports, reply);
}
