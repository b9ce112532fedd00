/*
 * tests/fuzz/fuzz_dhcp6.c - DHCP for IPv6.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/dhcp6.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(dhcp6_read, data, size);
}
