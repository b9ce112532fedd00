/*
 * common/mcast_seal.c - keys, sealing, replay; see mcast_seal.h.
 *
 * Runs in the sender and in receivers, behind their sandboxes. Believes nothing
 * of a packet before its tag has been checked.
 * SPDX-License-Identifier: ISC
 */
#include "common/mcast_seal.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#include "common/wr.h"

/* Fetched once: a look-up in each packet would cost more than its cipher. */
static EVP_CIPHER *gcm;
static EVP_KDF	  *kdf;

struct mcast_sealer {
	EVP_CIPHER_CTX	    *ctx;
	enum mcast_direction direction;
	uint8_t		     prefix[4];
};

static int
hkdf(void *out, size_t n, const void *ikm, size_t ikm_len, const void *salt,
    size_t salt_len, const void *info, size_t info_len)
{
	static char  digest[] = "SHA256";
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM   params[] = {
		  OSSL_PARAM_construct_utf8_string(
		      OSSL_KDF_PARAM_DIGEST, digest, 0),
		  OSSL_PARAM_construct_octet_string(
		      OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)ikm, ikm_len),
		  OSSL_PARAM_construct_octet_string(
		      OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, salt_len),
		  OSSL_PARAM_construct_octet_string(
		      OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, info_len),
		  OSSL_PARAM_construct_end(),
	};
	int ok;

	if (ctx == NULL)
		return -ENOMEM;
	ok = EVP_KDF_derive(ctx, out, n, params);
	EVP_KDF_CTX_free(ctx); /* wipes its copy of the secret */
	return ok == 1 ? 0 : -EIO;
}

int
mcast_seal_setup(void)
{
	static const uint8_t zero[MCAST_SECRET_LEN];
	struct mcast_key     k;

	if (gcm == NULL)
		gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	if (kdf == NULL)
		kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	if (gcm == NULL || kdf == NULL)
		return -EIO;
	/* once, so that OpenSSL reads here whatever it reads at first use */
	return mcast_key_session(&k, zero, zero, 0, 0);
}

int
mcast_key_session(struct mcast_key *out, const uint8_t secret[MCAST_SECRET_LEN],
    const uint8_t salt[MCAST_SALT_LEN], uint16_t generation, uint16_t tsi)
{
	static const char label[] = "dpoint multicast data 1";
	uint8_t		  info[sizeof(label) - 1 + 4];
	uint8_t		  okm[sizeof(out->key) + sizeof(out->prefix)];
	struct wr	  w = wr_to(info, sizeof(info));
	int		  r;

	wr_bytes(&w, label, sizeof(label) - 1);
	wr_u16(&w, generation);
	wr_u16(&w, tsi);
	r = hkdf(okm, sizeof(okm), secret, MCAST_SECRET_LEN, salt,
	    MCAST_SALT_LEN, info, w.len);
	if (r == 0) {
		memcpy(out->key, okm, sizeof(out->key));
		memcpy(
		    out->prefix, okm + sizeof(out->key), sizeof(out->prefix));
	}
	OPENSSL_cleanse(okm, sizeof(okm));
	return r;
}

int
mcast_key_agent(uint8_t out[MCAST_KEY_LEN],
    const uint8_t master[MCAST_SECRET_LEN], const char *device,
    uint64_t registration)
{
	static const char label[] = "dpoint multicast report 1";
	uint8_t		  info[256];
	struct wr	  w = wr_to(info, sizeof(info));

	wr_bytes(&w, label, sizeof(label) - 1);
	wr_u64(&w, registration);
	wr_bytes(&w, device, strlen(device));
	if (w.err != 0)
		return -EINVAL;
	return hkdf(
	    out, MCAST_KEY_LEN, master, MCAST_SECRET_LEN, "", 0, info, w.len);
}

void
mcast_key_report(
    struct mcast_key *out, const uint8_t agent[MCAST_KEY_LEN], uint16_t tsi)
{
	struct wr w = wr_to(out->prefix, sizeof(out->prefix));

	memcpy(out->key, agent, sizeof(out->key));
	wr_u16(&w, 0);
	wr_u16(&w, tsi);
}

