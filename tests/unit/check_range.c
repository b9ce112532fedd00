/*
 * tests/unit/check_range.c - what range.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dp-serve/range.h"

static const struct {
	const char	 *text;
	enum range_answer answer;
	uint64_t	  first, last;
} ranges[] = { /* of 1000 bytes */
	{ "bytes=0-0", RANGE_PART, 0, 0 },
	{ "bytes=0-", RANGE_PART, 0, 999 },
	{ "bytes=10-19", RANGE_PART, 10, 19 },
	{ "Bytes=990-5000", RANGE_PART, 990, 999 },
	{ "bytes=-1", RANGE_PART, 999, 999 },
	{ "bytes=-5000", RANGE_PART, 0, 999 },
	{ "bytes=5-99999999999999999999999", RANGE_PART, 5, 999 },
	{ "bytes=1000-", RANGE_NONE, 0, 0 },
	{ "bytes=99999999999999999999999-", RANGE_NONE, 0, 0 },
	{ "bytes=-0", RANGE_NONE, 0, 0 },
	{ "bytes=9-5", RANGE_WHOLE, 0, 0 },
	{ "bytes=-", RANGE_WHOLE, 0, 0 },
	{ "bytes=", RANGE_WHOLE, 0, 0 },
	{ "bytes=a-b", RANGE_WHOLE, 0, 0 },
	{ "bytes=0-1,3-4", RANGE_WHOLE, 0, 0 },
	{ "bytes=0-,0-,0-,0-", RANGE_WHOLE, 0, 0 },
	{ "bytes=-1,-2", RANGE_WHOLE, 0, 0 },
	{ "lines=0-1", RANGE_WHOLE, 0, 0 },
	{ "bytes=0--1", RANGE_WHOLE, 0, 0 },
	{ "bytes= 0-1", RANGE_WHOLE, 0, 0 },
};

START_TEST(range_is_as_listed)
{
	uint64_t a = 0, b = 0;

	ck_assert_int_eq(range_parse(ranges[_i].text, strlen(ranges[_i].text),
			     1000, &a, &b), ranges[_i].answer);
	if (ranges[_i].answer == RANGE_PART) {
		ck_assert_uint_eq(a, ranges[_i].first);
		ck_assert_uint_eq(b, ranges[_i].last);
	}
}
END_TEST

START_TEST(an_empty_object_has_no_part)
{
	uint64_t a, b;

	ck_assert_int_eq(range_parse("bytes=0-", 8, 0, &a, &b), RANGE_NONE);
	ck_assert_int_eq(range_parse("bytes=-5", 8, 0, &a, &b), RANGE_NONE);
}
END_TEST

START_TEST(dates_are_as_libc_writes_them)
{
	char	  ours[HTTP_DATE_LEN + 1], theirs[64];
	struct tm tm;
	int64_t	  back;

	for (int64_t t = 0; t < INT64_C(8000000000); t += 7777777) {
		time_t tt = (time_t)t;

		gmtime_r(&tt, &tm);
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		http_date(t, ours);
		ck_assert_str_eq(ours, theirs);
		ck_assert_int_eq(http_date_parse(&back, ours, 29), 0);
		ck_assert_int_eq(back, t);
	}
}
END_TEST

static const char *const not_dates[] = {
	"Sun, 06 Nov 1994 08:49:37 UTC", "Mon, 06 Nov 1994 08:49:37 GMT",
	"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "",
	"Tue, 30 Feb 2021 00:00:00 GMT", "Sun, 06 Xyz 1994 08:49:37 GMT",
	"Sun, 06 ovD 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
};
START_TEST(other_dates_are_refused)
{
	int64_t t;

	ck_assert_int_eq(http_date_parse(&t, not_dates[_i],
			     strlen(not_dates[_i])), -EINVAL);
}
END_TEST

