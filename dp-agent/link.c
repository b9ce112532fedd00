/*
 * dp-agent/link.c - the decision by which way the kept connection goes; see
 * link.h.
 *
 * Runs in the network child. Believes what its caller saw of the ways. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/link.h"

#include <stdio.h>
#include <string.h>

const char *
link_state_word(enum link_state s)
{
	static const char *const words[] = { "waits", "tries", "up" };

	return words[s];
}

/* 0 to below n; spreads devices, and keeps no secret (xorshift64*). */
static uint64_t
roll(struct link *l, uint64_t n)
{
	l->dice ^= l->dice >> 12;
	l->dice ^= l->dice << 25;
	l->dice ^= l->dice >> 27;
	return n > 0 ? (l->dice * 2685821657736338717ULL >> 16) % n : 0;
}

/* Doubled for each round in vain or short connection in a row, give or take a
 * quarter. */
static uint64_t
pause_ms(struct link *l)
{
	uint64_t ms = LINK_PAUSE_MIN;
	unsigned times = l->vain > l->shorts ? l->vain : l->shorts;

	for (unsigned i = 1; i < times && ms < LINK_PAUSE_MAX; i++)
		ms *= 2;
	if (ms > LINK_PAUSE_MAX)
		ms = LINK_PAUSE_MAX;
	return ms - ms / 4 + roll(l, ms / 2);
}

static void
enter(struct link *l, enum link_state s, uint64_t now)
{
	l->state = s;
	l->since_ms = now;
}

static void
wait_for(struct link *l, uint64_t now, uint64_t ms)
{
	l->way = LINK_NONE;
	l->deadline_ms = now + ms;
	enter(l, LINK_WAITS, now);
}

static void
rest(struct link *l, size_t way, uint64_t now, uint64_t ms, const char *why)
{
	struct link_way *w = &l->ways[way];

	w->rests_ms = now + ms;
	w->failed_ms = now;
	w->failures++;
	snprintf(w->why, sizeof(w->why), "%s", why);
}

/* The pause behind a round: nobody answered, or all have asked us to leave. */
static void
end_round(struct link *l, uint64_t now)
{
	uint64_t until = UINT64_MAX;

	for (size_t i = 0; i < l->n; i++)
		if (l->ways[i].leaves_ms < until)
			until = l->ways[i].leaves_ms;
	if (until > now) {
		wait_for(l, now, until - now);
		return;
	}
	l->vain++;
	wait_for(l, now, pause_ms(l));
}

/* The next way of the round. */
static void
try_next(struct link *l, uint64_t now)
{
	size_t best = LINK_NONE;

	for (size_t i = l->n; i-- > 0;) {
		const struct link_way *w = &l->ways[i];

		if (!w->tried && (best == LINK_NONE || w->rests_ms <= now ||
			l->ways[best].rests_ms > now))
			best = i;
	}
	if (best == LINK_NONE) {
		end_round(l, now);
		return;
	}
	l->ways[best].tried = true;
	l->way = best;
	l->deadline_ms = now + l->timeout_ms;
	enter(l, LINK_TRIES, now);
}

static void
begin_round(struct link *l, uint64_t now)
{
	for (size_t i = 0; i < l->n; i++)
		l->ways[i].tried = l->ways[i].leaves_ms > now;
	try_next(l, now);
}

void
link_init(struct link *l, size_t n, uint64_t timeout_ms, uint64_t hold_ms,
    uint64_t now, uint64_t seed)
{
	*l = (struct link){ .timeout_ms = timeout_ms, .hold_ms = hold_ms,
		.n = n < LINK_WAYS ? n : LINK_WAYS, .way = LINK_NONE,
		.trial = LINK_NONE, .chosen = LINK_NONE,
		.dice = seed != 0 ? seed : 1 };
	wait_for(l, now, 0);
}

bool
link_wants(const struct link *l, size_t way)
{
	return (l->state != LINK_WAITS && way == l->way) || way == l->trial;
}

void
link_answered(struct link *l, size_t way, uint64_t now)
{
	if (!link_wants(l, way) || (l->state == LINK_UP && way == l->way))
		return;
	if (way == l->trial)
		l->shorts = 0; /* the way in use was good for hold_ms */
	l->trial = LINK_NONE; /* it was that, or there is none */
	l->vain = 0;
	l->way = way;
	l->ways[way].rests_ms = 0;
	enter(l, LINK_UP, now);
	if (l->chosen == way)
		return;
	l->changes += l->chosen != LINK_NONE;
	l->chosen = way;
	l->chosen_ms = l->looked_ms = now;
}

