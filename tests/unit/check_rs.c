/*
 * tests/unit/check_rs.c - the erasure code against a plain one from RFC 5510.
 *
 * The plain code shares nothing with common/rs.c: it multiplies bit by bit into
 * a table and finds the polynomial's coefficients by Newton's differences.
 * Every symbol given to the code ends where a page without access begins, so
 * that a read or write beyond its length is not overlooked in assembly.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/rs.h"
#include "common/size.h"

#define PAGE 4096
#define FILL 0xa5

static uint8_t mul[256][256], inv[256], alpha[255];

/* symbols that end at the end of a page, filled up in front with FILL */
struct pages {
	uint8_t *map;
	uint8_t *sym[RS_N];
	unsigned n;
	size_t len;
};
static struct pages block, copy; /* one case at a time */

static void
plain_setup(void)
{
	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			unsigned r = 0;

			for (unsigned bit = 0; bit < 8; bit++)
				r ^= b >> bit & 1 ? a << bit : 0;
			for (unsigned bit = 15; bit > 7; bit--)
				r ^= r >> bit & 1 ? 0x11du << (bit - 8) : 0;
			mul[a][b] = (uint8_t)r;
			if (r == 1)
				inv[a] = (uint8_t)b;
		}
	}
	alpha[0] = 1;
	for (unsigned i = 1; i < 255; i++)
		alpha[i] = mul[alpha[i - 1]][2];
}

/* symbols k..254 of a column of k bytes: c * V(k,k) = s, then c * V(k,n) */
static void
plain_column(const uint8_t *s, unsigned k, uint8_t e[RS_N])
{
	uint8_t d[RS_N];

	memcpy(d, s, k); /* divided differences */
	for (unsigned q = 1; q < k; q++)
		for (unsigned i = k - 1; i >= q; i--)
			d[i] =
			    mul[d[i] ^ d[i - 1]][inv[alpha[i] ^ alpha[i - q]]];
	for (unsigned j = 0; j < RS_N; j++) {
		uint8_t v = d[k - 1];

		for (unsigned i = k - 1; i-- > 0;)
			v = mul[v][alpha[j] ^ alpha[i]] ^ d[i];
		e[j] = v;
	}
}

static uint32_t seed;
static uint32_t
any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

static void
pages_make(struct pages *p, unsigned n, size_t len)
{
	size_t each = (len + PAGE - 1) / PAGE * PAGE + PAGE;

	p->n = n;
	p->len = len;
	p->map = mmap(NULL, n * each, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(p->map, MAP_FAILED);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *end = p->map + (i + 1) * each - PAGE;

		memset(p->map + i * each, FILL, each - PAGE);
		p->sym[i] = end - len;
		ck_assert_int_eq(mprotect(end, PAGE, PROT_NONE), 0);
	}
}

static void
pages_end(struct pages *p)
{
	size_t each = (p->len + PAGE - 1) / PAGE * PAGE + PAGE;
	bool clean = true;

	for (unsigned i = 0; i < p->n; i++)
		for (uint8_t *q = p->map + i * each; q < p->sym[i]; q++)
			clean = clean && *q == FILL;
	ck_assert_msg(clean, "written before a symbol");
	ck_assert_int_eq(munmap(p->map, p->n * each), 0);
}

/* A block of k random symbols and all its parity, in `block`, by the plain
 * code. */
static void
block_make(unsigned k, size_t len)
{
	uint8_t s[RS_K_MAX], e[RS_N];

	pages_make(&block, RS_N, len);
	for (size_t b = 0; b < len; b++) {
		for (unsigned j = 0; j < k; j++)
			s[j] = (uint8_t)any(256);
		plain_column(s, k, e);
		for (unsigned j = 0; j < RS_N; j++)
			block.sym[j][b] = e[j];
	}
}

static const uint8_t *const *
seen(struct pages *p)
{
	return (const uint8_t *const *)p->sym;
}

static void
encodes_right(struct rs *r, unsigned k, unsigned esi, unsigned n)
{
	pages_make(&copy, n > 0 ? n : 1, block.len);
	ck_assert_int_eq(
	    rs_encode(r, block.len, seen(&block), esi, n, copy.sym), 0);
	for (unsigned i = 0; i < n; i++)
		ck_assert_msg(
		    memcmp(copy.sym[i], block.sym[esi + i], block.len) == 0,
		    "k %u, length %zu: wrong parity symbol %u of the run from "
		    "%u",
		    k, block.len, esi + i, esi);
	pages_end(&copy);
}

/* Loses missing[], is given the parity symbols esi[] of `block`. */
static void
decodes_right(struct rs *r, unsigned k, const uint8_t missing[], unsigned e,
    const uint8_t esi[])
{
	const uint8_t *parity[RS_K_MAX];

	pages_make(&copy, k, block.len);
	for (unsigned j = 0; j < k; j++)
		memcpy(copy.sym[j], block.sym[j], block.len);
	for (unsigned i = 0; i < e; i++) {
		memset(copy.sym[missing[i]], FILL, block.len);
		parity[i] = block.sym[esi[i]];
	}
	ck_assert_int_eq(
	    rs_decode(r, block.len, copy.sym, missing, e, parity, esi), 0);
	for (unsigned j = 0; j < k; j++)
		ck_assert_msg(memcmp(copy.sym[j], block.sym[j], block.len) == 0,
		    "k %u, length %zu, %u lost: symbol %u is wrong", k,
		    block.len, e, j);
	pages_end(&copy);
}

