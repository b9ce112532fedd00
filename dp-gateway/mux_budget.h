/*
 * dp-gateway/mux_budget.h - how much of what costs the peer little it may send.
 *
 * Pure. A budget allows so many events at once and then one each so many
 * microseconds; what is charged to a budget that is used up is a flood.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_MUX_BUDGET_H
#define DP_GATEWAY_MUX_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct mux_budget {
	uint64_t paid_us; /* all that was charged is paid for then */
};

static inline bool
mux_charge(struct mux_budget *b, uint64_t now_ms, uint64_t burst,
    uint64_t each_us)
{
	uint64_t now_us = now_ms * 1000;

	if (b->paid_us < now_us)
		b->paid_us = now_us;
	b->paid_us += each_us;
	return b->paid_us - now_us <= burst * each_us;
}

/* What we did that explains one of these events. */
static inline void
mux_earn(struct mux_budget *b, uint64_t each_us)
{
	b->paid_us -= b->paid_us < each_us ? b->paid_us : each_us;
}

#endif
