/*
 * dp-store/index.c - rows and transactions; see index.h.
 *
 * Runs in dp-store, in its loop (reading) and its I/O threads. Believes
 * nothing a disk gives back: a row is parsed like a message. Values are
 * written field by field, big-endian, so that an index moves between machines.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/index.h"

#include "common/log.h"
#include "common/rd.h"
#include "common/size.h"
#include "common/wr.h"

#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { DB_META, DB_OBJECTS, DB_REFS, DB_NAMES, DB_PARTIALS, DB_TABLES, DB_MAX };
static const char *const db_names[DB_MAX] = { "meta", "objects", "refs", "names",
	"partials", "tables" };

struct index {
	MDB_env	   *env;
	MDB_dbi	    dbi[DB_MAX];
	MDB_txn	   *reader; /* the loop's; reset while nobody reads */
	atomic_bool broken;
};

static const char *const spaces[SPACE_MAX] = { "content", "site" };

const char *
space_name(enum space s)
{
	return spaces[s];
}

int
space_from_name(const char *name, enum space *out)
{
	for (int i = 0; i < SPACE_MAX; i++)
		if (strcmp(name, spaces[i]) == 0) {
			*out = (enum space)i;
			return 0;
		}
	return -ENOENT;
}

int
db_errno(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return -ENOSPC;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
		return -EUCLEAN;
	case MDB_VERSION_MISMATCH:
		return -EPROTO;
	default:
		return rc > 0 ? -rc : -EIO;
	}
}

/* -- transactions -- */

int
index_read(struct index *ix, MDB_txn **out)
{
	int rc;

	*out = NULL;
	if (ix->reader == NULL)
		rc = mdb_txn_begin(ix->env, NULL, MDB_RDONLY, &ix->reader);
	else
		rc = mdb_txn_renew(ix->reader);
	if (rc == 0)
		*out = ix->reader;
	return db_errno(rc);
}

int
index_begin(struct index *ix, MDB_txn **out)
{
	return db_errno(mdb_txn_begin(ix->env, NULL, MDB_RDONLY, out));
}

int
index_write(struct index *ix, MDB_txn **out)
{
	*out = NULL;
	if (index_broken(ix))
		return -EIO;
	return db_errno(mdb_txn_begin(ix->env, NULL, 0, out));
}

void
index_end(struct index *ix, MDB_txn **t)
{
	if (*t == NULL)
		return;
	if (*t == ix->reader)
		mdb_txn_reset(*t);
	else
		mdb_txn_abort(*t);
	*t = NULL;
}

int
index_commit(struct index *ix, MDB_txn **t)
{
	int r = db_errno(mdb_txn_commit(*t));

	*t = NULL;
	if (r < 0 && r != -ENOSPC) {
		/* what is on the disk now is known only after a fresh look */
		log_err_err(r, "index: commit");
		atomic_store(&ix->broken, true);
	}
	return r;
}

bool
index_broken(const struct index *ix)
{
	return atomic_load(&ix->broken);
}

uint64_t
index_bytes(struct index *ix)
{
	MDB_envinfo info;
	MDB_stat    st;

	if (mdb_env_info(ix->env, &info) != 0 || mdb_env_stat(ix->env, &st) != 0)
		return 0;
	return (uint64_t)st.ms_psize * (info.me_last_pgno + 1);
}

/* -- rows -- */

static int
get(struct index *ix, MDB_txn *t, int db, const void *key, size_t klen,
    struct rd *out)
{
	MDB_val k = { klen, (void *)key }, v;
	int	r = db_errno(mdb_get(t, ix->dbi[db], &k, &v));

	if (r == 0)
		*out = rd_from(v.mv_data, v.mv_size);
	return r;
}

static int
put(struct index *ix, MDB_txn *t, int db, const void *key, size_t klen,
    const void *value, size_t len)
{
	MDB_val k = { klen, (void *)key }, v = { len, (void *)value };

	return db_errno(mdb_put(t, ix->dbi[db], &k, &v, 0));
}

static int
del(struct index *ix, MDB_txn *t, int db, const void *key, size_t klen)
{
	MDB_val k = { klen, (void *)key };

	return db_errno(mdb_del(t, ix->dbi[db], &k, NULL));
}

