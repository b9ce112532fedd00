/*
 * tests/unit/check_gateway_upstream.c - what upstream.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dp-gateway/upstream.h"

static struct upstream u;

static void
setup(void)
{
	memset(&u, 0, sizeof(u));
	ck_assert_int_eq(upstream_set(&u, "a:1 b:2 [::1]:3"), 0);
}

static uint16_t
choose(uint16_t after)
{
	struct server *s = upstream_choose(&u, after);

	return s != NULL ? s->id : UPSTREAM_NONE;
}

START_TEST(addresses_are_tried_in_order)
{
	ck_assert_str_eq(u.of[2].host, "::1");
	ck_assert_uint_eq(choose(UPSTREAM_NONE), u.of[0].id);
	ck_assert_uint_eq(choose(u.of[0].id), u.of[1].id);
	ck_assert_uint_eq(choose(u.of[1].id), u.of[2].id);
	ck_assert_uint_eq(choose(u.of[2].id), UPSTREAM_NONE);
}
END_TEST

START_TEST(one_that_fails_is_passed_over_until_it_connects_and_answers)
{
	uint16_t a = u.of[0].id, b = u.of[1].id;

	upstream_failed(&u, a, 0, "refused");
	upstream_failed(&u, a, 5, "refused"); /* asked before it was known */
	ck_assert_uint_eq(u.of[0].failures, 1);
	ck_assert_str_eq(u.of[0].why, "refused");
	ck_assert_uint_eq(choose(UPSTREAM_NONE), b);
	ck_assert_ptr_null(upstream_due(&u, 999));
	ck_assert_ptr_eq(upstream_due(&u, 1000), &u.of[0]);
	ck_assert_ptr_null(upstream_due(&u, 1000)); /* it is being tried */
	ck_assert_uint_eq(choose(UPSTREAM_NONE), b);
	upstream_probed(&u, a, 1000, "refused"); /* twice as long now */
	ck_assert_ptr_null(upstream_due(&u, 2999));
	ck_assert_ptr_eq(upstream_due(&u, 3000), &u.of[0]);
	upstream_probed(&u, a, 3000, NULL);
	ck_assert_uint_eq(choose(UPSTREAM_NONE), a); /* on trial: one */
	ck_assert_uint_eq(choose(UPSTREAM_NONE), b);
	upstream_abandoned(&u, a);
	ck_assert_uint_eq(choose(UPSTREAM_NONE), a);
	upstream_answered(&u, a, 3000);
	ck_assert_int_eq(u.of[0].state, SERVER_UP);
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(choose(UPSTREAM_NONE), a);
	upstream_failed(&u, a, 10000, "x"); /* begins small again */
	ck_assert_ptr_eq(upstream_due(&u, 11000), &u.of[0]);
}
END_TEST

START_TEST(another_way_has_the_same_numbers_and_a_memory_of_its_own)
{
	struct upstream by = { 0 };
	uint16_t	a = u.of[0].id, b = u.of[1].id;

	upstream_failed(&u, a, 0, "refused");
	upstream_follow(&by, &u);
	ck_assert_uint_eq(by.n, 3);
	ck_assert_uint_eq(by.of[1].id, b);
	ck_assert_str_eq(by.of[1].host, "b");
	ck_assert_int_eq(by.of[0].state, SERVER_UP);
	ck_assert_int_eq(upstream_offers(&by, UPSTREAM_NONE), OFFER_GOOD);
	upstream_failed(&by, b, 0, "refused");
	ck_assert_int_eq(u.of[1].state, SERVER_UP);
	ck_assert_int_eq(upstream_set(&u, "b:2 d:4"), 0);
	upstream_follow(&by, &u); /* what is known of b stays */
	ck_assert_uint_eq(by.n, 2);
	ck_assert_int_eq(by.of[0].state, SERVER_DOWN);
	ck_assert_int_eq(upstream_offers(&by, UPSTREAM_NONE), OFFER_GOOD);
	ck_assert_int_eq(upstream_offers(&by, by.of[1].id), OFFER_NONE);
	ck_assert_ptr_null(upstream_find(NULL, b));
	upstream_failed(NULL, b, 0, "nobody's");
}
END_TEST

