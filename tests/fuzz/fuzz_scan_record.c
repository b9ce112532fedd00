/*
 * tests/fuzz/fuzz_scan_record.c - records as they come back from the store: what
 * is accepted is written again as it was, but for what we do not know.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[RECORD_WIRE];
	struct rd      rd = rd_from(data, size);
	struct record  r;
	struct item    it;

	while (rd.left > 0) {
		const uint8_t *from = rd.p;
		struct wr      w = wr_to(buf, sizeof(buf));
		size_t	       pos = 0;

		if (record_read(&rd, &r) < 0)
			break;
		while (record_next(&r, &pos, &it))
			if (it.by >= SIGHT_BY_MAX ||
			    !record_find(&r, it.kind, it.data, it.len, NULL))
				abort();
		record_write(&r, &w);
		/* of the flags only those there are come back */
		if (w.err != 0 || w.len > (size_t)(rd.p - from) ||
		    memcmp(buf, from, 16) != 0 || (r.len == r.room &&
			(w.len != (size_t)(rd.p - from) ||
			    memcmp(buf + 17, from + 17, w.len - 17) != 0)))
			abort();
		record_fini(&r);
	}
	return 0;
}
