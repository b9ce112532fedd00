/*
 * common/tls.c - the server's end of TLS; see tls.h.
 *
 * Runs in the processes that end TLS, behind their sandboxes. Believes nothing
 * a peer sent before OpenSSL has verified it.
 * SPDX-License-Identifier: ISC
 */
#include "common/tls.h"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/hash.h"
#include "common/tls_record.h"

#define TICKET_SECONDS 3600 /* a ticket key makes tickets for so long ... */
#define TICKET_LIFE    7200 /* ... which are good for so long */
#define SESSIONS_MAX   2048 /* kept, of clients with certificates */
#define VERIFIED_MAX   1024 /* certificates remembered; a power of two */
#define VERIFIED_S     600  /* so long */
#define KEY_RECORDS    (UINT64_C(1) << 23)
#define GATHER_MAX     (TLS_WRITE_MAX + 16384) /* and their record headers */

struct ticket_key {
	uint8_t name[16], mac[32], aes[32];
	time_t	made; /* 0: none */
};

struct verified {
	struct hash leaf;
	time_t	    until;
};

struct tls {
	SSL_CTX		 *ctx;
	unsigned	  refs;
	struct ticket_key ticket[2]; /* the one in use, the one before */
	struct verified	  verified[VERIFIED_MAX];
};

struct bytes { /* what does not fit into this turn */
	size_t	off, len;
	uint8_t data[];
};

/*
 * OpenSSL's state is with a connection while hands are shaken; with TLS 1.3 it
 * goes then, and two keys of tls_record.h stay.
 */
struct tls_conn {
	SSL		 *ssl; /* NULL: own records */
	struct tls	 *tls;
	struct bytes	 *raw;	 /* received, not looked at */
	struct bytes	 *plain; /* opened, not asked for */
	uint8_t		 *rest;	 /* records the socket did not take */
	size_t		  rest_off, rest_len;
	char		 *name; /* NULL: none */
	int		  fd;
	bool		  drained, closing, eof, ktls, resumed, has_in, has_out;
	struct record_key in, out;
};

/* The bytes of one read; what is left of them at the end goes to raw. */
static uint8_t		 arrived[2 * RECORD_MAX];
static BIO_METHOD	*method;
static EVP_MD		*sha256;
static EVP_CIPHER	*aes_cbc;
static uint8_t		 gather[GATHER_MAX];
static size_t		 gathered;
static bool		 no_ktls; /* this kernel has none */
static struct tls_counts counts;

static int seal(struct tls_conn *c, enum record_type type, const void *p,
    size_t n);

/* -- the socket, as OpenSSL sees it -- */

static int
bytes_keep(struct bytes **b, const void *p, size_t n)
{
	if (n == 0)
		return 0;
	if ((*b = malloc(sizeof(**b) + n)) == NULL)
		return -ENOMEM;
	(*b)->off = 0;
	(*b)->len = n;
	memcpy((*b)->data, p, n);
	return 0;
}

static size_t
bytes_take(struct bytes **b, void *p, size_t max)
{
	size_t n;

	if (*b == NULL)
		return 0;
	n = (*b)->len - (*b)->off < max ? (*b)->len - (*b)->off : max;
	memcpy(p, (*b)->data + (*b)->off, n);
	if (((*b)->off += n) == (*b)->len) {
		free(*b);
		*b = NULL;
	}
	return n;
}

