/*
 * tests/fuzz/fuzz_tuf_signed.c - whoever holds the keys is hostile.
 *
 * The input is the "signed" part of one file after another, each with a
 * big-endian u32 length before it, signed here with the one key that the root
 * names for every role and that the seeds name in their delegations: so the
 * fuzzer reaches what lies behind the signatures. Properties: a refresh that
 * ends well ends well offline too, from the files it gave out; every target
 * listed is found, and then the error text is empty; the updater ends.
 * SPDX-License-Identifier: ISC
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rd.h"
#include "common/tuf.h"
#include "common/tuf_meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1780272000, FILES_MAX = 40 };

static const char root[] =
    "{\"_type\":\"root\",\"consistent_snapshot\":true,"
    "\"expires\":\"2030-01-01T00:00:00Z\",\"keys\":{\"k\":{\"keytype\":\"ed25519\","
    "\"keyval\":{\"public\":\"8a88e3dd7409f195fd52db2d3cba5d72"
    "ca6709bf1d94121bf3748801b40f6f5c\"},\"scheme\":\"ed25519\"}},\"roles\":{"
    "\"root\":{\"keyids\":[\"k\"],\"threshold\":1},"
    "\"snapshot\":{\"keyids\":[\"k\"],\"threshold\":1},"
    "\"targets\":{\"keyids\":[\"k\"],\"threshold\":1},"
    "\"timestamp\":{\"keyids\":[\"k\"],\"threshold\":1}},"
    "\"spec_version\":\"1.0.31\",\"version\":1}";

/* The file around a signed part; NULL when that is not JSON. */
static char *
sign(const void *p, size_t len)
{
	static EVP_PKEY *key;
	uint8_t		 seed[32], sig[64];
	size_t		 siglen = sizeof(sig), clen;
	char		 hex[129], why[160], *canon = NULL, *out = NULL;
	EVP_MD_CTX	*ctx;
	json_t		*v, *doc;

	memset(seed, 1, sizeof(seed));
	if (key == NULL)
		key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
		    sizeof(seed));
	if (js_parse(&v, p, len, why, sizeof(why)) < 0)
		return NULL;
	ctx = EVP_MD_CTX_new();
	if (js_canon(v, &canon, &clen) == 0 &&
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, sig, &siglen, (uint8_t *)canon, clen) == 1) {
		for (size_t i = 0; i < siglen; i++)
			snprintf(hex + 2 * i, 3, "%02x", sig[i]);
		doc = json_pack("{s:[{s:s,s:s}],s:O}", "signatures", "keyid", "k",
		    "sig", hex, "signed", v);
		out = json_dumps(doc, JSON_COMPACT);
		json_decref(doc);
	}
	EVP_MD_CTX_free(ctx);
	free(canon);
	json_decref(v);
	return out;
}

static int
take_local(void *arg, const struct tuf_file *f)
{
	if (f->version < 1 || f->path[0] == '\0' ||
	    tuf_local(arg, f->role, f->bytes, f->len) < 0)
		abort();
	return 0;
}

static int
found_again(void *arg, const struct tuf_target *t)
{
	struct tuf_target again;
	char		  path[TUF_PATH_LEN];

	if (tuf_find(arg, t->path, &again) != 0 || again.custom != t->custom ||
	    strcmp(again.path, t->path) != 0 || *tuf_error(arg) != '\0')
		abort();
	if (tuf_target_path(arg, t, path) == 0 &&
	    (path[0] == '\0' || strlen(path) >= sizeof(path)))
		abort();
	(void)tuf_target_kind(t);
	(void)tuf_target_for(t, "/a/b");
	(void)tuf_path_is_plain(t->path);
	return 0;
}

static void
offline(struct tuf *t, bool all)
{
	struct tuf_conf c = { .now = NOW, .offline = true, .max_roles = 64 };
	struct tuf_want w;
	struct tuf     *o;

	if (tuf_new(&o, &c) < 0)
		return;
	tuf_files(t, take_local, o);
	if (all)
		tuf_load_all(o);
	if (tuf_next(o, &w) != 0)
		abort();
	tuf_free(&o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tuf_conf	  c = { .now = NOW, .max_roles = 64 };
	struct rd	  r = rd_from(data, size);
	struct tuf_target target;
	struct tuf_want	  want;
	bool		  all = false;
	char		 *file = sign(root, sizeof(root) - 1);
	struct tuf	 *t;
	int		  e;

	if (file == NULL || tuf_new(&t, &c) < 0)
		abort();
	tuf_local(t, "root", file, strlen(file));
	free(file);
	for (unsigned n = 0; (e = tuf_next(t, &want)) == 1; n++) {
		size_t	       len;
		const uint8_t *p;

		if (n > FILES_MAX)
			break;
		if (want.may_be_missing) {
			tuf_missing(t);
			continue;
		}
		len = rd_u32(&r);
		p = rd_bytes(&r, len);
		file = p != NULL ? sign(p, len) : NULL;
		if (file != NULL)
			tuf_give(t, file, strlen(file));
		else
			tuf_missing(t);
		free(file);
	}
	if (e < 0 && *tuf_error(t) == '\0')
		abort();
	if (e == 0) {
		offline(t, false);
		(void)tuf_find(t, "a/b.c", &target);
		tuf_load_all(t);
		all = true;
		while ((e = tuf_next(t, &want)) == 1) {
			size_t	       len = rd_u32(&r);
			const uint8_t *p = rd_bytes(&r, len);

			file = p != NULL ? sign(p, len) : NULL;
			if ((file != NULL ? tuf_give(t, file, strlen(file)) :
			    tuf_missing(t)) < 0 && *tuf_error(t) == '\0')
				abort();
			free(file);
		}
	}
	if (e == 0) {
		offline(t, all);
		tuf_each(t, found_again, t);
	}
	tuf_free(&t);
	return 0;
}