/* n different numbers from `from` on and below `below`, rising */
static void
choose(uint8_t *out, unsigned n, unsigned from, unsigned below)
{
	for (unsigned i = from; n > 0; i++) {
		if (any(below - i) < n) {
			*out++ = (uint8_t)i;
			n--;
		}
	}
}

static void
shuffle(uint8_t *a, unsigned n)
{
	for (unsigned i = n; i > 1; i--) {
		unsigned j = any(i);
		uint8_t x = a[j];

		a[j] = a[i - 1];
		a[i - 1] = x;
	}
}

static void
decodes_any(struct rs *r, unsigned k, unsigned e)
{
	uint8_t missing[RS_K_MAX], esi[RS_K_MAX];

	choose(missing, e, 0, k);
	choose(esi, e, k, RS_N);
	shuffle(esi, e);
	decodes_right(r, k, missing, e, esi);
}

static const struct {
	unsigned k, esi;
	uint8_t bytes[4];
} vectors[] = {
#include "tests/unit/rs_vectors.h"
};

START_TEST(parity_is_what_the_text_of_the_rfc_gives)
{
	unsigned k = vectors[_i].k;
	uint8_t src[RS_K_MAX][4], out[4], *to = out;
	const uint8_t *s[RS_K_MAX];
	struct rs *r;

	for (unsigned i = 0; i < k; i++) {
		for (unsigned b = 0; b < 4; b++)
			src[i][b] =
			    (uint8_t)(17 * i + 101 * b + 31 * k + 5 * i * i);
		s[i] = src[i];
	}
	ck_assert_int_eq(rs_new(k, &r), 0);
	ck_assert_int_eq(rs_encode(r, 4, s, vectors[_i].esi, 1, &to), 0);
	ck_assert_mem_eq(out, vectors[_i].bytes, 4);
	rs_free(&r);
	ck_assert_ptr_null(r);
}
END_TEST

START_TEST(every_k_encodes_and_decodes)
{
	for (unsigned k = 1; k <= RS_K_MAX; k++) {
		unsigned most = k < RS_N - k ? k : RS_N - k,
			 esi = k + any(RS_N - k);
		struct rs *r;

		ck_assert_int_eq(rs_new(k, &r), 0);
		block_make(k, 1 + any(40));
		encodes_right(r, k, k, RS_N - k); /* all there are */
		encodes_right(r, k, esi, any(RS_N - esi + 1));
		decodes_any(r, k, most);
		decodes_any(r, k, any(most + 1));
		encodes_right(r, k, esi, any(RS_N - esi + 1));
		pages_end(&block);
		rs_free(&r);
	}
}
END_TEST

/* The kernels work in pieces of 32 and 64 bytes, the rest is their tail. */
START_TEST(every_length_up_to_300_and_those_of_the_wire)
{
	struct rs *r;

	ck_assert_int_eq(rs_new(11, &r), 0);
	for (size_t len = 1; len <= 305; len++) {
		static const size_t wire[] = { 1412, 1432, 4096, 9000, 65535 };

		block_make(11, len <= 300 ? len : wire[len - 301]);
		encodes_right(r, 11, 11, 1 + any(20));
		decodes_any(r, 11, 1 + any(11));
		pages_end(&block);
	}
	rs_free(&r);
}
END_TEST

/* k of n symbols in all ways: which are lost, and which parity came instead */
START_TEST(every_erasure_of_a_small_block_is_repaired)
{
	for (unsigned k = 1; k <= 6; k++) {
		unsigned n = k + 4;
		struct rs *r;

		ck_assert_int_eq(rs_new(k, &r), 0);
		block_make(k, 5);
		for (unsigned came = 0; came < 1u << n; came++) {
			uint8_t missing[8], esi[8];
			unsigned e = 0, parity = 0;

			if ((unsigned)__builtin_popcount(came) != k)
				continue;
			for (unsigned j = 0; j < n; j++) {
				if (j < k && !(came >> j & 1))
					missing[e++] = (uint8_t)j;
				if (j >= k && came >> j & 1)
					esi[parity++] = (uint8_t)j;
			}
			ck_assert_uint_eq(e, parity);
			decodes_right(r, k, missing, e, esi);
		}
		pages_end(&block);
		rs_free(&r);
	}
}
END_TEST

/* Whatever k, length, losses: for two seconds, at least 50 blocks. */
START_TEST(random_blocks_come_back)
{
	time_t end = time(NULL) + 2;

	for (unsigned n = 0; n < 50 || time(NULL) < end; n++) {
		unsigned k = 1 + any(RS_K_MAX),
			 most = k < RS_N - k ? k : RS_N - k;
		struct rs *r;

		ck_assert_int_eq(rs_new(k, &r), 0);
		block_make(k, 1 + any(any(8) == 0 ? 1500 : 100));
		for (unsigned i = 0; i < 4; i++) {
			decodes_any(r, k, any(most + 1));
			encodes_right(r, k, k + any(RS_N - k), 1);
		}
		pages_end(&block);
		rs_free(&r);
	}
}
END_TEST

