/*
 * tests/unit/check_gateway_mux.c - what mux.h promises: two ends joined by
 * memory, in whatever pieces and with whatever stalls; and peers that lie.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/size.h"
#include "dp-gateway/mux_impl.h"

#define KIB 1024
#define MIB (1024 * 1024)

enum side { NEAR, FAR };

struct flow { /* one end of a stream */
	struct mux_stream *s; /* NULL: closed, or not there yet */
	unsigned	   n;
	enum side	   side;
	size_t		   to_send, sent, got;
	size_t		   give_max, take_max; /* at a time; 0: stalls */
	unsigned	   ends, closes, answers;
	bool		   let_go;
	unsigned	   status;
	char		   text[MUX_TEXT_MAX];
	enum mux_end	   why;
};

#define FLOWS 64
static struct flow flow[2][FLOWS];
static unsigned	   opened, asked;
static struct mux *mux[2];
static struct wire { /* from this side */
	uint8_t *p;
	size_t	 len, size;
} wire[2];
static uint64_t		  now, seed;
static struct mux_conf	  conf;
static struct mux_request rq, last_rq;
static bool		  later; /* requests are answered by the test */

static uint64_t
rnd(uint64_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % below;
}

static uint8_t
byte_of(const struct flow *f, enum side from, size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) + f->n * 7 + (unsigned)from * 101);
}

/* -- the owners -- */

static void
on_request(void *ctx, struct mux_stream *s, const struct mux_request *r)
{
	unsigned     n = asked++ % FLOWS;
	struct flow *f;

	(void)sscanf(r->authority, "%*[a-z]%u", &n);
	f = &flow[FAR][n];
	ck_assert_ptr_eq(ctx, &mux[FAR]);
	last_rq = *r;
	f->s = s;
	if (later)
		return;
	if (strncmp(r->authority, "refuse", 6) == 0) {
		f->s = NULL;
		mux_refuse(s, 508, "gw; error=proxy_loop_detected");
		return;
	}
	mux_accept(s, f);
}

static void
on_response(void *ctx, struct mux_stream *s, unsigned status, const char *text)
{
	struct flow *f = mux_owner(s);

	ck_assert_ptr_eq(ctx, &mux[NEAR]);
	f->status = status;
	f->answers++;
	snprintf(f->text, sizeof(f->text), "%s", text);
	if (status != 200)
		f->s = NULL;
}

static size_t
on_take(void *ctx, struct mux_stream *s, const uint8_t *p, size_t n)
{
	struct flow *f = mux_owner(s);
	size_t	     right = 0;

	(void)ctx;
	ck_assert(!f->let_go && f->closes == 0 && f->ends == 0);
	if (n > f->take_max)
		n = f->take_max;
	while (right < n && p[right] == byte_of(f, !f->side, f->got + right))
		right++;
	ck_assert_uint_eq(right, n);
	f->got += n;
	return n;
}

static void
on_ended(void *ctx, struct mux_stream *s)
{
	struct flow *f = mux_owner(s);

	(void)ctx;
	ck_assert_uint_eq(f->closes, 0);
	f->ends++;
}

static ssize_t
on_give(void *ctx, struct mux_stream *s, uint8_t *buf, size_t max)
{
	struct flow *f = mux_owner(s);
	size_t	     n = f->to_send - f->sent;

	(void)ctx;
	ck_assert(!f->let_go && f->closes == 0);
	if (n == 0)
		return 0;
	if (n > f->give_max)
		n = f->give_max;
	if (n > max)
		n = max;
	for (size_t i = 0; i < n; i++)
		buf[i] = byte_of(f, f->side, f->sent + i);
	f->sent += n;
	return n > 0 ? (ssize_t)n : -EAGAIN;
}

static void
on_closed(void *ctx, struct mux_stream *s, enum mux_end why)
{
	struct flow *f = mux_owner(s);

	(void)ctx;
	if (f == NULL) /* asked, and not answered */
		for (f = flow[FAR]; f->s != s; f++)
			if (f == &flow[FAR][FLOWS - 1])
				return;
	f->closes++;
	f->why = why;
	f->s = NULL;
}

static const struct mux_ops ops = { on_request, on_response, on_take, NULL,
	on_ended, on_give, on_closed };

/* -- the world -- */

static void
setup(void)
{
	memset(flow, 0, sizeof(flow));
	for (int side = 0; side < 2; side++)
		for (unsigned i = 0; i < FLOWS; i++) {
			flow[side][i].n = i;
			flow[side][i].side = side;
			flow[side][i].give_max = flow[side][i].take_max = MIB;
		}
	opened = asked = 0;
	seed = 1;
	later = false;
	now = 1000;
	conf = (struct mux_conf){ .max_streams = 1000, .window = 64 * KIB,
		.window_max = MIB, .queue_max = 16 * MIB, .ping_ms = 30000,
		.ping_timeout_ms = 10000 };
	rq = (struct mux_request){ .authority = "server.example:443" };
}

static void
join(void)
{
	for (int side = 0; side < 2; side++) {
		conf.far = side == FAR;
		ck_assert_int_eq(mux_new(&conf, &ops, &mux[side], now,
		    &mux[side]), 0);
		wire[side].len = 0;
	}
}

