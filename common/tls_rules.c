/*
 * common/tls_rules.c - sets of certificates and rules, and tickets; see tls.h.
 *
 * Runs in the processes that end TLS. Believes the administrator's files, as far
 * as OpenSSL can read them.
 * SPDX-License-Identifier: ISC
 */
#include "common/tls_impl.h"

#include "common/value.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define TICKET_SECONDS 3600 /* a ticket key makes tickets for so long */

static EVP_CIPHER *aes_cbc;

int
tls_rules_setup(void)
{
	aes_cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	return aes_cbc != NULL ? 0 : -ENOMEM;
}

/* -- session tickets of clients without certificates: no session is kept, keys
 * change by the hour -- */

static int
ticket_new(struct ticket_key *k)
{
	if (RAND_bytes(k->name, sizeof(k->name)) != 1 ||
	    RAND_bytes(k->mac, sizeof(k->mac)) != 1 ||
	    RAND_bytes(k->aes, sizeof(k->aes)) != 1)
		return -EIO;
	k->made = time(NULL);
	return 0;
}

static int
on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv,
    EVP_CIPHER_CTX *ec, EVP_MAC_CTX *mac, int enc)
{
	static char	   digest[] = "SHA256";
	struct tls	  *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_key *k = &t->ticket[0];
	OSSL_PARAM	   params[3];
	time_t		   now = time(NULL);

	if (enc) {
		if (now - k->made >= TICKET_SECONDS) {
			t->ticket[1] = *k;
			if (ticket_new(k) < 0)
				return -1;
		}
		memcpy(name, k->name, 16);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes_cbc)) != 1)
			return -1;
	} else {
		if (memcmp(name, k->name, 16) != 0)
			k = &t->ticket[1];
		if (k->made == 0 || memcmp(name, k->name, 16) != 0 ||
		    now - k->made >= TICKET_SECONDS + TLS_TICKET_LIFE)
			return 0; /* a full handshake then */
	}
	params[0] = OSSL_PARAM_construct_octet_string("key", k->mac,
	    sizeof(k->mac));
	params[1] = OSSL_PARAM_construct_utf8_string("digest", digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	if (EVP_MAC_CTX_set_params(mac, params) != 1 ||
	    EVP_CipherInit_ex2(ec, aes_cbc, k->aes, iv, enc, NULL) != 1)
		return -1;
	return !enc && k == &t->ticket[1] ? 2 : 1;
}

/* -- one set of rules -- */

static int
say(char err[TLS_ERR_MAX], const char *what)
{
	unsigned long e = ERR_peek_error();
	const char   *r = e != 0 ? ERR_reason_error_string(e) : NULL;

	snprintf(err, TLS_ERR_MAX, "%s%s%s", what, r != NULL ? ": " : "",
	    r != NULL ? r : "");
	ERR_clear_error();
	return -EINVAL;
}

static int
no_password(char *buf, int size, int w, void *arg)
{
	(void)buf, (void)size, (void)w, (void)arg;
	return -1;
}

static int
use_chain(SSL_CTX *ctx, const char *pem, size_t n)
{
	BIO  *b = BIO_new_mem_buf(pem, (int)n);
	X509 *x = PEM_read_bio_X509_AUX(b, NULL, no_password, NULL);
	int   ok = x != NULL && SSL_CTX_use_certificate(ctx, x) == 1;

	X509_free(x);
	while (ok && (x = PEM_read_bio_X509(b, NULL, no_password, NULL)) != NULL)
		if (SSL_CTX_add0_chain_cert(ctx, x) != 1) {
			X509_free(x);
			ok = 0;
		}
	BIO_free(b);
	if (ok)
		ERR_clear_error(); /* the end of the file is one, to PEM */
	return ok;
}

static int
use_key(SSL_CTX *ctx, const char *pem, size_t n)
{
	BIO	 *b = BIO_new_mem_buf(pem, (int)n);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL);
	int	  ok = k != NULL && SSL_CTX_use_PrivateKey(ctx, k) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1;

	EVP_PKEY_free(k);
	BIO_free(b);
	return ok;
}

