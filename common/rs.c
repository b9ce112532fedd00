/*
 * common/rs.c - the code of RFC 5510 by Lagrange's formula and ISA-L's kernels.
 *
 * A block is a polynomial of degree below k: row vector s times V(k,k)^-1 are
 * its coefficients, and symbol j is its value at alpha^j. Any k values give it
 * back, whatever the points, so there is no matrix to invert: the value at
 * point x is the sum over the k known points j of
 *
 *	s[j] * Q(x) / ((x - alpha^j) * Q'(alpha^j))
 *
 * where Q(x) is the product of (x - alpha^j) over these points.
 *
 * Encoding takes the points 0..k-1. Decoding takes the source symbols that came
 * and as many parity symbols as are missing. Its Q differs from that of
 * encoding in 2e factors only, so a coefficient costs a few additions of
 * logarithms, 2ek of them a block, where inverting costs k^3 (the whole matrix)
 * or e^3 (the square of what is missing) and a second pass over the symbols.
 * Points are all different, so no factor is ever zero and any erasure that
 * leaves k symbols is decoded.
 *
 * ISA-L accumulates one source symbol into several results at a time
 * (ec_encode_data_update): the symbol is read once, in order, and the results
 * stay in the processor's first cache. Its other way, all symbols into one
 * result (ec_encode_data), jumps over the whole block for each 32 bytes and was
 * measured to be a third slower. The shape of its tables is its own affair and
 * differs with the processor from release 2.31 on: 32 bytes per coefficient
 * hold them, and nothing here looks into them.
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/erasure_code.h>

#include "common/rs.h"

#define ORDER 255 /* of the field's multiplicative group: alpha^255 = 1 */
#define ROWS  12  /* results under way: 12 of 1,432 bytes leave L1 some room */
#define TABLE 32  /* bytes of an ISA-L table for one coefficient, at most */

struct rs {
	unsigned k;
	uint8_t exp[ORDER];  /* alpha^i */
	uint8_t zech[ORDER]; /* log(1 + alpha^i); [0], log(0), is never read */
	uint8_t p[RS_N];     /* log of product (alpha^j - alpha^m), m != j */

	/* whose the tables are: parity esi..esi+n-1, or a decoding (n is 0) */
	unsigned esi, n;
	uint8_t *tables;
};

/* log(alpha^a - alpha^b), not reduced: below 510. a and b differ. */
static inline int
log_diff(const struct rs *r, unsigned a, unsigned b)
{
	return a < b ? (int)a + r->zech[b - a] : (int)b + r->zech[a - b];
}

static inline uint8_t
reduce(int log)
{
	log %= ORDER;
	return (uint8_t)(log < 0 ? log + ORDER : log);
}

static void
field_init(struct rs *r)
{
	uint8_t log[256] = { 0 };
	uint8_t x = 1;

	for (unsigned i = 0; i < ORDER; i++) {
		r->exp[i] = x;
		log[x] = (uint8_t)i;
		x = (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1d : 0));
	}
	for (unsigned i = 1; i < ORDER; i++)
		r->zech[i] = log[1 ^ r->exp[i]];
}

