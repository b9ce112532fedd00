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
#include <time.h>

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
identity_lists(struct worker *w, const char *section, struct tls **out,
    struct hash *crl)
{
	struct files	f = { 0 };
	struct tls_conf tc;
	char		err[TLS_ERR_MAX], key[64];
	int		r;

	*out = NULL;
	snprintf(key, sizeof(key), "%s.client-crl", section);
	if ((r = file_read(w, key, CRL, &f)) == 0 && f.text[CRL] != NULL) {
		tc = (struct tls_conf){ .client_crl = f.text[CRL],
			.crl_len = f.len[CRL] };
		if (crl != NULL)
			r = hash_of(crl, f.text[CRL], f.len[CRL]);
		if (r == 0 && (r = tls_lists_new(&tc, out, err)) < 0)
			log_err("%s: %s", key, err);
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

/* -- until when they are good -- */

#define DAY_S 86400

static const struct {
	const char *key, *label, *then;
	int64_t	    before_s;
} dated[] = {
	{ "cert", "what=\"cert\"", "nobody believes it", 7 * DAY_S },
	{ "client-ca", "what=\"client-ca\"",
	    "certificates of that CA are refused", 7 * DAY_S },
	{ "client-crl", "what=\"client-crl\"",
	    "certificates of that CA are refused", DAY_S },
};

static void
dates(const struct tls *tls, int64_t at[COUNT(dated)])
{
	struct tls_dates d;

	tls_dates(tls, &d);
	at[0] = d.cert;
	at[1] = d.client_ca;
	at[2] = d.client_crl;
}

void
identity_warnings(const char *section, const struct tls *tls,
    struct admin_reply *reply)
{
	int64_t	  at[COUNT(dated)], now = time(NULL);
	char	  day[32];
	struct tm tm;
	time_t	  t;

	if (tls == NULL)
		return;
	dates(tls, at);
	for (size_t i = 0; i < COUNT(dated); i++) {
		if (at[i] - now > dated[i].before_s)
			continue;
		t = (time_t)at[i];
		strftime(day, sizeof(day), "%Y-%m-%d %H:%M UTC", gmtime_r(&t, &tm));
		worker_warning(reply, "%s: %s.%s %s %s%s%s", section, section,
		    dated[i].key, at[i] <= now ? "expired at" : "expires at", day,
		    at[i] <= now ? ": " : "", at[i] <= now ? dated[i].then : "");
	}
}

void
identity_metrics(const char *name, const struct tls *tls,
    struct admin_reply *reply)
{
	int64_t at[COUNT(dated)];

	if (tls == NULL)
		return;
	dates(tls, at);
	for (size_t i = 0; i < COUNT(dated); i++)
		if (at[i] != INT64_MAX)
			worker_metric(reply, name, "gauge",
			    "When what TLS shows or trusts expires, seconds since 1970.",
			    dated[i].label, (double)at[i]);
}
