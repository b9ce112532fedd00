/*
 * tests/unit/check_scan_schedule.c - what schedule.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/schedule.h"

#include <check.h>
#include <stdlib.h>

#define HOUR 3600

START_TEST(turns_come_a_tenth_sooner_or_later)
{
	uint64_t low = UINT64_MAX, high = 0, w;

	for (int i = 0; i < 2000; i++) {
		w = schedule_wait(HOUR);
		low = w < low ? w : low;
		high = w > high ? w : high;
	}
	ck_assert_uint_ge(low, HOUR * 900);
	ck_assert_uint_lt(low, HOUR * 920);
	ck_assert_uint_le(high, HOUR * 1100);
	ck_assert_uint_gt(high, HOUR * 1080);
	ck_assert_uint_le(schedule_wait(30 * 24 * HOUR), 33ULL * 24 * HOUR * 1000);
}
END_TEST

/* A year of turns, a look each second that something may delay. */
START_TEST(turn_follows_turn)
{
	uint64_t due = 0, now = 1000, last = 0;
	unsigned n = 0;

	schedule_set(&due, HOUR, now + 3000, now);
	for (; n < 24 * 365; now += n % 7 == 0 ? 40000 : 1000) {
		if (!schedule_is_due(due, now))
			continue;
		if (last == 0)
			ck_assert_uint_lt(now, 4000 + 40000);
		else {
			ck_assert_uint_ge(now - last, HOUR * 900);
			ck_assert_uint_lt(now - last, HOUR * 1100 + 40000);
		}
		last = now;
		due = now + schedule_wait(HOUR);
		n++;
	}
	ck_assert_uint_gt(now / 1000, (uint64_t)24 * 360 * HOUR);
}
END_TEST

START_TEST(another_interval_counts_from_now)
{
	uint64_t due = 0;

	ck_assert(!schedule_is_due(0, UINT64_MAX));
	schedule_set(&due, 24 * HOUR, 5000, 1000);
	ck_assert_uint_eq(due, 5000);
	due = 1000 + schedule_wait(24 * HOUR);
	schedule_set(&due, HOUR, 5000, 2000); /* shorter */
	ck_assert_uint_le(due, 2000 + HOUR * 1100);
	ck_assert_uint_ge(due, 2000 + HOUR * 900);
	due = 2000 + HOUR * 500;
	schedule_set(&due, 24 * HOUR, 9000, 3000); /* longer: this turn stays */
	ck_assert_uint_eq(due, 2000 + HOUR * 500);
	schedule_set(&due, 0, 9000, 4000);
	ck_assert_uint_eq(due, 0);
	schedule_set(&due, HOUR, 9000, 5000); /* on again */
	ck_assert_uint_eq(due, 9000);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("scan schedule");
	TCase	*t = tcase_create("all");
	SRunner *r;
	int	 failed;

	tcase_add_test(t, turns_come_a_tenth_sooner_or_later);
	tcase_add_test(t, turn_follows_turn);
	tcase_add_test(t, another_interval_counts_from_now);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
