/*
 * tests/unit/check_agent_sight.c - what agent_sight.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "common/agent_sight.h"
#include "common/size.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define URN "urn:dpoint:device:00000000-0000-4000-8000-00000000000"

static struct loop	  *loop;
static struct agent_sight *a;
static int		   peer;

static void
attach(void)
{
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds), 0);
	if (peer >= 0)
		close(peer);
	peer = fds[1];
	ck_assert_int_eq(agent_sight_attach(a, fds[0]), 0);
}

static void
begin(void)
{
	peer = -1;
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(agent_sight_new(loop, &a), 0);
}

static void
end(void)
{
	agent_sight_free(&a);
	ck_assert_ptr_null(a);
	if (peer >= 0)
		close(peer);
	loop_free(&loop);
}

static void
say(const char *name, const char *text, uint64_t now_ms)
{
	uint8_t	 addr[16] = { [10] = 0xff, [11] = 0xff };
	unsigned b[4];

	if (sscanf(text, "%u.%u.%u.%u", &b[0], &b[1], &b[2], &b[3]) == 4)
		for (int i = 0; i < 4; i++)
			addr[12 + i] = (uint8_t)b[i];
	agent_sight_say(a, name, addr, now_ms);
}

/* How many wait at the other end; each as it should be. The last one in out. */
static unsigned
heard(struct sight *out)
{
	uint8_t		   buf[4096];
	struct rd	   r;
	static struct sight s;
	ssize_t		   n;
	unsigned	   count = 0;

	while ((n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		ck_assert_int_eq(n, 8 + AGENT_SIGHT_WIRE);
		r = rd_from(buf + 8, (size_t)n - 8);
		ck_assert_int_eq(sight_read(&r, &s), 0);
		ck_assert_int_eq(rd_done(&r), 0);
		ck_assert(agent_sight_is(&s));
		if (out != NULL)
			*out = s;
		count++;
	}
	return count;
}

START_TEST(a_device_is_said_once_in_ten_minutes)
{
	static struct sight s;

	begin();
	say(URN "1", "10.0.0.1", 0); /* no channel: nobody to tell */
	attach();
	ck_assert_uint_eq(heard(NULL), 0);
	say(URN "1", "10.0.0.1", 0);
	ck_assert_uint_eq(heard(&s), 1);
	ck_assert_str_eq(sight_first(&s, FACT_AGENT), URN "1");
	ck_assert_mem_eq(s.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
	say(URN "1", "10.0.0.1", 1);
	say(URN "1", "10.0.0.1", AGENT_SIGHT_MS - 1);
	ck_assert_uint_eq(heard(NULL), 0);
	say(URN "2", "10.0.0.1", 2); /* another device there, it elsewhere */
	say(URN "1", "10.0.0.2", 2);
	ck_assert_uint_eq(heard(NULL), 2);
	say(URN "1", "10.0.0.1", AGENT_SIGHT_MS);
	ck_assert_uint_eq(heard(NULL), 1);
	say(URN "1", "10.0.0.1", AGENT_SIGHT_MS + 1);
	ck_assert_uint_eq(heard(NULL), 0);
	attach(); /* who is new knows nothing */
	say(URN "1", "10.0.0.1", AGENT_SIGHT_MS + 2);
	ck_assert_uint_eq(heard(NULL), 1);
	end();
}
END_TEST

START_TEST(only_devices_are_said)
{
	static const char *const not[] = { "", "urn:dpoint:dp:00000000-0000-4000-8000-000000000001",
		"urn:dpoint:device:", "urn:dpoint:device:1", URN "12", URN "x" };

	begin();
	attach();
	for (size_t i = 0; i < COUNT(not); i++)
		say(not[i], "10.0.0.1", 0);
	ck_assert_uint_eq(heard(NULL), 0);
	end();
}
END_TEST

START_TEST(one_spelling_and_no_link_local_address)
{
	static struct sight s;
	uint8_t		    addr[16] = { 0xfe, 0x80, [15] = 9 };

	begin();
	attach();
	agent_sight_say(a, "urn:dpoint:device:0000000A-0000-4000-8000-00000000000b",
	    addr, 0);
	ck_assert_uint_eq(heard(&s), 1);
	ck_assert_str_eq(sight_first(&s, FACT_AGENT),
	    "urn:dpoint:device:0000000a-0000-4000-8000-00000000000b");
	ck_assert_mem_eq(s.addr, (uint8_t[16]){ 0 }, 16);
	end();
}
END_TEST

static void
on_stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop, 0);
}

