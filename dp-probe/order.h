/*
 * dp-probe/order.h - what the keeper wants asked of whom: a MSG_PROBE.
 *
 * Shape:   pure; targets stand in the order's own memory.
 * Ownership: order_read() gives an order, order_free() ends it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_PROBE_ORDER_H
#define DP_PROBE_ORDER_H

#include "common/msg.h"
#include "common/rd.h"

#include <stdbool.h>
#include <stddef.h>

struct order {
	uint32_t id;
	uint8_t	 kind;	   /* enum probe_kind, one that there is */
	uint32_t ifindex;  /* 0: as routes say */
	uint8_t	 mac[6];   /* our own on that interface */
	uint8_t	 from[16]; /* our own; all zero: the kernel's choice */
	uint32_t rate;	   /* packets a second that the keeper allows */

	uint32_t next, n; /* of the targets */
	uint32_t variant;  /* how many questions the next one has had */
	uint32_t sent, failed;
	int	 err;	  /* errno of the last failure */
	uint64_t said_ms; /* when progress was told */
	uint64_t stuck_ms; /* since when nothing can leave; 0: it can */
	bool	 begun;

	struct order *following; /* of its kind */
	uint8_t	      target[][16];
};

/* MSG_PROBE's payload. -EBADMSG: it is none; -ENOMEM. */
int  order_read(struct rd *r, struct order **out);
void order_free(struct order **o);

/* The rest of it will not be sent, for this reason. */
void order_fail(struct order *o, int err);

#endif
