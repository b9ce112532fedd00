/*
 * dp-gateway/terminate.h - connections whose TLS ends at the gateway.
 *
 * Shape:   a struct term with a struct conn, from the first byte of its
 *          handshake on. Once the device is verified its way on is chosen, in
 *          one place (onward): to the servers of gateway.terminate-server, over
 *          TLS of our own or in clear.
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

struct term {
	struct ends ends;
	uint8_t	    device[16]; /* the UUID of its name */
	bool	    counted;	/* among those of this device */
};

/* The configuration, or nothing of it and -errno; taken by terminate_take. */
int  terminate_prepare(struct gateway *g, const struct gateway_conf *conf);
void terminate_take(struct gateway *g);
void terminate_close(struct gateway *g);

void terminate_hello(struct conn *c, uint32_t events); /* P_HELLO */
void terminate_connected(struct conn *c); /* its server's socket is there */
void terminate_answer(struct conn *c, uint32_t events); /* server's, P_ANSWER */
/* The server's end failed while it was carried; what TLS says is looked at. */
void terminate_server_failed(struct conn *c);
void terminate_fini(struct conn *c, enum why why);

void terminate_check(struct gateway *g); /* the revocation list is a new one */
void terminate_tick(struct gateway *g);

#endif
