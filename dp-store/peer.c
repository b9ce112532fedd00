/*
 * dp-store/peer.c - what the other workers may ask, and the quick answers.
 *
 * Runs in dp-store's loop. Believes of a peer only its role, which the master
 * gave: a role writes only what its table lists, and only its own rows. What
 * needs the disk is handed to jobs.c.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"
#include "common/worker.h"
#include "dp-store/store.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEER_QUEUE 4096 /* answers that wait; a peer that reads none is cut */
#define HAVE_MAX   2047

static int on_partial_open(void *ctx, struct ipc_msg *m);
static int on_partial_sync(void *ctx, struct ipc_msg *m);
static int on_partial_close(void *ctx, struct ipc_msg *m);
static int on_partial_done(void *ctx, struct ipc_msg *m);
static int on_partial_drop(void *ctx, struct ipc_msg *m);
static int on_put(void *ctx, struct ipc_msg *m);
static int on_lookup_name(void *ctx, struct ipc_msg *m);
static int on_lookup_hash(void *ctx, struct ipc_msg *m);
static int on_names_begin(void *ctx, struct ipc_msg *m);
static int on_names_add(void *ctx, struct ipc_msg *m);
static int on_names_commit(void *ctx, struct ipc_msg *m);
static int on_table_get(void *ctx, struct ipc_msg *m);
static int on_table_put(void *ctx, struct ipc_msg *m);
static int on_have(void *ctx, struct ipc_msg *m);
static int on_names_list(void *ctx, struct ipc_msg *m);

/* What everybody may ask. */
#define READER_HANDLERS							\
	{ MSG_LOOKUP_NAME,	0, 3,  2 + INDEX_NAME_MAX, on_lookup_name }, \
	{ MSG_LOOKUP_HASH,	0, 32, 32, on_lookup_hash },		\
	{ MSG_HAVE,		0, 32, HAVE_MAX * HASH_LEN, on_have },	\
	{ MSG_TABLE_GET,	0, 3,  2 + INDEX_KEY_MAX, on_table_get }, \
	{ MSG_TABLE_PUT,	0, 3,  MSG_MAX_PAYLOAD, on_table_put }

static const struct ipc_handler from_reader[] = {
	/* type		      nfds min max   fn */
	READER_HANDLERS,
};
static const struct ipc_handler from_mcast[] = {
	READER_HANDLERS,
	{ MSG_NAMES_LIST,	0, 35, 50, on_names_list },
};
static const struct ipc_handler from_serve[] = {
	READER_HANDLERS,
	{ MSG_REPORT_PART,	0, 1,  MSG_MAX_PAYLOAD, reports_on_part },
	{ MSG_REPORT_PUT,	0, 24, MSG_MAX_PAYLOAD, reports_on_put },
};
static const struct ipc_handler from_scan[] = {
	READER_HANDLERS, /* and this distribution point's own reports: */
	{ MSG_REPORT_PUT,	0, 24, MSG_MAX_PAYLOAD, reports_on_put },
};
static const struct ipc_handler from_fetch[] = {
	READER_HANDLERS,
	{ MSG_PARTIAL_OPEN,	0, 43, 43 + INDEX_NAME_MAX, on_partial_open },
	{ MSG_PARTIAL_SYNC,	0, 40, 40, on_partial_sync },
	{ MSG_PARTIAL_CLOSE,	0, 40, 40, on_partial_close },
	{ MSG_PARTIAL_DONE,	0, 32, 32, on_partial_done },
	{ MSG_PARTIAL_DROP,	0, 32, 32, on_partial_drop },
	{ MSG_PUT,		0, 32, MSG_MAX_PAYLOAD, on_put },
	{ MSG_NAMES_BEGIN,	0, 3,  18, on_names_begin },
	{ MSG_NAMES_ADD,	0, 44, MSG_MAX_PAYLOAD, on_names_add },
	{ MSG_NAMES_COMMIT,	0, 3,  18, on_names_commit },
	{ MSG_REPORT_TAKE,	0, 0,  0,  reports_on_take },
	{ MSG_REPORT_DONE,	0, 31, 31, reports_on_done },
};

