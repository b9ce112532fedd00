/*
 * tests/unit/check_http_request.c - what http_request.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_request.h"

#define H "Host: a\r\n\r\n"

#define P "POST /w HTTP/1.1\r\n"

struct head {
	const char *why;
	int	    status;
	const char *bytes;
};

static const struct head cases[] = {
	{ "plain request", 200, "GET /repo/a HTTP/1.1\r\n" H },
	{ "HEAD", 200, "HEAD /repo/a HTTP/1.1\r\n" H },
	{ "HTTP/1.0 needs no Host", 200, "GET / HTTP/1.0\r\n\r\n" },
	{ "one empty line before", 200, "\r\nGET / HTTP/1.1\r\n" H },
	{ "escaped letters", 200, "GET /%61%7e HTTP/1.1\r\n" H },
	{ "a query", 200, "GET /a?b=c HTTP/1.1\r\n" H },
	{ "empty length", 200, "GET / HTTP/1.1\r\nContent-Length: 0\r\n" H },
	{ "100-continue", 200, "GET / HTTP/1.1\r\nExpect: 100-continue\r\n" H },
	{ "IPv6 Host", 200, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n" },
	{ "not yet whole", 0, "GET / HTTP/1.1\r\nHost: a\r\n" },
	{ "nothing", 0, "" },
	{ "no Host", 400, "GET / HTTP/1.1\r\n\r\n" },
	{ "two Hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\n" H },
	{ "empty Host", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n" },
	{ "Host with slash", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" },
	{ "bare LF after the line", 400, "GET / HTTP/1.1\nHost: a\n\n" },
	{ "bare LF after a field", 400, "GET / HTTP/1.1\r\nHost: a\n\r\n" },
	{ "CR inside a value", 400, "GET / HTTP/1.1\r\nA: b\rc\r\n" H },
	{ "folded line", 400, "GET / HTTP/1.1\r\nA: b\r\n c\r\n" H },
	{ "space before colon", 400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n" },
	{ "field without name", 400, "GET / HTTP/1.1\r\n: a\r\n" H },
	{ "field without colon", 400, "GET / HTTP/1.1\r\nab\r\n" H },
	{ "control byte", 400, "GET / HTTP/1.1\r\nA: \x01\r\n" H },
	{ "length and encoding", 400,
	    "GET / HTTP/1.1\r\nContent-Length: 4\r\n"
	    "Transfer-Encoding: chunked\r\n" H },
	{ "encoding and length", 400,
	    "GET / HTTP/1.1\r\n"
	    "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n" H },
	{ "encoding alone", 501,
	    "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" H },
	{ "two lengths", 400,
	    "GET / HTTP/1.1\r\nContent-Length: 0\r\n"
	    "Content-Length: 0\r\n" H },
	{ "signed length", 400, "GET / HTTP/1.1\r\nContent-Length: +0\r\n" H },
	{ "length list", 400, "GET / HTTP/1.1\r\nContent-Length: 0, 0\r\n" H },
	{ "a body", 413, "GET / HTTP/1.1\r\nContent-Length: 5\r\n" H },
	{ "other expectation", 417, "GET / HTTP/1.1\r\nExpect: more\r\n" H },
	{ "absolute URI", 400, "GET http://a/b HTTP/1.1\r\n" H },
	{ "asterisk", 400, "GET * HTTP/1.1\r\n" H },
	{ "no slash", 400, "GET repo HTTP/1.1\r\n" H },
	{ "dot dot", 400, "GET /repo/../etc HTTP/1.1\r\n" H },
	{ "dot dot at the end", 400, "GET /repo/.. HTTP/1.1\r\n" H },
	{ "dot", 400, "GET /repo/./a HTTP/1.1\r\n" H },
	{ "encoded dot dot", 400, "GET /repo/%2e%2e/etc HTTP/1.1\r\n" H },
	{ "half encoded dot dot", 400, "GET /repo/.%2E/etc HTTP/1.1\r\n" H },
	{ "encoded slash is no slash", 200, "GET /repo%2fa HTTP/1.1\r\n" H },
	{ "encoded slash and dot dot", 400, "GET /a/..%2fb HTTP/1.1\r\n" H },
	{ "dot dot between encoded slashes", 400,
	    "GET /a%2f..%2fb HTTP/1.1\r\n" H },
	{ "encoded backslash and dot dot", 400,
	    "GET /a/..%5cb HTTP/1.1\r\n" H },
	{ "encoded percent", 400, "GET /repo/%252e HTTP/1.1\r\n" H },
	{ "encoded CRLF", 400, "GET /a%0d%0aX:%20y HTTP/1.1\r\n" H },
	{ "encoded NUL", 400, "GET /a%00 HTTP/1.1\r\n" H },
	{ "cut escape", 400, "GET /a%4 HTTP/1.1\r\n" H },
	{ "bad escape", 400, "GET /a%zz HTTP/1.1\r\n" H },
	{ "empty segment", 400, "GET //a HTTP/1.1\r\n" H },
	{ "backslash", 400, "GET /a\\b HTTP/1.1\r\n" H },
	{ "fragment", 400, "GET /a#b HTTP/1.1\r\n" H },
	{ "two blanks", 400, "GET  / HTTP/1.1\r\n" H },
	{ "tab as blank", 400, "GET\t/ HTTP/1.1\r\n" H },
	{ "no version", 400, "GET /\r\n\r\n" },
	{ "lower-case version", 400, "GET / http/1.1\r\n" H },
	{ "HTTP/2.0", 505, "GET / HTTP/2.0\r\n" H },
	{ "the preface of HTTP/2", 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
	{ "POST", 405, "POST / HTTP/1.1\r\n" H },
	{ "CONNECT", 405, "CONNECT a:443 HTTP/1.1\r\n" H },
	{ "unknown method", 501, "FETCH / HTTP/1.1\r\n" H },
	{ "lower-case method", 501, "get / HTTP/1.1\r\n" H },
	{ "TLS on the clear port", 400, "\x16\x03\x01\x02" },
	{ "two empty lines before", 400, "\r\n\r\nGET / HTTP/1.1\r\n" H },
};

/* with all methods wanted */
static const struct head wide[] = {
	{ "DELETE where all are", 405, "DELETE / HTTP/1.1\r\n" H },
	{ "a body, wanted", 200, P "Content-Length: 5\r\n" H },
	{ "a body put", 200, "PUT /a HTTP/1.1\r\nContent-Length: 5\r\n" H },
	{ "no body", 200, P H },
	{ "a body in chunks", 501, P "Transfer-Encoding: chunked\r\n" H },
	{ "a length of 2^64", 413,
	    P "Content-Length: 18446744073709551616\r\n" H },
	{ "the largest length", 200,
	    P "Content-Length: 18446744073709551615\r\n" H },
	{ "a body with CONNECT", 413,
	    "CONNECT a:1 HTTP/1.1\r\nContent-Length: 1\r\n" H },
	{ "name and port", 200, "CONNECT a.b-c:443 HTTP/1.1\r\n" H },
	{ "IPv4 and port", 200, "CONNECT 127.0.0.1:1 HTTP/1.1\r\n" H },
	{ "IPv6 and port", 200,
	    "CONNECT [::ffff:1.2.3.4]:65535 HTTP/1.1\r\n" H },
	{ "no port", 400, "CONNECT a HTTP/1.1\r\n" H },
	{ "empty port", 400, "CONNECT a: HTTP/1.1\r\n" H },
	{ "port 0", 400, "CONNECT a:0 HTTP/1.1\r\n" H },
	{ "port 65536", 400, "CONNECT a:65536 HTTP/1.1\r\n" H },
	{ "signed port", 400, "CONNECT a:+1 HTTP/1.1\r\n" H },
	{ "long port", 400, "CONNECT a:000443 HTTP/1.1\r\n" H },
	{ "no host", 400, "CONNECT :443 HTTP/1.1\r\n" H },
	{ "empty brackets", 400, "CONNECT []:443 HTTP/1.1\r\n" H },
	{ "open bracket", 400, "CONNECT [::1:443 HTTP/1.1\r\n" H },
	{ "IPv6 with zone", 400, "CONNECT [fe80::1%251]:1 HTTP/1.1\r\n" H },
	{ "IPv6 without brackets", 400, "CONNECT ::1:443 HTTP/1.1\r\n" H },
	{ "a user", 400, "CONNECT u@a:443 HTTP/1.1\r\n" H },
	{ "a path", 400, "CONNECT a:443/ HTTP/1.1\r\n" H },
	{ "CONNECT in origin-form", 400, "CONNECT /a HTTP/1.1\r\n" H },
	{ "GET in authority-form", 400, "GET a:443 HTTP/1.1\r\n" H },
};

