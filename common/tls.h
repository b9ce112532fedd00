/*
 * common/tls.h - TLS on OpenSSL: the server's end, and what both ends share;
 * the client's begins in common/tls_client.h.
 *
 * Shape:   a struct tls is one set of certificates and rules, made before or
 *          after the sandbox closed (tls_setup, which reads OpenSSL's files and
 *          fetches its algorithms, comes before). The key goes in through
 *          tls_new or tls_client_new and comes out nowhere. A struct tls_conn is one
 *          connection; it borrows the socket and keeps its struct tls alive.
 * Writing: all connections of a process share one buffer of records. What is
 *          written gathers there until tls_flush sends it, so a turn of a
 *          connection ends with tls_flush before another's begins. What the
 *          socket did not take is the connection's own then; until a later
 *          tls_flush gives 0 nothing more may be written to it.What OpenSSL
 *          writes while tls_read reads never lies among another's records: it
 *          goes at once, or becomes tls_unsent.
 * Reading: tls_read asks the socket once after tls_readable, not again after
 *          it came back short (edge-triggered readiness). Who stops earlier
 *          asks tls_has_more: no event tells of what was received already.
 * Ends:    tls_read gives 0 at close_notify and when the socket ends without
 *          one; tls_ended says which. One side's end leaves the other open.
 * Memory:  after a handshake of TLS 1.3 OpenSSL's state goes and two keys of
 *          common/tls_record.h stay; an idle connection holds no buffer. With
 *          TLS 1.2 OpenSSL stays to the end.
 * Errors:  0, -EAGAIN (wait for the socket), -EPROTO (the peer's mistake or
 *          refusal; an alert was sent where there is one), -EPIPE, -ENOMEM;
 *          tls_fault and tls_error tell more. tls_new: -EINVAL with a text.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tls;
struct tls_conn;

enum tls_client_cert { TLS_CLIENT_NONE, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };

struct tls_conf { /* PEM texts of the caller's; NULL: none */
	const char	    *cert, *key, *client_ca, *client_crl;
	size_t		     cert_len, key_len, ca_len, crl_len;
	enum tls_client_cert client;
};

#define TLS_ERR_MAX 256
#define TLS_NAME_MAX 80 /* "urn:dpoint:device:<uuid>" and its NUL */
#define TLS_WRITE_MAX (192 * 1024) /* bytes between two tls_flush */

int  tls_setup(void);
int  tls_new(const struct tls_conf *conf, struct tls **out,
     char err[TLS_ERR_MAX]);
/* Only the lists of client_crl, for tls_peer_revoked(): no connection can be made
 * with it. */
int  tls_lists_new(const struct tls_conf *conf, struct tls **out,
     char err[TLS_ERR_MAX]);
/* Whether a client could use these: cert and key, which belong together, and
 * client_ca, by which it judges servers; each may be NULL. -EINVAL and why. */
int  tls_check_client(const struct tls_conf *conf, char err[TLS_ERR_MAX]);
void tls_ref(struct tls *t);
void tls_unref(struct tls **t);

int	tls_accept(struct tls *t, int fd, struct tls_conn **out);
/* What moves records in place of a socket, whose descriptor is -1 then. */
struct tls_io {
	/* bytes; 0: the end; -EAGAIN: none now */
	ssize_t (*recv)(struct tls_io *io, void *p, size_t n);
	/* how many of these it took */
	size_t (*send)(struct tls_io *io, const void *p, size_t n);
};
void	tls_use_io(struct tls_conn *c, struct tls_io *io); /* at the beginning */
/* Which protocols a server takes (RFC 7301), best first, by blanks: the first
 * that the client offers, too; "*": the client's first. Who offers some and
 * none of these is refused. words live until hands are shaken. */
void	tls_offer_alpn(struct tls_conn *c, const char *words);
void	tls_conn_free(struct tls_conn **c);
int	tls_handshake(struct tls_conn *c); /* again until 0 */
void	tls_readable(struct tls_conn *c, bool closing); /* closing: its end is near */
ssize_t tls_read(struct tls_conn *c, void *buf, size_t n); /* 0: the end */
int	tls_write(struct tls_conn *c, const void *buf, size_t n); /* all of it */
int	tls_flush(struct tls_conn *c);
bool	tls_has_more(const struct tls_conn *c); /* without the socket */
bool	tls_ended(const struct tls_conn *c);	/* by close_notify */
size_t	tls_unsent(const struct tls_conn *c); /* what the socket did not take */
void	tls_goodbye(struct tls_conn *c); /* close_notify, as far as it goes */
void	tls_abort(struct tls_conn *c, uint8_t alert); /* fatal, likewise */
const char *tls_version(const struct tls_conn *c); /* "TLSv1.3" */

/* Kernel TLS is on for sending: after a tls_flush that gave 0, sendfile(2) on
 * the socket itself sends sealed bytes. */
bool	tls_has_sendfile(const struct tls_conn *c);

/* The dpoint URI of a verified client certificate, "" if none was shown. */
const char *tls_peer_name(const struct tls_conn *c);
bool	    tls_resumed(const struct tls_conn *c);


/* The protocol agreed upon, "" for none. */
const char *tls_alpn(const struct tls_conn *c);

/* When the peer's certificate expires, seconds since 1970; 0: it showed none. */
int64_t tls_peer_expires(const struct tls_conn *c);
/* Whether the revocation lists of `now`, newer than the connection, have it. */
bool	tls_peer_revoked(const struct tls_conn *c, const struct tls *now);

/* When the first of its own certificate and chain, of its clients' CAs and of
 * their lists expires, seconds since 1970; INT64_MAX: never, or there is none. */
struct tls_dates {
	int64_t cert, client_ca, client_crl;
};
void tls_dates(const struct tls *t, struct tls_dates *out);

enum tls_fault { /* what a connection failed of */
	TLS_FAULT_NONE,
	TLS_FAULT_PROTOCOL, /* not TLS, too old, malformed, an alert */
	TLS_FAULT_ALERT,    /* the peer's, after the handshake */
	TLS_FAULT_ALPN,
	TLS_FAULT_NO_CERT,
	TLS_FAULT_CERT, /* of another CA, or of the wrong kind */
	TLS_FAULT_EXPIRED,
	TLS_FAULT_REVOKED,
	TLS_FAULT_NOT_YET, /* it is good only later */
	TLS_FAULT_CRL, /* no list of its CA, or none that is good now */
};
enum tls_fault tls_fault(const struct tls_conn *c);
/* OpenSSL's or the peer's words for the last -EPROTO or -EPIPE of any
 * connection, "" if there are none; until the next. */
const char *tls_error(void);

/* The dpoint URI in the first certificate of a PEM text; -ENOENT: it has none. */
int tls_name_of_pem(const char *pem, size_t len, char out[TLS_NAME_MAX]);

struct tls_counts {
	uint64_t handshakes, resumed, failed, revoked, cached_certs, ktls;
	uint64_t unsent; /* bytes of records that sockets did not take */
};
const struct tls_counts *tls_counts(void);

#endif
