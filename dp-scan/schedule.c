/*
 * dp-scan/schedule.c - see schedule.h.
 *
 * Runs in dp-scan.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/schedule.h"

#include <sys/random.h>

uint64_t
schedule_wait(uint64_t seconds)
{
	uint32_t r;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		r = UINT32_MAX / 2;
	return seconds * 900 + (uint64_t)r * seconds / 5 * 1000 / UINT32_MAX;
}

void
schedule_set(uint64_t *due_ms, uint64_t seconds, uint64_t first_ms,
    uint64_t now_ms)
{
	if (seconds == 0)
		*due_ms = 0;
	else if (*due_ms == 0)
		*due_ms = first_ms;
	else if (*due_ms > now_ms + seconds * 1100)
		*due_ms = now_ms + schedule_wait(seconds);
}

bool
schedule_is_due(uint64_t due_ms, uint64_t now_ms)
{
	return due_ms != 0 && now_ms >= due_ms;
}
