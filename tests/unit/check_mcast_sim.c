/*
 * tests/unit/check_mcast_sim.c - `make sim-mcast` in small, with hard limits on
 * what a session costs: 300 receivers, more than are known one by one.
 * SPDX-License-Identifier: ISC
 */
#include "tests/sim/world.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define RECEIVERS 300
#define MIB	  (UINT64_C(1) << 20)

/* Of the time and the bytes an all-knowing sender would need, in percent: the
 * most that twelve seeds came to, and a little. The time holds rounds of repairs
 * at the end and, at 5 %, a trial whether slowing down helps, all of which a
 * file of a second and a half feels. */
static const struct {
	enum sim_loss kind;
	double	      loss;
	unsigned      time, wire;
} worlds[] = {
	{ SIM_INDEPENDENT, 0, 101, 101 },
	{ SIM_INDEPENDENT, 0.01, 118, 101 },
	{ SIM_INDEPENDENT, 0.05, 140, 101 },
	{ SIM_BURSTY, 0.02, 148, 101 },
	{ SIM_CORRELATED, 0.02, 135, 101 },
};

static struct sim_result r, again;

START_TEST(all_have_it_soon_and_say_little)
{
	struct sim_conf c = { .receivers = RECEIVERS,
		.kind = worlds[_i].kind, .loss = worlds[_i].loss,
		.bytes = 16 * MIB, .rate = 12500000, .seed = 7 };

	ck_assert_int_eq(sim_run(&c, &r), 0);
	ck_assert_uint_eq(r.complete, RECEIVERS);
	ck_assert_uint_eq(r.left, 0);
	ck_assert_uint_ge(r.last_ns, r.bare_ns);
	ck_assert_uint_le(r.last_ns * 100, r.ideal_ns * worlds[_i].time);
	ck_assert_uint_ge(r.sender.wire_bytes, r.ideal_bytes);
	ck_assert_uint_le(r.sender.wire_bytes * 100,
	    r.ideal_bytes * worlds[_i].wire);
	/* of the rate, in the worst second: 1 % */
	ck_assert_uint_le(r.peak_bytes * 100, c.rate);
	ck_assert_uint_le(r.peak_reports, 1000);
	ck_assert_uint_eq(r.sender.reports.flood + r.sender.reports.busy +
		r.sender.reports.stale + r.sender.reports.range,
	    0);
	ck_assert_uint_eq(r.sender.slow, 0);
}
END_TEST

START_TEST(it_is_the_same_each_time)
{
	struct sim_conf c = { .receivers = RECEIVERS, .kind = SIM_CORRELATED,
		.loss = 0.02, .bytes = 4 * MIB, .rate = 12500000, .seed = 7 };

	ck_assert_int_eq(sim_run(&c, &r), 0);
	ck_assert_int_eq(sim_run(&c, &again), 0);
	ck_assert_mem_eq(&r, &again, sizeof(r));
	c.seed = 8;
	ck_assert_int_eq(sim_run(&c, &again), 0);
	ck_assert_uint_ne(r.last_ns, again.last_ns);
}
END_TEST

int
main(void)
{
	Suite	*suite = suite_create("mcast_sim");
	TCase	*t = tcase_create("sim");
	SRunner *sr = srunner_create(suite);
	int	 failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, all_have_it_soon_and_say_little, 0,
	    (int)(sizeof(worlds) / sizeof(worlds[0])));
	tcase_add_test(t, it_is_the_same_each_time);
	suite_add_tcase(suite, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
