/*
 * tests/unit/check_sse.c - what sse.h and wake.h promise.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-agent/sse.h"
#include "dp-agent/wake.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sse s;
static int	  last; /* of the last sse_next() */

/* The items of a stream as text: "type|id|data;", ":comment;", "retry=7;". */
static const char *
items_of(const char *text, size_t len, size_t step)
{
	static char	out[4096];
	struct sse_item i;
	size_t		k = 0;

	memset(&s, 0, sizeof(s));
	out[0] = '\0';
	last = 0;
	for (size_t at = 0; at < len && last == 0; at += step) {
		const uint8_t *p = (const uint8_t *)text + at;
		size_t	       n = len - at < step ? len - at : step;

		while ((last = sse_next(&s, &p, &n, &i)) == 1)
			k += (size_t)(i.kind == SSE_COMMENT
				? snprintf(out + k, sizeof(out) - k, ":%s;", i.data)
				: i.kind == SSE_RETRY
				? snprintf(out + k, sizeof(out) - k, "retry=%llu;",
				      (unsigned long long)i.retry_ms)
				: snprintf(out + k, sizeof(out) - k, "%s|%s|%s;",
				      i.type, i.id, i.data));
	}
	return out;
}

/* The first ones are the examples of the standard. */
static const struct {
	const char *text, *items;
} streams[] = {
	{ "data: YHOO\ndata: +2\ndata: 10\n\n", "message||YHOO\n+2\n10;" },
	{ ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
	  "data:  third event",
	    ": test stream;message|1|first event;message||second event;" },
	{ "data\n\ndata\ndata\n\ndata:", "message||;message||\n;" },
	{ "data:test\n\ndata: test\n\n", "message||test;message||test;" },
	{ "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
	    "add||73857293;remove||2153;" },
	{ "\xef\xbb\xbf" "data: a\n\n", "message||a;" },
	{ "data: \xef\xbb\xbf" "b\n\n\xef\xbb\xbf" "data: c\n\n",
	    "message||\xef\xbb\xbf" "b;" },
	{ "data: a\r\rdata: b\r\n\r\ndata: c\n\r", "message||a;message||b;message||c;" },
	{ "event: x\n\ndata: a\n\n", "message||a;" }, /* no data, no event */
	{ "id: 5\n\ndata: a\n\n", "message|5|a;" }, /* but its id counts */
	{ "retry: 7\nretry: 7x\nretry: -7\nretry:\nretry: 007\n", "retry=7;retry=7;" },
	{ ":\n\n:\n:x\n", ":;:;:x;" },
	{ "Data: a\ndata : b\nevents: c\n\n", "" },
	{ "data:a:b\n\n", "message||a:b;" },
};
START_TEST(a_stream_is_read_as_the_standard_says)
{
	const char *text = streams[_i].text;

	for (size_t step = 1; step <= strlen(text); step++)
		ck_assert_str_eq(items_of(text, strlen(text), step),
		    streams[_i].items);
}
END_TEST

START_TEST(an_id_with_a_nul_is_left_out_and_data_keeps_it)
{
	static const char text[] = "id: a\nid: b\0c\ndata: x\0y\n\n";
	struct sse_item	  i;
	const uint8_t	 *p = (const uint8_t *)text;
	size_t		  n = sizeof(text) - 1;

	memset(&s, 0, sizeof(s));
	ck_assert_int_eq(sse_next(&s, &p, &n, &i), 1);
	ck_assert_str_eq(i.id, "a");
	ck_assert_uint_eq(i.len, 3);
	ck_assert_mem_eq(i.data, "x\0y", 4);
}
END_TEST

/* The next stream is to begin behind what was seen, and no later. */
START_TEST(an_id_counts_from_the_empty_line_on)
{
	static const char text[] = "id: a\n\nid: b\ndata: x\n\n:\nid: c\n";
	struct sse_item	  i;
	const uint8_t	 *p = (const uint8_t *)text;
	size_t		  n = sizeof(text) - 1;

	memset(&s, 0, sizeof(s));
	sse_resume(&s, "before");
	ck_assert_str_eq(s.id, "before");
	ck_assert_int_eq(sse_next(&s, &p, &n, &i), 1);
	ck_assert_int_eq(i.kind, SSE_EVENT);
	ck_assert_str_eq(i.id, "b");
	ck_assert_int_eq(sse_next(&s, &p, &n, &i), 1);
	ck_assert_int_eq(i.kind, SSE_COMMENT);
	ck_assert_int_eq(sse_next(&s, &p, &n, &i), 0);
	ck_assert_str_eq(s.id, "b");
	p = (const uint8_t *)"\n";
	n = 1;
	ck_assert_int_eq(sse_next(&s, &p, &n, &i), 0);
	ck_assert_str_eq(s.id, "c");
}
END_TEST

