/*
 * common/http_request.c - strict HTTP/1.1 request heads; see http_request.h.
 *
 * A pure function over bytes of a stranger: believes nothing, allocates
 * nothing, reads no byte twice but for the look-up of a field's name.
 * SPDX-License-Identifier: ISC
 */
#include "common/http_request.h"

#include <string.h>
#include <strings.h>

#include "common/size.h"
#include "common/url.h"

enum {
	C_TOKEN = 1,
	C_PATH = 2,
	C_TEXT = 4,
	C_HOST = 8,
	C_NAME = 16,
	C_IPV6 = 32
};
static uint8_t class[256];

static void
classes_once(void)
{
	static const char token[] = "!#$%&'*+-.^_`|~";
	static const char path[] = "/-._~!$&'()*+,;=:@%";

	if (class['a'] != 0)
		return;
	for (int c = 0; c < 256; c++) {
		bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z');
		if (alnum || (c != 0 && strchr(token, c) != NULL))
			class[c] |= C_TOKEN;
		if (alnum || (c != 0 && strchr(path, c) != NULL))
			class[c] |= C_PATH;
		if (c == '\t' || (c >= ' ' && c != 127))
			class[c] |= C_TEXT;
		if (alnum || (c != 0 && strchr(".-_:[]", c) != NULL))
			class[c] |= C_HOST;
		if (alnum || (c != 0 && strchr(".-_", c) != NULL))
			class[c] |= C_NAME;
		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
		    (c >= 'A' && c <= 'F') || c == ':' || c == '.')
			class[c] |= C_IPV6;
	}
}

static size_t
run_of(const char *p, size_t n, uint8_t what)
{
	size_t i = 0;

	while (i < n && (class[(uint8_t)p[i]] & what) != 0)
		i++;
	return i;
}

void
http_request_begin(struct http_request *r, unsigned wanted)
{
	classes_once();
	memset(r, 0, sizeof(*r));
	r->wanted = (uint8_t)wanted;
}

static const struct {
	const char *name;
	uint8_t	    len, method; /* method 0: nobody here wants it */
} methods[] = {
	{ "GET", 3, HTTP_GET },
	{ "HEAD", 4, HTTP_HEAD },
	{ "POST", 4, HTTP_POST },
	{ "PUT", 3, HTTP_PUT },
	{ "CONNECT", 7, HTTP_CONNECT },
	{ "DELETE", 6, 0 },
	{ "OPTIONS", 7, 0 },
	{ "TRACE", 5, 0 },
	{ "PATCH", 5, 0 },
};

static int
method_parse(struct http_request *r, const char *p, size_t n)
{
	for (size_t i = 0; i < COUNT(methods); i++)
		if (methods[i].len == n && memcmp(p, methods[i].name, n) == 0) {
			r->method = methods[i].method;
			return (r->wanted & r->method) != 0 ? 0 : 405;
		}
	return 501;
}

/* authority-form := host ":" port, as RFC 9112, section 3.2.3 has it; which
 * names and addresses are good is for the caller's list to say. */
static int
authority_parse(
    struct http_request *r, const char *buf, const char *p, size_t n)
{
	uint32_t port = 0;
	size_t	 host, i;

	if (n > 0 && p[0] == '[') {
		p++;
		n--;
		host = run_of(p, n, C_IPV6);
		if (host == n || p[host] != ']')
			return 400;
		i = host + 1;
	} else
		i = host = run_of(p, n, C_NAME);
	if (host == 0 || n - i < 2 || n - i > 6 || p[i] != ':')
		return 400;
	for (i++; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return 400;
		port = port * 10 + (uint32_t)(p[i] - '0');
	}
	if (port == 0 || port > UINT16_MAX)
		return 400;
	r->host = (struct http_span) { (uint16_t)(p - buf), (uint16_t)host };
	r->port = (uint16_t)port;
	return 0;
}

