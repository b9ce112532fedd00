/*
 * dp-fetch/bucket.c - tokens for the thin line; see bucket.h.
 *
 * Runs in dp-fetch. Pure: callers pass the time.
 * SPDX-License-Identifier: ISC
 */
#include "dp-fetch/bucket.h"

#define BURST 0.25 /* seconds of tokens the bucket holds */

void
bucket_set_rate(struct bucket *b, uint64_t rate, uint64_t now_ms)
{
	if (b->rate == rate)
		return;
	*b = (struct bucket){ .rate = rate, .last_ms = now_ms };
}

void
bucket_used(struct bucket *b, size_t bytes)
{
	if (b->rate > 0)
		b->tokens -= (double)bytes;
}

uint64_t
bucket_hold(struct bucket *b, uint64_t now_ms)
{
	double rate = (double)b->rate;

	if (b->rate == 0)
		return UINT64_MAX;
	if (now_ms > b->last_ms) {
		b->tokens += rate * (double)(now_ms - b->last_ms) / 1000;
		b->last_ms = now_ms;
		if (b->tokens > rate * BURST)
			b->tokens = rate * BURST;
	}
	return b->tokens > 0 ? 0 : 1 + (uint64_t)(-b->tokens * 1000 / rate);
}
