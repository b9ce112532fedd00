/*
 * dp-probe/asker.h - works orders off, at the pace that they and we allow.
 *
 * Orders of one kind are worked off one after the other, kinds side by side.
 * The packets of all together stay below the configured rate, those of each
 * kind below the order's own and below ask_rate_max(); so no order, and no
 * number of them, makes more of it.
 *
 * What does not leave is counted in its order as failed: one target, if only
 * that one cannot be reached, or all that are left, if the interface is gone
 * or takes nothing for ASKER_STUCK_MS. Other orders go on.
 *
 * Shape:   one asker; descriptors stay the caller's and may be -1.
 * Errors:  asker_take(): -ENOBUFS, more than ASKER_ORDERS wait; the order then
 *          stays the caller's.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_PROBE_ASKER_H
#define DP_PROBE_ASKER_H

#include "common/loop.h"
#include "dp-probe/ask.h"

#define ASKER_ORDERS   128 /* of 3,000 targets: 6 MB */
#define ASKER_SAY_MS   100 /* progress at most so late */
#define ASKER_STUCK_MS 4000 /* more than neighbours are waited for, 3 s */

struct asker;

struct asker_counts {
	uint64_t sent[PROBE_MAX], failed[PROBE_MAX]; /* packets, targets */
	unsigned orders;			     /* under way */
};

/* said: so far; the last time when o->next == o->n, then the order ends. */
int  asker_new(struct loop *precise, struct token_keys *tokens,
    void (*said)(void *ctx, const struct order *o), void *ctx,
    struct asker **out);
void asker_free(struct asker **a);

/* Takes effect with the next packet. conf is copied. */
void asker_configure(struct asker *a, const int fds[ASK_SOCKETS],
    const struct ask_conf *conf, uint32_t rate);

int  asker_take(struct asker *a, struct order *o); /* its own on success */
void asker_stop(struct asker *a, uint32_t id); /* all of that number, said */
void asker_clear(struct asker *a);	       /* nobody is told */
const struct asker_counts *asker_counts(const struct asker *a);

#endif
