/*
 * tests/unit/check_control_words.c - the admin socket's text, both ways.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-master/control_words.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *line;
	int	    argc;
	const char *last;
} good[] = {
	{ "status", 1, "status" },
	{ "  content-fetch \t a/b.deb  ", 2, "a/b.deb" },
	{ "content-fetch \"two words\"", 2, "two words" },
	{ "x \"a \\\" and \\\\ b\"", 2, "a \" and \\ b" },
	{ "x \"\"", 2, "" },
	{ "x a\"b c\"d", 2, "ab cd" },
	{ "x back\\slash", 2, "back\\slash" },
	{ "1 2 3 4 5 6 7 8 9 10 11 12", 12, "12" },
};

START_TEST(a_line_is_split_into_words)
{
	struct words w;
	const char  *reason = NULL;

	ck_assert_int_eq(words_parse(&w, good[_i].line, strlen(good[_i].line),
			     &reason), 0);
	ck_assert_int_eq(w.argc, good[_i].argc);
	ck_assert_str_eq(w.argv[w.argc - 1], good[_i].last);
	ck_assert_ptr_null(w.argv[w.argc]);
}
END_TEST

static const struct {
	const char *line, *reason;
} bad[] = {
	{ "", "an empty request; try help" },
	{ " \t ", "an empty request; try help" },
	{ "x \"open", "a \" without its end" },
	{ "x \"open\\\"", "a \" without its end" },
	{ "a\001b", "a control character in the request" },
	{ "a\rb", "a control character in the request" },
	{ "1 2 3 4 5 6 7 8 9 10 11 12 13", "more than 12 words" },
};

START_TEST(a_line_is_refused_with_its_reason)
{
	struct words w;
	const char  *reason = NULL;

	ck_assert_int_eq(words_parse(&w, bad[_i].line, strlen(bad[_i].line),
			     &reason), -EINVAL);
	ck_assert_str_eq(reason, bad[_i].reason);
}
END_TEST

START_TEST(lengths_are_bounded)
{
	static char  line[REQUEST_MAX + 1];
	struct words w;
	const char  *reason = NULL;

	memset(line, 'a', sizeof(line));
	ck_assert_int_eq(words_parse(&w, line, WORD_MAX, &reason), 0);
	ck_assert_int_eq(words_parse(&w, line, WORD_MAX + 1, &reason), -EINVAL);
	ck_assert_str_eq(reason, "a word longer than 511 bytes");
	ck_assert_int_eq(words_parse(&w, line, REQUEST_MAX, &reason), -EINVAL);
	ck_assert_str_eq(reason, "request is longer than 4095 bytes");
	memset(line, ' ', sizeof(line));
	line[REQUEST_MAX - 2] = 'z';
	ck_assert_int_eq(words_parse(&w, line, REQUEST_MAX - 1, &reason), 0);
}
END_TEST

START_TEST(a_row_is_one_line_that_can_be_split_again)
{
	json_t *row = json_pack("{s:s,s:s,s:s,s:i,s:b,s:n,s:[i,i]}", "name",
	    "a/b.deb", "text", "two \"words\"\nand a line", "none", "", "n", 7,
	    "yes", 1, "null", "list", 1, 2);
	char   *text = row_text(row);

	ck_assert_str_eq(text, "name=a/b.deb text=\"two \\\"words\\\"\\nand a "
			       "line\" none=\"\" n=7 yes=true null=null "
			       "list=[1,2]");
	free(text);
	json_decref(row);
}
END_TEST

START_TEST(a_rows_value_brings_no_terminal_codes)
{
	json_t *row = json_pack("{s:s}", "name", "a\033[31m\nb");
	char   *text = row_text(row);

	ck_assert_str_eq(text, "name=a?[31m?b");
	free(text);
	json_decref(row);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("control words");
	TCase	*t = tcase_create("control words");
	SRunner *r = srunner_create(s);
	int	 failed;

	tcase_add_loop_test(t, a_line_is_split_into_words, 0, COUNT(good));
	tcase_add_loop_test(t, a_line_is_refused_with_its_reason, 0,
	    COUNT(bad));
	tcase_add_test(t, lengths_are_bounded);
	tcase_add_test(t, a_row_is_one_line_that_can_be_split_again);
	tcase_add_test(t, a_rows_value_brings_no_terminal_codes);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
