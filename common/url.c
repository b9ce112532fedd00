/*
 * common/url.c - takes URLs apart; see url.h.
 *
 * Runs in dp-connect, dp-fetch and dp-agent. Believes nothing: a URL may come
 * from a redirect of a stranger's server. Pure functions.
 * SPDX-License-Identifier: ISC
 */
#include "common/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool
is_host_char(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '-' || c == '_';
}

/* Takes the host from *p on; moves *p behind it. */
static int
take_host(const char **p, char out[URL_HOST_LEN])
{
	const char     *s = *p;
	struct in6_addr v6;
	size_t		n;

	if (*s == '[') {
		n = strcspn(++s, "]");
		if (s[n] != ']' || n == 0 || n >= INET6_ADDRSTRLEN)
			return -EINVAL;
		memcpy(out, s, n);
		out[n] = '\0';
		*p = s + n + 1;
		return inet_pton(AF_INET6, out, &v6) == 1 ? 0 : -EINVAL;
	}
	for (n = 0; is_host_char(s[n]); n++)
		if (n + 1 >= URL_HOST_LEN)
			return -EINVAL;
		else
			out[n] = (char)tolower((unsigned char)s[n]);
	out[n] = '\0';
	*p = s + n;
	return n > 0 && out[0] != '.' && out[0] != '-' ? 0 : -EINVAL;
}

int
url_parse(const char *text, struct url *out)
{
	const char *p = text;
	uint32_t    port;

	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return -EINVAL;
	if (strncmp(p, "https://", 8) == 0)
		p += 8;
	else if (strncmp(p, "http://", 7) == 0)
		p += 7;
	else
		return -EINVAL;
	out->tls = text[4] == 's';
	port = out->tls ? 443 : 80;
	if (take_host(&p, out->host) < 0)
		return -EINVAL;
	if (*p == ':') {
		for (port = 0, p++; isdigit((unsigned char)*p); p++)
			if ((port = port * 10 + (uint32_t)(*p - '0')) > 65535)
				return -EINVAL;
		if (port == 0)
			return -EINVAL;
	}
	if (*p != '\0' && *p != '/' && *p != '?')
		return -EINVAL;
	out->port = (uint16_t)port;
	out->path = p;
	return 0;
}

bool
url_same_host(const struct url *a, const struct url *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool
url_names_host(const char *text, const struct url *host)
{
	struct url u;

	return url_parse(text, &u) == 0 && url_same_host(&u, host);
}

bool
url_is_proxy(const char *text)
{
	struct url u;

	return url_parse(text, &u) == 0 && !u.tls;
}

int
url_login(const char *text, char *out, size_t size)
{
	size_t n = strcspn(text, "\r\n");

	if (n >= size || memchr(text, ':', n) == NULL)
		return -EINVAL;
	memcpy(out, text, n);
	out[n] = '\0';
	return 0;
}

int
url_escape(const char *path, bool is_encoded, char *out, size_t size)
{
	size_t n = 0;

	for (; *path != '\0'; path++) {
		unsigned char c = (unsigned char)*path;

		if (n + 4 > size)
			return -EINVAL;
		if (isalnum(c) || strchr("-._~!$&'()*+,;=:@/", c) != NULL ||
		    (c == '%' && is_encoded))
			out[n++] = (char)c;
		else
			n += (size_t)snprintf(out + n, 4, "%%%02X", c);
	}
	if (n >= size)
		return -EINVAL;
	out[n] = '\0';
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
url_unescape(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (*s == '%') {
			int hi = hex_digit(s[1]);
			int lo = hi < 0 ? -1 : hex_digit(s[2]);

			if (lo < 0 || hi + lo == 0)
				return -EINVAL;
			*to++ = (char)(hi << 4 | lo);
			s += 2;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
	return 0;
}

int
url_join(const char *base, const char *path, bool is_encoded, char *out,
    size_t size)
{
	size_t n = strlen(base);

	while (n > 0 && base[n - 1] == '/')
		n--;
	if (n + 2 > size)
		return -EINVAL;
	memcpy(out, base, n);
	out[n++] = '/';
	return url_escape(path, is_encoded, out + n, size - n);
}
