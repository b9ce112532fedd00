/*
 * tests/fuzz/fuzz_llmnr.c - LLMNR.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/llmnr.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(llmnr_read, data, size);
}