static int
parse(struct http_request *r, unsigned wanted, char *buf, const char *bytes,
    size_t n, size_t step)
{
	int status = HTTP_REQUEST_MORE;

	http_request_begin(r, wanted);
	memcpy(buf, bytes, n);
	for (size_t i = step < n ? step : n;; i = i + step < n ? i + step : n) {
		status = http_request_parse(r, buf, i);
		if (status != HTTP_REQUEST_MORE || i == n)
			return status;
	}
}

static void
check_status(const struct head *h, unsigned wanted)
{
	char		    buf[HTTP_REQUEST_HEAD_MAX];
	struct http_request r;
	size_t		    n = strlen(h->bytes);

	for (size_t step = 1; step <= n + 1; step++) {
		int got = parse(&r, wanted, buf, h->bytes, n, step);

		/* what is wrong with a version or method is seen in any order
		 */
		ck_assert_msg(
		    got == h->status ||
			(strncmp(h->bytes, "PRI", 3) == 0 && got >= 400),
		    "%s, in steps of %zu: %d", h->why, step, got);
	}
}

START_TEST(status_is_as_listed)
{
	check_status(&cases[_i], HTTP_GET | HTTP_HEAD);
}
END_TEST

START_TEST(other_methods_are_as_listed)
{
	check_status(&wide[_i], 0xff);
}
END_TEST

