/*
 * dp-gateway/recent.h - the last wakes, for devices that were away meanwhile.
 *
 * Shape:   pure. Control numbers wakes one after the other, from a random number
 *          on: so a number means the same to several processes, and one of before
 *          a restart means nothing. A device that comes back says up to which it
 *          has heard all; what was for it since then is given again.
 * Bounds:  RECENT_MAX wakes, whoever they were for; older ones are forgotten.
 * Ownership: a reference to each wake; results are borrowed until the next add.
 * Errors:  -ENOMEM
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_RECENT_H
#define DP_GATEWAY_RECENT_H

#include "dp-gateway/wake.h"

#include <stdbool.h>

#define RECENT_MAX 256

struct recent;

/* start: nobody's number, said to devices until the first wake comes */
int	 recent_new(uint64_t start, struct recent **out);
void	 recent_free(struct recent **r);
uint64_t recent_last(const struct recent *r); /* start: none yet */
bool	 recent_follows(const struct recent *r, uint64_t number); /* no gap */
/* Behind a gap: all before it is forgotten. */
void	 recent_add(struct recent *r, struct wake *w);

/* The newest of each kind that device has missed since that number, or NULL in
 * its place. False: nobody knows, since is too old or no number of ours. */
bool recent_missed(const struct recent *r, uint64_t since, const char *device,
    const char *group, struct wake *out[WAKE_WHATS]);

#endif
