/*
 * A list, a NUL, and the head of a request: what is admitted is a CONNECT to a
 * host and port that the list has, as the list spells them; what is refused
 * leaves a clean text for the log.
 * SPDX-License-Identifier: ISC
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_request.h"
#include "common/value.h"
#include "dp-gateway/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
listed(const char *list, const struct url *at)
{
	char	   word[TARGET_TEXT];
	size_t	   pos = 0;
	struct url u;

	while (value_word(list, &pos, word, sizeof(word)))
		if (url_host_port(word, &u) == 0 && url_same_host(&u, at))
			return 1;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char   clean[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.:ABCDEF";
	static char	    list[4096], buf[HTTP_REQUEST_HEAD_MAX];
	const uint8_t	   *nul = memchr(data, '\0', size);
	struct http_request req;
	struct url	    at;
	size_t		    n;
	enum why	    why;

	if (nul == NULL || (n = (size_t)(nul - data)) >= sizeof(list))
		return 0;
	memcpy(list, data, n + 1);
	n = size - n - 1;
	if (n > sizeof(buf))
		n = sizeof(buf);
	memcpy(buf, nul + 1, n);
	http_request_begin(&req, HTTP_CONNECT);
	if (http_request_parse(&req, buf, n) != HTTP_REQUEST_DONE)
		return 0;
	if (req.host.len == 0 || req.head_len > n)
		abort();
	why = target_admit(list, buf + req.host.off, req.host.len, req.port, &at);
	if (at.host[strspn(at.host, clean)] != '\0')
		abort();
	if (why == WHY_CLOSED ? !listed(list, &at)
			      : why != WHY_BAD_REQUEST && listed(list, &at))
		abort();
	if ((why == WHY_BAD_REQUEST) != (at.host[0] == '\0'))
		abort();
	return 0;
}