/* A stream whose repeated part would go on for ever. */
static int
endless(const char *head, const char *repeated, size_t most)
{
	struct sse_item i;
	size_t		n = strlen(head), fed = n;
	const uint8_t  *p = (const uint8_t *)head;
	int		r;

	memset(&s, 0, sizeof(s));
	while ((r = sse_next(&s, &p, &n, &i)) >= 0) {
		if (r == 1)
			continue;
		ck_assert_uint_le(fed, most);
		p = (const uint8_t *)repeated;
		fed += n = strlen(repeated);
	}
	n = 1;
	ck_assert_int_eq(sse_next(&s, &p, &n, &i), r); /* and it stays so */
	return r;
}

START_TEST(what_has_no_end_is_refused)
{
	ck_assert_int_eq(endless("data: ", "a", SSE_LINE_MAX + 8), -EMSGSIZE);
	ck_assert_int_eq(endless(":", " ", SSE_LINE_MAX + 8), -EMSGSIZE);
	ck_assert_int_eq(endless("", "data: abc\n", 3 * SSE_DATA_MAX), -EMSGSIZE);
	ck_assert_int_eq(endless("", "data\n", 6 * SSE_DATA_MAX), -EMSGSIZE);
	ck_assert_int_eq(endless("event: ", "a\nevent: aaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1000), -EMSGSIZE);
}
END_TEST

START_TEST(the_longest_line_and_event_pass)
{
	static char	text[SSE_LINE_MAX + 3];
	struct sse_item i;
	const uint8_t  *p = (const uint8_t *)text;
	size_t		n = SSE_LINE_MAX + 2;

	memset(&s, 0, sizeof(s));
	memset(text, 'a', SSE_LINE_MAX);
	memcpy(text, "data:", 5);
	memcpy(text + SSE_LINE_MAX, "\n\n", 2);
	ck_assert_int_eq(sse_next(&s, &p, &n, &i), 1);
	ck_assert_uint_eq(i.len, SSE_LINE_MAX - 5);
}
END_TEST

/* -- what is asked of us -- */

static const struct {
	const char    *type, *data;
	int	       r;
	enum push_kind kind;
	const char    *what, *id;
	bool	       is_for_many;
	uint64_t       delay_ms;
} messages[] = {
	{ "wake", "{\"id\":\"7\",\"what\":\"refresh\"}", 0,
	    PUSH_REFRESH, "refresh", "7", false, 0 },
	{ "wake", "{\"id\":\"7\",\"what\":\"policy\",\"group\":\"/\"}", 0,
	    PUSH_REFRESH, "policy", "7", true, 0 },
	{ "wake", "{\"what\":\"task\",\"group\":\"all\"}", 0, PUSH_REFRESH,
	    "task", "", true, 0 },
	{ "wake", "{\"what\":\"report\"}", 0, PUSH_REPORT, "report", "", false, 0 },
	{ "wake", "{\"what\":\"dance\",\"more\":[1]}", 0, PUSH_OTHER, "dance", "",
	    false, 0 },
	{ "leave", "{\"in_ms\":5000}", 0, PUSH_LEAVE, "leave", "", false, 5000 },
	{ "leave", "{}", 0, PUSH_LEAVE, "leave", "", false, 0 },
	{ "message", "anything", 0, PUSH_OTHER, "message", "", false, 0 },
	{ "W\x01ke", "{}", 0, PUSH_OTHER, "?", "", false, 0 },
	{ "wake", "{\"what\":\"Refresh\"}", -EBADMSG, 0, "", "", false, 0 },
	{ "wake", "{\"what\":\"\"}", -EBADMSG, 0, "", "", false, 0 },
	{ "wake", "{\"what\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", -EBADMSG, 0,
	    "", "", false, 0 },
	{ "wake", "{\"what\":\"refresh\",\"id\":\"a b\"}", -EBADMSG, 0, "", "",
	    false, 0 },
	{ "wake", "{\"id\":\"7\"}", -EBADMSG, 0, "", "", false, 0 },
	{ "wake", "refresh", -EBADMSG, 0, "", "", false, 0 },
	{ "wake", "", -EBADMSG, 0, "", "", false, 0 },
	{ "leave", "{\"in_ms\":-1}", -EBADMSG, 0, "", "", false, 0 },
	{ "leave", "{\"in_ms\":\"5\"}", -EBADMSG, 0, "", "", false, 0 },
	{ "leave", "[]x", -EBADMSG, 0, "", "", false, 0 },
};
START_TEST(an_event_is_understood_or_refused_with_a_reason)
{
	struct push_message m;
	char		    why[200] = "";

	ck_assert_int_eq(push_parse(&m, messages[_i].type, messages[_i].data,
			     strlen(messages[_i].data), why, sizeof(why)),
	    messages[_i].r);
	if (messages[_i].r < 0) {
		ck_assert_str_ne(why, "");
		return;
	}
	ck_assert_int_eq(m.kind, messages[_i].kind);
	ck_assert_str_eq(m.what, messages[_i].what);
	ck_assert_str_eq(m.id, messages[_i].id);
	ck_assert_int_eq(m.is_for_many, messages[_i].is_for_many);
	ck_assert_uint_eq(m.delay_ms, messages[_i].delay_ms);
}
END_TEST

static const struct push_message one = { .kind = PUSH_REFRESH },
				 all = { .kind = PUSH_REFRESH,
					 .is_for_many = true };

START_TEST(wakes_for_all_are_spread_and_merge_with_those_for_one)
{
	struct wakes w = { 0 };

	ck_assert_uint_eq(wakes_due(&w), UINT64_MAX);
	wakes_add(&w, &all, 1000000, 30000, UINT32_MAX / 2 + 1);
	ck_assert_uint_eq(wakes_due(&w), 1015000);
	wakes_add(&w, &all, 1001000, 30000, UINT32_MAX); /* no later for that */
	ck_assert_uint_eq(wakes_due(&w), 1015000);
	wakes_add(&w, &one, 1002000, 30000, UINT32_MAX);
	ck_assert_uint_eq(wakes_due(&w), 1002000);
	wakes_begun(&w, 1002000);
	ck_assert_uint_eq(wakes_due(&w), UINT64_MAX);
}
END_TEST

START_TEST(a_flood_of_wakes_is_a_refresh_now_and_then)
{
	struct wakes w = { 0 };
	uint64_t     now = 50000000;
	unsigned     runs = 0;

	for (uint64_t end = now + 600000; now < end; now += 10) {
		wakes_add(&w, &one, now, 0, 0);
		if (wakes_due(&w) <= now) {
			wakes_begun(&w, now);
			runs++;
		}
	}
	ck_assert_uint_ge(runs, 600000 / WAKE_EVERY_MS + WAKE_BURST - 1);
	ck_assert_uint_le(runs, 600000 / WAKE_EVERY_MS + WAKE_BURST);
	wakes_begun(&w, now); /* of what was due, and then there is none */
	now += WAKE_BURST * WAKE_EVERY_MS;
	wakes_add(&w, &one, now, 0, 0);
	ck_assert_uint_eq(wakes_due(&w), now); /* quiet pays it back */
}
END_TEST

START_TEST(a_wake_that_comes_twice_is_one)
{
	struct push_message m = { .kind = PUSH_REFRESH };
	struct wakes	    w = { 0 };

	ck_assert(wakes_is_new(&w, &m));
	ck_assert(wakes_is_new(&w, &m)); /* without an id nobody can tell */
	for (int i = 0; i < 3 * WAKE_IDS; i++) {
		snprintf(m.id, sizeof(m.id), "%d", i);
		ck_assert(wakes_is_new(&w, &m));
		ck_assert(!wakes_is_new(&w, &m));
	}
	strcpy(m.id, "0"); /* long ago */
	ck_assert(wakes_is_new(&w, &m));
	ck_assert_uint_eq(w.came, 2 + 6 * WAKE_IDS + 1);
	ck_assert_uint_eq(w.repeated, 3 * WAKE_IDS);
}
END_TEST

int
main(void)
{
	Suite	*su = suite_create("push");
	TCase	*t = tcase_create("push");
	SRunner *sr = srunner_create(su);
	int	 bad;

	tcase_add_loop_test(t, a_stream_is_read_as_the_standard_says, 0,
	    COUNT(streams));
	tcase_add_test(t, an_id_with_a_nul_is_left_out_and_data_keeps_it);
	tcase_add_test(t, an_id_counts_from_the_empty_line_on);
	tcase_add_test(t, what_has_no_end_is_refused);
	tcase_add_test(t, the_longest_line_and_event_pass);
	tcase_add_loop_test(t, an_event_is_understood_or_refused_with_a_reason,
	    0, COUNT(messages));
	tcase_add_test(t, wakes_for_all_are_spread_and_merge_with_those_for_one);
	tcase_add_test(t, a_flood_of_wakes_is_a_refresh_now_and_then);
	tcase_add_test(t, a_wake_that_comes_twice_is_one);
	suite_add_tcase(su, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
