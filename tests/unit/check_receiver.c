/*
 * tests/unit/check_receiver.c - dp-agent/receiver.h: each promise of it, with
 * packets lost, turned round, repeated and forged.
 * SPDX-License-Identifier: ISC
 */
#include "common/alc.h"
#include "common/rs.h"
#include "dp-agent/receiver.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS	UINT64_C(1000000)
#define SEC	UINT64_C(1000000000)
#define E	16
#define B	8  /* source symbols of a block */
#define N	20 /* and with parity */
#define SYMBOLS 100
#define BLOCKS	13 /* of SYMBOLS * E bytes: 9 of 8 symbols, 4 of 7 */
#define SIZE	(SYMBOLS * E)
#define BUFFER	(N * E)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct receiver	*r;
static struct alc_blocks blocks;
static uint8_t		 object[70000], file[70000], hashed[70000];
static uint64_t		 now, counter, next_piece, seed;
static int		 write_error, read_error, piece_error;
static unsigned		 writes;

static unsigned
dice(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)((seed >> 33) % n);
}

static int
write_file(void *ctx, uint64_t offset, const void *p, size_t len)
{
	(void)ctx;
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_le(offset + len, blocks.length);
	writes++;
	if (write_error < 0)
		return write_error;
	memcpy(file + offset, p, len);
	return 0;
}

static int
read_file(void *ctx, uint64_t offset, void *p, size_t len)
{
	(void)ctx;
	ck_assert_uint_le(offset + len, blocks.length);
	memcpy(p, file + offset, len);
	return read_error;
}

/* In order, and each once. */
static int
take_piece(void *ctx, uint64_t offset, const void *p, size_t len)
{
	(void)ctx;
	ck_assert_uint_eq(offset, next_piece);
	ck_assert_uint_le(offset + len, blocks.length);
	memcpy(hashed + offset, p, len);
	next_piece += len;
	return piece_error;
}

static const struct receiver_conf usual = { .length = SIZE, .symbol = E,
	.block = B, .symbols = N, .buffers = 64 * BUFFER, .silence = 2 * SEC,
	.seed = 1, .write = write_file, .read = read_file,
	.piece = take_piece };

static void
begin(const struct receiver_conf *c)
{
	for (size_t i = 0; i < sizeof(object); i++)
		object[i] = (uint8_t)(i * 31 + i / 251 + 1);
	memset(file, 0xee, sizeof(file));
	memset(hashed, 0, sizeof(hashed));
	now = 1000 * MS;
	counter = 1;
	next_piece = writes = 0;
	write_error = read_error = piece_error = 0;
	seed = 1;
	ck_assert_int_eq(
	    alc_blocks_init(&blocks, c->length, c->symbol, c->block), 0);
	ck_assert_int_eq(receiver_new(&r, c), 0);
}

static void
end(void)
{
	receiver_free(&r);
	ck_assert_ptr_null(r);
}

static unsigned
k_of(uint32_t sbn)
{
	return alc_block_symbols(&blocks, sbn);
}

/* Encoding symbol esi of block sbn. */
static void
symbol(uint32_t sbn, unsigned esi, uint8_t out[E])
{
	uint8_t	       mem[B][E] = { 0 }, *to = out;
	const uint8_t *src[B];
	struct rs     *rs;

	memcpy(mem, object + alc_block_offset(&blocks, sbn),
	    alc_block_bytes(&blocks, sbn));
	if (esi < k_of(sbn)) {
		memcpy(out, mem[esi], E);
		return;
	}
	for (unsigned i = 0; i < B; i++)
		src[i] = mem[i];
	ck_assert_int_eq(rs_new(k_of(sbn), &rs), 0);
	ck_assert_int_eq(rs_encode(rs, E, src, esi, 1, &to), 0);
	rs_free(&rs);
}

/* The packet with that symbol comes: what commit says, or -1: not wanted. */
static int
come(uint32_t sbn, unsigned esi)
{
	uint8_t	 bytes[E], *p;
	uint16_t len = 0;
	uint64_t last = counter++;

	now += MS / 100;
	p = receiver_slot(r, sbn, (uint16_t)k_of(sbn), (uint16_t)esi, &len);
	if (p == NULL) {
		receiver_packet(r, now, last, false);
		return -1;
	}
	if (esi + 1 == k_of(sbn) && sbn + 1 == blocks.count)
		ck_assert_uint_eq(
		    len, alc_block_bytes(&blocks, sbn) - esi * E);
	else
		ck_assert_uint_eq(len, E);
	symbol(sbn, esi, bytes);
	memcpy(p, bytes, len);
	return receiver_commit(r, now, last, sbn, (uint16_t)esi);
}

static void
come_all(uint32_t sbn)
{
	for (unsigned i = 0; i < k_of(sbn); i++)
		ck_assert_int_eq(come(sbn, i), i + 1 == k_of(sbn));
}

static void
is_whole(void)
{
	struct receiver_stats s;
	uint64_t	      at = 0, len;
	int		      more;

	ck_assert_int_eq(receiver_state(r, now), RECEIVER_COMPLETE);
	ck_assert_mem_eq(file, object, blocks.length);
	for (int i = 0; (more = receiver_work(r)) > 0; i++)
		ck_assert_int_lt(i, 10000);
	ck_assert_int_eq(more, 0);
	ck_assert_uint_eq(next_piece, blocks.length);
	ck_assert_mem_eq(hashed, object, blocks.length);
	ck_assert(!receiver_missing(r, &at, &len));
	receiver_stats(r, &s);
	ck_assert_uint_eq(s.complete, blocks.count);
	ck_assert_uint_eq(s.complete_bytes, blocks.length);
	ck_assert_uint_eq(s.hashed_bytes, blocks.length);
}

static struct mcast_notice
notice(uint32_t frontier)
{
	return (struct mcast_notice){ .counter = counter++,
		.time = (uint32_t)(now / MS), .frontier = frontier,
		.receivers = 1 };
}

static void
hear(const struct mcast_notice *n)
{
	ck_assert_int_eq(receiver_notice(r, now, n), 0);
	ck_assert_int_eq(receiver_drained(r, now), 0);
}

