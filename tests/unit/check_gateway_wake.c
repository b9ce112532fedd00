/*
 * tests/unit/check_gateway_wake.c - what wake.h and recent.h promise.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/size.h"
#include "dp-gateway/recent.h"

#define UUID "6f1b3c52-9a0e-4b60-b6d0-000000000001"

static const struct {
	const char    *json;
	enum wake_whom whom;
	enum wake_what what;
	const char    *name; /* NULL: refused */
} orders[] = {
	{ "{\"to\":\"all\"}", WAKE_ALL, WAKE_REFRESH, "" },
	{ "{\"what\":\"policy\",\"to\":\"all\"}", WAKE_ALL, WAKE_POLICY, "" },
	{ "{\"to\":\"group:/\"}", WAKE_GROUP, WAKE_REFRESH, "/" },
	{ "{\"to\":\"group:/hq/a b\",\"what\":\"task\"}", WAKE_GROUP, WAKE_TASK,
	    "/hq/a b" },
	{ "{\"to\":\"" UUID "\",\"what\":\"report\"}", WAKE_DEVICE, WAKE_REPORT,
	    "urn:dpoint:device:" UUID },
	{ "{\"to\":\"urn:dpoint:device:" UUID "\"}", WAKE_DEVICE, WAKE_REFRESH,
	    "urn:dpoint:device:" UUID },
	{ "{}", 0, 0, NULL },
	{ "[]", 0, 0, NULL },
	{ "", 0, 0, NULL },
	{ "\"all\"", 0, 0, NULL },
	{ "{\"to\":\"all\"} x", 0, 0, NULL },
	{ "{\"to\":\"all\",\"to\":\"all\"}", 0, 0, NULL },
	{ "{\"to\":\"all\",\"waht\":\"policy\"}", 0, 0, NULL },
	{ "{\"to\":\"all\",\"what\":\"policy\",\"x\":1}", 0, 0, NULL },
	{ "{\"to\":\"all\",\"what\":1}", 0, 0, NULL },
	{ "{\"to\":\"all\",\"what\":\"reboot\"}", 0, 0, NULL },
	{ "{\"to\":[\"all\"]}", 0, 0, NULL },
	{ "{\"to\":\"\"}", 0, 0, NULL },
	{ "{\"to\":\"group:\"}", 0, 0, NULL },
	{ "{\"to\":\"group:hq\"}", 0, 0, NULL },
	{ "{\"to\":\"group:/hq/\"}", 0, 0, NULL },
	{ "{\"to\":\"group:/hq//a\"}", 0, 0, NULL },
	{ "{\"to\":\"group:/h\\nq\"}", 0, 0, NULL },
	{ "{\"to\":\"group:/h\\u0000q\"}", 0, 0, NULL },
	{ "{\"to\":\"urn:dpoint:dp:" UUID "\"}", 0, 0, NULL },
	{ "{\"to\":\"urn:dpoint:device:\"}", 0, 0, NULL },
	{ "{\"to\":\"a b\"}", 0, 0, NULL },
};

START_TEST(orders_are_as_listed)
{
	struct wake_order o;
	char		  why[WAKE_WHY] = "";
	int r = wake_order_parse(orders[_i].json, strlen(orders[_i].json), &o,
	    why);

	if (orders[_i].name == NULL) {
		ck_assert_msg(r == -EINVAL, "accepted: %s", orders[_i].json);
		ck_assert(why[0] != '\0');
		return;
	}
	ck_assert_msg(r == 0, "%s: %s", orders[_i].json, why);
	ck_assert_int_eq(o.whom, orders[_i].whom);
	ck_assert_int_eq(o.what, orders[_i].what);
	ck_assert_str_eq(o.name, orders[_i].name);
}
END_TEST

