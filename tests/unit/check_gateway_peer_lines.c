/*
 * tests/unit/check_gateway_peer_lines.c - what peer_lines.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dp-gateway/peer_lines.h"

static struct peer_lines l;
static unsigned		 unsaid;

static void
setup(void)
{
	memset(&l, 0, sizeof(l));
}

static bool
may(unsigned peer, uint64_t now)
{
	uint8_t key[PEER_KEY] = { 0 };

	memcpy(key, &peer, sizeof(peer));
	return peer_lines_may(&l, key, now, &unsaid);
}

static unsigned
said(unsigned peer, unsigned n, uint64_t now)
{
	unsigned yes = 0;

	while (n-- > 0)
		yes += may(peer, now);
	return yes;
}

START_TEST(a_burst_is_said_and_then_one_in_a_while_with_what_was_not)
{
	ck_assert_uint_eq(said(1, 2132, 1000), PEER_LINES_BURST);
	ck_assert(!may(1, 1000 + PEER_LINES_MS - 1));
	ck_assert(may(1, 1000 + PEER_LINES_MS));
	ck_assert_uint_eq(unsaid, 2132 - PEER_LINES_BURST + 1);
	ck_assert(!may(1, 1000 + PEER_LINES_MS));
	ck_assert(may(1, 1000 + 2 * PEER_LINES_MS));
	ck_assert_uint_eq(unsaid, 1);
	ck_assert_uint_eq(
	    said(1, 1000, 1000 + (2 + PEER_LINES_BURST) * PEER_LINES_MS),
	    PEER_LINES_BURST); /* full again, and no fuller */
}
END_TEST

START_TEST(no_peer_takes_anothers)
{
	for (unsigned i = 0; i < PEER_LINES_PEERS; i++)
		ck_assert_uint_eq(said(i, 100, 7), PEER_LINES_BURST);
	for (unsigned i = 0; i < PEER_LINES_PEERS; i++)
		ck_assert(!may(i, 8));
}
END_TEST

START_TEST(of_too_many_the_one_of_longest_ago_is_forgotten)
{
	for (unsigned i = 0; i < PEER_LINES_PEERS; i++)
		(void)said(i, 100, 100 + i);
	ck_assert(may(PEER_LINES_PEERS, 1000));
	ck_assert(!may(1, 1000));
	ck_assert(may(0, 1000)); /* in the place of 2: 1 was there just now */
	ck_assert_uint_eq(unsaid, 0);
	ck_assert(!may(3, 1000));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("gateway peer lines");
	TCase	*t = tcase_create("peer lines");
	SRunner *r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t,
	    a_burst_is_said_and_then_one_in_a_while_with_what_was_not);
	tcase_add_test(t, no_peer_takes_anothers);
	tcase_add_test(t, of_too_many_the_one_of_longest_ago_is_forgotten);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
