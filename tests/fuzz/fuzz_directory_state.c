/*
 * tests/fuzz/fuzz_directory_state.c - where the directory's reading is, as its reader
 * says: texts end within their bounds, and the state is one that there is.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/directory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scan_directory_state s = { .said = 7 };
	struct rd		    r = rd_from(data, size);

	if (scan_directory_state_read(&r, &s) < 0)
		return 0;
	if (s.state >= DIRECTORY_STATES || s.said != 8 || !s.there ||
	    memchr(s.server, '\0', sizeof(s.server)) == NULL ||
	    memchr(s.text, '\0', sizeof(s.text)) == NULL ||
	    size != 13 + strlen(s.server) + strlen(s.text))
		abort();
	return 0;
}