/* origin-form := absolute-path [ "?" query ] */
static int
path_parse(struct http_request *r, const char *buf, char *p, size_t n)
{
	size_t path = run_of(p, n, C_PATH);

	if (path < n) {
		if (p[path] != '?')
			return 400;
		for (size_t i = path; i < n; i++)
			if (p[i] != '?' && (class[(uint8_t)p[i]] & C_PATH) == 0)
				return 400;
		r->has_query = true;
		r->query = (struct http_span) { (uint16_t)(p + path + 1 - buf),
			(uint16_t)(n - path - 1) };
	}
	if (path == 0 || p[0] != '/' || url_path_canon(p, &path) < 0)
		return 400;
	r->path = (struct http_span) { (uint16_t)(p - buf), (uint16_t)path };
	return 0;
}

/* request-line := method SP target SP "HTTP/" digit "." digit */
static int
line_parse(struct http_request *r, char *buf, size_t off, size_t n)
{
	char  *p = buf + off, *v;
	size_t m, left;
	int    status;

	m = run_of(p, n, C_TOKEN);
	if (m == 0 || m == n || p[m] != ' ')
		return 400;
	v = p + m + 1;
	left = n - m - 1;
	if (left < 10 || v[left - 9] != ' ' ||
	    memcmp(v + left - 8, "HTTP/", 5) != 0 || v[left - 2] != '.' ||
	    v[left - 3] < '0' || v[left - 3] > '9' || v[left - 1] < '0' ||
	    v[left - 1] > '9')
		return 400;
	if (v[left - 3] != '1')
		return 505;
	r->minor = v[left - 1] == '0' ? 0 : 1;
	r->keep_alive = r->minor == 1;
	if ((status = method_parse(r, p, m)) != 0)
		return status;
	if (r->method == HTTP_CONNECT)
		return authority_parse(r, buf, v, left - 9);
	return path_parse(r, buf, v, left - 9);
}

static const struct {
	const char *name;
	uint8_t	    len;
} fields[HTTP_FIELDS] = {
	[HTTP_HOST] = { "host", 4 },
	[HTTP_CONNECTION] = { "connection", 10 },
	[HTTP_CONTENT_LENGTH] = { "content-length", 14 },
	[HTTP_TRANSFER_ENCODING] = { "transfer-encoding", 17 },
	[HTTP_EXPECT] = { "expect", 6 },
	[HTTP_RANGE] = { "range", 5 },
	[HTTP_IF_RANGE] = { "if-range", 8 },
	[HTTP_IF_MATCH] = { "if-match", 8 },
	[HTTP_IF_NONE_MATCH] = { "if-none-match", 13 },
	[HTTP_IF_MODIFIED] = { "if-modified-since", 17 },
	[HTTP_IF_UNMODIFIED] = { "if-unmodified-since", 19 },
	[HTTP_LAST_EVENT_ID] = { "last-event-id", 13 },
};

/* field-line := token ":" OWS value OWS; a field we act on comes once. */
static int
field_parse(struct http_request *r, const char *buf, size_t off, size_t n)
{
	const char *p = buf + off;
	size_t	    name = run_of(p, n, C_TOKEN), v, end = n;

	if (name == 0 || name == n || p[name] != ':')
		return 400;
	v = name + 1;
	if (v + run_of(p + v, n - v, C_TEXT) != n)
		return 400;
	while (v < end && (p[v] == ' ' || p[v] == '\t'))
		v++;
	while (end > v && (p[end - 1] == ' ' || p[end - 1] == '\t'))
		end--;
	for (unsigned i = 0; i < HTTP_FIELDS; i++) {
		if (fields[i].len != name ||
		    strncasecmp(p, fields[i].name, name) != 0)
			continue;
		if ((r->seen & 1u << i) != 0)
			return 400;
		r->seen |= (uint16_t)(1u << i);
		r->f[i] = (struct http_span) { (uint16_t)(off + v),
			(uint16_t)(end - v) };
		break;
	}
	return 0;
}

