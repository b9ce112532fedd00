/*
 * dp-gateway/push.h - the push channel: devices that keep a connection and are
 * woken over it.
 *
 * Wire:    HTTP/1.1 over TLS with client certificates.
 *            GET /v1/push[?group=/hq/berlin]  a device's; the answer does not
 *                end: events, see wake.h. A certificate that names no device: 403.
 *                With a Last-Event-ID that is known here: Dpoint-Resumed: yes, and
 *                what it missed since then comes first.
 *            POST /v1/wake  an order (wake.h) of those whom gateway.push-admins
 *                lists; 200 and {"devices":N,"sent":N,"waiting":N,"took_ms":N}
 *          Any other answer ends the connection.
 * Shape:   a struct push_conn for each connection, no struct conn: it has one
 *          descriptor and nobody behind it. One a device, the newest counts,
 *          whichever of our processes it came to.
 * Slow:    what a device does not take waits for it, one wake of each kind: a
 *          newer one takes the place of the older. gateway.send-timeout ends it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_PUSH_H
#define DP_GATEWAY_PUSH_H

#include "dp-gateway/gateway.h"
#include "dp-gateway/wake.h"

struct push;

struct push_counts {
	uint64_t wakes, merged, alive, replaced, resumed;
};

struct wake_result {
	unsigned devices; /* that were meant and are here */
	unsigned sent;	  /* of these, given to TCP */
	unsigned waiting; /* that have not taken what came before yet */
	uint64_t took_ms;
};

int  push_new(struct gateway *g, struct push **out);
void push_free(struct push **p);
void push_drain(struct push *p); /* all are told to come back, and end */
/* The oldest goes that has said nothing since `before`. */
void push_make_room(struct push *p, uint64_t before);
void push_reload(struct push *p); /* g->tls is new: who is revoked by it goes */
void push_take(struct listener *l, int take_fd, const uint8_t addr[16],
     uint16_t port);

/* Of our own devices: those of other gateway processes are for control to tell,
 * which numbers wakes one after the other. done once, now or later; ctx as long.
 * -EBUSY, -ENOMEM */
int push_wake(struct push *p, const struct wake_order *o, uint64_t number,
    void (*done)(void *ctx, const struct wake_result *r), void *ctx);

/* What became of the order numbered id, of all gateways together; NULL: it was
 * not done. */
void push_woken(struct push *p, uint32_t id, const struct wake_result *r);

/* From the other processes, by way of control; ctx is the gateway. */
int push_on_came(void *ctx, struct ipc_msg *m);
int push_on_shared(void *ctx, struct ipc_msg *m);

/* The connection with the lowest number of at least id, or NULL. */
struct push_conn *push_from(const struct push *p, uint64_t id);
struct push_conn *push_newer(const struct push_conn *c);
uint64_t	  push_id(const struct push_conn *c);
const uint8_t	 *push_addr(const struct push_conn *c);
json_t		 *push_row(const struct push_conn *c);
void		  push_kick(struct push_conn *c); /* memory until push_bury */
void		  push_bury(struct push *p);

const struct push_counts *push_counts(const struct push *p);
unsigned		  push_devices(const struct push *p);
unsigned		  push_slow(const struct push *p);
unsigned		  push_clones(const struct push *p); /* certificates of two */
void push_warnings(const struct push *p, struct admin_reply *reply);

#endif
