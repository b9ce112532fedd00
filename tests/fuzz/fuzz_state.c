/*
 * Whatever the table held: stay in bounds, and encode again what was decoded.
 * SPDX-License-Identifier: ISC
 */
#include "common/state.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state s, again;
	uint8_t	    *out;
	size_t	     len;

	if (state_decode(&s, data, size) < 0)
		return 0;
	if (state_encode(&s, &out, &len) < 0 || len > size ||
	    state_decode(&again, out, len) < 0 || again.n != s.n)
		abort();
	free(out);
	state_fini(&s);
	state_fini(&again);
	return 0;
}
