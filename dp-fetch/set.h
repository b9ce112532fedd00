/*
 * dp-fetch/set.h - one verified snapshot: its metadata files and its targets.
 *
 * Shape:   built from a verified struct tuf, then independent of it. Targets
 *          are sorted by name. Files own their bytes until set_forget_bytes().
 * Names:   "repo/metadata/5.snapshot.json", "repo/targets/a/<hash>.b", in the
 *          one spelling of common/url.h. What has no such name is left out.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_FETCH_SET_H
#define DP_FETCH_SET_H

#include "common/hash.h"
#include "common/msg.h"
#include "common/state.h"
#include "common/tuf.h"

#include <stdbool.h>

struct set_file {
	char	   *name;
	struct hash hash;
	void	   *bytes;
	size_t	    len;
};

struct target {
	char	     *name;
	char	     *path; /* below the targets URL, percent-encoded */
	struct hash   hash;
	uint64_t      size;
	enum priority prio;
	bool	      in_scope;
};

struct set {
	struct set_file *files;
	size_t		 nfiles;
	struct target	*targets;
	size_t		 ntargets, without_sha256;
	size_t		 unnamed; /* files and targets that are left out */
	size_t		 too_large; /* for this site, but beyond max_size */
	struct hash	 id;	  /* of all names and hashes */
	int64_t		 expires; /* the first of all files to do so */
	char		 expires_role[128];
	int64_t		 root, timestamp, snapshot, targets_version;
};

struct set_rules {
	const char *prefix; /* "repo" or "site" */
	const char *group;  /* scope */
	bool	    preload;
	enum priority prio; /* of what says no kind */
	uint64_t    max_size;
};

int  set_build(struct tuf *t, const struct state *roots,
     const struct set_rules *rules, struct set **out);
void set_forget_bytes(struct set *s);
void set_free(struct set **s);
const struct target *set_find(const struct set *s, const char *name);
const struct target *set_find_hash(const struct set *s, const struct hash *h);

#endif
