/*
 * tests/unit/check_request.c - what request.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dp-serve/request.h"

#define H "Host: a\r\n\r\n"

static const struct {
	const char *why;
	int	    status;
	const char *bytes;
} cases[] = {
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
	{ "length and encoding", 400, "GET / HTTP/1.1\r\nContent-Length: 4\r\n"
	    "Transfer-Encoding: chunked\r\n" H },
	{ "encoding and length", 400, "GET / HTTP/1.1\r\n"
	    "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n" H },
	{ "encoding alone", 501, "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" H },
	{ "two lengths", 400, "GET / HTTP/1.1\r\nContent-Length: 0\r\n"
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
	{ "encoded backslash and dot dot", 400, "GET /a/..%5cb HTTP/1.1\r\n" H },
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

static int
parse(struct request *r, char *buf, const char *bytes, size_t n, size_t step)
{
	int status = REQUEST_MORE;

	request_begin(r);
	memcpy(buf, bytes, n);
	for (size_t i = step < n ? step : n;; i = i + step < n ? i + step : n) {
		status = request_parse(r, buf, i);
		if (status != REQUEST_MORE || i == n)
			return status;
	}
}

START_TEST(status_is_as_listed)
{
	char	       buf[REQUEST_HEAD_MAX];
	struct request r;
	size_t	       n = strlen(cases[_i].bytes);

	for (size_t step = 1; step <= n + 1; step++) {
		int got = parse(&r, buf, cases[_i].bytes, n, step);

		/* what is wrong with a version or method is seen in any order */
		ck_assert_msg(got == cases[_i].status ||
			(strncmp(cases[_i].bytes, "PRI", 3) == 0 && got >= 400) ||
			(strncmp(cases[_i].bytes, "CONN", 4) == 0 && got == 405),
		    "%s, in steps of %zu: %d", cases[_i].why, step, got);
	}
}
END_TEST

START_TEST(fields_are_found_and_trimmed)
{
	static const char text[] = "HEAD /%72epo/x HTTP/1.1\r\nhOST: \t h:1 \r\n"
				   "Range:bytes=0-1\r\nconnection: x, Close\r\n"
				   "\r\nGET";
	char	       buf[REQUEST_HEAD_MAX];
	struct request r;

	ck_assert_int_eq(parse(&r, buf, text, sizeof(text) - 1, 5), 200);
	ck_assert(r.is_head && !r.keep_alive && r.minor == 1);
	ck_assert_uint_eq(r.head_len, sizeof(text) - 4);
	ck_assert_uint_eq(r.path.len, 7);
	ck_assert_mem_eq(buf + r.path.off, "/repo/x", 7);
	ck_assert_uint_eq(r.f[F_HOST].len, 3);
	ck_assert_mem_eq(buf + r.f[F_HOST].off, "h:1", 3);
	ck_assert_uint_eq(r.f[F_RANGE].len, 9);
	ck_assert_uint_eq(r.f[F_IF_RANGE].len, 0);
}
END_TEST

START_TEST(long_lines_and_floods_are_refused_early)
{
	static char    buf[REQUEST_HEAD_MAX + 8];
	struct request r;
	size_t	       n;

	memset(buf, 'a', sizeof(buf));
	memcpy(buf, "GET /", 5);
	request_begin(&r);
	ck_assert_int_eq(request_parse(&r, buf, REQUEST_LINE_MAX + 1), 414);

	request_begin(&r);
	n = (size_t)sprintf(buf, "GET / HTTP/1.1\r\n");
	memset(buf + n, 'a', sizeof(buf) - n);
	ck_assert_int_eq(request_parse(&r, buf, REQUEST_HEAD_MAX - 1), 0);
	ck_assert_int_eq(request_parse(&r, buf, REQUEST_HEAD_MAX), 431);

	request_begin(&r);
	n = (size_t)sprintf(buf, "GET / HTTP/1.1\r\n");
	for (int i = 0; i <= REQUEST_FIELDS_MAX; i++)
		n += (size_t)sprintf(buf + n, "a: b\r\n");
	ck_assert_int_eq(request_parse(&r, buf, n), 431);
}
END_TEST

START_TEST(a_nul_anywhere_is_refused)
{
	static const char text[] = "GET /repo/a HTTP/1.1\r\nHost: a\r\n\r\n";
	char		  buf[REQUEST_HEAD_MAX], bytes[sizeof(text)];
	struct request	  r;

	for (size_t i = 0; i < sizeof(text) - 5; i++) {
		memcpy(bytes, text, sizeof(text));
		bytes[i] = '\0';
		ck_assert_int_ge(parse(&r, buf, bytes, sizeof(text) - 1, 64), 400);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("request");
	TCase	*t = tcase_create("request");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_loop_test(t, status_is_as_listed, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, fields_are_found_and_trimmed);
	tcase_add_test(t, long_lines_and_floods_are_refused_early);
	tcase_add_test(t, a_nul_anywhere_is_refused);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
