/*
 * A part lies inside the object; dates survive being written and read.
 * SPDX-License-Identifier: ISC
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dp-serve/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	uint64_t    first = 0, last = 0, n;
	int64_t	    t, back;
	char	    date[HTTP_DATE_LEN + 1];

	for (n = 0; n < 3000; n += 999)
		if (range_parse(p, size, n, &first, &last) == RANGE_PART &&
		    (first > last || last >= n))
			abort();
	(void)etag_listed(p, size, "\"abc\"", true);
	if (http_date_parse(&t, p, size) == 0) {
		http_date(t, date);
		if (http_date_parse(&back, date, HTTP_DATE_LEN) < 0 || back != t)
			abort();
	}
	return 0;
}
