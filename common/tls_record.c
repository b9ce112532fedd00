/*
 * common/tls_record.c - records of TLS 1.3; see tls_record.h.
 *
 * Runs in the processes that end TLS, behind their sandboxes. Believes nothing
 * of a record before its tag has been checked, and little after.
 * SPDX-License-Identifier: ISC
 */
#include "common/tls_record.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <string.h>

#include "common/size.h"

#define TAG 16

static struct suite {
	uint16_t	  id;
	const char	 *cipher, *digest;
	uint8_t		  key_len, secret_len;
	EVP_MD		 *md;
	EVP_CIPHER_CTX	 *ctx[2]; /* 0 opens, 1 seals */
	struct record_key *keyed[2]; /* whose key is in it */
} suites[] = {
	{ .id = SUITE_AES_128, .cipher = "AES-128-GCM", .digest = "SHA256",
	    .key_len = 16, .secret_len = 32 },
	{ .id = SUITE_AES_256, .cipher = "AES-256-GCM", .digest = "SHA384",
	    .key_len = 32, .secret_len = 48 },
	{ .id = SUITE_CHACHA, .cipher = "ChaCha20-Poly1305", .digest = "SHA256",
	    .key_len = 32, .secret_len = 32 },
};

int
record_setup(void)
{
	for (size_t i = 0; i < COUNT(suites); i++) {
		struct suite *s = &suites[i];
		EVP_CIPHER   *c = EVP_CIPHER_fetch(NULL, s->cipher, NULL);

		s->md = EVP_MD_fetch(NULL, s->digest, NULL);
		for (int seal = 0; seal < 2; seal++) {
			s->ctx[seal] = EVP_CIPHER_CTX_new();
			if (c == NULL || s->md == NULL || s->ctx[seal] == NULL ||
			    EVP_CipherInit_ex2(s->ctx[seal], c, NULL, NULL, seal,
				NULL) != 1)
				return -EIO;
		}
		EVP_CIPHER_free(c); /* the contexts hold it */
	}
	return 0;
}

