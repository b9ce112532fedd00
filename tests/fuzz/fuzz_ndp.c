/*
 * tests/fuzz/fuzz_ndp.c - ICMPv6 messages of neighbour discovery.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/ndp.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(ndp_read, data, size);
}