/* The next report, when it is due: its time is then now. */
static bool
said(struct mcast_report *m, uint64_t until)
{
	for (int i = 0; i < 1000; i++) {
		if (receiver_report(r, now, m))
			return true;
		if (receiver_next(r) > until)
			return false;
		if (receiver_next(r) > now)
			now = receiver_next(r);
		(void)receiver_state(r, now);
		if (receiver_state(r, now) != RECEIVER_RUNS)
			return receiver_report(r, now, m);
	}
	ck_abort_msg("it asks for its turn and does nothing with it");
}

/* -- where symbols go -- */

static const struct {
	uint64_t length;
	unsigned loss, buffers;
} ways[] = {
	{ 1, 0, 8 }, { E - 1, 50, 8 }, { E, 0, 8 }, { E, 50, 2 },
	{ E + 1, 30, 8 }, { B * E, 30, 8 }, { B * E - 3, 40, 2 },
	{ B * E + 1, 30, 8 }, { 5 * B * E, 0, 8 }, { SIZE, 0, 64 },
	{ SIZE, 20, 64 }, { SIZE - 7, 40, 64 }, { SIZE, 30, 4 },
	{ SIZE - 15, 50, 2 }, { 40000, 10, 100 }, { 65537, 40, 3 },
};

/* All symbols of all blocks, shuffled within a window, some lost and some
 * twice; again and again until all is there. */
START_TEST(symbols_in_any_order_make_the_object)
{
	struct receiver_conf  c = usual;
	struct receiver_stats s;
	static struct {
		uint32_t sbn;
		unsigned esi;
	} order[5000 / B * N], t;
	unsigned n = 0, window = _i % 2 == 0 ? 1000000 : 3 * B, j;

	c.length = ways[_i].length;
	c.buffers = ways[_i].buffers * BUFFER;
	begin(&c);
	seed = (uint64_t)_i + 1;
	for (uint32_t b = 0; b < blocks.count; b++)
		for (unsigned i = 0; i < N; i++) {
			order[n].sbn = b;
			order[n++].esi = i;
		}
	for (unsigned i = 0; i < n; i++) {
		j = i + dice(n - i < window ? n - i : window);
		t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
	for (int round = 0; round < 50 &&
	     receiver_state(r, now) != RECEIVER_COMPLETE;
	     round++)
		for (unsigned i = 0; i < n; i++) {
			if (dice(100) < ways[_i].loss)
				counter++;
			else
				ck_assert_int_ge(come(order[i].sbn, order[i].esi), -1);
			if (dice(10) == 0)
				ck_assert_int_ge(come(order[i].sbn, order[i].esi), -1);
		}
	is_whole();
	receiver_stats(r, &s);
	if (ways[_i].buffers == 2 && blocks.count > 10)
		ck_assert_uint_gt(s.spilled, 0);
	end();
}
END_TEST

START_TEST(parity_stands_in_for_what_was_lost)
{
	struct receiver_stats s;

	begin(&usual);
	for (uint32_t b = 0; b < BLOCKS; b++) {
		unsigned lost = b % (k_of(b) + 1); /* up to all of it */

		for (unsigned i = lost; i < k_of(b); i++)
			ck_assert_int_eq(come(b, i), lost == 0 && i + 1 == k_of(b));
		for (unsigned i = 0; i < lost; i++)
			ck_assert_int_eq(come(b, N - 1 - i), i + 1 == lost);
	}
	is_whole();
	receiver_stats(r, &s);
	ck_assert_uint_eq(s.decoded, BLOCKS - 1); /* block 0 lost none */
	ck_assert_uint_eq(s.spilled, 0);
	end();
}
END_TEST

START_TEST(what_is_asked_for_and_never_opens_changes_nothing)
{
	struct receiver_stats s, t;
	uint16_t	      len;
	uint8_t		     *p;

	begin(&usual);
	ck_assert_int_eq(come(0, 1), 0);
	ck_assert_int_eq(come(12, 0), 0);
	receiver_stats(r, &s);
	for (uint32_t b = 0; b < BLOCKS; b++)
		for (unsigned i = 0; i < N; i++) {
			p = receiver_slot(
			    r, b, (uint16_t)k_of(b), (uint16_t)i, &len);
			if (p != NULL) /* a forged one was opened half-way */
				memset(p, 0xff, len);
		}
	receiver_stats(r, &t);
	ck_assert_mem_eq(&s, &t, sizeof(s));
	for (uint32_t b = BLOCKS; b-- > 0;)
		for (unsigned i = N; i-- > k_of(b) / 2;)
			(void)come(b, i);
	is_whole();
	end();
}
END_TEST

START_TEST(what_is_no_part_of_the_object_has_no_place)
{
	static const struct {
		uint32_t sbn;
		uint16_t sbl, esi;
	} no[] = { { BLOCKS, B, 0 }, { UINT32_MAX, B, 0 }, { 0, B - 1, 0 },
		{ 0, B + 1, 0 }, { 0, 0, 0 }, { 0, UINT16_MAX, 0 },
		{ 12, B, 0 }, { 0, B, N }, { 0, B, 255 }, { 0, B, UINT16_MAX },
		{ UINT32_MAX, UINT16_MAX, UINT16_MAX } };
	struct receiver_stats s;
	uint16_t	      len;

	begin(&usual);
	for (size_t i = 0; i < COUNT(no); i++)
		ck_assert_ptr_null(receiver_slot(
		    r, no[i].sbn, no[i].sbl, no[i].esi, &len));
	/* nor does a commit of it do anything */
	ck_assert_int_lt(receiver_commit(r, now, 1, BLOCKS, 0), 0);
	ck_assert_int_lt(receiver_commit(r, now, 1, 0, N), 0);
	receiver_stats(r, &s);
	ck_assert_uint_eq(s.symbols, 0);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_RUNS);
	end();
}
END_TEST

START_TEST(a_symbol_counts_once)
{
	struct receiver_stats s;

	begin(&usual);
	ck_assert_int_eq(come(3, 2), 0);
	ck_assert_int_eq(come(3, 2), -1);
	ck_assert_int_eq(receiver_commit(r, now, counter++, 3, 2), 0);
	come_all(4);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_int_eq(come(4, i), -1);
		ck_assert_int_eq(
		    receiver_commit(r, now, counter++, 4, (uint16_t)i), 0);
	}
	receiver_stats(r, &s);
	ck_assert_uint_eq(s.symbols, 1 + k_of(4));
	ck_assert_uint_eq(s.complete, 1);
	ck_assert_uint_eq(s.complete_bytes, alc_block_bytes(&blocks, 4));
	end();
}
END_TEST

