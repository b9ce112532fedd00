/*
 * tests/fuzz/listen.h - what holds of every parser of dp-listen/, whatever
 * arrives: it tells sights that travel (common/sight.h) and are read as they were
 * written; who is told of is a host; and if it refuses, it has told nothing.
 * SPDX-License-Identifier: ISC
 */
#ifndef TESTS_FUZZ_LISTEN_H
#define TESTS_FUZZ_LISTEN_H

#include "dp-listen/packet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_told(void *ctx, const struct sight *s)
{
	static const uint8_t none[16];
	uint8_t		     buf[SIGHT_WIRE_MAX];
	struct wr	     w = wr_to(buf, sizeof(buf));
	struct sight	     t;
	struct rd	     r;

	sight_write(s, &w);
	r = rd_from(buf, w.len);
	if (w.err != 0 || sight_read(&r, &t) != 0 || rd_done(&r) != 0 ||
	    t.nfacts != s->nfacts)
		abort();
	for (unsigned i = 0; i < s->nfacts; i++)
		if (strcmp(sight_fact(&t, i), sight_fact(s, i)) != 0)
			abort();
	if ((memcmp(s->addr, none, 16) != 0 && !addr_is_host(s->addr)) ||
	    (memcmp(s->mac, none, 6) != 0 && !mac_is_host(s->mac)))
		abort();
	++*(unsigned *)ctx;
}

/* From hosts of both families, as an answer to us and as said to all. */
static inline int
fuzz_parser(int (*read)(const struct packet *, struct rd, const struct told *),
    const uint8_t *data, size_t size)
{
	static const uint8_t v6[16] = { 0xfe, 0x80, [15] = 1 };
	unsigned	     n = 0;
	const struct told    to = { fuzz_told, &n };
	struct packet	     p = { .ifindex = 1, .is_near = true, .ttl = 255,
			 .sport = 5353, .mac = { 2, 0, 0, 0, 0, 1 } };

	for (int i = 0; i < 4; i++) {
		p.to_us = (i & 1) != 0;
		p.to_many = !p.to_us;
		if (i < 2)
			addr_from_v4(p.src, (const uint8_t[4]){ 198, 18, 0, 10 });
		else
			memcpy(p.src, v6, sizeof(v6));
		n = 0;
		if (read(&p, rd_from(data, size), &to) != 0 && n != 0)
			abort();
	}
	return 0;
}

#endif