START_TEST(an_event_is_as_the_header_says)
{
	static const struct {
		struct wake_order o;
		const char	 *text;
	} events[] = {
		{ { WAKE_ALL, WAKE_REFRESH, "" },
		    "event: wake\ndata: {\"id\":\"00000000000000ff\","
		    "\"what\":\"refresh\",\"group\":\"all\"}\n\n" },
		{ { WAKE_GROUP, WAKE_TASK, "/h\"q" },
		    "id: 00000000000000ff\n"
		    "event: wake\ndata: {\"id\":\"00000000000000ff\","
		    "\"what\":\"task\",\"group\":\"/h\\\"q\"}\n\n" },
		{ { WAKE_DEVICE, WAKE_REPORT, "urn:dpoint:device:1" },
		    "event: wake\ndata: {\"id\":\"00000000000000ff\","
		    "\"what\":\"report\"}\n\n" },
	};
	char leave[WAKE_LEAVE_MAX];

	for (size_t i = 0; i < COUNT(events); i++) {
		struct wake *w;

		ck_assert_int_eq(wake_new(&events[i].o, 255, i == 1, &w), 0);
		ck_assert_str_eq(w->text, events[i].text);
		ck_assert_uint_eq(w->len, strlen(w->text));
		wake_unref(&w);
		ck_assert_ptr_null(w);
	}
	ck_assert_uint_eq(push_leave_text(1500, leave), strlen(leave));
	ck_assert_str_eq(leave,
	    "retry: 1500\nevent: leave\ndata: {\"in_ms\":1500}\n\n");
	ck_assert_uint_lt(push_leave_text(UINT64_MAX, leave), WAKE_LEAVE_MAX);
}
END_TEST

static const struct {
	const char *query, *group; /* NULL: refused */
} queries[] = {
	{ "", "/" },
	{ "group=/hq/berlin", "/hq/berlin" },
	{ "group=%2Fhq%2fm%C3%BCnchen", "/hq/m\xc3\xbcnchen" },
	{ "group=", NULL },
	{ "group=hq", NULL },
	{ "group=/hq/", NULL },
	{ "group=/a%00b", NULL },
	{ "group=/a%0ab", NULL },
	{ "group=/%F0%9F%8F%A2/%E2%82%AC%EE%80%80", "/\xf0\x9f\x8f\xa2/\xe2\x82\xac\xee\x80\x80" },
	{ "group=/%ff", NULL }, /* no UTF-8: it could be shown to nobody */
	{ "group=/%c3", NULL },
	{ "group=/%c3a", NULL },
	{ "group=/%c0%af", NULL },
	{ "group=/%e0%80%af", NULL },
	{ "group=/%ed%a0%80", NULL },
	{ "group=/%f0%80%80%af", NULL },
	{ "group=/%f4%90%80%80", NULL },
	{ "group=/%e2%82", NULL },
	{ "group=/a%4", NULL },
	{ "group=/a%zz", NULL },
	{ "groups=/a", NULL },
	{ "x", NULL },
};

START_TEST(queries_are_as_listed)
{
	char group[GROUP_LEN];
	int  r = push_query_parse(queries[_i].query, strlen(queries[_i].query),
	     group);

	if (queries[_i].group == NULL)
		ck_assert_int_eq(r, -EINVAL);
	else {
		ck_assert_int_eq(r, 0);
		ck_assert_str_eq(group, queries[_i].group);
	}
}
END_TEST

START_TEST(a_long_group_is_refused)
{
	char query[6 + GROUP_LEN + 1] = "group=/", group[GROUP_LEN];

	memset(query + 7, 'a', GROUP_LEN - 2);
	ck_assert_int_eq(push_query_parse(query, 6 + GROUP_LEN - 1, group), 0);
	query[6 + GROUP_LEN - 1] = 'a';
	ck_assert_int_eq(push_query_parse(query, 6 + GROUP_LEN, group), -EINVAL);
}
END_TEST

START_TEST(a_group_holds_itself_and_those_below)
{
	ck_assert(group_holds("/", "/") && group_holds("/", "/hq"));
	ck_assert(group_holds("/hq", "/hq") && group_holds("/hq", "/hq/berlin"));
	ck_assert(!group_holds("/hq", "/hqs") && !group_holds("/hq", "/"));
	ck_assert(!group_holds("/hq/berlin", "/hq"));
}
END_TEST