int
mcast_sealer_new(struct mcast_sealer **out, enum mcast_direction d)
{
	struct mcast_sealer *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (s == NULL)
		return -ENOMEM;
	s->direction = d;
	if ((s->ctx = EVP_CIPHER_CTX_new()) == NULL ||
	    EVP_CipherInit_ex2(
		s->ctx, gcm, NULL, NULL, d == MCAST_SEALS, NULL) != 1) {
		mcast_sealer_free(&s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

int
mcast_sealer_key(struct mcast_sealer *s, const struct mcast_key *k)
{
	memcpy(s->prefix, k->prefix, sizeof(s->prefix));
	if (EVP_CipherInit_ex2(s->ctx, NULL, k->key, NULL,
		s->direction == MCAST_SEALS, NULL) != 1)
		return -EIO;
	return 0;
}

void
mcast_sealer_free(struct mcast_sealer **s)
{
	if (*s == NULL)
		return;
	EVP_CIPHER_CTX_free((*s)->ctx); /* wipes the key */
	free(*s);
	*s = NULL;
}

/* The nonce, the clear head, then the body, all but the tag; of opening the tag
 * is in params: it costs a call less to give it with the nonce. */
static int
cipher(struct mcast_sealer *s, uint64_t counter, const void *head,
    size_t head_len, const void *p, size_t n, void *out,
    const OSSL_PARAM params[])
{
	uint8_t	  nonce[12];
	struct wr w = wr_to(nonce, sizeof(nonce));
	int	  len;

	if (head_len > INT_MAX || n > INT_MAX)
		return -EIO;
	wr_bytes(&w, s->prefix, sizeof(s->prefix));
	wr_u64(&w, counter);
	if (EVP_CipherInit_ex2(s->ctx, NULL, NULL, nonce, -1, params) != 1 ||
	    EVP_CipherUpdate(s->ctx, NULL, &len, head, (int)head_len) != 1 ||
	    EVP_CipherUpdate(s->ctx, out, &len, p, (int)n) != 1)
		return -EIO;
	return 0;
}

int
mcast_seal(struct mcast_sealer *s, uint64_t counter, const void *head,
    size_t head_len, const void *p, size_t n, void *out)
{
	uint8_t	  *tag = (uint8_t *)out + n;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(
				    OSSL_CIPHER_PARAM_AEAD_TAG, tag, MCAST_TAG_LEN),
		OSSL_PARAM_construct_end() };
	int r = cipher(s, counter, head, head_len, p, n, out, NULL), len;

	if (r < 0)
		return r;
	if (EVP_CipherFinal_ex(s->ctx, tag, &len) != 1 ||
	    EVP_CIPHER_CTX_get_params(s->ctx, params) != 1)
		return -EIO;
	return 0;
}

int
mcast_unseal(struct mcast_sealer *s, uint64_t counter, const void *head,
    size_t head_len, const void *p, size_t n, void *out)
{
	uint8_t	   tag[MCAST_TAG_LEN];
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(
				    OSSL_CIPHER_PARAM_AEAD_TAG, tag, sizeof(tag)),
		OSSL_PARAM_construct_end() };
	int r, len;

	if (n < MCAST_TAG_LEN)
		return -EBADMSG;
	n -= MCAST_TAG_LEN;
	memcpy(tag, (const uint8_t *)p + n, sizeof(tag));
	if ((r = cipher(s, counter, head, head_len, p, n, out, params)) < 0)
		return r;
	return EVP_CipherFinal_ex(s->ctx, tag, &len) == 1 ? 0 : -EBADMSG;
}

/*
 * The bitmap is a ring of words, twice the window, as in RFC 6479: moving on
 * clears whole words ahead and never shifts.
 */
#define WORDS (2 * MCAST_WINDOW / 64)

bool
mcast_window_fresh(const struct mcast_window *w, uint64_t counter)
{
	if (counter > w->top)
		return true;
	if (counter == 0 || w->top - counter >= MCAST_WINDOW)
		return false;
	return (w->had[counter / 64 % WORDS] >> counter % 64 & 1) == 0;
}

void
mcast_window_mark(struct mcast_window *w, uint64_t counter)
{
	if (counter > w->top) {
		uint64_t n = counter / 64 - w->top / 64;

		if (n > WORDS)
			n = WORDS;
		for (uint64_t i = 1; i <= n; i++)
			w->had[(counter / 64 - n + i) % WORDS] = 0;
		w->top = counter;
	}
	w->had[counter / 64 % WORDS] |= UINT64_C(1) << counter % 64;
}