static void
teardown(void)
{
	for (int side = 0; side < 2; side++) {
		mux_free(&mux[side]);
		free(wire[side].p);
		wire[side] = (struct wire){ 0 };
	}
}

static void
append(struct wire *w, const uint8_t *p, size_t n)
{
	if (w->len + n > w->size) {
		w->size = (w->len + n) * 2;
		w->p = realloc(w->p, w->size);
		ck_assert_ptr_nonnull(w->p);
	}
	memcpy(w->p + w->len, p, n);
	w->len += n;
}

/* What one side has to say, as much as a transport of so many bytes holds. */
static void
speak(enum side from, size_t holds)
{
	const uint8_t *p;
	ssize_t	       n;

	while (wire[from].len < holds && (n = mux_out(mux[from], &p, now)) > 0)
		append(&wire[from], p, (size_t)n);
}

static void
hear(enum side from, size_t n)
{
	struct wire *w = &wire[from];
	uint8_t	    *p;

	if (n > w->len)
		n = w->len;
	if (n == 0)
		return;
	p = malloc(n); /* by itself, so that nobody reads past it unseen */
	memcpy(p, w->p, n);
	memmove(w->p, w->p + n, w->len - n);
	w->len -= n;
	mux_in(mux[!from], p, n, now);
	free(p);
}

/* Both sides speak until neither has anything to say. */
static void
settle(void)
{
	do {
		for (int from = 0; from < 2; from++) {
			speak(from, 256 * KIB);
			hear(from, wire[from].len);
		}
	} while (mux_has_out(mux[0]) || mux_has_out(mux[1]) ||
	    wire[0].len + wire[1].len > 0);
}

static struct flow *
open_one(size_t to_send, size_t to_get)
{
	struct flow *f = &flow[NEAR][opened];

	f->to_send = to_send;
	flow[FAR][opened].to_send = to_get;
	ck_assert_int_eq(mux_open(mux[NEAR], &rq, f, &f->s), 0);
	opened++;
	return f;
}

/* -- the tests -- */

START_TEST(which_of_several_the_peer_is_is_known)
{
	static const struct {
		unsigned process, processes, want, of;
	} rows[] = { { 3, 4, 3, 4 }, { 1, 1, 1, 1 }, { 0, 0, 1, 1 },
		{ 5, 4, 1, 1 }, { 1, MUX_PROCESSES + 1, 1, 1 },
		{ MUX_PROCESSES, MUX_PROCESSES, MUX_PROCESSES, MUX_PROCESSES } };
	unsigned n, of;

	for (size_t i = 0; i < COUNT(rows); i++) {
		teardown();
		conf.process = rows[i].process;
		conf.processes = rows[i].processes;
		join();
		settle();
		mux_process(mux[FAR], &n, &of);
		ck_assert_uint_eq(n, rows[i].want);
		ck_assert_uint_eq(of, rows[i].of);
		ck_assert_int_eq(mux_why(mux[FAR], NULL), MUX_NONE);
	}
	conf.process = conf.processes = 0;
}
END_TEST

START_TEST(a_stream_carries_both_ways_and_ends_with_both_ends)
{
	struct flow *f, *g = &flow[FAR][0];

	join();
	ck_assert_int_eq(mux_may_open(mux[NEAR]), -EAGAIN); /* no SETTINGS */
	settle();
	snprintf(rq.via, sizeof(rq.via), "2.0 gw-a");
	snprintf(rq.device, sizeof(rq.device), "urn:dpoint:device:1");
	f = open_one(100000, 0);
	g->to_send = 300000;
	g->give_max = 0; /* its end comes later */
	settle();
	ck_assert_str_eq(last_rq.authority, "server.example:443");
	ck_assert_str_eq(last_rq.via, "2.0 gw-a");
	ck_assert_str_eq(last_rq.device, "urn:dpoint:device:1");
	ck_assert(f->status == 200 && f->answers == 1);
	ck_assert_uint_eq(g->got, 100000);
	ck_assert_uint_eq(g->ends, 1); /* half-closed */
	ck_assert(f->ends == 0 && f->closes == 0 && g->closes == 0);
	g->give_max = 1000;
	mux_give(g->s);
	settle();
	ck_assert(f->got == 300000 && f->ends == 1);
	ck_assert(f->closes == 1 && f->why == MUX_CLOSED);
	ck_assert(g->closes == 1 && g->why == MUX_CLOSED);
}
END_TEST

START_TEST(a_refusal_says_why)
{
	struct flow *f;

	join();
	settle();
	snprintf(rq.authority, sizeof(rq.authority), "refuse.example:1");
	f = open_one(10, 0);
	settle();
	ck_assert_uint_eq(f->status, 508);
	ck_assert_str_eq(f->text, "gw; error=proxy_loop_detected");
	ck_assert(f->answers == 1 && f->closes == 0 && f->sent == 0);
	ck_assert_int_eq(mux_why(mux[NEAR], NULL), MUX_NONE);
	mux_drain(mux[NEAR]);
	settle();
	ck_assert_int_eq(mux_why(mux[NEAR], NULL), MUX_DONE); /* none is left */
	ck_assert_int_eq(mux_why(mux[FAR], NULL), MUX_DONE);
}
END_TEST