START_TEST(without_buffers_source_is_kept_and_parity_asked_for_again)
{
	struct receiver_conf  c = usual;
	struct receiver_stats s;
	struct mcast_report   m;
	struct mcast_notice   n;

	c.buffers = 0; /* two all the same */
	begin(&c);
	for (uint32_t b = 0; b < BLOCKS; b++) {
		for (unsigned i = 0; i < 4; i++)
			ck_assert_int_eq(come(b, 2 * i % k_of(b)), 0);
		ck_assert_int_eq(come(b, N - 1), 0);
	}
	receiver_stats(r, &s);
	ck_assert_uint_eq(s.spilled, BLOCKS - 2);
	n = notice(BLOCKS);
	hear(&n);
	ck_assert(said(&m, now + 100 * MS));
	ck_assert_uint_eq(m.n, BLOCKS);
	for (uint32_t b = 0; b < BLOCKS; b++) {
		ck_assert_uint_eq(m.block[b].sbn, b);
		ck_assert_uint_eq(m.block[b].deficit,
		    k_of(b) - 4 - (b >= BLOCKS - 2));
	}
	for (uint32_t b = 0; b < BLOCKS; b++)
		for (unsigned i = k_of(b); i < N; i++)
			(void)come(b, i);
	is_whole();
	end();
}
END_TEST

/* New blocks have no parity to lose, but symbols come for them at each turn. */
START_TEST(blocks_that_wait_for_repair_give_way_to_those_under_way)
{
	struct receiver_conf c = usual;
	struct receiver_stats s;
	uint64_t before;

	c.length = 70000;
	c.buffers = 6 * BUFFER;
	begin(&c);
	for (uint32_t b = 0; b < 6; b++) { /* lost one, and one parity came */
		for (unsigned i = 2; i < B; i++)
			come(b, i);
		come(b, B);
	}
	for (uint32_t b = 10; b < 50; b++)
		for (unsigned i = 0; i < B; i++)
			come(b, i);
	receiver_stats(r, &s);
	before = s.spilled;
	for (unsigned i = 0; i < B; i++)
		for (uint32_t b = 60; b < 64; b++)
			come(b, i);
	receiver_stats(r, &s);
	ck_assert_uint_le(s.spilled, before + 4);
	end();
}
END_TEST

START_TEST(a_huge_object_of_crumbs_takes_bounded_memory)
{
	struct receiver_conf  c = usual;
	struct receiver_stats s;

	c.write = NULL;
	c.read = NULL;
	c.piece = NULL;
	c.length = 70000;
	c.symbol = 2;
	begin(&c);
	ck_assert_uint_gt(blocks.count, 4096);
	for (uint32_t b = 0; b < blocks.count; b++)
		ck_assert_int_eq(receiver_commit(r, now, counter++, b, 0), 0);
	for (uint32_t b = 0; b < blocks.count; b++)
		for (unsigned i = 0; i < k_of(b); i++)
			ck_assert_int_ge(receiver_commit(
					     r, now, counter++, b, (uint16_t)i),
			    0);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_COMPLETE);
	receiver_stats(r, &s);
	/* of the first ones the symbol was forgotten, so it came twice; and of
	 * one more, for which the very first was begun anew */
	ck_assert_uint_eq(
	    s.symbols, 70000 / 2 + blocks.count - 4096 + 1);
	end();
}
END_TEST

/* -- the hash -- */

START_TEST(pieces_come_in_order_whatever_the_order_of_blocks)
{
	begin(&usual);
	for (uint32_t b = BLOCKS; b-- > 1;)
		come_all(b);
	ck_assert_uint_eq(next_piece, 0);
	come_all(0); /* and one more of those that wait, at once */
	ck_assert_uint_eq(next_piece, 2 * B * E);
	ck_assert_int_eq(receiver_work(r), 1);
	ck_assert_uint_eq(next_piece, 3 * B * E);
	is_whole();
	ck_assert_int_eq(receiver_work(r), 0);
	end();
}
END_TEST

START_TEST(what_was_hashed_stays_hashed)
{
	begin(&usual);
	for (uint32_t b = 0; b < 5; b++)
		come_all(b);
	ck_assert_uint_eq(next_piece, 5 * B * E);
	ck_assert_int_eq(receiver_spoil(r, 2 * B * E, 1), 0);
	for (uint32_t b = 5; b < BLOCKS; b++)
		come_all(b);
	ck_assert_uint_eq(next_piece, SIZE);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_RUNS);
	come_all(2);
	is_whole();
	end();
}
END_TEST

START_TEST(it_goes_without_pieces_wanted)
{
	struct receiver_conf c = usual;

	c.piece = NULL;
	c.buffers = 3 * BUFFER;
	begin(&c);
	for (uint32_t b = BLOCKS; b-- > 0;)
		come_all(b);
	ck_assert_int_eq(receiver_work(r), 0);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_COMPLETE);
	ck_assert_mem_eq(file, object, SIZE);
	end();
}
END_TEST

/* -- what is right and what is missing -- */

START_TEST(whole_blocks_are_adopted_and_the_rest_is_missing)
{
	uint64_t at = 0, len;

	begin(&usual);
	memcpy(file, object, SIZE);
	/* from the middle of 1 to the middle of 5: 2, 3 and 4 */
	ck_assert_int_eq(
	    receiver_adopt(r, B * E + 1, 4 * B * E), 0);
	ck_assert(receiver_missing(r, &at, &len));
	ck_assert_uint_eq(at, 0);
	ck_assert_uint_eq(len, 2 * B * E);
	at += len;
	ck_assert(receiver_missing(r, &at, &len));
	ck_assert_uint_eq(at, 5 * B * E);
	ck_assert_uint_eq(len, SIZE - 5 * B * E);
	at += len;
	ck_assert(!receiver_missing(r, &at, &len));
	at = 6 * B * E + 5; /* in the middle of one */
	ck_assert(receiver_missing(r, &at, &len));
	ck_assert_uint_eq(at, 6 * B * E + 5);
	ck_assert_uint_eq(at + len, SIZE);
	at = 3 * B * E + 5;
	ck_assert(receiver_missing(r, &at, &len));
	ck_assert_uint_eq(at, 5 * B * E);
	ck_assert_int_eq(come(3, 0), -1);
	ck_assert_int_eq(come(1, 0), 0);
	ck_assert_int_eq(receiver_adopt(r, 0, SIZE), 0);
	is_whole();
	end();
}
END_TEST