START_TEST(what_is_better_than_none_is_a_poor_offer)
{
	ck_assert_int_eq(upstream_set(&u, "a:1"), 0);
	for (int i = 0; i < UPSTREAM_SILENT_MAX; i++)
		upstream_unanswered(&u, u.of[0].id, 0, 0, "silent");
	ck_assert_int_eq(upstream_offers(&u, UPSTREAM_NONE), OFFER_POOR);
	upstream_failed(&u, u.of[0].id, 0, "refused");
	ck_assert_int_eq(upstream_offers(&u, UPSTREAM_NONE), OFFER_NONE);
	ck_assert_ptr_nonnull(upstream_due(&u, 60000));
	upstream_probed(&u, u.of[0].id, 60000, NULL);
	ck_assert_int_eq(upstream_offers(&u, UPSTREAM_NONE), OFFER_GOOD);
	ck_assert_ptr_nonnull(upstream_choose(&u, UPSTREAM_NONE));
	ck_assert_int_eq(upstream_offers(&u, UPSTREAM_NONE), OFFER_POOR);
}
END_TEST

START_TEST(backoff_ends_at_a_minute)
{
	uint64_t now = 0, last = 0;

	upstream_failed(&u, u.of[0].id, now, "x");
	for (int i = 0; i < 12; i++) {
		while (upstream_due(&u, now) == NULL)
			now += 500;
		upstream_probed(&u, u.of[0].id, now, "x");
		ck_assert_uint_le(now - last, UPSTREAM_BACKOFF_MAX);
		last = now;
	}
	ck_assert_uint_eq(u.of[0].backoff_ms, UPSTREAM_BACKOFF_MAX);
}
END_TEST

static void
unanswered(uint16_t id, uint64_t since_ms, uint64_t now)
{
	upstream_unanswered(&u, id, since_ms, now, "mute");
}

START_TEST(silence_counts_in_a_row_and_on_trial_at_once)
{
	uint16_t a = u.of[0].id;

	unanswered(a, 0, 0);
	unanswered(a, 0, 0);
	upstream_answered(&u, a, 0);
	unanswered(a, 0, 0);
	unanswered(a, 0, 0);
	ck_assert_int_eq(u.of[0].state, SERVER_UP);
	unanswered(a, 0, 0);
	ck_assert_int_eq(u.of[0].state, SERVER_DOWN);
	ck_assert_str_eq(u.of[0].why, "mute");
	ck_assert_ptr_eq(upstream_due(&u, 1000), &u.of[0]);
	upstream_probed(&u, a, 1000, NULL);
	ck_assert_uint_eq(choose(UPSTREAM_NONE), a);
	unanswered(a, 1500, 2000);
	ck_assert_int_eq(u.of[0].state, SERVER_DOWN);
	ck_assert_ptr_null(upstream_due(&u, 3999));
	ck_assert_ptr_nonnull(upstream_due(&u, 4000));
}
END_TEST

START_TEST(silence_does_not_count_where_another_was_answered_since)
{
	uint16_t a = u.of[0].id;

	for (uint64_t t = 0; t < 10; t++) {
		unanswered(a, t * 10, t * 10 + 20);
		upstream_answered(&u, a, t * 10 + 5);
		unanswered(a, t * 10, t * 10 + 20);
		unanswered(a, t * 10, t * 10 + 20);
		unanswered(a, t * 10, t * 10 + 20);
	}
	ck_assert_int_eq(u.of[0].state, SERVER_UP);
	upstream_failed(&u, a, 200, "refused");
	(void)upstream_due(&u, 1200);
	upstream_probed(&u, a, 1200, NULL);
	upstream_answered(&u, a, 1250); /* on trial */
	unanswered(a, 1210, 1300);
	ck_assert_int_eq(u.of[0].state, SERVER_UP);
}
END_TEST

