/*
 * tests/unit/check_gateway_redial.c - what redial.h and via.h promise.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/size.h"
#include "dp-gateway/redial.h"
#include "dp-gateway/via.h"

static struct redial r;
static bool	     changed;

static void
setup(void)
{
	memset(&r, 0, sizeof(r));
	ck_assert_int_eq(redial_set(&r, "a:1 b:2 [::1]:3", &changed), 0);
	ck_assert(changed);
}

START_TEST(addresses_are_tried_one_after_the_other_at_once)
{
	ck_assert_int_eq(redial_due(&r, 5), 0);
	ck_assert_int_eq(redial_due(&r, 5), -1); /* it is being tried */
	redial_failed(&r, 5, 0, "refused");
	ck_assert(!r.down);
	ck_assert_int_eq(redial_due(&r, 5), 1);
	redial_up(&r, 6);
	ck_assert_int_eq(redial_due(&r, 100000), -1);
	redial_lost(&r, 100000, 300, "reset");
	ck_assert_str_eq(r.why, "reset");
	ck_assert_int_eq(redial_due(&r, 100299), -1);
	ck_assert_int_eq(redial_due(&r, 100300), 0); /* from the first again */
}
END_TEST

START_TEST(where_none_connects_a_backoff_grows_to_a_minute)
{
	uint64_t now = 0, waits[10];

	for (int i = 0; i < 10; i++) {
		for (int a = 0; a < 3; a++) {
			ck_assert_int_eq(redial_due(&r, now), a);
			redial_failed(&r, now, 0, "refused");
		}
		ck_assert(r.down);
		waits[i] = r.retry_ms - now;
		ck_assert_int_eq(redial_due(&r, r.retry_ms - 1), -1);
		now = r.retry_ms;
	}
	ck_assert_uint_eq(waits[0], 1000);
	ck_assert_uint_eq(waits[1], 2000);
	ck_assert_uint_eq(waits[5], 32000);
	ck_assert_uint_eq(waits[9], 60000);
	(void)redial_due(&r, now);
	redial_up(&r, now);
	ck_assert(!r.down);
}
END_TEST

START_TEST(chance_leaves_out_up_to_half_of_it)
{
	for (uint64_t chance = 0; chance < 5000; chance += 7) {
		setup();
		for (int a = 0; a < 3; a++) {
			(void)redial_due(&r, 0);
			redial_failed(&r, 0, chance, "refused");
		}
		ck_assert(r.retry_ms >= 500 && r.retry_ms <= 1000);
	}
}
END_TEST

START_TEST(one_that_does_not_stay_is_no_success)
{
	uint64_t now = 0;

	for (int round = 0; round < 2; round++) {
		for (int a = 0; a < 3; a++) { /* the others get their turn */
			ck_assert_int_eq(redial_due(&r, now), a);
			redial_up(&r, now);
			redial_lost(&r, now += 10, 0, "lost");
		}
		ck_assert(r.down == (round > 0)); /* once is waited for */
		ck_assert_uint_eq(r.retry_ms - now, round > 0 ? 2000 : 1000);
		ck_assert_int_eq(redial_due(&r, r.retry_ms - 1), -1);
		now = r.retry_ms;
	}
	(void)redial_due(&r, now);
	redial_up(&r, now);
	redial_lost(&r, now += REDIAL_STEADY, 0, "lost");
	ck_assert(!r.down && r.backoff_ms == 0 && r.retry_ms == now);
}
END_TEST

START_TEST(where_a_connection_is_already_it_tries_on)
{
	uint64_t t = 1000;

	for (int i = 0; i < REDIAL_TWICE; i++) {
		ck_assert_int_eq(redial_due(&r, t), 0);
		redial_twice(&r, t, 0);
		ck_assert(!r.down);
	}
	ck_assert_int_eq(redial_due(&r, t), 0);
	redial_twice(&r, t, 0); /* and not for ever */
	ck_assert_int_eq(redial_due(&r, t + REDIAL_TWICE_MS - 1), -1);
	ck_assert_int_eq(redial_due(&r, t + REDIAL_TWICE_MS), 0);
	redial_up(&r, t);
	redial_lost(&r, t + REDIAL_STEADY, 0, "gone");
	t += REDIAL_STEADY;
	ck_assert_int_eq(redial_due(&r, t), 0);
	redial_twice(&r, t, 0);
	ck_assert_int_eq(redial_due(&r, t), 0);
}
END_TEST