#define TAG "\"abc\""
#define OLD "Sun, 06 Nov 1994 08:49:37 GMT"
#define NEW "Mon, 07 Nov 1994 08:49:37 GMT"
static const struct {
	const char *why;
	int	    status;
	const char *match, *none_match, *modified, *unmodified, *if_range, *range;
	bool	    is_head;
} conds[] = { /* of a file "abc" of 1000 bytes, changed at OLD */
	{ "none", 200, 0, 0, 0, 0, 0, 0, false },
	{ "range", 206, 0, 0, 0, 0, 0, "bytes=0-1", false },
	{ "range on HEAD", 200, 0, 0, 0, 0, 0, "bytes=0-1", true },
	{ "range beyond", 416, 0, 0, 0, 0, 0, "bytes=1000-", false },
	{ "have it", 304, 0, TAG, 0, 0, 0, 0, false },
	{ "have it, weakly", 304, 0, "W/" TAG, 0, 0, 0, 0, false },
	{ "have it, in a list", 304, 0, "\"x\", " TAG, 0, 0, 0, 0, false },
	{ "have any", 304, 0, "*", 0, 0, 0, 0, false },
	{ "have another", 200, 0, "\"x\"", OLD, 0, 0, 0, false },
	{ "not modified", 304, 0, 0, OLD, 0, 0, 0, false },
	{ "not modified since later", 304, 0, 0, NEW, 0, 0, 0, false },
	{ "modified", 200, 0, 0, "Sat, 05 Nov 1994 08:49:37 GMT", 0, 0, 0, false },
	{ "garbled date", 200, 0, 0, "yesterday", 0, 0, 0, false },
	{ "match", 200, TAG, 0, 0, 0, 0, 0, false },
	{ "match weakly", 412, "W/" TAG, 0, 0, 0, 0, 0, false },
	{ "match other", 412, "\"x\"", 0, 0, 0, 0, 0, false },
	{ "unmodified", 200, 0, 0, 0, OLD, 0, 0, false },
	{ "modified meanwhile", 412, 0, 0, 0, "Sat, 05 Nov 1994 08:49:37 GMT", 0, 0, false },
	{ "if-range holds", 206, 0, 0, 0, 0, TAG, "bytes=0-1", false },
	{ "if-range fails", 200, 0, 0, 0, 0, "\"x\"", "bytes=0-1", false },
	{ "if-range is weak", 200, 0, 0, 0, 0, "W/" TAG, "bytes=0-1", false },
	{ "if-range date holds", 206, 0, 0, 0, 0, OLD, "bytes=0-1", false },
	{ "if-range date fails", 200, 0, 0, 0, 0, NEW, "bytes=0-1", false },
	{ "304 before range", 304, 0, TAG, 0, 0, 0, "bytes=0-1", false },
	{ "412 before 304", 412, "\"x\"", TAG, 0, 0, 0, 0, false },
	{ "unclosed tag", 200, 0, "\"abc", 0, 0, 0, 0, false },
};

START_TEST(conditions_are_as_listed)
{
	char		  buf[512] = "";
	struct http_request r = { .method = conds[_i].is_head ? HTTP_HEAD
							      : HTTP_GET };
	uint64_t	  a, b;
	int64_t		  t;
	const char *const v[] = { conds[_i].match, conds[_i].none_match,
		conds[_i].modified, conds[_i].unmodified, conds[_i].if_range,
		conds[_i].range };
	static const enum http_field f[] = { HTTP_IF_MATCH, HTTP_IF_NONE_MATCH,
		HTTP_IF_MODIFIED, HTTP_IF_UNMODIFIED, HTTP_IF_RANGE, HTTP_RANGE };

	for (int i = 0; i < 6; i++)
		if (v[i] != NULL) {
			r.f[f[i]] = (struct http_span) { (uint16_t)strlen(buf),
				(uint16_t)strlen(v[i]) };
			strcat(buf, v[i]);
		}
	ck_assert_int_eq(http_date_parse(&t, OLD, 29), 0);
	ck_assert_msg(conditions(&r, buf, TAG, t, 1000, &a, &b) ==
		conds[_i].status, "%s", conds[_i].why);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("range");
	TCase	*t = tcase_create("range");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_loop_test(t, range_is_as_listed, 0,
	    sizeof(ranges) / sizeof(ranges[0]));
	tcase_add_test(t, an_empty_object_has_no_part);
	tcase_add_test(t, dates_are_as_libc_writes_them);
	tcase_add_loop_test(t, other_dates_are_refused, 0,
	    sizeof(not_dates) / sizeof(not_dates[0]));
	tcase_add_loop_test(t, conditions_are_as_listed, 0,
	    sizeof(conds) / sizeof(conds[0]));
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
