/*
 * common/tls.c - a TLS connection, either end; see tls.h.
 *
 * Runs in the processes that end TLS, behind their sandboxes. Believes nothing
 * a peer sent before OpenSSL has verified it.
 * SPDX-License-Identifier: ISC
 */
#include "common/tls_impl.h"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NO_DATA_MAX 32 /* records without data, one after the other */
#define KEY_RECORDS (UINT64_C(1) << 23)
#define GATHER_MAX  (TLS_WRITE_MAX + 16384) /* and their record headers */
#define NEW_SESSION_TICKET 4 /* types of messages after a handshake */
#define KEY_UPDATE	   24

/* The bytes of one read; what is left of them at the end goes to raw. */
static uint8_t		 arrived[2 * RECORD_MAX];
static BIO_METHOD	*method;
static uint8_t		 gather[GATHER_MAX];
static size_t		 gathered;
static const struct tls_conn *gatherer; /* whose they are, if there are any */
static bool		 no_ktls; /* this kernel has none */
static char		 error_text[160];
struct tls_counts	 tls_counted;

static int seal(struct tls_conn *c, enum record_type type, const void *p,
    size_t n);

static void
add_gathered(const struct tls_conn *c, size_t n)
{
	if (gathered == 0)
		gatherer = c;
	gathered += n;
}

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
	if (c->io != NULL) {
		n = c->io->recv(c->io, p, max);
		errno = EAGAIN;
	} else
		n = recv(c->fd, p, max, 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		error_text[0] = '\0';
		return -EPIPE;
	}
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
	if (c->own) { /* shown a record, and no more */
		BIO_set_retry_read(b);
		return -1;
	}
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
	if (c->own) /* only shown a ticket: what it has to say goes nowhere */
		return n;
	if (c->rest != NULL || (size_t)n > sizeof(gather) - gathered) {
		BIO_set_retry_write(b);
		return -1;
	}
	memcpy(gather + gathered, buf, (size_t)n);
	add_gathered(c, (size_t)n);
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
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
	    "dpoint");
	if (record_setup() < 0)
		return -EIO;
	if (tls_rules_setup() < 0 || tls_peer_setup() < 0 || method == NULL ||
	    !BIO_meth_set_read(method, bio_read) ||
	    !BIO_meth_set_write(method, bio_write) ||
	    !BIO_meth_set_ctrl(method, bio_ctrl))
		return -ENOMEM;
	return 0;
}

/* -- taking over from OpenSSL -- */

/*
 * OpenSSL calls this when it begins to use a secret, with a line as SSLKEYLOGFILE
 * has it: the name, the client's random number, the secret.
 */
