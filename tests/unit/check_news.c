/*
 * tests/unit/check_news.c - dp-agent/news.h: when a carousel's metadata begins a
 * refresh, and what an insider's does not.
 * SPDX-License-Identifier: ISC
 */
#include "tests/harness/agent-mcast.h"

#include <check.h>

#define WAIT (NEWS_WAIT_MS + 300)

static void
setup(void)
{
	lab_open();
	lab.net.conf.interval = 900;
	lab.net.mcast->keys.interval_s = 8; /* spreads over 400 ms */
	lab.wants[0] = "timestamp.json";
	lab.wants[1] = "2.snapshot.json";
}

/* An object of one symbol: its description, then perhaps its bytes. */
static void
send_object(uint16_t tsi, uint16_t toi, const char *name, const char *text,
    bool with_bytes)
{
	struct fdt_file f = { .name = (char *)name, .toi = toi,
		.fti = { .length = strlen(text), .symbol = 1400, .block = 200,
		    .symbols = 255 } };

	ck_assert_int_eq(hash_of(&f.hash, text, strlen(text)), 0);
	lab_describe_file(tsi, &f, false);
	if (with_bytes)
		lab_symbol(tsi, toi, 0, 1, 0, (const uint8_t *)text,
		    strlen(text));
}

static void
timestamp(uint16_t tsi, uint16_t toi, const char *text)
{
	send_object(tsi, toi, "repo/metadata/timestamp.json", text, true);
}

static void
snapshot(uint16_t tsi, uint16_t toi)
{
	send_object(tsi, toi, "repo/metadata/2.snapshot.json", "snapshot", true);
}

static int
counted(const char *what)
{
	json_t *o = news_status(lab.net.mcast->news);
	int	n = (int)json_integer_value(json_object_get(o, what));

	json_decref(o);
	return n;
}

START_TEST(a_new_timestamp_begins_a_refresh)
{
	struct hash h;

	ck_assert_int_eq(hash_of(&h, "new", 3), 0);
	snapshot(1, 2);
	timestamp(1, 1, "new");
	lab_run(20);
	ck_assert_uint_eq(lab.refreshes, 1); /* the snapshot came before: lacks */
	snapshot(1, 2);
	lab_run(20);
	ck_assert_uint_eq(lab.refreshes, 2);
	ck_assert(hash_eq(&lab.net.timestamp, &h));
	ck_assert_int_eq(counted("taken"), 1);
	/* it is in force now: repeating it is no news */
	timestamp(1, 1, "new");
	snapshot(1, 2);
	lab_run(WAIT);
	ck_assert_uint_eq(lab.refreshes, 2);
	ck_assert_uint_eq(lab.unicasts, 0);
}
END_TEST

START_TEST(other_repositories_and_other_files_are_no_news)
{
	send_object(1, 1, "site/metadata/timestamp.json", "new", true);
	send_object(1, 2, "repo/metadata/2.timestamp.json", "new", true);
	send_object(1, 3, "repo/targets/timestamp.json", "new", true);
	lab_run(50);
	ck_assert_uint_eq(lab.refreshes, 0);
}
END_TEST

START_TEST(a_round_that_is_under_way_ends_first)
{
	lab.net.in_round = true;
	timestamp(1, 1, "new");
	snapshot(1, 2);
	lab_run(300);
	ck_assert_uint_eq(lab.refreshes, 0);
	lab.net.in_round = false;
	lab_run(150);
	ck_assert_uint_eq(lab.refreshes, 1);
	ck_assert_int_eq(counted("taken"), 1);
}
END_TEST

START_TEST(what_a_round_brought_meanwhile_is_no_news)
{
	lab.net.in_round = true;
	timestamp(1, 1, "new");
	lab_run(50);
	ck_assert_int_eq(hash_of(&lab.net.timestamp, "new", 3), 0);
	lab.net.in_round = false;
	lab_run(WAIT);
	ck_assert_uint_eq(lab.refreshes, 0);
	ck_assert_uint_eq(lab.unicasts, 0);
	ck_assert_int_eq(counted("incomplete"), 0);
}
END_TEST

START_TEST(what_lacks_is_asked_for_once)
{
	timestamp(1, 1, "new");
	send_object(1, 3, "repo/metadata/3.targets.json", "other", true);
	lab_run(NEWS_WAIT_MS - 300);
	ck_assert_uint_eq(lab.unicasts, 0);
	ck_assert_uint_eq(lab.refreshes, 1); /* what comes is not what lacks */
	lab_run(900);
	ck_assert_uint_eq(lab.unicasts, 1);
	ck_assert_int_eq(counted("incomplete"), 1);
}
END_TEST

START_TEST(nothing_unproven_makes_a_connection)
{
	/* offered and never sent */
	send_object(1, 1, "repo/metadata/timestamp.json", "new", false);
	lab_run(WAIT);
	ck_assert_uint_eq(lab.refreshes, 0);
	/* sent, and refused */
	lab.refusal = -ESTALE;
	timestamp(2, 1, "old");
	lab_run(WAIT);
	ck_assert_uint_ge(lab.refreshes, 1);
	ck_assert_int_ge(counted("refused"), 1);
	ck_assert_uint_eq(lab.unicasts, 0);
	ck_assert_uint_eq(lab.nhttp, 0);
}
END_TEST

