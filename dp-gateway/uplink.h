/*
 * dp-gateway/uplink.h - the multiplexed connections between gateways and far
 * ends: who dials, who is believed, what they carry.
 *
 * Shape:   a link is one TLS connection with HTTP/2 in it (mux.h). The gateway is
 *          always HTTP/2's client: it opens a stream for each device's
 *          connection. Who makes the TCP connection is another matter:
 *            gateway.uplink         the gateway dials a far end; one link is kept
 *            gateway.uplink-listen  far end: gateways come here
 *            gateway.dmz-listen     a gateway in a DMZ: far ends come here
 *            gateway.dial           far end: dials each of these gateways
 *          A process may be all of that; what comes to it from a gateway goes on
 *          by its own uplink, if it has one: a chain.
 * Trust:   TLS 1.3 or 1.2 with certificates at both ends. Who comes needs one of
 *          gateway.client-ca with a name in gateway.uplink-peers; who is dialled
 *          one of gateway.uplink-ca for the host name.
 * Devices: tunnel.c has the bytes of a struct conn of which a
 *          side is a stream. dial.c asks uplink_open() first.
 * Turns:   what streams have to say is sent by uplink_pump(), at the end of each
 *          turn of whatever moved.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_UPLINK_H
#define DP_GATEWAY_UPLINK_H

#include "dp-gateway/gateway.h"
#include "dp-gateway/mux.h"

struct uplinks;
struct link;
struct dialler;

int  uplinks_new(struct gateway *g, struct uplinks **out);
void uplinks_free(struct uplinks **u);
/* By the configuration that is in force. -EINVAL: nothing changed. */
int  uplinks_configure(struct uplinks *u);
void uplinks_follow(struct uplinks *u); /* the servers' addresses have changed */
void uplinks_say(struct uplinks *u); /* what has changed of the way to them */
void uplinks_check(struct uplinks *u); /* certificates, lists: at a reload */
void uplinks_drain(struct uplinks *u);
/* No connections are taken of gateways, which are told and go elsewhere; or, of
 * those that are dialled at once, again. */
void uplinks_refuse(struct uplinks *u, bool refuse);
void uplinks_tick(struct uplinks *u);
bool uplinks_want_ticks(const struct uplinks *u);
void uplink_pump(struct uplinks *u);

/* listener kinds */
void uplink_take(struct listener *l, int take_fd, const uint8_t addr[16],
     uint16_t port);
void uplink_take_dmz(struct listener *l, int take_fd, const uint8_t addr[16],
     uint16_t port);

enum uplink_way {
	UPLINK_OPENED, /* its stream is asked for; in P_ASKED */
	UPLINK_WAIT,   /* a link is about to be there */
	UPLINK_NONE,   /* and it may not go without */
	UPLINK_DIRECT, /* it goes without */
};
enum uplink_way uplink_open(struct conn *c);

/* What is known of the server's addresses by way of its link; NULL: that ended. */
struct upstream *uplink_servers(const struct conn *c);
/* Of a stream that is no more: where it was to go is not reached by way of its
 * link, or its link takes none. It goes to the next address, or by another link,
 * and if there is none it ends by the last reason. */
void uplink_failed(struct conn *c, enum why why, const char *text);
void uplink_opened(struct conn *c); /* its stream is */
void uplink_refused(struct conn *c, enum why why);

/* dial.c's answer for a dialler: a socket, or -1 and why. */
void uplink_dialled(struct dialler *d, int take_fd, const char *text);

/* Of a link, for the other parts; uplink_at: by its number, "direct" for 0. */
const char *uplink_at(const struct uplinks *u, uint32_t id);
struct gateway *link_gateway(const struct link *k);
const char *link_at(const struct link *k); /* "far.example:13001" */
const char *link_peer(const struct link *k); /* name in its certificate */
const uint8_t *link_addr(const struct link *k, uint16_t *port);
const uint8_t *link_key(const struct link *k); /* 16 bytes: the same for all of a peer's */

/* Rows, metrics, warnings for admin.c. What is known of an address of the server
 * where most is to be hoped of it, NULL: no link is up; failures by all links. */
const struct server *uplinks_server(const struct uplinks *u, bool terminated,
    uint16_t id);
uint64_t uplinks_failures(const struct uplinks *u, bool terminated, uint16_t id);
void uplinks_rows(struct uplinks *u, struct admin_reply *reply);
void uplinks_metrics(struct uplinks *u, struct admin_reply *reply);
void uplinks_warnings(const struct uplinks *u, struct admin_reply *reply);

/* tunnel.c: owners of streams */
extern const struct mux_ops tunnel_ops; /* ctx: the struct link */
void tunnel_event(struct conn *c, int side, uint32_t events);
void tunnel_connected(struct conn *c); /* its server's socket is there */
void tunnel_drop(struct conn *c, enum why why); /* it ends */
void tunnel_late(struct conn *c); /* the far end does not answer */
bool tunnel_is_stuck(const struct conn *c, uint64_t now);

#endif