static struct ipc_table
table_of(enum peer_role role)
{
	switch (role) {
	case PEER_MCAST:
		return (struct ipc_table){ from_mcast, COUNT(from_mcast) };
	case PEER_SERVE:
		return (struct ipc_table){ from_serve, COUNT(from_serve) };
	case PEER_SCAN:
		return (struct ipc_table){ from_scan, COUNT(from_scan) };
	case PEER_FETCH:
		return (struct ipc_table){ from_fetch, COUNT(from_fetch) };
	default:
		return (struct ipc_table){ from_reader, COUNT(from_reader) };
	}
}

static void
get_hash(struct ipc_msg *m, struct hash *h)
{
	const uint8_t *p = rd_bytes(&m->rd, HASH_LEN);

	if (p != NULL)
		memcpy(h->b, p, HASH_LEN);
	else
		memset(h, 0, sizeof(*h)); /* rd_done() refuses the message */
}

/* -- look-ups -- */

static uint8_t
spaces_of(const struct refs *refs)
{
	return (uint8_t)((refs->names[SPACE_CONTENT] > 0 ? SPACES_CONTENT : 0) |
	    (refs->names[SPACE_SITE] > 0 ? SPACES_SITE : 0));
}

static int
answer_absent(struct peer *p, uint32_t id, const struct hash *h,
    const struct refs *refs)
{
	uint8_t	  buf[HASH_LEN + 9];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_bytes(&w, h->b, HASH_LEN);
	wr_u64(&w, refs->size);
	wr_u8(&w, spaces_of(refs));
	return ipc_send(p->ipc, MSG_ABSENT, id, buf, w.len);
}

static int
answer_object(struct peer *p, uint32_t id, const struct hash *h,
    const struct object *o, const struct refs *refs, int take_fd)
{
	uint8_t	  buf[HASH_LEN + 17];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_bytes(&w, h->b, HASH_LEN);
	wr_u64(&w, o->size);
	wr_u64(&w, o->mtime);
	wr_u8(&w, spaces_of(refs));
	return ipc_send_fds(p->ipc, MSG_OBJECT, id, buf, w.len, take_fd, -1);
}

static int
answer_hash(struct peer *p, uint32_t id, struct MDB_txn *t,
    const struct hash *h)
{
	struct store *s = p->store;
	struct object o;
	struct refs   refs = { 0 };
	int	      fd, r = index_refs_get(s->index, t, h, &refs);
	bool	      is_named = r == 0;

	if (r < 0 && r != -ENOENT)
		return r;
	r = index_object_get(s->index, t, h, &o);
	if (r == 0) {
		r = content_object_open(s->content, h, &fd);
		if (r == 0) {
			if ((uint64_t)time(NULL) > o.used)
				job_touch(s, h);
			return answer_object(p, id, h, &o, &refs, fd);
		}
		if (r != -ENOENT)
			return r;
		job_lost(s, h); /* nobody but us can have removed it */
		r = -ENOENT;
	}
	return r == -ENOENT && is_named ? answer_absent(p, id, h, &refs) : r;
}

static int
lookup(struct peer *p, uint32_t id, const char *name, const struct hash *h)
{
	struct store   *s = p->store;
	struct MDB_txn *t = NULL;
	struct named	n = { 0 };
	int		r = index_read(s->index, &t);

	s->stats.lookups++;
	if (r == 0 && name != NULL) {
		r = -ENOENT;
		for (int i = 0; r == -ENOENT && i < SPACE_MAX; i++)
			r = index_name_get(s->index, t, (enum space)i, name, &n);
	} else if (r == 0)
		n.hash = *h;
	if (r == 0)
		r = answer_hash(p, id, t, &n.hash);
	index_end(s->index, &t);
	if (r == -ENOBUFS || r == -ENOTCONN)
		return r; /* the channel, not the store */
	if (r == -ENOENT)
		return ipc_send(p->ipc, MSG_UNKNOWN, id, NULL, 0);
	if (r < 0) {
		log_warn_err(r, "look-up");
		answer_no(p, p->turn, id, r, "the store cannot be read");
		store_check(s);
	}
	return 0;
}

static int
on_lookup_name(void *ctx, struct ipc_msg *m)
{
	char name[INDEX_NAME_MAX + 1];

	rd_str(&m->rd, name, sizeof(name));
	return rd_done(&m->rd) < 0 ? -EBADMSG : lookup(ctx, m->id, name, NULL);
}

