/*
 * tests/unit/tls_pki.h - a CA and what it signs, as PEM, for tests of TLS.
 *
 * Static functions: included by the one source that needs them. Memory stays
 * until the process ends. Failures are assertions.
 * SPDX-License-Identifier: ISC
 */
#ifndef TESTS_TLS_PKI_H
#define TESTS_TLS_PKI_H

#include <check.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

struct issued {
	X509	 *x;
	EVP_PKEY *key;
	char	 *cert, *key_pem; /* PEM */
};

static char *
pki_text(BIO *b)
{
	char *p, *out;
	long  n = BIO_get_mem_data(b, &p);

	out = strndup(p, (size_t)n);
	BIO_free(b);
	return out;
}

static void
pki_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

/* by NULL: a CA. san and usage as in OpenSSL's configuration, or NULL. Seconds are
 * from now. */
static struct issued
pki_issue_from(const struct issued *by, const char *cn, long serial,
    const char *san, const char *usage, long good_from_s, long good_for_s)
{
	struct issued i = { X509_new(), EVP_EC_gen("P-256"), NULL, NULL };
	X509_NAME    *name = X509_NAME_new();
	BIO	     *b = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_mem());

	X509_set_version(i.x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(i.x), serial);
	X509_gmtime_adj(X509_getm_notBefore(i.x), good_from_s);
	X509_gmtime_adj(X509_getm_notAfter(i.x), good_for_s);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const uint8_t *)cn, -1, -1, 0);
	X509_set_subject_name(i.x, name);
	X509_set_issuer_name(i.x, by != NULL ? X509_get_subject_name(by->x)
					     : name);
	X509_set_pubkey(i.x, i.key);
	if (by == NULL)
		pki_ext(i.x, NID_basic_constraints, "critical,CA:TRUE");
	if (san != NULL)
		pki_ext(i.x, NID_subject_alt_name, san);
	if (usage != NULL)
		pki_ext(i.x, NID_ext_key_usage, usage);
	ck_assert_int_gt(X509_sign(i.x, by != NULL ? by->key : i.key,
			     EVP_sha256()), 0);
	PEM_write_bio_X509(b, i.x);
	PEM_write_bio_PrivateKey(k, i.key, NULL, NULL, 0, NULL, NULL);
	i.cert = pki_text(b);
	i.key_pem = pki_text(k);
	X509_NAME_free(name);
	return i;
}

static inline struct issued
pki_issue(const struct issued *by, const char *cn, long serial, const char *san,
    const char *usage, long good_for_s)
{
	return pki_issue_from(by, cn, serial, san, usage, -86400, good_for_s);
}

/* A list with one serial number on it, 0: with none; good for so long. */
static inline char *
pki_crl_for(const struct issued *by, long serial, long good_for_s)
{
	X509_CRL     *crl = X509_CRL_new();
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	ASN1_TIME    *t = ASN1_TIME_adj(NULL, time(NULL) - 60, 0, 0);
	BIO	     *b = BIO_new(BIO_s_mem());

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->x));
	X509_CRL_set1_lastUpdate(crl, t);
	ASN1_TIME_adj(t, time(NULL) + good_for_s, 0, 0);
	X509_CRL_set1_nextUpdate(crl, t);
	if (serial != 0) {
		ASN1_INTEGER_set(n, serial);
		X509_REVOKED_set_serialNumber(r, n);
		ASN1_TIME_adj(t, time(NULL) - 60, 0, 0);
		X509_REVOKED_set_revocationDate(r, t);
		X509_CRL_add0_revoked(crl, r);
	} else
		X509_REVOKED_free(r);
	ck_assert_int_gt(X509_CRL_sign(crl, by->key, EVP_sha256()), 0);
	PEM_write_bio_X509_CRL(b, crl);
	X509_CRL_free(crl);
	ASN1_INTEGER_free(n);
	ASN1_TIME_free(t);
	return pki_text(b);
}

static inline char *
pki_crl(const struct issued *by, long serial)
{
	return pki_crl_for(by, serial, 86400);
}

#endif
