/*
 * tests/unit/check_gateway_target.c - what target.h promises, and what a client
 * of tunnels is told (forward.h).
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dp-gateway/target.h"
#include "dp-gateway/forward.h"

static const char list[] = "deb.example.org:443 deb.example.org:80 "
			   "SSH.example.org:22 192.0.2.1:443 [2001:db8::1]:443 127.0.0.1:25";

static const struct {
	const char *host;
	uint16_t    port;
	enum why    why;
	const char *text; /* NULL: nothing is left of it */
} rows[] = {
	{ "deb.example.org", 443, WHY_CLOSED, "deb.example.org:443" },
	{ "deb.example.org", 80, WHY_CLOSED, "deb.example.org:80" },
	{ "DEB.Example.ORG", 443, WHY_CLOSED, "deb.example.org:443" },
	{ "ssh.example.org", 22, WHY_CLOSED, "ssh.example.org:22" },
	{ "192.0.2.1", 443, WHY_CLOSED, "192.0.2.1:443" },
	{ "2001:db8::1", 443, WHY_CLOSED, "[2001:db8::1]:443" },
	{ "2001:0DB8:0:0::0001", 443, WHY_CLOSED, "[2001:db8::1]:443" },
	{ "127.0.0.1", 25, WHY_CLOSED, "127.0.0.1:25" },
	{ "deb.example.org", 22, WHY_TARGET_PORT, "deb.example.org:22" },
	{ "ssh.example.org", 443, WHY_TARGET_PORT, "ssh.example.org:443" },
	{ "2001:db8:0::1", 22, WHY_TARGET_PORT, "[2001:db8:0::1]:22" },
	{ "example.org", 443, WHY_TARGET_HOST, "example.org:443" },
	{ "x.deb.example.org", 443, WHY_TARGET_HOST, "x.deb.example.org:443" },
	{ "deb.example.org.", 443, WHY_TARGET_HOST, "deb.example.org.:443" },
	{ "::ffff:127.0.0.1", 25, WHY_TARGET_HOST, "[::ffff:127.0.0.1]:25" },
	{ "::ffff:192.0.2.1", 443, WHY_TARGET_HOST, "[::ffff:192.0.2.1]:443" },
	{ "127.1", 25, WHY_TARGET_HOST, "127.1:25" },
	{ "0x7f.0.0.1", 25, WHY_TARGET_HOST, "0x7f.0.0.1:25" },
	{ "2130706433", 25, WHY_TARGET_HOST, "2130706433:25" },
	{ "::gg", 443, WHY_BAD_REQUEST, NULL },
	{ "1:2:3:4:5:6:7:8:9", 443, WHY_BAD_REQUEST, NULL },
	{ "a b", 443, WHY_BAD_REQUEST, NULL },
	{ "", 443, WHY_BAD_REQUEST, NULL },
	{ "deb.example.org", 0, WHY_BAD_REQUEST, NULL },
};

START_TEST(what_is_listed_is_admitted_and_nothing_else)
{
	struct url at;
	char	   text[TARGET_TEXT];
	enum why   why = target_admit(list, rows[_i].host,
	      strlen(rows[_i].host), rows[_i].port, &at);

	ck_assert_msg(why == rows[_i].why, "%s: %s", rows[_i].host,
	    why_word(why));
	if (rows[_i].text == NULL) {
		ck_assert_str_eq(at.host, "");
		return;
	}
	target_text(&at, text);
	ck_assert_str_eq(text, rows[_i].text);
}
END_TEST

START_TEST(an_empty_list_admits_nothing_and_a_long_name_is_none)
{
	struct url at;
	char	   name[URL_HOST_LEN + 8];

	ck_assert_int_eq(target_admit("", "a", 1, 1, &at), WHY_TARGET_HOST);
	memset(name, 'a', sizeof(name));
	ck_assert_int_eq(
	    target_admit(list, name, URL_HOST_LEN, 443, &at), WHY_BAD_REQUEST);
	ck_assert_int_eq(target_admit(list, "deb.example.org443", 15, 443, &at),
	    WHY_CLOSED); /* len counts, no NUL */
}
END_TEST

START_TEST(every_refusal_has_a_whole_answer)
{
	static const enum why silent[] = { WHY_LEFT, WHY_NO_SNI, WHY_TLS };
	char		      out[FORWARD_ANSWER], length[64];
	size_t		      n;

	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
		ck_assert_uint_eq(forward_answer(silent[i], out), 0);
	for (int w = 0; w < WHY_KINDS; w++) {
		if ((n = forward_answer((enum why)w, out)) == 0)
			continue;
		ck_assert_uint_lt(n, sizeof(out));
		ck_assert_uint_eq(n, strlen(out));
		ck_assert(strncmp(out, "HTTP/1.1 4", 10) == 0 ||
		    strncmp(out, "HTTP/1.1 5", 10) == 0);
		ck_assert_ptr_nonnull(
		    strstr(out, why_text((enum why)w)));
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n",
		    strlen(why_text((enum why)w)) + 1);
		ck_assert_ptr_nonnull(strstr(out, length));
		ck_assert_int_eq(out[n - 1], '\n');
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("gateway_target");
	TCase	*tc = tcase_create("target");
	SRunner *sr;
	int	 failed;

	tcase_add_loop_test(tc, what_is_listed_is_admitted_and_nothing_else, 0,
	    sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, an_empty_list_admits_nothing_and_a_long_name_is_none);
	tcase_add_test(tc, every_refusal_has_a_whole_answer);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
