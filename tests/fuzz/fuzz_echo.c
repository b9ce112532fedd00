/*
 * tests/fuzz/fuzz_echo.c - answers to echo requests.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/echo.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(echo4_read, data, size) |
	    fuzz_parser(echo6_read, data, size);
}
