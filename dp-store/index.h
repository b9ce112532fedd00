/*
 * dp-store/index.h - what the store knows, in LMDB.
 *
 * Shape:   every function takes a transaction: of index_read() (the loop's
 *          thread, for the length of one handler; or any other thread, one at
 *          a time each) or of index_write() (one at a time in the process;
 *          LMDB makes the second wait). End with index_end() or index_commit().
 * Tables:  objects  hash -> size, mtime, last used
 *          refs     hash -> size, names of each space, pins: kept by
 *                   index_names_replace, whether the object is here or not
 *          names    space and name -> hash, size, pinned
 *          partials hash -> size, durable length, priority, name
 *          tables   role and key -> bytes: a role reaches only its own
 *          meta     version of all this; generation of each space
 * Errors:  0 or a negative errno: -ENOENT no such row, -ENOSPC no room in map
 *          or disk, -EUCLEAN a row cannot be read, -EPROTO another version,
 *          -EIO and others of the disk. After a failed commit other than
 *          -ENOSPC index_broken() is true: leave and start anew.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_STORE_INDEX_H
#define DP_STORE_INDEX_H

#include "common/hash.h"
#include "common/msg.h"

#include <stdbool.h>
#include <stdint.h>

#define INDEX_VERSION  2
#define INDEX_NAME_MAX 1024 /* bytes of a name */
#define INDEX_KEY_MAX  400  /* bytes of a key of a role's table */

struct index;
struct MDB_txn;

/* Of what LMDB gave, whose own codes are negative, the system's positive. */
int db_errno(int rc);

enum space { SPACE_CONTENT, SPACE_SITE, SPACE_MAX };
const char *space_name(enum space s);
int	    space_from_name(const char *name, enum space *out);

struct object {
	uint64_t size, mtime, used; /* times in seconds since 1970 */
};
struct refs {
	uint64_t size;
	uint32_t names[SPACE_MAX], pins;
};
struct named {
	struct hash hash;
	uint64_t    size;
	bool	    pinned, urgent;
};
struct partial {
	uint64_t size, durable;
	uint8_t	 prio;
	char	 name[INDEX_NAME_MAX + 1];
};
struct draft_name { /* one name to be; name is owned by whoever made it */
	struct named to;
	char	    *name;
};

/* dir exists. -EPROTO: *version is that of the index found. */
int  index_open(const char *dir, uint64_t map_bytes, struct index **out,
     uint32_t *version);
void index_close(struct index **ix);
bool index_broken(const struct index *ix);
/* Bytes of the map that are in use; may be called from the loop's thread. */
uint64_t index_bytes(struct index *ix);

int  index_read(struct index *ix, struct MDB_txn **out);  /* loop's thread */
int  index_begin(struct index *ix, struct MDB_txn **out); /* other readers */
int  index_write(struct index *ix, struct MDB_txn **out);
void index_end(struct index *ix, struct MDB_txn **t); /* NULL: nothing */
int  index_commit(struct index *ix, struct MDB_txn **t);

int index_object_get(struct index *ix, struct MDB_txn *t, const struct hash *h,
    struct object *out);
int index_object_put(struct index *ix, struct MDB_txn *t, const struct hash *h,
    const struct object *o);
int index_object_del(struct index *ix, struct MDB_txn *t, const struct hash *h);
int index_refs_get(struct index *ix, struct MDB_txn *t, const struct hash *h,
    struct refs *out);
int index_partial_get(struct index *ix, struct MDB_txn *t, const struct hash *h,
    struct partial *out);
int index_partial_put(struct index *ix, struct MDB_txn *t, const struct hash *h,
    const struct partial *p);
int index_partial_del(struct index *ix, struct MDB_txn *t,
    const struct hash *h);

int index_name_get(struct index *ix, struct MDB_txn *t, enum space s,
    const char *name, struct named *out);
/* The last of two equal names counts. New generation in *generation. */
int index_names_replace(struct index *ix, struct MDB_txn *t, enum space s,
    const struct draft_name *names, size_t n, uint64_t *generation);
int index_generation(struct index *ix, struct MDB_txn *t, enum space s,
    uint64_t *out); /* 0: never committed */

/* value is borrowed until the transaction ends or writes. */
int index_table_get(struct index *ix, struct MDB_txn *t, enum peer_role role,
    const char *key, const void **value, size_t *len);
/* len 0 deletes; deleting what is absent is no failure. */
int index_table_put(struct index *ix, struct MDB_txn *t, enum peer_role role,
    const char *key, const void *value, size_t len);

/* fn returns 0 to go on, else the walk ends with that. It must not write. */
int index_each_object(struct index *ix, struct MDB_txn *t,
    int (*fn)(void *ctx, const struct hash *h, const struct object *o),
    void *ctx);
int index_each_partial(struct index *ix, struct MDB_txn *t,
    int (*fn)(void *ctx, const struct hash *h, const struct partial *p),
    void *ctx);
/* In an order of the index's own; *from, if not NULL, is where to go on: zero
 * it first (32 bytes), it holds the place of the last row fn was called with. */
int index_each_name(struct index *ix, struct MDB_txn *t, enum space s,
    struct hash *from,
    int (*fn)(void *ctx, const char *name, const struct named *n), void *ctx);

#endif
