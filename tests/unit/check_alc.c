/*
 * tests/unit/check_alc.c - what alc.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "common/alc.h"

#include "common/size.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SALT_BYTES 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16

/* Headers of each kind, with the bytes that the RFCs make of them. */
static const struct {
	const char     *what;
	struct alc_head head;
	size_t		len;
	uint8_t		bytes[ALC_HEAD_MAX];
} good[] = {
	{ "data, open",
	    { .counter = 0x01020304,
		.tsi = 0xa1a2,
		.toi = 1,
		.sbn = 0x10203,
		.sbl = 200,
		.esi = 254 },
	    20,
	    { 0x10, 0x10, 3, 129, 1, 2, 3, 4, 0xa1, 0xa2, 0, 1, 0, 1, 2, 3, 0,
		200, 0, 254 } },
	{ "data, secure, the last of its object and session",
	    { .counter = 0x01020304050607,
		.tsi = 1,
		.toi = 0xffff,
		.sbl = 1,
		.flags = ALC_SECURE | ALC_CLOSE_SESSION | ALC_CLOSE_OBJECT },
	    24,
	    { 0x10, 0x13, 4, 129, 4, 5, 6, 7, 0, 1, 0xff, 0xff, 200, 1, 2, 3, 0,
		0, 0, 0, 0, 1, 0, 0 } },
	{ "FDT, open",
	    { .counter = 7,
		.tsi = 2,
		.fdt = 0xabcde,
		.sbn = 0,
		.esi = 3,
		.fti = { .length = 0x010203040506,
		    .block = 0x11223344,
		    .symbol = 1376 } },
	    36,
	    { 0x10, 0x10, 8, 0, 0, 0, 0, 7, 0, 2, 0, 0, 192, 0x2a, 0xbc, 0xde,
		64, 4, 1, 2, 3, 4, 5, 6, 0, 0, 0x05, 0x60, 0x11, 0x22, 0x33,
		0x44, 0, 0, 0, 3 } },
	{ "FDT, secure",
	    { .counter = ALC_COUNTER_MAX,
		.tsi = 2,
		.fdt = 1,
		.flags = ALC_SECURE | ALC_SALT,
		.generation = 0x0708,
		.salt = { SALT_BYTES },
		.fti = { .length = 1, .block = 1, .symbol = 1376 } },
	    60,
	    { 0x10, 0x10, 14, 0, 255, 255, 255, 255, 0, 2, 0, 0, 200, 255, 255,
		255, 192, 0x20, 0, 1, 64, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0x05, 0x60,
		0, 0, 0, 1, 100, 5, 7, 8, SALT_BYTES, 0, 0, 0, 0 } },
};

static void
same(const struct alc_head *a, const struct alc_head *b)
{
	ck_assert_uint_eq(a->counter, b->counter);
	ck_assert_uint_eq(a->tsi, b->tsi);
	ck_assert_uint_eq(a->toi, b->toi);
	ck_assert_uint_eq(a->flags, b->flags);
	ck_assert_uint_eq(a->sbn, b->sbn);
	ck_assert_uint_eq(a->sbl, b->sbl);
	ck_assert_uint_eq(a->esi, b->esi);
	if (a->toi == ALC_TOI_FDT) {
		ck_assert_uint_eq(a->fdt, b->fdt);
		ck_assert_uint_eq(a->fti.length, b->fti.length);
		ck_assert_uint_eq(a->fti.block, b->fti.block);
		ck_assert_uint_eq(a->fti.symbol, b->fti.symbol);
		ck_assert_uint_eq(a->fti.symbols, b->fti.symbols);
	}
	if (a->flags & ALC_SALT) {
		ck_assert_uint_eq(a->generation, b->generation);
		ck_assert_mem_eq(a->salt, b->salt, sizeof(a->salt));
	}
}