static bool
list_has(const char *p, size_t n, const char *word)
{
	size_t w = strlen(word), i = 0, b;

	while (i < n) {
		while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == ','))
			i++;
		for (b = i;
		     i < n && p[i] != ' ' && p[i] != '\t' && p[i] != ',';)
			i++;
		if (i - b == w && strncasecmp(p + b, word, w) == 0)
			return true;
	}
	return false;
}

/* What only the whole head can tell. */
static int
head_check(struct http_request *r, const char *buf)
{
	const struct http_span *h = &r->f[HTTP_HOST],
			       *c = &r->f[HTTP_CONNECTION],
			       *l = &r->f[HTTP_CONTENT_LENGTH],
			       *e = &r->f[HTTP_EXPECT];
	bool has_length = (r->seen & 1u << HTTP_CONTENT_LENGTH) != 0;

	if ((r->seen & 1u << HTTP_HOST) != 0
		? h->len == 0 || run_of(buf + h->off, h->len, C_HOST) != h->len
		: r->minor >= 1)
		return 400;
	if ((r->seen & 1u << HTTP_TRANSFER_ENCODING) != 0)
		return has_length || r->minor == 0 ? 400 : 501;
	if (has_length) {
		if (l->len == 0)
			return 400;
		for (unsigned i = 0; i < l->len; i++) {
			char d = buf[l->off + i];

			if (d < '0' || d > '9')
				return 400;
			if (__builtin_mul_overflow(
				r->body_len, 10, &r->body_len) ||
			    __builtin_add_overflow(
				r->body_len, (uint64_t)(d - '0'), &r->body_len))
				return 413;
		}
		if (r->body_len > 0 &&
		    (r->method & (HTTP_POST | HTTP_PUT)) == 0)
			return 413;
	}
	if (e->len != 0 && (e->len != 12 || strncasecmp(buf + e->off,
						"100-continue", 12) != 0))
		return 417;
	if (c->len != 0) {
		if (list_has(buf + c->off, c->len, "close"))
			r->keep_alive = false;
		else if (list_has(buf + c->off, c->len, "keep-alive"))
			r->keep_alive = true;
	}
	return HTTP_REQUEST_DONE;
}

/* What n bytes of the request line tell, be its end there or not: so the
 * verdict does not hang on how they were cut on the way. */
static int
start_check(const char *p, size_t n)
{
	/* a byte that no method begins with: TLS on the clear port */
	if (n > 0 && p[0] != '\r' && (class[(uint8_t)p[0]] & C_TOKEN) == 0)
		return 400;
	return n > HTTP_REQUEST_LINE_MAX ? 414 : 0;
}

int
http_request_parse(struct http_request *r, char *buf, size_t len)
{
	bool  cut = len > HTTP_REQUEST_HEAD_MAX;
	char *nl;
	int   status;

	if (cut)
		len = HTTP_REQUEST_HEAD_MAX;
	while ((nl = memchr(buf + r->scan, '\n', len - r->scan)) != NULL) {
		size_t off = r->line, n = (size_t)(nl - buf) - off;

		if (!r->started && (status = start_check(buf + off, n)) != 0)
			return status;
		r->line = r->scan = (uint16_t)(nl - buf + 1);
		if (n == 0 || nl[-1] != '\r')
			return 400;
		n--;
		if (!r->started) {
			if (n == 0 && off == 0)
				continue; /* RFC 9112, 2.2: one CRLF may precede
					   */
			r->started = true;
			status = line_parse(r, buf, off, n);
		} else if (n == 0) {
			r->head_len = r->line;
			return head_check(r, buf);
		} else if (++r->nfields > HTTP_REQUEST_FIELDS_MAX)
			return 431;
		else
			status = field_parse(r, buf, off, n);
		if (status != 0)
			return status;
	}
	r->scan = (uint16_t)len;
	if (!r->started &&
	    (status = start_check(buf + r->line, len - r->line)) != 0)
		return status;
	return cut || len == HTTP_REQUEST_HEAD_MAX ? 431 : HTTP_REQUEST_MORE;
}
