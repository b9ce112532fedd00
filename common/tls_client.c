/*
 * common/tls_client.c - servers and the sessions kept of them; see tls_client.h.
 *
 * Runs in the processes that connect by TLS, behind their sandboxes. Believes a
 * server once OpenSSL has verified it.
 * SPDX-License-Identifier: ISC
 */
#include "common/tls_impl.h"

#include "common/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define RENEW_S 1800 /* a session is renewed after this, or half of its life */
#define ALPN_MAX 256

/* -- sessions -- */

/* The place for a server's session; NULL: there are too many servers. */
static struct server_session *
place_of(struct tls *t, const char *server)
{
	struct server_session *s = t->sessions;

	for (size_t i = 0; i < TLS_SERVERS; i++, s++) {
		if (s->name[0] == '\0')
			snprintf(s->name, sizeof(s->name), "%s", server);
		if (strcmp(s->name, server) == 0)
			return s;
	}
	return NULL;
}

static void
forget(struct server_session *s)
{
	SSL_SESSION_free(s->session);
	s->session = NULL;
}

void
tls_sessions_free(struct tls *t)
{
	for (size_t i = 0; t->sessions != NULL && i < TLS_SERVERS; i++)
		forget(&t->sessions[i]);
	free(t->sessions);
}

static bool
is_fresh(const struct server_session *s)
{
	time_t life;

	if (s->session == NULL)
		return false;
	life = (time_t)SSL_SESSION_get_ticket_lifetime_hint(s->session) / 2;
	return time(NULL) - s->since < (life < RENEW_S ? life : RENEW_S);
}

bool
tls_wants_ticket(const struct tls_conn *c)
{
	return c->server != NULL && !is_fresh(c->server);
}

/* A ticket has come. 1: it is ours now. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_conn	      *c = SSL_get_app_data(ssl);
	struct server_session *s = c->server;

	if (s == NULL || SSL_version(ssl) != TLS1_3_VERSION || is_fresh(s))
		return 0;
	forget(s);
	s->session = session;
	s->since = time(NULL);
	return 1;
}

/* OpenSSL spends the session that it is given, so it is given a copy. */
static int
resume(struct tls_conn *c)
{
	SSL_SESSION *copy;
	int	     ok;

	if (c->server == NULL || c->server->session == NULL)
		return 1;
	if (!SSL_SESSION_is_resumable(c->server->session)) {
		forget(c->server);
		return 1;
	}
	if ((copy = SSL_SESSION_dup(c->server->session)) == NULL)
		return 0;
	ok = SSL_set_session(c->ssl, copy);
	SSL_SESSION_free(copy);
	c->offered = true;
	return ok;
}

/* The server has other keys now, or forgets: the next ticket is wanted. */
void
tls_not_resumed(struct tls_conn *c)
{
	if (c->offered)
		forget(c->server);
}

/* -- rules and connections -- */

static int
use_rules(struct tls *t, const struct tls_conf *conf, char err[TLS_ERR_MAX])
{
	if (tls_use_common(t->ctx, t) < 0)
		return -EIO;
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT |
		SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(t->ctx, on_session);
	SSL_CTX_set_purpose(t->ctx, X509_PURPOSE_SSL_SERVER);
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	if (conf->client_ca == NULL) {
		snprintf(err, TLS_ERR_MAX, "servers need a CA");
		return -EINVAL;
	}
	return tls_use_client(t->ctx, conf, err);
}

int
tls_client_new(const struct tls_conf *conf, struct tls **out,
    char err[TLS_ERR_MAX])
{
	struct tls *t = calloc(1, sizeof(*t));
	int	    r = -ENOMEM;

	*out = NULL;
	snprintf(err, TLS_ERR_MAX, "no memory");
	if (t == NULL)
		return r;
	t->refs = 1;
	t->sessions = calloc(TLS_SERVERS, sizeof(*t->sessions));
	if (t->sessions != NULL &&
	    (t->ctx = SSL_CTX_new(TLS_client_method())) != NULL)
		r = use_rules(t, conf, err);
	if (r < 0)
		tls_unref(&t);
	*out = t;
	return r;
}

/* Whom we expect: host name or address. */
static int
expect(SSL *ssl, const char *server)
{
	uint8_t addr[16];

	if (inet_pton(AF_INET, server, addr) == 1 ||
	    inet_pton(AF_INET6, server, addr) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, server) &&
	    SSL_set_tlsext_host_name(ssl, server);
}

/* RFC 7301, section 3.1: each name behind its length. */
static int
offer(SSL *ssl, const char *words)
{
	uint8_t	 list[ALPN_MAX];
	char	 word[ALPN_MAX];
	unsigned n = 0;
	size_t	 pos = 0, len;

	while (words != NULL && value_word(words, &pos, word, sizeof(word))) {
		len = strlen(word);
		if (n + 1 + len > sizeof(list))
			return 0;
		list[n++] = (uint8_t)len;
		memcpy(list + n, word, len);
		n += (unsigned)len;
	}
	return n == 0 || SSL_set_alpn_protos(ssl, list, n) == 0;
}

int
tls_connect(struct tls *t, int fd, const char *server, const char *alpn,
    struct tls_conn **out)
{
	struct tls_conn *c;
	int		 r;

	*out = NULL;
	if (server[0] == '\0' || strlen(server) >= TLS_SERVER_MAX)
		return -EINVAL;
	if ((r = tls_conn_new(t, fd, &c)) < 0)
		return r;
	c->client = true;
	c->server = place_of(t, server);
	SSL_set_connect_state(c->ssl);
	if (!expect(c->ssl, server) || !offer(c->ssl, alpn) || !resume(c)) {
		ERR_clear_error();
		tls_conn_free(&c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}