START_TEST(an_answer_may_come_later_and_the_asker_may_leave_first)
{
	struct flow *f, *g = flow[FAR];

	later = true;
	join();
	settle();
	f = open_one(1000, 1000);
	open_one(1000, 1000);
	open_one(1000, 1000);
	settle();
	ck_assert(asked == 3 && f->answers == 0 && f->sent == 0);
	mux_reset(f[1].s);
	f[1].let_go = true;
	settle();
	ck_assert(g[1].closes == 1 && g[1].why == MUX_RESET);
	mux_accept(g[0].s, &g[0]);
	mux_refuse(g[2].s, 502, NULL);
	settle();
	ck_assert(f[0].why == MUX_CLOSED && f[0].got == 1000 && g[0].got == 1000);
	ck_assert(f[2].status == 502 && f[2].text[0] == '\0');
}
END_TEST

START_TEST(a_reset_is_told_and_both_let_go)
{
	struct flow *f, *g = flow[FAR];

	join();
	settle();
	f = open_one(SIZE_MAX, SIZE_MAX);
	f->give_max = g->give_max = 0;
	open_one(SIZE_MAX, SIZE_MAX);
	f[1].give_max = g[1].give_max = 0;
	settle();
	mux_reset(f[0].s);
	f[0].let_go = true;
	mux_reset(g[1].s);
	g[1].let_go = true;
	settle();
	ck_assert(g[0].closes == 1 && g[0].why == MUX_RESET);
	ck_assert(f[1].closes == 1 && f[1].why == MUX_RESET);
	ck_assert(f[0].closes == 0 && g[1].closes == 0);
	mux_drain(mux[NEAR]);
	settle();
	ck_assert_int_eq(mux_why(mux[FAR], NULL), MUX_DONE); /* all are gone */
}
END_TEST

START_TEST(what_stalls_waits_within_its_window_and_stalls_nobody)
{
	struct flow	*f, *g = flow[FAR];
	struct mux_stats st;

	join();
	settle();
	g[0].take_max = 0;
	f = open_one(SIZE_MAX, 0);
	f[0].give_max = 1000;
	settle();
	ck_assert_uint_eq(mux_waiting(g[0].s), 64 * KIB);
	open_one(20 * MIB, 0);
	settle();
	ck_assert_uint_eq(g[1].got, 20 * MIB);
	ck_assert_uint_eq(mux_waiting(g[0].s), 64 * KIB);
	mux_stats(mux[FAR], &st);
	ck_assert_uint_eq(st.queued, 64 * KIB);
	/* it takes a little, and gets as much */
	g[0].take_max = 40000;
	mux_take(g[0].s);
	g[0].take_max = 0;
	settle();
	ck_assert_uint_eq(mux_waiting(g[0].s), 64 * KIB);
	ck_assert_uint_eq(g[0].got, 40000);
}
END_TEST

START_TEST(the_window_of_who_keeps_up_grows_to_its_limit)
{
	struct flow *f, *g = flow[FAR];
	size_t	     most = 0;

	join();
	settle();
	f = open_one(30 * MIB, 0);
	speak(NEAR, 64 * MIB);
	hear(NEAR, SIZE_MAX); /* one window, as if the line were long */
	speak(FAR, MIB);
	hear(FAR, SIZE_MAX);
	speak(NEAR, 64 * MIB);
	ck_assert_uint_lt(f->sent, 65 * KIB);
	while (f->sent < 25 * (size_t)MIB) {
		hear(NEAR, SIZE_MAX);
		speak(FAR, MIB);
		hear(FAR, SIZE_MAX);
		speak(NEAR, 64 * MIB);
		if (wire[NEAR].len > most)
			most = wire[NEAR].len;
	}
	ck_assert_uint_gt(most, 1000 * KIB);
	ck_assert_uint_lt(most, 1030 * KIB);
	g->take_max = 0; /* and now it stalls: no more than that waits */
	settle();
	ck_assert_uint_le(mux_waiting(g->s), MIB);
}
END_TEST

START_TEST(streams_take_turns)
{
	struct flow *g = flow[FAR];

	join();
	settle();
	for (int i = 0; i < 20; i++) {
		flow[NEAR][i].give_max = i % 2 == 0 ? MIB : 3000;
		(void)open_one(SIZE_MAX, 0);
	}
	for (int i = 0; i < 2000; i++) {
		speak(FAR, MIB);
		hear(FAR, SIZE_MAX);
		speak(NEAR, 16 * KIB); /* the transport is what is slow */
		hear(NEAR, SIZE_MAX);
	}
	for (int i = 2; i < 20; i++) {
		ck_assert_uint_gt(g[i].got, g[0].got * 8 / 10);
		ck_assert_uint_lt(g[i].got, g[0].got * 12 / 10);
	}
	ck_assert_uint_gt(g[0].got, MIB);
}
END_TEST

