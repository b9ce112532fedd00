/*
 * tests/unit/check_gateway_shakes.c - what shakes.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dp-gateway/shakes.h"

#define CROWD 2000
#define SHARE (SHAKES_MAX / SHAKES_LANES)

static struct shakes s;
static struct shake  crowd[CROWD];

static void
address(uint32_t n, uint8_t out[16])
{
	memcpy(out, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	for (int i = 0; i < 4; i++)
		out[12 + i] = (uint8_t)(n >> (24 - 8 * i));
}

static bool
enter(struct shake *e, uint32_t from)
{
	uint8_t addr[16];

	address(from, addr);
	return shakes_enter(&s, e, addr);
}

static void
setup(void)
{
	memset(&s, 0, sizeof(s));
	memset(crowd, 0, sizeof(crowd));
	s.secret = UINT64_C(0x243f6a8885a308d3);
}

START_TEST(one_address_has_its_share_and_others_theirs)
{
	struct shake other = { 0 };
	uint32_t     at = 2;

	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(enter(&crowd[i], 1), i < SHAKES_LANE);
	ck_assert_uint_eq(s.on, SHAKES_LANE);
	ck_assert_ptr_null(shakes_next(&s));
	ck_assert(enter(&other, at) || other.lane == crowd[0].lane);
	shakes_leave(&s, &other);
	/* in order, as places come free, whoever leaves in the meantime */
	shakes_leave(&s, &crowd[SHAKES_LANE + 1]);
	shakes_leave(&s, &crowd[7]);
	ck_assert_ptr_eq(shakes_next(&s), &crowd[SHAKES_LANE]);
	ck_assert_ptr_null(shakes_next(&s));
	shakes_leave(&s, &crowd[8]);
	shakes_leave(&s, &crowd[9]);
	/* one who comes now is behind them */
	memset(&crowd[8], 0, sizeof(crowd[8]));
	ck_assert(!enter(&crowd[8], 1));
	ck_assert_ptr_eq(shakes_next(&s), &crowd[SHAKES_LANE + 2]);
	ck_assert_ptr_eq(shakes_next(&s), &crowd[SHAKES_LANE + 3]);
	for (int i = 0; i < CROWD; i++)
		shakes_leave(&s, &crowd[i]);
	ck_assert_uint_eq(s.on + s.waiting, 0);
	for (int i = 0; i < SHAKES_LANES; i++)
		ck_assert(s.lanes[i].first == NULL && s.lanes[i].last == NULL &&
		    s.lanes[i].on == 0);
}
END_TEST

START_TEST(all_have_a_bound_and_lanes_take_turns)
{
	unsigned on = 0, left = 0, of[SHAKES_LANES] = { 0 };
	struct shake *e;

	for (uint32_t i = 0; i < CROWD; i++)
		on += enter(&crowd[i], i);
	ck_assert_uint_eq(s.on, on);
	ck_assert_uint_ge(on, SHAKES_MAX);
	ck_assert_uint_le(on, 2 * SHAKES_MAX);
	ck_assert_uint_eq(s.waiting, CROWD - on);
	for (int i = 0; i < SHAKES_LANES; i++)
		ck_assert(s.lanes[i].on >= SHARE && s.lanes[i].first != NULL);
	ck_assert_ptr_null(shakes_next(&s));
	/* room for one in each: nobody has a second turn before all had one */
	for (int i = 0; i < CROWD; i++)
		if (crowd[i].state == SHAKE_ON &&
		    s.lanes[crowd[i].lane].on >= SHARE) {
			shakes_leave(&s, &crowd[i]);
			left++;
		}
	ck_assert_uint_ge(left, SHAKES_LANES);
	for (int i = 0; i < SHAKES_LANES; i++) {
		e = shakes_next(&s);
		ck_assert_ptr_nonnull(e);
		ck_assert_uint_eq(of[e->lane]++, 0);
	}
}
END_TEST

START_TEST(a_few_addresses_do_not_stop_all)
{
	bool	     full[SHAKES_LANES] = { false };
	struct shake others[64] = { 0 };
	unsigned     lanes = 0, at = 0;
	uint32_t     from;

	/* four lanes have all that they may, and so is SHAKES_MAX reached */
	for (from = 0; lanes < SHAKES_MAX / SHAKES_LANE; from++) {
		ck_assert(enter(&crowd[at], from));
		if (full[crowd[at].lane]) {
			shakes_leave(&s, &crowd[at]);
			continue;
		}
		full[crowd[at].lane] = true;
		lanes++;
		for (int i = 1; i < SHAKES_LANE; i++)
			ck_assert(enter(&crowd[at + (unsigned)i], from));
		at += SHAKES_LANE;
	}
	ck_assert_uint_eq(s.on, SHAKES_MAX);
	/* one more of these waits, and everybody else shakes hands */
	ck_assert(!enter(&crowd[at], from - 1));
	for (unsigned i = 0; i < 64; i++) {
		bool goes = enter(&others[i], 1000 + i);

		ck_assert(goes != full[others[i].lane]);
	}
	for (unsigned i = 0; i < 64; i++)
		shakes_leave(&s, &others[i]);
	ck_assert_ptr_null(shakes_next(&s));
	shakes_leave(&s, &crowd[at]);
}
END_TEST

/* An attacker with a whole /64 has no more than one with an IPv4 address, and a
 * neighbour of one address of it mostly another lane. */
START_TEST(an_ipv6_net_has_a_few_lanes)
{
	uint8_t	 a[16] = { 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1 };
	unsigned used = 0, on = 0, of[SHAKES_LANES] = { 0 };

	for (int i = 0; i < CROWD / 2; i++) {
		memcpy(a + 8, &i, sizeof(i));
		on += shakes_enter(&s, &crowd[i], a);
		used += of[crowd[i].lane]++ == 0;
	}
	ck_assert_uint_eq(used, SHAKES_NET);
	ck_assert_uint_eq(on, SHAKES_LANE);
	ck_assert_ptr_null(shakes_next(&s));
	shakes_leave(&s, &crowd[0]);
	ck_assert_ptr_nonnull(shakes_next(&s));
	a[6] = 1; /* another one has others */
	for (int i = CROWD / 2; i < CROWD; i++) {
		memcpy(a + 8, &i, sizeof(i));
		a[7] = (uint8_t)(i / 4);
		(void)shakes_enter(&s, &crowd[i], a);
		used += of[crowd[i].lane]++ == 0;
	}
	ck_assert_uint_gt(used, 4 * SHAKES_NET);
	for (int i = 0; i < CROWD; i++)
		shakes_leave(&s, &crowd[i]);
}
END_TEST

START_TEST(a_burst_is_over_once)
{
	ck_assert(!shakes_rest(&s));
	for (uint32_t i = 0; i < 600; i++)
		(void)enter(&crowd[i], i);
	ck_assert(!shakes_rest(&s));
	for (uint32_t i = 0; i < 600; i++)
		shakes_leave(&s, &crowd[i]);
	ck_assert(shakes_rest(&s));
	ck_assert(!shakes_rest(&s));
}
END_TEST

int
main(void)
{
	Suite	*suite = suite_create("gateway shakes");
	TCase	*t = tcase_create("gateway shakes");
	SRunner *sr = srunner_create(suite);
	int	 bad;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, one_address_has_its_share_and_others_theirs);
	tcase_add_test(t, all_have_a_bound_and_lanes_take_turns);
	tcase_add_test(t, a_few_addresses_do_not_stop_all);
	tcase_add_test(t, an_ipv6_net_has_a_few_lanes);
	tcase_add_test(t, a_burst_is_over_once);
	suite_add_tcase(suite, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
