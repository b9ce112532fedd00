/*
 * common/store_client.c - requests to the store and their answers; see
 * store_client.h.
 *
 * Runs in every worker with a channel to the store. Believes the store about
 * what is stored; lengths and descriptors are checked by ipc all the same. An
 * answer to nothing asked is a broken store.
 * SPDX-License-Identifier: ISC
 */
#include "common/store_client.h"

#include "common/ipc.h"
#include "common/size.h"
#include "common/wr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_QUEUE 4096 /* requests that wait for the socket: then -ENOBUFS */

struct pending {
	struct pending *next;
	uint32_t	id;
	store_fn	fn; /* NULL: cancelled */
	void	       *ctx;
};

struct store_client {
	struct loop			*loop;
	struct ipc			*ipc; /* NULL: not connected */
	const struct store_client_ops	*ops;
	void				*ctx;
	struct pending			*head, **tail;
	uint32_t			 last_id;
	bool				 failing, freed; /* freed while failing */
	uint8_t				*part; /* of a report, before its end */
	size_t				 npart;
};

static int on_answer(void *ctx, struct ipc_msg *m);
static int on_snapshot(void *ctx, struct ipc_msg *m);
static int on_evicted(void *ctx, struct ipc_msg *m);
static int on_part(void *ctx, struct ipc_msg *m);
static int on_report(void *ctx, struct ipc_msg *m);

static const struct ipc_handler handlers[] = {
	/* type		   nfds	 min  max   fn */
	{ MSG_PARTIAL,	     2, 40, 40,	     on_answer },
	{ MSG_STORE_OK,	     0, 0,  0,	     on_answer },
	{ MSG_STORE_NO,	     0, 6,  1024,    on_answer },
	{ MSG_OBJECT,	     1, 49, 49,	     on_answer },
	{ MSG_ABSENT,	     0, 41, 41,	     on_answer },
	{ MSG_UNKNOWN,	     0, 0,  0,	     on_answer },
	{ MSG_TABLE_VALUE,   0, 0,  MSG_MAX, on_answer },
	{ MSG_NAMES,	     0, 33, MSG_MAX, on_answer },
	{ MSG_HAVE_BITS,     0, 0,  MSG_MAX, on_answer },
	{ MSG_SNAPSHOT,	     0, 10, 40,	     on_snapshot },
	{ MSG_EVICTED,	     0, 32, 32,	     on_evicted },
	{ MSG_REPORT_PART,   0, 1,  MSG_MAX, on_part },
	{ MSG_REPORT,	     0, 24, MSG_MAX, on_report },
	{ MSG_REPORT_KEPT,   0, 9,  9,	     on_answer },
};

static void
get_hash(struct rd *r, struct hash *h)
{
	const uint8_t *p = rd_bytes(r, HASH_LEN);

	if (p != NULL)
		memcpy(h->b, p, HASH_LEN);
}

static struct pending *
take_pending(struct store_client *c, uint32_t id)
{
	struct pending **pp = &c->head, *p;

	while ((p = *pp) != NULL && p->id != id)
		pp = &p->next;
	if (p == NULL)
		return NULL;
	if ((*pp = p->next) == NULL)
		c->tail = pp;
	return p;
}

static void
get_kept(struct rd *rd, struct store_answer *a)
{
	static const struct {
		int	    r;
		const char *text;
	} ends[] = {
		[REPORT_KEPT] = { 0, "" },
		[REPORT_REPEATED] = { -EEXIST, "was kept before" },
		[REPORT_FULL] = { -ENOSPC, "the inbox has no room" },
		[REPORT_FAILED] = { -EIO, "the inbox cannot keep it" },
	};
	uint8_t kept = rd_u8(rd);

	a->highest = rd_u64(rd);
	if (kept > REPORT_FAILED)
		kept = REPORT_FAILED;
	a->r = ends[kept].r;
	a->text = ends[kept].text;
}

