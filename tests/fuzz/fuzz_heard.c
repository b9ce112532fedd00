/*
 * tests/fuzz/fuzz_heard.c - datagrams as the prober hands them on.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/heard.h"
#include "tests/fuzz/listen.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned	  n = 0;
	const struct told to = { fuzz_told, &n };
	enum protocol	  of;
	int		  r = heard_read(rd_from(data, size), &to, &of);

	if ((r != 0 && n != 0) || (of == PROTOCOL_NONE && r == 0) ||
	    of >= PROTOCOLS)
		abort();
	return 0;
}