int
rs_new(unsigned k, struct rs **out)
{
	struct rs *r;

	*out = NULL;
	if (k < 1 || k > RS_K_MAX)
		return -EINVAL;
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return -ENOMEM;
	r->k = k;
	field_init(r);
	for (unsigned j = 0; j < RS_N; j++) {
		int sum = 0;

		for (unsigned m = 0; m < k; m++)
			sum += m == j ? 0 : log_diff(r, j, m);
		r->p[j] = reduce(sum);
	}
	/* decoding needs min(k, 255 - k) rows, no more than encoding */
	r->tables = malloc((size_t)TABLE * k * (RS_N - k));
	if (r->tables == NULL) {
		free(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void
rs_free(struct rs **r)
{
	if (*r != NULL)
		free((*r)->tables);
	free(*r);
	*r = NULL;
}

/* Of rows from..from+ROWS-1: to ISA-L a group of rows is a matrix. */
static uint8_t *
tables_of(struct rs *r, unsigned from)
{
	return r->tables + (size_t)TABLE * r->k * from;
}

/* out[i] = sum over j of coefficient (i, j), in the tables, times src[j] */
static void
multiply(struct rs *r, size_t len, const uint8_t *const src[], unsigned n,
    uint8_t *const out[])
{
	unsigned rows;

	for (unsigned i = 0; i < n; i += rows) {
		unsigned char *to[ROWS];

		rows = n - i < ROWS ? n - i : ROWS;
		for (unsigned q = 0; q < rows; q++)
			to[q] = memset(out[i + q], 0, len);
		/* src is only read, whatever the type says */
		for (unsigned j = 0; j < r->k; j++)
			ec_encode_data_update((int)len, (int)r->k, (int)rows,
			    (int)j, tables_of(r, i), (unsigned char *)src[j],
			    to);
	}
}

static void
encode_tables(struct rs *r, unsigned esi, unsigned n)
{
	uint8_t a[ROWS * RS_K_MAX];
	unsigned rows;

	for (unsigned i = 0; i < n; i += rows) {
		uint8_t *c = a;

		rows = n - i < ROWS ? n - i : ROWS;
		for (unsigned x = esi + i; x < esi + i + rows; x++)
			for (unsigned j = 0; j < r->k; j++)
				*c++ = r->exp[reduce(
				    r->p[x] - r->p[j] - log_diff(r, x, j))];
		ec_init_tables((int)r->k, (int)rows, a, tables_of(r, i));
	}
	r->esi = esi;
	r->n = n;
}

int
rs_encode(struct rs *r, size_t len, const uint8_t *const src[], unsigned esi,
    unsigned n, uint8_t *const out[])
{
	if (len < 1 || len > RS_LEN_MAX || esi < r->k || esi > RS_N ||
	    n > RS_N - esi)
		return -EINVAL;
	if (n == 0)
		return 0;
	if (esi != r->esi || n != r->n)
		encode_tables(r, esi, n);
	multiply(r, len, src, n, out);
	return 0;
}

/* The points of a decoding: at[j] is where the j-th known symbol lies. */
static void
decode_tables(struct rs *r, const uint8_t at[], const uint8_t missing[],
    unsigned e, const uint8_t esi[])
{
	uint8_t a[ROWS * RS_K_MAX], q[RS_K_MAX] = { 0 };
	unsigned rows;
	int sum;

	/* log Q'(alpha^at[j]): e factors of the old product less, e new ones */
	for (unsigned j = 0; j < r->k; j++) {
		sum = r->p[at[j]];
		for (unsigned i = 0; i < e; i++) {
			sum -= log_diff(r, at[j], missing[i]);
			if (esi[i] != at[j])
				sum += log_diff(r, at[j], esi[i]);
		}
		q[j] = reduce(sum);
	}
	for (unsigned i = 0; i < e; i += rows) {
		uint8_t *c = a;

		rows = e - i < ROWS ? e - i : ROWS;
		for (unsigned g = i; g < i + rows; g++) {
			unsigned x = missing[g];

			sum = r->p[x]; /* then log Q(alpha^x) */
			for (unsigned h = 0; h < e; h++) {
				sum += log_diff(r, x, esi[h]);
				if (h != g)
					sum -= log_diff(r, x, missing[h]);
			}
			sum = reduce(sum);
			for (unsigned j = 0; j < r->k; j++)
				*c++ = r->exp[reduce(
				    sum - q[j] - log_diff(r, x, at[j]))];
		}
		ec_init_tables((int)r->k, (int)rows, a, tables_of(r, i));
	}
	r->n = 0;
}

static bool
erasure_ok(const struct rs *r, const uint8_t missing[], unsigned e,
    const uint8_t esi[])
{
	bool seen[256] = { false };

	if (e > r->k || e > RS_N - r->k)
		return false;
	for (unsigned i = 0; i < e; i++) {
		if (missing[i] >= r->k ||
		    (i > 0 && missing[i] <= missing[i - 1]))
			return false;
		if (esi[i] < r->k || esi[i] >= RS_N || seen[esi[i]])
			return false;
		seen[esi[i]] = true;
	}
	return true;
}

int
rs_decode(struct rs *r, size_t len, uint8_t *const sym[],
    const uint8_t missing[], unsigned e, const uint8_t *const parity[],
    const uint8_t esi[])
{
	const uint8_t *known[RS_K_MAX];
	uint8_t *out[RS_K_MAX], at[RS_K_MAX];

	if (len < 1 || len > RS_LEN_MAX || !erasure_ok(r, missing, e, esi))
		return -EINVAL;
	if (e == 0)
		return 0;
	for (unsigned j = 0; j < r->k; j++) {
		known[j] = sym[j];
		at[j] = (uint8_t)j;
	}
	for (unsigned i = 0; i < e; i++) { /* a parity symbol in each gap */
		out[i] = sym[missing[i]];
		known[missing[i]] = parity[i];
		at[missing[i]] = esi[i];
	}
	decode_tables(r, at, missing, e, esi);
	multiply(r, len, known, e, out);
	return 0;
}
