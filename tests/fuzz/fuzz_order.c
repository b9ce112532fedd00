/*
 * tests/fuzz/fuzz_order.c - what the keeper wants asked: an order that is accepted is
 * one of a kind that there is, and has all targets that were written.
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/order.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd     r = rd_from(data, size);
	struct order *o;

	if (order_read(&r, &o) < 0)
		return 0;
	if (o->kind == PROBE_NONE || o->kind >= PROBE_MAX || o->n == 0 ||
	    o->n > PROBE_TARGETS || o->next != 0 ||
	    memcmp(o->target, data + size - 16 * (size_t)o->n,
		16 * (size_t)o->n) != 0)
		abort();
	order_free(&o);
	return 0;
}
