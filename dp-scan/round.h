/*
 * dp-scan/round.h - a round of reports: what the server does not know of devices yet.
 *
 * Shape:   a round is full (all devices), or has what changed since the one before.
 *          It is made into parts, JSON documents packed by gzip; docs/scan.md has
 *          their form. round_begin(), round_work() until a part is there, again after
 *          it was taken; round_end() after the last one. One that is dropped instead
 *          breaks the chain: the next one is full.
 * Bounds:  one part is in memory; 16 bytes a slot are kept between rounds, and
 *          there are 8 more during one. A turn of work looks at ROUND_SLICE devices.
 * Does no I/O.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_ROUND_H
#define DP_SCAN_ROUND_H

#include "common/report.h"
#include "dp-scan/devices.h"

#include <jansson.h>
#include <stdbool.h>

#define ROUND_SLICE    200
#define ROUND_PART_MIN 1024

/*
 * A device as scan-export gives it; lasting: without what changes whenever it is heard,
 * that is last_seen, the order of its addresses, and by whom facts were said and when.
 */
typedef json_t *(*round_row)(void *ctx, const struct record *r, bool lasting);

struct round;

struct round_counts {
	uint32_t number, base; /* base 0: it is full */
	unsigned parts;
	size_t	 devices;      /* that the server knows after it */
	size_t	 rows;	       /* of them in this round */
	size_t	 left_out;     /* larger than a part */
};

int  round_new(const struct devices *d, round_row row, void *ctx,
     struct round **out);
void round_free(struct round **r);

/* Is full too where no other one came before it. -ENOMEM: not begun. */
int  round_begin(struct round *r, const uint8_t by[REPORT_DEVICE_LEN],
     uint32_t number, bool full);
/* 1: a part is there, of at most `max` bytes, packed or not; 0: go on; -EIO. */
int  round_work(struct round *r, size_t max);
/* Borrowed until the next work; the round's own until round_end() or _drop(). */
const void *round_part(const struct round *r, size_t *len);
bool round_is_last(const struct round *r); /* that part is */
void round_end(struct round *r);
void round_drop(struct round *r);
const struct round_counts *round_counts(const struct round *r);

#endif
