/*
 * common/store_client.h - what a worker asks of the store, typed.
 *
 * Shape:   every request takes a function that is called once with the answer,
 *          later, from the loop; requests are answered in any order. A request
 *          that gives a negative result was not sent and is never answered.
 *          ctx of a request must live until its answer or store_cancel().
 * Names:   a name is the path below the server's root, such as
 *          "repo/metadata/timestamp.json", at most STORE_NAME_MAX bytes. A
 *          space ("content", "site") is a set of names replaced as a whole.
 * Ownership: descriptors of a good answer (r == 0) are the callee's to close;
 *          everything else in it is borrowed during the call.
 * Restart: when the channel breaks, what is unanswered is answered -ENOTCONN,
 *          then ops->broken runs; requests give -ENOTCONN until
 *          store_client_attach() brings the new channel. A partial file that
 *          was open is to be opened again (close the old descriptor first).
 * Errors:  in answer.r. -ENOENT neither stored nor named; -ENODATA named but
 *          not here (hash, size, spaces are set); -EEXIST already an object; -EBUSY
 *          open for somebody else; -ENOSPC; -EBADMSG the bytes are not what
 *          their hash says (the partial file is gone); -EPERM not for this
 *          role; -EIO and other errors of the store's disk.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_STORE_CLIENT_H
#define COMMON_STORE_CLIENT_H

#include "common/hash.h"
#include "common/loop.h"
#include "common/msg.h"
#include "common/rd.h"
#include "common/report.h"

#include <stdbool.h>

#define STORE_NAME_MAX	1024
#define STORE_SPACE_MAX 16
#define STORE_KEY_MAX	400
#define STORE_PUT_MAX	(MSG_MAX_PAYLOAD - HASH_LEN)
#define STORE_VALUE_MAX (MSG_MAX_PAYLOAD - 2 - STORE_KEY_MAX)
#define STORE_REPORT_MAX (MSG_MAX_PAYLOAD - REPORT_DEVICE_LEN - 8)
#define STORE_HAVE_MAX	2047 /* hashes of one store_have */

struct store_client;

struct store_answer {
	int	       r;
	const char    *text;	 /* why, for the log; "" when r == 0 */
	struct hash    hash;	 /* of the object or partial file */
	uint64_t       size;	 /* of the object */
	uint64_t       mtime;	 /* seconds since 1970: when it was published */
	uint8_t	       spaces;	 /* enum spaces: who names it now */
	uint64_t       durable;	 /* bytes of the partial file to go on after */
	int	       fd;	 /* read-only; -1: none */
	int	       write_fd; /* of a partial file; -1: none */
	const uint8_t *bytes;	 /* table value; 0 and 1 of store_have; rows of
				  * store_names_list */
	size_t	       len;
	bool	       more;	 /* of store_names_list: not the last page */
	struct report_id report; /* of store_report_take, its body in bytes */
	uint64_t       highest;	 /* sequence known, of store_report_put */
};
typedef void (*store_fn)(void *ctx, const struct store_answer *a);

struct store_name {
	const char *name;
	struct hash hash;
	uint64_t    size;
	bool	    pinned, urgent; /* as enum name_flags */
};

struct store_client_ops { /* each may be NULL */
	/* All names of the space are those of its last commit now. */
	void (*snapshot)(void *ctx, const char *space, uint64_t generation);
	/* The object left the store: descriptors of it hold its space. */
	void (*evicted)(void *ctx, const struct hash *h);
	void (*broken)(void *ctx, int r);
};

/* take_fd: the channel as worker_peer() gave it, or -1: attached later. Attaching
 * ends the channel before; -ECANCELED: who was told of that has freed c. */
int  store_client_new(struct loop *l, int take_fd,
     const struct store_client_ops *ops, void *ctx, struct store_client **out);
int  store_client_attach(struct store_client *c, int take_fd);
void store_client_free(struct store_client **c); /* answers nothing */
bool store_client_connected(const struct store_client *c);

/* Forgets every request with this ctx: no answer, descriptors closed. */
void store_cancel(struct store_client *c, const void *ctx);