START_TEST(ids_are_what_we_gave)
{
	static const char *const bad[] = { "", "0", "00000000000000f",
		"00000000000000fff", "0x000000000000ff", "00000000000000 f" };
	char	 text[WAKE_ID_MAX];
	uint64_t n = 0;

	ck_assert_uint_eq(push_id_text(UINT64_MAX - 1, true, text), strlen(text));
	ck_assert_str_eq(text, ":\nid: fffffffffffffffe\n\n");
	(void)push_id_text(171, false, text);
	ck_assert_str_eq(text, "id: 00000000000000ab\n\n");
	ck_assert_int_eq(push_id_parse(text + 4, 16, &n), 0);
	ck_assert_uint_eq(n, 171);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(push_id_parse(bad[i], strlen(bad[i]), &n),
		    -EINVAL);
}
END_TEST

/* -- recent.h -- */

#define ME "urn:dpoint:device:1"

static void
add(struct recent *r, enum wake_whom whom, enum wake_what what, const char *name)
{
	struct wake_order o = { .whom = whom, .what = what };
	struct wake	 *w;

	snprintf(o.name, sizeof(o.name), "%s", name);
	ck_assert_int_eq(wake_new(&o, recent_last(r) + 1, true, &w), 0);
	recent_add(r, w);
	wake_unref(&w);
}

/* As many numbers as the ring has, across the end of the numbers. */
static const uint64_t starts[] = { 0, 5, UINT64_MAX - 3 };

START_TEST(a_device_gets_what_it_missed)
{
	struct wake   *out[WAKE_WHATS];
	struct recent *r;
	uint64_t       start = starts[_i];

	ck_assert_int_eq(recent_new(start, &r), 0);
	ck_assert(recent_missed(r, start, ME, "/hq", out));
	ck_assert_ptr_null(out[WAKE_REFRESH]);
	ck_assert(!recent_missed(r, start - 1, ME, "/hq", out));
	ck_assert(!recent_missed(r, start + 1, ME, "/hq", out));
	add(r, WAKE_ALL, WAKE_REFRESH, "");
	add(r, WAKE_GROUP, WAKE_REFRESH, "/hq");
	add(r, WAKE_GROUP, WAKE_TASK, "/other");
	add(r, WAKE_DEVICE, WAKE_POLICY, "urn:dpoint:device:2");
	add(r, WAKE_DEVICE, WAKE_REPORT, ME);
	ck_assert(recent_missed(r, start, ME, "/hq/berlin", out));
	ck_assert_uint_eq(out[WAKE_REFRESH]->number, start + 2);
	ck_assert_uint_eq(out[WAKE_REPORT]->number, start + 5);
	ck_assert(out[WAKE_TASK] == NULL && out[WAKE_POLICY] == NULL);
	ck_assert(recent_missed(r, start + 2, ME, "/hq/berlin", out));
	ck_assert_ptr_null(out[WAKE_REFRESH]);
	ck_assert_ptr_nonnull(out[WAKE_REPORT]);
	ck_assert(recent_missed(r, start + 5, ME, "/hq/berlin", out));
	ck_assert_ptr_null(out[WAKE_REPORT]);
	ck_assert(!recent_missed(r, start + 6, ME, "/hq/berlin", out));
	recent_free(&r);
	ck_assert_ptr_null(r);
}
END_TEST

