/*
 * common/connect_client.h - what a worker asks of the connector.
 *
 * Shape:   a request is a ticket, the caller's own number, with a host and a
 *          port; ops->answer is called once for it, later, from the loop. A
 *          request that gives a negative result was not sent and is never
 *          answered. Answers come in any order.
 * Ownership: the descriptor of an answer is the callee's.
 * Restart: when the channel breaks nothing that was asked will be answered;
 *          ops->lost says so, then requests give -ENOTCONN until
 *          connect_client_attach() brings the new channel.
 * Limits:  1,024 requests may wait for the channel, then -ENOBUFS: the caller
 *          treats it as a connection that failed. -EINVAL: no such host name.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_CONNECT_CLIENT_H
#define COMMON_CONNECT_CLIENT_H

#include "common/loop.h"

#include <stdint.h>

struct connect_client;

struct connect_client_ops {
	/* fd: connected, non-blocking, and text is the address it leads to;
	 * or a negative errno, -EACCES if the configuration does not allow
	 * it, and text says why. May free the client. */
	void (*answer)(void *ctx, uint32_t ticket, int take_fd,
	    const char *text);
	/* r: -ENOTCONN when the connector has gone, else what was wrong.
	 * Neither frees the client nor attaches. */
	void (*lost)(void *ctx, int r);
};

/* take_fd: the channel as worker_peer() gave it, or -1: attached later. */
int  connect_client_new(struct loop *l, int take_fd,
     const struct connect_client_ops *ops, void *ctx,
     struct connect_client **out);
int  connect_client_attach(struct connect_client *c, int take_fd);
void connect_client_free(struct connect_client **c); /* calls nobody */

int connect_client_ask(struct connect_client *c, uint32_t ticket,
    const char *host, uint16_t port, uint64_t timeout_ms);
/* The same for who has bytes to send at once. Where host is an address the answer
 * does not wait for the server: the socket may still be connecting, timeout_ms is
 * then the caller's business, and the handshake's last ACK waits for the bytes. */
int connect_client_begin(struct connect_client *c, uint32_t ticket,
    const char *host, uint16_t port, uint64_t timeout_ms);

#endif