START_TEST(ranges_outside_the_object_are_refused)
{
	begin(&usual);
	ck_assert_int_eq(receiver_adopt(r, 0, SIZE + 1), -EINVAL);
	ck_assert_int_eq(receiver_adopt(r, SIZE + 1, 0), -EINVAL);
	ck_assert_int_eq(receiver_adopt(r, 1, UINT64_MAX), -EINVAL);
	ck_assert_int_eq(receiver_spoil(r, UINT64_MAX, 1), -EINVAL);
	ck_assert_int_eq(receiver_spoil(r, SIZE, 1), -EINVAL);
	ck_assert_int_eq(receiver_adopt(r, SIZE, 0), 0);
	ck_assert_int_eq(receiver_spoil(r, SIZE, 0), 0);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_RUNS);
	end();
}
END_TEST

START_TEST(spoiled_blocks_are_asked_for_again)
{
	struct mcast_notice n;
	struct mcast_report m;
	uint64_t	    at = 0, len;

	begin(&usual);
	for (uint32_t b = 0; b < BLOCKS; b++)
		come_all(b);
	ck_assert(said(&m, now + 100 * MS));
	ck_assert_uint_eq(m.flags, MCAST_DONE);
	/* its last byte of 3 and its first of 4 */
	ck_assert_int_eq(receiver_spoil(r, 4 * B * E - 1, 2), 0);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_RUNS);
	ck_assert(receiver_missing(r, &at, &len));
	ck_assert_uint_eq(at, 3 * B * E);
	ck_assert_uint_eq(len, 2 * B * E);
	n = notice(BLOCKS);
	hear(&n);
	ck_assert(said(&m, now + 100 * MS));
	ck_assert_uint_eq(m.flags, 0);
	ck_assert_uint_eq(m.complete, BLOCKS - 2);
	ck_assert_uint_eq(m.n, 2);
	ck_assert_uint_eq(m.block[0].sbn, 3);
	ck_assert_uint_eq(m.block[0].deficit, B);
	ck_assert_uint_eq(m.block[1].sbn, 4);
	come_all(3);
	come_all(4);
	is_whole();
	ck_assert(said(&m, now + 100 * MS));
	ck_assert_uint_eq(m.flags, MCAST_DONE);
	end();
}
END_TEST

/* -- what fails -- */

static void
has_failed(int why)
{
	struct mcast_notice n = notice(BLOCKS);
	struct mcast_report m;
	uint16_t	    len;
	uint64_t	    at = 0, missing;

	ck_assert_int_eq(receiver_state(r, now), RECEIVER_FAILED);
	ck_assert_ptr_null(receiver_slot(r, 9, (uint16_t)k_of(9), 0, &len));
	ck_assert_int_eq(receiver_commit(r, now, counter, 9, 0), why);
	ck_assert_int_eq(receiver_notice(r, now, &n), why);
	ck_assert_int_eq(receiver_drained(r, now), why);
	ck_assert_int_eq(receiver_work(r), why);
	receiver_packet(r, now, counter, true);
	ck_assert(receiver_missing(r, &at, &missing));
	ck_assert(receiver_report(r, now, &m));
	ck_assert_uint_eq(m.flags, MCAST_LEAVING);
	ck_assert(!receiver_report(r, now, &m));
	end();
}

START_TEST(a_full_disk_ends_it)
{
	struct mcast_notice n;

	begin(&usual);
	n = notice(0);
	hear(&n);
	come_all(0);
	for (unsigned i = 1; i < k_of(1); i++)
		ck_assert_int_eq(come(1, i), 0);
	write_error = -ENOSPC;
	ck_assert_int_eq(come(1, 0), -ENOSPC);
	write_error = 0;
	has_failed(-ENOSPC);
}
END_TEST

START_TEST(a_full_disk_while_a_block_gives_way_ends_it)
{
	struct receiver_conf c = usual;
	struct mcast_notice  n;

	c.buffers = 0;
	begin(&c);
	n = notice(0);
	hear(&n);
	ck_assert_int_eq(come(0, 0), 0);
	ck_assert_int_eq(come(1, 0), 0);
	write_error = -EDQUOT;
	ck_assert_int_eq(come(2, 0), -EDQUOT);
	has_failed(-EDQUOT);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_back_ends_it)
{
	struct receiver_conf c = usual;
	struct mcast_notice  n;

	c.buffers = 0;
	begin(&c);
	n = notice(0);
	hear(&n);
	for (uint32_t b = 0; b < 3; b++)
		ck_assert_int_eq(come(b, 0), 0);
	read_error = -EIO;
	ck_assert_int_eq(come(0, 1), -EIO);
	has_failed(-EIO);
}
END_TEST

START_TEST(a_hash_that_fails_ends_it)
{
	struct mcast_notice n;

	begin(&usual);
	n = notice(0);
	hear(&n);
	for (unsigned i = 1; i < k_of(0); i++)
		ck_assert_int_eq(come(0, i), 0);
	piece_error = -ENOMEM;
	ck_assert_int_eq(come(0, 0), -ENOMEM);
	has_failed(-ENOMEM);
}
END_TEST

START_TEST(what_cannot_be_is_refused_at_once)
{
	struct receiver_conf c;
	struct receiver	    *x;

	c = usual;
	c.length = 0;
	ck_assert_int_lt(receiver_new(&x, &c), 0);
	c = usual;
	c.symbol = 0;
	ck_assert_int_lt(receiver_new(&x, &c), 0);
	c = usual;
	c.block = 0;
	ck_assert_int_lt(receiver_new(&x, &c), 0);
	c = usual;
	c.block = c.symbols;
	ck_assert_int_lt(receiver_new(&x, &c), 0);
	c = usual;
	c.block = RS_K_MAX + 1;
	c.symbols = RS_N;
	ck_assert_int_lt(receiver_new(&x, &c), 0);
	c = usual;
	c.symbols = RS_N + 1;
	ck_assert_int_lt(receiver_new(&x, &c), 0);
	c = usual;
	c.read = NULL;
	ck_assert_int_lt(receiver_new(&x, &c), 0);
	c = usual;
	c.length = UINT64_MAX;
	ck_assert_int_lt(receiver_new(&x, &c), 0);
	ck_assert_ptr_null(x);
	receiver_free(&x);
}
END_TEST

/* -- reports -- */