static int
row_done(const struct rd *r)
{
	return rd_done(r) < 0 ? -EUCLEAN : 0;
}

static void
get_hash(struct rd *r, struct hash *h)
{
	const uint8_t *p = rd_bytes(r, HASH_LEN);

	if (p != NULL)
		memcpy(h->b, p, HASH_LEN);
}

static int
object_parse(struct rd r, struct object *o)
{
	o->size = rd_u64(&r);
	o->mtime = rd_u64(&r);
	o->used = rd_u64(&r);
	return row_done(&r);
}

static int
partial_parse(struct rd r, struct partial *p)
{
	p->size = rd_u64(&r);
	p->durable = rd_u64(&r);
	p->prio = rd_u8(&r);
	rd_str(&r, p->name, sizeof(p->name));
	return row_done(&r);
}

/* The name follows, when the caller wants it. */
static int
named_parse(struct rd r, struct named *n, char *name, size_t size)
{
	uint8_t flags;

	get_hash(&r, &n->hash);
	n->size = rd_u64(&r);
	flags = rd_u8(&r);
	n->pinned = (flags & NAME_PINNED) != 0;
	n->urgent = (flags & NAME_URGENT) != 0;
	rd_str(&r, name, size);
	return row_done(&r);
}

int
index_object_get(struct index *ix, MDB_txn *t, const struct hash *h,
    struct object *out)
{
	struct rd r;
	int	  rc = get(ix, t, DB_OBJECTS, h->b, HASH_LEN, &r);

	return rc < 0 ? rc : object_parse(r, out);
}

int
index_object_put(struct index *ix, MDB_txn *t, const struct hash *h,
    const struct object *o)
{
	uint8_t	  buf[24];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u64(&w, o->size);
	wr_u64(&w, o->mtime);
	wr_u64(&w, o->used);
	return put(ix, t, DB_OBJECTS, h->b, HASH_LEN, buf, w.len);
}

int
index_object_del(struct index *ix, MDB_txn *t, const struct hash *h)
{
	return del(ix, t, DB_OBJECTS, h->b, HASH_LEN);
}

int
index_refs_get(struct index *ix, MDB_txn *t, const struct hash *h,
    struct refs *out)
{
	struct rd r;
	int	  rc = get(ix, t, DB_REFS, h->b, HASH_LEN, &r);

	if (rc < 0)
		return rc;
	out->size = rd_u64(&r);
	for (int s = 0; s < SPACE_MAX; s++)
		out->names[s] = rd_u32(&r);
	out->pins = rd_u32(&r);
	return row_done(&r);
}

int
index_partial_get(struct index *ix, MDB_txn *t, const struct hash *h,
    struct partial *out)
{
	struct rd r;
	int	  rc = get(ix, t, DB_PARTIALS, h->b, HASH_LEN, &r);

	return rc < 0 ? rc : partial_parse(r, out);
}

int
index_partial_put(struct index *ix, MDB_txn *t, const struct hash *h,
    const struct partial *p)
{
	uint8_t	  buf[17 + 2 + INDEX_NAME_MAX];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u64(&w, p->size);
	wr_u64(&w, p->durable);
	wr_u8(&w, p->prio);
	wr_str(&w, p->name);
	if (w.err < 0)
		return w.err;
	return put(ix, t, DB_PARTIALS, h->b, HASH_LEN, buf, w.len);
}

int
index_partial_del(struct index *ix, MDB_txn *t, const struct hash *h)
{
	return del(ix, t, DB_PARTIALS, h->b, HASH_LEN);
}

/* -- names: the key is the space and the hash of the name, since names are
 *    longer than LMDB's keys; the name itself stands in the value -- */

#define NAME_KEY (1 + HASH_LEN)

static int
name_key(uint8_t key[NAME_KEY], enum space s, const char *name)
{
	struct hash h;
	int	    r = hash_of(&h, name, strlen(name));

	key[0] = (uint8_t)s;
	memcpy(key + 1, h.b, HASH_LEN);
	return r;
}

int
index_name_get(struct index *ix, MDB_txn *t, enum space s, const char *name,
    struct named *out)
{
	char	  found[INDEX_NAME_MAX + 1];
	uint8_t	  key[NAME_KEY];
	struct rd r;
	int	  rc = name_key(key, s, name);

