/*
 * tests/unit/check_mcast_sending.c - a session's sender in virtual time, with
 * receivers that lose, lie, or are silent.
 * SPDX-License-Identifier: ISC
 */
#include "common/alc.h"
#include "common/rs.h"
#include "dp-mcast/sender.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS	UINT64_C(1000000)
#define E	1432
#define BLOCK	200
#define BLOCKS	12
#define LENGTH	(UINT64_C(1432) * BLOCK * (BLOCKS - 1) + 100000)
#define WORLD	8 /* receivers */

static struct receiver {
	uint8_t	 got[BLOCKS][255];
	uint16_t n[BLOCKS];
	uint32_t complete, received, top, told;
	uint64_t reported;
	unsigned loss; /* percent */
	bool	 mute, done;
} receivers[WORLD];

static struct sender   *s;
static struct alc_blocks blocks;
static uint64_t		now, counter, symbols;
static unsigned		rng, nreceivers;
static int		read_error;
static uint8_t		*kept[255]; /* symbols of block 1, as sent */
static bool		aborted, ended;

static uint8_t
byte_at(uint64_t i)
{
	return (uint8_t)(i * 31 + i / 7919);
}

static int
read_bytes(void *ctx, uint64_t offset, void *buf, size_t len)
{
	uint8_t *p = buf;

	(void)ctx;
	ck_assert_uint_le(offset + len, LENGTH);
	for (size_t i = 0; i < len; i++)
		p[i] = byte_at(offset + i);
	return read_error;
}

static bool
is_lost(unsigned percent)
{
	rng = rng * 1103515245 + 12345;
	return (rng >> 16) % 100 < percent;
}

static void
begin(uint64_t rate, unsigned n)
{
	const struct sender_conf c = { .length = LENGTH, .symbol = E,
		.block = BLOCK, .symbols = 255, .depth = 8, .receivers = n,
		.overhead = 82, .rate = rate, .read = read_bytes };

	memset(receivers, 0, sizeof(receivers));
	rng = 1;
	now = 1000 * MS;
	counter = 1;
	symbols = 0;
	nreceivers = n;
	read_error = 0;
	aborted = ended = false;
	ck_assert_int_eq(alc_blocks_init(&blocks, LENGTH, E, BLOCK), 0);
	ck_assert_uint_eq(blocks.count, BLOCKS);
	ck_assert_int_eq(sender_new(&s, &c), 0);
}

static void
end(void)
{
	sender_free(&s);
	for (int i = 0; i < 255; i++) {
		free(kept[i]);
		kept[i] = NULL;
	}
}

static void
take(struct receiver *r, const struct sender_symbol *y, uint64_t number)
{
	unsigned k = alc_block_symbols(&blocks, y->sbn);

	if (is_lost(r->loss))
		return;
	r->received++;
	r->top = (uint32_t)number;
	if (r->got[y->sbn][y->esi] || r->n[y->sbn] == k)
		return;
	r->got[y->sbn][y->esi] = 1;
	if (++r->n[y->sbn] == k)
		r->complete++;
}

/* What a receiver that is told of this would say; 0: nothing. */
static int
say(struct receiver *r, const struct mcast_notice *n)
{
	struct mcast_report m = { .echo = n->time, .seen = r->top,
		.received = r->received, .expected = r->top - r->told,
		.complete = r->complete };

	if (r->mute || r->done || now - r->reported < 20 * MS)
		return 0;
	for (uint32_t b = 0; b < n->frontier && m.n < MCAST_REPORT_BLOCKS; b++)
		if (r->n[b] < alc_block_symbols(&blocks, b))
			m.block[m.n++] = (struct mcast_report_block){ b,
				(uint8_t)(alc_block_symbols(&blocks, b) -
				    r->n[b]) };
	if (r->complete == BLOCKS)
		m.flags = MCAST_DONE;
	else if (m.n == 0)
		return 0;
	r->done = r->complete == BLOCKS;
	r->reported = now;
	r->told = r->top;
	r->received = 0;
	ck_assert(sender_admits(s, now));
	return sender_report(s, now, (uint32_t)(r - receivers), &m);
}

static void
keep(const struct sender_symbol *y)
{
	if (y->sbn != 1 || kept[y->esi] != NULL)
		return;
	kept[y->esi] = calloc(1, E);
	memcpy(kept[y->esi], y->p, y->len);
}

