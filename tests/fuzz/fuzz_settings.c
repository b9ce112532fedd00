/*
 * Whatever text comes as configuration: what is accepted can be written down
 * and read again, and is then the same.
 * SPDX-License-Identifier: ISC
 */
#include "common/settings.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct settings a, b;
	char		       err[CONF_ERR_MAX], *one, *two;

	if (settings_from_text(settings_sections, &a, (const char *)data, size, err) < 0)
		return 0;
	if (settings_to_text(settings_sections, &a, PEER_FETCH, &one) < 0)
		return 0;
	if (settings_from_text(settings_sections, &b, one, strlen(one), err) < 0 ||
	    settings_to_text(settings_sections, &b, PEER_FETCH, &two) < 0 || strcmp(one, two) != 0)
		abort();
	free(one);
	free(two);
	return 0;
}
