/*
 * dp-gateway/recent.h - the last wakes, for devices that were away meanwhile.
 *
 * Shape:   pure. Wakes are numbered one after the other, from a random number
 *          on: a number of another process's, or of one before a restart, is
 *          none of ours. A device that comes back says the number up to which it
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

int	 recent_new(uint64_t start, struct recent **out);
void	 recent_free(struct recent **r);
uint64_t recent_last(const struct recent *r); /* start: none yet */
void	 recent_add(struct recent *r, struct wake *w); /* numbered last + 1 */

/* The newest of each kind that device has missed since that number, or NULL in
 * its place. False: nobody knows, since is too old or no number of ours. */
bool recent_missed(const struct recent *r, uint64_t since, const char *device,
    const char *group, struct wake *out[WAKE_WHATS]);

#endif