START_TEST(deficits_are_what_is_lacking)
{
	struct mcast_notice n;
	struct mcast_report m;

	begin(&usual);
	n = notice(0);
	hear(&n);
	come_all(0);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(come(1, i), 0);
	ck_assert_int_eq(come(1, N - 1), 0);
	ck_assert_int_eq(come(3, 0), 0);
	ck_assert_int_eq(come(4, 0), 0); /* its first pass is not over */
	counter += 10;			 /* lost */
	n = notice(4);
	hear(&n);
	now += 3 * MS;
	ck_assert(receiver_report(r, now, &m));
	ck_assert_uint_eq(m.flags, 0);
	ck_assert_uint_eq(m.n, 3);
	ck_assert_uint_eq(m.block[0].sbn, 1);
	ck_assert_uint_eq(m.block[0].deficit, 2);
	ck_assert_uint_eq(m.block[1].sbn, 2); /* nothing of it came */
	ck_assert_uint_eq(m.block[1].deficit, B);
	ck_assert_uint_eq(m.block[2].sbn, 3);
	ck_assert_uint_eq(m.block[2].deficit, B - 1);
	ck_assert_uint_eq(m.echo, n.time);
	ck_assert_uint_eq(m.held_ms, 3);
	ck_assert_uint_eq(m.seen, n.counter);
	ck_assert_uint_eq(m.complete, 1);
	/* two notices, 16 symbols; 10 lost */
	ck_assert_uint_eq(m.received, 18);
	ck_assert_uint_eq(m.expected, 28);
	end();
}
END_TEST

START_TEST(not_before_what_was_sent_earlier_has_been_read)
{
	struct mcast_notice n, later;
	struct mcast_report m;

	begin(&usual);
	n = notice(0);
	hear(&n);
	(void)said(&m, now);
	for (unsigned i = 0; i + 1 < k_of(0); i++)
		ck_assert_int_eq(come(0, i), 0);
	counter++; /* the last symbol is in the socket yet */
	later = notice(1);
	ck_assert_int_eq(receiver_notice(r, now, &later), 0);
	ck_assert(!receiver_report(r, now, &m));
	counter = later.counter - 1;
	ck_assert_int_eq(come(0, k_of(0) - 1), 1);
	ck_assert_int_eq(receiver_drained(r, now), 0);
	ck_assert(!receiver_report(r, now + 10 * MS, &m) || m.n == 0);
	/* data with a higher number says the same as an empty socket */
	counter = later.counter + 1;
	ck_assert_int_eq(come(1, 0), 0);
	later = notice(2);
	ck_assert_int_eq(receiver_notice(r, now, &later), 0);
	ck_assert(!receiver_report(r, now, &m));
	ck_assert_int_eq(come(2, 0), 0);
	ck_assert(said(&m, now + MS));
	ck_assert_uint_eq(m.n, 1);
	ck_assert_uint_eq(m.block[0].sbn, 1);
	end();
}
END_TEST

START_TEST(it_waits_its_turn_within_the_window)
{
	struct receiver_conf c = usual;
	struct mcast_notice  n;
	struct mcast_report  m;
	unsigned	     early = 0;
	uint64_t	     from;

	for (int i = 0; i < 200; i++) {
		c.seed = (uint64_t)i;
		begin(&c);
		ck_assert_int_eq(come(0, 0), 0);
		n = notice(1);
		n.receivers = 1000;
		n.backoff_ms = 100;
		from = now;
		hear(&n);
		do
			ck_assert(said(&m, from + 101 * MS));
		while (m.n == 0);
		ck_assert_uint_eq(m.block[0].deficit, B - 1);
		ck_assert_uint_le(now, from + 100 * MS);
		early += now < from + 50 * MS;
		end();
	}
	/* the later the more: of a thousand few are to be first */
	ck_assert_uint_le(early, 20);
}
END_TEST

/* Says nothing of blocks until `ms` later. */
static void
is_silent(unsigned ms)
{
	struct mcast_report m;
	uint64_t	    until = now + ms * MS;

	while (said(&m, until))
		ck_assert_uint_eq(m.n, 0);
	now = until;
}

START_TEST(who_hears_that_as_much_was_asked_for_is_silent)
{
	struct mcast_notice n;
	struct mcast_report m;

	begin(&usual);
	ck_assert_int_eq(come(0, 0), 0);
	n = notice(1);
	n.backoff_ms = 20;
	n.n = 1;
	n.block[0] = (struct mcast_notice_block){ 0, B, B - 1 };
	hear(&n);
	is_silent(200);
	/* less than it needs */
	n = notice(1);
	n.n = 1;
	n.block[0] = (struct mcast_notice_block){ 0, B, B - 2 };
	hear(&n);
	do
		ck_assert(said(&m, now + 30 * MS));
	while (m.n == 0);
	ck_assert_uint_eq(m.block[0].deficit, B - 1);
	/* while it waits for its turn somebody else asks */
	ck_assert_int_eq(come(1, 0), 0);
	n = notice(2);
	n.backoff_ms = 1000;
	n.n = 1;
	n.block[0] = (struct mcast_notice_block){ 0, B, B - 1 };
	hear(&n);
	n = notice(2);
	n.backoff_ms = 1000;
	n.n = 2;
	n.block[0] = (struct mcast_notice_block){ 0, B, B - 1 };
	n.block[1] = (struct mcast_notice_block){ 1, B, B };
	hear(&n);
	is_silent(1500);
	end();
}
END_TEST

START_TEST(who_was_silent_remembers_its_loss)
{
	struct mcast_notice n;
	struct mcast_report m;

	begin(&usual);
	n = notice(0);
	n.receivers = 1000;
	hear(&n);
	ck_assert_int_eq(come(0, 0), 0);
	counter += 4;
	n = notice(1);
	n.receivers = 1000;
	n.backoff_ms = 20;
	hear(&n);
	/* what it is about to ask for is asked for by another */
	n.counter = counter++;
	n.n = 1;
	n.block[0] = (struct mcast_notice_block){ 0, B, B };
	hear(&n);
	now += 25 * MS;
	ck_assert(!receiver_report(r, now, &m) || m.n == 0);
	n.counter = counter++;
	n.n = 0;
	hear(&n);
	ck_assert(said(&m, now + 30 * MS));
	ck_assert_uint_eq(m.n, 1);
	ck_assert_uint_eq(m.expected, 9);
	ck_assert_uint_eq(m.received, 5);
	end();
}
END_TEST