/* More bytes of the socket's: how many, 0 at the end, -EAGAIN, -EPIPE. */
static ssize_t
receive(struct tls_conn *c, void *p, size_t max)
{
	ssize_t n;

	if (c->eof)
		return 0;
	if (c->drained)
		return -EAGAIN;
	n = recv(c->fd, p, max, 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -EPIPE;
	if (n == 0)
		c->eof = true;
	/* a short read emptied the socket: what comes later is a new edge */
	c->drained = n < (ssize_t)max && !(n > 0 && c->closing);
	return n < 0 ? -EAGAIN : n;
}

/*
 * OpenSSL gets what it asks for and no more, so that nothing is in its buffers
 * when it is let go.
 */
static int
bio_read(BIO *b, char *buf, int n)
{
	struct tls_conn *c = BIO_get_data(b);
	size_t		 give;
	ssize_t		 got;

	BIO_clear_retry_flags(b);
	if (c->raw != NULL)
		return (int)bytes_take(&c->raw, buf, (size_t)n);
	if ((got = receive(c, arrived, sizeof(arrived))) <= 0) {
		if (got == -EAGAIN)
			BIO_set_retry_read(b);
		return got == 0 ? 0 : -1;
	}
	give = got < n ? (size_t)got : (size_t)n;
	memcpy(buf, arrived, give);
	if (bytes_keep(&c->raw, arrived + give, (size_t)got - give) < 0)
		return -1;
	return (int)give;
}

static int
bio_write(BIO *b, const char *buf, int n)
{
	struct tls_conn *c = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (c->rest != NULL || (size_t)n > sizeof(gather) - gathered) {
		BIO_set_retry_write(b);
		return -1;
	}
	memcpy(gather + gathered, buf, (size_t)n);
	gathered += (size_t)n;
	return n;
}

static long
bio_ctrl(BIO *b, int cmd, long num, void *p)
{
	struct tls_conn *c = BIO_get_data(b);

	(void)num;
	(void)p;
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return c->eof;
	default:
		return 0;
	}
}

int
tls_setup(void)
{
	if (!OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS |
		OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL))
		return -ENOMEM;
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	aes_cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
	    "dpoint");
	if (record_setup() < 0)
		return -EIO;
	if (sha256 == NULL || aes_cbc == NULL || method == NULL ||
	    !BIO_meth_set_read(method, bio_read) ||
	    !BIO_meth_set_write(method, bio_write) ||
	    !BIO_meth_set_ctrl(method, bio_ctrl))
		return -ENOMEM;
	return 0;
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
		    now - k->made >= TICKET_SECONDS + TICKET_LIFE)
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

/* -- client certificates -- */

static int
leaf_hash(X509 *x, struct hash *h)
{
	unsigned n = HASH_LEN;

	return X509_digest(x, sha256, h->b, &n) == 1 ? 0 : -EIO;
}

static struct verified *
verified_slot(struct tls *t, const struct hash *h)
{
	return &t->verified[(h->b[0] | h->b[1] << 8) & (VERIFIED_MAX - 1)];
}

/*
 * A chain that was found good is not built again for some minutes: the same
 * leaf, byte for byte, under the same CA and list of revocations, which live
 * and die with this struct tls. That the peer holds the key is proved in every
 * handshake all the same.
 */
static int
on_verify(X509_STORE_CTX *sc, void *arg)
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
		counts.cached_certs++;
		X509_STORE_CTX_set_error(sc, X509_V_OK);
		return 1;
	}
	ok = X509_verify_cert(sc);
	if (ok == 1) {
		v->leaf = h;
		v->until = now + VERIFIED_S;
	} else if (X509_STORE_CTX_get_error(sc) == X509_V_ERR_CERT_REVOKED)
		counts.revoked++;
	return ok == 1;
}

/* The first URI of ours in the certificate's alternative names. */
static void
take_name(struct tls_conn *c, X509 *x)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
	    NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		const char	   *s;
		int		    n;

		if (g->type != GEN_URI)
			continue;
		s = (const char *)ASN1_STRING_get0_data(g->d.ia5);
		n = ASN1_STRING_length(g->d.ia5);
		if (n >= TLS_NAME_MAX || memchr(s, 0, (size_t)n) != NULL ||
		    (strncmp(s, "urn:dpoint:device:", 18) != 0 &&
			strncmp(s, "urn:dpoint:dp:", 14) != 0))
			continue;
		c->name = strndup(s, (size_t)n);
		break;
	}
	GENERAL_NAMES_free(names);
}

/* -- taking over from OpenSSL -- */