void
tls_on_secret(const SSL *ssl, const char *line)
{
	struct tls_conn	 *c = SSL_get_app_data(ssl);
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	const char	 *hex = strrchr(line, ' ');
	uint8_t		  secret[48];
	bool clients = strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0,
	     servers = strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0,
	     in = c->client ? servers : clients,
	     out = c->client ? clients : servers;
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
void
tls_on_message(int sent, int version, int type, const void *buf, size_t len,
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

	if (no_ktls || c->io != NULL || c->out.suite != SUITE_AES_128 || tls_flush(c) < 0)
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
	tls_counted.ktls += c->ktls;
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
let_go(struct tls_conn *c)
{
	/* as closed in order, or its session could not be resumed */
	SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	c->ssl = NULL;
}

static void
take_over(struct tls_conn *c)
{
	if (SSL_version(c->ssl) != TLS1_3_VERSION || !c->has_in || !c->has_out)
		return;
	c->own = true;
	SSL_set_msg_callback(c->ssl, NULL);
	if (!tls_wants_ticket(c))
		let_go(c);
	try_ktls(c);
}

/* -- one connection -- */

int
tls_conn_new(struct tls *t, int fd, struct tls_conn **out)
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
	*out = c;
	return 0;
}

int
tls_accept(struct tls *t, int fd, struct tls_conn **out)
{
	int r = tls_conn_new(t, fd, out);

	if (r == 0)
		SSL_set_accept_state((*out)->ssl);
	return r;
}

void
tls_use_io(struct tls_conn *c, struct tls_io *io)
{
	c->io = io;
}

void
tls_offer_alpn(struct tls_conn *c, const char *words)
{
	c->alpn_words = words;
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
		tls_counted.unsent -= c->rest_len;
	free(c->rest);
	free(c->name);
	free(c->alpn);
	if (gatherer == c)
		gathered = 0;
	tls_unref(&c->tls);
	free(c);
	*cp = NULL;
}

static enum tls_fault
fault_of(long verified)
{
	switch (verified) {
	case X509_V_ERR_CERT_REVOKED:
		return TLS_FAULT_REVOKED;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_FAULT_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_FAULT_NOT_YET;
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return TLS_FAULT_CRL;
	default:
		return TLS_FAULT_CERT;
	}
}

/* What went wrong, in OpenSSL's words, which for an alert are the peer's. */
static void
blame(struct tls_conn *c)
{
	unsigned long e = ERR_peek_error();
	long	      v = SSL_get_verify_result(c->ssl);
	const char   *text = v != X509_V_OK ? X509_verify_cert_error_string(v)
					    : ERR_reason_error_string(e);

	snprintf(error_text, sizeof(error_text), "%s", text != NULL ? text : "");
	if (c->fault != TLS_FAULT_NONE)
		return;
	c->fault = v != X509_V_OK ? fault_of(v)
	    : ERR_GET_REASON(e) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
	    ? TLS_FAULT_NO_CERT
	    : ERR_GET_REASON(e) == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL
	    ? TLS_FAULT_ALPN
	    : TLS_FAULT_PROTOCOL;
}

static int
error_of(struct tls_conn *c, int r)
{
	int e = SSL_get_error(c->ssl, r);

	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	error_text[0] = '\0';
	if (e != SSL_ERROR_SYSCALL)
		blame(c);
	ERR_clear_error();
	return e == SSL_ERROR_SYSCALL ? -EPIPE : -EPROTO;
}

static int
shaken(struct tls_conn *c)
{
	const uint8_t *alpn;
	unsigned       n;

	c->alpn_words = NULL;
	c->resumed = SSL_session_reused(c->ssl) == 1;
	if (!c->resumed)
		tls_not_resumed(c);
	if (tls_settle_peer(c) < 0)
		return -EPROTO;
	SSL_get0_alpn_selected(c->ssl, &alpn, &n);
	if (c->client && n > 0 &&
	    (c->alpn = strndup((const char *)alpn, n)) == NULL)
		return -ENOMEM;
	tls_counted.handshakes++;
	tls_counted.resumed += c->resumed;
	take_over(c);
	return 0;
}

int
tls_handshake(struct tls_conn *c)
{
	int r = SSL_do_handshake(c->ssl), f;

	if (r == 1)
		r = shaken(c);
	else if ((r = error_of(c, r)) == -EAGAIN) {
		f = tls_flush(c);
		return f < 0 ? f : -EAGAIN;
	}
	if (r < 0) {
		tls_counted.failed++;
		(void)tls_flush(c); /* the alert */
	} else if (c->client && (f = tls_flush(c)) != -EAGAIN)
		r = f; /* the server waits for our last word */
	return r;
}

static int
seal(struct tls_conn *c, enum record_type type, const void *p, size_t n)
{
	size_t len;
	int    r;

	if (sizeof(gather) - gathered < n + RECORD_OVER)
		return -EAGAIN;
	/* asked for, or long before a key has sealed more than it should (RFC
	 * 8446, 4.6.3 and 5.5) */
	if ((c->out.seq > KEY_RECORDS || c->update_due) && type == RECORD_DATA) {
		static const uint8_t update[] = { KEY_UPDATE, 0, 0, 1, 0 };

		c->update_due = false;
		if ((r = seal(c, RECORD_HANDSHAKE, update, sizeof(update))) < 0 ||
		    (r = record_key_update(&c->out)) < 0)
			return r;
	}
	r = record_seal(&c->out, type, p, n, gather + gathered, &len);
	if (r == 0)
		add_gathered(c, len);
	return r;
}

void
tls_readable(struct tls_conn *c, bool closing)
{
	c->closing = closing;
	c->drained = false;
}

/*
 * Passes over tickets, which may lie in pieces; what is left of the record is at
 * *p then. We want none, or OpenSSL has seen them.
 */
static int
skip_tickets(struct tls_conn *c, const uint8_t **p, size_t *n)
{
	size_t part;

	while (*n > 0) {
		if (c->skip == 0 && **p != NEW_SESSION_TICKET)
			return 0;
		if (c->skip == 0) {
			if (*n < 4)
				return -EPROTO;
			c->skip = 4 + ((uint32_t)(*p)[1] << 16 |
				(uint32_t)(*p)[2] << 8 | (*p)[3]);
		}
		part = *n < c->skip ? *n : c->skip;
		c->skip -= (uint32_t)part;
		*p += part;
		*n -= part;
	}
	return 0;
}

/* Messages that are no data: a KeyUpdate, and to clients tickets. */
static int
on_handshake_record(struct tls_conn *c, const uint8_t *p, size_t n)
{
	int r;

	if (c->client && n > 0 &&
	    ((r = skip_tickets(c, &p, &n)) < 0 || n == 0))
		return r;
	if (n != 5 || p[0] != KEY_UPDATE || memcmp(p + 1, "\0\0\1", 3) != 0 ||
	    p[4] > 1)
		return -EPROTO;
	if ((r = record_key_update(&c->in)) < 0 || p[4] == 0)
		return r;
	if (c->ktls)
		return -EPROTO; /* the kernel has our key, and keeps it */
	c->update_due = true;
	return 0;
}

/* Lets OpenSSL read a record that we have read, too: there may be a ticket. */
static int
show_ticket(struct tls_conn *c, const uint8_t *record, size_t n)
{
	struct bytes *raw = c->raw;
	char	      none;
	int	      r;

	c->raw = NULL;
	if ((r = bytes_keep(&c->raw, record, n)) == 0 &&
	    SSL_peek(c->ssl, &none, 1) <= 0)
		ERR_clear_error();
	free(c->raw);
	c->raw = raw;
	return r;
}

/*
 * Opens the record of n bytes at `record`. 1: it is data, at *p; 0: it is not;
 * -ENODATA: the end.
 */
static int
open_record(struct tls_conn *c, uint8_t *record, size_t n, uint8_t **p,
    size_t *len)
{
	static uint8_t	 sealed[RECORD_MAX];
	enum record_type type;
	int		 r;

	if (c->ssl != NULL)
		memcpy(sealed, record, n);
	if (record_open(&c->in, record, n, &type, p, len) < 0)
		return -EPROTO;
	if (c->ssl != NULL) {
		if (type == RECORD_HANDSHAKE && *len > 0 &&
		    **p == NEW_SESSION_TICKET &&
		    (r = show_ticket(c, sealed, n)) < 0)
			return r;
		if (type != RECORD_HANDSHAKE || !tls_wants_ticket(c))
			let_go(c);
	}
	switch (type) {
	case RECORD_DATA:
		return *len > 0;
	case RECORD_ALERT:
		c->eof = true;
		c->ended = *len == 2 && (*p)[1] == 0;
		snprintf(error_text, sizeof(error_text), "%s", *len == 2
			? SSL_alert_desc_string_long((*p)[1]) : "");
		c->fault = c->ended ? TLS_FAULT_NONE : TLS_FAULT_ALERT;
		return c->ended ? -ENODATA : -EPIPE;
	case RECORD_HANDSHAKE:
		return on_handshake_record(c, *p, *len);
	default:
		return -EPROTO;
	}
}

/* Opens the next record that is data. Its bytes lie in arrived, at *p. */
static ssize_t
next_record(struct tls_conn *c, uint8_t **p)
{
	size_t	have = bytes_take(&c->raw, arrived, sizeof(arrived)), at = 0, n;
	ssize_t r;
	int	is;

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
		if ((is = open_record(c, arrived + at, (size_t)r, p, &n)) < 0)
			return is == -ENODATA ? 0 : is;
		at += (size_t)r;
		if (is == 1)
			break;
		/* as many as OpenSSL takes: each costs us more than the peer */
		if (++c->no_data > NO_DATA_MAX)
			return -EPROTO;
	}
	c->no_data = 0;
	if (bytes_keep(&c->raw, arrived + at, have - at) < 0)
		return -ENOMEM;
	return (ssize_t)n;
}