/* The payload by type; what it does not say stays 0. */
static int
parse(struct ipc_msg *m, struct store_answer *a, char *text, size_t size)
{
	switch (m->type) {
	case MSG_PARTIAL:
		get_hash(&m->rd, &a->hash);
		a->durable = rd_u64(&m->rd);
		break;
	case MSG_OBJECT:
		get_hash(&m->rd, &a->hash);
		a->size = rd_u64(&m->rd);
		a->mtime = rd_u64(&m->rd);
		a->spaces = rd_u8(&m->rd);
		break;
	case MSG_ABSENT:
		get_hash(&m->rd, &a->hash);
		a->size = rd_u64(&m->rd);
		a->spaces = rd_u8(&m->rd);
		a->r = -ENODATA;
		a->text = "named, but not here";
		break;
	case MSG_UNKNOWN:
		a->r = -ENOENT;
		a->text = "no such object";
		break;
	case MSG_STORE_NO:
		a->r = (int)(rd_u32(&m->rd) & 0xfff);
		a->r = a->r == 0 ? -EIO : -a->r;
		rd_str(&m->rd, text, size);
		a->text = text;
		break;
	case MSG_NAMES:
		get_hash(&m->rd, &a->hash);
		a->more = rd_u8(&m->rd) != 0;
		a->len = m->rd.left;
		a->bytes = rd_bytes(&m->rd, a->len);
		break;
	case MSG_REPORT_KEPT:
		get_kept(&m->rd, a);
		break;
	case MSG_TABLE_VALUE:
	case MSG_HAVE_BITS:
		a->len = m->rd.left;
		a->bytes = rd_bytes(&m->rd, a->len);
		break;
	default:
		break;
	}
	return rd_done(&m->rd);
}

static int
on_answer(void *ctx, struct ipc_msg *m)
{
	struct store_client *c = ctx;
	struct store_answer  a = { .text = "", .fd = -1, .write_fd = -1 };
	struct pending	    *p;
	char		     text[512];

	if (parse(m, &a, text, sizeof(text)) < 0 ||
	    (p = take_pending(c, m->id)) == NULL)
		return -EBADMSG;
	if (p->fn != NULL) {
		if (m->type == MSG_PARTIAL) {
			a.write_fd = ipc_take_fd(m, 0);
			a.fd = ipc_take_fd(m, 1);
		} else if (m->type == MSG_OBJECT)
			a.fd = ipc_take_fd(m, 0);
		p->fn(p->ctx, &a); /* may free c */
	}
	free(p);
	return 0;
}

static int
on_snapshot(void *ctx, struct ipc_msg *m)
{
	struct store_client *c = ctx;
	char		     space[STORE_SPACE_MAX];
	uint64_t	     generation;

	rd_str(&m->rd, space, sizeof(space));
	generation = rd_u64(&m->rd);
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	if (c->ops->snapshot != NULL)
		c->ops->snapshot(c->ctx, space, generation);
	return 0;
}

static int
on_evicted(void *ctx, struct ipc_msg *m)
{
	struct store_client *c = ctx;
	struct hash	     h = { 0 };

	get_hash(&m->rd, &h);
	if (c->ops->evicted != NULL)
		c->ops->evicted(c->ctx, &h);
	return 0;
}

/* -- reports: what does not fit a message comes in parts -- */

static int
add_part(struct store_client *c, struct rd *r)
{
	size_t	 n = r->left;
	uint8_t *more;

	if (n > REPORT_BYTES_MAX - c->npart)
		return -EBADMSG;
	if ((more = realloc(c->part, c->npart + n + 1)) == NULL)
		return -ENOMEM;
	memcpy(more + c->npart, rd_bytes(r, n), n);
	c->part = more;
	c->npart += n;
	return 0;
}

static int
on_part(void *ctx, struct ipc_msg *m)
{
	return add_part(ctx, &m->rd);
}