/*
 * OpenSSL calls this when it begins to use a secret, with a line as SSLKEYLOGFILE
 * has it: the name, the client's random number, the secret.
 */
static void
on_secret(const SSL *ssl, const char *line)
{
	struct tls_conn	 *c = SSL_get_app_data(ssl);
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	const char	 *hex = strrchr(line, ' ');
	uint8_t		  secret[48];
	bool in = strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0,
	     out = strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0;
	size_t len;
	int    r;

	if ((!in && !out) || hex == NULL || cipher == NULL ||
	    OPENSSL_hexstr2buf_ex(secret, sizeof(secret), &len, hex + 1, '\0') != 1)
		return;
	r = record_key_init(in ? &c->in : &c->out,
	    SSL_CIPHER_get_protocol_id(cipher), secret, len);
	c->has_in |= in && r == 0;
	c->has_out |= out && r == 0;
	OPENSSL_cleanse(secret, sizeof(secret));
}

/* Counts the records that OpenSSL moves under the new secrets. */
static void
on_message(int sent, int version, int type, const void *buf, size_t len,
    SSL *ssl, void *arg)
{
	struct tls_conn *c = SSL_get_app_data(ssl);

	(void)version, (void)buf, (void)len, (void)arg;
	if (type != SSL3_RT_HEADER)
		return;
	if (sent && c->has_out)
		c->out.seq++;
	else if (!sent && c->has_in)
		c->in.seq++;
}

/* With the kernel's help, if it has any: it seals what we send then. */
static void
try_ktls(struct tls_conn *c)
{
	struct tls12_crypto_info_aes_gcm_128 k = {
		.info = { TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128 } };

	if (no_ktls || c->out.suite != SUITE_AES_128 || tls_flush(c) < 0)
		return;
	if (setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 4) < 0) {
		/* without the module every attempt would load the loader */
		no_ktls = errno == ENOENT;
		return;
	}
	memcpy(k.key, c->out.key, sizeof(k.key));
	memcpy(k.salt, c->out.iv, sizeof(k.salt));
	memcpy(k.iv, c->out.iv + sizeof(k.salt), sizeof(k.iv));
	for (int i = 0; i < 8; i++)
		k.rec_seq[7 - i] = (uint8_t)(c->out.seq >> (8 * i));
	c->ktls = setsockopt(c->fd, SOL_TLS, TLS_TX, &k, sizeof(k)) == 0;
	counts.ktls += c->ktls;
	OPENSSL_cleanse(&k, sizeof(k));
}

/* The kernel is told that this record is no data. */
static void
ktls_alert(struct tls_conn *c, const uint8_t *p, size_t n)
{
	union {
		struct cmsghdr h;
		char	       room[CMSG_SPACE(1)];
	} u = { .h = { .cmsg_level = SOL_TLS, .cmsg_type = TLS_SET_RECORD_TYPE,
		    .cmsg_len = CMSG_LEN(1) } };
	struct iovec  v = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u,
		.msg_controllen = sizeof(u.room) };

	*CMSG_DATA(&u.h) = RECORD_ALERT;
	if (sendmsg(c->fd, &m, MSG_NOSIGNAL) < 0)
		return; /* it was to be polite */
}