bool
tls_has_more(const struct tls_conn *c)
{
	const struct bytes *b = c->raw;
	const uint8_t	   *p;

	if (c->plain != NULL || (!c->own && SSL_has_pending(c->ssl) == 1))
		return true;
	if (b == NULL || b->len - b->off < RECORD_HEAD)
		return false;
	p = b->data + b->off; /* a record begins there, in any version */
	return b->len - b->off >= RECORD_HEAD + ((size_t)p[3] << 8 | p[4]);
}

bool
tls_ended(const struct tls_conn *c)
{
	return c->own ? c->ended
		      : (SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN) != 0 &&
		!c->eof;
}

static ssize_t
push(struct tls_conn *c, const uint8_t *p, size_t n)
{
	ssize_t sent;

	if (c->io != NULL)
		return (ssize_t)c->io->send(c->io, p, n);
	sent = send(c->fd, p, n, MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	return sent;
}

/* What is gathered from there on; the socket has it then, or c->rest. */
static int
send_gathered(struct tls_conn *c, size_t at)
{
	size_t	n = gathered - at;
	ssize_t sent;

	if (n == 0)
		return 0;
	gathered = at;
	if ((sent = push(c, gather + at, n)) < 0)
		return (int)sent;
	if ((size_t)sent == n)
		return 0;
	c->rest_len = n - (size_t)sent;
	c->rest_off = 0;
	if ((c->rest = malloc(c->rest_len)) == NULL)
		return -ENOMEM;
	memcpy(c->rest, gather + at + sent, c->rest_len);
	tls_counted.unsent += c->rest_len;
	return -EAGAIN;
}

/*
 * OpenSSL may write while it reads: an alert, the answer to a renegotiation. That
 * goes at once, for the caller may have another's records gathered.
 */
static ssize_t
read_openssl(struct tls_conn *c, void *buf, size_t n)
{
	size_t	before = gathered, at = gatherer == c ? 0 : gathered;
	ssize_t r = SSL_read(c->ssl, buf, n > INT32_MAX ? INT32_MAX : (int)n);

	if (r <= 0)
		r = SSL_get_error(c->ssl, (int)r) == SSL_ERROR_ZERO_RETURN
		    ? 0 : error_of(c, (int)r);
	/* a socket that takes no more says so when it is read from, too */
	if (gathered > before && send_gathered(c, at) == -ENOMEM)
		return -ENOMEM;
	return r;
}

ssize_t
tls_read(struct tls_conn *c, void *buf, size_t n)
{
	uint8_t *p;
	ssize_t	 r;

	if (!c->own)
		return read_openssl(c, buf, n);
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
	if (!c->own) {
		r = SSL_write(c->ssl, buf, (int)n);
		return r == (int)n ? 0 : r > 0 ? -EPROTO : error_of(c, r);
	}
	if (c->rest != NULL || n > sizeof(gather) - gathered)
		return -EAGAIN;
	if (c->ktls) {
		memcpy(gather + gathered, p, n);
		add_gathered(c, n);
		return 0;
	}
	for (; n > 0 && r == 0; p += part, n -= part) {
		part = n < RECORD_PLAIN ? n : RECORD_PLAIN;
		r = seal(c, RECORD_DATA, p, part);
	}
	return r;
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
		tls_counted.unsent -= c->rest_len;
		free(c->rest);
		c->rest = NULL;
	}
	return send_gathered(c, 0);
}