static int
use_client_ca(SSL_CTX *ctx, const struct tls_conf *conf)
{
	X509_STORE *st = SSL_CTX_get_cert_store(ctx);
	BIO	   *b = BIO_new_mem_buf(conf->client_ca, (int)conf->ca_len);
	X509	   *x;
	int	    n = 0;

	while ((x = PEM_read_bio_X509(b, NULL, no_password, NULL)) != NULL) {
		n += X509_STORE_add_cert(st, x) == 1 &&
		    SSL_CTX_add_client_CA(ctx, x) == 1;
		X509_free(x);
	}
	BIO_free(b);
	if (n > 0)
		ERR_clear_error();
	return n > 0;
}

static int
use_crl(SSL_CTX *ctx, const struct tls_conf *conf)
{
	X509_STORE *st = SSL_CTX_get_cert_store(ctx);
	BIO	   *b = BIO_new_mem_buf(conf->client_crl, (int)conf->crl_len);
	X509_CRL   *l;
	int	    n = 0;

	while ((l = PEM_read_bio_X509_CRL(b, NULL, no_password, NULL)) != NULL) {
		n += X509_STORE_add_crl(st, l) == 1;
		X509_CRL_free(l);
	}
	BIO_free(b);
	if (n == 0)
		return 0;
	ERR_clear_error();
	return X509_STORE_set_flags(st, X509_V_FLAG_CRL_CHECK);
}

