/*
 * common/tls_client.h - the client's end of TLS, over a connected socket.
 *
 * Shape:   tls_client_new makes a struct tls of what we show (a certificate, if
 *          any) and whom we believe (a CA); tls_connect a struct tls_conn of
 *          common/tls.h, which from there on is as any other: tls_handshake
 *          until 0, then read, write, flush.
 * Server:  its certificate must be for the name, a host name or an IP address,
 *          and a server's. Host names are sent along (SNI).
 * Sessions: the struct tls keeps one ticket for each server's name, TLS_SERVERS
 *          of them, and every connection to it resumes that session, several
 *          at once too (RFC 8446, C.4 advises against it where connections
 *          must not be linked: our address does that already). It is renewed
 *          at half of its life. A new struct tls begins without.
 * Memory:  as in tls.h; OpenSSL stays until a ticket has come where one is
 *          wanted, or the first data.
 * Errors:  as in tls.h.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TLS_CLIENT_H
#define COMMON_TLS_CLIENT_H

#include "common/tls.h"

#define TLS_SERVER_MAX 256 /* name of a server and its NUL */

/* cert and key, or neither; client_ca judges servers, client_crl is not used. */
int tls_client_new(const struct tls_conf *conf, struct tls **out,
    char err[TLS_ERR_MAX]);

/* alpn: protocols offered, by blanks, best first; NULL or "": none. */
int tls_connect(struct tls *t, int fd, const char *server, const char *alpn,
    struct tls_conn **out);

#endif