/* Runs until it is over, or so long. */
static void
run(uint64_t ms)
{
	struct sender_symbol out[44];
	struct mcast_notice  n;
	uint64_t	     until = now + ms * MS, wake;
	int		     k;

	while (sender_state(s) != SENDER_OVER && now < until) {
		if (sender_notice(s, now, counter, &n)) {
			counter++;
			ck_assert_uint_le(n.n, MCAST_NOTICE_BLOCKS);
			aborted |= (n.flags & MCAST_ABORT) != 0;
			ended |= (n.flags & MCAST_END) != 0;
			for (unsigned i = 0; i < nreceivers; i++)
				ck_assert_int_eq(say(&receivers[i], &n), 0);
		}
		k = sender_next(s, now, counter, out, 44);
		ck_assert(k >= 0 || (read_error < 0 && k == read_error));
		for (int i = 0; i < k; i++, counter++, symbols++) {
			ck_assert_uint_lt(out[i].sbn, BLOCKS);
			ck_assert_uint_lt(out[i].esi, 255);
			ck_assert_uint_eq(out[i].sbl,
			    alc_block_symbols(&blocks, out[i].sbn));
			keep(&out[i]);
			for (unsigned r = 0; r < nreceivers; r++)
				take(&receivers[r], &out[i], counter);
		}
		wake = sender_wake(s, now);
		if (k <= 0 && wake > now && sender_state(s) != SENDER_OVER)
			now = wake < until ? wake : until;
	}
}

#define SOURCE ((LENGTH + E - 1) / E)

START_TEST(without_loss_each_symbol_goes_once)
{
	struct sender_stats st;

	begin(50 * 1000 * 1000, 4);
	run(10000);
	sender_stats(s, &st);
	ck_assert_int_eq(sender_state(s), SENDER_OVER);
	ck_assert(ended && !aborted);
	ck_assert_uint_eq(st.done, 4);
	ck_assert_uint_eq(st.source_bytes, LENGTH);
	ck_assert_uint_eq(st.repair_bytes, 0);
	ck_assert_uint_eq(symbols, SOURCE + st.proactive_bytes / E);
	ck_assert_uint_le(st.proactive_bytes, LENGTH / 100);
	/* the ceiling: 3.4 MB on the wire at 50 MB/s */
	ck_assert_uint_ge(now - 1000 * MS, 60 * MS);
	ck_assert_uint_le(now - 1000 * MS, 1500 * MS);
	end();
}
END_TEST

START_TEST(loss_is_repaired_by_parity_that_decodes)
{
	struct sender_stats st;
	struct rs	   *rs;
	uint8_t		   *sym[BLOCK], missing[55], esi[55];
	const uint8_t	   *parity[55];
	unsigned	    e = 0;
	int		    k;

	begin(20 * 1000 * 1000, 4);
	for (int i = 0; i < 4; i++)
		receivers[i].loss = 5;
	run(60000);
	sender_stats(s, &st);
	ck_assert_uint_eq(st.done, 4);
	ck_assert(!aborted);
	ck_assert_uint_ge(symbols, SOURCE * 105 / 100);
	ck_assert_uint_le(symbols, SOURCE * 116 / 100);
	ck_assert_uint_ge(st.loss_median, 20);
	ck_assert_uint_le(st.loss_median, 90);
	/* block 1 again, from the parity that was sent for as many of its own */
	k = alc_block_symbols(&blocks, 1);
	for (int i = k; i < 255 && e < 55; i++)
		if (kept[i] != NULL) {
			parity[e] = kept[i];
			esi[e] = (uint8_t)i;
			missing[e] = (uint8_t)(e * 3);
			e++;
		}
	ck_assert_uint_ge(e, 1);
	for (int i = 0; i < k; i++)
		sym[i] = kept[i];
	for (unsigned i = 0; i < e; i++)
		memset(sym[missing[i]], 0, E);
	ck_assert_int_eq(rs_new((unsigned)k, &rs), 0);
	ck_assert_int_eq(rs_decode(rs, E, sym, missing, e, parity, esi), 0);
	rs_free(&rs);
	for (int i = 0; i < k; i++)
		for (int b = 0; b < E; b++)
			ck_assert_uint_eq(sym[i][b],
			    byte_at(alc_block_offset(&blocks, 1) +
				(uint64_t)i * E + (uint64_t)b));
	end();
}
END_TEST

START_TEST(nobody_who_answers_is_no_reason_to_go_on_for_ever)
{
	struct sender_stats st;

	begin(50 * 1000 * 1000, 3);
	for (int i = 0; i < 3; i++)
		receivers[i].mute = true;
	run(60000);
	sender_stats(s, &st);
	ck_assert_int_eq(sender_state(s), SENDER_OVER);
	ck_assert_uint_eq(st.heard, 0);
	ck_assert_uint_eq(st.repair_bytes, 0);
	ck_assert_uint_le(now, 15000 * MS);
	end();
}
END_TEST

