/*
 * tests/unit/check_gather.c - dp-agent/gather.h: whole and right, within bounds,
 * or not there.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/gather.h"

#include "common/rs.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define E 100 /* bytes of a symbol */

static struct gather g;
static uint64_t	     counter;

static void
fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		p[i] = (uint8_t)(seed >> 16);
	}
}

static struct fdt_file
file(const char *name, uint16_t toi, const void *bytes, size_t len)
{
	struct fdt_file f = { .name = (char *)name, .toi = toi,
		.fti = { .length = len, .symbol = E, .block = 20,
		    .symbols = 40 } };

	ck_assert_int_eq(hash_of(&f.hash, bytes, len), 0);
	return f;
}

/* One symbol: what gather_placed() gives, or -ENOENT if it is not wanted. */
static int
give(const struct fdt_file *f, uint32_t sbn, uint16_t sbl, uint16_t esi,
    const void *p, size_t n)
{
	struct alc_head h = { .toi = f->toi, .sbn = sbn, .sbl = sbl, .esi = esi,
		.counter = ++counter };
	uint8_t *to = gather_place(&g, f, &h, n);

	if (to == NULL)
		return -ENOENT;
	memcpy(to, p, n);
	return gather_placed(&g, f, &h, n);
}

static bool
has(const struct fdt_file *f, const void *want, size_t len)
{
	const void *bytes;
	size_t	    n;

	return gather_find(&g, f->name, &f->hash, &bytes, &n) && n == len &&
	    memcmp(bytes, want, n) == 0;
}

static void
teardown(void)
{
	gather_fini(&g);
	ck_assert_uint_eq(g.n, 0);
	ck_assert_uint_eq(g.bytes, 0);
}

START_TEST(one_symbol_is_an_object)
{
	struct fdt_file f = file("repo/metadata/timestamp.json", 3, "hello", 5);
	const void     *p;
	size_t		n;

	ck_assert(!gather_find(&g, f.name, NULL, &p, &n));
	ck_assert_int_eq(give(&f, 0, 1, 0, "hello", 5), 1);
	ck_assert(has(&f, "hello", 5));
	ck_assert(gather_find(&g, f.name, NULL, &p, &n));
	ck_assert(!gather_find(&g, "repo/metadata/root.json", NULL, &p, &n));
	ck_assert_int_eq(give(&f, 0, 1, 0, "hello", 5), -ENOENT); /* it is here */
	ck_assert_uint_eq(g.bytes, 5); /* and costs no more than itself */
}
END_TEST

START_TEST(blocks_come_in_any_order_and_lose_symbols)
{
	static uint8_t	bytes[4990], parity[3][20][E], padded[5000];
	const uint8_t  *src[20];
	uint8_t	       *out[20];
	struct fdt_file f;
	struct rs      *rs;
	int		r = 0;

	fill(bytes, sizeof(bytes), 1);
	memcpy(padded, bytes, sizeof(bytes));
	f = file("a", 9, bytes, sizeof(bytes)); /* 50 symbols: 17, 17, 16 */
	for (int b = 2; b >= 0; b--) {
		uint16_t k = b == 2 ? 16 : 17;
		size_t	 at = (size_t)b * 17 * E;

		ck_assert_int_eq(rs_new(k, &rs), 0);
		for (unsigned i = 0; i < k; i++)
			src[i] = padded + at + i * E;
		for (unsigned i = 0; i < 20; i++)
			out[i] = parity[b][i];
		ck_assert_int_eq(rs_encode(rs, E, src, k, 20, out), 0);
		rs_free(&rs);
		for (uint16_t i = 4; i < k; i++) /* four are lost */
			ck_assert_int_eq(r = give(&f, (uint32_t)b, k, i, src[i],
					     b == 2 && i == 15 ? 90 : E), 0);
		for (uint16_t i = 0; i < 4; i++)
			r = give(&f, (uint32_t)b, k, (uint16_t)(k + i),
			    parity[b][i], E);
	}
	ck_assert_int_eq(r, 1);
	ck_assert(has(&f, bytes, sizeof(bytes)));
}
END_TEST