START_TEST(when_too_much_waits_the_fullest_stream_goes)
{
	struct flow	*f = flow[NEAR], *g = flow[FAR];
	struct mux_stats st;

	conf.queue_max = 200 * KIB;
	join();
	settle();
	for (int i = 0; i < 3; i++) {
		g[i].take_max = 0;
		(void)open_one(i == 1 ? 64 * KIB : 50 * KIB, 0);
	}
	settle();
	mux_stats(mux[FAR], &st);
	ck_assert_uint_eq(st.queued, 164 * KIB);
	g[3].take_max = 0;
	(void)open_one(50 * KIB, 0);
	settle();
	ck_assert(g[1].closes == 1 && g[1].why == MUX_OVERFLOW);
	ck_assert(f[1].closes == 1 && f[1].why == MUX_RESET);
	ck_assert(g[0].closes + g[2].closes + g[3].closes == 0);
	mux_stats(mux[FAR], &st);
	ck_assert_uint_eq(st.queued, 150 * KIB);
}
END_TEST

/* However many he fills: few looks at all of them, and an eighth is free then. */
START_TEST(a_peer_that_fills_many_streams_is_shed_at_once)
{
	struct flow	*g = flow[FAR];
	struct mux_stats st;
	unsigned	 closes = 0;

	conf.queue_max = FLOWS * 4 * KIB - 1;
	join();
	settle();
	for (int i = 0; i < FLOWS; i++) {
		g[i].take_max = 0;
		(void)open_one(4 * KIB, 0);
	}
	settle();
	mux_stats(mux[FAR], &st);
	ck_assert_uint_le(st.queued, conf.queue_max - conf.queue_max / 8);
	for (int i = 0; i < FLOWS; i++)
		closes += g[i].closes;
	ck_assert(closes >= FLOWS / 8 && closes <= FLOWS / 8 + 1);
}
END_TEST

START_TEST(the_peer_limits_streams_and_a_drain_refuses_new_ones)
{
	struct flow *f = flow[NEAR];

	conf.max_streams = 3;
	join();
	settle();
	for (int i = 0; i < 3; i++) {
		f[i].give_max = 0;
		(void)open_one(1, 0);
	}
	ck_assert_int_eq(mux_may_open(mux[NEAR]), -EAGAIN);
	settle();
	f[0].give_max = 1;
	mux_give(f[0].s);
	settle();
	ck_assert_uint_eq(f[0].closes, 1);
	ck_assert_int_eq(mux_may_open(mux[NEAR]), 0);
	mux_drain(mux[FAR]);
	settle();
	ck_assert_int_eq(mux_may_open(mux[NEAR]), -ESHUTDOWN);
	now += 1000;
	mux_tick(mux[FAR], now);
	settle();
	ck_assert_int_eq(mux_why(mux[FAR], NULL), MUX_NONE); /* two live on */
	for (int i = 1; i < 3; i++) {
		f[i].give_max = 1;
		mux_give(f[i].s);
	}
	settle();
	ck_assert_int_eq(mux_why(mux[FAR], NULL), MUX_DONE);
	ck_assert_int_eq(mux_why(mux[NEAR], NULL), MUX_DONE);
	ck_assert(f[1].why == MUX_CLOSED && f[2].closes == 1);
}
END_TEST

START_TEST(one_whose_numbers_are_used_up_drains)
{
	struct flow *f;

	join();
	settle();
	ck_assert_int_eq(nghttp2_session_set_next_stream_id(mux[NEAR]->session,
			     INT32_MAX - 2), 0);
	f = open_one(1000, 0);
	f->give_max = 0;
	ck_assert_int_eq(mux_may_open(mux[NEAR]), -ESHUTDOWN);
	settle();
	ck_assert(!mux_is_draining(mux[FAR]) && f->status == 200);
	mux_tick(mux[NEAR], now);
	settle();
	ck_assert(mux_is_draining(mux[NEAR]) && mux_is_draining(mux[FAR]));
	ck_assert_int_eq(mux_why(mux[NEAR], NULL), MUX_NONE); /* it lives on */
	f->give_max = 1000;
	mux_give(f->s);
	settle();
	ck_assert(f->closes == 1 && f->why == MUX_CLOSED);
	ck_assert_uint_eq(flow[FAR][0].got, 1000);
	ck_assert_int_eq(mux_why(mux[NEAR], NULL), MUX_DONE);
}
END_TEST

START_TEST(what_a_goaway_leaves_out_may_go_elsewhere)
{
	struct flow *f;

	join();
	settle();
	mux_drain(mux[FAR]);
	now += 1000;
	mux_tick(mux[FAR], now); /* GOAWAY, and the stream crosses it */
	f = open_one(10, 0);
	speak(FAR, MIB);
	speak(NEAR, MIB);
	hear(FAR, SIZE_MAX);
	hear(NEAR, SIZE_MAX);
	settle();
	ck_assert(f->closes == 1 && f->why == MUX_REFUSED && asked == 0);
}
END_TEST

START_TEST(a_peer_that_is_silent_is_given_up)
{
	const char *text;

	join();
	now += 9999;
	mux_tick(mux[NEAR], now);
	ck_assert_int_eq(mux_why(mux[NEAR], NULL), MUX_NONE);
	mux_tick(mux[NEAR], ++now);
	ck_assert_int_eq(mux_why(mux[NEAR], &text), MUX_SETTINGS_LATE);
	ck_assert_int_eq(mux_may_open(mux[NEAR]), -ESHUTDOWN);
}
END_TEST

