/*
 * dp-agent/keep.h - the device's files: what is under way, what is in place.
 *
 * Runs in the parent, which alone may write here. Parses nothing foreign: a
 * path and a hash come from the child, both are checked, the bytes of a file
 * are hashed and never looked at.
 *
 * target-dir/a/b.deb	   placed files, by their paths in the repository
 * target-dir/.dpoint/	   partial files by hash, on the same file system, so
 *			   that placing is one rename; <hash>.len holds the
 *			   length that is on disk for certain
 * state-dir/tuf/KEY	   what the child keeps: trusted metadata, byte for byte
 * state-dir/placed	   one line a placed file, appended; the last one counts
 *			   and status.json, the last round as it tells it
 *
 * Files are hashed a few MiB a turn of the loop, however large they are, so
 * that the parent hears its children and signals meanwhile. Such a job frees
 * itself after its one call of fn(), from the loop, or by keep_cancel(), which
 * calls nobody; *job is its caller's until then.
 *
 * Errors: 0 or a negative errno; -EBADMSG wrong bytes, -EINVAL a path or key
 *         that must not be, -EBUSY the child still has the file open, or it is
 *         being placed.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_KEEP_H
#define DP_AGENT_KEEP_H

#include "common/hash.h"
#include "common/loop.h"

#include <stdbool.h>

#define KEEP_PATH_LEN 1024

struct keep;
struct keep_job;
typedef void (*keep_fn)(void *ctx, int r);

/* Makes the directories and reads the list of placed files; logs what it cannot. */
int  keep_open(struct keep **out, struct loop *l, const char *target_dir,
     const char *state_dir);
void keep_close(struct keep **k); /* and its jobs */
void keep_cancel(struct keep_job **job);

/* Whether a path may name a file of ours: no empty, "." or ".." part, none
 * that begins with ".dpoint", no control byte. */
bool keep_path_is_good(const char *path);

/*
 * Whether the file is in place and right: 1 or 0, by the list if size and times
 * are still those; else -EINPROGRESS and fn is told, once it is hashed. Marks
 * the path as meant for this device.
 */
int keep_has(struct keep *k, const char *path, const struct hash *h,
    uint64_t size, keep_fn fn, void *ctx, struct keep_job **job);

/* The same of any size, and it is always hashed. */
int keep_is(struct keep *k, const char *path, const struct hash *h, keep_fn fn,
    void *ctx, struct keep_job **job);

/* A partial file: two descriptors, the caller's, and the length to go on after;
 * bytes beyond it are kept, and may be right or wrong.
 * Space for size bytes is reserved first: -ENOSPC before the first byte. */
int  keep_part_open(struct keep *k, const struct hash *h, uint64_t size,
     int *write_fd, int *read_fd, uint64_t *there);
void keep_part_sync(struct keep *k, const struct hash *h, uint64_t durable);
void keep_part_drop(struct keep *k, const struct hash *h);

/* All partial files: none is of use when everything is in place. */
void keep_parts_clear(struct keep *k);

/* No writer left, the hash is right, on disk, then renamed to its path: fn gets
 * 0 or why not. -EINPROGRESS, or another error at once. */
int keep_place(struct keep *k, const struct hash *h, const char *path,
    keep_fn fn, void *ctx, struct keep_job **job);

/* A round begins: nothing is marked. At its end: what is placed, unmarked and
 * still there is told once, and removed if so wished. */
void keep_marks_clear(struct keep *k);
void keep_unmarked(struct keep *k, bool remove,
    void (*tell)(void *ctx, const char *path, bool removed), void *ctx);

/* State by key, one of a few: replaced whole, atomically. -EINVAL: no such key. */
int keep_state_open(struct keep *k, const char *key); /* descriptor, -ENOENT */
int keep_state_put(struct keep *k, const char *key, int from_fd);

/* What is in place is hashed again the next time it is asked for. */
void keep_doubt(struct keep *k);

#endif
