/*
 * tests/unit/check_control_merge.c - what merge.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <stdlib.h>

#include "common/size.h"
#include "dp-master/merge.h"

static const struct {
	const char *why, *rows[3], *merged;
} cases[] = {
	{ "numbers are added, states listed, times the longest",
	    { "{'state':'serving','n':1,'took_ms':5,'age_s':9}",
		"{'state':'draining','n':2,'took_ms':7,'age_s':3}",
		"{'state':'serving','n':4,'took_ms':0,'age_s':3}" },
	    "[{'state':'serving, draining','n':7,'took_ms':7,'age_s':9}]" },
	{ "objects member by member",
	    { "{'refused':{'sni':1}}", "{'refused':{'sni':2,'tls':3}}", NULL },
	    "[{'refused':{'sni':3,'tls':3}}]" },
	{ "what differs stays apart",
	    { "{'server':'a','port':1,'failures':1,'why':''}",
		"{'server':'a','port':2,'failures':1,'why':''}",
		"{'server':'a','port':1,'failures':2,'why':'late'}" },
	    "[{'server':'a','port':1,'failures':3,'why':'late'},"
	    "{'server':'a','port':2,'failures':1,'why':''}]" },
	{ "other keys are another thing", { "{'n':1}", "{'n':1,'m':1}", "{'m':1}" },
	    "[{'n':1},{'n':1,'m':1},{'m':1}]" },
	{ "so is another type", { "{'n':1}", "{'n':'1'}", "{'n':{}}" },
	    "[{'n':1},{'n':'1'},{'n':{}}]" },
	{ "empty rows are the same", { "{}", "{}", NULL }, "[{}]" },
	{ "reals", { "{'n':0.5}", "{'n':0.25}", NULL }, "[{'n':0.75}]" },
};

static json_t *
read(const char *text)
{
	char   copy[400];
	size_t i;

	for (i = 0; text[i] != '\0'; i++)
		copy[i] = (char)(text[i] == '\'' ? '"' : text[i]);
	copy[i] = '\0';
	return json_loads(copy, 0, NULL);
}

START_TEST(rows_are_merged_as_listed)
{
	json_t *rows = json_array(), *want = read(cases[_i].merged);

	ck_assert_ptr_nonnull(want);
	for (int i = 0; i < 3 && cases[_i].rows[i] != NULL; i++)
		merge_row(rows, read(cases[_i].rows[i]));
	ck_assert_msg(json_equal(rows, want), "%s: %s", cases[_i].why,
	    json_dumps(rows, 0));
	json_decref(rows);
	json_decref(want);
}
END_TEST

START_TEST(samples_are_merged_by_what_they_say)
{
	ck_assert(merge_sample("server_up", 1, 0) == 0);
	ck_assert(merge_sample("server_up", 0, 1) == 0);
	ck_assert(merge_sample("server_up", 1, 1) == 1);
	ck_assert(merge_sample("rtt_seconds", 0.25, 0.5) == 0.5);
	ck_assert(merge_sample("rtt_seconds", 0.5, 0.25) == 0.5);
	ck_assert(merge_sample("handshake_seconds_sum", 0.5, 0.25) == 0.75);
	ck_assert(merge_sample("connections", 2, 3) == 5);
	ck_assert(merge_sample("up", 1, 1) == 2);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("control_merge");
	TCase	*t = tcase_create("control_merge");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_loop_test(t, rows_are_merged_as_listed, 0, (int)COUNT(cases));
	tcase_add_test(t, samples_are_merged_by_what_they_say);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