START_TEST(one_that_is_silent_is_better_than_none)
{
	uint16_t a = u.of[0].id, b = u.of[1].id, c = u.of[2].id;

	for (int i = 0; i < 3; i++)
		unanswered(a, 0, 10);
	ck_assert_uint_eq(choose(UPSTREAM_NONE), b);
	upstream_failed(&u, b, 10, "refused");
	ck_assert_uint_eq(choose(UPSTREAM_NONE), c);
	upstream_failed(&u, c, 10, "refused");
	ck_assert_uint_eq(choose(UPSTREAM_NONE), a);
	ck_assert_uint_eq(choose(a), UPSTREAM_NONE); /* not again */
	unanswered(a, 20, 30); /* and so it stays */
	ck_assert_uint_eq(u.of[0].failures, 1);
	/* who is answered there brings it back, whatever the probe says later */
	ck_assert_ptr_eq(upstream_due(&u, 1010), &u.of[0]);
	upstream_answered(&u, a, 1011);
	upstream_probed(&u, a, 1012, NULL);
	ck_assert_int_eq(u.of[0].state, SERVER_UP);
	for (int i = 0; i < 3; i++)
		unanswered(a, 1100, 1110);
	ck_assert_ptr_eq(upstream_due(&u, 2110), &u.of[0]);
	upstream_answered(&u, a, 2111);
	upstream_probed(&u, a, 2112, "no answer in time");
	ck_assert_int_eq(u.of[0].state, SERVER_UP);
	ck_assert_uint_eq(u.of[0].failures, 2);
	/* silent first, then it does not even connect */
	for (int i = 0; i < 3; i++)
		unanswered(a, 2200, 2210);
	upstream_failed(&u, a, 2220, "refused");
	ck_assert_uint_eq(choose(UPSTREAM_NONE), UPSTREAM_NONE);
	upstream_answered(&u, a, 2230); /* an older one's: proves nothing now */
	ck_assert_int_eq(u.of[0].state, SERVER_DOWN);
}
END_TEST

START_TEST(where_all_are_on_trial_nobody_is_refused)
{
	for (size_t i = 0; i < 3; i++) {
		upstream_failed(&u, u.of[i].id, 0, "x");
		ck_assert_uint_eq(choose(UPSTREAM_NONE),
		    i < 2 ? u.of[i + 1].id : UPSTREAM_NONE);
	}
	for (size_t i = 0; i < 3; i++)
		upstream_probed(&u, upstream_due(&u, 1000)->id, 1000, NULL);
	ck_assert_uint_eq(choose(UPSTREAM_NONE), u.of[0].id);
	ck_assert_uint_eq(choose(UPSTREAM_NONE), u.of[1].id);
	ck_assert_uint_eq(choose(UPSTREAM_NONE), u.of[2].id);
	ck_assert_uint_eq(choose(UPSTREAM_NONE), u.of[0].id);
}
END_TEST

START_TEST(another_list_keeps_what_is_known_of_those_that_stay)
{
	uint16_t a = u.of[0].id, b = u.of[1].id, c = u.of[2].id;

	upstream_failed(&u, b, 0, "x");
	ck_assert_int_eq(upstream_set(&u, "d:4 b:2 [::1]:3 d:4"), 0);
	ck_assert_uint_eq(u.n, 3);
	ck_assert_ptr_null(upstream_find(&u, a));
	ck_assert_uint_eq(u.of[1].id, b);
	ck_assert_int_eq(u.of[1].state, SERVER_DOWN);
	ck_assert_uint_eq(u.of[2].id, c);
	upstream_failed(&u, a, 0, "x"); /* nobody's any more */
	upstream_answered(&u, a, 0);
	ck_assert_uint_gt(u.of[0].id, c);
	ck_assert_int_eq(upstream_set(&u, "d:4 b"), -EINVAL);
	ck_assert_int_eq(upstream_set(&u, "1:1 2:1 3:1 4:1 5:1 6:1 7:1 8:1 9:1"),
	    -EINVAL);
	ck_assert_uint_eq(u.n, 3);
	/* past one that is gone: from the first */
	ck_assert_uint_eq(choose(a), u.of[0].id);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("gateway upstream");
	TCase	*t = tcase_create("gateway upstream");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, addresses_are_tried_in_order);
	tcase_add_test(t,
	    one_that_fails_is_passed_over_until_it_connects_and_answers);
	tcase_add_test(t, another_way_has_the_same_numbers_and_a_memory_of_its_own);
	tcase_add_test(t, what_is_better_than_none_is_a_poor_offer);
	tcase_add_test(t, backoff_ends_at_a_minute);
	tcase_add_test(t, silence_counts_in_a_row_and_on_trial_at_once);
	tcase_add_test(t,
	    silence_does_not_count_where_another_was_answered_since);
	tcase_add_test(t, one_that_is_silent_is_better_than_none);
	tcase_add_test(t, where_all_are_on_trial_nobody_is_refused);
	tcase_add_test(t, another_list_keeps_what_is_known_of_those_that_stay);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
