/*
 * common/tls_peer.c - what a peer's certificate says; see tls.h.
 *
 * Runs in the processes that end TLS, behind their sandboxes. Believes a
 * certificate once OpenSSL has verified it.
 * SPDX-License-Identifier: ISC
 */
#include "common/tls_impl.h"

#include <errno.h>
#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define VERIFIED_S 600 /* a certificate is remembered so long */

static EVP_MD *sha256;

int
tls_peer_setup(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	return sha256 != NULL ? 0 : -ENOMEM;
}

static int
leaf_hash(X509 *x, struct hash *h)
{
	unsigned n = HASH_LEN;

	return X509_digest(x, sha256, h->b, &n) == 1 ? 0 : -EIO;
}

static struct verified *
verified_slot(struct tls *t, const struct hash *h)
{
	return &t->verified[(h->b[0] | h->b[1] << 8) & (TLS_VERIFIED - 1)];
}

/*
 * A chain that was found good is not built again for some minutes: the same
 * leaf, byte for byte, under the same CA and list of revocations, which live
 * and die with this struct tls. That the peer holds the key is proved in every
 * handshake all the same.
 */
int
tls_on_verify(X509_STORE_CTX *sc, void *arg)
{
	struct tls	*t = arg;
	X509		*leaf = X509_STORE_CTX_get0_cert(sc);
	struct verified *v;
	struct hash	 h;
	time_t		 now = time(NULL);
	int		 ok;

	if (leaf == NULL || leaf_hash(leaf, &h) < 0)
		return 0;
	v = verified_slot(t, &h);
	if (v->until > now && hash_eq(&v->leaf, &h) &&
	    X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0) {
		tls_counted.cached_certs++;
		X509_STORE_CTX_set_error(sc, X509_V_OK);
		return 1;
	}
	ok = X509_verify_cert(sc);
	if (ok == 1) {
		v->leaf = h;
		v->until = now + VERIFIED_S;
	} else if (X509_STORE_CTX_get_error(sc) == X509_V_ERR_CERT_REVOKED)
		tls_counted.revoked++;
	return ok == 1;
}

/* The first URI of ours in the certificate's alternative names. */
static char *
name_of(const X509 *x)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
	    NULL);
	char	      *name = NULL;

	for (int i = 0; name == NULL && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		const char	   *s;
		int		    n;

		if (g->type != GEN_URI)
			continue;
		s = (const char *)ASN1_STRING_get0_data(g->d.ia5);
		n = ASN1_STRING_length(g->d.ia5);
		if (n < TLS_NAME_MAX && memchr(s, 0, (size_t)n) == NULL &&
		    (strncmp(s, "urn:dpoint:device:", 18) == 0 ||
			strncmp(s, "urn:dpoint:dp:", 14) == 0))
			name = strndup(s, (size_t)n);
	}
	GENERAL_NAMES_free(names);
	return name;
}

int
tls_name_of_pem(const char *pem, size_t len, char out[TLS_NAME_MAX])
{
	BIO  *b = len <= INT_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
	X509 *x = b != NULL ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
	char *name = x != NULL ? name_of(x) : NULL;
	int   r = name != NULL ? 0 : -ENOENT;

	if (name != NULL)
		memcpy(out, name, strlen(name) + 1);
	free(name);
	X509_free(x);
	BIO_free(b);
	ERR_clear_error();
	return r;
}

/* An issuer's name, short: only compared with those of our own lists. */
static int
issuer_hash(const X509_NAME *name, uint8_t out[8])
{
	uint8_t	 md[EVP_MAX_MD_SIZE];
	unsigned n = sizeof(md);

	if (X509_NAME_digest(name, sha256, md, &n) != 1)
		return -EIO;
	memcpy(out, md, 8);
	return 0;
}

static int
take(struct tls_conn *c, X509 *x)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	struct tls_peer	   *p = &c->peer;
	int		    len = ASN1_STRING_length(serial);
	struct tm	    tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1 || len < 0 ||
	    (size_t)len > sizeof(p->serial) ||
	    issuer_hash(X509_get_issuer_name(x), p->issuer) < 0)
		return -EPROTO;
	p->expires = timegm(&tm);
	memcpy(p->serial, ASN1_STRING_get0_data(serial), (size_t)len);
	p->serial_len = (uint8_t)len;
	c->name = name_of(x);
	return 0;
}

int
tls_settle_peer(struct tls_conn *c)
{
	X509 *x = SSL_get0_peer_certificate(c->ssl);
	int   r;

	if (c->restored && SSL_session_reused(c->ssl) != 1) {
		free(c->name); /* in full after all: who this is says x */
		c->name = NULL;
		c->peer = (struct tls_peer){ 0 };
		c->restored = false;
	}
	if (x != NULL && c->peer.expires == 0 && (r = take(c, x)) < 0)
		return r;
	/* a ticket may have outlived the certificate it stands for */
	if (c->peer.expires != 0 && c->peer.expires <= time(NULL)) {
		c->fault = TLS_FAULT_EXPIRED;
		return -EPROTO;
	}
	return 0;
}

bool
tls_peer_revoked(const struct tls_conn *c, const struct tls *now)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(
	    SSL_CTX_get_cert_store(now->ctx));
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	X509_REVOKED *rev;
	X509_CRL     *crl;
	uint8_t	      issuer[8];
	bool	      is = serial == NULL ||
	    ASN1_STRING_set(serial, c->peer.serial, c->peer.serial_len) != 1;

	for (int i = 0; !is && i < sk_X509_OBJECT_num(all); i++) {
		crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(all, i));
		is = crl != NULL && c->peer.serial_len > 0 &&
		    issuer_hash(X509_CRL_get_issuer(crl), issuer) == 0 &&
		    memcmp(issuer, c->peer.issuer, sizeof(issuer)) == 0 &&
		    X509_CRL_get0_by_serial(crl, &rev, serial) == 1;
	}
	ASN1_INTEGER_free(serial);
	return is;
}

int64_t
tls_peer_expires(const struct tls_conn *c)
{
	return c->peer.expires;
}

const char *
tls_peer_name(const struct tls_conn *c)
{
	return c->name != NULL ? c->name : "";
}
