/*
 * tests/unit/check_listen_recent.c - what recent.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dp-listen/recent.h"

#define NOW 1000000

static struct recent *r;

static void
up(void)
{
	ck_assert_int_eq(recent_new(&r), 0);
}

static void
down(void)
{
	recent_free(&r);
	ck_assert_ptr_null(r);
}

static struct sight
device(unsigned n)
{
	struct sight s;

	sight_begin(&s, SIGHT_ARP);
	s.ifindex = 2;
	s.mac[0] = 2;
	s.mac[3] = (uint8_t)(n >> 16), s.mac[4] = (uint8_t)(n >> 8),
	s.mac[5] = (uint8_t)n;
	return s;
}

START_TEST(a_report_of_a_listener_is_said_each_time)
{
	struct sight s = device(1);
	unsigned     n = 0;

	s.by = SIGHT_MLD;
	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_SAY);
	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_SAY);
	while (recent_look(r, &s, NOW) == RECENT_SAY)
		n++;
	ck_assert_uint_eq(n, RECENT_RATE - 2);
}
END_TEST

START_TEST(the_same_is_said_once_a_minute)
{
	struct sight s = device(1);

	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_SAY);
	ck_assert_int_eq(recent_look(r, &s, NOW + RECENT_MS - 1), RECENT_REPEATED);
	ck_assert_int_eq(recent_look(r, &s, NOW + RECENT_MS), RECENT_SAY);
	ck_assert_int_eq(recent_look(r, &s, NOW + RECENT_MS + 1), RECENT_REPEATED);
	recent_forget(r);
	ck_assert_int_eq(recent_look(r, &s, NOW + RECENT_MS + 2), RECENT_SAY);
}
END_TEST

START_TEST(whatever_differs_is_something_else)
{
	struct sight s = device(1), t = s;

	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_SAY);
	t.ifindex++;
	ck_assert_int_eq(recent_look(r, &t, NOW), RECENT_SAY);
	t = s, t.by = SIGHT_NDP;
	ck_assert_int_eq(recent_look(r, &t, NOW), RECENT_SAY);
	t = s, t.addr[15] = 1;
	ck_assert_int_eq(recent_look(r, &t, NOW), RECENT_SAY);
	t = s;
	sight_add(&t, FACT_NAME, "ab", 2);
	ck_assert_int_eq(recent_look(r, &t, NOW), RECENT_SAY);
	sight_add(&t, FACT_NAME, "c", 1);
	ck_assert_int_eq(recent_look(r, &t, NOW), RECENT_SAY);
	t = s;
	sight_add(&t, FACT_NAME, "a", 1);
	sight_add(&t, FACT_NAME, "bc", 2);
	ck_assert_int_eq(recent_look(r, &t, NOW), RECENT_SAY);
	t = s;
	sight_add(&t, FACT_DOMAIN, "ab", 2);
	ck_assert_int_eq(recent_look(r, &t, NOW), RECENT_SAY);
	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_REPEATED);
}
END_TEST

/* A chatty host: what it says all the time is its defence once somebody probes. */
START_TEST(a_defence_goes_through)
{
	struct sight holder = device(1), prober = device(2);

	memcpy(holder.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
	sight_add(&prober, FACT_CONFLICT, "10.0.0.1", 8);
	for (uint64_t now = NOW; now < NOW + 60000; now += 10000) {
		(void)recent_look(r, &holder, now);
		ck_assert_int_eq(recent_look(r, &holder, now + 1), RECENT_REPEATED);
		ck_assert_int_eq(recent_look(r, &prober, now + 2), RECENT_SAY);
		ck_assert_int_eq(recent_look(r, &prober, now + 3), RECENT_REPEATED);
		ck_assert_int_eq(recent_look(r, &holder, now + 4), RECENT_SAY);
		ck_assert_int_eq(recent_look(r, &holder, now + 5), RECENT_REPEATED);
	}
	/* nor is it one by what else it says, elsewhere, later, or of who probes */
	ck_assert_int_eq(recent_look(r, &prober, NOW + 90000), RECENT_SAY);
	ck_assert_int_eq(recent_look(r, &holder, NOW + 96000), RECENT_REPEATED);
	ck_assert_int_eq(recent_look(r, &prober, NOW + 97000), RECENT_SAY);
	holder.ifindex++;
	(void)recent_look(r, &holder, NOW + 97001);
	ck_assert_int_eq(recent_look(r, &holder, NOW + 97002), RECENT_REPEATED);
	holder.ifindex--;
	memcpy(holder.mac, prober.mac, 6);
	(void)recent_look(r, &holder, NOW + 97003);
	ck_assert_int_eq(recent_look(r, &holder, NOW + 97004), RECENT_REPEATED);
}
END_TEST

START_TEST(an_answer_always_goes_through)
{
	struct sight s = device(1);

	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_SAY);
	s.asked = true;
	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_SAY);
	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_SAY);
	s.asked = false;
	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_REPEATED);
}
END_TEST

