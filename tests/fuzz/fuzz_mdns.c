/*
 * tests/fuzz/fuzz_mdns.c - multicast DNS.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/mdns.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(mdns_read, data, size);
}
