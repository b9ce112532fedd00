/*
 * common/tls_impl.h - what the parts of common/tls share, and nobody else sees.
 *
 * tls.c has connections, tls_rules.c the sets of rules, tls_peer.c what a peer's
 * certificate says, tls_sessions.c clients' sessions, tls_client.c servers and
 * theirs.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TLS_IMPL_H
#define COMMON_TLS_IMPL_H

#include "common/hash.h"
#include "common/tls.h"
#include "common/tls_client.h"
#include "common/tls_record.h"

#include <openssl/ssl.h>
#include <time.h>

#define TLS_VERIFIED 1024 /* certificates remembered; a power of two */
#define TLS_SERVERS  16	  /* whose sessions are kept */
#define TLS_TICKET_LIFE 7200 /* seconds that clients may resume after */
#define TLS_ID_CONTEXT	"dpoint"

struct ticket_key {
	uint8_t name[16], mac[32], aes[32];
	time_t	made; /* 0: none */
};

struct verified {
	struct hash leaf;
	time_t	    until;
};

struct tls_peer { /* of its certificate; expires 0: it showed none */
	int64_t expires;
	uint8_t issuer[8], serial[20], serial_len;
};

struct sessions;
struct server_session {
	char	     name[TLS_SERVER_MAX];
	SSL_SESSION *session; /* NULL: none to resume */
	time_t	     since;
};

struct tls {
	SSL_CTX		      *ctx;
	unsigned	       refs;
	struct ticket_key      ticket[2]; /* the one in use, the one before */
	struct verified	      *verified;  /* TLS_VERIFIED of them; servers' */
	struct sessions	      *kept;	  /* servers', of certificates' owners */
	struct server_session *sessions;  /* TLS_SERVERS of them; clients' */
};

struct bytes { /* what does not fit into this turn */
	size_t	off, len;
	uint8_t data[];
};

/*
 * OpenSSL's state is with a connection while hands are shaken; with TLS 1.3 two
 * keys of tls_record.h take over then, and it goes: at once, or at the client's
 * end when the ticket that we want has come.
 */
struct tls_conn {
	SSL		      *ssl; /* NULL: it went */
	struct tls	      *tls;
	struct tls_io	      *io; /* the caller's; NULL: fd */
	struct server_session *server; /* client's end: its place; NULL: none */
	struct bytes	      *raw;    /* received, not looked at */
	struct bytes	      *plain;  /* opened, not asked for */
	uint8_t		      *rest;   /* records the socket did not take */
	size_t		       rest_off, rest_len;
	char		      *name;	   /* NULL: none */
	char		      *alpn;	   /* NULL: none */
	const char	      *alpn_words; /* the caller's, while hands are shaken */
	struct tls_peer	       peer;
	int		       fd;
	uint32_t	       skip; /* bytes of a message that is passed over */
	bool drained, closing, eof, ended, ktls, resumed, has_in, has_out;
	bool client, offered; /* a session, to resume */
	bool own;	  /* records are ours, not OpenSSL's */
	bool restored;	  /* name and peer, of a kept session */
	bool update_due;  /* of our key, before the next data */
	uint8_t		  fault; /* enum tls_fault */
	uint8_t		  no_data; /* records in a row without any */
	struct record_key in, out;
};

/* tls.c */
extern struct tls_counts tls_counted;
int  tls_conn_new(struct tls *t, int fd, struct tls_conn **out);
void tls_on_secret(const SSL *ssl, const char *line);
void tls_on_message(int sent, int version, int type, const void *buf,
    size_t len, SSL *ssl, void *arg);

/* tls_rules.c */
int  tls_rules_setup(void);
int  tls_use_common(SSL_CTX *ctx, struct tls *t);
int  tls_use_client(SSL_CTX *ctx, const struct tls_conf *conf,
     char err[TLS_ERR_MAX]); /* a client's certificate and its CA */

/* tls_peer.c */
int  tls_peer_setup(void);
int  tls_on_verify(X509_STORE_CTX *sc, void *tls);
/* What is known of the peer once its Finished has come; again changes nothing. */
int  tls_settle_peer(struct tls_conn *c);

/* tls_sessions.c */
int  tls_sessions_use(struct tls *t);
void tls_kept_free(struct tls *t);

/* tls_client.c */
void tls_sessions_free(struct tls *t);
bool tls_wants_ticket(const struct tls_conn *c);
void tls_not_resumed(struct tls_conn *c);

#endif
