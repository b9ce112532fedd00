/*
 * dp-gateway/recent.c - the last wakes; see recent.h.
 *
 * Runs in dp-gateway. Pure. Numbers may wrap: only differences are looked at.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/recent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct recent {
	uint64_t     start, first; /* what was said before first came */
	uint64_t     last;
	bool	     any;
	unsigned     n;
	struct wake *of[RECENT_MAX]; /* by number */
};

int
recent_new(uint64_t start, struct recent **out)
{
	if ((*out = calloc(1, sizeof(**out))) == NULL)
		return -ENOMEM;
	(*out)->start = (*out)->last = start;
	return 0;
}

void
recent_free(struct recent **rp)
{
	struct recent *r = *rp;

	for (unsigned i = 0; r != NULL && i < RECENT_MAX; i++)
		wake_unref(&r->of[i]);
	free(r);
	*rp = NULL;
}

uint64_t
recent_last(const struct recent *r)
{
	return r->last;
}

bool
recent_follows(const struct recent *r, uint64_t number)
{
	return !r->any || number == r->last + 1;
}

void
recent_add(struct recent *r, struct wake *w)
{
	struct wake **at = &r->of[w->number % RECENT_MAX];

	if (!recent_follows(r, w->number))
		r->n = 0;
	if (!r->any)
		r->first = w->number;
	r->any = true;
	wake_unref(at);
	w->refs++;
	*at = w;
	r->last = w->number;
	r->n += r->n < RECENT_MAX;
}

bool
recent_missed(const struct recent *r, uint64_t since, const char *device,
    const char *group, struct wake *out[WAKE_WHATS])
{
	uint64_t n;

	if (r->any && since == r->start)
		since = r->first - 1;
	n = r->last - since;
	memset(out, 0, WAKE_WHATS * sizeof(struct wake *));
	if (n > r->n)
		return false;
	for (uint64_t i = since + 1; n > 0; n--, i++) {
		struct wake *w = r->of[i % RECENT_MAX];

		if (wake_is_for(w, device, group))
			out[w->order.what] = w;
	}
	return true;
}
