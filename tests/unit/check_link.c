/*
 * tests/unit/check_link.c - what link.h promises: by rows, and in a world of ways
 * that come and go.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-agent/link.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT 10000
#define HOLD	600000

static struct link l;
static uint64_t	   now;

static void
begin(size_t n)
{
	now = 5000000;
	link_init(&l, n, TIMEOUT, HOLD, now, 4711);
	link_tick(&l, now);
}

/* The virtual clock goes on; at the right times the link is told. */
static void
pass(uint64_t ms)
{
	uint64_t end = now + ms, next;

	while ((next = link_tick(&l, now)) <= end) {
		ck_assert_uint_gt(next, now); /* it makes no loop busy */
		now = next;
	}
	now = end;
	link_tick(&l, now);
}

static void
wants(size_t a, size_t b)
{
	for (size_t i = 0; i < l.n; i++)
		ck_assert_msg(link_wants(&l, i) == (i == a || i == b),
		    "way %zu", i);
}

static void
up_on(size_t way)
{
	ck_assert_int_eq(l.state, LINK_UP);
	ck_assert_uint_eq(l.way, way);
	wants(way, l.trial);
}

/* On the second way, the first has failed just before. */
static void
fallen_back(void)
{
	begin(2);
	wants(0, LINK_NONE);
	pass(TIMEOUT);
	wants(1, LINK_NONE);
	link_answered(&l, 1, now);
	up_on(1);
}

START_TEST(the_first_way_is_tried_first_and_the_next_after_the_stated_time)
{
	begin(2);
	pass(TIMEOUT - 1);
	wants(0, LINK_NONE);
	pass(1);
	wants(1, LINK_NONE);
	ck_assert_str_eq(l.ways[0].why, "did not answer within 10 s");
	ck_assert_uint_eq(l.ways[0].failed_ms, now);
	link_failed(&l, 1, now, "refused"); /* then a pause, and both again */
	wants(LINK_NONE, LINK_NONE);
	pass(LINK_PAUSE_MIN * 3 / 4 - 1);
	wants(LINK_NONE, LINK_NONE);
	pass(LINK_PAUSE_MIN / 2 + 2);
	wants(0, LINK_NONE);
}
END_TEST

START_TEST(a_way_that_refuses_costs_no_time)
{
	begin(3);
	link_failed(&l, 0, now, "refused");
	wants(1, LINK_NONE);
	link_failed(&l, 1, now, "refused");
	link_answered(&l, 2, now);
	up_on(2);
}
END_TEST

START_TEST(a_return_comes_after_hold_and_only_when_the_trial_has_answered)
{
	fallen_back();
	pass(HOLD - 1);
	wants(1, LINK_NONE);
	pass(1);
	wants(1, 0); /* beside it */
	pass(TIMEOUT); /* in vain */
	wants(1, LINK_NONE);
	up_on(1);
	pass(HOLD - 1);
	wants(1, LINK_NONE);
	pass(1);
	wants(1, 0);
	link_answered(&l, 0, now);
	up_on(0);
	wants(0, LINK_NONE); /* the old one is given up now */
	ck_assert_uint_eq(l.changes, 2 - 1);
	pass(10 * HOLD); /* nothing is better than the first */
	up_on(0);
}
END_TEST

START_TEST(when_the_link_is_lost_in_a_trial_that_is_the_link)
{
	fallen_back();
	pass(HOLD);
	wants(1, 0);
	link_failed(&l, 1, now, "reset");
	wants(0, LINK_NONE);
	pass(TIMEOUT - 1);
	wants(0, LINK_NONE);
	pass(1);
	wants(1, LINK_NONE); /* that one again, in the same round */
	link_answered(&l, 1, now);
	up_on(1);
}
END_TEST

