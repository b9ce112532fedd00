/*
 * common/tuf.h - follows a TUF 1.0 repository: which file next, and whether to
 * believe it.
 *
 * No I/O and no clock: the caller fetches, stores and tells the time.
 *
 *	struct tuf_conf c = { .now = time(NULL), .save = keep_it, .arg = me };
 *	tuf_new(&t, &c);
 *	tuf_local(t, "root", bytes, len);	the trusted root; required
 *	tuf_local(t, "timestamp", bytes, len);	and whatever else save() kept
 *	while ((r = tuf_next(t, &want)) == 1)
 *		fetch <metadata url>/want.path, at most want.max bytes, then
 *		tuf_give(t, bytes, len), or tuf_missing(t) on 404 or 403
 *	r == 0: top-level roles are verified. r < 0: tuf_error(t) says why.
 *	while ((r = tuf_find(t, path, &target)) == -EAGAIN)
 *		the same loop: a delegated role is wanted first
 *
 * Anything short of a file's bytes or its absence (no connection, status 500)
 * is the caller's to retry: free the updater and begin again later. One updater
 * is one refresh, with one reference time.
 *
 * What to keep. save() is told of every file as soon as it may be trusted;
 * those bytes, by role, are what tuf_local() wants next time: they carry the
 * protection against rollback even when the refresh stops half-way. They need
 * not fit together then. Who serves or uses content while upstream is away
 * keeps a second, whole set: tuf_files() after a refresh that ended with 0.
 *
 * Offline (conf.offline): the files given by tuf_local() are verified as ever,
 * signatures, hashes and versions against each other, but may have expired;
 * tuf_next() never wants anything. tuf_files() says what has expired.
 *
 * The trusted root is the newest one save() kept, or the configured one when
 * there is none; a kept one that no longer verifies is -EBADMSG or -EACCES at
 * the first tuf_next(), and the configured one may then be tried instead.
 *
 * Errors: 0 or a negative errno, and tuf_error() one line that names file and
 * reason: "timestamp.json: version 3 is older than the trusted 5".
 *	-EBADMSG  malformed, or not the bytes that were signed for
 *	-EACCES	  too few good signatures
 *	-ESTALE	  older than what is trusted already (rollback, mix and match)
 *	-ETIME	  expired
 *	-ENOENT	  the repository (offline: the local state) does not have it
 *	-E2BIG	  beyond a limit
 *	-ENOMEM, or what save() returned
 * An error of a top-level role, or of any role after tuf_load_all(), is final:
 * tuf_next() repeats it. An error of a delegated role during tuf_find() concerns
 * that look-up, and later ones that meet the same delegation.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TUF_H
#define COMMON_TUF_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"

#define TUF_PATH_LEN 1024 /* of a URL path we make, with its NUL */

struct tuf;

/* A file that is trusted; borrowed: until the call returns. */
struct tuf_file {
	const char *role; /* "root", "timestamp", "snapshot", "targets", other */
	const char *path; /* below the metadata URL: "2.root.json", "a%2Fb.json" */
	const void *bytes;
	size_t	    len;
	int64_t	    version;
	int64_t	    expires; /* seconds since the epoch */
	bool	    expired; /* by conf.now */
};

struct tuf_conf {
	int64_t now;	 /* seconds since the epoch */
	bool	offline; /* see above */
	/* limits; 0 takes the default */
	size_t	 max_root;	  /* bytes: 512,000 */
	size_t	 max_timestamp;	  /* 16,384 */
	size_t	 max_snapshot;	  /* 2,000,000 */
	size_t	 max_targets;	  /* 5,000,000, of each targets role */
	unsigned max_rotations;	  /* new roots in one refresh: 256 */
	unsigned max_delegations; /* roles visited by one look-up: 32 */
	unsigned max_roles;	  /* targets roles held in all: 4,096 */
	/* May be NULL. An error it returns is the updater's. */
	int (*save)(void *arg, const struct tuf_file *f);
	void *arg;
};

