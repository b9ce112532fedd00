/*
 * tests/unit/check_dpctl_args.c - the command line of dpctl.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/dpctl.h"

#include <check.h> /* after ours: it makes fail() a macro */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/size.h"

enum { WORDS = 12 };

static int
parse(struct args *a, const char *const *words)
{
	bool help, version;
	int  n = 0;

	while (words[n] != NULL)
		n++;
	return args_parse(a, n, (char **)words, &help, &version);
}

START_TEST(options_stand_anywhere)
{
	const char *words[] = { "dpctl", "--socket", "/s", "ca", "issue", "--dns", "a",
		"DIR", "--dns=b", "NAME", "--server", NULL };
	struct args a;
	int	    i = 0;

	ck_assert_int_eq(parse(&a, words), EX_DONE);
	ck_assert_str_eq(a.cmd->name, "ca issue");
	ck_assert_int_eq(a.npos, 2);
	ck_assert_str_eq(a.pos[0], "DIR");
	ck_assert_str_eq(a.pos[1], "NAME");
	ck_assert_str_eq(a.socket, "/s");
	ck_assert(args_has(&a, "server") && !args_has(&a, "ip"));
	ck_assert_str_eq(args_next(&a, "dns", &i), "a");
	ck_assert_str_eq(args_next(&a, "dns", &i), "b");
	ck_assert_ptr_null(args_next(&a, "dns", &i));
	ck_assert_str_eq(args_get(&a, "dns", ""), "b");
	args_fini(&a);
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
	const char *words[] = { "dpctl", "content", "fetch", "--", "--name", NULL };
	struct args a;

	ck_assert_int_eq(parse(&a, words), EX_DONE);
	ck_assert_str_eq(a.pos[0], "--name");
	args_fini(&a);
}
END_TEST

static const struct {
	const char *why;
	const char *words[WORDS];
} refused[] = {
	{ "nothing", { "dpctl" } },
	{ "no such command", { "dpctl", "dance" } },
	{ "half a command", { "dpctl", "ca" } },
	{ "no such second word", { "dpctl", "ca", "dance" } },
	{ "no such option", { "dpctl", "status", "--loud" } },
	{ "an option of another command", { "dpctl", "status", "--dns", "x" } },
	{ "one dash", { "dpctl", "status", "-x" } },
	{ "a value to none", { "dpctl", "status", "--json=1" } },
	{ "a missing value", { "dpctl", "ca", "init", "d", "--name" } },
	{ "too few arguments", { "dpctl", "ca", "issue", "d" } },
	{ "too many arguments", { "dpctl", "status", "now" } },
};

START_TEST(a_wrong_line_is_refused)
{
	struct args a;

	ck_assert_msg(parse(&a, refused[_i].words) == EX_BAD_USAGE, "accepted: %s",
	    refused[_i].why);
	args_fini(&a);
}
END_TEST

static const struct {
	const char *text;
	int64_t	    seconds;	/* 0: refused */
} spans[] = {
	{ "1", 86400 }, { "7d", 604800 }, { "12h", 43200 }, { "90m", 5400 },
	{ "5s", 5 }, { "2w", 1209600 }, { "10y", 315360000 }, { "", 0 }, { "0", 0 },
	{ "-1d", 0 }, { "d", 0 }, { "1x", 0 }, { "1 d", 0 }, { "101y", 0 },
	{ "99999999999999999999", 0 }, { "1dd", 0 },
};

START_TEST(a_span_is_a_number_and_a_unit)
{
	int64_t s = 0;

	ck_assert_int_eq(parse_span(spans[_i].text, &s), spans[_i].seconds > 0 ? 0 : -1);
	if (spans[_i].seconds > 0)
		ck_assert_int_eq(s, spans[_i].seconds);
}
END_TEST

START_TEST(the_table_is_sound)
{
	for (size_t i = 0; i < ncommands; i++) {
		const struct command *c = &commands[i];

		ck_assert(c->fn != NULL && c->help != NULL && c->usage != NULL);
		ck_assert(c->max == -1 || c->min <= c->max);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(commands[k].name, c->name);
		for (const struct option_row *o = c->options; o != NULL &&
		     o->name != NULL; o++)
			for (const struct option_row *g = global_options;
			     g->name != NULL; g++)
				ck_assert_str_ne(o->name, g->name);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("dpctl_args");
	TCase	*t = tcase_create("all");
	SRunner *r;
	int	 failed, fd = open("/dev/null", O_WRONLY);

	dup2(fd, STDERR_FILENO); /* what is refused is said there */
	tcase_add_test(t, options_stand_anywhere);
	tcase_add_test(t, two_dashes_end_the_options);
	tcase_add_loop_test(t, a_wrong_line_is_refused, 0, COUNT(refused));
	tcase_add_loop_test(t, a_span_is_a_number_and_a_unit, 0, COUNT(spans));
	tcase_add_test(t, the_table_is_sound);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