START_TEST(pings_are_answered_or_end_it)
{
	struct mux_stats st;
	struct flow	*f;

	join();
	settle();
	f = open_one(1, 1);
	f->give_max = 0;
	for (int i = 0; i < 5; i++) {
		now += 30000;
		mux_tick(mux[NEAR], now);
		mux_tick(mux[FAR], now);
		speak(NEAR, MIB);
		now += 77;
		settle();
	}
	mux_stats(mux[NEAR], &st);
	ck_assert_uint_eq(st.rtt_ms, 77);
	now += 30000;
	mux_tick(mux[NEAR], now);
	now += 9999;
	mux_tick(mux[NEAR], now);
	ck_assert_int_eq(mux_why(mux[NEAR], NULL), MUX_NONE);
	mux_tick(mux[NEAR], ++now);
	ck_assert_int_eq(mux_why(mux[NEAR], NULL), MUX_PING_LATE);
	ck_assert_uint_eq(f->closes, 0);
	mux_free(&mux[NEAR]);
	ck_assert(f->closes == 1 && f->why == MUX_LOST);
}
END_TEST

/* Nobody answers a PING that it has not read. */
START_TEST(a_blind_answer_to_a_ping_is_none)
{
	static const uint8_t blind[] = { 0, 0, 8, 6, 1, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0 };

	join();
	settle();
	now += 30000;
	mux_tick(mux[FAR], now);
	for (int i = 0; i < 9; i++) {
		now += 1000;
		mux_in(mux[FAR], blind, sizeof(blind), now);
		mux_tick(mux[FAR], now);
		ck_assert_int_eq(mux_why(mux[FAR], NULL), MUX_NONE);
	}
	now += 1000;
	mux_tick(mux[FAR], now);
	ck_assert_int_eq(mux_why(mux[FAR], NULL), MUX_PING_LATE);
}
END_TEST

/* What is refused or reset is owed until it is said, whoever ends it first. */
START_TEST(what_the_peer_was_not_told_is_known)
{
	struct mux_stats st;

	join();
	settle();
	snprintf(rq.authority, sizeof(rq.authority), "refuse0:1");
	for (unsigned i = 0; i < 10; i++)
		(void)open_one(0, 0);
	speak(NEAR, MIB);
	hear(NEAR, SIZE_MAX);
	mux_stats(mux[FAR], &st);
	ck_assert(st.owed == 10 && st.streams == 10);
	for (unsigned i = 0; i < 3; i++)
		mux_reset(flow[NEAR][i].s);
	mux_stats(mux[NEAR], &st);
	ck_assert_uint_eq(st.owed, 3);
	speak(NEAR, MIB);
	hear(NEAR, SIZE_MAX);
	for (int side = 0; side < 2; side++) {
		mux_stats(mux[side], &st);
		ck_assert_uint_eq(st.owed, side == NEAR ? 0 : 7);
	}
	settle();
	mux_stats(mux[FAR], &st);
	ck_assert(st.owed == 0 && st.streams == 0);
}
END_TEST

/* All that a world of chance does, every byte in its place. */
START_TEST(whatever_the_pieces_and_stalls_every_byte_arrives)
{
	unsigned	 n;
	struct mux_stats st;

	seed = (uint64_t)_i * 7919 + 3;
	conf.window = 1 << (10 + rnd(8));
	conf.window_max = conf.window << rnd(4);
	n = 1 + (unsigned)rnd(40);
	join();
	settle();
	for (int turn = 0; turn < 4000 && (opened < n || turn < 400); turn++) {
		int	     side = (int)rnd(2);
		struct flow *f = &flow[side][rnd(n)];

		if (opened < n && rnd(10) == 0) {
			snprintf(rq.authority, sizeof(rq.authority), "%s%u:1",
			    rnd(12) == 0 ? "refuse" : "server", opened);
			(void)open_one(rnd(4) * rnd(100000), rnd(300000));
		}
		if (f->s != NULL && f->closes == 0 && rnd(60) == 0 &&
		    f->to_send > 200000 && mux_owner(f->s) != NULL) {
			mux_reset(f->s);
			f->let_go = true;
			f->s = NULL;
		} else if (f->s != NULL && mux_owner(f->s) != NULL) {
			f->take_max = rnd(3) * rnd(5000);
			f->give_max = rnd(3) * rnd(5000);
			mux_take(f->s);
			if (f->s != NULL)
				mux_give(f->s);
		}
		speak(side, rnd(40000));
		hear((enum side)rnd(2), rnd(3) == 0 ? rnd(20) : rnd(30000));
		for (int s = 0; s < 2; s++) {
			mux_stats(mux[s], &st);
			ck_assert_uint_le(st.queued, n * conf.window_max);
		}
	}
	for (int side = 0; side < 2; side++)
		for (unsigned i = 0; i < FLOWS; i++)
			flow[side][i].take_max = flow[side][i].give_max = MIB;
	for (int again = 0; again < 3; again++) {
		settle();
		for (int side = 0; side < 2; side++)
			for (unsigned i = 0; i < n; i++) {
				struct flow *f = &flow[side][i];

				if (f->s != NULL && mux_owner(f->s) != NULL)
					mux_take(f->s);
				if (f->s != NULL && mux_owner(f->s) != NULL)
					mux_give(f->s);
			}
	}
	settle();
	for (unsigned i = 0; i < n; i++) {
		struct flow *f = &flow[NEAR][i], *g = NULL;

		ck_assert_ptr_null(f->s);
		if (f->status == 508) {
			ck_assert_uint_eq(f->sent, 0);
			continue;
		}
		g = &flow[FAR][i];
		ck_assert_ptr_null(g->s);
		ck_assert_uint_eq(f->closes + f->let_go, 1);
		if (f->let_go && g->closes == 0)
			continue; /* before it was even asked, or both at once */
		if (f->why == MUX_CLOSED && g->why == MUX_CLOSED &&
		    !f->let_go && !g->let_go) {
			ck_assert_uint_eq(g->got, f->to_send);
			ck_assert_uint_eq(f->got, g->to_send);
			ck_assert(f->ends == 1 && g->ends == 1);
		} else
			ck_assert(f->let_go || g->let_go);
	}
	for (int s = 0; s < 2; s++) {
		mux_stats(mux[s], &st);
		ck_assert(st.streams == 0 && st.queued == 0);
		ck_assert_int_eq(mux_why(mux[s], NULL), MUX_NONE);
	}
}
END_TEST

