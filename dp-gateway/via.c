/*
 * dp-gateway/via.c - the way a connection has come; see via.h.
 *
 * Runs in dp-gateway. Believes the configuration and nothing of a header. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/via.h"

#include "common/value.h"


#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DEVICE "urn:dpoint:device:"

/*
 * Calls it one hop whatever it is, so that nobody hides in what we would not
 * understand: received-by is the second word, a comment ends with its element.
 */
static const char *
next_hop(const char *p, const char **name, size_t *len)
{
	const char *end = p + strcspn(p, ",");

	p += strspn(p, " \t");
	p += strcspn(p, " \t,"); /* received-protocol */
	p += strspn(p, " \t");
	*name = p;
	*len = strcspn(p, " \t,");
	if (p > end)
		*len = 0;
	return *end == ',' ? end + 1 : NULL;
}

bool
via_has(const char *via, const char *id)
{
	const char *name;
	size_t	    len;

	while (via != NULL) {
		via = next_hop(via, &name, &len);
		if (len == strlen(id) && strncasecmp(name, id, len) == 0)
			return true;
	}
	return false;
}

int
via_add(const char *via, const char *id, char *out, size_t size)
{
	const char *p = via, *name;
	size_t	    len;
	int	    hops = via[0] != '\0', n;

	for (; p != NULL && via[0] != '\0'; hops++)
		p = next_hop(p, &name, &len);
	n = snprintf(out, size, "%s%s2.0 %s", via, via[0] != '\0' ? ", " : "",
	    id);
	return hops > VIA_HOPS || n < 0 || (size_t)n >= size ? -ELOOP : 0;
}

bool
via_is_id(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len < VIA_ID &&
	    strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		       "0123456789-._~") == len;
}

bool
via_believes(const char *peer, const char *device)
{
	const char *uuid = device + strlen(DEVICE);

	if (strncmp(device, DEVICE, strlen(DEVICE)) != 0 || strlen(uuid) != 36 ||
	    uuid[strspn(uuid, "0123456789abcdefABCDEF-")] != '\0')
		return false;
	return strncmp(peer, "urn:dpoint:dp:", 14) == 0 ||
	    strcmp(peer, device) == 0;
}

bool
via_allows(const char *list, const char *authority, struct url *at)
{
	char	   word[1024];
	size_t	   pos = 0;
	struct url rule;

	if (url_host_port(authority, at) < 0)
		return false;
	while (value_word(list, &pos, word, sizeof(word)))
		if (url_host_port(word, &rule) == 0 && rule.port == at->port &&
		    strcmp(rule.host, at->host) == 0)
			return true;
	return false;
}