START_TEST(notices_that_give_way_came_all_the_same)
{
	struct receiver_stats s;
	struct mcast_notice   n, old;

	begin(&usual);
	ck_assert_int_eq(come(0, 0), 0);
	old = notice(0);
	for (int i = 0; i < 10; i++) {
		counter++; /* data in the other socket */
		n = notice(1);
		ck_assert_int_eq(receiver_notice(r, now, &n), 0);
	}
	ck_assert_int_eq(receiver_notice(r, now, &old), 0);
	ck_assert_int_eq(receiver_drained(r, now), 0);
	receiver_stats(r, &s);
	/* a symbol and eleven notices came; ten packets did not */
	ck_assert_uint_eq(s.received, 12);
	ck_assert_uint_eq(s.lost, 10);
	end();
}
END_TEST

START_TEST(what_was_asked_for_is_not_asked_for_again_until_it_is_overdue)
{
	struct mcast_notice n;
	struct mcast_report m;
	uint64_t	    asked;

	begin(&usual);
	ck_assert_int_eq(come(0, 0), 0);
	n = notice(1);
	hear(&n);
	ck_assert(said(&m, now + MS));
	ck_assert_uint_eq(m.n, 1);
	asked = now;
	n = notice(1); /* from before the report came there */
	hear(&n);
	ck_assert(!said(&m, asked + 20 * MS) || m.n == 0);
	end();
	/* nor while there is nobody to hear it */
	begin(&usual);
	ck_assert_int_eq(come(0, 0), 0);
	n = notice(1);
	hear(&n);
	ck_assert(said(&m, now + MS));
	ck_assert_uint_eq(m.n, 1);
	is_silent(1000);
	n = notice(1);
	asked = now;
	hear(&n);
	do
		ck_assert(said(&m, asked + 100 * MS));
	while (m.n == 0);
	ck_assert_uint_eq(m.block[0].deficit, B - 1);
	/* sent, and lost: asked for at once */
	n = notice(1);
	n.n = 1;
	n.block[0] = (struct mcast_notice_block){ 0, 2 * B - 1, 0 };
	asked = now;
	hear(&n);
	do
		ck_assert(said(&m, asked + SEC));
	while (m.n == 0);
	ck_assert_uint_le(now, asked + MS);
	end();
}
END_TEST

START_TEST(each_block_waits_its_own_turn)
{
	struct mcast_notice n;
	struct mcast_report m;
	uint64_t	    from;

	begin(&usual);
	ck_assert_int_eq(come(0, 0), 0);
	ck_assert_int_eq(come(1, 0), 0);
	n = notice(1);
	n.receivers = 1000;
	n.backoff_ms = 100;
	hear(&n);
	now += MS;
	from = now;
	n = notice(2);
	n.receivers = 1000;
	n.backoff_ms = 100;
	hear(&n);
	/* the turn was drawn before block 1 was wanted */
	do
		ck_assert(said(&m, from + 100 * MS));
	while (m.n == 0);
	ck_assert_uint_eq(m.n, 1);
	ck_assert_uint_eq(m.block[0].sbn, 0);
	do
		ck_assert(said(&m, from + 201 * MS));
	while (m.n == 0);
	ck_assert_uint_eq(m.n, 1);
	ck_assert_uint_eq(m.block[0].sbn, 1);
	end();
}
END_TEST

START_TEST(where_the_code_goes_round_it_sees_what_was_sent)
{
	struct mcast_notice n;
	struct mcast_report m;

	begin(&usual);
	ck_assert_int_eq(come(0, 0), 0);
	n = notice(1);
	n.backoff_ms = 2000; /* so it would wait that long for an answer */
	n.n = 1;
	n.block[0] = (struct mcast_notice_block){ 0, N, 0 };
	hear(&n);
	do
		ck_assert(said(&m, now + 2001 * MS));
	while (m.n == 0);
	n = notice(1); /* from before it was heard */
	n.n = 1;
	n.block[0] = (struct mcast_notice_block){ 0, N, 0 };
	hear(&n);
	is_silent(50);
	n = notice(1);
	n.n = 1;
	n.block[0] = (struct mcast_notice_block){ 0, N, B };
	hear(&n);
	is_silent(50);
	n = notice(1);
	n.n = 1;
	n.block[0] = (struct mcast_notice_block){ 0, N, 0 };
	hear(&n);
	do
		ck_assert(said(&m, now + MS));
	while (m.n == 0);
	ck_assert_uint_eq(m.block[0].deficit, B - 1);
	end();
}
END_TEST

START_TEST(what_is_asked_for_in_vain_is_given_up)
{
	struct receiver_conf c = usual;
	struct mcast_notice  n;
	struct mcast_report  m;
	unsigned	     asked = 0;

	c.silence = 1000 * SEC;
	begin(&c);
	for (uint32_t b = 1; b < BLOCKS; b++)
		come_all(b);
	for (int i = 0; i < 100000; i++) {
		n = notice(BLOCKS);
		hear(&n);
		while (receiver_report(r, now, &m)) {
			asked += m.n;
			if (m.flags == MCAST_LEAVING)
				i = 100000;
		}
		now += 10 * MS;
	}
	ck_assert_uint_eq(m.flags, MCAST_LEAVING);
	ck_assert_uint_eq(asked, 8);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_LEAVES);
	ck_assert(!receiver_report(r, now, &m));
	end();
}
END_TEST

START_TEST(many_holes_take_several_reports)
{
	struct receiver_conf c = usual;
	struct mcast_notice  n;
	struct mcast_report  m;
	uint32_t	     next = 0;

	c.length = 70000;
	begin(&c);
	ck_assert_uint_gt(blocks.count, 2 * MCAST_REPORT_BLOCKS);
	for (uint32_t b = 0; b < blocks.count; b++)
		ck_assert_int_eq(come(b, 0), 0);
	n = notice(blocks.count);
	hear(&n);
	while (next < blocks.count) {
		ck_assert(said(&m, now + 20 * MS));
		ck_assert_uint_gt(m.n, 0);
		for (unsigned i = 0; i < m.n; i++)
			ck_assert_uint_eq(m.block[i].sbn, next++);
	}
	end();
}
END_TEST

