/*
 * tests/fuzz/fuzz_report.c - whatever stands where a report's path should: what
 * is accepted is what its name says, and nothing else has that name.
 * SPDX-License-Identifier: ISC
 */
#include "common/report.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t	 n = strlen(REPORT_PATH);
	struct report_id id;
	char		 name[REPORT_NAME_TEXT];

	if (report_path_parse((const char *)data, size, &id) < 0)
		return 0;
	report_name(&id, name);
	if (id.sequence > REPORT_SEQUENCE_MAX || size != n + strlen(name) ||
	    strncasecmp((const char *)data + n, name, size - n) != 0)
		abort();
	return 0;
}