static struct suite *
suite_of(uint16_t id)
{
	for (size_t i = 0; i < COUNT(suites); i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}

/* HKDF-Expand-Label with an empty context; never more than one block. */
static int
expand(const struct suite *s, const uint8_t *secret, const char *label,
    uint8_t *out, size_t n)
{
	uint8_t	 info[32], block[EVP_MAX_MD_SIZE];
	size_t	 l = strlen(label), i = 0;
	unsigned len = sizeof(block);

	info[i++] = 0;
	info[i++] = (uint8_t)n;
	info[i++] = (uint8_t)(6 + l);
	memcpy(info + i, "tls13 ", 6);
	memcpy(info + i + 6, label, l);
	i += 6 + l;
	info[i++] = 0;
	info[i++] = 1; /* the number of the block */
	if (HMAC(s->md, secret, s->secret_len, info, i, block, &len) == NULL ||
	    len < n)
		return -EIO;
	memcpy(out, block, n);
	OPENSSL_cleanse(block, sizeof(block));
	return 0;
}

static int
derive(struct record_key *k, const struct suite *s)
{
	k->seq = 0;
	if (expand(s, k->secret, "key", k->key, s->key_len) < 0 ||
	    expand(s, k->secret, "iv", k->iv, sizeof(k->iv)) < 0)
		return -EIO;
	return 0;
}

static void
forget(const struct record_key *k)
{
	for (size_t i = 0; i < COUNT(suites); i++)
		for (int seal = 0; seal < 2; seal++)
			if (suites[i].keyed[seal] == k)
				suites[i].keyed[seal] = NULL;
}

int
record_key_init(struct record_key *k, uint16_t id, const uint8_t *secret,
    size_t len)
{
	const struct suite *s = suite_of(id);

	if (s == NULL || len != s->secret_len)
		return -EINVAL;
	forget(k);
	k->suite = id;
	k->secret_len = (uint8_t)len;
	memcpy(k->secret, secret, len);
	return derive(k, s);
}

int
record_key_update(struct record_key *k)
{
	const struct suite *s = suite_of(k->suite);
	uint8_t		    next[48];
	int		    r;

	if (s == NULL)
		return -EINVAL;
	forget(k);
	if ((r = expand(s, k->secret, "traffic upd", next, k->secret_len)) < 0)
		return r;
	memcpy(k->secret, next, k->secret_len);
	OPENSSL_cleanse(next, sizeof(next));
	return derive(k, s);
}

void
record_key_fini(struct record_key *k)
{
	forget(k);
	OPENSSL_cleanse(k, sizeof(*k));
}

/* The context with this key, and the nonce of its next record. */
static EVP_CIPHER_CTX *
prepare(struct record_key *k, int seal)
{
	struct suite *s = suite_of(k->suite);
	uint8_t	      nonce[12];
	bool	      same;

	if (s == NULL || k->seq == UINT64_MAX)
		return NULL;
	memcpy(nonce, k->iv, sizeof(nonce));
	for (int i = 0; i < 8; i++)
		nonce[11 - i] ^= (uint8_t)(k->seq >> (8 * i));
	same = s->keyed[seal] == k;
	s->keyed[seal] = NULL;
	if (EVP_CipherInit_ex2(s->ctx[seal], NULL, same ? NULL : k->key, nonce,
		seal, NULL) != 1)
		return NULL;
	s->keyed[seal] = k;
	k->seq++;
	return s->ctx[seal];
}

int
record_seal(struct record_key *k, enum record_type type, const void *p,
    size_t n, uint8_t *out, size_t *out_len)
{
	EVP_CIPHER_CTX *c = prepare(k, 1);
	uint8_t		inner = (uint8_t)type;
	size_t		len = n + 1 + TAG;
	int		a = 0, b = 0, d = 0;

	if (c == NULL || n > RECORD_PLAIN)
		return -EIO;
	out[0] = RECORD_DATA;
	out[1] = out[2] = 3;
	out[3] = (uint8_t)(len >> 8);
	out[4] = (uint8_t)len;
	if (EVP_EncryptUpdate(c, NULL, &a, out, RECORD_HEAD) != 1 ||
	    (a = 0, n > 0 && EVP_EncryptUpdate(c, out + RECORD_HEAD, &a, p,
			 (int)n) != 1) ||
	    EVP_EncryptUpdate(c, out + RECORD_HEAD + a, &b, &inner, 1) != 1 ||
	    EVP_EncryptFinal_ex(c, out + RECORD_HEAD + a + b, &d) != 1 ||
	    (size_t)a + (size_t)b + (size_t)d != n + 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG,
		out + RECORD_HEAD + n + 1) != 1)
		return -EIO;
	*out_len = RECORD_HEAD + len;
	return 0;
}

int
record_size(const uint8_t *p, size_t n)
{
	unsigned len;

	if (n < RECORD_HEAD)
		return 0;
	len = (unsigned)p[3] << 8 | p[4];
	if (p[0] != RECORD_DATA || p[1] != 3 || p[2] != 3 || len < 1 + TAG ||
	    len > RECORD_MAX - RECORD_HEAD)
		return -EBADMSG;
	return (int)(RECORD_HEAD + len);
}

int
record_open(struct record_key *k, uint8_t *record, size_t n,
    enum record_type *type, uint8_t **plain, size_t *plain_len)
{
	EVP_CIPHER_CTX *c = prepare(k, 0);
	uint8_t	       *body = record + RECORD_HEAD;
	size_t		len = n - RECORD_HEAD - TAG;
	int		a = 0, b = 0;

	if (c == NULL)
		return -EIO;
	if (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, body + len) != 1 ||
	    EVP_DecryptUpdate(c, NULL, &a, record, RECORD_HEAD) != 1 ||
	    EVP_DecryptUpdate(c, body, &a, body, (int)len) != 1 ||
	    EVP_DecryptFinal_ex(c, body + a, &b) != 1)
		return -EBADMSG;
	while (len > 0 && body[len - 1] == 0) /* padding */
		len--;
	if (len == 0 || len - 1 > RECORD_PLAIN)
		return -EBADMSG;
	*type = (enum record_type)body[len - 1];
	*plain = body;
	*plain_len = len - 1;
	return 0;
}