START_TEST(who_comes_late_repairs_at_the_end)
{
	struct mcast_notice n;
	struct mcast_report m;

	begin(&usual);
	counter = 100000;
	n = notice(6);
	hear(&n);
	ck_assert_int_eq(come(7, 0), 0);
	n = notice(8);
	hear(&n);
	do
		ck_assert(said(&m, now + 10 * MS));
	while (m.n == 0);
	ck_assert_uint_eq(m.n, 2);
	ck_assert_uint_eq(m.block[0].sbn, 6);
	ck_assert_uint_eq(m.block[1].sbn, 7);
	/* of which something came after all: that can be had now */
	ck_assert_int_eq(come(2, N - 1), 0);
	for (uint32_t b = 6; b < BLOCKS; b++)
		for (unsigned i = 0; i < N; i++)
			(void)come(b, i);
	now += SEC;
	n = notice(BLOCKS);
	hear(&n);
	do
		ck_assert(said(&m, now + 10 * MS));
	while (m.n == 0);
	ck_assert_uint_eq(m.n, 6);
	ck_assert_uint_eq(m.block[0].deficit, B);
	ck_assert_uint_eq(m.block[2].deficit, B - 1);
	ck_assert_uint_eq(m.complete, BLOCKS - 6);
	end();
}
END_TEST

START_TEST(a_sender_is_told_that_it_is_done)
{
	struct mcast_notice n;
	struct mcast_report m;
	unsigned	    told = 0;

	begin(&usual);
	n = notice(0);
	hear(&n);
	for (uint32_t b = 0; b < BLOCKS; b++)
		come_all(b);
	ck_assert(said(&m, now + MS));
	ck_assert_uint_eq(m.flags, MCAST_DONE);
	ck_assert_uint_eq(m.complete, BLOCKS);
	ck_assert_uint_eq(m.n, 0);
	/* a silent sender is not told again, one that goes on is: twice */
	ck_assert(!said(&m, now + 5 * SEC));
	for (int i = 0; i < 100; i++) {
		n = notice(BLOCKS);
		hear(&n);
		while (receiver_report(r, now, &m))
			told++;
		now += 100 * MS;
	}
	ck_assert_uint_eq(told, 2);
	ck_assert_uint_eq(receiver_next(r), UINT64_MAX);
	end();
	/* among many, once */
	begin(&usual);
	n = notice(0);
	n.receivers = 10000;
	hear(&n);
	for (uint32_t b = 0; b < BLOCKS; b++)
		come_all(b);
	for (told = 0; receiver_next(r) != UINT64_MAX; now += 10 * MS) {
		if (now >= receiver_next(r))
			told += receiver_report(r, now, &m);
		ck_assert_uint_lt(now, 100 * SEC);
	}
	ck_assert_uint_eq(told, 1);
	end();
}
END_TEST

START_TEST(loss_is_counted_by_numbers)
{
	struct receiver_stats s;
	struct mcast_notice   n;
	struct mcast_report   m;

	begin(&usual);
	counter = 1000; /* it came late: what went before is not lost */
	ck_assert_int_eq(come(0, 0), 0);
	counter += 3;
	ck_assert_int_eq(come(0, 1), 0);
	ck_assert_int_eq(come(0, 1), -1); /* not wanted: came all the same */
	receiver_packet(r, now, counter++, true);
	receiver_packet(r, now, counter + 100000, false); /* no such number */
	receiver_packet(r, now, 1, true); /* an old one */
	n = notice(1);
	hear(&n);
	ck_assert(said(&m, now + 100 * MS));
	ck_assert_uint_eq(m.expected, 8);
	ck_assert_uint_eq(m.received, 6);
	receiver_stats(r, &s);
	ck_assert_uint_eq(s.received, 6);
	ck_assert_uint_eq(s.lost, 2);
	end();
}
END_TEST

/* -- how it ends -- */

START_TEST(silence_is_the_end)
{
	struct mcast_notice n;
	struct mcast_report m;

	begin(&usual);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_RUNS);
	ck_assert_uint_eq(receiver_next(r), now + 2 * SEC);
	now += 2 * SEC - 1;
	n = notice(0);
	hear(&n);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_RUNS);
	now += 2 * SEC - 1;
	receiver_packet(r, now, counter++, true); /* the FDT */
	now += 2 * SEC - 1;
	ck_assert_int_eq(come(0, 0), 0);
	while (receiver_report(r, now, &m))
		ck_assert_uint_eq(m.flags, 0);
	now += 2 * SEC;
	ck_assert_uint_le(receiver_next(r), now);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_LEAVES);
	ck_assert(receiver_report(r, now, &m));
	ck_assert_uint_eq(m.flags, MCAST_LEAVING);
	ck_assert(!receiver_report(r, now, &m));
	end();
}
END_TEST

START_TEST(replayed_and_forged_packets_are_silence)
{
	begin(&usual);
	ck_assert_int_eq(come(0, 0), 0);
	for (int i = 0; i < 30; i++) {
		now += 100 * MS;
		receiver_packet(r, now, 1, false);
	}
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_LEAVES);
	end();
}
END_TEST

START_TEST(after_the_end_only_what_is_under_way_counts)
{
	struct mcast_notice n;
	struct mcast_report m;
	uint64_t	    at = 0, len;

	begin(&usual);
	for (uint32_t b = 1; b < BLOCKS; b++)
		come_all(b);
	n = notice(BLOCKS);
	n.flags = MCAST_END;
	hear(&n);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_RUNS);
	ck_assert(!receiver_report(r, now, &m));
	ck_assert_uint_le(receiver_next(r), now + 50 * MS);
	now = receiver_next(r);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_LEAVES);
	ck_assert(receiver_missing(r, &at, &len));
	ck_assert_uint_eq(at, 0);
	ck_assert_uint_eq(len, B * E);
	end();

	begin(&usual);
	for (uint32_t b = 1; b < BLOCKS; b++)
		come_all(b);
	n = notice(BLOCKS);
	n.flags = MCAST_END;
	hear(&n);
	come_all(0); /* overtaken by the notice */
	is_whole();
	ck_assert(receiver_report(r, now + 100 * MS, &m));
	ck_assert_uint_eq(m.flags, MCAST_DONE);
	end();
}
END_TEST

START_TEST(an_abort_counts_at_once)
{
	struct mcast_notice n;

	begin(&usual);
	come_all(0);
	n = notice(1);
	n.flags = MCAST_ABORT;
	hear(&n);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_LEAVES);
	end();
}
END_TEST

/* -- numbers of an insider -- */

