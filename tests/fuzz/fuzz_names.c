/*
 * tests/fuzz/fuzz_names.c - whatever a peer sends as names: stay in bounds,
 * and accept only names that may be served, all of the bytes accounted for.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/names.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct draft d = { 0 };
	size_t	     sum = 0;

	if (names_parse(&d, data, size) == 0) {
		for (size_t i = 0; i < d.n; i++) {
			sum += HASH_LEN + 8 + 1 + 2 + strlen(d.of[i].name);
			if (!name_ok(d.of[i].name))
				abort();
		}
		if (sum != size || d.n == 0)
			abort();
	}
	names_fini(&d);
	return 0;
}