static int
on_lookup_hash(void *ctx, struct ipc_msg *m)
{
	struct hash h;

	get_hash(m, &h);
	return lookup(ctx, m->id, NULL, &h);
}

static int
on_have(void *ctx, struct ipc_msg *m)
{
	struct peer    *p = ctx;
	struct store   *s = p->store;
	uint8_t		bits[HAVE_MAX];
	struct MDB_txn *t = NULL;
	struct object	o;
	struct hash	h;
	size_t		n = 0;
	int		r = 0;

	if (m->len % HASH_LEN != 0)
		return -EBADMSG;
	r = index_read(s->index, &t);
	while (r == 0 && m->rd.left > 0) {
		get_hash(m, &h);
		r = index_object_get(s->index, t, &h, &o);
		bits[n++] = r == 0;
		if (r == -ENOENT)
			r = 0;
	}
	index_end(s->index, &t);
	if (r < 0) {
		answer_no(p, p->turn, m->id, r, "the index cannot be read");
		return 0;
	}
	return ipc_send(p->ipc, MSG_HAVE_BITS, m->id, bits, n);
}

/* -- partial files -- */

static int
on_partial_open(void *ctx, struct ipc_msg *m)
{
	struct peer	    *p = ctx;
	struct store	    *s = p->store;
	struct partial	     row = { 0 };
	struct open_partial *o = NULL;
	struct hash	     h;

	get_hash(m, &h);
	row.size = rd_u64(&m->rd);
	row.prio = rd_u8(&m->rd);
	rd_str(&m->rd, row.name, sizeof(row.name));
	if (rd_done(&m->rd) < 0 || row.prio > PRIO_PACKAGE ||
	    row.size > INT64_MAX)
		return -EBADMSG;
	if (open_find(s, &h) != NULL) {
		answer_no(p, p->turn, m->id, -EBUSY, "is being downloaded");
		return 0;
	}
	for (size_t i = 0; o == NULL && i < OPEN_MAX; i++)
		if (!s->open[i].used)
			o = &s->open[i];
	if (o == NULL || s->draining) {
		answer_no(p, p->turn, m->id, -EMFILE,
		    s->draining ? "the store is ending"
				: "too many partial files are open");
		return 0;
	}
	*o = (struct open_partial){ .used = true, .hash = h, .owner = p,
		.size = row.size };
	job_partial_open(p, m->id, &h, &row);
	return 0;
}

/* The peer's own open partial file, not yet handed back for publishing. */
static struct open_partial *
own_open(struct peer *p, const struct hash *h)
{
	struct open_partial *o = open_find(p->store, h);

	return o != NULL && o->owner == p && !o->publishing ? o : NULL;
}

static int
on_partial_sync(void *ctx, struct ipc_msg *m)
{
	struct peer	    *p = ctx;
	struct open_partial *o;
	struct hash	     h;
	uint64_t	     written;

	get_hash(m, &h);
	written = rd_u64(&m->rd);
	/* one at a time is enough: the next says more */
	if ((o = own_open(p, &h)) != NULL && !o->syncing) {
		o->syncing = true;
		job_partial_sync(p, &h, written);
	}
	return 0;
}

static int
on_partial_close(void *ctx, struct ipc_msg *m)
{
	struct peer	    *p = ctx;
	struct open_partial *o;
	struct hash	     h;
	uint64_t	     written;

	get_hash(m, &h);
	written = rd_u64(&m->rd);
	if ((o = own_open(p, &h)) != NULL) {
		o->used = false;
		job_partial_sync(p, &h, written);
	}
	return 0;
}

static int
on_partial_done(void *ctx, struct ipc_msg *m)
{
	struct peer	    *p = ctx;
	struct open_partial *o;
	struct hash	     h;

	get_hash(m, &h);
	if ((o = own_open(p, &h)) == NULL) {
		answer_no(p, p->turn, m->id, -ENOENT, "is not open");
		return 0;
	}
	o->publishing = true;
	job_partial_done(p, m->id, &h);
	return 0;
}

