/*
 * common/group.c - administration groups; see group.h. Pure.
 *
 * SPDX-License-Identifier: ISC
 */
#include "common/group.h"

#include <string.h>

bool
group_is_good(const char *text)
{
	size_t n = strlen(text);

	if (text[0] != '/' || n >= GROUP_LEN || strstr(text, "//") != NULL ||
	    (n > 1 && text[n - 1] == '/'))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return false;
	return true;
}

bool
group_holds(const char *group, const char *below)
{
	size_t n = strlen(group);

	if (n > 0 && group[n - 1] == '/')
		n--;
	return strncmp(group, below, n) == 0 &&
	    (below[n] == '\0' || below[n] == '/');
}
