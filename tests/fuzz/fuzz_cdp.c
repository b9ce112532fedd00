/*
 * tests/fuzz/fuzz_cdp.c - CDP.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/cdp.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(cdp_read, data, size);
}