	if (rc == 0)
		rc = get(ix, t, DB_NAMES, key, sizeof(key), &r);
	if (rc == 0)
		rc = named_parse(r, out, found, sizeof(found));
	return rc;
}

static int
refs_add(struct index *ix, MDB_txn *t, enum space s, const struct named *n,
    int by)
{
	struct refs f = { .size = n->size };
	uint8_t	    buf[8 + 4 * SPACE_MAX + 4];
	struct wr   w = wr_to(buf, sizeof(buf));
	uint32_t    all = 0;
	int	    r = index_refs_get(ix, t, &n->hash, &f);

	if (r < 0 && r != -ENOENT)
		return r;
	if (by < 0 && (f.names[s] == 0 || (n->pinned && f.pins == 0)))
		return -EUCLEAN;
	f.names[s] += (uint32_t)by;
	if (n->pinned)
		f.pins += (uint32_t)by;
	f.size = n->size;
	wr_u64(&w, f.size);
	for (int i = 0; i < SPACE_MAX; i++) {
		wr_u32(&w, f.names[i]);
		all |= f.names[i];
	}
	if (all == 0)
		return del(ix, t, DB_REFS, n->hash.b, HASH_LEN);
	wr_u32(&w, f.pins);
	return put(ix, t, DB_REFS, n->hash.b, HASH_LEN, buf, w.len);
}

static int
names_clear(struct index *ix, MDB_txn *t, enum space s)
{
	uint8_t	     first[NAME_KEY] = { (uint8_t)s };
	char	     name[INDEX_NAME_MAX + 1];
	MDB_val	     k = { sizeof(first), first }, v;
	MDB_cursor  *c;
	struct named n;
	int	     rc = mdb_cursor_open(t, ix->dbi[DB_NAMES], &c), r;

	if (rc != 0)
		return db_errno(rc);
	r = 0;
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); r == 0 && rc == 0;
	    rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (k.mv_size != NAME_KEY || ((uint8_t *)k.mv_data)[0] != s)
			break;
		r = named_parse(rd_from(v.mv_data, v.mv_size), &n, name,
		    sizeof(name));
		if (r == 0)
			r = refs_add(ix, t, s, &n, -1);
		if (r == 0)
			r = db_errno(mdb_cursor_del(c, 0));
	}
	mdb_cursor_close(c);
	return r < 0 || rc == 0 || rc == MDB_NOTFOUND ? r : db_errno(rc);
}

static int
name_put(struct index *ix, MDB_txn *t, enum space s, const struct draft_name *d)
{
	uint8_t	     key[NAME_KEY], buf[HASH_LEN + 9 + 2 + INDEX_NAME_MAX];
	struct wr    w = wr_to(buf, sizeof(buf));
	struct named old;
	int	     r = index_name_get(ix, t, s, d->name, &old);

	if (r == 0)
		r = refs_add(ix, t, s, &old, -1);
	if (r == -ENOENT)
		r = 0;
	wr_bytes(&w, d->to.hash.b, HASH_LEN);
	wr_u64(&w, d->to.size);
	wr_u8(&w, (uint8_t)((d->to.pinned ? NAME_PINNED : 0) |
			  (d->to.urgent ? NAME_URGENT : 0)));
	wr_str(&w, d->name);
	if (r == 0)
		r = w.err;
	if (r == 0)
		r = name_key(key, s, d->name);
	if (r == 0)
		r = put(ix, t, DB_NAMES, key, sizeof(key), buf, w.len);
	return r < 0 ? r : refs_add(ix, t, s, &d->to, 1);
}

int
index_names_replace(struct index *ix, MDB_txn *t, enum space s,
    const struct draft_name *names, size_t n, uint64_t *generation)
{
	const char *key = space_name(s);
	uint8_t	    buf[8];
	struct wr   w = wr_to(buf, sizeof(buf));
	int	    r = index_generation(ix, t, s, generation);

	if (r == 0)
		r = names_clear(ix, t, s);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = name_put(ix, t, s, &names[i]);
	wr_u64(&w, ++*generation);
	return r < 0 ? r : put(ix, t, DB_META, key, strlen(key), buf, w.len);
}

int
index_generation(struct index *ix, MDB_txn *t, enum space s, uint64_t *out)
{
	const char *key = space_name(s);
	struct rd   r;
	int	    rc = get(ix, t, DB_META, key, strlen(key), &r);

	*out = 0;
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	*out = rd_u64(&r);
	return row_done(&r);
}

