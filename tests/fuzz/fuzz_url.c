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
	if (url_parse(text, &u) == 0) {
		snprintf(again, sizeof(again),
		    strchr(u.host, ':') != NULL ? "http%s://[%s]:%u"
						: "http%s://%s:%u",
		    u.tls ? "s" : "", u.host, u.port);
		if (u.host[0] == '\0' || u.port == 0 ||
		    url_parse(again, &v) < 0 || !url_same_host(&u, &v))
			abort();
	}
	free(text);
	return 0;
}
