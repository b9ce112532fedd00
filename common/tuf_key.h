/*
 * common/tuf_key.h - public keys as TUF repositories have them.
 *
 * Understood: ed25519 (hex), ecdsa on P-256 (PEM; the bare hex point of early
 * sigstore roots too) under keytype "ecdsa" or "ecdsa-sha2-nistp256", and rsa of
 * 2048 to 8192 bits (PEM) with rsassa-pss-sha256. A well-formed key of any other
 * type or scheme, or with a value that is no such key, is kept but never
 * verifies: a repository may mix in keys that we cannot use, as long as the
 * threshold is met by others.
 * A key's id is whatever its metadata calls it; nothing requires it to be the
 * hash of the key (tuf_key_id gives that hash, for those who author metadata).
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TUF_KEY_H
#define COMMON_TUF_KEY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/hash.h"

struct tuf_key;

/* Call once before a sandbox closes: OpenSSL reads its files here. */
int tuf_key_setup(void);

/*
 * From {"keytype", "scheme", "keyval": {"public"}}. id is copied. 0, -EBADMSG
 * when that shape is not there, -ENOMEM.
 */
int  tuf_key_new(struct tuf_key **out, const char *id, const json_t *key);
void tuf_key_free(struct tuf_key **k);

const char *tuf_key_name(const struct tuf_key *k); /* its id; lives with k */
bool tuf_key_same(const struct tuf_key *a, const struct tuf_key *b); /* by value */

/* Whether sig (hex) is k's signature of msg. */
bool tuf_key_verify(const struct tuf_key *k, const char *sig, const void *msg,
		    size_t len);

/* The customary id: SHA-256 of the canonical key, in hex. */
int tuf_key_id(const json_t *key, char out[HASH_HEX]);

#endif