START_TEST(who_was_away_for_longer_is_told_so)
{
	struct wake   *out[WAKE_WHATS];
	struct recent *r;
	uint64_t       start = starts[_i];

	ck_assert_int_eq(recent_new(start, &r), 0);
	add(r, WAKE_DEVICE, WAKE_POLICY, ME);
	for (int i = 1; i < RECENT_MAX; i++)
		add(r, WAKE_GROUP, WAKE_TASK, "/other");
	ck_assert(recent_missed(r, start, ME, "/hq", out));
	ck_assert_ptr_nonnull(out[WAKE_POLICY]);
	add(r, WAKE_GROUP, WAKE_TASK, "/other");
	ck_assert(!recent_missed(r, start, ME, "/hq", out));
	ck_assert_ptr_null(out[WAKE_POLICY]);
	ck_assert(recent_missed(r, start + 1, ME, "/hq", out));
	ck_assert_ptr_null(out[WAKE_POLICY]);
	recent_free(&r);
}
END_TEST

/* Before its first wake a process does not know what the next number is. */
START_TEST(the_first_wake_follows_whatever_was_said_before)
{
	struct wake_order o = { .whom = WAKE_ALL };
	struct wake	 *out[WAKE_WHATS], *w;
	struct recent	 *r;
	uint64_t	  start = starts[_i];

	ck_assert_int_eq(recent_new(start, &r), 0);
	ck_assert(recent_follows(r, start + 77777));
	ck_assert_int_eq(wake_new(&o, start + 77777, true, &w), 0);
	recent_add(r, w);
	wake_unref(&w);
	ck_assert(recent_missed(r, start, ME, "/hq", out));
	ck_assert_uint_eq(out[WAKE_REFRESH]->number, start + 77777);
	ck_assert(recent_missed(r, start + 77777, ME, "/hq", out));
	ck_assert_ptr_null(out[WAKE_REFRESH]);
	ck_assert(!recent_missed(r, start + 1, ME, "/hq", out));
	ck_assert(!recent_follows(r, start + 77779));
	for (int i = 1; i < RECENT_MAX; i++)
		add(r, WAKE_GROUP, WAKE_TASK, "/other");
	ck_assert(recent_missed(r, start, ME, "/hq", out));
	add(r, WAKE_GROUP, WAKE_TASK, "/other");
	ck_assert(!recent_missed(r, start, ME, "/hq", out));
	recent_free(&r);
}
END_TEST

START_TEST(what_comes_before_a_gap_is_forgotten)
{
	struct wake_order o = { .whom = WAKE_ALL };
	struct wake	 *out[WAKE_WHATS], *w;
	struct recent	 *r;
	uint64_t	  start = starts[_i];

	ck_assert_int_eq(recent_new(start, &r), 0);
	add(r, WAKE_DEVICE, WAKE_POLICY, ME);
	ck_assert_int_eq(wake_new(&o, start + 3, true, &w), 0);
	recent_add(r, w);
	wake_unref(&w);
	ck_assert_uint_eq(recent_last(r), start + 3);
	ck_assert(!recent_missed(r, start, ME, "/hq", out));
	ck_assert(!recent_missed(r, start + 1, ME, "/hq", out));
	ck_assert(recent_missed(r, start + 2, ME, "/hq", out));
	ck_assert(out[WAKE_REFRESH] != NULL && out[WAKE_POLICY] == NULL);
	recent_free(&r);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("gateway_wake");
	TCase	*t = tcase_create("gateway_wake");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_loop_test(t, orders_are_as_listed, 0, (int)COUNT(orders));
	tcase_add_test(t, an_event_is_as_the_header_says);
	tcase_add_loop_test(t, queries_are_as_listed, 0, (int)COUNT(queries));
	tcase_add_test(t, a_long_group_is_refused);
	tcase_add_test(t, a_group_holds_itself_and_those_below);
	tcase_add_test(t, ids_are_what_we_gave);
	tcase_add_loop_test(t, a_device_gets_what_it_missed, 0,
	    (int)COUNT(starts));
	tcase_add_loop_test(t, the_first_wake_follows_whatever_was_said_before,
	    0, (int)COUNT(starts));
	tcase_add_loop_test(t, what_comes_before_a_gap_is_forgotten, 0,
	    (int)COUNT(starts));
	tcase_add_loop_test(t, who_was_away_for_longer_is_told_so, 0,
	    (int)COUNT(starts));
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