void
tls_goodbye(struct tls_conn *c)
{
	static const uint8_t close_notify[] = { 1, 0 };

	if (!c->own)
		(void)SSL_shutdown(c->ssl);
	else if (c->rest == NULL && !c->ktls)
		(void)seal(c, RECORD_ALERT, close_notify, sizeof(close_notify));
	else if (c->rest == NULL)
		ktls_alert(c, close_notify, sizeof(close_notify));
	ERR_clear_error();
	(void)tls_flush(c);
}

void
tls_abort(struct tls_conn *c, uint8_t alert)
{
	const uint8_t fatal[] = { 2, alert };

	if (c->own && c->rest == NULL && !c->ktls)
		(void)seal(c, RECORD_ALERT, fatal, sizeof(fatal));
	else if (c->own && c->rest == NULL)
		ktls_alert(c, fatal, sizeof(fatal));
	(void)tls_flush(c);
}

size_t
tls_unsent(const struct tls_conn *c)
{
	return c->rest != NULL ? c->rest_len - c->rest_off : 0;
}

const char *
tls_version(const struct tls_conn *c)
{
	return c->own ? "TLSv1.3" : SSL_get_version(c->ssl);
}

bool
tls_has_sendfile(const struct tls_conn *c)
{
	return c->ktls;
}

const char *
tls_alpn(const struct tls_conn *c)
{
	return c->alpn != NULL ? c->alpn : "";
}

enum tls_fault
tls_fault(const struct tls_conn *c)
{
	return (enum tls_fault)c->fault;
}

const char *
tls_error(void)
{
	return error_text;
}

bool
tls_resumed(const struct tls_conn *c)
{
	return c->resumed;
}

const struct tls_counts *
tls_counts(void)
{
	return &tls_counted;
}
