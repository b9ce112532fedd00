/*
 * Whatever arrives, and in whatever pieces: the verdict is the same, offsets
 * stay inside the head, and an accepted path is one that cannot escape, an
 * accepted host one that holds nothing but a name or an address.
 * SPDX-License-Identifier: ISC
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char whole[HTTP_REQUEST_HEAD_MAX], parts[HTTP_REQUEST_HEAD_MAX];
	struct http_request a, b;
	int		    sa, sb = HTTP_REQUEST_MORE;

	if (size > HTTP_REQUEST_HEAD_MAX)
		size = HTTP_REQUEST_HEAD_MAX;
	memcpy(whole, data, size);
	memcpy(parts, data, size);
	http_request_begin(&a, 0xff);
	sa = http_request_parse(&a, whole, size);
	http_request_begin(&b, 0xff);
	for (size_t i = 0; i <= size && sb == HTTP_REQUEST_MORE; i++)
		sb = http_request_parse(&b, parts, i);
	if (sa != sb)
		abort();
	if (sa != HTTP_REQUEST_DONE)
		return 0;
	if (a.head_len > size || a.path.off + a.path.len > a.head_len ||
	    a.query.off + a.query.len > a.head_len ||
	    a.host.off + a.host.len > a.head_len)
		abort();
	for (int i = 0; i < HTTP_FIELDS; i++)
		if (a.f[i].off + a.f[i].len > a.head_len)
			abort();
	if (a.method == HTTP_CONNECT) {
		whole[a.host.off + a.host.len] = '\0';
		if (a.path.len != 0 || a.host.len == 0 || a.port == 0 ||
		    strlen(whole + a.host.off) != a.host.len ||
		    strpbrk(whole + a.host.off, "/@[]% ") != NULL)
			abort();
		return 0;
	}
	if (whole[a.path.off] != '/')
		abort();
	whole[a.path.off + a.path.len] = '\0';
	if (strlen(whole + a.path.off) != a.path.len ||
	    strstr(whole + a.path.off, "/../") != NULL ||
	    strstr(whole + a.path.off, "//") != NULL)
		abort();
	return 0;
}