/* -- tables of the roles -- */

static int
table_key(uint8_t buf[INDEX_KEY_MAX + 1], enum peer_role role, const char *key,
    size_t *len)
{
	*len = strlen(key) + 1;
	if (*len == 1 || *len > INDEX_KEY_MAX + 1)
		return -EINVAL;
	buf[0] = (uint8_t)role;
	memcpy(buf + 1, key, *len - 1);
	return 0;
}

int
index_table_get(struct index *ix, MDB_txn *t, enum peer_role role,
    const char *key, const void **value, size_t *len)
{
	uint8_t	  buf[INDEX_KEY_MAX + 1];
	struct rd r;
	size_t	  klen;
	int	  rc = table_key(buf, role, key, &klen);

	if (rc == 0)
		rc = get(ix, t, DB_TABLES, buf, klen, &r);
	if (rc == 0) {
		*len = r.left;
		*value = rd_bytes(&r, r.left);
	}
	return rc;
}

int
index_table_put(struct index *ix, MDB_txn *t, enum peer_role role,
    const char *key, const void *value, size_t len)
{
	uint8_t buf[INDEX_KEY_MAX + 1];
	size_t	klen;
	int	r = table_key(buf, role, key, &klen);

	if (r < 0)
		return r;
	if (len > 0)
		return put(ix, t, DB_TABLES, buf, klen, value, len);
	r = del(ix, t, DB_TABLES, buf, klen);
	return r == -ENOENT ? 0 : r;
}

/* -- walks -- */

static int
walk(struct index *ix, MDB_txn *t, int db, MDB_val *from,
    int (*fn)(void *ctx, MDB_val *k, MDB_val *v), void *ctx)
{
	MDB_val	    k = { 0 }, v;
	MDB_cursor *c;
	int	    rc = mdb_cursor_open(t, ix->dbi[db], &c), r = 0;

	if (rc != 0)
		return db_errno(rc);
	if (from != NULL)
		k = *from;
	for (rc = mdb_cursor_get(c, &k, &v,
		 from != NULL ? MDB_SET_RANGE : MDB_FIRST);
	    rc == 0 && r == 0; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT))
		r = fn(ctx, &k, &v);
	mdb_cursor_close(c);
	return r != 0 || rc == MDB_NOTFOUND ? r : db_errno(rc);
}

static int
key_hash(const MDB_val *k, struct hash *h)
{
	if (k->mv_size != HASH_LEN)
		return -EUCLEAN;
	memcpy(h->b, k->mv_data, HASH_LEN);
	return 0;
}

struct object_walk {
	int (*fn)(void *ctx, const struct hash *h, const struct object *o);
	void *ctx;
};

static int
walk_object(void *ctx, MDB_val *k, MDB_val *v)
{
	struct object_walk *w = ctx;
	struct object	    o;
	struct hash	    h;

	if (key_hash(k, &h) < 0 ||
	    object_parse(rd_from(v->mv_data, v->mv_size), &o) < 0)
		return -EUCLEAN;
	return w->fn(w->ctx, &h, &o);
}

int
index_each_object(struct index *ix, MDB_txn *t,
    int (*fn)(void *ctx, const struct hash *h, const struct object *o),
    void *ctx)
{
	struct object_walk w = { fn, ctx };

	return walk(ix, t, DB_OBJECTS, NULL, walk_object, &w);
}

struct partial_walk {
	int (*fn)(void *ctx, const struct hash *h, const struct partial *p);
	void *ctx;
};

static int
walk_partial(void *ctx, MDB_val *k, MDB_val *v)
{
	struct partial_walk *w = ctx;
	struct partial	     p;
	struct hash	     h;

	if (key_hash(k, &h) < 0 ||
	    partial_parse(rd_from(v->mv_data, v->mv_size), &p) < 0)
		return -EUCLEAN;
	return w->fn(w->ctx, &h, &p);
}

int
index_each_partial(struct index *ix, MDB_txn *t,
    int (*fn)(void *ctx, const struct hash *h, const struct partial *p),
    void *ctx)
{
	struct partial_walk w = { fn, ctx };

	return walk(ix, t, DB_PARTIALS, NULL, walk_partial, &w);
}

