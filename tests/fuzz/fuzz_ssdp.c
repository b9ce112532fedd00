/*
 * tests/fuzz/fuzz_ssdp.c - SSDP.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/ssdp.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(ssdp_read, data, size);
}
