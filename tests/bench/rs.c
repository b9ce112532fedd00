/*
 * tests/bench/rs.c - speed of the erasure code on one core, as the multicast
 * transfer uses it: 1,432-byte symbols, a new erasure pattern for each block.
 *
 * usage: make bench-rs [RUNS=5]
 *
 * GB/s counts the k source symbols of a block, 10^9 bytes. The blocks of a turn
 * are more than the processor's second cache holds. The peer is the plain way
 * with the same library: invert the k x k matrix of the symbols that came
 * (gf_invert_matrix), multiply (ec_encode_data). All take turns within a round;
 * figures are medians. Every result is compared once. Closes with one JSON
 * line. SPDX-License-Identifier: ISC
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <isa-l/erasure_code.h>

#include "common/rs.h"
#include "common/size.h"

#define LEN    1432
#define BLOCKS 16
#define EACH   0.1 /* seconds of one figure in one round */

static const unsigned ks[] = { 64, 128, 200 },
		      losses[] = { 1, 2, 5, 10, 13, 20 };
static uint8_t *sym[BLOCKS][RS_N], *spare[RS_N];
static uint8_t lost[BLOCKS][RS_N];
static uint8_t matrix[RS_N * RS_N]; /* row per symbol, k columns */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
die(const char *what)
{
	fprintf(stderr, "bench-rs: %s\n", what);
	exit(1);
}

static void *
memory(size_t n)
{
	void *p = aligned_alloc(64, (n + 63) / 64 * 64);

	if (p == NULL)
		die("no memory");
	return p;
}

static const uint8_t *const *
seen(uint8_t *const s[])
{
	return (const uint8_t *const *)s;
}

/* e symbols below k, rising, others for each block */
static void
lose(unsigned k, unsigned e)
{
	for (unsigned b = 0; b < BLOCKS; b++)
		for (unsigned j = 0, n = 0; n < e; j++)
			if ((unsigned)rand() % (k - j) < e - n)
				lost[b][n++] = (uint8_t)j;
}

static void
encode(struct rs *r, unsigned k, unsigned e, unsigned b)
{
	if (rs_encode(r, LEN, seen(sym[b]), k, e, sym[b] + k) < 0)
		die("rs_encode");
}

static void
decode(struct rs *r, unsigned k, unsigned e, unsigned b)
{
	uint8_t esi[RS_N];

	for (unsigned i = 0; i < e; i++)
		esi[i] = (uint8_t)(k + i);
	if (rs_decode(r, LEN, sym[b], lost[b], e, seen(sym[b] + k), esi) < 0)
		die("rs_decode");
}

static void
plain(struct rs *r, unsigned k, unsigned e, unsigned b)
{
	static uint8_t came[RS_N * RS_N], inverse[RS_N * RS_N],
	    rows[RS_N * RS_N];
	static uint8_t tables[RS_N * RS_N * 32];
	uint8_t *known[RS_N], *out[RS_N];

	(void)r;
	for (unsigned j = 0; j < k; j++) {
		known[j] = sym[b][j];
		memcpy(came + j * k, matrix + j * k, k);
	}
	for (unsigned i = 0; i < e; i++) {
		known[lost[b][i]] = sym[b][k + i];
		memcpy(came + lost[b][i] * k, matrix + (k + i) * k, k);
		out[i] = sym[b][lost[b][i]];
	}
	if (gf_invert_matrix(came, inverse, (int)k) < 0)
		die("gf_invert_matrix");
	for (unsigned i = 0; i < e; i++)
		memcpy(rows + i * k, inverse + lost[b][i] * k, k);
	ec_init_tables((int)k, (int)e, rows, tables);
	ec_encode_data(LEN, (int)k, (int)e, tables, known, out);
}

/* The generator matrix, by encoding the unit vectors. */
static void
matrix_make(struct rs *r, unsigned k)
{
	uint8_t unit[RS_N], *out[RS_N], e[RS_N];
	const uint8_t *src[RS_N];

	memset(matrix, 0, sizeof(matrix));
	for (unsigned j = 0; j < RS_N; j++) {
		src[j] = &unit[j];
		out[j] = &e[j];
	}
	for (unsigned c = 0; c < k; c++) {
		memset(unit, 0, sizeof(unit));
		unit[c] = 1;
		matrix[c * k + c] = 1;
		if (rs_encode(r, 1, src, k, RS_N - k, out) < 0)
			die("rs_encode");
		for (unsigned j = k; j < RS_N; j++)
			matrix[j * k + c] = e[j - k];
	}
}