START_TEST(only_what_is_wanted_is_allowed)
{
	struct head h = { "GET where POST is wanted", 405,
		"GET / HTTP/1.1\r\n" H };

	check_status(&h, HTTP_POST);
}
END_TEST

START_TEST(fields_are_found_and_trimmed)
{
	static const char text[] =
	    "HEAD /%72epo/x HTTP/1.1\r\nhOST: \t h:1 \r\n"
	    "Range:bytes=0-1\r\nconnection: x, Close\r\n"
	    "\r\nGET";
	char		    buf[HTTP_REQUEST_HEAD_MAX];
	struct http_request r;

	ck_assert_int_eq(
	    parse(&r, HTTP_GET | HTTP_HEAD, buf, text, sizeof(text) - 1, 5),
	    200);
	ck_assert(r.method == HTTP_HEAD && !r.keep_alive && r.minor == 1);
	ck_assert_uint_eq(r.head_len, sizeof(text) - 4);
	ck_assert_uint_eq(r.path.len, 7);
	ck_assert_mem_eq(buf + r.path.off, "/repo/x", 7);
	ck_assert_uint_eq(r.f[HTTP_HOST].len, 3);
	ck_assert_mem_eq(buf + r.f[HTTP_HOST].off, "h:1", 3);
	ck_assert_uint_eq(r.f[HTTP_RANGE].len, 9);
	ck_assert_uint_eq(r.f[HTTP_IF_RANGE].len, 0);
}
END_TEST

