/*
 * dpctl/keys.c - private keys that sign metadata; see keys.h.
 *
 * Runs in dpctl. Believes the key files of whoever calls it.
 * SPDX-License-Identifier: ISC
 */
#include <dirent.h>
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/size.h"
#include "common/tuf_key.h"
#include "dpctl/dpctl.h"
#include "dpctl/keys.h"

enum { KEY_FILE_MAX = 65536, RSA_BITS = 3072, RSA_LEAST = 2048 };

static const struct {
	const char *type;	/* as dpctl and OpenSSL's names go */
	const char *openssl;
	const char *keytype, *scheme;
} types[] = {
	{ "ed25519", "ED25519", "ed25519", "ed25519" },
	{ "ecdsa", "EC", "ecdsa", "ecdsa-sha2-nistp256" },
	{ "rsa", "RSA", "rsa", "rsassa-pss-sha256" },
};

bool
key_type_known(const char *type)
{
	for (size_t i = 0; i < COUNT(types); i++)
		if (strcmp(types[i].type, type) == 0)
			return true;
	return false;
}

static char *
to_hex(const unsigned char *p, size_t n)
{
	char *hex = malloc(2 * n + 1);

	for (size_t i = 0; hex != NULL && i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", p[i]);
	return hex;
}

/* The public value as metadata has it: hex for ed25519, else PEM. */
static char *
public_text(EVP_PKEY *pkey)
{
	unsigned char raw[32];
	size_t	      n = sizeof(raw);
	char	     *p, *text;
	BIO	     *bio;
	long	      len;

	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return EVP_PKEY_get_raw_public_key(pkey, raw, &n) == 1 ?
		    to_hex(raw, n) : NULL;
	bio = BIO_new(BIO_s_mem());
	if (bio == NULL || PEM_write_bio_PUBKEY(bio, pkey) != 1) {
		BIO_free(bio);
		return NULL;
	}
	len = BIO_get_mem_data(bio, &p);
	text = strndup(p, (size_t)len);
	BIO_free(bio);
	return text;
}

/* The row of types that the key is; COUNT(types) when it is none. */
static size_t
type_of(EVP_PKEY *pkey)
{
	char   group[32] = "";
	size_t i;

	for (i = 0; i < COUNT(types) && !EVP_PKEY_is_a(pkey, types[i].openssl); i++)
		;
	if (EVP_PKEY_is_a(pkey, "EC") && (EVP_PKEY_get_group_name(pkey, group,
	    sizeof(group), NULL) != 1 || strcmp(group, "prime256v1") != 0))
		return COUNT(types);
	if (EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) < RSA_LEAST)
		return COUNT(types);
	return i;
}

/* pkey and path become the ring's, on failure too. */
static int
keyring_add(struct keyring *ring, EVP_PKEY *pkey, const char *path)
{
	struct key  k = { .pkey = pkey, .path = strdup(path) };
	struct key *more = reallocarray(ring->v, ring->n + 1, sizeof(*more));
	char	   *text = NULL;
	size_t	    i = type_of(pkey);

	if (more != NULL)
		ring->v = more;
	if (i < COUNT(types) && (text = public_text(pkey)) != NULL)
		k.pub = json_pack("{s:s, s:s, s:{s:s}}", "keytype", types[i].keytype,
		    "scheme", types[i].scheme, "keyval", "public", text);
	free(text);
	if (more != NULL && k.path != NULL && k.pub != NULL &&
	    tuf_key_id(k.pub, k.id) == 0) {
		ring->v[ring->n++] = k;
		return EX_DONE;
	}
	EVP_PKEY_free(pkey);
	json_decref(k.pub);
	free(k.path);
	return i < COUNT(types) ? fail("out of memory") :
	    fail("%s: expected an ed25519, ecdsa P-256 or rsa key", path);
}