static int
on_report(void *ctx, struct ipc_msg *m)
{
	struct store_client *c = ctx;
	struct store_answer  a = { .text = "", .fd = -1, .write_fd = -1 };
	const uint8_t	    *device = rd_bytes(&m->rd, REPORT_DEVICE_LEN);
	struct pending	    *p;
	uint8_t		    *body;
	int		     r;

	a.report.sequence = rd_u64(&m->rd);
	if (m->rd.err < 0 || (p = take_pending(c, m->id)) == NULL)
		return -EBADMSG;
	memcpy(a.report.device, device, REPORT_DEVICE_LEN);
	r = add_part(c, &m->rd);
	body = c->part;
	a.bytes = body;
	a.len = c->npart;
	c->part = NULL;
	c->npart = 0;
	if (r == 0 && p->fn != NULL)
		p->fn(p->ctx, &a); /* may free c */
	free(body);
	free(p);
	return r;
}

static void
drop_pending(struct store_client *c, bool answer)
{
	const struct store_answer a = { .r = -ENOTCONN, .fd = -1,
		.write_fd = -1, .text = "the store is away" };
	struct pending *p;

	while ((p = c->head) != NULL) {
		if ((c->head = p->next) == NULL)
			c->tail = &c->head;
		if (answer && p->fn != NULL && !c->freed)
			p->fn(p->ctx, &a);
		free(p);
	}
}

/* The connection is over; false if one of those who were told freed c. */
static bool
lose(struct store_client *c, int r)
{
	ipc_free(&c->ipc); /* first: nothing is asked from inside an answer */
	free(c->part);
	c->part = NULL;
	c->npart = 0;
	c->failing = true;
	drop_pending(c, true);
	if (c->ops->broken != NULL && !c->freed)
		c->ops->broken(c->ctx, r);
	c->failing = false;
	if (!c->freed)
		return true;
	free(c);
	return false;
}

static void
on_broken(void *ctx, struct ipc *ipc, int r)
{
	(void)ipc; /* which is c->ipc */
	(void)lose(ctx, r);
}

int
store_client_attach(struct store_client *c, int take_fd)
{
	const struct ipc_table t = { handlers, COUNT(handlers) };

	if (c->ipc != NULL && !lose(c, -ENOTCONN)) {
		close(take_fd);
		return -ECANCELED;
	}
	return ipc_new(c->loop, take_fd, t, c, on_broken, MAX_QUEUE, &c->ipc);
}

int
store_client_new(struct loop *l, int take_fd, const struct store_client_ops *ops,
    void *ctx, struct store_client **out)
{
	struct store_client *c = calloc(1, sizeof(*c));
	int		     r = 0;

	*out = NULL;
	if (c == NULL) {
		if (take_fd >= 0)
			close(take_fd);
		return -ENOMEM;
	}
	*c = (struct store_client){ .loop = l, .ops = ops, .ctx = ctx };
	c->tail = &c->head;
	if (take_fd >= 0 && (r = store_client_attach(c, take_fd)) < 0) {
		store_client_free(&c);
		return r;
	}
	*out = c;
	return 0;
}

void
store_client_free(struct store_client **cp)
{
	struct store_client *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	ipc_free(&c->ipc);
	free(c->part);
	c->part = NULL;
	c->freed = true;
	if (c->failing)
		return; /* on_broken ends it */
	drop_pending(c, false);
	free(c);
}

bool
store_client_connected(const struct store_client *c)
{
	return c->ipc != NULL;
}

void
store_cancel(struct store_client *c, const void *ctx)
{
	for (struct pending *p = c->head; p != NULL; p = p->next)
		if (p->ctx == ctx)
			p->fn = NULL;
}

/* -- requests -- */

static int
tell(struct store_client *c, uint16_t type, const struct wr *w)
{
	if (w->err < 0)
		return w->err;
	return c->ipc == NULL ? -ENOTCONN
			      : ipc_send(c->ipc, type, 0, w->buf, w->len);
}

