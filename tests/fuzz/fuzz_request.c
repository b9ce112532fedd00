/*
 * Whatever arrives, and in whatever pieces: the verdict is the same, offsets
 * stay inside the head, and an accepted path is one that cannot escape.
 * SPDX-License-Identifier: ISC
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dp-serve/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char    whole[REQUEST_HEAD_MAX], parts[REQUEST_HEAD_MAX];
	struct request a, b;
	int	       sa, sb = REQUEST_MORE;

	if (size > REQUEST_HEAD_MAX)
		size = REQUEST_HEAD_MAX;
	memcpy(whole, data, size);
	memcpy(parts, data, size);
	request_begin(&a);
	sa = request_parse(&a, whole, size);
	request_begin(&b);
	for (size_t i = 0; i <= size && sb == REQUEST_MORE; i++)
		sb = request_parse(&b, parts, i);
	if (sa != sb)
		abort();
	if (sa != REQUEST_DONE)
		return 0;
	if (a.head_len > size || a.path.off + a.path.len > a.head_len ||
	    whole[a.path.off] != '/')
		abort();
	for (int i = 0; i < F_COUNT; i++)
		if (a.f[i].off + a.f[i].len > a.head_len)
			abort();
	whole[a.path.off + a.path.len] = '\0';
	if (strlen(whole + a.path.off) != a.path.len ||
	    strstr(whole + a.path.off, "/../") != NULL ||
	    strstr(whole + a.path.off, "//") != NULL)
		abort();
	return 0;
}
