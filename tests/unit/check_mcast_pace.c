/*
 * tests/unit/check_mcast_pace.c - how the rate of a session follows its receivers.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/pace.h"

#include <check.h>
#include <stdlib.h>

#define MS    UINT64_C(1000000)
#define FRAME 1514
#define START UINT64_C(100000000)

static struct pace pace;
static uint64_t	   now;
static bool	   repairs;

static void
begin(uint64_t ceiling)
{
	now = 1000 * MS;
	repairs = false;
	pace_init(&pace, now, ceiling, 0, FRAME);
}

/* 12 ms of sending at the rate; four receivers say what they read of it, in
 * thousandths, what they lost, and what lies unread. */
static void
step(uint64_t rtt, unsigned read, unsigned lost, uint64_t behind)
{
	uint64_t since = now, bytes = pace.rate / 1000 * 12;
	uint32_t packets = (uint32_t)(bytes / FRAME * read / 1000);

	now += 12 * MS;
	pace_spent(&pace, bytes);
	for (uint32_t i = 0; i < 4; i++)
		pace_sample(&pace, rtt, i, since,
		    packets - packets * lost / 1000, packets, behind);
	pace_step(&pace, now, repairs);
}

START_TEST(it_grows_while_nothing_is_lost)
{
	begin(0);
	ck_assert_uint_eq(pace.rate, START);
	step(0, 1000, 0, 0);
	ck_assert_uint_gt(pace.rate, START / 5 * 7);
	for (int i = 0; i < 3; i++)
		step(0, 1000, 0, 0);
	ck_assert_uint_gt(pace.rate, 4 * START);
}
END_TEST

START_TEST(it_grows_to_the_ceiling_alone)
{
	begin(START + 1000);
	for (int i = 0; i < 10; i++)
		step(0, 1000, 0, 0);
	ck_assert_uint_eq(pace.rate, START + 1000);
}
END_TEST

/* Nothing is lost yet, and they read two thirds of what comes. */
START_TEST(a_pile_slows_it_to_what_is_read)
{
	uint64_t rate;

	begin(0);
	step(0, 1000, 0, 0);
	rate = pace.rate;
	step(0, 667, 0, 2000000);
	ck_assert_uint_lt(pace.rate, rate / 3 * 2);
	ck_assert_uint_gt(pace.rate, rate / 2);
	/* until the pile is gone no word counts: it would be of the pile */
	rate = pace.rate;
	step(0, 667, 0, 2000000);
	ck_assert_uint_eq(pace.rate, rate);
	now += 100 * MS;
	step(0, 1000, 0, 0);
	ck_assert_uint_ge(pace.rate, rate);
	ck_assert_uint_lt(pace.rate, rate / 10 * 11);
}
END_TEST

/* The word of a liar is good for a second. */
/* They wait for a processor once, and read two thirds in that step; the steps
 * before say what they can. Back there, and not at a crawl. */
START_TEST(one_bad_step_is_not_believed)
{
	begin(START);
	for (int i = 0; i < 3; i++)
		step(0, 1000, 0, 0);
	step(0, 667, 0, 2000000);
	ck_assert_uint_le(pace.rate, START / 5 * 4);
	ck_assert_uint_gt(pace.rate, START / 10 * 7);
	now += 100 * MS;
	for (int i = 0; i < 4; i++)
		step(0, 1000, 0, 0);
	ck_assert_uint_gt(pace.rate, START / 100 * 85);
}
END_TEST

START_TEST(no_pile_is_waited_for_for_ever)
{
	uint64_t rate;

	begin(0);
	step(0, 1000, 0, UINT64_MAX / 2);
	rate = pace.rate;
	ck_assert_uint_lt(rate, START);
	now += 1000 * MS;
	for (int i = 0; i < 2; i++)
		step(0, 1000, 0, 0);
	ck_assert_uint_gt(pace.rate, rate);
}
END_TEST

START_TEST(repairs_slow_down_too_and_loss_is_theirs)
{
	begin(0);
	repairs = true;
	for (int i = 0; i < 5; i++)
		step(0, 1000, 300, 0);
	ck_assert_uint_eq(pace.rate, START);
	step(0, 700, 0, 2000000);
	ck_assert_uint_lt(pace.rate, START / 10 * 7);
}
END_TEST

