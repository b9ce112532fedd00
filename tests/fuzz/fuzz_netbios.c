/*
 * tests/fuzz/fuzz_netbios.c - NetBIOS name service.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/netbios.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(netbios_read, data, size);
}