static int
on_partial_drop(void *ctx, struct ipc_msg *m)
{
	struct peer	    *p = ctx;
	struct open_partial *o;
	struct hash	     h;

	get_hash(m, &h);
	if ((o = open_find(p->store, &h)) != NULL) {
		if (o->owner != p || o->publishing) {
			answer_no(p, p->turn, m->id, -EBUSY, "is in use");
			return 0;
		}
		o->publishing = true; /* ours until it is gone */
	}
	job_partial_drop(p, m->id, &h);
	return 0;
}

static int
on_put(void *ctx, struct ipc_msg *m)
{
	struct hash h;
	size_t	    len;

	get_hash(m, &h);
	len = m->rd.left;
	job_put(ctx, m->id, &h, rd_bytes(&m->rd, len), len);
	return 0;
}

/* -- names -- */

static void
draft_reset(struct peer *p)
{
	names_fini(&p->draft);
	p->has_draft = p->bad_draft = false;
}

static int
get_space(struct ipc_msg *m, enum space *out)
{
	char name[17];

	rd_str(&m->rd, name, sizeof(name));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	return space_from_name(name, out);
}

static int
on_names_begin(void *ctx, struct ipc_msg *m)
{
	struct peer *p = ctx;
	int	     r;

	draft_reset(p);
	if ((r = get_space(m, &p->space)) == -EBADMSG)
		return r;
	if (r < 0) {
		answer_no(p, p->turn, m->id, -EINVAL, "no such space");
		return 0;
	}
	p->has_draft = true;
	return ipc_send(p->ipc, MSG_STORE_OK, m->id, NULL, 0);
}

static int
on_names_add(void *ctx, struct ipc_msg *m)
{
	struct peer *p = ctx;
	int	     r;

	if (!p->has_draft || p->bad_draft) {
		p->bad_draft = true; /* commit says so */
		return 0;
	}
	r = names_parse(&p->draft, m->rd.p, m->rd.left);
	if (r < 0) {
		log_warn_err(r, "%s: names of %s", peer_role_name(p->role),
		    space_name(p->space));
		p->bad_draft = true;
	}
	return 0;
}

static int
on_names_commit(void *ctx, struct ipc_msg *m)
{
	struct peer *p = ctx;
	enum space   space;
	int	     r = get_space(m, &space);

	if (r == -EBADMSG)
		return r;
	if (r < 0 || !p->has_draft || p->bad_draft || space != p->space) {
		answer_no(p, p->turn, m->id, -ECANCELED,
		    "no whole draft of these names");
		draft_reset(p);
		return 0;
	}
	job_names_commit(p, m->id, space, &p->draft);
	p->draft = (struct draft){ 0 };
	draft_reset(p);
	return 0;
}

struct page {
	uint8_t	  buf[MSG_MAX_PAYLOAD];
	struct wr w;
};

static int
page_row(void *ctx, const char *name, const struct named *n)
{
	struct page *p = ctx;

	wr_bytes(&p->w, n->hash.b, HASH_LEN);
	wr_u64(&p->w, n->size);
	wr_u8(&p->w, (uint8_t)((n->pinned ? NAME_PINNED : 0) |
			     (n->urgent ? NAME_URGENT : 0)));
	wr_str(&p->w, name);
	/* room for the longest row yet, or the page is full */
	return p->w.size - p->w.len >= HASH_LEN + 9 + 2 + INDEX_NAME_MAX ? 0 : 1;
}

static int
on_names_list(void *ctx, struct ipc_msg *m)
{
	static struct page page;
	struct peer	  *p = ctx;
	struct MDB_txn	  *t = NULL;
	struct hash	   from;
	enum space	   space;
	int		   r;

	get_hash(m, &from);
	if ((r = get_space(m, &space)) == -EBADMSG)
		return r;
	page.w = wr_to(page.buf, sizeof(page.buf));
	wr_bytes(&page.w, from.b, HASH_LEN); /* both are set at the end */
	wr_u8(&page.w, 0);
	if (r == 0)
		r = index_read(p->store->index, &t);
	if (r == 0)
		r = index_each_name(p->store->index, t, space, &from, page_row,
		    &page);
	index_end(p->store->index, &t);
	if (r < 0) {
		answer_no(p, p->turn, m->id, r, "names cannot be listed");
		return 0;
	}
	memcpy(page.buf, from.b, HASH_LEN);
	page.buf[HASH_LEN] = r == 1;
	return ipc_send(p->ipc, MSG_NAMES, m->id, page.buf, page.w.len);
}