#define WALK_END (1 << 16) /* the next space begins; no fn gives this */

struct name_walk {
	enum space   space;
	struct hash *from;
	bool	     skip; /* the row the last walk ended with */
	int (*fn)(void *ctx, const char *name, const struct named *n);
	void *ctx;
};

static int
walk_name(void *ctx, MDB_val *k, MDB_val *v)
{
	struct name_walk *w = ctx;
	char		  name[INDEX_NAME_MAX + 1];
	struct named	  n;
	const uint8_t	 *key = k->mv_data;

	if (k->mv_size != NAME_KEY)
		return -EUCLEAN;
	if (key[0] != w->space)
		return WALK_END;
	if (w->skip && memcmp(key + 1, w->from->b, HASH_LEN) == 0)
		return 0;
	if (named_parse(rd_from(v->mv_data, v->mv_size), &n, name,
		sizeof(name)) < 0)
		return -EUCLEAN;
	if (w->from != NULL)
		memcpy(w->from->b, key + 1, HASH_LEN);
	return w->fn(w->ctx, name, &n);
}

int
index_each_name(struct index *ix, MDB_txn *t, enum space s, struct hash *from,
    int (*fn)(void *ctx, const char *name, const struct named *n), void *ctx)
{
	struct name_walk w = { s, from, false, fn, ctx };
	uint8_t		 key[NAME_KEY] = { (uint8_t)s };
	MDB_val		 k = { sizeof(key), key };
	int		 r;

	if (from != NULL) {
		for (int i = 0; i < HASH_LEN; i++)
			w.skip |= from->b[i] != 0;
		memcpy(key + 1, from->b, HASH_LEN);
	}
	r = walk(ix, t, DB_NAMES, &k, walk_name, &w);
	return r == WALK_END ? 0 : r;
}

/* -- open -- */

static int
check_version(struct index *ix, MDB_txn *t, uint32_t *version)
{
	uint8_t	  buf[4];
	struct wr w = wr_to(buf, sizeof(buf));
	struct rd r;
	int	  rc = get(ix, t, DB_META, "version", 7, &r);

	*version = INDEX_VERSION;
	if (rc == -ENOENT) {
		wr_u32(&w, INDEX_VERSION);
		return put(ix, t, DB_META, "version", 7, buf, w.len);
	}
	if (rc < 0)
		return rc;
	*version = rd_u32(&r);
	if (row_done(&r) < 0)
		return -EUCLEAN;
	return *version == INDEX_VERSION ? 0 : -EPROTO;
}

int
index_open(const char *dir, uint64_t map_bytes, struct index **out,
    uint32_t *version)
{
	struct index *ix = calloc(1, sizeof(*ix));
	MDB_txn	     *t = NULL;
	int	      rc, r;

	*out = NULL;
	*version = 0;
	if (ix == NULL)
		return -ENOMEM;
	rc = mdb_env_create(&ix->env);
	if (rc == 0)
		rc = mdb_env_set_mapsize(ix->env, (size_t)map_bytes);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(ix->env, DB_MAX);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(ix->env, 8);
	/* NOTLS: a reader belongs to its transaction, not to its thread */
	if (rc == 0)
		rc = mdb_env_open(ix->env, dir, MDB_NOTLS, 0600);
	if (rc == 0)
		rc = mdb_txn_begin(ix->env, NULL, 0, &t);
	for (int i = 0; rc == 0 && i < DB_MAX; i++)
		rc = mdb_dbi_open(t, db_names[i], MDB_CREATE, &ix->dbi[i]);
	r = db_errno(rc);
	if (r == 0)
		r = check_version(ix, t, version);
	if (r == 0)
		r = index_commit(ix, &t);
	index_end(ix, &t);
	/* the loop's reader takes its slot, and its lock, before the sandbox */
	if (r == 0 && (r = index_read(ix, &t)) == 0)
		index_end(ix, &t);
	if (r < 0) {
		index_close(&ix);
		return r;
	}
	*out = ix;
	return 0;
}

void
index_close(struct index **ix)
{
	if (*ix == NULL)
		return;
	if ((*ix)->reader != NULL)
		mdb_txn_abort((*ix)->reader);
	mdb_env_close((*ix)->env);
	free(*ix);
	*ix = NULL;
}
