/*
 * tests/fuzz/fuzz_arp.c - ARP messages.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/arp.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(arp_read, data, size);
}