static int
ask(struct store_client *c, uint16_t type, const struct wr *w, store_fn fn,
    void *ctx)
{
	struct pending *p;
	int		r;

	if (w->err < 0)
		return w->err;
	if (c->ipc == NULL)
		return -ENOTCONN;
	if ((p = malloc(sizeof(*p))) == NULL)
		return -ENOMEM;
	if (++c->last_id == 0) /* 0 is for what nobody asked */
		c->last_id = 1;
	*p = (struct pending){ NULL, c->last_id, fn, ctx };
	if ((r = ipc_send(c->ipc, type, p->id, w->buf, w->len)) < 0) {
		free(p);
		return r;
	}
	*c->tail = p;
	c->tail = &p->next;
	return 0;
}

static int
ask_hash(struct store_client *c, uint16_t type, const struct hash *h,
    store_fn fn, void *ctx)
{
	uint8_t	  buf[HASH_LEN];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_bytes(&w, h->b, HASH_LEN);
	return ask(c, type, &w, fn, ctx);
}

static int
ask_str(struct store_client *c, uint16_t type, const char *s, store_fn fn,
    void *ctx)
{
	uint8_t	  buf[STORE_NAME_MAX + 2];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_str(&w, s);
	return ask(c, type, &w, fn, ctx);
}

static int
tell_written(struct store_client *c, uint16_t type, const struct hash *h,
    uint64_t written)
{
	uint8_t	  buf[HASH_LEN + 8];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_bytes(&w, h->b, HASH_LEN);
	wr_u64(&w, written);
	return tell(c, type, &w);
}

int
store_partial_open(struct store_client *c, const struct hash *h, uint64_t size,
    enum priority prio, const char *name, store_fn fn, void *ctx)
{
	uint8_t	  buf[HASH_LEN + 9 + 2 + STORE_NAME_MAX];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_bytes(&w, h->b, HASH_LEN);
	wr_u64(&w, size);
	wr_u8(&w, (uint8_t)prio);
	wr_str(&w, name);
	return ask(c, MSG_PARTIAL_OPEN, &w, fn, ctx);
}

int
store_partial_sync(struct store_client *c, const struct hash *h,
    uint64_t written)
{
	return tell_written(c, MSG_PARTIAL_SYNC, h, written);
}

int
store_partial_close(struct store_client *c, const struct hash *h,
    uint64_t written)
{
	return tell_written(c, MSG_PARTIAL_CLOSE, h, written);
}

int
store_partial_done(struct store_client *c, const struct hash *h, store_fn fn,
    void *ctx)
{
	return ask_hash(c, MSG_PARTIAL_DONE, h, fn, ctx);
}

int
store_partial_drop(struct store_client *c, const struct hash *h, store_fn fn,
    void *ctx)
{
	return ask_hash(c, MSG_PARTIAL_DROP, h, fn, ctx);
}

/* One message is built here at a time; it is sent or copied before return. */
static uint8_t big[MSG_MAX_PAYLOAD];

int
store_put(struct store_client *c, const struct hash *h, const void *bytes,
    size_t len, store_fn fn, void *ctx)
{
	struct wr w = wr_to(big, sizeof(big));

	wr_bytes(&w, h->b, HASH_LEN);
	wr_bytes(&w, bytes, len);
	return ask(c, MSG_PUT, &w, fn, ctx);
}

int
store_lookup_name(struct store_client *c, const char *name, store_fn fn,
    void *ctx)
{
	return ask_str(c, MSG_LOOKUP_NAME, name, fn, ctx);
}

int
store_lookup_hash(struct store_client *c, const struct hash *h, store_fn fn,
    void *ctx)
{
	return ask_hash(c, MSG_LOOKUP_HASH, h, fn, ctx);
}

int
store_have(struct store_client *c, const struct hash *hashes, size_t n,
    store_fn fn, void *ctx)
{
	struct wr w = wr_to(big, sizeof(big));

	if (n == 0 || n > STORE_HAVE_MAX)
		return -EINVAL;
	wr_bytes(&w, hashes, n * sizeof(*hashes));
	return ask(c, MSG_HAVE, &w, fn, ctx);
}