START_TEST(a_k_out_of_range_is_refused)
{
	struct rs *r = (struct rs *)&block;

	ck_assert_int_eq(rs_new(0, &r), -EINVAL);
	ck_assert_ptr_null(r);
	ck_assert_int_eq(rs_new(255, &r), -EINVAL);
	ck_assert_int_eq(rs_new(UINT32_MAX, &r), -EINVAL);
	rs_free(&r);
}
END_TEST

static const struct {
	const char *why;
	size_t len;
	unsigned esi, n;
} no_run[] = {
	/* k = 200 */
	{ "no byte", 0, 200, 1 },
	{ "too long", 65536, 200, 1 },
	{ "a source symbol", 1, 199, 1 },
	{ "beyond 254", 1, 255, 1 },
	{ "run beyond 254", 1, 253, 3 },
	{ "far beyond", 1, 1000, 0 },
	{ "a sum that wraps", 1, 201, UINT32_MAX - 100 },
};

START_TEST(encoding_refuses)
{
	struct rs *r;

	ck_assert_int_eq(rs_new(200, &r), 0);
	ck_assert_msg(rs_encode(r, no_run[_i].len, NULL, no_run[_i].esi,
			  no_run[_i].n, NULL) == -EINVAL,
	    "accepted: %s", no_run[_i].why);
	ck_assert_int_eq(rs_encode(r, 1, NULL, 255, 0, NULL), 0);
	rs_free(&r);
}
END_TEST

static const struct {
	const char *why;
	size_t len;
	unsigned e;
	uint8_t missing[5], esi[5];
} no_erasure[] = {
	/* k = 4 */
	{ "no byte", 0, 1, { 0 }, { 4 } },
	{ "too long", 65536, 1, { 0 }, { 4 } },
	{ "more than there are", 1, 5, { 0, 1, 2, 3, 3 }, { 4, 5, 6, 7, 8 } },
	{ "a lost parity symbol", 1, 1, { 4 }, { 5 } },
	{ "lost twice", 1, 2, { 1, 1 }, { 4, 5 } },
	{ "falling", 1, 2, { 2, 1 }, { 4, 5 } },
	{ "a source symbol for parity", 1, 1, { 0 }, { 3 } },
	{ "parity twice", 1, 3, { 0, 1, 2 }, { 9, 200, 9 } },
	{ "ESI 255", 1, 1, { 0 }, { 255 } },
};

START_TEST(decoding_refuses)
{
	uint8_t byte[4] = { 1, 2, 3, 4 }, *sym[4];
	const uint8_t *parity[5] = { byte, byte, byte, byte, byte };
	struct rs *r;

	for (unsigned i = 0; i < 4; i++)
		sym[i] = &byte[i];
	ck_assert_int_eq(rs_new(4, &r), 0);
	ck_assert_msg(
	    rs_decode(r, no_erasure[_i].len, sym, no_erasure[_i].missing,
		no_erasure[_i].e, parity, no_erasure[_i].esi) == -EINVAL,
	    "accepted: %s", no_erasure[_i].why);
	ck_assert_mem_eq(byte, "\1\2\3\4", 4);
	rs_free(&r);
	ck_assert_int_eq(rs_new(254, &r), 0); /* has one parity symbol */
	ck_assert_int_eq(rs_decode(r, 1, sym, (uint8_t[]){ 0, 1 }, 2, parity,
			     (uint8_t[]){ 254, 254 }),
	    -EINVAL);
	rs_free(&r);
}
END_TEST

static const uint8_t *
nothing_lost(void)
{
	static const uint8_t none;

	return &none;
}

START_TEST(a_whole_block_is_left_alone)
{
	struct rs *r;

	ck_assert_int_eq(rs_new(4, &r), 0);
	ck_assert_int_eq(
	    rs_decode(r, 1, NULL, nothing_lost(), 0, NULL, nothing_lost()), 0);
	rs_free(&r);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("rs");
	TCase *t = tcase_create("rs");
	SRunner *sr;
	int failed;

	plain_setup();
	seed = 2463534242u;
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(
	    t, parity_is_what_the_text_of_the_rfc_gives, 0, COUNT(vectors));
	tcase_add_test(t, every_k_encodes_and_decodes);
	tcase_add_test(t, every_length_up_to_300_and_those_of_the_wire);
	tcase_add_test(t, every_erasure_of_a_small_block_is_repaired);
	tcase_add_test(t, random_blocks_come_back);
	tcase_add_test(t, a_k_out_of_range_is_refused);
	tcase_add_loop_test(t, encoding_refuses, 0, COUNT(no_run));
	tcase_add_loop_test(t, decoding_refuses, 0, COUNT(no_erasure));
	tcase_add_test(t, a_whole_block_is_left_alone);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