/*
 * A partial file of exactly size bytes: space is reserved, write_fd stands at
 * 0 and takes pwrite(), fd follows it. What the file holds before `durable` is
 * from an earlier attempt and kept. One writer at a time: -EBUSY.
 */
int store_partial_open(struct store_client *c, const struct hash *h,
    uint64_t size, enum priority prio, const char *name, store_fn fn,
    void *ctx);
/* So many bytes are written: the store syncs them and remembers. Every few
 * MiB is right; it costs the caller nothing. */
int store_partial_sync(struct store_client *c, const struct hash *h,
    uint64_t written);
/* Leaves off, keeps the bytes; write_fd is closed. Not answered. */
int store_partial_close(struct store_client *c, const struct hash *h,
    uint64_t written);
/* write_fd is closed, all is written: hash again, publish. */
int store_partial_done(struct store_client *c, const struct hash *h,
    store_fn fn, void *ctx);
/* The bytes are wrong, or no longer wanted: delete them. */
int store_partial_drop(struct store_client *c, const struct hash *h,
    store_fn fn, void *ctx);
/* A whole object of at most STORE_PUT_MAX bytes; -EEXIST is no failure. */
int store_put(struct store_client *c, const struct hash *h, const void *bytes,
    size_t len, store_fn fn, void *ctx);

/* 0: hash, size, mtime, spaces, fd. */
int store_lookup_name(struct store_client *c, const char *name, store_fn fn,
    void *ctx);
int store_lookup_hash(struct store_client *c, const struct hash *h, store_fn fn,
    void *ctx);
/* n at most STORE_HAVE_MAX; bytes[i] is 1 where hashes[i] is an object. */
int store_have(struct store_client *c, const struct hash *hashes, size_t n,
    store_fn fn, void *ctx);

/*
 * Replaces the names of a space: begin (drops a draft of this channel), add as
 * often as needed, commit. Objects need not be there. One draft a channel.
 * -ECANCELED from commit: an add was refused, nothing changed.
 */
int store_names_begin(struct store_client *c, const char *space, store_fn fn,
    void *ctx);
int store_names_add(struct store_client *c, const struct store_name *names,
    size_t n);
int store_names_commit(struct store_client *c, const char *space, store_fn fn,
    void *ctx);

/*
 * One page of a space's names, in an order of the store's own: from is all zero
 * at first, then hash of the last answer. For the multicast sender only. The
 * rows are read with store_names_row. A snapshot that comes between two pages
 * mixes them: begin anew then.
 */
int store_names_list(struct store_client *c, const char *space,
    const struct hash *from, store_fn fn, void *ctx);
/* 1: a row, name[STORE_NAME_MAX + 1] filled and n->name its address; 0: the
 * end; -EBADMSG. */
int store_names_row(struct rd *rows, struct store_name *n, char *name);

/* This role's own table. put with len 0 deletes; get of an absent key is
 * -ENOENT. The value is in force, and on disk, when put is answered. */
int store_table_get(struct store_client *c, const char *key, store_fn fn,
    void *ctx);
int store_table_put(struct store_client *c, const char *key, const void *bytes,
    size_t len, store_fn fn, void *ctx);

/*
 * Reports of devices, for who forwards them. take is answered when there is a
 * report, be it tomorrow; until its end is told, and that is answered, nobody
 * gets another one of the same device. REPORT_LATER: it is given out again, hold_ms
 * from now at the soonest, and other devices' first. status: what the server
 * answered, for REPORT_REFUSED.
 */
int store_report_take(struct store_client *c, store_fn fn, void *ctx);
int store_report_done(struct store_client *c, const struct report_id *id,
    enum report_end end, uint16_t status, uint32_t hold_ms, store_fn fn,
    void *ctx);

/*
 * One of this distribution point's own, of at most STORE_REPORT_MAX bytes. 0: it is
 * kept. -EEXIST: answer.highest, which is not below its sequence, was kept before;
 * -ENOSPC: no room for it.
 */
int store_report_put(struct store_client *c, const struct report_id *id,
    const void *bytes, size_t len, store_fn fn, void *ctx);

#endif