START_TEST(the_same_list_changes_nothing_and_another_starts_over)
{
	(void)redial_due(&r, 0);
	ck_assert_int_eq(redial_set(&r, "a:1 b:2 [::1]:3", &changed), 0);
	ck_assert(!changed && r.busy);
	ck_assert_int_eq(redial_set(&r, "b:2", &changed), 0);
	ck_assert(changed && !r.busy && r.n == 1);
	ck_assert_int_eq(redial_set(&r, "1:1 2:1 3:1 4:1 5:1 6:1 7:1 8:1 9:1",
	    &changed), -EINVAL);
	ck_assert_uint_eq(r.n, 1);
}
END_TEST

START_TEST(one_that_only_refuses_is_left_and_two_do_not_flap)
{
	uint64_t now = 1000, kept[9];

	for (int i = 0; i < 9; i++) {
		ck_assert_int_eq(redial_due(&r, now), i % 3);
		redial_up(&r, now);
		kept[i] = now;
		while (!redial_may_leave(&r, now, kept[i]))
			now += 1000;
		redial_left(&r, now, "full");
		kept[i] = now - kept[i];
		ck_assert(!r.down); /* devices wait */
	}
	ck_assert_uint_eq(kept[0], REDIAL_PATIENCE_MIN);
	ck_assert_uint_eq(kept[1], 2 * REDIAL_PATIENCE_MIN);
	ck_assert_uint_eq(kept[8], REDIAL_PATIENCE_MAX);
	ck_assert_int_eq(redial_due(&r, now), 0);
	redial_up(&r, now);
	now += 2 * REDIAL_PATIENCE_MAX;
	ck_assert(redial_may_leave(&r, now, now - REDIAL_PATIENCE_MIN));
	ck_assert(!redial_may_leave(&r, now, now - REDIAL_PATIENCE_MIN + 1));
}
END_TEST

START_TEST(the_only_one_is_not_left)
{
	ck_assert_int_eq(redial_set(&r, "a:1", &changed), 0);
	ck_assert_int_eq(redial_due(&r, 0), 0);
	redial_up(&r, 0);
	ck_assert(!redial_may_leave(&r, 10 * REDIAL_PATIENCE_MAX, 0));
}
END_TEST

/* -- Via -- */

static const struct {
	const char *via;
	bool	    has;
} ways[] = {
	{ "", false },
	{ "2.0 gw-a", true },
	{ "2.0 GW-A", true },
	{ "2.0 gw-b, 2.0 gw-a", true },
	{ "HTTP/1.1 proxy.example:8080 (squid, gw-a),2.0 gw-a", true },
	{ "2.0 gw-b, 2.0 gw-ab,2.0 xgw-a", false },
	{ "gw-a", false },
	{ "gw-a, 2.0 b", false },
	{ "2.0\tgw-a (x)", true },
	{ ",,2.0 gw-a", true },
	{ "2.0", false },
	{ "2.0 ,", false },
};
START_TEST(a_name_on_the_way_is_found)
{
	ck_assert_msg(via_has(ways[_i].via, "gw-a") == ways[_i].has, "%s",
	    ways[_i].via);
}
END_TEST