START_TEST(refused_ones_are_tried_ever_more_seldom)
{
	char text[20];

	lab.refusal = -EACCES;
	for (unsigned i = 0; i < 60; i++) { /* 1.2 s, another each time */
		snprintf(text, sizeof(text), "forged %u", i);
		timestamp(1, (uint16_t)(i + 1), text);
		lab_run(20);
	}
	ck_assert_uint_eq(lab.refreshes, 1);
	ck_assert_int_eq(counted("refused"), 1);
}
END_TEST

START_TEST(new_sessions_do_not_add_up)
{
	char text[20];

	lab.refusal = -EACCES;
	for (unsigned i = 0; i < 60; i++) {
		snprintf(text, sizeof(text), "forged %u", i);
		timestamp((uint16_t)(i + 1), 1, text);
		lab_run(20);
	}
	ck_assert_uint_ge(lab.refreshes, 2);
	ck_assert_uint_le(lab.refreshes, 1200 / NEWS_PAUSE_MS + 2);
}
END_TEST

START_TEST(a_session_that_told_the_truth_is_heard_first)
{
	ck_assert_int_eq(hash_of(&lab.net.timestamp, "force", 5), 0);
	timestamp(1, 1, "force");
	lab_run(20);
	/* others promise more and send nothing */
	for (uint16_t tsi = 2; tsi < 10; tsi++)
		send_object(tsi, 1, "repo/metadata/timestamp.json", "later",
		    false);
	lab_run(20);
	timestamp(1, 3, "new");
	snapshot(1, 2);
	lab_run(50);
	ck_assert_int_eq(counted("taken"), 1);
}
END_TEST

START_TEST(an_object_that_its_carousel_drops_comes_by_unicast)
{
	static const uint8_t bytes[3000];

	lab.net.conf.mcast_silence = 1;
	lab_target(bytes, sizeof(bytes), 0);
	lab_describe(1, 1400, 200, 255, false);
	lab_run(20);
	ck_assert(mcast_get(&lab.target));
	lab_data(1, 0, 3, 0, bytes, 1400);
	for (unsigned i = 0; i < 40 && lab.overs == 0; i++) {
		snapshot(1, 2); /* it goes on with other things */
		lab_run(50);
	}
	ck_assert_uint_eq(lab.overs, 1);
	ck_assert(!lab.whole);
	lab_close_target();
}
END_TEST

START_TEST(a_policy_of_the_news_waits_for_its_carousel)
{
	static const uint8_t bytes[3000];

	lab.net.news_round = true;
	lab_target(bytes, sizeof(bytes), 0);
	snprintf(lab.target.kind, sizeof(lab.target.kind), "policy");
	ck_assert(mcast_get(&lab.target));
	lab_run(300);
	ck_assert_uint_eq(lab.nhttp, 0);
	lab_describe(1, 1400, 200, 255, false);
	for (uint16_t i = 0; i < 3; i++)
		lab_data(1, 0, 3, i, bytes, i < 2 ? 1400 : 200);
	lab_run(100);
	ck_assert_uint_eq(lab.overs, 1);
	ck_assert(lab.whole);
	ck_assert_uint_eq(lab.nhttp, 0);
	/* also when the point could not be asked for keys a moment ago */
	lab.net.mcast->off_ms = UINT64_MAX;
	lab_target(bytes, sizeof(bytes), 0);
	ck_assert(mcast_get(&lab.target));
	lab_close_target();
	lab_target(bytes, sizeof(bytes) - 1, 0);
	ck_assert(!mcast_get(&lab.target));
	lab.net.mcast->off_ms = 0;
	/* and asks when it does not come */
	lab_target(bytes, sizeof(bytes) - 1, 0);
	snprintf(lab.target.kind, sizeof(lab.target.kind), "policy");
	ck_assert(mcast_get(&lab.target));
	lab_run(WAIT);
	ck_assert_uint_eq(lab.nhttp, 1);
	lab_close_target();
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("news");
	TCase	*t = tcase_create("news");
	SRunner *sr = srunner_create(s);
	int	 failed;

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, a_new_timestamp_begins_a_refresh);
	tcase_add_test(t, other_repositories_and_other_files_are_no_news);
	tcase_add_test(t, a_round_that_is_under_way_ends_first);
	tcase_add_test(t, what_a_round_brought_meanwhile_is_no_news);
	tcase_add_test(t, what_lacks_is_asked_for_once);
	tcase_add_test(t, nothing_unproven_makes_a_connection);
	tcase_add_test(t, refused_ones_are_tried_ever_more_seldom);
	tcase_add_test(t, new_sessions_do_not_add_up);
	tcase_add_test(t, a_session_that_told_the_truth_is_heard_first);
	tcase_add_test(t, an_object_that_its_carousel_drops_comes_by_unicast);
	tcase_add_test(t, a_policy_of_the_news_waits_for_its_carousel);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