int
store_names_begin(struct store_client *c, const char *space, store_fn fn,
    void *ctx)
{
	return ask_str(c, MSG_NAMES_BEGIN, space, fn, ctx);
}

int
store_names_add(struct store_client *c, const struct store_name *names, size_t n)
{
	struct wr w = wr_to(big, sizeof(big));
	size_t	  need;
	int	  r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if ((need = strlen(names[i].name)) > STORE_NAME_MAX)
			return -ENAMETOOLONG;
		need += HASH_LEN + 8 + 1 + 2;
		if (w.size - w.len < need) {
			r = tell(c, MSG_NAMES_ADD, &w);
			w.len = 0;
		}
		wr_bytes(&w, names[i].hash.b, HASH_LEN);
		wr_u64(&w, names[i].size);
		wr_u8(&w, (uint8_t)((names[i].pinned ? NAME_PINNED : 0) |
				  (names[i].urgent ? NAME_URGENT : 0)));
		wr_str(&w, names[i].name);
	}
	return r == 0 && w.len > 0 ? tell(c, MSG_NAMES_ADD, &w) : r;
}

int
store_names_commit(struct store_client *c, const char *space, store_fn fn,
    void *ctx)
{
	return ask_str(c, MSG_NAMES_COMMIT, space, fn, ctx);
}

int
store_names_list(struct store_client *c, const char *space,
    const struct hash *from, store_fn fn, void *ctx)
{
	uint8_t	  buf[HASH_LEN + 2 + STORE_SPACE_MAX];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_bytes(&w, from->b, HASH_LEN);
	wr_str(&w, space);
	return ask(c, MSG_NAMES_LIST, &w, fn, ctx);
}

int
store_names_row(struct rd *rows, struct store_name *n, char *name)
{
	uint8_t flags;

	if (rows->left == 0)
		return rd_done(rows);
	get_hash(rows, &n->hash);
	n->size = rd_u64(rows);
	flags = rd_u8(rows);
	n->pinned = (flags & NAME_PINNED) != 0;
	n->urgent = (flags & NAME_URGENT) != 0;
	rd_str(rows, name, STORE_NAME_MAX + 1);
	n->name = name;
	return rows->err < 0 ? rows->err : 1;
}

int
store_table_get(struct store_client *c, const char *key, store_fn fn, void *ctx)
{
	return ask_str(c, MSG_TABLE_GET, key, fn, ctx);
}

int
store_table_put(struct store_client *c, const char *key, const void *bytes,
    size_t len, store_fn fn, void *ctx)
{
	struct wr w = wr_to(big, sizeof(big));

	wr_str(&w, key);
	wr_bytes(&w, bytes, len);
	return ask(c, MSG_TABLE_PUT, &w, fn, ctx);
}

int
store_report_take(struct store_client *c, store_fn fn, void *ctx)
{
	struct wr w = wr_to(big, 0);

	return ask(c, MSG_REPORT_TAKE, &w, fn, ctx);
}

int
store_report_done(struct store_client *c, const struct report_id *id,
    enum report_end end, uint16_t status, uint32_t hold_ms, store_fn fn,
    void *ctx)
{
	uint8_t	  buf[REPORT_DEVICE_LEN + 15];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_bytes(&w, id->device, REPORT_DEVICE_LEN);
	wr_u64(&w, id->sequence);
	wr_u8(&w, (uint8_t)end);
	wr_u16(&w, status);
	wr_u32(&w, hold_ms);
	return ask(c, MSG_REPORT_DONE, &w, fn, ctx);
}

int
store_report_put(struct store_client *c, const struct report_id *id,
    const void *bytes, size_t len, store_fn fn, void *ctx)
{
	struct wr w = wr_to(big, sizeof(big));

	wr_bytes(&w, id->device, REPORT_DEVICE_LEN);
	wr_u64(&w, id->sequence);
	wr_bytes(&w, bytes, len);
	return ask(c, MSG_REPORT_PUT, &w, fn, ctx);
}
