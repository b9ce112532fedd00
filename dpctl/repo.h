/*
 * dpctl/repo.h - a TUF 1.0 repository that is being authored.
 *
 *	DIR/metadata/	what the web server serves: N.root.json, N.ROLE.json,
 *			N.snapshot.json, timestamp.json; the role "groups/hq" is at
 *			N.groups/hq.json
 *	DIR/targets/	... and this: a/<sha256>.b for the target "a/b"
 *	DIR/repo.json	where the keys are, how long each role is good for, and what
 *			was added or removed since the last publish; may be lost: then
 *			--keys and --root-keys are given anew
 *	DIR/waiting.root.json	a root that has not all signatures yet
 * Documents are {"signatures": [...], "signed": {...}}, their shape checked by
 * common/tuf_meta.h when they are read.
 * Status and errors as in dpctl.h.
 * SPDX-License-Identifier: ISC
 */
#ifndef DPCTL_REPO_H
#define DPCTL_REPO_H

#include "common/tuf_meta.h"
#include "dpctl/dpctl.h"
#include "dpctl/keys.h"

#define DAY INT64_C(86400)

struct repo {
	const char    *dir;
	int	       lock;	 /* on the directory, until repo_close */
	json_t	      *conf;	 /* repo.json */
	struct keyring keys;	 /* online */
	struct keyring root_keys;
	json_t	      *root, *timestamp, *snapshot;
	json_t	      *roles;	 /* name -> document, "targets" among them */
	json_t	      *changed;	 /* name -> true: to be written by the next publish */
	int64_t	       now;
};

enum repo_keys { REPO_NO_KEYS, REPO_ONLINE_KEYS, REPO_ROOT_KEYS, REPO_ALL_KEYS };

/* repo_open takes the lock and loads all; repo_close is needed on failure too. */
int  repo_begin(struct repo *r, const char *dir);
int  repo_open(struct repo *r, struct args *a, enum repo_keys which);
void repo_close(struct repo *r);
int  repo_save(struct repo *r); /* repo.json */

/* {"_type", "spec_version", "version": 0, "expires"} plus what extra has (taken). */
json_t *doc_new(const char *type, json_t *extra);
json_t *doc_signed(const json_t *doc);
int64_t doc_version(const json_t *doc);
int64_t doc_expires(const json_t *doc);

/* Who signs a role: {"keyids", "threshold", ...} in the root or a delegation. */
json_t *repo_signers(const struct repo *r, const char *role);
json_t *repo_delegation(const struct repo *r, const char *role);
int64_t repo_span(const struct repo *r, const char *role); /* seconds good for */
void	repo_touch(struct repo *r, const char *role);

/*
 * Signs with every key of signers that the ring has, beside the signatures that
 * are there and still good; *good tells how many there are then.
 */
int doc_sign(json_t *doc, const json_t *signers, const struct keyring *ring,
	     const json_t *pubs, int64_t *good);

/* The next version of the root, signed by old and new keys: written, or waiting. */
int repo_root_next(struct repo *r, json_t *root);
/*
 * Everything that changed, what has less than half of its time left, and what is
 * not signed by the keys that the newest root or delegation asks for.
 */
int repo_publish(struct repo *r, bool all, int *written);

/* ---- repo_add.c: names and files -------------------------------------------- */

int target_name_check(const char *name);
int group_check(const char *group);
int role_check(const char *role);
int target_file(const struct repo *r, const char *name, const char *sha256,
		char out[PATH_LEN]);

#endif
