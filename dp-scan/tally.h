/*
 * dp-scan/tally.h - how many addresses of a poll each MAC address answered for.
 *
 * Shape:   {0} is an empty one; tally_add() for each address at its first answer.
 * Bounds:  TALLY_MAX MAC addresses; those that come later are not counted.
 * Pure but for memory.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_TALLY_H
#define DP_SCAN_TALLY_H

#include "dp-scan/index.h"

#define TALLY_MAX 65536

struct tally_of {
	uint8_t	 mac[6];
	uint32_t n;
};

struct tally {
	struct index	 index;
	struct tally_of *all;
	size_t		 n, room;
};

int  tally_add(struct tally *t, const uint8_t mac[6]); /* -ENOMEM, -ENOSPC */
/* Who answered for the most, the first of several; n 0: nobody answered. */
struct tally_of tally_most(const struct tally *t);
void tally_fini(struct tally *t); /* is empty then */

#endif
