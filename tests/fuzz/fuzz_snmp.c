/*
 * tests/fuzz/fuzz_snmp.c - answers of SNMP.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/snmp.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_parser(snmp_read, data, size);
}
