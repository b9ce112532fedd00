/*
 * common/url.h - the part of a URL that we accept, taken apart.
 *
 * http:// or https://, a host name or an address ("[::1]" in brackets), an
 * optional port, then a path. No user information, no control bytes, no
 * blanks. The host comes out in lower case and without brackets.
 *
 * The path of a file has one spelling here, so that it can be a key: what was
 * percent-encoded is not, but for "%2F", "%5C" and "%25". Those are part of a
 * name (a TUF role may be called "groups/hq"), and nobody undoes them later.
 * Errors: 0, or -EINVAL and *out unspecified.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_HOST_LEN 256
#define URL_LEN	     4096 /* longest URL we make or follow, with its NUL */

struct url {
	bool	    tls;
	char	    host[URL_HOST_LEN];
	uint16_t    port;
	const char *path; /* borrowed: the rest of the text, "" or "/..." */
};

int  url_parse(const char *text, struct url *out);
/* ldap:// or ldaps://, host and port; no path (RFC 4516 has more). */
int  url_ldap(const char *text, struct url *out);
/* "HOST:PORT" or "[V6]:PORT", the port given; the rest of *out is empty. */
int  url_host_port(const char *text, struct url *out);
/* The same, and where no port is given this one: "HOST" or "[V6]" too. */
int  url_host_or_port(const char *text, uint16_t port, struct url *out);
bool url_same_host(const struct url *a, const struct url *b); /* and port */
bool url_names_host(const char *text, const struct url *host); /* likewise */

bool url_is_proxy(const char *text); /* one http:// address */

/* user:password as the first line of a file for it: without the line's end. */
int url_login(const char *text, char *out, size_t size);

/*
 * Brings a path, with or without its first slash, into that spelling, in place;
 * it never grows. -EINVAL: a bad escape, a control byte, the escape of an
 * escape, or a part that is empty, "." or "..", where parts end at a slash or a
 * backslash however it is written; the last part alone may be empty.
 */
int url_path_canon(char *path, size_t *len);

/* path with its odd bytes percent-encoded ("%" only if it is not encoded
 * already). -EINVAL when it does not fit. */
int url_escape(const char *path, bool is_encoded, char *out, size_t size);

/* The opposite, in place. -EINVAL for "%" without two digits, and for a NUL. */
int url_unescape(char *s);

/* base, a single slash, then path as url_escape gives it. */
int url_join(const char *base, const char *path, bool is_encoded, char *out,
    size_t size);

/* Scheme, host and port of base, as they stand there, and path, which begins
 * with a slash. -EINVAL when it does not fit. */
int url_at_host(const char *base, const char *path, char *out, size_t size);

#endif