/* -- peers that lie -- */

static struct wire raw;

static void
frame(uint8_t type, uint8_t flags, uint32_t id, const void *p, size_t n)
{
	const uint8_t head[9] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8),
		(uint8_t)n, type, flags, (uint8_t)(id >> 24),
		(uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };

	append(&raw, head, 9);
	append(&raw, p, n);
}

static const uint8_t connect_block[] = "\x02\x07"
				       "CONNECT\x01\x05s.e:1"; /* and a NUL */
#define CONNECT connect_block, sizeof(connect_block) - 1
#define DATA	0
#define HEADERS 1
#define RST	3
#define SETTINGS 4
#define PING	6
#define GOAWAY	7
#define UPDATE	8
#define CONT	9
#define END_HEADERS 4

static void
floods(uint8_t type, uint8_t flags, uint32_t id, const void *p, size_t n)
{
	for (int i = 0; i < 30000; i++)
		frame(type, flags, id, p, n);
}

static void
settings_flood(void)
{
	floods(SETTINGS, 0, 0, "", 0);
}
static void
ping_flood(void)
{
	floods(PING, 0, 0, "12345678", 8);
}
static void
ping_answers(void)
{
	floods(PING, 1, 0, "12345678", 8);
}
static void
rapid_reset(void)
{
	for (uint32_t i = 0; i < 5000; i++) {
		frame(HEADERS, END_HEADERS, 2 * i + 1, CONNECT);
		frame(RST, 0, 2 * i + 1, "\0\0\0\x08", 4);
	}
}
static void
no_connect(void)
{
	static const uint8_t get[] = "\x82\x84\x86\x01\x01s"; /* GET / http */

	for (uint32_t i = 0; i < 5000; i++)
		frame(HEADERS, END_HEADERS | 1, 2 * i + 1, get, sizeof(get) - 1);
}
static void
streams_without_end(void)
{
	for (uint32_t i = 0; i < 5000; i++)
		frame(HEADERS, END_HEADERS, 2 * i + 1, CONNECT);
}
static void
streams_acknowledged(void)
{
	frame(SETTINGS, 1, 0, "", 0);
	streams_without_end();
}
static void
long_headers(void)
{
	static uint8_t b[20000] = "\x02\x07"
				  "CONNECT\x01\x05s.e:1\x00\x01x\x7f\x81\x4d";

	memset(b + 22, 'a', sizeof(b) - 22); /* a value of 10,000 bytes */
	frame(HEADERS, 0, 1, b, 10000);
	frame(CONT, END_HEADERS, 1, b + 10000, 2000);
}
static void
long_via(void)
{
	static uint8_t b[800] = "\x02\x07"
				"CONNECT\x01\x05s.e:1\x00\x03via\x7f\xd9\x04";

	memset(b + 24, 'a', sizeof(b) - 24); /* 127 + 0x59 + 4 * 128 = 728 */
	frame(HEADERS, END_HEADERS, 1, b, 24 + 728);
}
static void
continuation_flood(void)
{
	frame(HEADERS, 0, 1, CONNECT);
	floods(CONT, 0, 1, "", 0);
}
static void
dynamic_table_bomb(void)
{
	static uint8_t b[8000] = "\x02\x07"
				 "CONNECT\x01\x05s.e:1\x40\x01x\x7f\x81\x17";

	memset(b + 22, 'a', 3072);	/* one large field is remembered ... */
	memset(b + 22 + 3072, 0xbe, 4000); /* ... and named 4,000 times */
	frame(HEADERS, END_HEADERS, 1, b, 22 + 3072 + 4000);
}
static void
past_the_stream_window(void)
{
	static const uint8_t zeros[16384];

	frame(HEADERS, END_HEADERS, 1, CONNECT);
	for (int i = 0; i < 20; i++)
		frame(DATA, 0, 1, zeros, sizeof(zeros));
}
static void
window_beyond_31_bits(void)
{
	frame(UPDATE, 0, 0, "\x7f\xff\xff\xff", 4);
}
static void
stream_window_beyond_31_bits(void)
{
	frame(HEADERS, END_HEADERS, 1, CONNECT);
	frame(UPDATE, 0, 1, "\x7f\xff\xff\xff", 4);
}
static void
window_update_flood(void)
{
	floods(UPDATE, 0, 0, "\0\0\0\x01", 4);
}
static void
empty_data(void)
{
	frame(HEADERS, END_HEADERS, 1, CONNECT);
	floods(DATA, 0, 1, "", 0);
}
static void
only_padding(void)
{
	static const uint8_t pad[17] = { 16 };

	frame(HEADERS, END_HEADERS, 1, CONNECT);
	floods(DATA, 8, 1, pad, sizeof(pad));
}
static void
priorities(void)
{
	floods(2, 0, 3, "\0\0\0\0\x10", 5);
}
static void
a_frame_too_long(void)
{
	static const uint8_t zeros[16385];

	frame(PING, 0, 0, zeros, sizeof(zeros));
}
static void
data_of_no_stream(void)
{
	frame(DATA, 0, 7, "x", 1);
}
static void
gives_up(void)
{
	frame(GOAWAY, 0, 0, "\0\0\0\0\0\0\0\x0bsleepy\n", 15);
}

