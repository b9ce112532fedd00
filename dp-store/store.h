/*
 * dp-store/store.h - the worker: what its parts share.
 *
 * The loop's thread reads the index and opens objects; whatever writes is a
 * job: `rows` does what is short and in order (partial files, names, tables),
 * `bulk` what takes as long as a file is large (publish, sync, verify). A
 * job never touches struct store but for `content` and `index`.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_STORE_STORE_H
#define DP_STORE_STORE_H

#include "common/sandbox.h"
#include "common/worker.h"
#include "dp-store/content.h"
#include "dp-store/index.h"
#include "dp-store/io.h"
#include "dp-store/names.h"
#include "dp-store/reports.h"

#define OPEN_MAX    256	 /* partial files open at once, over all peers */
#define TOUCH_SLOTS 1024 /* objects whose use is not yet in the index */

struct store;

struct peer { /* one a role; a new channel of the role replaces the old */
	struct store  *store;
	enum peer_role role;
	struct ipc    *ipc;  /* NULL: nobody is there */
	uint32_t       turn; /* counts channels: whose answer is this? */
	bool	       has_draft, bad_draft;
	enum space     space;
	struct draft   draft;
};

struct open_partial {
	bool	    used, publishing, syncing;
	struct hash hash;
	struct peer *owner;
	uint64_t    size;
};

struct store_stats {
	uint64_t lookups, published, published_bytes, refused, evicted, no_space;
};

struct store {
	struct worker	  *worker;
	struct loop	  *loop;
	struct index	  *index;
	struct content	  *content;
	struct io	  *rows, *bulk;
	struct reports	  *reports; /* with a thread of their own */
	struct peer	   peers[PEER_MAX];
	struct open_partial open[OPEN_MAX];
	struct hash	   touched[TOUCH_SLOTS];
	bool		   touch_set[TOUCH_SLOTS];
	size_t		   ntouched;
	struct loop_timer *touch_timer, *drain_timer;
	struct store_stats stats;
	bool		   low_space; /* said already */
	bool		   checking;  /* verify or repair is under way */
	bool		   draining;
};

/* dp-store/sandbox.c; the working directory is the store's by then. */
extern const struct sandbox store_sandbox;

/* dp-store/peer.c */
void peer_take(void *store, enum peer_role role, int take_fd);
void peer_tell_all(struct store *s, uint16_t type, const void *p, size_t len);
/* To the channel on which it was asked, if that is still there. */
void peer_answer(struct peer *p, uint32_t turn, uint16_t type, uint32_t id,
    const void *payload, size_t len);
/* What ipc_send gave: a peer that does not get what it waits for is cut off. */
void peer_sent(struct peer *p, int r);

/* dp-store/jobs.c: each answers request id of peer p when it is done. */
void job_partial_open(struct peer *p, uint32_t id, const struct hash *h,
    const struct partial *row);
void job_partial_sync(struct peer *p, const struct hash *h, uint64_t written);
void job_partial_done(struct peer *p, uint32_t id, const struct hash *h);
void job_partial_drop(struct peer *p, uint32_t id, const struct hash *h);
void job_put(struct peer *p, uint32_t id, const struct hash *h,
    const void *bytes, size_t len);
void job_names_commit(struct peer *p, uint32_t id, enum space space,
    struct draft *take_draft);
void job_table_put(struct peer *p, uint32_t id, const char *key,
    const void *bytes, size_t len);
void job_lost(struct store *s, const struct hash *h); /* its file is gone */
void job_touch(struct store *s, const struct hash *h);
void job_touch_flush(void *store);
void answer_no(struct peer *p, uint32_t turn, uint32_t id, int r,
    const char *text);
struct open_partial *open_find(struct store *s, const struct hash *h);

/* After every job and every look-up that failed: is the index still sound? */
void store_check(struct store *s);
void store_gone(struct store *s, const struct hash *h); /* tells the peers */

/* dp-store/admin.c */
extern const struct admin_command store_commands[];
void store_metrics(void *store, struct worker *w, struct admin_reply *reply);
void store_warnings(void *store, struct admin_reply *reply);

#endif
