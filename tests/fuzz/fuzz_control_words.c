/*
 * Whatever line comes: words are few, short and within the buffer, and a row
 * made of them is one line.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/control_words.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct words w;
	const char	   *reason = NULL;
	json_t		   *row;
	char		   *text;

	if (words_parse(&w, (const char *)data, size, &reason) < 0) {
		if (reason == NULL)
			abort();
		return 0;
	}
	if (w.argc < 1 || w.argc > WORDS_MAX || w.argv[w.argc] != NULL)
		abort();
	row = json_object();
	for (int i = 0; i < w.argc; i++) {
		if (w.argv[i] < w.text ||
		    w.argv[i] + strlen(w.argv[i]) >= w.text + sizeof(w.text) ||
		    strlen(w.argv[i]) > WORD_MAX)
			abort();
		json_object_set_new(row, "word", json_string(w.argv[i]));
	}
	text = row_text(row);
	for (const char *p = text; p != NULL && *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			abort();
	free(text);
	json_decref(row);
	return 0;
}
