/*
 * dpctl/keys.h - private keys that sign metadata: PEM (PKCS8) files in a
 * directory, one key a file; every *.pem there belongs to the ring.
 *
 * A key's id is the SHA-256 of its public part as metadata has it. Which key
 * signs what stands in the metadata, so a file's name is for people only.
 * Status and errors as in dpctl.h.
 * SPDX-License-Identifier: ISC
 */
#ifndef DPCTL_KEYS_H
#define DPCTL_KEYS_H

#include <jansson.h>
#include <openssl/evp.h>

#include "common/hash.h"

struct key {
	EVP_PKEY *pkey;
	json_t	 *pub;		/* {"keytype", "scheme", "keyval"} */
	char	  id[HASH_HEX];
	char	 *path;
};

struct keyring {
	struct key *v;
	size_t	    n;
};

/* Adds what lies in dir. */
int  keyring_load(struct keyring *ring, const char *dir);
void keyring_fini(struct keyring *ring);
const struct key *keyring_find(const struct keyring *ring, const char *id);

/*
 * A new key of type "ed25519", "ecdsa" or "rsa", written to dir as
 * NAME-IDPREFIX.pem (0600), and added to the ring; *out borrows from the ring
 * until it changes.
 */
int key_make(struct keyring *ring, const char *dir, const char *name,
	     const char *type, const struct key **out);
bool key_type_known(const char *type);
/* The signature in hex; the caller frees. */
int key_sign(const struct key *k, const void *msg, size_t len, char **hex);

#endif