/* All that waits, until no more comes. */
static unsigned
heard_all(void)
{
	struct loop_timer *t;
	unsigned	   n = 0, more;

	ck_assert_int_eq(loop_timer_new(loop, on_stop, NULL, &t), 0);
	do {
		n += more = heard(NULL);
		ck_assert_int_eq(loop_timer_set(t, 20), 0);
		ck_assert_int_eq(loop_run(loop), 0);
	} while (more > 0);
	loop_timer_free(&t);
	return n;
}

static void
say_number(unsigned i, uint64_t now_ms)
{
	char name[64];

	snprintf(name, sizeof(name),
	    "urn:dpoint:device:00000000-0000-4000-8000-%012x", i);
	say(name, "10.0.0.1", now_ms);
}

START_TEST(what_finds_no_room_is_said_later)
{
	unsigned n, sent = 20000; /* more than socket and queue hold */

	begin();
	attach();
	for (unsigned i = 0; i < sent; i++)
		say_number(i, 0);
	n = heard_all();
	ck_assert_uint_gt(n, AGENT_SIGHT_QUEUE);
	ck_assert_uint_lt(n, sent);
	say_number(0, 0);
	ck_assert_uint_eq(heard_all(), 0);
	say_number(sent - 1, 0); /* was lost, and is not taken for said */
	ck_assert_uint_eq(heard_all(), 1);
	end();
}
END_TEST

START_TEST(a_peer_that_leaves_is_told_no_more)
{
	begin();
	attach();
	close(peer);
	peer = -1;
	say_number(1, 0);
	say_number(2, 0);
	attach();
	say_number(1, 0);
	ck_assert_uint_eq(heard(NULL), 1);
	end();
}
END_TEST

START_TEST(more_than_the_table_holds_is_said_again_and_nothing_else_happens)
{
	unsigned again = 0;

	begin();
	attach();
	for (unsigned i = 0; i < 4 * AGENT_SIGHT_SLOTS; i++) {
		say_number(i, i);
		ck_assert_uint_eq(heard(NULL), 1); /* the new one, always */
	}
	for (unsigned i = 0; i < 1000; i++) {
		say_number(i, 4 * AGENT_SIGHT_SLOTS);
		again += heard(NULL);
	}
	ck_assert_uint_eq(again, 1000);
	end();
}
END_TEST

/* What may not go through: another's words beside the URI. */
START_TEST(a_sight_that_says_more_is_none)
{
	static struct sight s;

	for (int i = 0; i < 7; i++) {
		sight_begin(&s, i == 1 ? SIGHT_ARP : SIGHT_AGENT);
		s.asked = i == 2;
		s.ifindex = i == 3;
		s.mac[5] = i == 4;
		sight_addf(&s, i == 5 ? FACT_NAME : FACT_AGENT, "%s", URN "1");
		if (i == 6)
			sight_addf(&s, FACT_NAME, "router");
		ck_assert_int_eq(agent_sight_is(&s), i == 0);
	}
	sight_begin(&s, SIGHT_AGENT);
	ck_assert(!agent_sight_is(&s));
	sight_addf(&s, FACT_AGENT, "urn:dpoint:dp:1");
	ck_assert(!agent_sight_is(&s));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("agent_sight");
	TCase	*tc = tcase_create("agent_sight");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_test(tc, a_device_is_said_once_in_ten_minutes);
	tcase_add_test(tc, only_devices_are_said);
	tcase_add_test(tc, one_spelling_and_no_link_local_address);
	tcase_add_test(tc, what_finds_no_room_is_said_later);
	tcase_add_test(tc, a_peer_that_leaves_is_told_no_more);
	tcase_add_test(tc,
	    more_than_the_table_holds_is_said_again_and_nothing_else_happens);
	tcase_add_test(tc, a_sight_that_says_more_is_none);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
