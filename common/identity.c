/*
 * common/identity.c - see identity.h.
 *
 * Runs in the processes that end TLS. Believes the master; the administrator's
 * files are read by OpenSSL.
 * SPDX-License-Identifier: ISC
 */
#include "common/identity.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/size.h"

#define PEM_MAX (1024 * 1024)
#define CRL_MAX (16 * 1024 * 1024)

enum file { CERT, KEY, CA, CRL, FILES };

struct files {
	char  *text[FILES];
	size_t len[FILES];
};

static void
files_fini(struct files *f)
{
	if (f->text[KEY] != NULL)
		OPENSSL_cleanse(f->text[KEY], f->len[KEY]);
	for (size_t i = 0; i < FILES; i++)
		free(f->text[i]);
}

static int
file_read(struct worker *w, const char *key, enum file i, struct files *f)
{
	int r = worker_file_text(w, key, i == CRL ? CRL_MAX : PEM_MAX,
	    &f->text[i], &f->len[i]);

	if (r == -ENOENT)
		return 0; /* not given: tls_new knows whether that is well */
	if (r < 0)
		log_err_err(r, "%s", key);
	return r;
}

static int
section_read(struct worker *w, const char *section, struct files *f)
{
	static const char *const names[FILES] = { "cert", "key", "client-ca",
		"client-crl" };
	char			 key[64];
	int			 r = 0;

	for (int i = 0; r == 0 && i < FILES; i++) {
		snprintf(key, sizeof(key), "%s.%s", section, names[i]);
		r = file_read(w, key, (enum file)i, f);
	}
	return r;
}

int
identity_server(struct worker *w, const char *section,
    enum tls_client_cert client, struct tls **out, struct hash *crl)
{
	struct files	f = { 0 };
	struct tls_conf tc;
	char		err[TLS_ERR_MAX];
	int		r = section_read(w, section, &f);

	*out = NULL;
	if (crl != NULL)
		*crl = (struct hash){ { 0 } };
	if (r == 0 && crl != NULL && f.text[CRL] != NULL)
		r = hash_of(crl, f.text[CRL], f.len[CRL]);
	if (r == 0) {
		tc = (struct tls_conf){ f.text[CERT], f.text[KEY], f.text[CA],
			f.text[CRL], f.len[CERT], f.len[KEY], f.len[CA],
			f.len[CRL], client };
		if ((r = tls_new(&tc, out, err)) < 0)
			log_err("%s: %s", section, err);
	}
	files_fini(&f);
	return r;
}

int
identity_client(struct worker *w, const char *cert, const char *key,
    const char *ca, struct tls **out)
{
	struct files	f = { 0 };
	struct tls_conf tc;
	char		err[TLS_ERR_MAX];
	int		r;

	*out = NULL;
	if ((r = file_read(w, cert, CERT, &f)) == 0 &&
	    (r = file_read(w, key, KEY, &f)) == 0 &&
	    (r = file_read(w, ca, CA, &f)) == 0) {
		tc = (struct tls_conf){ .cert = f.text[CERT],
			.key = f.text[KEY], .client_ca = f.text[CA],
			.cert_len = f.len[CERT], .key_len = f.len[KEY],
			.ca_len = f.len[CA] };
		if ((r = tls_client_new(&tc, out, err)) < 0)
			log_err("%s, %s, %s: %s", cert, key, ca, err);
	}
	files_fini(&f);
	return r;
}
