/*
 * common/tls_dates.c - until when a set of certificates and rules is good; see tls.h.
 *
 * Runs in the processes that end TLS. Believes the administrator's files.
 * SPDX-License-Identifier: ISC
 */
#include "common/tls_impl.h"

#include <openssl/x509v3.h>

/* Seconds since 1970; INT64_MAX: for ever. */
static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return t != NULL && ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm)
							 : INT64_MAX;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Whose an object of that type is, and its end; NULL: it is of another. */
static const X509_NAME *
owner_of(const X509_OBJECT *o, X509_LOOKUP_TYPE type, int64_t *end)
{
	if (X509_OBJECT_get_type(o) != type)
		return NULL;
	if (type == X509_LU_CRL) {
		const X509_CRL *l = X509_OBJECT_get0_X509_CRL(o);

		*end = seconds_of(X509_CRL_get0_nextUpdate(l));
		return X509_CRL_get_issuer(l);
	}
	*end = seconds_of(X509_get0_notAfter(X509_OBJECT_get0_X509(o)));
	return X509_get_subject_name(X509_OBJECT_get0_X509(o));
}

/* The first end of all owners' last ones: a renewed one makes up for the old. */
static int64_t
first_end(const STACK_OF(X509_OBJECT) *all, X509_LOOKUP_TYPE type)
{
	int64_t		 first = INT64_MAX, last, end;
	const X509_NAME *owner, *other;

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		owner = owner_of(sk_X509_OBJECT_value(all, i), type, &last);
		if (owner == NULL)
			continue;
		for (int k = 0; k < sk_X509_OBJECT_num(all); k++) {
			other = owner_of(sk_X509_OBJECT_value(all, k), type, &end);
			if (other != NULL && X509_NAME_cmp(owner, other) == 0 &&
			    end > last)
				last = end;
		}
		first = earlier(first, last);
	}
	return first;
}

void
tls_dates(const struct tls *t, struct tls_dates *out)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(
	    SSL_CTX_get_cert_store(t->ctx));
	STACK_OF(X509) *chain = NULL;
	const X509     *own = SSL_CTX_get0_certificate(t->ctx);

	out->cert = own != NULL ? seconds_of(X509_get0_notAfter(own)) : INT64_MAX;
	(void)SSL_CTX_get0_chain_certs(t->ctx, &chain);
	for (int i = 0; i < sk_X509_num(chain); i++)
		out->cert = earlier(out->cert,
		    seconds_of(X509_get0_notAfter(sk_X509_value(chain, i))));
	out->client_ca = first_end(all, X509_LU_X509);
	out->client_crl = first_end(all, X509_LU_CRL);
}