/* -- tables -- */

static int
on_table_get(void *ctx, struct ipc_msg *m)
{
	struct peer    *p = ctx;
	struct store   *s = p->store;
	char		key[INDEX_KEY_MAX + 1];
	struct MDB_txn *t = NULL;
	const void     *value;
	size_t		len;
	int		r;

	rd_str(&m->rd, key, sizeof(key));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	r = index_read(s->index, &t);
	if (r == 0)
		r = index_table_get(s->index, t, p->role, key, &value, &len);
	if (r == 0)
		r = ipc_send(p->ipc, MSG_TABLE_VALUE, m->id, value, len);
	else {
		answer_no(p, p->turn, m->id, r, "no such key");
		r = 0;
	}
	index_end(s->index, &t);
	return r;
}

static int
on_table_put(void *ctx, struct ipc_msg *m)
{
	char   key[INDEX_KEY_MAX + 1];
	size_t len;

	rd_str(&m->rd, key, sizeof(key));
	if (m->rd.err < 0 || key[0] == '\0')
		return -EBADMSG;
	len = m->rd.left;
	job_table_put(ctx, m->id, key, rd_bytes(&m->rd, len), len);
	return 0;
}

/* -- channels -- */

static void
peer_broken(void *ctx, struct ipc *c, int r)
{
	struct peer *p = ctx;

	ipc_free(&c);
	worker_accuse(p->role, r);
	p->ipc = NULL;
	p->turn++;
	draft_reset(p);
	reports_peer_gone(p);
	/* its partial files stay for the next attempt */
	for (size_t i = 0; i < OPEN_MAX; i++)
		if (p->store->open[i].used && p->store->open[i].owner == p &&
		    !p->store->open[i].publishing)
			p->store->open[i].used = false;
}

static void
tell_snapshot(struct peer *p, enum space space, uint64_t generation)
{
	uint8_t	  buf[32];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_str(&w, space_name(space));
	wr_u64(&w, generation);
	(void)ipc_send(p->ipc, MSG_SNAPSHOT, 0, buf, w.len);
}

void
peer_take(void *store, enum peer_role role, int take_fd)
{
	struct store   *s = store;
	struct peer    *p = &s->peers[role];
	struct MDB_txn *t = NULL;
	uint64_t	generation;
	int		r;

	if (p->ipc != NULL)
		peer_broken(p, p->ipc, -ENOTCONN);
	p->store = s;
	p->role = role;
	r = ipc_new(s->loop, take_fd, table_of(role), p, peer_broken,
	    PEER_QUEUE, &p->ipc);
	if (r < 0) {
		log_warn_err(r, "%s: channel", peer_role_name(role));
		return;
	}
	/* what is visible now, so that the peer need not ask */
	if (index_read(s->index, &t) == 0)
		for (int i = 0; i < SPACE_MAX; i++)
			if (index_generation(s->index, t, (enum space)i,
				&generation) == 0 && generation > 0)
				tell_snapshot(p, (enum space)i, generation);
	index_end(s->index, &t);
}

/*
 * A peer that missed a push must start anew, not guess; one that misses an answer
 * waits for it without end, and what it has taken stays out. That a message could
 * not be queued means that it reads none, or that there is no memory.
 */
void
peer_sent(struct peer *p, int r)
{
	if (r == 0 || r == -ENOTCONN || p->ipc == NULL)
		return; /* -ENOTCONN: its end is on its way to us */
	log_warn_err(r, "%s: a message is lost; its channel is closed",
	    peer_role_name(p->role));
	peer_broken(p, p->ipc, r);
}

void
peer_answer(struct peer *p, uint32_t turn, uint16_t type, uint32_t id,
    const void *payload, size_t len)
{
	if (p->ipc != NULL && p->turn == turn)
		peer_sent(p, ipc_send(p->ipc, type, id, payload, len));
}

void
peer_tell_all(struct store *s, uint16_t type, const void *p, size_t len)
{
	for (int i = 0; i < PEER_MAX; i++)
		if (s->peers[i].ipc != NULL)
			peer_sent(&s->peers[i],
			    ipc_send(s->peers[i].ipc, type, 0, p, len));
}
