/*
 * tests/fuzz/fuzz_mld.c - reports of multicast listeners; the first byte is the hop
 * limit less one, so that most inputs pass its check.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/mld.h"
#include "tests/fuzz/listen.h"

static int
from_near(const struct packet *p, struct rd r, const struct told *to)
{
	struct packet q = *p;

	q.ttl = (uint8_t)(rd_u8(&r) + 1);
	return mld_read(&q, r, to);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(from_near, data, size);
}