static int
load_file(struct keyring *ring, const char *path)
{
	EVP_PKEY *pkey = NULL;
	size_t	  len;
	char	 *text;
	BIO	 *bio;
	int	  r;

	if ((r = file_read(path, KEY_FILE_MAX, &text, &len)) != EX_DONE)
		return r;
	if ((bio = BIO_new_mem_buf(text, (int)len)) != NULL)
		pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, "");
	BIO_free(bio);
	OPENSSL_cleanse(text, len);
	free(text);
	ERR_clear_error();
	return pkey != NULL ? keyring_add(ring, pkey, path) :
	    fail("%s: expected a private key in PEM", path);
}

static int
is_pem(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 4 && strcmp(e->d_name + len - 4, ".pem") == 0;
}

int
keyring_load(struct keyring *ring, const char *dir)
{
	struct dirent **names;
	char		path[PATH_LEN];
	int		n = scandir(dir, &names, is_pem, alphasort), r = EX_DONE;

	if (n < 0)
		return fail_errno(errno, "keys in %s", dir);
	for (int i = 0; i < n; i++) {
		if (r == EX_DONE && (r = path_join(path, dir, "%s", names[i]->d_name)) ==
		    EX_DONE)
			r = load_file(ring, path);
		free(names[i]);
	}
	free(names);
	return r;
}

void
keyring_fini(struct keyring *ring)
{
	for (size_t i = 0; i < ring->n; i++) {
		EVP_PKEY_free(ring->v[i].pkey);
		json_decref(ring->v[i].pub);
		free(ring->v[i].path);
	}
	free(ring->v);
	*ring = (struct keyring){ 0 };
}

const struct key *
keyring_find(const struct keyring *ring, const char *id)
{
	for (size_t i = 0; i < ring->n; i++)
		if (strcmp(ring->v[i].id, id) == 0)
			return &ring->v[i];
	return NULL;
}

static EVP_PKEY *
generate(const char *type)
{
	if (strcmp(type, "ed25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (strcmp(type, "ecdsa") == 0)
		return EVP_EC_gen("P-256");
	return EVP_RSA_gen(RSA_BITS);
}

static int
write_key(const char *path, EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *p;
	long  n;
	int   r;

	if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL,
	    NULL) != 1) {
		BIO_free(bio);
		return fail("out of memory");
	}
	n = BIO_get_mem_data(bio, &p);
	r = file_create(path, 0600, p, (size_t)n);
	BIO_free(bio);
	return r;
}

int
key_make(struct keyring *ring, const char *dir, const char *name, const char *type,
    const struct key **out)
{
	EVP_PKEY *pkey = generate(type);
	char	  path[PATH_LEN], file[256];
	size_t	  n = 0;
	int	  r;

	*out = NULL;
	if (pkey == NULL)
		return fail("cannot make a key of type %s", type);
	for (; n < sizeof(file) - 1 && name[n] != '\0'; n++)
		file[n] = name[n] == '/' ? '-' : name[n];
	file[n] = '\0';
	if ((r = keyring_add(ring, pkey, "")) != EX_DONE)
		return r;
	*out = &ring->v[ring->n - 1];
	if ((r = path_join(path, dir, "%s-%.8s.pem", file, (*out)->id)) != EX_DONE)
		return r;
	free(ring->v[ring->n - 1].path);
	if ((ring->v[ring->n - 1].path = strdup(path)) == NULL)
		return fail("out of memory");
	return write_key(path, (*out)->pkey);
}

int
key_sign(const struct key *k, const void *msg, size_t len, char **hex)
{
	bool	       rsa = EVP_PKEY_is_a(k->pkey, "RSA");
	unsigned char  sig[1024];
	size_t	       n = sizeof(sig);
	EVP_MD_CTX    *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX  *pctx;
	bool	       ok;

	*hex = NULL;
	ok = ctx != NULL && EVP_DigestSignInit_ex(ctx, &pctx,
	    EVP_PKEY_is_a(k->pkey, "ED25519") ? NULL : "SHA256", NULL, NULL, k->pkey,
	    NULL) == 1;
	if (ok && rsa)
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_DigestSign(ctx, sig, &n, msg, len) == 1 &&
	    (*hex = to_hex(sig, n)) != NULL;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok ? EX_DONE : fail("%s: cannot sign with this key", k->path);
}
