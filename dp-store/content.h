/*
 * dp-store/content.h - the content directory.
 *
 * Shape:   objects/ab/<hex> are whole objects, partial/<hex> are downloads;
 *          nothing else is left there by content_reconcile(). Every path is
 *          made of a hash, below a directory held open.
 * Writers: the only descriptor that can write an object is the one of
 *          content_partial_open; what is handed out for reading was opened for
 *          reading. content_lease() proves that no writer is left.
 * Space:   content_reserve() makes room before anything is written: evicts the
 *          least recently used unpinned objects, those nobody has open first.
 *          An evicted object that somebody still has open is a ghost; its bytes
 *          count as used until the last descriptor is closed.
 * Threads: every function may run in any thread, except that one thread at a
 *          time may be in content_reserve().
 * Errors:  0 or a negative errno. -EUCLEAN: the disk holds something else.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_STORE_CONTENT_H
#define DP_STORE_CONTENT_H

#include "common/hash.h"
#include "dp-store/index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct content;

struct content_limits {
	uint64_t reserve, want_free, max_content; /* bytes; see store_conf */
};

struct content_counts { /* of the index, kept as it changes */
	uint64_t objects, bytes, ghosts, ghost_bytes;
};

struct content_found { /* by content_reconcile */
	uint64_t orphans, lost, partials;
};

struct hashes { /* grows; h is freed by whoever made it */
	struct hash *h;
	size_t	     n, size;
};
int hashes_add(struct hashes *a, const struct hash *h);

/* dir is opened and its layout made where it is missing. */
int  content_open(const char *dir, struct content **out);
void content_close(struct content **c);
void content_set_limits(struct content *c, const struct content_limits *l);
struct content_counts content_counts(struct content *c);
int  content_free_bytes(struct content *c, uint64_t *out);

/* Makes index and directory agree, cheaply: names and sizes, no hashing. */
int content_reconcile(struct content *c, struct index *ix,
    struct content_found *out);

/*
 * While others work: counts, or removes, files without a row that have been so
 * for a minute; younger ones may be on their way into the index.
 */
int content_orphans(struct content *c, struct index *ix, bool remove,
    uint64_t *n);

int content_object_open(struct content *c, const struct hash *h, int *fd);
/* Row first, then file: call this after the row is gone from the disk. */
int content_object_unlink(struct content *c, const struct hash *h);

/*
 * Opens or makes the partial file and reserves its space; what it holds after
 * `durable` is cut off, and *durable shrinks to what there really is.
 */
int content_partial_open(struct content *c, const struct hash *h, uint64_t size,
    uint64_t *durable, int *write_fd, int *read_fd);
int content_partial_read(struct content *c, const struct hash *h, int *fd);
/* Syncs; gives how many bytes there are. */
int content_partial_sync(struct content *c, const struct hash *h,
    uint64_t *size);
int content_partial_unlink(struct content *c, const struct hash *h);

/* -EAGAIN while anyone may still write through any descriptor. */
int content_lease(int fd);
/* Does anyone but fd's holder have it open? fd is opened for reading. */
bool content_is_shared(int fd);

/* The partial file also under its object name, and the name on the disk. */
int content_link(struct content *c, const struct hash *h);
/* A whole small object on the disk, under its object name. */
int content_put(struct content *c, const struct hash *h, const void *bytes,
    size_t len);

/*
 * Makes room for `need` bytes more. Evicted objects are added to *evicted,
 * also on failure. -ENOSPC: the reserve, or max-content, would be touched.
 */
int content_reserve(struct content *c, struct index *ix, uint64_t need,
    struct hashes *evicted);

/* Counters, called when a row of an object was committed or deleted. */
void content_count(struct content *c, int objects, int64_t bytes);

/* The hash of what fd holds; checks its size first: -EBADMSG. */
int content_hash(int fd, uint64_t size, struct hash *out);

#endif