START_TEST(a_flood_is_capped_and_answers_still_go_through)
{
	unsigned     said = 0, later = 0, answers = 0;
	struct sight s;

	for (unsigned i = 0; i < 50000; i++) {
		s = device(i);
		said += recent_look(r, &s, NOW) == RECENT_SAY;
	}
	ck_assert_uint_eq(said, RECENT_RATE);
	for (unsigned i = 50000; i < 100000; i++) {
		s = device(i);
		later += recent_look(r, &s, NOW + 500) == RECENT_SAY;
	}
	ck_assert_uint_eq(later, RECENT_RATE / 2);
	for (unsigned i = 0; i < 50000; i++) {
		s = device(i);
		s.asked = true;
		answers += recent_look(r, &s, NOW + 500) == RECENT_SAY;
	}
	ck_assert_uint_eq(answers, RECENT_ASKED);
}
END_TEST

START_TEST(no_flood_hides_routers_dhcp_servers_and_defences)
{
	struct sight s, holder = device(50001), prober = device(50002);

	memcpy(holder.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
	sight_add(&prober, FACT_CONFLICT, "10.0.0.1", 8);
	(void)recent_look(r, &holder, NOW);
	for (unsigned i = 0; i < 50000; i++) {
		s = device(i);
		(void)recent_look(r, &s, NOW);
	}
	s = device(1);
	s.by = SIGHT_DHCP;
	sight_add(&s, FACT_DHCP_SERVER, "10.0.0.1", 8);
	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_SAY);
	s = device(2);
	s.by = SIGHT_ROUTER;
	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_SAY);
	ck_assert_int_eq(recent_look(r, &prober, NOW), RECENT_SAY);
	ck_assert_int_eq(recent_look(r, &holder, NOW), RECENT_SAY);
	s = device(3);
	s.by = SIGHT_NDP;
	ck_assert_int_eq(recent_look(r, &s, NOW), RECENT_TOO_MANY);
}
END_TEST

/* 2,000 devices, ten sights each: few are said twice. */
START_TEST(a_network_of_thousands_is_remembered)
{
	unsigned     again = 0;
	struct sight s;

	for (unsigned i = 0; i < 20000; i++) {
		s = device(i);
		s.asked = true; /* not capped; remembered all the same */
		(void)recent_look(r, &s, NOW + i);
	}
	for (unsigned i = 0; i < 20000; i++) {
		s = device(i);
		again += recent_look(r, &s, NOW + 20000) != RECENT_REPEATED;
	}
	ck_assert_uint_lt(again, 1000);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("recent");
	TCase	*t = tcase_create("recent");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_checked_fixture(t, up, down);
	tcase_add_test(t, a_report_of_a_listener_is_said_each_time);
	tcase_add_test(t, the_same_is_said_once_a_minute);
	tcase_add_test(t, whatever_differs_is_something_else);
	tcase_add_test(t, a_defence_goes_through);
	tcase_add_test(t, an_answer_always_goes_through);
	tcase_add_test(t, a_flood_is_capped_and_answers_still_go_through);
	tcase_add_test(t, no_flood_hides_routers_dhcp_servers_and_defences);
	tcase_add_test(t, a_network_of_thousands_is_remembered);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