static const struct {
	void (*speaks)(void);
	const char   *word, *text;
	unsigned      max_streams;
	enum mux_why  why;
} hostile[] = {
	{ settings_flood, "settings-flood", NULL, 0, MUX_SETTINGS },
	{ ping_flood, "ping-flood", NULL, 0, MUX_PINGS },
	{ ping_answers, "ping-flood", NULL, 0, MUX_PINGS },
	{ rapid_reset, "rapid-reset", NULL, 0, MUX_RESETS },
	{ no_connect, "rapid-reset", NULL, 0, MUX_RESETS },
	{ streams_without_end, "streams-flood", NULL, 50, MUX_STREAMS },
	{ streams_acknowledged, NULL, NULL, 50, MUX_STREAMS },
	{ long_headers, "headers", "headers too long", 0, MUX_HEADERS },
	{ long_via, "headers", "headers too long", 0, MUX_HEADERS },
	{ continuation_flood, "headers", "too many CONTINUATION frames", 0,
	    MUX_HEADERS },
	{ dynamic_table_bomb, "headers", "headers too long", 0, MUX_HEADERS },
	{ past_the_stream_window, "flow-control", NULL, 0, MUX_WINDOW },
	{ window_beyond_31_bits, NULL, NULL, 0, MUX_WINDOW },
	{ stream_window_beyond_31_bits, "flow-control", NULL, 0, MUX_WINDOW },
	{ window_update_flood, "window-update-flood", NULL, 0, MUX_UPDATES },
	{ empty_data, "empty-frames", NULL, 0, MUX_EMPTY },
	{ only_padding, "empty-frames", NULL, 0, MUX_EMPTY },
	{ priorities, "empty-frames", NULL, 0, MUX_EMPTY },
	{ a_frame_too_long, NULL, NULL, 0, MUX_PROTOCOL },
	{ data_of_no_stream, NULL, NULL, 0, MUX_PROTOCOL },
	{ gives_up, NULL, "ENHANCE_YOUR_CALM: sleepy?", 0, MUX_PEER },
};

/* Whether a GOAWAY, with that word in it, is in what was said. */
static bool
said_goaway(const struct wire *w, const char *word)
{
	for (size_t at = 0; at + 9 <= w->len;) {
		size_t n = (size_t)w->p[at] << 16 | (size_t)w->p[at + 1] << 8 |
		    w->p[at + 2];

		if (w->p[at + 3] == GOAWAY)
			return word == NULL || (n == 8 + strlen(word) &&
			    memcmp(w->p + at + 17, word, n - 8) == 0);
		at += 9 + n;
	}
	return false;
}

