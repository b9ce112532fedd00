/*
 * tests/fuzz/fuzz_ether.c - whole frames, by way of whatever they claim to hold.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/ether.h"
#include "tests/fuzz/listen.h"

static int
read_frame(const struct packet *p, struct rd r, const struct told *to)
{
	struct packet q = { .ifindex = p->ifindex, .to_us = p->to_us };

	return ether_read(&q, r, to);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(read_frame, data, size);
}
