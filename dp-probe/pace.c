/*
 * dp-probe/pace.c - packets a second; see pace.h.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/pace.h"

#define SECOND 1000000000ull
#define BURST  (PACE_BURST_MS * 1000000ull)

void
pace_rate(struct pace *p, uint32_t rate)
{
	if (rate == 0)
		rate = 1;
	if (rate > PACE_RATE_MAX)
		rate = PACE_RATE_MAX;
	/* rounded up: never more than the rate */
	p->gap = (SECOND + rate - 1) / rate;
}

void
pace_begin(struct pace *p, uint32_t rate, uint64_t now)
{
	pace_rate(p, rate);
	if (p->next < now)
		p->next = now;
}

uint32_t
pace_allows(struct pace *p, uint64_t now)
{
	if (now < p->next)
		return 0;
	if (now - p->next > BURST)
		p->next = now - BURST;
	return (uint32_t)((now - p->next) / p->gap) + 1;
}

void
pace_sent(struct pace *p, uint32_t n)
{
	p->next += p->gap * n;
}

uint64_t
pace_wait(const struct pace *p, uint64_t now)
{
	return now < p->next ? p->next - now : 0;
}
