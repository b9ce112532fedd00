/*
 * common/url.c - takes URLs apart; see url.h.
 *
 * Runs in dp-connect, dp-fetch, dp-serve and dp-agent. Believes nothing: a URL
 * may come from a redirect of a stranger's server, a path from a stranger's
 * request. Pure functions.
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

/* The digits of a port from *p on; moves *p behind them. */
static int
take_port(const char **p, uint16_t *out)
{
	uint32_t port = 0;

	for (; isdigit((unsigned char)**p); (*p)++)
		if ((port = port * 10 + (uint32_t)(**p - '0')) > 65535)
			return -EINVAL;
	*out = (uint16_t)port;
	return port != 0 ? 0 : -EINVAL;
}

/* scheme is followed by "s" where there is TLS. */
static int
parse(const char *text, const char *scheme, uint16_t clear, uint16_t tls,
    struct url *out)
{
	const char *p = text + strlen(scheme);

	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return -EINVAL;
	if (strncmp(text, scheme, strlen(scheme)) != 0)
		return -EINVAL;
	out->tls = *p == 's';
	p += out->tls;
	if (strncmp(p, "://", 3) != 0)
		return -EINVAL;
	p += 3;
	out->port = out->tls ? tls : clear;
	if (take_host(&p, out->host) < 0)
		return -EINVAL;
	if (*p == ':' && (p++, take_port(&p, &out->port)) < 0)
		return -EINVAL;
	if (*p != '\0' && *p != '/' && *p != '?')
		return -EINVAL;
	out->path = p;
	return 0;
}

int
url_parse(const char *text, struct url *out)
{
	return parse(text, "http", 80, 443, out);
}

int
url_ldap(const char *text, struct url *out)
{
	return parse(text, "ldap", 389, 636, out) < 0 || *out->path != '\0'
	    ? -EINVAL : 0;
}

int
url_host_or_port(const char *text, uint16_t port, struct url *out)
{
	const char *p = text;

	out->port = port;
	if (take_host(&p, out->host) < 0 ||
	    (*p == ':' && (p++, take_port(&p, &out->port)) < 0) || *p != '\0')
		return -EINVAL;
	out->tls = false;
	out->path = p;
	return 0;
}

int
url_host_port(const char *text, struct url *out)
{
	return url_host_or_port(text, 0, out) < 0 || out->port == 0 ? -EINVAL : 0;
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

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that is escaped at p; -1: none is. */
static int
escaped(const char *p, const char *end)
{
	int hi = end - p > 2 && *p == '%' ? hex_digit(p[1]) : -1;
	int lo = hi >= 0 ? hex_digit(p[2]) : -1;

	return lo < 0 ? -1 : hi << 4 | lo;
}

static bool
is_dots(const char *part, const char *end)
{
	return (end - part == 1 && part[0] == '.') ||
	    (end - part == 2 && part[0] == '.' && part[1] == '.');
}

int
url_path_canon(char *path, size_t *len)
{
	static const char digits[] = "0123456789ABCDEF";
	const char	 *from = path, *end = path + *len;
	char		 *to = path, *part;

	if (from < end && *from == '/')
		from = ++to;
	for (part = to; from < end; from++) {
		int  c = (unsigned char)*from;
		bool kept = c == '%';

		if (kept) {
			if ((c = escaped(from, end)) < 0)
				return -EINVAL;
			from += 2;
			kept = c == '/' || c == '\\' || c == '%';
		}
		if (c < ' ' || c == 0x7f)
			return -EINVAL;
		if ((c == '/' || c == '\\') && (to == part || is_dots(part, to)))
			return -EINVAL;
		if (kept) {
			*to++ = '%';
			*to++ = digits[c >> 4];
			*to++ = digits[c & 15];
		} else
			*to++ = (char)c;
		if (c == '/' || c == '\\')
			part = to;
	}
	if (is_dots(part, to))
		return -EINVAL;
	/* of "%252F" two readers would make two different names */
	for (const char *p = path;
	     (p = memmem(p, (size_t)(to - p), "%25", 3)) != NULL; p++)
		if (to - p > 4 && hex_digit(p[3]) >= 0 && hex_digit(p[4]) >= 0)
			return -EINVAL;
	*len = (size_t)(to - path);
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

int
url_unescape(char *s)
{
	const char *end = s + strlen(s);
	char	   *to = s;
	int	    c;

	for (; s < end; s++) {
		c = (unsigned char)*s;
		if (c == '%') {
			if ((c = escaped(s, end)) <= 0)
				return -EINVAL;
			s += 2;
		}
		*to++ = (char)c;
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

int
url_at_host(const char *base, const char *path, char *out, size_t size)
{
	const char *host = strstr(base, "://");
	int	    n;

	if (host == NULL || path[0] != '/')
		return -EINVAL;
	host += 3;
	n = snprintf(out, size, "%.*s%s",
	    (int)(host - base + (ptrdiff_t)strcspn(host, "/?#")), base, path);
	return n > 0 && (size_t)n < size ? 0 : -EINVAL;
}