/* All blocks whole again after each way of decoding, or the figures lie. */
static void
check(struct rs *r, unsigned k, unsigned e,
    void (*way)(struct rs *, unsigned, unsigned, unsigned))
{
	for (unsigned b = 0; b < BLOCKS; b++) {
		for (unsigned i = 0; i < e; i++) {
			memcpy(spare[i], sym[b][lost[b][i]], LEN);
			memset(sym[b][lost[b][i]], 0, LEN);
		}
		way(r, k, e, b);
		for (unsigned i = 0; i < e; i++)
			if (memcmp(spare[i], sym[b][lost[b][i]], LEN) != 0)
				die("wrong result");
	}
}

static double
speed(struct rs *r, unsigned k, unsigned e,
    void (*way)(struct rs *, unsigned, unsigned, unsigned))
{
	double start = now(), t;
	unsigned long n = 0;

	do {
		way(r, k, e, (unsigned)(n++ % BLOCKS));
	} while ((t = now() - start) < EACH);
	return (double)n * k * LEN / t / 1e9;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_size);
	return v[n / 2];
}

int
main(int argc, char *argv[])
{
	unsigned runs = argc > 1 ? (unsigned)atoi(argv[1]) : 5;
	double *v[3];
	char json[8192];
	size_t at = 0;

	if (runs < 1 || runs > 1000)
		die("RUNS: 1 to 1000");
	for (unsigned i = 0; i < 3; i++)
		v[i] = memory(runs * sizeof(double));
	for (unsigned j = 0; j < RS_N; j++) {
		spare[j] = memory(LEN);
		for (unsigned b = 0; b < BLOCKS; b++) {
			sym[b][j] = memory(LEN);
			for (unsigned i = 0; i < LEN; i++)
				sym[b][j][i] = (uint8_t)rand();
		}
	}
	printf("%-18s %11s %11s %11s %9s\n", "GB/s, one core", "encode",
	    "decode", "k x k", "ratio");
	for (unsigned x = 0; x < COUNT(ks) * COUNT(losses); x++) {
		unsigned k = ks[x / COUNT(losses)],
			 e = losses[x % COUNT(losses)];
		struct rs *r;

		if (rs_new(k, &r) < 0)
			die("rs_new");
		matrix_make(r, k);
		lose(k, e);
		for (unsigned b = 0; b < BLOCKS; b++)
			encode(r, k, e, b);
		check(r, k, e, decode);
		check(r, k, e, plain);
		for (unsigned i = 0; i < runs; i++) {
			v[0][i] = speed(r, k, e, encode);
			v[1][i] = speed(r, k, e, decode);
			v[2][i] = speed(r, k, e, plain);
		}
		rs_free(&r);
		printf("k=%-3u parity=%-5u %11.2f %11.2f %11.3f %9.0f\n", k, e,
		    median(v[0], runs), median(v[1], runs), median(v[2], runs),
		    median(v[1], runs) / median(v[2], runs));
		at += (size_t)snprintf(json + at, sizeof(json) - at,
		    "%s{\"case\":\"encode k=%u parity=%u\",\"unit\":\"GB/s\","
		    "\"ours\":%.2f,\"peer\":null,\"theirs\":null,\"ratio\":null},"
		    "{\"case\":\"decode k=%u parity=%u\",\"unit\":\"GB/s\","
		    "\"ours\":%.2f,\"peer\":\"ISA-L, k x k\",\"theirs\":%.4f,"
		    "\"ratio\":%.1f}",
		    x == 0 ? "" : ",", k, e, median(v[0], runs), k, e,
		    median(v[1], runs), median(v[2], runs),
		    median(v[1], runs) / median(v[2], runs));
	}
	printf("\n{\"bench\":\"rs\",\"rows\":[%s]}\n", json);
	return 0;
}
