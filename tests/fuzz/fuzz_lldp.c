/*
 * tests/fuzz/fuzz_lldp.c - LLDP.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/lldp.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(lldp_read, data, size);
}
