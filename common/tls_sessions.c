/*
 * common/tls_sessions.c - sessions of clients with certificates, kept small.
 *
 * A ticket would hold the client's certificate, which OpenSSL decodes once more
 * for every ticket it makes: a fifth of a handshake; and OpenSSL's own cache keeps
 * it decoded, some kilobytes a session. What resumption in TLS 1.3 needs is one
 * secret, and what we want to know of the client is short. (Of TLS 1.2 none are
 * kept: OpenSSL cannot be given one back without the whole of it.)
 *
 * Runs in the processes that end TLS, behind their sandboxes. Believes OpenSSL:
 * who names a session without its secret is refused by it.
 * SPDX-License-Identifier: ISC
 */
#include "common/tls_impl.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX 65536 /* a power of two; the oldest makes room */
#define ID_LEN	     32

struct kept {
	struct kept	*chain; /* of its bucket */
	struct kept	*newer;
	time_t		 made;
	struct tls_peer	 peer;
	uint8_t		 id[ID_LEN], secret[48], secret_len, suite[2];
	char		 name[]; /* "": none */
};

struct sessions {
	struct kept *oldest, *newest;
	unsigned     n;
	struct kept *bucket[SESSIONS_MAX];
};

static struct kept **
bucket_of(struct sessions *s, const uint8_t *id)
{
	return &s->bucket[(id[0] | id[1] << 8 | id[2] << 16) &
	    (SESSIONS_MAX - 1)];
}

static void
drop_oldest(struct sessions *s)
{
	struct kept *k = s->oldest, **at = bucket_of(s, k->id);

	while (*at != k)
		at = &(*at)->chain;
	*at = k->chain;
	s->oldest = k->newer;
	if (s->oldest == NULL)
		s->newest = NULL;
	s->n--;
	OPENSSL_cleanse(k->secret, sizeof(k->secret));
	free(k);
}

static void
keep(struct sessions *s, struct kept *k)
{
	struct kept **at = bucket_of(s, k->id);

	if (s->n == SESSIONS_MAX)
		drop_oldest(s);
	k->chain = *at;
	*at = k;
	*(s->newest != NULL ? &s->newest->newer : &s->oldest) = k;
	s->newest = k;
	s->n++;
}

/* OpenSSL has made a ticket, whose number is that of the session. 0: it keeps it. */
static int
on_new(SSL *ssl, SSL_SESSION *session)
{
	struct tls_conn	 *c = SSL_get_app_data(ssl);
	const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(session);
	struct kept	 *k;
	const uint8_t	 *id;
	unsigned	  len;
	uint16_t	  suite;

	id = SSL_SESSION_get_id(session, &len);
	if (SSL_version(ssl) != TLS1_3_VERSION || len != ID_LEN ||
	    cipher == NULL || tls_settle_peer(c) < 0)
		return 0;
	k = calloc(1, sizeof(*k) + strlen(tls_peer_name(c)) + 1);
	if (k == NULL)
		return 0;
	suite = SSL_CIPHER_get_protocol_id(cipher);
	k->suite[0] = (uint8_t)(suite >> 8);
	k->suite[1] = (uint8_t)suite;
	k->secret_len = (uint8_t)SSL_SESSION_get_master_key(session, k->secret,
	    sizeof(k->secret));
	memcpy(k->id, id, ID_LEN);
	strcpy(k->name, tls_peer_name(c));
	k->peer = c->peer;
	k->made = time(NULL);
	keep(c->tls->kept, k);
	return 0;
}

static SSL_SESSION *
session_from(SSL *ssl, const struct kept *k)
{
	SSL_SESSION	 *s = SSL_SESSION_new();
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, k->suite);

	if (s != NULL && cipher != NULL &&
	    SSL_SESSION_set1_id(s, k->id, ID_LEN) == 1 &&
	    SSL_SESSION_set1_id_context(s, (const uint8_t *)TLS_ID_CONTEXT,
		strlen(TLS_ID_CONTEXT)) == 1 &&
	    SSL_SESSION_set1_master_key(s, k->secret, k->secret_len) == 1 &&
	    SSL_SESSION_set_cipher(s, cipher) == 1 &&
	    SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1 &&
	    SSL_SESSION_set_time(s, (long)k->made) != 0 &&
	    SSL_SESSION_set_timeout(s, TLS_TICKET_LIFE) == 1)
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

/* A client names a session: OpenSSL's now, if there is one that is good. */
static SSL_SESSION *
on_get(SSL *ssl, const unsigned char *id, int len, int *copy)
{
	struct tls_conn *c = SSL_get_app_data(ssl);
	struct kept	*k;
	SSL_SESSION	*s;
	time_t		 now = time(NULL);

	*copy = 0;
	if (len != ID_LEN)
		return NULL;
	for (k = *bucket_of(c->tls->kept, id);
	     k != NULL && memcmp(k->id, id, ID_LEN) != 0; k = k->chain)
		;
	if (k == NULL || now - k->made >= TLS_TICKET_LIFE ||
	    (k->peer.expires != 0 && k->peer.expires <= now) ||
	    (s = session_from(ssl, k)) == NULL)
		return NULL;
	free(c->name);
	c->name = k->name[0] != '\0' ? strdup(k->name) : NULL;
	if (k->name[0] != '\0' && c->name == NULL) {
		SSL_SESSION_free(s);
		return NULL;
	}
	c->peer = k->peer;
	c->restored = true; /* if it is resumed indeed: tls_settle_peer */
	return s;
}

int
tls_sessions_use(struct tls *t)
{
	if ((t->kept = calloc(1, sizeof(*t->kept))) == NULL)
		return -ENOMEM;
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_SERVER |
		SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(t->ctx, on_new);
	SSL_CTX_sess_set_get_cb(t->ctx, on_get);
	return 0;
}

void
tls_kept_free(struct tls *t)
{
	while (t->kept != NULL && t->kept->oldest != NULL)
		drop_oldest(t->kept);
	free(t->kept);
}