START_TEST(a_header_is_the_bytes_of_the_rfcs)
{
	uint8_t		buf[ALC_HEAD_MAX + 17] = { 0 };
	struct alc_head h;
	size_t		n = 0;

	ck_assert_int_eq(alc_build(&good[_i].head, buf, ALC_HEAD_MAX, &n), 0);
	ck_assert_uint_eq(n, good[_i].len);
	ck_assert_mem_eq(buf, good[_i].bytes, n);
	memset(&h, 0xee, sizeof(h));
	ck_assert_int_eq(alc_parse(&h, buf, good[_i].len + 17, &n), 0);
	ck_assert_uint_eq(n, good[_i].len);
	same(&h, &good[_i].head);
}
END_TEST

START_TEST(a_header_is_not_written_beyond_the_room)
{
	uint8_t buf[ALC_HEAD_MAX];
	size_t	n;

	ck_assert_int_eq(alc_build(&good[_i].head, buf, good[_i].len, &n), 0);
	ck_assert_int_eq(
	    alc_build(&good[_i].head, buf, good[_i].len - 1, &n), -EMSGSIZE);
}
END_TEST

/* A packet cut anywhere, and one without payload, is none. */
START_TEST(a_cut_packet_is_refused)
{
	size_t tag = good[_i].head.flags & ALC_SECURE ? MCAST_TAG_LEN : 0;

	for (size_t len = 0; len <= good[_i].len + tag; len++) {
		uint8_t	       *exact = malloc(len > 0 ? len : 1);
		struct alc_head h;
		size_t		n;

		memset(exact, 0, len);
		memcpy(exact, good[_i].bytes,
		    len < good[_i].len ? len : good[_i].len);
		ck_assert_msg(alc_parse(&h, exact, len, &n) == -EBADMSG,
		    "%s, cut to %zu", good[_i].what, len);
		free(exact);
	}
}
END_TEST

/* One byte of a good packet made another. */
static const struct {
	const char *why;
	unsigned    of, at;
	uint8_t	    byte;
} spoiled[] = {
	{ "LCT version 2", 0, 0, 0x20 },
	{ "LCT version 0", 0, 0, 0x00 },
	{ "64 bits of congestion control", 0, 0, 0x14 },
	{ "protocol-specific indication", 0, 0, 0x12 },
	{ "48 bits of TSI", 0, 1, 0x90 },
	{ "48 bits of TOI", 0, 1, 0x30 },
	{ "no TSI and no TOI", 0, 1, 0x00 },
	{ "RFC 3451's sender time", 0, 1, 0x18 },
	{ "RFC 3451's residual time", 0, 1, 0x14 },
	{ "header shorter than its fields", 0, 2, 2 },
	{ "header of no words", 0, 2, 0 },
	{ "header longer than the packet", 0, 2, 20 },
	{ "an object in Compact No-Code", 0, 3, 0 },
	{ "an object in RFC 5510's ID 5", 0, 3, 5 },
	{ "FDT in the objects' code", 2, 3, 129 },
	{ "an FDT without its extensions", 0, 11, 0 },
	{ "an object with FDT extensions", 2, 11, 1 },
	{ "block of no symbols", 0, 17, 0 },
	{ "block of more than 255 symbols", 0, 16, 1 },
	{ "symbol 255", 0, 19, 255 },
	{ "symbol over 255", 0, 18, 1 },
	{ "FLUTE version 1", 2, 13, 0x1a },
	{ "FLUTE version 3", 2, 13, 0x3a },
	{ "an extension of no words", 2, 17, 0 },
	{ "an extension longer than the header", 2, 17, 5 },
	{ "FTI shorter than its fields", 2, 17, 3 },
	{ "FTI's reserved bits", 2, 24, 1 },
	{ "salt without the long counter", 3, 12, 201 },
	{ "long counter without the salt", 3, 36, 101 },
	{ "EXT_FDT twice, no FTI", 2, 16, 192 },
};

START_TEST(what_is_not_ours_is_refused)
{
	uint8_t		buf[ALC_HEAD_MAX + 17] = { 0 };
	struct alc_head h;
	size_t		n;

	memcpy(buf, good[spoiled[_i].of].bytes, good[spoiled[_i].of].len);
	buf[spoiled[_i].at] = spoiled[_i].byte;
	ck_assert_msg(
	    alc_parse(&h, buf, good[spoiled[_i].of].len + 17, &n) == -EBADMSG,
	    "accepted: %s", spoiled[_i].why);
}
END_TEST

