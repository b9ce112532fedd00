/*
 * common/tuf_meta.h - one file of TUF metadata: its shape and its signatures.
 *
 * tuf_meta_parse checks the whole shape, so that nothing read from a struct
 * tuf_meta later can surprise; it does not check who signed. tuf_meta_verify
 * does that, by the keys a root or a delegation names. Versions, hashes and
 * expiry against other files are common/tuf.h's part.
 * Everything reached from a struct tuf_meta lives as long as it does.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TUF_META_H
#define COMMON_TUF_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"
#include "common/json.h"
#include "common/tuf_key.h"

#define TUF_NAME_MAX 255 /* bytes of a role's name */

enum tuf_type { TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS, TUF_TYPES };

/* Who may sign a role, and how many of them must. */
struct tuf_signers {
	struct tuf_key **keys; /* each id once */
	size_t		 nkeys;
	int64_t		 threshold;
};

struct tuf_delegation {
	const char	  *name;
	struct tuf_signers who;
	bool		   terminating;
	const json_t	  *paths;    /* patterns, or NULL */
	const json_t	  *prefixes; /* of the path's SHA-256 in hex, or NULL */
};

struct tuf_meta {
	enum tuf_type type;
	int64_t	      version;
	int64_t	      expires; /* seconds since the epoch */
	json_t	     *doc;     /* the file, with its signatures */

	struct tuf_key	 **keys; /* root, targets */
	size_t		   nkeys;
	struct tuf_signers roles[TUF_TYPES]; /* root */
	bool		   consistent;	     /* root */

	const json_t	      *meta;	/* timestamp, snapshot: file -> its facts */
	const json_t	      *targets; /* targets: path -> its facts */
	struct tuf_delegation *delegations;
	size_t		       ndelegations;

	const char	  *bin_prefix; /* succinct delegation, or NULL */
	unsigned	   bin_bits;
	struct tuf_signers bin_who;
};

/* What one file says of another: version, and length and hashes if given. */
struct tuf_fact {
	int64_t	    version; /* 0 in a target's */
	int64_t	    length;  /* -1: not given */
	bool	    has_hashes, has_sha256, has_sha512;
	struct hash sha256;
	uint8_t	    sha512[64];
};

/*
 * 0, -ENOMEM, or -EBADMSG with the reason in why[size]. Free with
 * tuf_meta_free.
 */
int  tuf_meta_parse(struct tuf_meta **out, enum tuf_type type, const void *buf,
		    size_t len, char *why, size_t size);
void tuf_meta_free(struct tuf_meta **m);

/* 0, -ENOMEM, or -EACCES with the reason: fewer good signatures than needed. */
int tuf_meta_verify(const struct tuf_meta *m, const struct tuf_signers *who,
		    char *why, size_t size);

/* 0, or -ENOENT: the file lists no such name. m is a timestamp or snapshot. */
int tuf_meta_fact(const struct tuf_meta *m, const char *file,
		  struct tuf_fact *out);
/* The same for a target of a targets role. */
int tuf_meta_target(const struct tuf_meta *m, const char *path,
		    struct tuf_fact *out, const json_t **custom);

/*
 * 0 when the bytes are what the fact says (length and every hash we know; at
 * least one where any is given), else -EBADMSG with the reason.
 */
int tuf_fact_check(const struct tuf_fact *f, const void *buf, size_t len,
		   char *why, size_t size);

/* Whether a delegation covers a path, whose SHA-256 is given along. */
bool tuf_delegation_covers(const struct tuf_delegation *d, const char *path,
			   const struct hash *of_path);
/* Shell pattern: '*', '?' and '[...]', none of which matches '/'. */
bool tuf_glob(const char *pattern, const char *path);
/* The role of a succinct delegation that covers a path; of bin number n. */
void tuf_bin_name(const struct tuf_meta *m, uint32_t n, char out[TUF_NAME_MAX + 1]);
uint32_t tuf_bin_of(const struct tuf_meta *m, const struct hash *of_path);

/* RFC 3339 to seconds since the epoch: 0 or -EBADMSG. */
int tuf_time_parse(const char *text, int64_t *out);
/* The reverse, always in UTC: "2026-01-31T00:00:00Z". */
#define TUF_TIME_LEN 32
void tuf_time_print(int64_t t, char out[TUF_TIME_LEN]);

#endif