static uint64_t
extreme(uint64_t max)
{
	static const uint64_t e[] = { 0, 1, 2, 7, 8, 12, 13, 255, 256, 65535,
		65536, UINT32_MAX - 1, UINT32_MAX, UINT64_MAX };
	uint64_t	      v = e[dice(COUNT(e))];

	return v > max ? max : v;
}

START_TEST(no_number_of_a_notice_breaks_anything)
{
	struct receiver_conf c = usual;
	struct mcast_notice  n;
	struct mcast_report  m;
	uint64_t	     at, len, missing;

	c.silence = 1000000 * SEC;
	c.buffers = _i % 3 * BUFFER;
	begin(&c);
	seed = (uint64_t)_i + 1;
	for (int i = 0; i < 3000; i++) {
		n = (struct mcast_notice){
			.counter = dice(4) > 0 ? counter++
					       : extreme(UINT64_C(1) << 56),
			.flags = dice(500) == 0 ? (uint8_t)dice(4) : 0,
			.proactive = (uint8_t)extreme(255),
			.backoff_ms = (uint16_t)extreme(UINT16_MAX),
			.time = (uint32_t)extreme(UINT32_MAX),
			.frontier = (uint32_t)extreme(UINT32_MAX),
			.receivers = (uint32_t)extreme(UINT32_MAX),
			.n = (uint16_t)(dice(3) * 96),
		};
		for (unsigned j = 0; j < n.n; j++)
			n.block[j] = (struct mcast_notice_block){
				.sbn = (uint32_t)extreme(UINT32_MAX),
				.sent = (uint16_t)extreme(UINT16_MAX),
				.heard = (uint8_t)extreme(255),
			};
		ck_assert_int_eq(receiver_notice(r, now, &n), 0);
		if (dice(3) == 0)
			ck_assert_int_eq(receiver_drained(r, now), 0);
		if (dice(4) == 0)
			ck_assert_int_ge(come(dice(BLOCKS), dice(N)), -1);
		if (dice(200) == 0)
			ck_assert_int_eq(
			    receiver_spoil(r, dice(SIZE - 40), 40), 0);
		for (int j = 0; receiver_report(r, now, &m); j++) {
			ck_assert_int_lt(j, 10);
			ck_assert_uint_le(m.received, m.expected);
			ck_assert_uint_le(m.n, BLOCKS);
			for (unsigned b = 0; b < m.n; b++) {
				ck_assert_uint_lt(m.block[b].sbn, BLOCKS);
				ck_assert_uint_ge(m.block[b].deficit, 1);
				ck_assert_uint_le(m.block[b].deficit, B);
			}
		}
		ck_assert_int_ne(receiver_state(r, now), RECEIVER_FAILED);
		for (at = missing = 0; receiver_missing(r, &at, &len); at += len)
			missing += len;
		ck_assert_uint_le(missing, SIZE);
		now += dice(2) == 0 ? dice(20) * MS : dice(1000);
	}
	/* and the object still comes, however it was told to end */
	for (uint32_t b = 0; b < BLOCKS; b++)
		for (unsigned i = 0; i < N; i++)
			ck_assert_int_ge(come(b, i), -1);
	ck_assert_int_eq(receiver_state(r, now), RECEIVER_COMPLETE);
	ck_assert_mem_eq(file, object, SIZE);
	end();
}
END_TEST

int
main(void)
{
	Suite	*suite = suite_create("receiver");
	TCase	*t = tcase_create("receiver");
	SRunner *sr = srunner_create(suite);
	int	 failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, symbols_in_any_order_make_the_object, 0,
	    (int)COUNT(ways));
	tcase_add_test(t, parity_stands_in_for_what_was_lost);
	tcase_add_test(t, what_is_asked_for_and_never_opens_changes_nothing);
	tcase_add_test(t, what_is_no_part_of_the_object_has_no_place);
	tcase_add_test(t, a_symbol_counts_once);
	tcase_add_test(t,
	    without_buffers_source_is_kept_and_parity_asked_for_again);
	tcase_add_test(
	    t, blocks_that_wait_for_repair_give_way_to_those_under_way);
	tcase_add_test(t, a_huge_object_of_crumbs_takes_bounded_memory);
	tcase_add_test(t, pieces_come_in_order_whatever_the_order_of_blocks);
	tcase_add_test(t, what_was_hashed_stays_hashed);
	tcase_add_test(t, it_goes_without_pieces_wanted);
	tcase_add_test(t, whole_blocks_are_adopted_and_the_rest_is_missing);
	tcase_add_test(t, ranges_outside_the_object_are_refused);
	tcase_add_test(t, spoiled_blocks_are_asked_for_again);
	tcase_add_test(t, a_full_disk_ends_it);
	tcase_add_test(t, a_full_disk_while_a_block_gives_way_ends_it);
	tcase_add_test(t, a_file_that_cannot_be_read_back_ends_it);
	tcase_add_test(t, a_hash_that_fails_ends_it);
	tcase_add_test(t, what_cannot_be_is_refused_at_once);
	tcase_add_test(t, deficits_are_what_is_lacking);
	tcase_add_test(t, not_before_what_was_sent_earlier_has_been_read);
	tcase_add_test(t, it_waits_its_turn_within_the_window);
	tcase_add_test(t, who_hears_that_as_much_was_asked_for_is_silent);
	tcase_add_test(t, who_was_silent_remembers_its_loss);
	tcase_add_test(t, notices_that_give_way_came_all_the_same);
	tcase_add_test(t,
	    what_was_asked_for_is_not_asked_for_again_until_it_is_overdue);
	tcase_add_test(t, each_block_waits_its_own_turn);
	tcase_add_test(t, where_the_code_goes_round_it_sees_what_was_sent);
	tcase_add_test(t, what_is_asked_for_in_vain_is_given_up);
	tcase_add_test(t, many_holes_take_several_reports);
	tcase_add_test(t, who_comes_late_repairs_at_the_end);
	tcase_add_test(t, a_sender_is_told_that_it_is_done);
	tcase_add_test(t, loss_is_counted_by_numbers);
	tcase_add_test(t, silence_is_the_end);
	tcase_add_test(t, replayed_and_forged_packets_are_silence);
	tcase_add_test(t, after_the_end_only_what_is_under_way_counts);
	tcase_add_test(t, an_abort_counts_at_once);
	tcase_add_loop_test(t, no_number_of_a_notice_breaks_anything, 0, 12);
	suite_add_tcase(suite, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
