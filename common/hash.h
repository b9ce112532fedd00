/*
 * common/hash.h - SHA-256, the name of every object.
 *
 * struct hash is 32 plain bytes: copy with =, compare with hash_eq. The
 * running form wraps OpenSSL's EVP with the algorithm fetched once.
 * Errors: 0, -ENOMEM, or -EINVAL for text that is not 64 lower-case hex digits.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_LEN 32
#define HASH_HEX (2 * HASH_LEN + 1) /* with its NUL */

struct hash {
	uint8_t b[HASH_LEN];
};

/* Call once before a sandbox closes: OpenSSL reads its files here. */
int hash_setup(void);

int  hash_of(struct hash *out, const void *p, size_t n);
bool hash_eq(const struct hash *a, const struct hash *b);
void hash_to_hex(const struct hash *h, char out[HASH_HEX]);
int  hash_from_hex(struct hash *h, const char *hex, size_t len);

struct hash_run; /* a hash under way */
int  hash_run_new(struct hash_run **out);
int  hash_run_add(struct hash_run *r, const void *p, size_t n);
int  hash_run_end(struct hash_run *r, struct hash *out); /* then starts anew */
void hash_run_free(struct hash_run **r);

#endif
