/*
 * dp-scan/schedule.h - when what is done every so often is due.
 *
 * Units:   intervals in seconds, times in milliseconds of the loop's clock; a time
 *          of 0 is never. A turn comes after the interval, a tenth more or less, so
 *          that not all sites ask and report at once.
 * Pure, but for the chance.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_SCHEDULE_H
#define DP_SCAN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* From now to the next turn. */
uint64_t schedule_wait(uint64_t seconds);
/* An interval was configured, 0: none. One that was off begins at first_ms; what is
 * due already or soon keeps its time, and what is further off than the interval
 * allows has become shorter. */
void schedule_set(uint64_t *due_ms, uint64_t seconds, uint64_t first_ms,
     uint64_t now_ms);
bool schedule_is_due(uint64_t due_ms, uint64_t now_ms);

#endif
