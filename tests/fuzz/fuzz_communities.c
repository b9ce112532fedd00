/*
 * tests/fuzz/fuzz_communities.c - the file of SNMP communities: those that are
 * accepted are printable words, and an error names a line that there is.
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/ask.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ask_conf c;
	char	       *text = malloc(size + 1);
	unsigned	line;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (ask_communities(&c, text, &line) < 0) {
		if (line == 0 || line > size)
			abort();
	} else
		for (unsigned i = 0; i < c.ncommunities; i++) {
			const char *name = c.community[i].name;

			if (name[0] == '\0' || c.community[i].version > 1 ||
			    memchr(name, '\0', sizeof(c.community[i].name)) == NULL)
				abort();
			for (; *name != '\0'; name++)
				if (*name <= ' ' || *name > '~')
					abort();
		}
	free(text);
	return 0;
}