START_TEST(a_lasting_connection_that_is_lost_is_made_again_the_same_way)
{
	begin(2);
	link_answered(&l, 0, now);
	pass(LINK_SHORT_MS);
	link_failed(&l, 0, now, "closed");
	wants(LINK_NONE, LINK_NONE);
	pass(LINK_AGAIN_MS);
	wants(0, LINK_NONE);
	link_failed(&l, 0, now, "refused"); /* it is gone: at once the next */
	wants(1, LINK_NONE);
}
END_TEST

START_TEST(on_the_second_way_a_loss_is_no_reason_to_return)
{
	fallen_back();
	pass(HOLD / 2);
	link_failed(&l, 1, now, "closed");
	pass(LINK_AGAIN_MS);
	wants(1, LINK_NONE);
	link_answered(&l, 1, now);
	pass(HOLD / 2 - LINK_AGAIN_MS - 1);
	wants(1, LINK_NONE);
	pass(1); /* hold counts from the change, not from the connection */
	wants(1, 0);
}
END_TEST

START_TEST(a_way_that_answers_and_hangs_up_has_failed)
{
	begin(2);
	link_answered(&l, 0, now);
	pass(2000);
	link_failed(&l, 0, now, "closed");
	pass(LINK_PAUSE_MIN * 5 / 4);
	wants(1, LINK_NONE);
	link_answered(&l, 1, now);
	pass(2000);
	link_failed(&l, 1, now, "closed"); /* both do: slower each time */
	ck_assert_uint_eq(l.shorts, 2);
	ck_assert_uint_ge(l.deadline_ms - now, 2 * LINK_PAUSE_MIN * 3 / 4);
}
END_TEST

START_TEST(who_asks_us_to_leave_is_waited_for_or_passed_over)
{
	begin(2);
	link_answered(&l, 0, now);
	pass(LINK_SHORT_MS);
	link_left(&l, 0, now, 5000);
	pass(4999);
	wants(LINK_NONE, LINK_NONE);
	pass(1 + LINK_AGAIN_MS);
	wants(0, LINK_NONE);
	link_answered(&l, 0, now);
	pass(LINK_SHORT_MS);
	link_left(&l, 0, now, 2 * HOLD);
	pass(LINK_AGAIN_MS);
	wants(1, LINK_NONE);
	link_answered(&l, 1, now);
	pass(2 * HOLD - LINK_AGAIN_MS - 1);
	wants(1, LINK_NONE);
	pass(1);
	wants(1, 0);
}
END_TEST

/* Thousands who are to come back one after the other have no other way, mostly. */
START_TEST(the_only_way_is_not_tried_before_its_time)
{
	begin(1);
	link_answered(&l, 0, now);
	pass(LINK_SHORT_MS);
	link_left(&l, 0, now, TIMEOUT + 250000);
	pass(TIMEOUT + 250000 - 1);
	wants(LINK_NONE, LINK_NONE);
	pass(1);
	wants(0, LINK_NONE);
	begin(2); /* nor is it when the other one fails */
	link_answered(&l, 0, now);
	pass(LINK_SHORT_MS);
	link_left(&l, 0, now, TIMEOUT + 250000);
	pass(LINK_AGAIN_MS);
	wants(1, LINK_NONE);
	link_failed(&l, 1, now, "refused");
	pass(LINK_PAUSE_MIN * 5 / 4);
	wants(1, LINK_NONE);
	link_failed(&l, 1, now, "refused");
	pass(TIMEOUT + 250000);
	ck_assert_uint_le(l.ways[0].leaves_ms, now);
}
END_TEST

START_TEST(who_sends_us_away_as_soon_as_we_come_is_come_to_ever_more_seldom)
{
	begin(1);
	for (uint64_t ms = LINK_PAUSE_MIN; ms / 2 < TIMEOUT; ms *= 2) {
		link_answered(&l, 0, now);
		link_left(&l, 0, now, 0);
		pass(ms * 3 / 4 - 1);
		wants(LINK_NONE, LINK_NONE);
		pass(ms / 2 + 2);
		wants(0, LINK_NONE);
	}
}
END_TEST

