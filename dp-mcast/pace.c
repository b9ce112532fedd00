/*
 * dp-mcast/pace.c - the token bucket and its rate; see pace.h.
 *
 * Runs in dp-mcast. Believes of receivers what most of them say.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/pace.h"

#include <stdlib.h>

#define MS  UINT64_C(1000000)
#define SEC UINT64_C(1000000000)

/* Gigabit Ethernet, nearly: what a session without a ceiling begins with. */
#define START	  UINT64_C(100000000)
#define RATE_MIN  UINT64_C(10000)
#define BURST_MAX INT64_C(262144) /* half of a small switch's buffer */
#define STEP_MIN  (10 * MS)
#define STEP_PACKETS 500 /* of each sample: 5 % is then known to 1 % */
#define MARGIN	  20000	 /* loss above base that is worth a trial */
#define CALM	  10000	 /* above it the rate does not grow */
/* Bytes of packets: what a receiver may have yet to read while the rate grows,
 * and how many are too many. A socket of 4 MiB holds 2.6 MB of them. */
#define BEHIND_CALM 200000
#define BEHIND_MOST 1000000
#define TRY_WAIT  (200 * MS)
#define TRY_WAIT_MAX (10 * SEC)
#define MILLION	  1000000u

static uint64_t
clamp(uint64_t v, uint64_t lo, uint64_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

static uint64_t
top(uint64_t ceiling)
{
	return ceiling > 0 ? clamp(ceiling, RATE_MIN, UINT64_MAX) : UINT64_MAX;
}

void
pace_init(struct pace *p, uint64_t now, uint64_t ceiling, uint64_t start,
    uint32_t frame)
{
	*p = (struct pace){
		.ceiling = top(ceiling),
		.frame = frame,
		.filled = now,
		.step_at = now,
		.try_wait = TRY_WAIT,
	};
	p->rate = clamp(start > 0 ? start : START, RATE_MIN, p->ceiling);
}

uint64_t
pace_found(const struct pace *p)
{
	uint64_t rate = p->trying ? p->old_rate : p->rate;

	return rate >= p->ceiling && rate < START ? 0 : rate;
}

void
pace_ceiling(struct pace *p, uint64_t ceiling)
{
	bool at_ceiling = p->rate == p->ceiling;

	p->ceiling = top(ceiling);
	if (p->rate > p->ceiling || (at_ceiling && ceiling > 0))
		p->rate = p->ceiling;
}

/* A train, or what a low rate sends in a millisecond. */
static unsigned
train(const struct pace *p)
{
	return (unsigned)clamp(p->rate / 1000 / p->frame, 8, PACE_TRAIN);
}

/* What a late wake-up cost is made up for: a bucket of one train would lose it
 * each time, a quarter of the rate where trains are 3 ms apart. */
static int64_t
burst(const struct pace *p)
{
	int64_t late = (int64_t)clamp(p->rate / 100, 0, BURST_MAX);
	int64_t least = 2 * (int64_t)train(p) * p->frame;

	return late > least ? late : least;
}

static void
fill(struct pace *p, uint64_t now)
{
	uint64_t d = now > p->filled ? now - p->filled : 0;
	int64_t	 most = burst(p);

	p->filled = now;
	/* after 100 ms any bucket is full; and the product must not wrap */
	if (d >= 100 * MS)
		p->tokens = most;
	else
		p->tokens += (int64_t)(d * (p->rate / 1000) / MS);
	if (p->tokens > most)
		p->tokens = most;
}

unsigned
pace_may(struct pace *p, uint64_t now, uint64_t ready)
{
	unsigned want = train(p);
	int64_t	 have;

	fill(p, now);
	have = p->tokens / (int64_t)p->frame;
	if (ready < want)
		want = (unsigned)ready;
	if (want == 0 || have < (int64_t)want)
		return 0;
	return (uint64_t)have < ready ? (unsigned)have : (unsigned)ready;
}

void
pace_spent(struct pace *p, uint64_t bytes)
{
	p->tokens -= (int64_t)bytes;
	p->sent += bytes;
}

uint64_t
pace_when(struct pace *p, uint64_t now, uint64_t ready)
{
	unsigned want = train(p);
	int64_t	 lacks;

	fill(p, now);
	if (ready < want)
		want = (unsigned)ready;
	lacks = (int64_t)want * p->frame - p->tokens;
	if (lacks <= 0)
		return now;
	return now + (uint64_t)lacks * MS / (p->rate / 1000) + 1;
}

void
pace_sample(struct pace *p, uint64_t rtt, uint32_t receiver, uint64_t since,
    uint32_t received, uint32_t expected, uint64_t behind)
{
	struct pace_sample *s;
	uint64_t on_its_way = p->rate / 1000 * (rtt / MS);

	if (p->changed > 0 && since < p->changed + rtt)
		return;
	if (p->many)
		s = &p->sample[p->nsamples % PACE_RECEIVERS];
	else
		s = &p->sample[receiver % PACE_RECEIVERS];
	if (p->many)
		*s = (struct pace_sample){ 0 };
	if (expected == 0)
		return;
	if (p->many || s->expected == 0)
		p->nsamples++;
	s->received += received;
	s->expected += expected;
	s->behind = (uint32_t)clamp(
	    behind > on_its_way ? behind - on_its_way : 0, 0, UINT32_MAX);
	s->known = true;
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* What the receivers' words come to, for those that count. */
struct verdict {
	uint32_t loss, behind;
	uint64_t read; /* bytes a second that it took; 0: not known */
};

static uint32_t
worse(uint32_t v[], unsigned n)
{
	qsort(v, n, sizeof(v[0]), by_size);
	return v[(n - 1) * 3 / 4];
}

/* false: not enough is known. */
static bool
judge(struct pace *p, uint64_t ms, struct verdict *out)
{
	uint32_t loss[PACE_RECEIVERS], behind[PACE_RECEIVERS];
	uint64_t expected = 0, received = 0;
	unsigned n = 0, fresh = 0;

	for (unsigned i = 0; i < PACE_RECEIVERS; i++) {
		expected += p->sample[i].expected;
		received += p->sample[i].received;
		fresh += p->sample[i].expected > 0;
	}
	if (fresh == 0 || (p->many && fresh < PACE_RECEIVERS / 4) ||
	    expected < (uint64_t)fresh * STEP_PACKETS)
		return false;
	for (unsigned i = 0; i < PACE_RECEIVERS; i++) {
		struct pace_sample *s = &p->sample[i];

		if (s->expected > 0)
			s->loss = (uint32_t)((s->expected - s->received) *
			    MILLION / s->expected);
		if (s->known) {
			behind[n] = s->behind;
			loss[n++] = s->loss;
		}
		s->received = s->expected = 0;
		if (p->many)
			s->known = false;
	}
	p->nsamples = 0;
	out->loss = worse(loss, n);
	out->behind = worse(behind, n);
	out->read = p->many ? 0 : received / fresh * p->frame * 1000 / ms;
	return true;
}

static void
set_rate(struct pace *p, uint64_t now, uint64_t rate)
{
	p->rate = clamp(rate, RATE_MIN, p->ceiling);
	p->changed = now;
}

/* Slows down to what came through, by a fifth at least, to see what happens. */
static void
try_slower(struct pace *p, uint64_t now, uint64_t actual, uint32_t loss)
{
	uint64_t through;

	p->trying = true;
	p->old_rate = p->rate;
	p->old_loss = loss;
	/* a rate the machine does not reach says nothing; nor does a time when
	 * there was little to send, so half is the least to believe */
	if (actual < p->rate)
		p->rate = clamp(actual, p->rate / 2, p->rate);
	through = (uint64_t)((double)p->rate *
	    (MILLION - (loss - p->base)) / MILLION * 0.95);
	set_rate(p, now, clamp(through, 0, p->rate / 5 * 4));
}

static void
tried(struct pace *p, uint64_t now, uint32_t loss)
{
	p->trying = false;
	if (loss < p->base + (p->old_loss - p->base) / 2) {
		p->seen_congestion = true;
		p->try_wait = TRY_WAIT;
		p->try_after = now;
		return;
	}
	p->base = (loss + p->old_loss) / 2;
	set_rate(p, now, p->old_rate);
	p->try_after = now + p->try_wait;
	p->try_wait = clamp(p->try_wait * 2, 0, TRY_WAIT_MAX);
}

/* Slows down to what is read, and waits until the pile is gone; not for ever,
 * as a pile is what receivers say. */
static void
drain(struct pace *p, uint64_t now, const struct verdict *v)
{
	p->seen_congestion = true;
	set_rate(p, now, clamp(p->read / 10 * 9, p->rate / 4, p->rate / 5 * 4));
	p->changed = now + clamp(v->behind * SEC / p->rate, 0, SEC);
	for (unsigned i = 0; i < PACE_RECEIVERS; i++)
		p->sample[i].behind = 0;
}

/* Up at once, as the rate grows, and down slowly: one step says little where
 * receivers wait for a processor. */
static void
note_read(struct pace *p, uint64_t read)
{
	if (read >= p->read)
		p->read = read;
	else
		p->read = (3 * p->read + read) / 4;
}

void
pace_step(struct pace *p, uint64_t now, bool repairs)
{
	uint64_t actual, ms = (now - p->step_at) / MS;
	struct verdict v;

	if (now - p->step_at < STEP_MIN || !judge(p, ms, &v))
		return;
	actual = p->sent * 1000 / ms;
	p->step_at = now;
	p->sent = 0;
	note_read(p, v.read < actual ? v.read : actual);
	if (repairs) {
		if (v.behind > BEHIND_MOST)
			drain(p, now, &v);
	} else if (p->trying) {
		tried(p, now, v.loss);
	} else if (v.loss > p->base + MARGIN && now >= p->try_after) {
		try_slower(p, now, actual, v.loss);
	} else if (v.behind > BEHIND_MOST) {
		drain(p, now, &v);
	} else if (v.loss <= p->base + CALM && v.behind <= BEHIND_CALM) {
		if (v.loss < p->base)
			p->base -= (p->base - v.loss) / 8;
		/* much more while all of it goes out; a sender that is late
		 * shares its processor with receivers that will be too */
		if (!p->seen_congestion && actual >= p->rate / 16 * 15)
			p->rate = clamp(p->rate / 2 * 3, RATE_MIN, p->ceiling);
		else if (actual >= p->rate / 5 * 4)
			p->rate = clamp(p->rate / 32 * (p->rate < p->read ? 35 : 33),
			    RATE_MIN, p->ceiling);
	}
}
