/*
 * common/hash.c - SHA-256; see hash.h.
 * SPDX-License-Identifier: ISC
 */
#include "common/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static EVP_MD *sha256; /* fetched once: a look-up costs more than 1 KiB of hash */

struct hash_run {
	EVP_MD_CTX *ctx;
};

int
hash_setup(void)
{
	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	return sha256 != NULL ? 0 : -ENOMEM;
}

int
hash_of(struct hash *out, const void *p, size_t n)
{
	int r = hash_setup();

	if (r < 0)
		return r;
	return EVP_Digest(p, n, out->b, NULL, sha256, NULL) == 1 ? 0 : -ENOMEM;
}

bool
hash_eq(const struct hash *a, const struct hash *b)
{
	return memcmp(a->b, b->b, HASH_LEN) == 0;
}

void
hash_to_hex(const struct hash *h, char out[HASH_HEX])
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < HASH_LEN; i++) {
		out[2 * i] = digit[h->b[i] >> 4];
		out[2 * i + 1] = digit[h->b[i] & 15];
	}
	out[2 * HASH_LEN] = '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int
hash_from_hex(struct hash *h, const char *hex, size_t len)
{
	if (len != 2 * (size_t)HASH_LEN)
		return -EINVAL;
	for (size_t i = 0; i < HASH_LEN; i++) {
		int hi = hex_value(hex[2 * i]), lo = hex_value(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		h->b[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

int
hash_run_new(struct hash_run **out)
{
	struct hash_run *r;

	*out = NULL;
	if (hash_setup() < 0 || (r = calloc(1, sizeof(*r))) == NULL)
		return -ENOMEM;
	if ((r->ctx = EVP_MD_CTX_new()) == NULL ||
	    EVP_DigestInit_ex2(r->ctx, sha256, NULL) != 1) {
		hash_run_free(&r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

int
hash_run_add(struct hash_run *r, const void *p, size_t n)
{
	return EVP_DigestUpdate(r->ctx, p, n) == 1 ? 0 : -ENOMEM;
}

int
hash_run_end(struct hash_run *r, struct hash *out)
{
	if (EVP_DigestFinal_ex(r->ctx, out->b, NULL) != 1 ||
	    EVP_DigestInit_ex2(r->ctx, sha256, NULL) != 1)
		return -ENOMEM;
	return 0;
}

void
hash_run_free(struct hash_run **r)
{
	if (*r == NULL)
		return;
	EVP_MD_CTX_free((*r)->ctx);
	free(*r);
	*r = NULL;
}
