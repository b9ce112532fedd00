/*
 * common/tuf_key.c - public keys and their signatures; see tuf_key.h.
 *
 * Runs in whoever verifies TUF metadata. Believes nothing: keys come out of
 * metadata that is not verified yet.
 * SPDX-License-Identifier: ISC
 */
#include "common/tuf_key.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/size.h"

enum { SIG_MAX = 8192 / 8, PEM_MAX = 8192, RSA_MIN = 2048, RSA_MAX = 8192 };

enum key_kind { KEY_UNKNOWN, KEY_ED25519, KEY_ECDSA, KEY_RSA_PSS };

static const struct {
	const char   *keytype, *scheme;
	enum key_kind kind;
} kinds[] = {
	{ "ed25519", "ed25519", KEY_ED25519 },
	{ "ecdsa", "ecdsa-sha2-nistp256", KEY_ECDSA },
	{ "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", KEY_ECDSA },
	{ "rsa", "rsassa-pss-sha256", KEY_RSA_PSS },
};

struct tuf_key {
	char	     *id;
	enum key_kind kind;
	EVP_PKEY     *pkey; /* NULL: never verifies */
};

int
tuf_key_setup(void)
{
	if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG |
	    OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) != 1)
		return -ENOMEM;
	return hash_setup();
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The bytes of hex, at most size; -1 when it is not hex or too long. */
static ptrdiff_t
from_hex(const char *hex, uint8_t *out, size_t size)
{
	size_t len = strlen(hex);

	if (len % 2 != 0 || len / 2 > size)
		return -1;
	for (size_t i = 0; i < len / 2; i++) {
		int hi = hex_value(hex[2 * i]), lo = hex_value(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return (ptrdiff_t)(len / 2);
}

static EVP_PKEY *
load_pem(const char *pem)
{
	size_t	  len = strnlen(pem, PEM_MAX + 1);
	EVP_PKEY *k = NULL;
	BIO	 *bio;

	if (len > PEM_MAX || (bio = BIO_new_mem_buf(pem, (int)len)) == NULL)
		return NULL;
	k = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return k;
}

static EVP_PKEY *
load_point(const char *hex)
{
	uint8_t	      point[65];
	char	      group[] = "prime256v1";
	EVP_PKEY_CTX *ctx;
	EVP_PKEY     *k = NULL;
	OSSL_PARAM    p[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
		    sizeof(point)),
		OSSL_PARAM_construct_end(),
	};

	if (from_hex(hex, point, sizeof(point)) != (ptrdiff_t)sizeof(point) ||
	    (ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL)) == NULL)
		return NULL;
	if (EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &k, EVP_PKEY_PUBLIC_KEY, p) != 1)
		k = NULL;
	EVP_PKEY_CTX_free(ctx);
	return k;
}

static EVP_PKEY *
load_ed25519(const char *hex)
{
	uint8_t raw[32];

	if (from_hex(hex, raw, sizeof(raw)) != (ptrdiff_t)sizeof(raw))
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw,
	    sizeof(raw));
}

/* A PEM may hold any key; take it only when it is what the scheme speaks of. */
static bool
fits(enum key_kind kind, EVP_PKEY *k)
{
	char group[32] = "";
	int  bits;

	switch (kind) {
	case KEY_ED25519:
		return EVP_PKEY_is_a(k, "ED25519");
	case KEY_ECDSA:
		return EVP_PKEY_is_a(k, "EC") &&
		    EVP_PKEY_get_group_name(k, group, sizeof(group), NULL) == 1 &&
		    strcmp(group, "prime256v1") == 0;
	case KEY_RSA_PSS:
		bits = EVP_PKEY_get_bits(k);
		return EVP_PKEY_is_a(k, "RSA") && bits >= RSA_MIN && bits <= RSA_MAX;
	case KEY_UNKNOWN:
		break;
	}
	return false;
}

static EVP_PKEY *
load(enum key_kind kind, const char *value)
{
	EVP_PKEY *k = NULL;

	if (kind == KEY_UNKNOWN)
		return NULL;
	if (strstr(value, "-----BEGIN") != NULL)
		k = load_pem(value);
	else if (kind == KEY_ED25519)
		k = load_ed25519(value);
	else if (kind == KEY_ECDSA)
		k = load_point(value);
	if (k != NULL && !fits(kind, k)) {
		EVP_PKEY_free(k);
		k = NULL;
	}
	ERR_clear_error();
	return k;
}

int
tuf_key_new(struct tuf_key **out, const char *id, const json_t *key)
{
	const char *keytype = js_str(key, "keytype");
	const char *scheme = js_str(key, "scheme");
	json_t	   *keyval = js_obj(key, "keyval");
	const char *value = js_str(keyval, "public");
	struct tuf_key *k;

	*out = NULL;
	if (keytype == NULL || scheme == NULL || keyval == NULL)
		return -EBADMSG;
	if ((k = calloc(1, sizeof(*k))) == NULL ||
	    (k->id = strdup(id)) == NULL) {
		free(k);
		return -ENOMEM;
	}
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (strcmp(keytype, kinds[i].keytype) == 0 &&
		    strcmp(scheme, kinds[i].scheme) == 0)
			k->kind = kinds[i].kind;
	if (value != NULL)
		k->pkey = load(k->kind, value);
	*out = k;
	return 0;
}

void
tuf_key_free(struct tuf_key **k)
{
	if (*k == NULL)
		return;
	EVP_PKEY_free((*k)->pkey);
	free((*k)->id);
	free(*k);
	*k = NULL;
}

const char *
tuf_key_name(const struct tuf_key *k)
{
	return k->id;
}

bool
tuf_key_same(const struct tuf_key *a, const struct tuf_key *b)
{
	return a == b || (a->pkey != NULL && b->pkey != NULL &&
	    EVP_PKEY_eq(a->pkey, b->pkey) == 1);
}

bool
tuf_key_verify(const struct tuf_key *k, const char *sig, const void *msg,
    size_t len)
{
	uint8_t	      raw[SIG_MAX];
	ptrdiff_t     n = from_hex(sig, raw, sizeof(raw));
	EVP_MD_CTX   *ctx;
	EVP_PKEY_CTX *pctx;
	bool	      ok;

	if (k->pkey == NULL || n <= 0 || (ctx = EVP_MD_CTX_new()) == NULL)
		return false;
	ok = EVP_DigestVerifyInit_ex(ctx, &pctx,
	    k->kind == KEY_ED25519 ? NULL : "SHA256", NULL, NULL, k->pkey,
	    NULL) == 1;
	if (ok && k->kind == KEY_RSA_PSS)
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx,
		    RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
		    RSA_PSS_SALTLEN_AUTO) == 1;
	ok = ok && EVP_DigestVerify(ctx, raw, (size_t)n, msg, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

int
tuf_key_id(const json_t *key, char out[HASH_HEX])
{
	struct hash h;
	size_t	    len;
	char	   *text;
	int	    r = js_canon(key, &text, &len);

	if (r < 0)
		return r;
	if ((r = hash_of(&h, text, len)) == 0)
		hash_to_hex(&h, out);
	free(text);
	return r;
}