int
tls_use_common(SSL_CTX *x, struct tls *t)
{
	if (SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(x, "TLS_AES_128_GCM_SHA256:"
		"TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") != 1 ||
	    SSL_CTX_set_cipher_list(x, "ECDHE+AES128+AESGCM:ECDHE+AESGCM:"
		"ECDHE+CHACHA20:!PSK:!SRP") != 1 ||
	    SSL_CTX_set1_groups_list(x, "X25519:P-256:P-384") != 1)
		return -EIO;
	SSL_CTX_set_options(x, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* NO_AUTO_CHAIN: else every handshake would build our own chain anew */
	SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_app_data(x, t);
	SSL_CTX_set_keylog_callback(x, tls_on_secret);
	SSL_CTX_set_msg_callback(x, tls_on_message);
	return 0;
}

/* -- which protocol (RFC 7301) -- */

static bool
offers(const uint8_t *in, unsigned n, const char *word)
{
	size_t len = strlen(word);

	for (unsigned i = 0; i < n; i += 1U + in[i])
		if (in[i] == len && memcmp(in + i + 1, word, len) == 0)
			return true;
	return false;
}

/* "*" takes the first, if it is text. OpenSSL has checked the lengths. */
static int
on_alpn(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in,
    unsigned n, void *arg)
{
	struct tls_conn *c = SSL_get_app_data(ssl);
	char		 word[256] = "";
	size_t		 pos = 0;

	(void)arg;
	if (c->alpn_words == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (strcmp(c->alpn_words, "*") == 0) {
		memcpy(word, in + 1, in[0]);
		word[in[0]] = '\0';
		if (strlen(word) != in[0])
			return SSL_TLSEXT_ERR_NOACK;
	} else
		do
			if (!value_word(c->alpn_words, &pos, word,
				sizeof(word))) {
				c->fault = TLS_FAULT_ALPN;
				return SSL_TLSEXT_ERR_ALERT_FATAL;
			}
		while (!offers(in, n, word));
	free(c->alpn); /* of a first hello that was to be repeated */
	if ((c->alpn = strdup(word)) == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	*out = (const uint8_t *)c->alpn;
	*out_len = (uint8_t)strlen(word);
	return SSL_TLSEXT_ERR_OK;
}

static int
configure(struct tls *t, const struct tls_conf *conf, char err[TLS_ERR_MAX])
{
	SSL_CTX *x = t->ctx;

	if (tls_use_common(x, t) < 0)
		return say(err, "OpenSSL refuses our protocol settings");
	SSL_CTX_set_options(x, SSL_OP_CIPHER_SERVER_PREFERENCE |
		SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(x, TLS_TICKET_LIFE);
	SSL_CTX_set_num_tickets(x, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(x, on_ticket);
	SSL_CTX_set_alpn_select_cb(x, on_alpn, NULL);
	SSL_CTX_set_session_id_context(x, (const uint8_t *)TLS_ID_CONTEXT,
	    strlen(TLS_ID_CONTEXT));
	if (conf->cert == NULL || conf->key == NULL)
		return say(err, "HTTPS needs a certificate and its key");
	if (!use_chain(x, conf->cert, conf->cert_len))
		return say(err, "the certificate chain is not readable PEM");
	if (!use_key(x, conf->key, conf->key_len))
		return say(err, "the key is not readable PEM, or not the "
				"certificate's");
	if (conf->client == TLS_CLIENT_NONE)
		return 0;
	if (conf->client_ca == NULL)
		return conf->client == TLS_CLIENT_REQUIRED
		    ? say(err, "required client certificates need a client-ca")
		    : 0;
	if (!use_client_ca(x, conf))
		return say(err, "client-ca holds no certificate");
	if (conf->client_crl != NULL && !use_crl(x, conf))
		return say(err, "client-crl holds no revocation list");
	SSL_CTX_set_options(x, SSL_OP_NO_TICKET); /* but numbers of sessions */
	if (tls_sessions_use(t) < 0)
		return say(err, "no memory");
	SSL_CTX_set_purpose(x, X509_PURPOSE_SSL_CLIENT);
	SSL_CTX_set_cert_verify_callback(x, tls_on_verify, t);
	SSL_CTX_set_verify(x, SSL_VERIFY_PEER |
		(conf->client == TLS_CLIENT_REQUIRED
			? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	return 0;
}

int
tls_use_client(SSL_CTX *x, const struct tls_conf *conf, char err[TLS_ERR_MAX])
{
	if (conf->cert != NULL && !use_chain(x, conf->cert, conf->cert_len))
		return say(err, "client-cert is not readable PEM");
	if (conf->cert != NULL &&
	    (conf->key == NULL || !use_key(x, conf->key, conf->key_len)))
		return say(err, "client-key is not readable PEM, or not the "
				"certificate's");
	if (conf->client_ca != NULL && !use_client_ca(x, conf))
		return say(err, "ca holds no certificate");
	return 0;
}

int
tls_check_client(const struct tls_conf *conf, char err[TLS_ERR_MAX])
{
	SSL_CTX *x = SSL_CTX_new(TLS_client_method());
	int	 r = x != NULL ? tls_use_client(x, conf, err)
			       : say(err, "no memory");

	SSL_CTX_free(x);
	return r;
}

int
tls_new(const struct tls_conf *conf, struct tls **out, char err[TLS_ERR_MAX])
{
	struct tls *t = calloc(1, sizeof(*t));
	int	    r = -ENOMEM;

	*out = NULL;
	snprintf(err, TLS_ERR_MAX, "no memory");
	if (t == NULL)
		return r;
	t->refs = 1;
	t->verified = calloc(TLS_VERIFIED, sizeof(*t->verified));
	if (t->verified != NULL &&
	    (t->ctx = SSL_CTX_new(TLS_server_method())) != NULL &&
	    ticket_new(&t->ticket[0]) == 0)
		r = configure(t, conf, err);
	if (r < 0)
		tls_unref(&t);
	*out = t;
	return r;
}

void
tls_ref(struct tls *t)
{
	t->refs++;
}

int
tls_lists_new(const struct tls_conf *conf, struct tls **out,
    char err[TLS_ERR_MAX])
{
	struct tls *t = calloc(1, sizeof(*t));
	int	    r = -ENOMEM;

	*out = NULL;
	snprintf(err, TLS_ERR_MAX, "no memory");
	if (t == NULL)
		return r;
	t->refs = 1;
	if ((t->ctx = SSL_CTX_new(TLS_server_method())) != NULL)
		r = use_crl(t->ctx, conf)
		    ? 0 : say(err, "client-crl holds no revocation list");
	if (r < 0)
		tls_unref(&t);
	*out = t;
	return r;
}

void
tls_unref(struct tls **tp)
{
	struct tls *t = *tp;

	*tp = NULL;
	if (t == NULL || --t->refs > 0)
		return;
	SSL_CTX_free(t->ctx);
	tls_sessions_free(t);
	tls_kept_free(t);
	free(t->verified);
	OPENSSL_cleanse(t->ticket, sizeof(t->ticket));
	free(t);
}
