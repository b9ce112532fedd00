/*
 * dp-gateway/terminate.h - connections whose TLS ends at the gateway.
 *
 * Shape:   a struct term with a struct conn, from the first byte of its
 *          handshake on. A device that is verified goes on to the servers of
 *          gateway.terminate-server, over TLS of our own or in clear: by a
 *          socket, or inside a stream of an uplink (term_tunnel.c); or to where
 *          it asks to be connected to (forward.h).
 * Admits:  what g->tls verifies (client CA, revocation list), whose certificate
 *          names a device, as many connections as gateway.max-per-device allows.
 * Ends:    a connection ends when the device's certificate expires, and when a
 *          reload's revocation list has it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_TERMINATE_H
#define DP_GATEWAY_TERMINATE_H

#include "dp-gateway/ends.h"
#include "dp-gateway/gateway.h"

struct stream_io { /* TLS to the server, inside a stream */
	struct tls_io io;
	struct conn  *c;
	uint8_t	     *at; /* of the frame that is being made */
	size_t	      room;
};

struct term {
	struct ends ends;
	struct shake shake;
	struct stream_io io;
	struct forward_head *head; /* of a request, or what came with it */
	uint8_t	    device[16]; /* the UUID of its name */
	bool	    shaken;	/* hands, with the device */
	bool	    counted;	/* is verified, and among those of this device */
	bool	    busy;	/* its stream is being read */
};

/* The configuration, or nothing of it and -errno; taken by terminate_take. */
int  terminate_prepare(struct gateway *g, const struct gateway_conf *conf);
void terminate_take(struct gateway *g);
void terminate_close(struct gateway *g);

void terminate_hello(struct conn *c, uint32_t events); /* and P_SHAKE */
void terminate_open(struct conn *c); /* its server's socket is there */
void terminate_answer(struct conn *c, uint32_t events); /* server's, P_ANSWER */
/* What it did before it answered is known from now on; "": it left. */
void terminate_failed(struct conn *c, const char *fault);
/* The server's end failed while it was carried; what TLS says is looked at. */
void terminate_server_failed(struct conn *c);
void terminate_fini(struct conn *c, enum why why);

/* For either way: whether the server that was connected is (still) one of ours;
 * begins TLS with it (WHY_CLOSED: it has begun). */
bool	 terminate_listed(struct conn *c);
enum why terminate_connect(struct conn *c, int fd, struct tls_conn **out);

/* term_tunnel.c: by way of a stream; for tunnel.c, as tunnel_ops has them */
void	term_opened(struct conn *c); /* the far end has connected it */
void	term_waits(struct conn *c);
void	term_ended(struct conn *c);
void	term_closed(struct conn *c); /* in order */
ssize_t term_give(struct conn *c, uint8_t *buf, size_t max);
void	term_event(struct conn *c, uint32_t events); /* the device's socket */
/* This address is no good, see terminate_failed(). */
void	term_next_server(struct conn *c, const char *fault);

void terminate_check(struct gateway *g); /* the revocation list is a new one */
void terminate_tick(struct gateway *g);

#endif
