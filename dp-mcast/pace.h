/*
 * dp-mcast/pace.h - how fast a session sends.
 *
 * Two things in one: a token bucket, whose bursts a switch can swallow, and its
 * rate, which follows the loss that receivers report.
 *
 * Loss that slowing down cures is congestion; loss that stays is the link's, to
 * be repaired at full speed. Nobody can tell them apart by looking, so the
 * pace tries: when the loss rises above what is known not to be cured, it slows
 * down to what came through, and sees. Cured: it stays there and grows slowly.
 * Not cured: back to the old rate, that loss is known now, and the next trial
 * must wait longer.
 *
 * Before a receiver that cannot keep up loses anything, what it has not read yet
 * piles up in its socket: when that is much, the pace slows down at once.
 *
 * The loss that counts is that of the receiver at three quarters of the way from
 * the best to the worst, so that a few bad ones do not slow down all; so is what
 * piles up.
 *
 * Shape:   pure; the caller's storage, nothing to free.
 * Units:   time ns, rates bytes a second on the wire, loss in 1/1,000,000.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MCAST_PACE_H
#define DP_MCAST_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_RECEIVERS 64  /* up to so many are known one by one */
#define PACE_TRAIN     44u /* packets of one segmentation offload */

struct pace {
	uint64_t ceiling; /* UINT64_MAX: none */
	uint64_t rate;
	uint32_t frame;	  /* bytes of a packet on the wire */

	int64_t tokens;
	uint64_t filled; /* when tokens was right */

	bool many; /* more than PACE_RECEIVERS: samples stand for all */
	bool trying;
	bool seen_congestion;
	uint32_t base; /* loss that slowing down did not cure */
	uint64_t step_at, changed, try_after, try_wait;
	uint64_t sent; /* bytes since step_at */
	uint64_t read; /* what receivers take a second, smoothed; 0: not known */
	uint64_t old_rate;
	uint32_t old_loss;
	unsigned nsamples; /* fresh ones */
	struct pace_sample {
		uint64_t received, expected; /* since step_at */
		uint32_t loss;
		uint32_t behind; /* bytes sent that it had not read */
		bool known;
	} sample[PACE_RECEIVERS];
};

/* ceiling 0: none, less than 10 kB/s: that; start 0: not known. */
void pace_init(struct pace *p, uint64_t now, uint64_t ceiling, uint64_t start,
    uint32_t frame);
void pace_ceiling(struct pace *p, uint64_t ceiling);
/* What the next one may start with: 0 where the ceiling alone held it, which
 * says nothing of what receivers can take and may be another one then. */
uint64_t pace_found(const struct pace *p);

/* How many packets may go now, of `ready` that could: a whole train, at a low
 * rate a part of one, or what is ready; else none. */
unsigned pace_may(struct pace *p, uint64_t now, uint64_t ready);
void	 pace_spent(struct pace *p, uint64_t bytes);
/* When to ask pace_may() again: it then says other than none. */
uint64_t pace_when(struct pace *p, uint64_t now, uint64_t ready);

/*
 * A receiver's word on its loss since `since`, and how many bytes it has yet to
 * read. Whether it counts: not when it speaks of the time before the last change
 * of the rate. rtt in ns.
 */
void pace_sample(struct pace *p, uint64_t rtt, uint32_t receiver, uint64_t since,
    uint32_t received, uint32_t expected, uint64_t behind);

/* Looks at the samples when there are enough, and changes the rate. When only
 * repairs are left, those speak who lost most: then loss says nothing, and what
 * piles up still slows it down. */
void pace_step(struct pace *p, uint64_t now, bool repairs);

#endif
