/*
 * tests/harness/leap.c - a wall clock that has been set wrong, for one program.
 *
 * LD_PRELOAD=leap.so LEAP=SECONDS: time() is so much later than it is.
 * SPDX-License-Identifier: ISC
 */
#include <stdlib.h>
#include <time.h>

time_t
time(time_t *out)
{
	const char     *leap = getenv("LEAP");
	struct timespec ts;
	time_t		t;

	clock_gettime(CLOCK_REALTIME, &ts);
	t = ts.tv_sec + (leap != NULL ? (time_t)strtoll(leap, NULL, 10) : 0);
	if (out != NULL)
		*out = t;
	return t;
}
