/*
 * tests/fuzz/fuzz_json.c - the canonical form is one fixed point.
 *
 * Whatever is accepted and has a canonical form: that form, read again, is the
 * same value and writes itself. (A control character stands raw in a canonical
 * string, which is then no JSON text: nothing to read again.)
 * SPDX-License-Identifier: ISC
 */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	*text = NULL, *again = NULL, why[128];
	size_t	 len, len2;
	json_t	*v, *w = NULL;

	if (js_parse(&v, data, size, why, sizeof(why)) < 0) {
		if (why[0] == '\0')
			abort();
		return 0;
	}
	if (js_canon(v, &text, &len) == 0) {
		bool raw = false;

		for (size_t i = 0; i < len; i++)
			raw |= (unsigned char)text[i] < ' ';
		if (!raw && (js_parse(&w, text, len, why, sizeof(why)) < 0 ||
		    !json_equal(v, w) || js_canon(w, &again, &len2) < 0 ||
		    len != len2 || memcmp(text, again, len) != 0))
			abort();
	}
	free(text);
	free(again);
	json_decref(v);
	json_decref(w);
	return 0;
}
