/*
 * common/tls.h - the server's end of TLS, on OpenSSL.
 *
 * Shape:   a struct tls is one set of certificates and rules, made before or
 *          after the sandbox closed (tls_setup, which reads OpenSSL's files and
 *          fetches its algorithms, comes before). The key goes in through
 *          tls_new alone and comes out nowhere. A struct tls_conn is one
 *          connection; it borrows the socket and keeps its struct tls alive.
 * Writing: all connections of a process share one buffer of records. What is
 *          written gathers there until tls_flush sends it, so a turn of a
 *          connection ends with tls_flush before another's begins. What the
 *          socket did not take is the connection's own then; until a later
 *          tls_flush gives 0 nothing more may be written to it.
 * Reading: tls_read asks the socket once after tls_readable, not again after
 *          it came back short (edge-triggered readiness).
 * Memory:  after a handshake of TLS 1.3 OpenSSL's state goes and two keys of
 *          common/tls_record.h stay; an idle connection holds no buffer. With
 *          TLS 1.2 OpenSSL stays to the end.
 * Errors:  0, -EAGAIN (wait for the socket), -EPROTO (the peer's mistake or
 *          refusal; an alert was sent where there is one), -EPIPE, -ENOMEM;
 *          tls_new: -EINVAL with a text.
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
/* Whether a client could use these: cert and key, which belong together, and
 * client_ca, by which it judges servers; each may be NULL. -EINVAL and why. */
int  tls_check_client(const struct tls_conf *conf, char err[TLS_ERR_MAX]);
void tls_ref(struct tls *t);
void tls_unref(struct tls **t);

int	tls_accept(struct tls *t, int fd, struct tls_conn **out);
void	tls_conn_free(struct tls_conn **c);
int	tls_handshake(struct tls_conn *c); /* again until 0 */
void	tls_readable(struct tls_conn *c, bool closing); /* closing: its end is near */
ssize_t tls_read(struct tls_conn *c, void *buf, size_t n); /* 0: the end */
int	tls_write(struct tls_conn *c, const void *buf, size_t n); /* all of it */
int	tls_flush(struct tls_conn *c);
void	tls_goodbye(struct tls_conn *c); /* close_notify, as far as it goes */

/* Kernel TLS is on for sending: after a tls_flush that gave 0, sendfile(2) on
 * the socket itself sends sealed bytes. */
bool	tls_has_sendfile(const struct tls_conn *c);

/* The dpoint URI of a verified client certificate, "" if none was shown. */
const char *tls_peer_name(const struct tls_conn *c);
bool	    tls_resumed(const struct tls_conn *c);

struct tls_counts {
	uint64_t handshakes, resumed, failed, revoked, cached_certs, ktls;
	uint64_t unsent; /* bytes of records that sockets did not take */
};
const struct tls_counts *tls_counts(void);

#endif