/* A megabyte is under way where an answer takes 10 ms. */
START_TEST(what_is_on_its_way_is_no_pile)
{
	begin(0);
	step(10 * MS, 1000, 0, START / 100);
	ck_assert_uint_gt(pace.rate, START);
}
END_TEST

START_TEST(one_of_four_does_not_slow_it)
{
	begin(START);
	for (int k = 0; k < 5; k++) {
		uint64_t since = now;

		now += 12 * MS;
		pace_spent(&pace, START / 1000 * 12);
		for (uint32_t i = 0; i < 4; i++)
			pace_sample(&pace, 0, i, since, 790, 790,
			    i == 3 ? 5000000 : 0);
		pace_step(&pace, now, false);
	}
	ck_assert_uint_eq(pace.rate, START);
}
END_TEST

START_TEST(loss_that_slowing_does_not_cure_is_the_link)
{
	begin(START);
	for (int i = 0; i < 40; i++)
		step(0, 1000, 50, 0);
	ck_assert_uint_eq(pace.rate, START);
	ck_assert_uint_gt(pace.base, 40000);
}
END_TEST

/* Bytes of ten seconds in which each call comes up to `late` ms after it could. */
static uint64_t
sent_when_woken_late(uint64_t rate, unsigned late)
{
	uint64_t sent = 0, end;

	begin(rate);
	end = now + 10000 * MS;
	for (unsigned k = 0; now < end; k++) {
		unsigned n = pace_may(&pace, now, 1000);

		pace_spent(&pace, (uint64_t)n * FRAME);
		sent += (uint64_t)n * FRAME;
		now = pace_when(&pace, now, 1000) + k % (late + 1) * MS;
	}
	return sent;
}

START_TEST(who_is_woken_late_sends_at_its_rate)
{
	for (uint64_t rate = 500000; rate <= 16000000; rate *= 2)
		for (unsigned late = 0; late <= 3; late++) {
			uint64_t sent = sent_when_woken_late(rate, late);

			ck_assert_msg(sent >= rate / 100 * 985 &&
			    sent <= rate / 100 * 1010, "%lu of %lu bytes/s, %u ms",
			    (unsigned long)sent / 10, (unsigned long)rate, late);
		}
}
END_TEST

START_TEST(idle_time_is_not_made_up_for)
{
	for (uint64_t rate = 500000; rate <= 512000000; rate *= 4) {
		begin(rate);
		now += 5000 * MS;
		ck_assert_uint_le(
		    (uint64_t)pace_may(&pace, now, 1000000) * FRAME, 262144);
	}
}
END_TEST

/* Other times, other ceilings: a rate is remembered if receivers set it. */
START_TEST(a_ceiling_is_not_what_receivers_can_take)
{
	uint64_t slow;

	begin(START / 100);
	step(0, 1000, 0, 0);
	ck_assert_uint_eq(pace_found(&pace), 0);
	begin(0);
	step(0, 1000, 0, 0);
	ck_assert_uint_eq(pace_found(&pace), pace.rate);
	step(0, 667, 0, 2000000); /* a pile: that is what they can take */
	slow = pace.rate;
	ck_assert_uint_eq(pace_found(&pace), slow);
	/* a trial is over with the session that makes it */
	begin(START / 2);
	while (!pace.trying)
		step(0, 1000, 50, 0);
	ck_assert_uint_lt(pace.rate, START / 2);
	ck_assert_uint_eq(pace_found(&pace), 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcast_pace");
	TCase	*tc = tcase_create("pace");
	SRunner *r;
	int	 failed;

	tcase_add_test(tc, it_grows_while_nothing_is_lost);
	tcase_add_test(tc, it_grows_to_the_ceiling_alone);
	tcase_add_test(tc, a_pile_slows_it_to_what_is_read);
	tcase_add_test(tc, one_bad_step_is_not_believed);
	tcase_add_test(tc, no_pile_is_waited_for_for_ever);
	tcase_add_test(tc, repairs_slow_down_too_and_loss_is_theirs);
	tcase_add_test(tc, what_is_on_its_way_is_no_pile);
	tcase_add_test(tc, one_of_four_does_not_slow_it);
	tcase_add_test(tc, loss_that_slowing_does_not_cure_is_the_link);
	tcase_add_test(tc, who_is_woken_late_sends_at_its_rate);
	tcase_add_test(tc, idle_time_is_not_made_up_for);
	tcase_add_test(tc, a_ceiling_is_not_what_receivers_can_take);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