START_TEST(a_way_that_has_answered_has_its_place_again)
{
	fallen_back();
	link_failed(&l, 1, now, "closed"); /* soon: both have failed now */
	pass(LINK_PAUSE_MIN * 5 / 4);
	link_answered(&l, 0, now);
	pass(LINK_SHORT_MS);
	link_failed(&l, 0, now, "reset");
	pass(LINK_AGAIN_MS);
	wants(0, LINK_NONE);
	begin(2);
	link_failed(&l, 0, now, "refused");
	link_failed(&l, 1, now, "refused");
	pass(LINK_PAUSE_MIN * 5 / 4);
	link_failed(&l, 0, now, "refused");
	link_answered(&l, 1, now);
	pass(LINK_SHORT_MS);
	link_failed(&l, 1, now, "reset");
	pass(LINK_AGAIN_MS);
	wants(1, LINK_NONE); /* not the one that has not */
}
END_TEST

START_TEST(nobody_sends_us_away_for_ever)
{
	begin(1);
	link_answered(&l, 0, now);
	link_left(&l, 0, now, UINT64_MAX);
	pass(LINK_ALONE_MAX - 1); /* the only way is tried all the same, then */
	wants(LINK_NONE, LINK_NONE);
	pass(1);
	wants(0, LINK_NONE);
	ck_assert_uint_le(l.ways[0].rests_ms, now + LINK_LEAVE_MAX);
}
END_TEST

START_TEST(what_is_told_of_a_way_that_is_not_wanted_changes_nothing)
{
	struct link before;

	fallen_back();
	before = l;
	link_answered(&l, 0, now);
	link_failed(&l, 0, now, "x");
	link_left(&l, 0, now, 1);
	link_answered(&l, 1, now);
	ck_assert_mem_eq(&l, &before, sizeof(l));
}
END_TEST

START_TEST(an_outage_that_is_over_counts_no_more)
{
	begin(1);
	for (int i = 0; i < 10; i++) {
		link_failed(&l, 0, now, "refused");
		pass(l.deadline_ms - now);
	}
	link_answered(&l, 0, now);
	pass(1000);
	link_failed(&l, 0, now, "closed");
	pass(LINK_PAUSE_MIN * 5 / 4);
	wants(0, LINK_NONE);
}
END_TEST

START_TEST(pauses_end_at_five_minutes)
{
	begin(1);
	for (int i = 0; i < 20; i++) {
		wants(0, LINK_NONE);
		link_failed(&l, 0, now, "refused");
		ck_assert_uint_le(l.deadline_ms - now, LINK_PAUSE_MAX * 5 / 4);
		ck_assert_uint_ge(l.deadline_ms - now, LINK_PAUSE_MIN * 3 / 4);
		pass(l.deadline_ms - now);
	}
	ck_assert_uint_ge(l.vain, 20);
}
END_TEST

/* -- a world of ways that come and go -- */

enum mood { SILENT, REFUSES, WORKS, HANGS_UP, SENDS_AWAY, MOODS };

struct world {
	uint64_t  dice;
	enum mood moods[LINK_WAYS];
	uint64_t  change_ms[LINK_WAYS]; /* of the mood; 0: never again */
	bool	  open[LINK_WAYS], up[LINK_WAYS];
	uint64_t  event_ms[LINK_WAYS]; /* what its mood does next */
	uint64_t  opened[4096];
	size_t	  nopened;
};

static uint64_t
roll(struct world *w, uint64_t n)
{
	w->dice = w->dice * 6364136223846793005ULL + 1442695040888963407ULL;
	return (w->dice >> 33) % n;
}

static void
lose(struct world *w, size_t i)
{
	w->open[i] = w->up[i] = false;
}

