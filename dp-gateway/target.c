/*
 * dp-gateway/target.c - the closed list of a tunnel's ends; see target.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes the configuration and nothing
 * that a client asks for. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/target.h"

#include "common/value.h"


#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool
same_host(const char *a, const char *b)
{
	struct in6_addr x, y;

	return strcmp(a, b) == 0 ||
	    (inet_pton(AF_INET6, a, &x) == 1 &&
		inet_pton(AF_INET6, b, &y) == 1 &&
		memcmp(&x, &y, sizeof(x)) == 0);
}

void
target_text(const struct url *at, char out[TARGET_TEXT])
{
	snprintf(out, TARGET_TEXT,
	    strchr(at->host, ':') != NULL ? "[%s]:%u" : "%s:%u", at->host,
	    at->port);
}

enum why
target_admit(const char *list, const char *host, size_t len, uint16_t port,
    struct url *out)
{
	char	   text[TARGET_TEXT], word[TARGET_TEXT];
	size_t	   pos = 0;
	struct url at = { .port = port }, listed;
	enum why   why = WHY_TARGET_HOST;

	*out = (struct url){ .path = "" };
	if (len >= sizeof(at.host))
		return WHY_BAD_REQUEST;
	memcpy(at.host, host, len);
	target_text(&at, text);
	if (url_host_port(text, out) < 0) {
		*out = (struct url){ .path = "" };
		return WHY_BAD_REQUEST;
	}
	out->path = ""; /* not what a buffer of ours is borrowed for */
	while (value_word(list, &pos, word, sizeof(word))) {
		if (url_host_port(word, &listed) < 0 ||
		    !same_host(listed.host, out->host))
			continue;
		if (listed.port == port) {
			*out = listed;
			out->path = "";
			return WHY_CLOSED;
		}
		why = WHY_TARGET_PORT;
	}
	return why;
}
