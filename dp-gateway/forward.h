/*
 * dp-gateway/forward.h - HTTP CONNECT: tunnels to what gateway.proxy-allow lists.
 *
 * Shape:   a struct conn whose hello is the head of a request, which is looked
 *          at where it lies and then taken off; what came along with it stays
 *          and is the first that is carried. Its sni is where it goes,
 *          "HOST:PORT", and dp-connect is asked for just that.
 * TLS:     on gateway.proxy-tls-listen TLS ends here first (terminate.h), and a
 *          certificate that names a device admits in place of an address. The
 *          head is read then, and kept with what came along with it.
 * Answers: 200 and the tunnel; else a status and one line that says why, and
 *          the end: 400 not understood, 403 not allowed, 405 not CONNECT, 408
 *          no whole request in time, 431 too long, 502 it does not connect, 503
 *          no room, 504 it does not answer.
 * Source:  RFC 9110, section 9.3.6; RFC 9112, section 3.2.3.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_FORWARD_H
#define DP_GATEWAY_FORWARD_H

#include "dp-gateway/gateway.h"

void forward_hello(struct conn *c, uint32_t events);
void forward_open(struct conn *c);
void forward_refuse(int fd, enum why why);

struct end;
/* c->term has shaken hands, and may have more of the request's head. */
void forward_tls_head(struct conn *c);
void forward_tls_open(struct conn *c);
void forward_tls_refuse(struct end *e, enum why why); /* not yet flushed */

/* Pure: what a client is told who is refused for this; 0: nothing. */
#define FORWARD_ANSWER 512
size_t forward_answer(enum why why, char out[FORWARD_ANSWER]);

#endif
