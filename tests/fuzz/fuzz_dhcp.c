/*
 * tests/fuzz/fuzz_dhcp.c - DHCP for IPv4.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/dhcp.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(dhcp_read, data, size);
}