START_TEST(a_hostile_peer_has_one_reason_and_a_goaway)
{
	const char *text;
	size_t	    step = 1 + (size_t)_i * 777;

	later = true; /* nobody is answered */
	conf.far = true;
	if (hostile[_i].max_streams > 0)
		conf.max_streams = hostile[_i].max_streams;
	ck_assert_int_eq(mux_new(&conf, &ops, &mux[FAR], now, &mux[FAR]), 0);
	raw.len = 0;
	append(&raw, (const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	frame(SETTINGS, 0, 0, "", 0);
	hostile[_i].speaks();
	for (size_t at = 0; at < raw.len; at += step) {
		mux_in(mux[FAR], raw.p + at,
		    raw.len - at < step ? raw.len - at : step, now);
		speak(FAR, SIZE_MAX);
	}
	speak(FAR, SIZE_MAX);
	ck_assert_msg(mux_why(mux[FAR], &text) == hostile[_i].why,
	    "%d: ended with %s, %s", _i, mux_why_word(mux_why(mux[FAR], NULL)),
	    text);
	if (hostile[_i].text != NULL)
		ck_assert_str_eq(text, hostile[_i].text);
	ck_assert_msg(said_goaway(&wire[FAR], hostile[_i].word),
	    "%d: no GOAWAY", _i);
	ck_assert(!mux_has_out(mux[FAR]));
	free(raw.p);
	raw = (struct wire){ 0 };
}
END_TEST

START_TEST(a_far_end_that_lies_has_one_reason_too)
{
	static const uint8_t ok[] = { 0x88 };
	static const uint8_t zeros[16384];
	struct flow	    *f;

	conf.far = false;
	ck_assert_int_eq(mux_new(&conf, &ops, &mux[NEAR], now, &mux[NEAR]), 0);
	raw.len = 0;
	frame(SETTINGS, 0, 0, "", 0);
	mux_in(mux[NEAR], raw.p, raw.len, now);
	f = open_one(0, 0);
	f->take_max = 0;
	speak(NEAR, SIZE_MAX);
	raw.len = 0;
	frame(HEADERS, END_HEADERS, 1, ok, 1);
	for (int i = 0; i < 20; i++)
		frame(DATA, 0, 1, zeros, sizeof(zeros));
	f->side = NEAR;
	mux_in(mux[NEAR], raw.p, raw.len, now);
	speak(NEAR, SIZE_MAX);
	ck_assert_int_eq(mux_why(mux[NEAR], NULL), MUX_WINDOW);
	free(raw.p);
	raw = (struct wire){ 0 };
}
END_TEST

/* All is said before it is answered, and then it does not wait for that. */
START_TEST(who_is_gone_can_still_be_refused)
{
	struct mux_stats st;

	later = true;
	conf.far = true;
	ck_assert_int_eq(mux_new(&conf, &ops, &mux[FAR], now, &mux[FAR]), 0);
	raw.len = 0;
	append(&raw, (const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	frame(SETTINGS, 0, 0, "", 0);
	frame(HEADERS, END_HEADERS, 1, CONNECT);
	frame(DATA, 1, 1, "x", 1);
	frame(RST, 0, 1, "\0\0\0\0", 4);
	mux_in(mux[FAR], raw.p, raw.len, now);
	ck_assert_ptr_nonnull(flow[FAR][0].s);
	ck_assert_uint_eq(mux_waiting(flow[FAR][0].s), 1);
	mux_refuse(flow[FAR][0].s, 502, NULL);
	speak(FAR, SIZE_MAX);
	mux_stats(mux[FAR], &st);
	ck_assert(st.streams == 0 && st.queued == 0);
	free(raw.p);
	raw = (struct wire){ 0 };
}
END_TEST

START_TEST(a_server_of_something_else_is_no_far_end)
{
	static const char hello[] = "HTTP/1.1 400 Bad Request\r\n\r\nwhatever this is";

	join();
	mux_in(mux[NEAR], (const uint8_t *)hello, sizeof(hello) - 1, now);
	speak(NEAR, SIZE_MAX);
	ck_assert_int_eq(mux_why(mux[NEAR], NULL), MUX_PROTOCOL);
	mux_in(mux[FAR], (const uint8_t *)hello, sizeof(hello) - 1, now);
	ck_assert_int_eq(mux_why(mux[FAR], NULL), MUX_PROTOCOL);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("gateway mux");
	TCase	*t = tcase_create("gateway mux");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, which_of_several_the_peer_is_is_known);
	tcase_add_test(t, a_stream_carries_both_ways_and_ends_with_both_ends);
	tcase_add_test(t, a_refusal_says_why);
	tcase_add_test(t, an_answer_may_come_later_and_the_asker_may_leave_first);
	tcase_add_test(t, a_reset_is_told_and_both_let_go);
	tcase_add_test(t, what_stalls_waits_within_its_window_and_stalls_nobody);
	tcase_add_test(t, the_window_of_who_keeps_up_grows_to_its_limit);
	tcase_add_test(t, streams_take_turns);
	tcase_add_test(t, when_too_much_waits_the_fullest_stream_goes);
	tcase_add_test(t, a_peer_that_fills_many_streams_is_shed_at_once);
	tcase_add_test(t, the_peer_limits_streams_and_a_drain_refuses_new_ones);
	tcase_add_test(t, one_whose_numbers_are_used_up_drains);
	tcase_add_test(t, what_a_goaway_leaves_out_may_go_elsewhere);
	tcase_add_test(t, a_peer_that_is_silent_is_given_up);
	tcase_add_test(t, pings_are_answered_or_end_it);
	tcase_add_test(t, a_blind_answer_to_a_ping_is_none);
	tcase_add_test(t, what_the_peer_was_not_told_is_known);
	tcase_add_loop_test(t, whatever_the_pieces_and_stalls_every_byte_arrives,
	    0, 100);
	tcase_add_loop_test(t, a_hostile_peer_has_one_reason_and_a_goaway, 0,
	    COUNT(hostile));
	tcase_add_test(t, a_far_end_that_lies_has_one_reason_too);
	tcase_add_test(t, who_is_gone_can_still_be_refused);
	tcase_add_test(t, a_server_of_something_else_is_no_far_end);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
