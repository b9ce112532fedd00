/*
 * dp-scan/guess.h - what a device is, by the evidence there is of it.
 *
 * Pure. A table of hints: where a text of some kind has a word in it, so much speaks
 * for a kind of device, and for an operating system. What most speaks for wins; what
 * it was is told with it, so that nobody has to believe it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_GUESS_H
#define DP_SCAN_GUESS_H

#include "dp-scan/record.h"

#define GUESS_EVIDENCE 4

struct guess {
	const char *kind, *os;	       /* NULL: nothing speaks for any */
	unsigned    kind_weight, os_weight; /* 1 to 100 */
	size_t	    n;
	struct {
		const char *what; /* "service", "vendor", ... */
		char	    text[64];
		unsigned    weight;
		const char *kind, *os;
	} evidence[GUESS_EVIDENCE]; /* the heaviest first */
};

/* vendor: of the MAC address, or NULL; is_router: a route leads there. */
void guess(const struct record *r, const char *vendor, size_t vendor_len,
    bool is_router, struct guess *out);

#endif
