/*
 * dp-mcast/heat.h - where in an object its receivers had holes, as a picture
 * whose size does not grow with them.
 *
 * Shape:   pure. A line for each receiver goes in; up to HEAT_ROWS rows come
 *          out, those that lost most first. With more receivers than rows the
 *          first half of the rows is one receiver each, and the others are
 *          groups of alike: a cell is the worst of its group.
 * Units:   loss in 1/1000; cells in the steps of sender.h.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MCAST_HEAT_H
#define DP_MCAST_HEAT_H

#include "dp-mcast/sender.h"

#include <jansson.h>

#define HEAT_ROWS 64

struct heat_line {
	const char *device; /* borrowed; of the first, where it is a group */
	unsigned    devices, done, unicast;
	uint16_t    loss_least, loss_most;
	uint8_t	    cell[SENDER_HEAT];
};

/* Folds n lines, in place: how many are left. */
size_t heat_fold(struct heat_line *line, size_t n);
/* [{"devices","device","done","unicast","loss_percent":[least,most],"heat"}];
 * "device" where it is one, "heat" a digit for each cell. */
json_t *heat_json(const struct heat_line *line, size_t n);

#define HEAT_OF 100 /* receivers in one row: a row is one message */
/*
 * A session's row with its receivers as "of". Those that it has no room for
 * follow, in rows of "session" and "of" alone. Takes both.
 */
void heat_rows(json_t *take_row, json_t *take_receivers,
    void (*put)(void *ctx, json_t *take_row), void *ctx);

#endif