START_TEST(a_way_grows_by_us_and_has_an_end)
{
	char a[512] = "", b[512];

	for (int i = 0; i < VIA_HOPS; i++) {
		ck_assert_int_eq(via_add(a, "gw", b, sizeof(b)), 0);
		ck_assert(via_has(b, "gw"));
		memcpy(a, b, sizeof(a));
	}
	ck_assert_int_eq(via_add(a, "gw", b, sizeof(b)), -ELOOP);
	ck_assert_int_eq(via_add("2.0 a", "b", b, 12), -ELOOP);
	ck_assert_int_eq(via_add("2.0 a", "b", b, 13), 0);
	ck_assert_str_eq(b, "2.0 a, 2.0 b");
	ck_assert(via_is_id("gw-1.example") && !via_is_id("") &&
	    !via_is_id("a b") && !via_is_id("a,b") && !via_is_id("a(b"));
}
END_TEST

static const char list[] = "server.example:443 127.0.0.1:9000 [2001:db8::1]:1";
static const struct {
	const char *authority;
	bool	    allowed;
} asked[] = {
	{ "server.example:443", true },
	{ "SERVER.example:443", true },
	{ "127.0.0.1:9000", true },
	{ "[2001:db8::1]:1", true },
	{ "server.example:444", false },
	{ "server.example", false },
	{ "server.example.:443", false },
	{ "127.0.0.1:22", false },
	{ "127.1:9000", false },
	{ "[::ffff:127.0.0.1]:9000", false },
	{ "169.254.169.254:80", false },
	{ "localhost:9000", false },
	{ "x@server.example:443", false },
	{ "server.example:443/", false },
	{ "", false },
	{ ":443", false },
	{ "server.example:443 127.0.0.1:9000", false },
};
START_TEST(only_what_is_listed_is_allowed)
{
	struct url at;

	ck_assert_msg(via_allows(list, asked[_i].authority, &at) ==
	    asked[_i].allowed, "%s", asked[_i].authority);
}
END_TEST

#define UUID "00112233-4455-6677-8899-aabbccddeeff"
#define DEV  "urn:dpoint:device:" UUID
static const struct {
	const char *peer, *device;
	bool	    believed;
} said[] = {
	{ "urn:dpoint:dp:1", DEV, true },
	{ DEV, DEV, true },
	{ "urn:dpoint:device:ffff2233-4455-6677-8899-aabbccddeeff", DEV, false },
	{ "", DEV, false },
	{ "urn:dpoint:dp:1", "", false },
	{ "urn:dpoint:dp:1", "urn:dpoint:dp:" UUID, false },
	{ "urn:dpoint:dp:1", DEV ", " DEV, false },
	{ "urn:dpoint:dp:1", DEV "0", false },
	{ "urn:dpoint:dp:1", "urn:dpoint:device:00112233\"4455 6677-8899-aabbccddee\"",
	    false },
	{ "urn:dpoint:dp:1", "urn:dpoint:device:", false },
};
START_TEST(a_device_is_believed_of_who_verifies_it)
{
	ck_assert_msg(via_believes(said[_i].peer, said[_i].device) ==
	    said[_i].believed, "%s of %s", said[_i].device, said[_i].peer);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("gateway redial");
	TCase	*t = tcase_create("gateway redial");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, addresses_are_tried_one_after_the_other_at_once);
	tcase_add_test(t, where_none_connects_a_backoff_grows_to_a_minute);
	tcase_add_test(t, chance_leaves_out_up_to_half_of_it);
	tcase_add_test(t, one_that_does_not_stay_is_no_success);
	tcase_add_test(t, where_a_connection_is_already_it_tries_on);
	tcase_add_test(t, one_that_only_refuses_is_left_and_two_do_not_flap);
	tcase_add_test(t, the_only_one_is_not_left);
	tcase_add_test(t, the_same_list_changes_nothing_and_another_starts_over);
	tcase_add_loop_test(t, a_name_on_the_way_is_found, 0, COUNT(ways));
	tcase_add_test(t, a_way_grows_by_us_and_has_an_end);
	tcase_add_loop_test(t, only_what_is_listed_is_allowed, 0, COUNT(asked));
	tcase_add_loop_test(t, a_device_is_believed_of_who_verifies_it, 0,
	    COUNT(said));
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
