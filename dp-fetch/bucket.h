/*
 * dp-fetch/bucket.h - keeps what is read from the line at a rate.
 *
 * A token bucket: it holds a quarter of a second, so that a machine which lets us
 * run a little late does not cost us the rate, and may run into debt, since what
 * has arrived has arrived.
 * Units:   bytes per second; 0 is unlimited. Callers pass the time in ms.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_FETCH_BUCKET_H
#define DP_FETCH_BUCKET_H

#include <stddef.h>
#include <stdint.h>

struct bucket {
	uint64_t rate, last_ms;
	double	 tokens;
};

void	 bucket_set_rate(struct bucket *b, uint64_t rate, uint64_t now_ms);
void	 bucket_used(struct bucket *b, size_t bytes);
/* ms until tokens are there again; 0: now; UINT64_MAX: no limit. */
uint64_t bucket_hold(struct bucket *b, uint64_t now_ms);

#endif