/* Whole packets, one byte of payload (or 17) behind. */
static const struct {
	const char *why;
	size_t	    len;
	uint8_t	    bytes[80];
} refused[] = {
	{ "counter 0", 21,
	    { 0x10, 0x10, 3, 129, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0,
		0, 'x' } },
	{ "the counter's extension twice", 45,
	    { 0x10, 0x10, 5, 129, 0, 0, 0, 1, 0, 1, 0, 1, 200, 0, 0, 0, 200, 0,
		0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'x' } },
	{ "FDT of no bytes", 37,
	    { 0x10, 0x10, 8, 0, 0, 0, 0, 1, 0, 1, 0, 0, 192, 0x20, 0, 1, 64, 4,
		0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 1, 0, 0, 0, 0, 'x' } },
	{ "FDT in symbols of no bytes", 37,
	    { 0x10, 0x10, 8, 0, 0, 0, 0, 1, 0, 1, 0, 0, 192, 0x20, 0, 1, 64, 4,
		0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 'x' } },
	{ "FDT in blocks of no symbols", 37,
	    { 0x10, 0x10, 8, 0, 0, 0, 0, 1, 0, 1, 0, 0, 192, 0x20, 0, 1, 64, 4,
		0, 0, 0, 0, 0, 9, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'x' } },
	{ "FTI longer than its fields", 41,
	    { 0x10, 0x10, 9, 0, 0, 0, 0, 1, 0, 1, 0, 0, 192, 0x20, 0, 1, 64, 5,
		0, 0, 0, 0, 0, 9, 0, 0, 5, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
		0, 'x' } },
	{ "an open FDT with salt", 57,
	    { 0x10, 0x10, 13, 0, 0, 0, 0, 1, 0, 1, 0, 0, 192, 0x20, 0, 1, 64, 4,
		0, 0, 0, 0, 0, 9, 0, 0, 5, 0, 0, 0, 0, 1, 100, 5, 0, 1,
		SALT_BYTES, 0, 0, 0, 0, 'x' } },
	{ "header as long as the packet", 20,
	    { 0x10, 0x10, 5, 129, 0, 0, 0, 1, 0, 1, 0, 1, 0, 2, 0, 0, 0, 0, 0,
		0 } },
};

START_TEST(a_whole_packet_is_refused)
{
	struct alc_head h;
	size_t		n;

	ck_assert_msg(
	    alc_parse(&h, refused[_i].bytes, refused[_i].len, &n) == -EBADMSG,
	    "accepted: %s", refused[_i].why);
}
END_TEST

START_TEST(unknown_extensions_are_skipped)
{
	/* EXT_NOP of two words, a fixed one, ours, and one of the future */
	static const uint8_t p[] = { 0x10, 0x10, 8, 129, 0, 0, 0, 9, 0, 1, 0, 1,
		0, 2, 1, 1, 1, 1, 1, 1, 199, 1, 1, 1, 200, 0, 0, 1, 127, 1, 9,
		9, 0, 0, 0, 5, 0, 9, 0, 8, 's', 'e', 'a', 'l', 'e', 'd', ' ',
		'w', 'i', 't', 'h', ' ', 'a', ' ', 't', 'a', 'g' };
	struct alc_head	     h;
	size_t		     n;

	ck_assert_int_eq(alc_parse(&h, p, sizeof(p), &n), 0);
	ck_assert_uint_eq(n, 40);
	ck_assert_uint_eq(h.counter, (UINT64_C(1) << 32) + 9);
	ck_assert_uint_eq(h.sbn, 5);
	ck_assert_uint_eq(h.sbl, 9);
	ck_assert_uint_eq(h.esi, 8);
}
END_TEST

