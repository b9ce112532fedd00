/*
 * tests/unit/check_dpctl_text.c - what dpctl shows to people.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/dpctl.h"
#include "dpctl/table.h"

#include <check.h> /* after ours: it makes fail() a macro */
#include <stdlib.h>
#include <string.h>

#include "common/size.h"

static const struct {
	const char *key, *json, *text;
} cells[] = {
	{ "bytes", "1048576", "1.0 MiB" },
	{ "free_bytes", "980", "980 B" },
	{ "size", "5368709120", "5.0 GiB" },
	{ "wan_per_s", "20000", "19.5 KiB/s" },
	{ "uptime_s", "59", "59 s" },
	{ "uptime_s", "3700", "61 min 40 s" },
	{ "uptime_s", "90000", "25 h 00 min" },
	{ "uptime_s", "1000000", "11 d 13 h" },
	{ "objects", "1048576", "1048576" },
	{ "last_refresh", "0", "never" },
	{ "wan_rate", "0", "no limit" },
	{ "wan_rate", "20971520", "20.0 MiB/s" },
	{ "verified", "true", "yes" },
	{ "verified", "false", "no" },
	{ "group", "null", "-" },
	{ "groups", "[\"/hq\", \"/a\"]", "/hq, /a" },
	{ "groups", "[]", "-" },
	{ "refused", "{\"sni\": 3, \"scope\": 0, \"alpn\": 1}", "sni 3, alpn 1" },
	{ "refused", "{\"scope\": 0}", "-" },
	{ "o", "{\"a\\u001b\": [1, {\"b\": null}]}", "a? 1, b -" },
	{ "l", "[\"0123456789012345678901234567890123456789\", \"0123456789012345678901234567890\"]",
	    "0123456789012345678901234567890123456789, 012345678901234567890" },
	{ "rate", "2097152", "2.0 MiB/s" },
	{ "loss_percent", "1.25", "1.2 %" },
	{ "loss_percent", "-1", "-" },
	{ "from_clients", "2048", "2.0 KiB" },
	{ "next_time", "0", "never" },
	{ "first_seen", "null", "-" },
	{ "not_seen", "5", "5" },
	{ "name", "\"a\\u001b[2Jb\\n\"", "a?[2Jb?" },
};

START_TEST(a_cell_has_its_unit)
{
	json_t *v = json_loads(cells[_i].json, JSON_DECODE_ANY, NULL);
	char	out[64];

	cell_text(cells[_i].key, v, out, sizeof(out));
	ck_assert_str_eq(out, cells[_i].text);
	json_decref(v);
}
END_TEST

static const struct {
	const char *from, *to;
} tamed[] = {
	{ "plain \xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7", "plain \xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7" },
	{ "a\033[2J\tb\177", "a?[2J?b?" },
	{ "\xc2\x9b""31m", "??31m" },	    /* CSI as one character */
	{ "\x9b""31m", "?31m" },	    /* and as one byte */
	{ "\xe2\x80\xaegnp.exe", "???gnp.exe" }, /* right to left */
	{ "\xe2\x81\xa6x", "???x" },
	{ "cut \xe2\x82", "cut ??" },
	{ "\xc0\x9b\xff", "???" },	    /* too long, and none at all */
};

START_TEST(nothing_that_a_terminal_obeys_is_left)
{
	char s[64];

	snprintf(s, sizeof(s), "%s", tamed[_i].from);
	tame(s);
	ck_assert_str_eq(s, tamed[_i].to);
}
END_TEST

static char *
shown(const char *json, bool color)
{
	json_t *rows = json_loads(json, 0, NULL);
	char   *text;
	size_t	len;
	FILE   *f = open_memstream(&text, &len);

	table_print(f, rows, color);
	fclose(f);
	json_decref(rows);
	return text;
}

START_TEST(rows_stand_in_columns)
{
	char *text = shown("[{\"worker\":\"store\",\"state\":\"ready\",\"pid\":7},"
	    "{\"worker\":\"b\",\"state\":\"failed\",\"pid\":1234}]", false);

	ck_assert_str_eq(text,
	    "worker  state    pid\n"
	    "store   ready      7\n"
	    "b       failed  1234\n");
	free(text);
}
END_TEST

START_TEST(one_row_stands_as_lines)
{
	char *text = shown("[{\"status\":\"ok\",\"uptime_s\":3}]", false);

	ck_assert_str_eq(text, "status  ok\nuptime  3 s\n");
	free(text);
	text = shown("[{\"status\":\"ok\"}]", true);
	ck_assert_str_eq(text, "status  \033[32mok\033[0m\n");
	free(text);
}
END_TEST

START_TEST(each_kind_of_row_has_its_table)
{
	char *text = shown("[{\"object\":\"a\",\"state\":\"damaged\"},"
	    "{\"object\":\"b\",\"state\":\"missing\"},{\"objects\":9}]", false);

	ck_assert_str_eq(text,
	    "object  state\n"
	    "a       damaged\n"
	    "b       missing\n"
	    "\n"
	    "objects  9\n");
	free(text);
}
END_TEST

START_TEST(a_bar_tells_part_rate_and_time)
{
	struct progress p = { .what = "file", .total = 100 << 20, .done = 25 << 20,
		.bytes = true };
	char text[256];

	progress_text(&p, 1000, 80, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "25 %"));
	ck_assert_ptr_nonnull(strstr(text, "25.0 MiB/s"));
	ck_assert_ptr_nonnull(strstr(text, "00:03 left"));
	ck_assert_ptr_nonnull(strstr(text, "#####"));
	ck_assert_uint_le(strlen(text), 80);
	p.done = 0;
	progress_text(&p, 0, 20, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "--:-- left"));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("dpctl_text");
	TCase	*t = tcase_create("all");
	SRunner *r;
	int	 failed;

	tcase_add_loop_test(t, nothing_that_a_terminal_obeys_is_left, 0,
	    COUNT(tamed));
	tcase_add_loop_test(t, a_cell_has_its_unit, 0, COUNT(cells));
	tcase_add_test(t, rows_stand_in_columns);
	tcase_add_test(t, one_row_stands_as_lines);
	tcase_add_test(t, each_kind_of_row_has_its_table);
	tcase_add_test(t, a_bar_tells_part_rate_and_time);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
