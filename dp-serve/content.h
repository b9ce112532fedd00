/*
 * dp-serve/content.h - what can be served, and how far it is there.
 *
 * Shape:   a bounded table from request path to struct object. An object that
 *          is in the table costs no round trip; what is not is asked of the
 *          store, and what the store lacks of the fetcher, once for all who
 *          wait. Names are passed on as they stand in the request, but for
 *          the first slash: "repo/...", "site/...";
 *          "/objects/sha256/<hex>" is looked up by hash.
 * Reach:   what the content repository names is for everybody. "/site/..." is
 *          for devices, which have shown a certificate; so is a hash that no
 *          name of the content repository means, be it the site's, an older
 *          snapshot's or unknown: whoever may not read it is not told which.
 * Time:    OBJECT_ASKED -> OBJECT_GROWING -> OBJECT_READY or OBJECT_FAILED.
 *          Whoever holds a reference may read bytes below object_limit():
 *          all of a ready object, all but the last 64 KiB of a growing one,
 *          since its hash has not been compared yet.
 * Ownership: content_get gives a reference, object_unref returns it. An object
 *          that left the table (new snapshot, evicted, pushed out) lives on
 *          until its last reader has finished, and is found by nobody new.
 * Errors:  content_get: 0, -ENOENT (no such name can exist), -EACCES (for
 *          devices only), -ENOBUFS (too much is under way or in use), -ENOMEM.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SERVE_CONTENT_H
#define DP_SERVE_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"
#include "common/loop.h"

#define CONTENT_HOLD_BACK (64 * 1024) /* bytes of a growing object */
#define CONTENT_SMALL	  (16 * 1024) /* up to this, bytes are kept in memory */
#define CONTENT_SMALL_SUM (2 * 1024 * 1024) /* all of those together */
#define CONTENT_HEAD_MAX  384
#define CONTENT_PATH_MAX  1026 /* a name of the store, its slash, a NUL */

enum object_state { OBJECT_ASKED, OBJECT_GROWING, OBJECT_READY, OBJECT_FAILED };

enum object_reach {
	REACH_UNKNOWN, /* by hash, before the store has answered */
	REACH_ALL,
	REACH_DEVICES,
};

/* Somebody who waits for an object to change; woken is called out of no
 * function of content.h's own, so it may do as it likes. */
struct waiter {
	struct waiter *next, **prev; /* prev NULL: waits for nothing */
	void	      (*woken)(struct waiter *w);
};

struct object {
	enum object_state state;
	enum object_reach reach;
	int		  status;  /* FAILED: as HTTP says it */
	int		  fd;	   /* from GROWING on */
	uint64_t	  size, avail;
	int64_t		  mtime;
	struct hash	  hash;
	char		  etag[HASH_HEX + 2]; /* with its quotes */
	char		  fields[CONTENT_HEAD_MAX]; /* of a 200, empty line too */
	uint16_t	  fields_len;
	uint8_t		 *bytes;   /* of a small ready object, or of one that
				    * was made here; else NULL */

	/* content.c's own */
	struct content	 *table;
	struct object	 *chain, *older, *newer, *pending_next;
	struct waiter	 *waiters;
	uint64_t	  expires_ms; /* FAILED: until then not asked again */
	uint32_t	  refs, id, key;
	uint16_t	  path_len;
	bool		  in_table, asked_fetch, looked_twice, for_device;
	bool		  is_made;
	char		  path[];
};

struct content_counts {
	uint64_t objects, lookups, wants, hits;
	uint64_t small_bytes;
};

struct content;
struct ipc_msg;

/* What another part of this server asks of the store, over its one channel. */
struct content_reports {
	int  (*kept)(void *ctx, struct ipc_msg *m); /* MSG_REPORT_KEPT */
	void (*lost)(void *ctx); /* what was asked stays unanswered */
};

int  content_new(struct loop *l, unsigned max_objects, struct content **out);
void content_free(struct content **c);
/* A new channel to the store or the fetcher; takes fd. */
int  content_set_store(struct content *c, int take_fd);
int  content_set_fetch(struct content *c, int take_fd);
void content_set_reports(struct content *c, const struct content_reports *ops,
     void *ctx);
/* -ENOTCONN while the store is away, -ENOBUFS when it has too much to read. */
int  content_tell_store(struct content *c, uint16_t type, uint32_t id,
     const void *payload, size_t len);
void content_set_max(struct content *c, unsigned max_objects);
const struct content_counts *content_counts(const struct content *c);

/* is_device: who asks has shown a certificate. */
int	 content_get(struct content *c, const char *path, size_t len,
    bool is_device, struct object **out);
/* Whether the object may be shown; false as well while nobody knows. */
bool	 object_is_for(const struct object *o, bool is_device);
static inline struct object *
object_ref(struct object *o)
{
	o->refs++;
	return o;
}
void	 object_unref(struct object **o);
uint64_t object_limit(const struct object *o);
void	 object_wait(struct object *o, struct waiter *w);
void	 waiter_stop(struct waiter *w);

/*
 * What no store knows but a part of this server makes, in memory: in no table,
 * OBJECT_ASKED, with a reference for its maker. object_made gives it the bytes
 * it will have in all, taken, of which avail are there; again when more are.
 * tag becomes its ETag. object_refuse fails it with a status of HTTP's.
 */
int	 object_make(struct content *c, enum object_reach reach,
    struct object **out);
void	 object_made(struct object *o, const char *type, const struct hash *tag,
    uint8_t *take_bytes, uint64_t size, uint64_t avail);
void	 object_made_more(struct object *o, uint64_t avail);
void	 object_refuse(struct object *o, int status);

#endif