START_TEST(what_follows_the_path_is_found)
{
	static const char text[] =
	    "POST /%77ake?group=a?b HTTP/1.1\r\nHost: h\r\n"
	    "Content-Length: 0012\r\n\r\n";
	char		    buf[HTTP_REQUEST_HEAD_MAX];
	struct http_request r;

	ck_assert_int_eq(
	    parse(&r, HTTP_POST, buf, text, sizeof(text) - 1, 7), 200);
	ck_assert_uint_eq(r.path.len, 5);
	ck_assert_mem_eq(buf + r.path.off, "/wake", 5);
	ck_assert(r.has_query);
	ck_assert_uint_eq(r.query.len, 9);
	ck_assert_mem_eq(buf + r.query.off, "group=a?b", 9);
	ck_assert_uint_eq(r.body_len, 12);
}
END_TEST

START_TEST(connect_names_host_and_port)
{
	static const struct {
		const char *target, *host;
		uint16_t    port;
	} good[] = { { "h.example:08443", "h.example", 8443 },
		{ "[fe80::1]:22", "fe80::1", 22 } };
	char		    buf[HTTP_REQUEST_HEAD_MAX], text[128];
	struct http_request r;

	for (size_t i = 0; i < 2; i++) {
		int n =
		    sprintf(text, "CONNECT %s HTTP/1.1\r\n" H, good[i].target);

		ck_assert_int_eq(
		    parse(&r, HTTP_CONNECT, buf, text, (size_t)n, 1), 200);
		ck_assert_uint_eq(r.port, good[i].port);
		ck_assert_uint_eq(r.host.len, strlen(good[i].host));
		ck_assert_mem_eq(buf + r.host.off, good[i].host, r.host.len);
		ck_assert_uint_eq(r.path.len, 0);
	}
}
END_TEST

START_TEST(long_lines_and_floods_are_refused_early)
{
	static char	    buf[HTTP_REQUEST_HEAD_MAX + 8];
	struct http_request r;
	size_t		    n;

	memset(buf, 'a', sizeof(buf));
	memcpy(buf, "GET /", 5);
	http_request_begin(&r, HTTP_GET);
	ck_assert_int_eq(
	    http_request_parse(&r, buf, HTTP_REQUEST_LINE_MAX + 1), 414);

	http_request_begin(&r, HTTP_GET);
	n = (size_t)sprintf(buf, "GET / HTTP/1.1\r\n");
	memset(buf + n, 'a', sizeof(buf) - n);
	ck_assert_int_eq(
	    http_request_parse(&r, buf, HTTP_REQUEST_HEAD_MAX - 1), 0);
	ck_assert_int_eq(
	    http_request_parse(&r, buf, HTTP_REQUEST_HEAD_MAX), 431);

	http_request_begin(&r, HTTP_GET);
	n = (size_t)sprintf(buf, "GET / HTTP/1.1\r\n");
	for (int i = 0; i <= HTTP_REQUEST_FIELDS_MAX; i++)
		n += (size_t)sprintf(buf + n, "a: b\r\n");
	ck_assert_int_eq(http_request_parse(&r, buf, n), 431);
}
END_TEST

START_TEST(a_nul_anywhere_is_refused)
{
	static const char   text[] = "GET /repo/a HTTP/1.1\r\nHost: a\r\n\r\n";
	char		    buf[HTTP_REQUEST_HEAD_MAX], bytes[sizeof(text)];
	struct http_request r;

	for (size_t i = 0; i < sizeof(text) - 5; i++) {
		memcpy(bytes, text, sizeof(text));
		bytes[i] = '\0';
		ck_assert_int_ge(parse(&r, HTTP_GET | HTTP_HEAD, buf, bytes,
				     sizeof(text) - 1, 64),
		    400);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("http_request");
	TCase	*t = tcase_create("http_request");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_loop_test(
	    t, status_is_as_listed, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(
	    t, other_methods_are_as_listed, 0, sizeof(wide) / sizeof(wide[0]));
	tcase_add_test(t, only_what_is_wanted_is_allowed);
	tcase_add_test(t, fields_are_found_and_trimmed);
	tcase_add_test(t, what_follows_the_path_is_found);
	tcase_add_test(t, connect_names_host_and_port);
	tcase_add_test(t, long_lines_and_floods_are_refused_early);
	tcase_add_test(t, a_nul_anywhere_is_refused);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