START_TEST(where_notices_are_seldom_it_waits_for_four_of_them)
{
	struct sender_stats st;

	begin(100 * 1000, 2); /* they take 250 ms each at such a rate */
	receivers[0].mute = receivers[1].mute = true;
	do {
		run(20);
		sender_stats(s, &st);
	} while (st.frontier < BLOCKS);
	run(1200);
	ck_assert_int_eq(sender_state(s), SENDER_RUNS);
	run(2000);
	ck_assert_int_eq(sender_state(s), SENDER_OVER);
	end();
}
END_TEST

/* As they come: each report of one not heard before may be the first of many. */
START_TEST(fifty_thousand_receivers_come_one_by_one)
{
	struct mcast_report r = { 0 };
	struct sender_stats st;
	struct timespec	    from, to;

	begin(5 * 1000 * 1000, 0);
	run(50);
	r.seen = (uint32_t)counter - 1;
	r.held_ms = UINT16_MAX;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (uint32_t i = 0; i < 50000; i++) {
		ck_assert_int_eq(sender_receivers(s, i + 1), 0);
		ck_assert_int_eq(sender_receivers(s, i / 2), 0); /* fewer */
		ck_assert_int_eq(sender_report(s, now, i, &r), 0);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	ck_assert_int_lt((to.tv_sec - from.tv_sec) * 1000 +
	    (to.tv_nsec - from.tv_nsec) / 1000000, 1000);
	sender_stats(s, &st);
	ck_assert_uint_eq(st.receivers, 50000);
	ck_assert_uint_eq(st.heard, 50000);
	end();
}
END_TEST

START_TEST(what_there_never_was_counts_for_nothing)
{
	struct mcast_report good = { .echo = (uint32_t)(now / MS), .n = 1,
		.block = { { 0, 1 } } };
	struct mcast_report r;
	struct sender_stats before, st;

	begin(5 * 1000 * 1000, 2);
	receivers[0].mute = receivers[1].mute = true;
	run(300);
	sender_stats(s, &before);
	ck_assert_uint_ge(before.frontier, 1);
	good.echo = (uint32_t)(now / MS);
	good.seen = (uint32_t)counter - 1;
	good.received = good.expected = 10;
	r = good;
	r.block[0].sbn = before.frontier; /* not sent yet */
	ck_assert_int_eq(sender_report(s, now, 0, &r), -ERANGE);
	r = good;
	r.block[0].sbn = UINT32_MAX;
	ck_assert_int_eq(sender_report(s, now, 0, &r), -ERANGE);
	r = good;
	r.block[0].deficit = 255;
	ck_assert_int_eq(sender_report(s, now, 0, &r), -ERANGE);
	r = good;
	r.received = 11;
	ck_assert_int_eq(sender_report(s, now, 0, &r), -ERANGE);
	r = good;
	r.complete = BLOCKS + 1;
	ck_assert_int_eq(sender_report(s, now, 0, &r), -ERANGE);
	r = good;
	r.seen += 1000000;
	ck_assert_int_eq(sender_report(s, now, 0, &r), -ERANGE);
	r.seen = UINT32_MAX; /* of a number of 56 bits, nor one below 0 */
	ck_assert_int_eq(sender_report(s, now, 0, &r), -ERANGE);
	r = good;
	r.echo += 60000;
	ck_assert_int_eq(sender_report(s, now, 0, &r), -ERANGE);
	ck_assert_int_eq(sender_report(s, now, 2, &good), -ERANGE);
	sender_stats(s, &st);
	ck_assert_uint_eq(st.reports.range, 9);
	ck_assert_uint_eq(st.reports.taken, before.reports.taken);
	ck_assert_uint_eq(st.pending, 0);
	ck_assert_int_eq(sender_report(s, now, 0, &good), 0);
	sender_stats(s, &st);
	ck_assert_uint_eq(st.pending, 1);
	/* again and again: it needs no more than it says */
	for (int i = 0; i < 5; i++)
		(void)sender_report(s, now, 0, &good);
	sender_stats(s, &st);
	ck_assert_uint_eq(st.pending, 1);
	end();
}
END_TEST

START_TEST(forged_numbers_are_no_loss)
{
	struct mcast_report r = { .received = 10, .expected = 3000 };
	struct sender_receiver of;
	struct sender_stats before, st;

	begin(5 * 1000 * 1000, 2);
	receivers[0].mute = receivers[1].mute = true;
	run(300);
	sender_stats(s, &before);
	/* it heard a packet that an insider numbered 3,000 ahead */
	r.seen = (uint32_t)counter + 2999;
	for (int i = 0; i < 10; i++) {
		r.echo = (uint32_t)(now / MS);
		ck_assert_int_eq(sender_report(s, now, 0, &r), 0);
		run(20);
	}
	ck_assert_int_eq(sender_receiver(s, 0, &of), 0);
	ck_assert_uint_eq(of.loss, 0);
	sender_stats(s, &st);
	ck_assert_uint_ge(st.rate, before.rate);
	ck_assert_uint_eq(st.reports.taken, before.reports.taken + 10);
	/* the same of packets that there were is what it says */
	r.seen = (uint32_t)counter - 1;
	r.echo = (uint32_t)(now / MS);
	ck_assert_int_eq(sender_report(s, now, 0, &r), 0);
	ck_assert_int_eq(sender_receiver(s, 0, &of), 0);
	ck_assert_uint_gt(of.loss, 900);
	end();
}
END_TEST

START_TEST(a_flood_is_not_looked_at)
{
	struct sender_stats st;
	unsigned	    n = 0;

	begin(5 * 1000 * 1000, 2);
	run(100);
	for (int i = 0; i < 100000; i++)
		n += sender_admits(s, now);
	ck_assert_uint_lt(n, 2000);
	sender_stats(s, &st);
	ck_assert_uint_eq(st.reports.flood, 100000 - n);
	end();
}
END_TEST

START_TEST(abort_and_a_disk_that_fails_are_told)
{
	begin(5 * 1000 * 1000, 2);
	run(100);
	sender_abort(s, now);
	run(5000);
	ck_assert_int_eq(sender_state(s), SENDER_OVER);
	ck_assert(aborted);
	ck_assert_uint_le(now, 4000 * MS);
	end();
	begin(5 * 1000 * 1000, 2);
	run(100);
	read_error = -EIO;
	run(5000);
	ck_assert_int_eq(sender_state(s), SENDER_OVER);
	ck_assert(aborted);
	end();
}
END_TEST

static void
ask_for(uint32_t sbn, uint8_t deficit)
{
	struct mcast_report m = { .echo = (uint32_t)(now / MS),
		.seen = receivers[0].top, .n = 1, .block[0] = { sbn, deficit } };

	ck_assert_int_eq(sender_report(s, now, 0, &m), 0);
	run(100);
}

/* All 255 symbols of a block were sent, and the last of them lost in a row. */
START_TEST(what_goes_round_meets_what_was_lost_in_a_row)
{
	struct sender_stats st = { 0 };
	struct receiver	   *r = &receivers[0];
	uint16_t	    k;

	begin(5 * 1000 * 1000, 1);
	r->mute = true;
	while (st.frontier < BLOCKS) {
		run(10);
		sender_stats(s, &st);
	}
	k = alc_block_symbols(&blocks, 1);
	ask_for(1, (uint8_t)(255 - k));
	sender_stats(s, &st);
	ck_assert_uint_eq(st.repair_bytes, (uint64_t)(255 - k) * E);
	r->n[1] = (uint16_t)(k - 10);
	memset(r->got[1] + r->n[1], 0, 255 - r->n[1]);
	ask_for(1, 10);
	ck_assert_uint_ge(r->n[1], k - 4);
	ask_for(1, (uint8_t)(k - r->n[1]));
	ck_assert_uint_ge(r->n[1], k - 1);
	sender_stats(s, &st);
	ck_assert_uint_le(st.repair_bytes, (uint64_t)(255 - k + 50) * E);
	end();
}
END_TEST

int
main(void)
{
	Suite	*suite = suite_create("mcast_sending");
	TCase	*t = tcase_create("sender");
	SRunner *r = srunner_create(suite);
	int	 failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, without_loss_each_symbol_goes_once);
	tcase_add_test(t, loss_is_repaired_by_parity_that_decodes);
	tcase_add_test(t, nobody_who_answers_is_no_reason_to_go_on_for_ever);
	tcase_add_test(t,
	    where_notices_are_seldom_it_waits_for_four_of_them);
	tcase_add_test(t, fifty_thousand_receivers_come_one_by_one);
	tcase_add_test(t, what_there_never_was_counts_for_nothing);
	tcase_add_test(t, forged_numbers_are_no_loss);
	tcase_add_test(t, a_flood_is_not_looked_at);
	tcase_add_test(t, what_goes_round_meets_what_was_lost_in_a_row);
	tcase_add_test(t, abort_and_a_disk_that_fails_are_told);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