/* Whether something happened on the way. */
static bool
act(struct world *w, size_t i)
{
	if (w->change_ms[i] != 0 && now >= w->change_ms[i]) {
		enum mood was = w->moods[i];

		w->moods[i] = (enum mood)roll(w, MOODS);
		w->change_ms[i] = now + 1 + roll(w, 3 * HOLD);
		w->event_ms[i] = now + 1 + roll(w, 20000);
		if (was == WORKS && w->moods[i] == REFUSES && w->up[i]) {
			lose(w, i); /* it was killed */
			link_failed(&l, i, now, "reset");
		}
		return true;
	}
	if (!w->open[i] || now < w->event_ms[i])
		return false;
	w->event_ms[i] = UINT64_MAX;
	switch (w->moods[i]) {
	case REFUSES:
		if (w->up[i])
			return false;
		lose(w, i);
		link_failed(&l, i, now, "refused");
		return true;
	case WORKS:
	case HANGS_UP:
	case SENDS_AWAY:
		if (!w->up[i]) {
			w->up[i] = true;
			link_answered(&l, i, now);
			if (w->moods[i] != WORKS)
				w->event_ms[i] = now + roll(w, 2 * LINK_SHORT_MS);
			return true;
		}
		if (w->moods[i] == WORKS)
			return false;
		lose(w, i);
		if (w->moods[i] == HANGS_UP)
			link_failed(&l, i, now, "closed");
		else
			link_left(&l, i, now, roll(w, 2 * HOLD));
		return true;
	default:
		return false;
	}
}

/* What the caller does: connections as they are wanted. */
static void
reconcile(struct world *w)
{
	for (size_t i = 0; i < l.n; i++) {
		bool wanted = link_wants(&l, i);

		if (wanted && !w->open[i]) {
			w->open[i] = true;
			w->event_ms[i] = w->moods[i] == REFUSES
			    ? now
			    : now + 1 + roll(w, 50);
			w->opened[w->nopened++ % COUNT(w->opened)] = now;
		} else if (!wanted)
			w->open[i] = w->up[i] = false;
	}
}

/* Two rounds and a trial are the most that comes within the shortest pause. */
static void
check_rate(const struct world *w)
{
	size_t most = 2 * l.n + 1;

	if (w->nopened > most)
		ck_assert_uint_ge(now - w->opened[(w->nopened - most - 1) %
					      COUNT(w->opened)],
		    LINK_PAUSE_MIN * 3 / 4);
}

static void
step(struct world *w, uint64_t end)
{
	uint64_t next;
	bool	 more;
	unsigned turns = 0;

	do {
		uint64_t chosen_ms = l.chosen_ms;
		size_t	 was = l.state == LINK_UP ? l.way : LINK_NONE;

		more = false;
		for (size_t i = 0; i < l.n && !more; i++)
			more = act(w, i);
		if (l.state == LINK_UP && was != LINK_NONE && l.way < was)
			ck_assert_uint_ge(now, chosen_ms + HOLD);
		next = link_tick(&l, now);
		reconcile(w);
		check_rate(w);
		ck_assert_uint_lt(++turns, 100); /* at one instant */
	} while (more);
	for (size_t i = 0; i < l.n; i++) {
		if (w->change_ms[i] != 0 && w->change_ms[i] < next)
			next = w->change_ms[i];
		if (w->open[i] && w->event_ms[i] < next)
			next = w->event_ms[i];
	}
	now = next <= now ? now + 1 : next < end ? next : end;
}

static void
run(struct world *w, uint64_t ms)
{
	uint64_t end = now + ms;

	while (now < end)
		step(w, end);
}