struct tuf_want {
	char	    path[TUF_PATH_LEN]; /* below the metadata URL, percent-encoded */
	const char *role;		/* borrowed, until the next call */
	size_t	    max;		/* bytes; a longer file is given up */
	bool	    may_be_missing;	/* no error: there is no newer root */
};

/* Call once before a sandbox closes: libraries read their files here. */
int tuf_setup(void);

int  tuf_new(struct tuf **out, const struct tuf_conf *conf);
void tuf_free(struct tuf **t);

/* Before the first tuf_next(). Copied; what does not verify later is ignored,
 * except the root. */
int tuf_local(struct tuf *t, const char *role, const void *bytes, size_t len);

/* 1: *want is wanted. 0: nothing is. Negative: failed. */
int tuf_next(struct tuf *t, struct tuf_want *want);
/* Both answer the last tuf_next(); 0, or as tuf_next() would say. */
int	    tuf_give(struct tuf *t, const void *bytes, size_t len);
int	    tuf_missing(struct tuf *t);
const char *tuf_error(const struct tuf *t); /* "" when there was none */

/* From now on tuf_next() also wants every role that any role delegates to. */
void tuf_load_all(struct tuf *t);

struct tuf_target {
	const char   *path; /* in the repository; borrowed from the updater ... */
	const char   *role; /* that signs for it */
	int64_t	      length;
	bool	      has_sha256, has_sha512; /* at least one */
	struct hash   sha256;
	uint8_t	      sha512[64];
	const json_t *custom; /* ... as this is; NULL when there is none */
};

/*
 * 0; -ENOENT: no role that may sign for path has it; -EAGAIN: tuf_next() wants
 * a file first; other errors: a role on the way cannot be trusted. Top-level
 * roles must be verified before. tuf_error() is set for all but -EAGAIN.
 */
int tuf_find(struct tuf *t, const char *path, struct tuf_target *out);

/*
 * Every target of the loaded roles that tuf_find() gives, once. fn's non-zero
 * return ends it and is returned. After tuf_load_all() that is everything.
 */
int tuf_each(struct tuf *t, int (*fn)(void *arg, const struct tuf_target *),
	     void *arg);

/*
 * Where the target lies below the targets URL: "a/b" or, with consistent
 * snapshots, "a/<hash>.b"; the hash is the sha256 where there is one. What no URL
 * path may hold is percent-encoded. -E2BIG when it does not fit.
 */
int tuf_target_path(const struct tuf *t, const struct tuf_target *target,
		    char out[TUF_PATH_LEN]);

/*
 * Whether a path may name a file beneath a directory of ours: no empty, "." or
 * ".." part, no control character, no backslash. Paths are signed, not safe.
 */
bool tuf_path_is_plain(const char *path);

/* custom.dpoint.kind: "package", "update" ...; NULL when there is none. */
const char *tuf_target_kind(const struct tuf_target *target);
/* policy, task, assignment: what devices should have at once; NULL is not. */
bool tuf_kind_is_urgent(const char *kind);
/*
 * Whether it is meant for an agent of that group ("/hq/berlin"): custom.dpoint
 * lists no groups, or lists the group or one above it. A malformed list is for
 * nobody.
 */
bool tuf_target_for(const struct tuf_target *target, const char *group);
/* Whether it is meant for an agent of that group or of one below it. */
bool tuf_target_in_scope(const struct tuf_target *target, const char *scope);

/* Every verified metadata file: root, timestamp, snapshot, then targets roles. */
int tuf_files(struct tuf *t, int (*fn)(void *arg, const struct tuf_file *),
	      void *arg);

/* The version of a verified role; 0 when there is none. */
int64_t tuf_version(const struct tuf *t, const char *role);

/* A role's name made fit for a file name: percent-encoded, "/" too. */
int tuf_role_encode(const char *role, char out[TUF_PATH_LEN]);

#endif
