/*
 * dp-serve/request.c - strict HTTP/1.1 request heads; see request.h.
 *
 * Runs in dp-serve behind its sandbox. A pure function over bytes of a
 * stranger: believes nothing, allocates nothing, reads no byte twice but for
 * the look-up of a field's name.
 * SPDX-License-Identifier: ISC
 */
#include "dp-serve/request.h"

#include <string.h>
#include <strings.h>

#include "common/size.h"
#include "common/url.h"

enum { C_TOKEN = 1, C_PATH = 2, C_TEXT = 4, C_HOST = 8 };
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
request_begin(struct request *r)
{
	classes_once();
	memset(r, 0, sizeof(*r));
}

static int
method_of(const char *p, size_t n, bool *is_head)
{
	static const char *const known[] = { "POST", "PUT", "DELETE", "OPTIONS",
		"TRACE", "CONNECT", "PATCH" };

	*is_head = false;
	if (n == 3 && memcmp(p, "GET", 3) == 0)
		return 0;
	if (n == 4 && memcmp(p, "HEAD", 4) == 0) {
		*is_head = true;
		return 0;
	}
	for (size_t i = 0; i < COUNT(known); i++)
		if (strlen(known[i]) == n && memcmp(p, known[i], n) == 0)
			return 405;
	return 501;
}

/* request-line := method SP target SP "HTTP/" digit "." digit */
static int
line_parse(struct request *r, char *buf, size_t off, size_t n)
{
	char  *p = buf + off, *v;
	size_t m, t, left;
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
	if ((status = method_of(p, m, &r->is_head)) != 0)
		return status;
	t = left - 9;
	left = run_of(v, t, C_PATH);
	if (left < t && v[left] == '?') {
		r->has_query = true;
		for (size_t i = left; i < t; i++)
			if (v[i] != '?' && (class[(uint8_t)v[i]] & C_PATH) == 0)
				return 400;
	} else if (left < t)
		return 400;
	if (left == 0 || v[0] != '/' || url_path_canon(v, &left) < 0)
		return 400;
	r->path = (struct span) { (uint16_t)(v - buf), (uint16_t)left };
	return 0;
}

static const struct {
	const char *name;
	uint8_t	    len;
} fields[F_COUNT] = {
	[F_HOST] = { "host", 4 },
	[F_CONNECTION] = { "connection", 10 },
	[F_CONTENT_LENGTH] = { "content-length", 14 },
	[F_TRANSFER_ENCODING] = { "transfer-encoding", 17 },
	[F_EXPECT] = { "expect", 6 },
	[F_RANGE] = { "range", 5 },
	[F_IF_RANGE] = { "if-range", 8 },
	[F_IF_MATCH] = { "if-match", 8 },
	[F_IF_NONE_MATCH] = { "if-none-match", 13 },
	[F_IF_MODIFIED] = { "if-modified-since", 17 },
	[F_IF_UNMODIFIED] = { "if-unmodified-since", 19 },
};

/* field-line := token ":" OWS value OWS; a field we act on comes once. */
static int
field_parse(struct request *r, const char *buf, size_t off, size_t n)
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
	for (unsigned i = 0; i < F_COUNT; i++) {
		if (fields[i].len != name ||
		    strncasecmp(p, fields[i].name, name) != 0)
			continue;
		if ((r->seen & 1u << i) != 0)
			return 400;
		r->seen |= (uint16_t)(1u << i);
		r->f[i] = (struct span) { (uint16_t)(off + v),
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
		for (b = i; i < n && p[i] != ' ' && p[i] != '\t' && p[i] != ',';)
			i++;
		if (i - b == w && strncasecmp(p + b, word, w) == 0)
			return true;
	}
	return false;
}

/* What only the whole head can tell. */
static int
head_check(struct request *r, const char *buf)
{
	const struct span *h = &r->f[F_HOST], *c = &r->f[F_CONNECTION],
			  *l = &r->f[F_CONTENT_LENGTH], *e = &r->f[F_EXPECT];
	bool has_length = (r->seen & 1u << F_CONTENT_LENGTH) != 0;

	if ((r->seen & 1u << F_HOST) != 0
		? h->len == 0 || run_of(buf + h->off, h->len, C_HOST) != h->len
		: r->minor >= 1)
		return 400;
	if ((r->seen & 1u << F_TRANSFER_ENCODING) != 0)
		return has_length || r->minor == 0 ? 400 : 501;
	if (has_length) {
		bool zero = true;

		for (unsigned i = 0; i < l->len; i++) {
			if (buf[l->off + i] < '0' || buf[l->off + i] > '9')
				return 400;
			zero = zero && buf[l->off + i] == '0';
		}
		if (l->len == 0)
			return 400;
		if (!zero)
			return 413;
	}
	if (e->len != 0 && (e->len != 12 ||
	    strncasecmp(buf + e->off, "100-continue", 12) != 0))
		return 417;
	if (c->len != 0) {
		if (list_has(buf + c->off, c->len, "close"))
			r->keep_alive = false;
		else if (list_has(buf + c->off, c->len, "keep-alive"))
			r->keep_alive = true;
	}
	return REQUEST_DONE;
}

/* What n bytes of the request line tell, be its end there or not: so the
 * verdict does not hang on how they were cut on the way. */
static int
start_check(const char *p, size_t n)
{
	/* a byte that no method begins with: TLS on the clear port */
	if (n > 0 && p[0] != '\r' && (class[(uint8_t)p[0]] & C_TOKEN) == 0)
		return 400;
	return n > REQUEST_LINE_MAX ? 414 : 0;
}

int
request_parse(struct request *r, char *buf, size_t len)
{
	bool  cut = len > REQUEST_HEAD_MAX;
	char *nl;
	int   status;

	if (cut)
		len = REQUEST_HEAD_MAX;
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
				continue; /* RFC 9112, 2.2: one CRLF may precede */
			r->started = true;
			status = line_parse(r, buf, off, n);
		} else if (n == 0) {
			r->head_len = r->line;
			return head_check(r, buf);
		} else if (++r->nfields > REQUEST_FIELDS_MAX)
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
	return cut || len == REQUEST_HEAD_MAX ? 431 : REQUEST_MORE;
}
