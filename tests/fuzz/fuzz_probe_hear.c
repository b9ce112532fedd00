/*
 * tests/fuzz/fuzz_probe_hear.c - the first look at answers; dp-probe/hear.h.
 * SPDX-License-Identifier: ISC
 */
#include <stdlib.h>
#include <string.h>

#include "dp-probe/hear.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The socket, the sender's last byte, two bytes of port, a datagram: what is let
 * through is a part of it, and of a kind that this socket asks. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* known to the forger, who waits for a search */
	static const struct token_keys t = { .searched_ms = 1 };
	struct ask_conf		       c = { .nservers = 1 };
	struct answer		       a = { .addr = { [10] = 0xff, 0xff, 10 } };
	uint8_t			      *copy;

	if (size < 4 || (copy = malloc(size - 4 + 1)) == NULL)
		return 0;
	memcpy(copy, data + 4, size - 4);
	a.addr[15] = data[1];
	a.port = (uint16_t)(data[2] << 8 | data[3]);
	a.bytes = copy;
	a.len = size - 4;
	memcpy(c.server[0], a.addr, 16);
	if (data[0] % ASK_SOCKETS != ASK_FRAMES &&
	    hear_accepts(&t, &c, data[0] % ASK_SOCKETS, &a) &&
	    (a.len < 7 || a.bytes + a.len != copy + size - 4 ||
		a.kind == PROBE_NONE || a.kind >= PROBE_MAX))
		abort();
	free(copy);
	return 0;
}