static void
take_over(struct tls_conn *c)
{
	if (SSL_version(c->ssl) != TLS1_3_VERSION || !c->has_in || !c->has_out)
		return;
	/* as closed in order, or its session could not be resumed */
	SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	c->ssl = NULL;
	try_ktls(c);
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

static int
configure(struct tls *t, const struct tls_conf *conf, char err[TLS_ERR_MAX])
{
	SSL_CTX *x = t->ctx;

	if (SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(x, "TLS_AES_128_GCM_SHA256:"
		"TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") != 1 ||
	    SSL_CTX_set_cipher_list(x, "ECDHE+AES128+AESGCM:ECDHE+AESGCM:"
		"ECDHE+CHACHA20:!PSK:!SRP") != 1 ||
	    SSL_CTX_set1_groups_list(x, "X25519:P-256:P-384") != 1)
		return say(err, "OpenSSL refuses our protocol settings");
	SSL_CTX_set_options(x, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* NO_AUTO_CHAIN: else every handshake would build our own chain anew */
	SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(x, TICKET_LIFE);
	SSL_CTX_set_num_tickets(x, 1);
	SSL_CTX_set_app_data(x, t);
	SSL_CTX_set_keylog_callback(x, on_secret);
	SSL_CTX_set_msg_callback(x, on_message);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(x, on_ticket);
	SSL_CTX_set_session_id_context(x, (const uint8_t *)"dpoint", 6);
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
	/*
	 * A ticket would hold the client's certificate, which OpenSSL decodes
	 * once more for every ticket it makes: a fifth of a handshake. So these
	 * sessions are kept here, as many as there is room for.
	 */
	SSL_CTX_set_options(x, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_SERVER);
	SSL_CTX_sess_set_cache_size(x, SESSIONS_MAX);
	SSL_CTX_set_purpose(x, X509_PURPOSE_SSL_CLIENT);
	SSL_CTX_set_cert_verify_callback(x, on_verify, t);
	SSL_CTX_set_verify(x, SSL_VERIFY_PEER |
		(conf->client == TLS_CLIENT_REQUIRED
			? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	return 0;
}

int
tls_check_client(const struct tls_conf *conf, char err[TLS_ERR_MAX])
{
	SSL_CTX *x = SSL_CTX_new(TLS_client_method());
	int	 r = 0;

	if (x == NULL)
		r = say(err, "no memory");
	else if (conf->cert != NULL && !use_chain(x, conf->cert, conf->cert_len))
		r = say(err, "client-cert is not readable PEM");
	else if (conf->cert != NULL && (conf->key == NULL ||
	    !use_key(x, conf->key, conf->key_len)))
		r = say(err, "client-key is not readable PEM, or not the "
			     "certificate's");
	else if (conf->client_ca != NULL && !use_client_ca(x, conf))
		r = say(err, "ca holds no certificate");
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
	if ((t->ctx = SSL_CTX_new(TLS_server_method())) != NULL &&
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

void
tls_unref(struct tls **tp)
{
	struct tls *t = *tp;

	*tp = NULL;
	if (t == NULL || --t->refs > 0)
		return;
	SSL_CTX_free(t->ctx);
	OPENSSL_cleanse(t->ticket, sizeof(t->ticket));
	free(t);
}

/* -- one connection -- */

int
tls_accept(struct tls *t, int fd, struct tls_conn **out)
{
	struct tls_conn *c = calloc(1, sizeof(*c));
	BIO		*b = BIO_new(method);

	*out = NULL;
	if (c != NULL)
		c->ssl = SSL_new(t->ctx);
	if (c == NULL || b == NULL || c->ssl == NULL) {
		BIO_free(b);
		if (c != NULL)
			SSL_free(c->ssl);
		free(c);
		ERR_clear_error();
		return -ENOMEM;
	}
	c->fd = fd;
	c->tls = t;
	t->refs++;
	BIO_set_data(b, c);
	BIO_set_init(b, 1);
	SSL_set_bio(c->ssl, b, b);
	SSL_set_app_data(c->ssl, c);
	SSL_set_accept_state(c->ssl);
	*out = c;
	return 0;
}

void
tls_conn_free(struct tls_conn **cp)
{
	struct tls_conn *c = *cp;

	if (c == NULL)
		return;
	SSL_free(c->ssl);
	record_key_fini(&c->in);
	record_key_fini(&c->out);
	free(c->raw);
	free(c->plain);
	if (c->rest != NULL)
		counts.unsent -= c->rest_len;
	free(c->rest);
	free(c->name);
	gathered = 0; /* there is one turn at a time: these were its records */
	tls_unref(&c->tls);
	free(c);
	*cp = NULL;
}

static int
error_of(struct tls_conn *c, int r)
{
	int e = SSL_get_error(c->ssl, r);

	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	ERR_clear_error();
	return e == SSL_ERROR_SYSCALL ? -EPIPE : -EPROTO;
}

int
tls_handshake(struct tls_conn *c)
{
	X509 *x;
	int   r = SSL_do_handshake(c->ssl), f;

	if (r != 1 && (r = error_of(c, r)) == -EAGAIN) {
		f = tls_flush(c);
		return f < 0 ? f : -EAGAIN;
	}
	if (r < 0) {
		counts.failed++;
		(void)tls_flush(c); /* the alert */
		return r;
	}
	counts.handshakes++;
	c->resumed = SSL_session_reused(c->ssl) == 1;
	counts.resumed += c->resumed;
	x = SSL_get0_peer_certificate(c->ssl);
	if (x != NULL) {
		/* a ticket may have outlived the certificate it stands for */
		if (X509_cmp_current_time(X509_get0_notAfter(x)) <= 0)
			return -EPROTO;
		take_name(c, x);
	}
	take_over(c);
	return 0;
}

static int
seal(struct tls_conn *c, enum record_type type, const void *p, size_t n)
{
	size_t len;
	int    r;

	if (sizeof(gather) - gathered < n + RECORD_OVER)
		return -EAGAIN;
	/* long before a key has sealed more than it should: RFC 8446, 5.5 */
	if (c->out.seq > KEY_RECORDS && type == RECORD_DATA) {
		static const uint8_t update[] = { 24, 0, 0, 1, 0 };

		if ((r = seal(c, RECORD_HANDSHAKE, update, sizeof(update))) < 0 ||
		    (r = record_key_update(&c->out)) < 0)
			return r;
	}
	r = record_seal(&c->out, type, p, n, gather + gathered, &len);
	if (r == 0)
		gathered += len;
	return r;
}

void
tls_readable(struct tls_conn *c, bool closing)
{
	c->closing = closing;
	c->drained = false;
}

/* A message that is no data; KeyUpdate is the only one a client may send. */
static int
on_handshake_record(struct tls_conn *c, const uint8_t *p, size_t n)
{
	static const uint8_t ours[] = { 24, 0, 0, 1, 0 };
	int		     r;

	if (n != 5 || memcmp(p, "\x18\0\0\1", 4) != 0 || p[4] > 1)
		return -EPROTO;
	if ((r = record_key_update(&c->in)) < 0 || p[4] == 0)
		return r;
	if (c->ktls || c->rest != NULL)
		return -EPROTO; /* the kernel has our key, and keeps it */
	if ((r = seal(c, RECORD_HANDSHAKE, ours, sizeof(ours))) < 0)
		return r;
	return record_key_update(&c->out);
}

/* Opens the next record that is data. Its bytes lie in arrived, at *p. */
static ssize_t
next_record(struct tls_conn *c, uint8_t **p)
{
	enum record_type type;
	size_t		 have = bytes_take(&c->raw, arrived, sizeof(arrived)),
		 at = 0, n;
	ssize_t		 r;

	for (;;) {
		r = record_size(arrived + at, have - at);
		if (r < 0)
			return -EPROTO;
		if (r == 0 || (size_t)r > have - at) {
			memmove(arrived, arrived + at, have - at);
			have -= at;
			at = 0;
			r = receive(c, arrived + have, sizeof(arrived) - have);
			if (r == -EAGAIN && bytes_keep(&c->raw, arrived, have) < 0)
				return -ENOMEM;
			if (r <= 0)
				return r;
			have += (size_t)r;
			continue;
		}
		if (record_open(&c->in, arrived + at, (size_t)r, &type, p, &n) < 0)
			return -EPROTO;
		at += (size_t)r;
		if (type == RECORD_DATA && n > 0)
			break;
		if (type == RECORD_ALERT) {
			c->eof = true;
			return n == 2 && (*p)[1] == 0 ? 0 : -EPIPE;
		}
		if (type == RECORD_HANDSHAKE &&
		    (r = on_handshake_record(c, *p, n)) < 0)
			return r;
		if (type != RECORD_DATA && type != RECORD_HANDSHAKE)
			return -EPROTO;
	}
	if (bytes_keep(&c->raw, arrived + at, have - at) < 0)
		return -ENOMEM;
	return (ssize_t)n;
}

ssize_t
tls_read(struct tls_conn *c, void *buf, size_t n)
{
	uint8_t *p;
	ssize_t	 r;

	if (c->ssl != NULL) {
		r = SSL_read(c->ssl, buf, n > INT32_MAX ? INT32_MAX : (int)n);
		if (r > 0)
			return r;
		if (SSL_get_error(c->ssl, (int)r) == SSL_ERROR_ZERO_RETURN)
			return 0;
		return error_of(c, (int)r);
	}
	if (c->plain != NULL)
		return (ssize_t)bytes_take(&c->plain, buf, n);
	if ((r = next_record(c, &p)) <= 0)
		return r;
	if ((size_t)r > n) {
		if (bytes_keep(&c->plain, p + n, (size_t)r - n) < 0)
			return -ENOMEM;
		r = (ssize_t)n;
	}
	memcpy(buf, p, (size_t)r);
	return r;
}

int
tls_write(struct tls_conn *c, const void *buf, size_t n)
{
	const uint8_t *p = buf;
	size_t	       part;
	int	       r = 0;

	if (n == 0)
		return 0;
	if (c->ssl != NULL) {
		r = SSL_write(c->ssl, buf, (int)n);
		return r == (int)n ? 0 : r > 0 ? -EPROTO : error_of(c, r);
	}
	if (c->rest != NULL || n > sizeof(gather) - gathered)
		return -EAGAIN;
	if (c->ktls) {
		memcpy(gather + gathered, p, n);
		gathered += n;
		return 0;
	}
	for (; n > 0 && r == 0; p += part, n -= part) {
		part = n < RECORD_PLAIN ? n : RECORD_PLAIN;
		r = seal(c, RECORD_DATA, p, part);
	}
	return r;
}

static ssize_t
push(struct tls_conn *c, const uint8_t *p, size_t n)
{
	ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);

	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	return sent;
}

int
tls_flush(struct tls_conn *c)
{
	ssize_t sent;

	if (c->rest != NULL) {
		sent = push(c, c->rest + c->rest_off, c->rest_len - c->rest_off);
		if (sent < 0)
			return (int)sent;
		c->rest_off += (size_t)sent;
		if (c->rest_off < c->rest_len)
			return -EAGAIN;
		counts.unsent -= c->rest_len;
		free(c->rest);
		c->rest = NULL;
	}
	if (gathered == 0)
		return 0;
	sent = push(c, gather, gathered);
	if (sent >= 0 && (size_t)sent < gathered) {
		c->rest_len = gathered - (size_t)sent;
		c->rest_off = 0;
		if ((c->rest = malloc(c->rest_len)) != NULL)
			memcpy(c->rest, gather + sent, c->rest_len);
		counts.unsent += c->rest != NULL ? c->rest_len : 0;
		sent = c->rest != NULL ? -EAGAIN : -ENOMEM;
	}
	gathered = 0;
	return sent < 0 ? (int)sent : 0;
}

void
tls_goodbye(struct tls_conn *c)
{
	static const uint8_t close_notify[] = { 1, 0 };

	if (c->ssl != NULL)
		(void)SSL_shutdown(c->ssl);
	else if (c->rest == NULL && !c->ktls)
		(void)seal(c, RECORD_ALERT, close_notify, sizeof(close_notify));
	else if (c->rest == NULL)
		ktls_alert(c, close_notify, sizeof(close_notify));
	ERR_clear_error();
	(void)tls_flush(c);
}

bool
tls_has_sendfile(const struct tls_conn *c)
{
	return c->ktls;
}

const char *
tls_peer_name(const struct tls_conn *c)
{
	return c->name != NULL ? c->name : "";
}

bool
tls_resumed(const struct tls_conn *c)
{
	return c->resumed;
}

const struct tls_counts *
tls_counts(void)
{
	return &counts;
}
