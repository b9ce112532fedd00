/*
 * common/scope.c - address ranges; see scope.h.
 *
 * Runs in the master, which checks the list, and in dp-serve, which goes by it.
 * Believes the configuration only after checking it.
 * SPDX-License-Identifier: ISC
 */
#include "common/scope.h"

#include "common/value.h"


#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static int
range_parse_word(struct scope *s, const char *w)
{
	char	    addr[64];
	const char *slash = strchr(w, '/');
	size_t	    n = slash != NULL ? (size_t)(slash - w) : strlen(w);
	unsigned    bits = 0, max, digits = 0;
	uint8_t	   *a;

	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, w, n);
	addr[n] = '\0';
	a = s->range[s->n].addr;
	if (inet_pton(AF_INET, addr, a + 12) == 1) {
		memcpy(a, mapped, 12);
		max = 32;
	} else if (inet_pton(AF_INET6, addr, a) == 1)
		max = 128;
	else
		return -EINVAL;
	if (slash == NULL)
		bits = max;
	else {
		for (slash++; *slash >= '0' && *slash <= '9' && digits < 3;
		    digits++)
			bits = bits * 10 + (unsigned)(*slash++ - '0');
		if (digits == 0 || *slash != '\0' || bits > max)
			return -EINVAL;
	}
	s->range[s->n++].bits = (uint8_t)(bits + 128 - max);
	return 0;
}

int
scope_parse(const char *list, struct scope *out, char err[SCOPE_ERR])
{
	char   word[128];
	size_t pos = 0;

	memset(out, 0, sizeof(*out));
	while (value_word(list, &pos, word, sizeof(word))) {
		if (out->n == SCOPE_MAX) {
			snprintf(err, SCOPE_ERR, "more than %d address ranges",
			    SCOPE_MAX);
			return -EINVAL;
		}
		if (range_parse_word(out, word) < 0) {
			snprintf(err, SCOPE_ERR, "\"%.64s\" is not an address "
				"range such as 10.1.0.0/16 or 2001:db8::/32",
			    word);
			return -EINVAL;
		}
	}
	return 0;
}

bool
scope_same_network(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
	unsigned whole = bits / 8, part = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	    (part == 0 || (a[whole] ^ b[whole]) >> (8 - part) == 0);
}

bool
scope_has(const struct scope *s, const uint8_t addr[16])
{
	for (unsigned i = 0; i < s->n; i++)
		if (scope_same_network(addr, s->range[i].addr, s->range[i].bits))
			return true;
	return s->n == 0;
}

void
scope_addr(const struct sockaddr_storage *ss, uint8_t addr[16])
{
	const struct sockaddr_in  *v4 = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)ss;

	memset(addr, 0, 16);
	if (ss->ss_family == AF_INET) {
		memcpy(addr, mapped, 12);
		memcpy(addr + 12, &v4->sin_addr, 4);
	} else if (ss->ss_family == AF_INET6)
		memcpy(addr, &v6->sin6_addr, 16);
}
