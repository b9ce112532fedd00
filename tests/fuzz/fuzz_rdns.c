/*
 * tests/fuzz/fuzz_rdns.c - answers to reverse questions.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/rdns.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(rdns_read, data, size);
}
