/*
 * Whatever a redirect or a header says: stay in bounds, and what is accepted
 * has a host and a port, and is accepted again when it is put together.
 * SPDX-License-Identifier: ISC
 */
#include "common/download.h"
#include "common/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A path has one spelling, no part that climbs, and no byte that ends a line. */
static void
check_canon(char *path, size_t len)
{
	size_t again;

	if (url_path_canon(path, &len) < 0)
		return;
	again = len;
	if (url_path_canon(path, &again) < 0 || again != len)
		abort();
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)path[i] < ' ' || path[i] == 0x7f)
			abort();
	if (memmem(path, len, "/../", 4) != NULL ||
	    memmem(path, len, "%2F..%2F", 8) != NULL ||
	    memmem(path, len, "/..%2F", 6) != NULL ||
	    memmem(path, len, "%2F../", 6) != NULL ||
	    memmem(path, len, "%252F", 5) != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	  *text = malloc(size + 1), again[URL_HOST_LEN + 32];
	char	   joined[URL_LEN];
	struct url u, v;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	(void)download_range_fits(text, 5, 10);
	if (url_join("http://a", text, false, joined, sizeof(joined)) == 0 &&
	    url_parse(joined, &u) < 0)
		abort(); /* whatever the path is, the URL is one */
	if (url_escape(text, false, joined, sizeof(joined)) == 0 &&
	    (url_unescape(joined) < 0 || strcmp(joined, text) != 0))
		abort();
	if (url_parse(text, &u) == 0) {
		snprintf(again, sizeof(again),
		    strchr(u.host, ':') != NULL ? "http%s://[%s]:%u"
						: "http%s://%s:%u",
		    u.tls ? "s" : "", u.host, u.port);
		if (u.host[0] == '\0' || u.port == 0 ||
		    url_parse(again, &v) < 0 || !url_same_host(&u, &v))
			abort();
	}
	check_canon(text, size);
	free(text);
	return 0;
}