static const struct {
	const char     *why;
	struct alc_head head;
} unbuildable[] = {
	{ "counter 0", { .toi = 1, .sbl = 1 } },
	{ "an open counter beyond 32 bits",
	    { .toi = 1, .sbl = 1, .counter = ALC_COUNTER_OPEN_MAX + 1 } },
	{ "a counter beyond 56 bits", { .toi = 1,
					  .sbl = 1,
					  .counter = ALC_COUNTER_MAX + 1,
					  .flags = ALC_SECURE } },
	{ "block of no symbols", { .toi = 1, .counter = 1 } },
	{ "block of 256 symbols", { .toi = 1, .counter = 1, .sbl = 256 } },
	{ "symbol 255", { .toi = 1, .counter = 1, .sbl = 9, .esi = 255 } },
	{ "data with salt", { .toi = 1,
				.counter = 1,
				.sbl = 9,
				.flags = ALC_SECURE | ALC_SALT } },
	{ "secure FDT without salt",
	    { .counter = 1, .flags = ALC_SECURE, .fti = { 1, 1, 1, 0 } } },
	{ "open FDT with salt",
	    { .counter = 1, .flags = ALC_SALT, .fti = { 1, 1, 1, 0 } } },
	{ "FDT of no bytes", { .counter = 1, .fti = { 0, 1, 1, 0 } } },
	{ "FDT beyond 48 bits",
	    { .counter = 1, .fti = { ALC_LENGTH_MAX + 1, 1, 1, 0 } } },
	{ "FDT in no blocks", { .counter = 1, .fti = { 1, 0, 1, 0 } } },
	{ "FDT in no symbols", { .counter = 1, .fti = { 1, 1, 0, 0 } } },
	{ "FDT with parity", { .counter = 1, .fti = { 1, 1, 1, 2 } } },
	{ "FDT ID beyond 20 bits",
	    { .counter = 1, .fti = { 1, 1, 1, 0 }, .fdt = 1 << 20 } },
	{ "FDT block beyond 16 bits",
	    { .counter = 1, .fti = { 1, 1, 1, 0 }, .sbn = 1 << 16 } },
	{ "FDT with a block length",
	    { .counter = 1, .fti = { 1, 1, 1, 0 }, .sbl = 1 } },
};

START_TEST(what_breaks_a_rule_is_not_built)
{
	uint8_t buf[ALC_HEAD_MAX];
	size_t	n;

	ck_assert_msg(
	    alc_build(&unbuildable[_i].head, buf, sizeof(buf), &n) == -EINVAL,
	    "built: %s", unbuildable[_i].why);
}
END_TEST

/* length, symbol and block; then RFC 5052's N, I, A_large, A_small by hand */
static const struct {
	uint64_t length;
	uint32_t symbol, block, count, larges;
	uint16_t large, small;
} cut[] = {
	{ 1, 1432, 200, 1, 1, 1, 1 },
	{ 1432, 1432, 200, 1, 1, 1, 1 },
	{ 1433, 1432, 200, 1, 1, 2, 2 },
	{ 200 * 1432, 1432, 200, 1, 1, 200, 200 },
	{ 200 * 1432 + 1, 1432, 200, 2, 1, 101, 100 },
	{ 10, 1, 4, 3, 1, 4, 3 },
	{ 11, 1, 4, 3, 2, 4, 3 },
	{ 12, 1, 4, 3, 3, 4, 4 },
	{ 64 << 20, 1432, 200, 235, 99, 200, 199 },
	{ UINT64_C(4) << 30, 1432, 200, 14997, 14876, 200, 199 },
	{ UINT32_MAX, 1, 255, 16843009, 16843009, 255, 255 },
};

START_TEST(blocks_are_cut_as_rfc_5052_says)
{
	struct alc_blocks b;

	ck_assert_int_eq(
	    alc_blocks_init(&b, cut[_i].length, cut[_i].symbol, cut[_i].block),
	    0);
	ck_assert_uint_eq(b.count, cut[_i].count);
	ck_assert_uint_eq(b.larges, cut[_i].larges);
	ck_assert_uint_eq(b.large, cut[_i].large);
	ck_assert_uint_eq(b.small, cut[_i].small);
}
END_TEST

