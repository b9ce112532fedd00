/*
 * tests/fuzz/fuzz_scan_servers.c - DHCP servers as they come back from the store:
 * what is accepted is written again as it was.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/servers.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dhcp_servers s = { .n = 0 };
	uint8_t		    buf[SERVERS_WIRE];
	struct wr	    w = wr_to(buf, sizeof(buf));

	if (servers_read(&s, data, size) < 0)
		return 0;
	servers_write(&s, &w);
	if (w.err != 0 || w.len != size ||
	    (size > 0 && memcmp(buf, data, size) != 0))
		abort();
	return 0;
}
