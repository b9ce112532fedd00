/*
 * tests/unit/check_sight.c - what sight.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/sight.h"

static const struct {
	const char *bytes;
	size_t	    len;
	const char *text;
} texts[] = {
	{ "printer", 7, "printer" },
	{ "a\0b", 3, "a\\x00b" },
	{ "\033[2J", 4, "\\x1b[2J" },
	{ "back\\slash", 10, "back\\x5cslash" },
	{ "B\xc3\xbcro", 5, "B\xc3\xbcro" },
	{ "B\xfcro", 4, "B\\xfcro" },			/* Latin-1 */
	{ "\xc3", 1, "\\xc3" },				/* half */
	{ "\xc0\xaf", 2, "\\xc0\\xaf" },		/* overlong */
	{ "\xed\xa0\x80", 3, "\\xed\\xa0\\x80" },	/* surrogate */
	{ "\xc2\x9b" "1m", 4, "\\xc2\\x9b" "1m" },	/* C1 CSI */
	{ "\xe2\x80\xae" "x", 4, "\\xe2\\x80\\xae" "x" }, /* override */
	{ "\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80" },
	{ "<b>&\"'", 6, "<b>&\"'" }, /* who shows it escapes it */
};

START_TEST(foreign_bytes_become_printable)
{
	struct sight s;

	sight_begin(&s, SIGHT_MDNS);
	sight_add(&s, FACT_NAME, texts[_i].bytes, texts[_i].len);
	ck_assert_str_eq(sight_first(&s, FACT_NAME), texts[_i].text);
	ck_assert(!s.cut);
}
END_TEST

START_TEST(what_does_not_fit_is_left_out_and_said)
{
	struct sight s;
	char	     big[300];

	memset(big, 'a', sizeof(big));
	big[254] = '\xc3', big[255] = '\xbc'; /* the cut would be within */
	sight_begin(&s, SIGHT_MDNS);
	sight_add(&s, FACT_NAME, big, sizeof(big));
	ck_assert(s.cut);
	ck_assert_uint_eq(strlen(sight_first(&s, FACT_NAME)), 254);

	sight_begin(&s, SIGHT_MDNS);
	for (int i = 0; i < 100; i++)
		sight_addf(&s, FACT_SERVICE, "_s%d._tcp", i);
	ck_assert_uint_eq(s.nfacts, SIGHT_FACTS);
	ck_assert(s.cut);
}
END_TEST

START_TEST(the_same_fact_stands_once_and_nothing_is_none)
{
	struct sight s;

	sight_begin(&s, SIGHT_DNS);
	sight_add(&s, FACT_NAME, "a", 1);
	sight_add(&s, FACT_NAME, "a", 1);
	sight_add(&s, FACT_DOMAIN, "a", 1);
	sight_add(&s, FACT_NAME, "", 0);
	ck_assert_uint_eq(s.nfacts, 2);
	ck_assert_ptr_null(sight_first(&s, FACT_OS));
}
END_TEST

static size_t
sample(uint8_t *buf, size_t size)
{
	struct sight s;
	struct wr    w = wr_to(buf, size);

	sight_begin(&s, SIGHT_LLDP);
	s.asked = s.hearsay = true;
	s.ifindex = 7;
	memcpy(s.mac, "\x02\0\0\0\0\x01", 6);
	s.addr[15] = 1;
	sight_add(&s, FACT_PORT, "ge-0/0/1\n", 9);
	sight_add(&s, FACT_SWITCH, "sw1", 3);
	sight_write(&s, &w);
	ck_assert_int_eq(w.err, 0);
	return w.len;
}

START_TEST(what_is_written_is_read)
{
	uint8_t	     buf[2 * SIGHT_WIRE_MAX];
	size_t	     n = sample(buf, SIGHT_WIRE_MAX);
	struct sight s;
	struct rd    r;

	sample(buf + n, SIGHT_WIRE_MAX); /* two in a message */
	r = rd_from(buf, 2 * n);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(sight_read(&r, &s), 0);
		ck_assert_int_eq(s.by, SIGHT_LLDP);
		ck_assert(s.asked && !s.cut && s.hearsay);
		ck_assert_uint_eq(s.ifindex, 7);
		ck_assert_str_eq(sight_first(&s, FACT_PORT), "ge-0/0/1\\x0a");
		ck_assert_str_eq(sight_first(&s, FACT_SWITCH), "sw1");
	}
	ck_assert_int_eq(rd_done(&r), 0);
}
END_TEST

START_TEST(no_prefix_of_it_is_read)
{
	uint8_t	     buf[SIGHT_WIRE_MAX];
	size_t	     n = sample(buf, sizeof(buf));
	struct sight s;

	for (size_t i = 0; i < n; i++) {
		struct rd r = rd_from(buf, i);

		ck_assert_int_eq(sight_read(&r, &s), -EBADMSG);
	}
}
END_TEST

START_TEST(raw_bytes_are_no_text_on_the_wire)
{
	static const char *const bad[] = { "a\nb", "\\", "\\x0", "\\xZZ", "\xff" };
	uint8_t			 buf[100];
	struct sight		 s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wr w = wr_to(buf, sizeof(buf));
		struct rd r;

		wr_u8(&w, SIGHT_DNS);
		wr_u8(&w, 0);
		wr_u32(&w, 0);
		wr_bytes(&w, (uint8_t[22]){ 0 }, 22);
		wr_u8(&w, 1);
		wr_u8(&w, FACT_NAME);
		wr_str(&w, bad[i]);
		r = rd_from(buf, w.len);
		ck_assert_int_eq(sight_read(&r, &s), -EBADMSG);
	}
}
END_TEST

START_TEST(every_kind_has_a_name)
{
	enum sight_by by;

	for (unsigned i = 1; i < SIGHT_BY_MAX; i++) {
		ck_assert_int_eq(sight_by_from_name(sight_by_name(i), &by), 0);
		ck_assert_int_eq(by, (int)i);
	}
	ck_assert_int_eq(sight_by_from_name("nonsense", &by), -EINVAL);
	for (unsigned i = 1; i < FACT_MAX; i++)
		ck_assert_str_ne(fact_name(i), "?");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("sight");
	TCase	*t = tcase_create("sight");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_loop_test(t, foreign_bytes_become_printable, 0,
	    sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(t, what_does_not_fit_is_left_out_and_said);
	tcase_add_test(t, the_same_fact_stands_once_and_nothing_is_none);
	tcase_add_test(t, what_is_written_is_read);
	tcase_add_test(t, no_prefix_of_it_is_read);
	tcase_add_test(t, raw_bytes_are_no_text_on_the_wire);
	tcase_add_test(t, every_kind_has_a_name);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