START_TEST(in_any_world_it_ends_on_the_best_way_that_works)
{
	static struct world w;
	uint64_t	    begun;
	size_t		    best = LINK_NONE, opened;

	w = (struct world){ .dice = 77 + (uint64_t)_i };
	now = 5000000;
	link_init(&l, 1 + roll(&w, 5), TIMEOUT, HOLD, now, 1 + (uint64_t)_i);
	for (size_t i = 0; i < l.n; i++) {
		w.moods[i] = (enum mood)roll(&w, MOODS);
		w.change_ms[i] = now + 1 + roll(&w, 3 * HOLD);
	}
	begun = now;
	run(&w, 86400000);
	/* rounds and short connections a pause apart, trials a hold apart */
	ck_assert_uint_le(w.nopened, (l.n + 1) * ((now - begun) / 750 + 2));
	/* from now on nothing changes, and one way at least works */
	for (size_t i = 0; i < l.n; i++) {
		w.change_ms[i] = 0;
		w.moods[i] = roll(&w, 2) ? SILENT : REFUSES;
	}
	w.moods[roll(&w, l.n)] = WORKS;
	for (size_t i = 0; i < l.n; i++) {
		if (w.moods[i] == WORKS && best == LINK_NONE)
			best = i;
		else if (w.up[i]) { /* the old connection is not one that works */
			lose(&w, i);
			link_failed(&l, i, now, "reset");
		} else if (w.open[i])
			w.event_ms[i] = now;
	}
	/* the one that works may have asked us to leave */
	run(&w, LINK_ALONE_MAX + LINK_PAUSE_MAX * 5 / 4 + l.n * TIMEOUT + 1000);
	ck_assert_int_eq(l.state, LINK_UP);
	ck_assert_uint_eq(l.way, best);
	opened = w.nopened;
	run(&w, 86400000);
	up_on(best);
	/* nothing but trials of those before it, one a hold */
	ck_assert_uint_le(w.nopened - opened, best == 0 ? 0 : 86400000 / HOLD + 1);
}
END_TEST

START_TEST(it_is_on_the_first_way_soon_after_that_works_again)
{
	static struct world w;

	w = (struct world){ .dice = 1234 + (uint64_t)_i };
	now = 5000000;
	link_init(&l, 2 + roll(&w, 4), TIMEOUT, HOLD, now, 9 + (uint64_t)_i);
	for (size_t i = 1; i < l.n; i++)
		w.moods[i] = WORKS;
	w.moods[0] = _i % 2 ? SILENT : REFUSES;
	run(&w, 3600000 + roll(&w, HOLD));
	up_on(1);
	w.moods[0] = WORKS;
	run(&w, 2 * HOLD + TIMEOUT);
	up_on(0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("link");
	TCase	*t = tcase_create("link");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_set_timeout(t, 60);
	tcase_add_test(t,
	    the_first_way_is_tried_first_and_the_next_after_the_stated_time);
	tcase_add_test(t, a_way_that_refuses_costs_no_time);
	tcase_add_test(t,
	    a_return_comes_after_hold_and_only_when_the_trial_has_answered);
	tcase_add_test(t, when_the_link_is_lost_in_a_trial_that_is_the_link);
	tcase_add_test(t,
	    a_lasting_connection_that_is_lost_is_made_again_the_same_way);
	tcase_add_test(t, on_the_second_way_a_loss_is_no_reason_to_return);
	tcase_add_test(t, a_way_that_answers_and_hangs_up_has_failed);
	tcase_add_test(t, who_asks_us_to_leave_is_waited_for_or_passed_over);
	tcase_add_test(t, nobody_sends_us_away_for_ever);
	tcase_add_test(t, the_only_way_is_not_tried_before_its_time);
	tcase_add_test(t,
	    who_sends_us_away_as_soon_as_we_come_is_come_to_ever_more_seldom);
	tcase_add_test(t, a_way_that_has_answered_has_its_place_again);
	tcase_add_test(t,
	    what_is_told_of_a_way_that_is_not_wanted_changes_nothing);
	tcase_add_test(t, an_outage_that_is_over_counts_no_more);
	tcase_add_test(t, pauses_end_at_five_minutes);
	tcase_add_loop_test(t, in_any_world_it_ends_on_the_best_way_that_works,
	    0, 100);
	tcase_add_loop_test(t, it_is_on_the_first_way_soon_after_that_works_again,
	    0, 40);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
