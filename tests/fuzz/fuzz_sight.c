/*
 * tests/fuzz/fuzz_sight.c - whatever a worker says that it saw: what is read can
 * be written and read again, and foreign bytes never make text that is refused.
 * SPDX-License-Identifier: ISC
 */
#include "common/sight.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
again(const struct sight *s)
{
	uint8_t	     buf[SIGHT_WIRE_MAX];
	struct sight t;
	struct wr    w = wr_to(buf, sizeof(buf));
	struct rd    r;

	sight_write(s, &w);
	r = rd_from(buf, w.len);
	if (w.err != 0 || sight_read(&r, &t) != 0 || rd_done(&r) != 0 ||
	    t.by != s->by || t.nfacts != s->nfacts)
		abort();
	for (unsigned i = 0; i < s->nfacts; i++)
		if (t.fact[i].kind != s->fact[i].kind ||
		    strcmp(sight_fact(&t, i), sight_fact(s, i)) != 0)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd    r = rd_from(data, size);
	struct sight s;

	while (r.left > 0 && sight_read(&r, &s) == 0)
		again(&s);
	sight_begin(&s, SIGHT_MDNS);
	for (size_t at = 0, n; at < size; at += n) {
		n = 1 + (data[at] & 0x3f);
		if (n > size - at)
			n = size - at;
		sight_add(&s, 1 + data[at] % (FACT_MAX - 1), data + at, n);
	}
	again(&s);
	return 0;
}