START_TEST(wrong_bytes_are_forgotten_and_gathered_anew)
{
	struct fdt_file f = file("a", 1, "hello", 5);

	ck_assert_int_eq(give(&f, 0, 1, 0, "hallo", 5), -EBADMSG);
	ck_assert_uint_eq(g.n, 0);
	ck_assert_int_eq(give(&f, 0, 1, 0, "hello", 5), 1);
	ck_assert(has(&f, "hello", 5));
}
END_TEST

START_TEST(another_hash_is_another_object)
{
	static uint8_t	bytes[3 * E];
	struct fdt_file old = file("a", 1, bytes, sizeof(bytes)),
			new = file("a", 1, "hello", 5);

	ck_assert_int_eq(give(&old, 0, 3, 0, bytes, E), 0);
	ck_assert_int_eq(give(&new, 0, 1, 0, "hello", 5), 1);
	ck_assert(has(&new, "hello", 5));
	ck_assert_uint_eq(g.n, 1);
	/* under another TOI both are there, and the newer is found by name */
	old.toi = 2;
	ck_assert_int_eq(give(&old, 0, 3, 0, bytes, E), 0);
	ck_assert(has(&new, "hello", 5));
}
END_TEST

static const struct {
	const char *why;
	uint32_t    sbn;
	uint16_t    sbl, esi;
	size_t	    n;
} refused[] = {
	{ "block beyond the object", 1, 3, 0, E },
	{ "other length of the block", 0, 4, 0, E },
	{ "symbol beyond the block", 0, 3, 255, E },
	{ "short symbol in the middle", 0, 3, 1, E - 1 },
	{ "long last symbol", 0, 3, 2, E },
};

START_TEST(what_does_not_fit_is_not_taken)
{
	static uint8_t	bytes[2 * E + 7];
	struct fdt_file f = file("a", 1, bytes, sizeof(bytes));
	int		r = give(&f, refused[_i].sbn, refused[_i].sbl,
			  refused[_i].esi, bytes, refused[_i].n);

	ck_assert_msg(r <= 0 && g.n == 0, "begins: %s", refused[_i].why);
	ck_assert_int_eq(give(&f, 0, 3, 0, bytes, E), 0);
	r = give(&f, refused[_i].sbn, refused[_i].sbl, refused[_i].esi, bytes,
	    refused[_i].n);
	ck_assert_msg(r == -ENOENT, "goes on: %s", refused[_i].why);
}
END_TEST

START_TEST(memory_is_bounded)
{
	static uint8_t	bytes[GATHER_OBJECT + 1];
	struct fdt_file f = file("large", 1, bytes, sizeof(bytes));

	f.fti.symbol = 1000;
	f.fti.block = 200;
	f.fti.symbols = 255;
	ck_assert_int_eq(give(&f, 0, 200, 0, bytes, 1000), -ENOENT);
	f = file("small", 1, "hello", 5);
	ck_assert_int_eq(give(&f, 0, 1, 0, "hello", 5), 1);
	for (uint16_t toi = 2; toi < 200; toi++) {
		struct fdt_file l = file("large", toi, bytes, 300000);

		l.fti.symbol = 1500;
		l.fti.block = 200;
		l.fti.symbols = 255;
		(void)give(&l, 0, 200, 0, bytes, 1500);
		ck_assert_uint_le(g.bytes, GATHER_BYTES);
	}
	ck_assert_uint_gt(g.n, 4);
	ck_assert(has(&f, "hello", 5)); /* what is here stays */
	gather_fini(&g);
	for (uint16_t toi = 1; toi < 200; toi++) {
		struct fdt_file s = file("small", toi, bytes, 2 * E);

		(void)give(&s, 0, 2, 0, bytes, E);
	}
	ck_assert_uint_eq(g.n, GATHER_OBJECTS);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("gather");
	TCase	*t = tcase_create("gather");
	SRunner *sr = srunner_create(s);
	int	 failed;

	if (hash_setup() < 0)
		return EXIT_FAILURE;
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, one_symbol_is_an_object);
	tcase_add_test(t, blocks_come_in_any_order_and_lose_symbols);
	tcase_add_test(t, wrong_bytes_are_forgotten_and_gathered_anew);
	tcase_add_test(t, another_hash_is_another_object);
	tcase_add_loop_test(t, what_does_not_fit_is_not_taken, 0,
	    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(t, memory_is_bounded);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
