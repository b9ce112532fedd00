/*
 * dp-mcast/decide.c - see decide.h.
 *
 * Runs in dp-mcast. Does no I/O: callers pass the time.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/decide.h"

static const struct {
	const char *word, *text;
} reasons[REASON_KINDS] = {
	[REASON_NONE] = { "none", "" },
	[REASON_GATHER] = { "gather", "others may ask for it too" },
	[REASON_BUSY] = { "busy", "as many sessions as multicast.sessions" },
	[REASON_COMING] = { "coming", "the store does not have it yet" },
	[REASON_SECRET] = { "secret",
	    "it is for devices only, and multicast.mode = open" },
	[REASON_SMALL] = { "small", "smaller than multicast.min-size" },
	[REASON_ALONE] = { "alone",
	    "fewer devices lack it than multicast.min-agents" },
	[REASON_LOSS] = { "loss",
	    "the last sessions lost more than multicast.max-loss" },
	[REASON_SENT] = { "sent", "it was sent just now: the rest is small" },
	[REASON_ABSENT] = { "absent", "the store does not have it" },
	[REASON_FAILED] = { "failed", "it cannot be read or sent" },
	[REASON_STOPPED] = { "stopped", "an administrator ended its session" },
};

const char *
reason_word(enum reason r)
{
	return reasons[r < REASON_KINDS ? r : REASON_NONE].word;
}

const char *
reason_text(enum reason r)
{
	return reasons[r < REASON_KINDS ? r : REASON_NONE].text;
}

enum way
decide(const struct rules *r, const struct situation *s, enum reason *why)
{
	/* nobody else can ask: no use in waiting, unless they are just coming */
	bool all = s->lacking >= r->min_agents &&
	    s->lacking >= s->registered && s->settled_ms >= r->gather_ms;

	*why = REASON_NONE;
	if (s->is_absent && s->will_come && s->since_ms < DECIDE_ABSENT_MS) {
		*why = REASON_COMING;
		return WAY_WAIT;
	}
	if (s->is_absent)
		*why = REASON_ABSENT;
	else if (s->is_secret)
		*why = REASON_SECRET;
	else if (s->size < r->min_size || s->size == 0)
		*why = REASON_SMALL;
	else if (s->loss >= 0 && (unsigned)s->loss > r->max_loss)
		*why = REASON_LOSS;
	else if (s->sent >= DECIDE_TWICE)
		*why = REASON_SENT;
	if (*why != REASON_NONE)
		return WAY_UNICAST;
	if (s->since_ms < r->gather_ms && !all) {
		*why = REASON_GATHER;
		return WAY_WAIT;
	}
	if (s->lacking < r->min_agents) {
		*why = REASON_ALONE;
		return WAY_UNICAST;
	}
	if (s->sessions >= r->max_sessions) {
		*why = REASON_BUSY;
		return s->since_ms < DECIDE_BUSY_MS ? WAY_WAIT : WAY_UNICAST;
	}
	return WAY_MULTICAST;
}

void
loss_note(struct loss_memory *l, unsigned percent, uint64_t now_ms)
{
	bool is_new = l->at_ms == 0 || now_ms - l->at_ms > DECIDE_MEMORY_MS;

	l->average = is_new ? percent : (l->average + percent) / 2;
	l->at_ms = now_ms > 0 ? now_ms : 1;
}

int
loss_known(const struct loss_memory *l, uint64_t now_ms)
{
	if (l->at_ms == 0 || now_ms - l->at_ms > DECIDE_MEMORY_MS)
		return -1;
	return (int)(l->average + 0.5);
}