/* The connection in use is no more: what was tried beside it is all there is. */
static void
lost(struct link *l, uint64_t now, uint64_t ms)
{
	size_t trial = l->trial;

	if (trial == LINK_NONE) {
		wait_for(l, now, ms);
		return;
	}
	for (size_t i = 0; i < l->n; i++)
		l->ways[i].tried = i == trial || l->ways[i].leaves_ms > now;
	l->trial = LINK_NONE;
	l->way = trial;
	l->deadline_ms = l->trial_deadline_ms;
	enter(l, LINK_TRIES, now);
}

/* Whether the connection in use was a short one, which counts as none. */
static bool
was_short(struct link *l, uint64_t now)
{
	bool is = now - l->since_ms < LINK_SHORT_MS &&
	    now - l->since_ms < l->hold_ms;

	l->shorts = is ? l->shorts + 1 : 0;
	return is;
}

void
link_failed(struct link *l, size_t way, uint64_t now, const char *why)
{
	if (!link_wants(l, way))
		return;
	if (way == l->trial) {
		l->trial = LINK_NONE;
		rest(l, way, now, l->hold_ms, why);
	} else if (l->state == LINK_TRIES) {
		rest(l, way, now, l->hold_ms, why);
		try_next(l, now);
	} else if (was_short(l, now)) {
		rest(l, way, now, l->hold_ms, why);
		lost(l, now, pause_ms(l));
	} else {
		rest(l, way, now, 0, why);
		lost(l, now, roll(l, LINK_AGAIN_MS));
	}
}

void
link_left(struct link *l, size_t way, uint64_t now, uint64_t delay_ms)
{
	static const char why[] = "asked us to leave";
	uint64_t	  ms;
	bool		  waits;

	if (l->state != LINK_UP || way != l->way) {
		link_failed(l, way, now, why);
		return;
	}
	if (delay_ms > LINK_LEAVE_MAX)
		delay_ms = LINK_LEAVE_MAX;
	waits = delay_ms <= l->timeout_ms;
	/* who sends us away as soon as we come is not come back to at once */
	ms = was_short(l, now) ? pause_ms(l) : roll(l, LINK_AGAIN_MS);
	rest(l, way, now,
	    waits ? 0 : delay_ms > l->hold_ms ? delay_ms : l->hold_ms, why);
	if (!waits)
		l->ways[way].leaves_ms = now +
		    (delay_ms < LINK_ALONE_MAX ? delay_ms : LINK_ALONE_MAX);
	lost(l, now, waits ? delay_ms + ms : ms);
}

/* The way before the one in use whose turn it is to be tried beside it. */
static size_t
pick_trial(const struct link *l, uint64_t now)
{
	for (size_t i = 0; i < l->way; i++)
		if (l->ways[i].rests_ms <= now)
			return i;
	return LINK_NONE;
}

static void
look_for_better(struct link *l, uint64_t now)
{
	if (l->way == 0 || l->trial != LINK_NONE ||
	    now < l->looked_ms + l->hold_ms)
		return;
	if ((l->trial = pick_trial(l, now)) == LINK_NONE)
		return;
	l->looked_ms = now;
	l->trial_deadline_ms = now + l->timeout_ms;
}

static uint64_t
next_look(const struct link *l)
{
	uint64_t first = UINT64_MAX, due = l->looked_ms + l->hold_ms;

	for (size_t i = 0; i < l->way; i++)
		if (l->ways[i].rests_ms < first)
			first = l->ways[i].rests_ms;
	return first == UINT64_MAX ? first : first > due ? first : due;
}

uint64_t
link_tick(struct link *l, uint64_t now)
{
	char why[80];

	snprintf(why, sizeof(why), "did not answer within %llu s",
	    (unsigned long long)(l->timeout_ms + 999) / 1000);
	if (l->trial != LINK_NONE && now >= l->trial_deadline_ms)
		link_failed(l, l->trial, now, why);
	if (l->state == LINK_TRIES && now >= l->deadline_ms)
		link_failed(l, l->way, now, why);
	if (l->state == LINK_WAITS && now >= l->deadline_ms)
		begin_round(l, now);
	if (l->state != LINK_UP)
		return l->deadline_ms;
	look_for_better(l, now);
	return l->trial != LINK_NONE ? l->trial_deadline_ms : next_look(l);
}