/* Blocks follow each other without gap or overlap, and end with the object. */
START_TEST(blocks_cover_the_object)
{
	for (uint64_t length = 1; length < 700; length++)
		for (uint32_t block = 1; block < 12; block++) {
			struct alc_blocks b;
			uint64_t	  at = 0;

			ck_assert_int_eq(
			    alc_blocks_init(&b, length, 7, block), 0);
			for (uint32_t i = 0; i < b.count; i++) {
				uint16_t k = alc_block_symbols(&b, i);
				uint32_t n = alc_block_bytes(&b, i);

				ck_assert_uint_eq(alc_block_offset(&b, i), at);
				ck_assert_uint_le(k, block);
				ck_assert_uint_le(n, 7u * k);
				ck_assert_uint_gt(n, 7u * (k - 1u));
				at += n;
			}
			ck_assert_uint_eq(at, length);
		}
}
END_TEST

static const struct {
	const char *why;
	uint64_t    length;
	uint32_t    symbol, block;
	int	    err;
} uncut[] = {
	{ "nothing", 0, 1, 1, -EINVAL },
	{ "symbols of no bytes", 1, 0, 1, -EINVAL },
	{ "symbols of 64 KiB", 1, 65536, 1, -EINVAL },
	{ "blocks of no symbols", 1, 1, 0, -EINVAL },
	{ "blocks of 256 symbols", 1, 1, 256, -EINVAL },
	{ "2^48 bytes", UINT64_C(1) << 48, 65535, 255, -EFBIG },
	{ "2^32 symbols", UINT64_C(1) << 32, 1, 255, -EFBIG },
	{ "all bits", UINT64_MAX, 65535, 255, -EFBIG },
};

START_TEST(what_cannot_be_cut_is_refused)
{
	struct alc_blocks b;

	ck_assert_msg(alc_blocks_init(&b, uncut[_i].length, uncut[_i].symbol,
			  uncut[_i].block) == uncut[_i].err,
	    "cut: %s", uncut[_i].why);
}
END_TEST

START_TEST(numbers_beyond_the_object_do_not_hold)
{
	struct alc_blocks b;
	struct alc_head	  h = { .sbn = 0, .sbl = 4, .esi = 5 };

	ck_assert_int_eq(alc_blocks_init(&b, 11, 1, 4), 0); /* 4, 4, 3 */
	ck_assert(alc_blocks_hold(&b, 6, &h));
	ck_assert(!alc_blocks_hold(&b, 5, &h)); /* no such symbol */
	h.sbl = 3;
	ck_assert(!alc_blocks_hold(&b, 6, &h)); /* another length */
	h.sbn = 2;
	ck_assert(alc_blocks_hold(&b, 6, &h));
	h.sbn = 3;
	ck_assert(!alc_blocks_hold(&b, 6, &h)); /* no such block */
	h.sbn = UINT32_MAX;
	ck_assert(!alc_blocks_hold(&b, 6, &h));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("alc");
	TCase	*t = tcase_create("alc");
	SRunner *r = srunner_create(s);
	int	 failed;

	tcase_add_loop_test(
	    t, a_header_is_the_bytes_of_the_rfcs, 0, COUNT(good));
	tcase_add_loop_test(
	    t, a_header_is_not_written_beyond_the_room, 0, COUNT(good));
	tcase_add_loop_test(t, a_cut_packet_is_refused, 0, COUNT(good));
	tcase_add_loop_test(t, what_is_not_ours_is_refused, 0, COUNT(spoiled));
	tcase_add_loop_test(t, a_whole_packet_is_refused, 0, COUNT(refused));
	tcase_add_test(t, unknown_extensions_are_skipped);
	tcase_add_loop_test(
	    t, what_breaks_a_rule_is_not_built, 0, COUNT(unbuildable));
	tcase_add_loop_test(t, blocks_are_cut_as_rfc_5052_says, 0, COUNT(cut));
	tcase_add_test(t, blocks_cover_the_object);
	tcase_add_loop_test(t, what_cannot_be_cut_is_refused, 0, COUNT(uncut));
	tcase_add_test(t, numbers_beyond_the_object_do_not_hold);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
