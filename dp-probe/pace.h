/*
 * dp-probe/pace.h - so many packets a second, and no more.
 *
 * A token bucket that starts empty and holds PACE_BURST_MS of its rate at most:
 * what a timer is late by is caught up with, what nobody wanted is not. One
 * packet more than the bucket holds never leaves at once.
 *
 * Shape:   pure; the caller's storage, nothing to free. Callers pass the time.
 * Units:   time ns (monotonic), rates packets a second.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_PROBE_PACE_H
#define DP_PROBE_PACE_H

#include <stdint.h>

#define PACE_RATE_MAX 1000000u
/* A timer of the kernel is right to 0.1 ms, a process that is not alone on its
 * core to some more. */
#define PACE_BURST_MS 10

struct pace {
	uint64_t next; /* when the next packet may leave */
	uint64_t gap;  /* between two */
};

/* There is something to send: nothing has been saved up, and what a pace before
 * this one owes is still owed. Begins as { 0 }. */
void pace_begin(struct pace *p, uint32_t rate, uint64_t now);
/* Another rate from now on. */
void pace_rate(struct pace *p, uint32_t rate);
/* How many may leave now; pace_sent() says how many did. */
uint32_t pace_allows(struct pace *p, uint64_t now);
void	 pace_sent(struct pace *p, uint32_t n);
/* How long until one may; 0: now. */
uint64_t pace_wait(const struct pace *p, uint64_t now);

#endif
