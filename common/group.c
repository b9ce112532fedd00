/*
 * common/group.c - administration groups; see group.h. Pure.
 *
 * SPDX-License-Identifier: ISC
 */
#include "common/group.h"

#include "common/size.h"

#include <string.h>

/* Bytes of the character at s (RFC 3629, section 4: the shortest form, and no
 * surrogates), or 0. Reads no further than the NUL. */
static size_t
utf8(const unsigned char *s)
{
	static const struct {
		unsigned char lead[2], second[2];
		size_t	      n;
	} forms[] = {
		{ { 0x01, 0x7f }, { 0, 0 }, 1 },
		{ { 0xc2, 0xdf }, { 0x80, 0xbf }, 2 },
		{ { 0xe0, 0xe0 }, { 0xa0, 0xbf }, 3 },
		{ { 0xe1, 0xec }, { 0x80, 0xbf }, 3 },
		{ { 0xed, 0xed }, { 0x80, 0x9f }, 3 },
		{ { 0xee, 0xef }, { 0x80, 0xbf }, 3 },
		{ { 0xf0, 0xf0 }, { 0x90, 0xbf }, 4 },
		{ { 0xf1, 0xf3 }, { 0x80, 0xbf }, 4 },
		{ { 0xf4, 0xf4 }, { 0x80, 0x8f }, 4 },
	};

	for (size_t f = 0; f < COUNT(forms); f++) {
		if (s[0] < forms[f].lead[0] || s[0] > forms[f].lead[1])
			continue;
		for (size_t i = 1; i < forms[f].n; i++)
			if (s[i] < (i == 1 ? forms[f].second[0] : 0x80) ||
			    s[i] > (i == 1 ? forms[f].second[1] : 0xbf))
				return 0;
		return forms[f].n;
	}
	return 0;
}

bool
group_is_good(const char *text)
{
	size_t n = strlen(text);

	if (text[0] != '/' || n >= GROUP_LEN || strstr(text, "//") != NULL ||
	    (n > 1 && text[n - 1] == '/'))
		return false;
	for (size_t i = 0, len; i < n; i += len)
		if ((unsigned char)text[i] < ' ' || text[i] == 127 ||
		    (len = utf8((const unsigned char *)text + i)) == 0)
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
