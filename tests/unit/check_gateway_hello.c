/*
 * tests/unit/check_gateway_hello.c - what hello.h, admit.h and proxy.h promise,
 * with ClientHellos that OpenSSL makes.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <check.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/size.h"
#include "dp-gateway/admit.h"
#include "dp-gateway/proxy.h"

static struct hello h;
static uint8_t	    bytes[HELLO_MAX + 64];

/* What OpenSSL says first. alpn as on the wire; version 0: the newest. */
static size_t
client_hello(const char *sni, const char *alpn, int version, uint8_t *out)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL	*ssl = SSL_new(ctx);
	BIO	*in = BIO_new(BIO_s_mem()), *wire = BIO_new(BIO_s_mem());
	int	 n;

	if (version != 0)
		SSL_set_max_proto_version(ssl, version);
	SSL_set_bio(ssl, in, wire);
	if (sni != NULL)
		SSL_set_tlsext_host_name(ssl, sni);
	if (alpn != NULL)
		SSL_set_alpn_protos(ssl, (const unsigned char *)alpn,
		    (unsigned)strlen(alpn));
	(void)SSL_connect(ssl);
	n = BIO_read(wire, out, HELLO_MAX);
	ck_assert_int_gt(n, 60);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return (size_t)n;
}

START_TEST(openssl_is_understood_in_whatever_pieces)
{
	size_t n = client_hello("Server.Example.ORG", "\x02h2\x08http/1.1", 0,
	    bytes), pos = 0, len;

	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(hello_parse(&h, bytes, i), HELLO_MORE);
	memset(bytes + n, 23, 64); /* what follows is not looked at */
	ck_assert_int_eq(hello_parse(&h, bytes, n + 64), HELLO_WHOLE);
	ck_assert_str_eq(h.sni, "server.example.org");
	ck_assert_mem_eq(hello_alpn(&h, &pos, &len), "h2", 2);
	ck_assert_uint_eq(len, 2);
	ck_assert_mem_eq(hello_alpn(&h, &pos, &len), "http/1.1", 8);
	ck_assert_uint_eq(len, 8);
	ck_assert_ptr_null(hello_alpn(&h, &pos, &len));
}
END_TEST

START_TEST(tls_1_2_and_nothing_named)
{
	size_t n = client_hello(NULL, NULL, TLS1_2_VERSION, bytes), pos = 0, len;

	ck_assert_int_eq(hello_parse(&h, bytes, n), HELLO_WHOLE);
	ck_assert_str_eq(h.sni, "");
	ck_assert_ptr_null(hello_alpn(&h, &pos, &len));
}
END_TEST

/* The same message in records of `piece` bytes. */
static size_t
in_records(const uint8_t *from, size_t n, size_t piece, uint8_t *out)
{
	size_t at = 0;

	for (size_t i = 5; i < n; i += piece) {
		size_t k = n - i < piece ? n - i : piece;

		out[at] = 22;
		out[at + 1] = 3;
		out[at + 2] = 1;
		out[at + 3] = (uint8_t)(k >> 8);
		out[at + 4] = (uint8_t)k;
		memcpy(out + at + 5, from + i, k);
		at += 5 + k;
	}
	return at;
}

START_TEST(a_message_may_span_records)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 100 };
	uint8_t		    one[HELLO_MAX];
	size_t		    n = client_hello("a.example", "\x02h2", 0, one), m;

	m = in_records(one, n, pieces[_i], bytes);
	for (size_t i = 0; i < m; i++)
		ck_assert_int_eq(hello_parse(&h, bytes, i), HELLO_MORE);
	ck_assert_int_eq(hello_parse(&h, bytes, m), HELLO_WHOLE);
	ck_assert_str_eq(h.sni, "a.example");
	bytes[5 + pieces[_i]] = 23; /* another record in between */
	ck_assert_int_eq(hello_parse(&h, bytes, m), HELLO_BAD);
}
END_TEST

START_TEST(a_message_ends_with_its_record)
{
	static const struct { size_t piece; int longer; } cuts[] = {
		{ HELLO_MAX, 1 }, { HELLO_MAX, 9000 }, { 100, 1 }, { 300, 9000 },
	};
	uint8_t one[HELLO_MAX];
	size_t	n = client_hello("a.example", NULL, 0, one), m, last;

	m = in_records(one, n, cuts[_i].piece, bytes);
	ck_assert_int_eq(hello_parse(&h, bytes, m), HELLO_WHOLE);
	last = (n - 5) % cuts[_i].piece; /* what the last record has */
	ck_assert_uint_gt(last, 4);
	bytes[m - last - 2] = (uint8_t)((last + (size_t)cuts[_i].longer) >> 8);
	bytes[m - last - 1] = (uint8_t)(last + (size_t)cuts[_i].longer);
	ck_assert_int_eq(hello_parse(&h, bytes, m), HELLO_BAD);
	ck_assert_int_eq(hello_parse(&h, bytes, m + 1), HELLO_BAD);
	/* known when the header of the message is, and not before */
	ck_assert_int_eq(hello_parse(&h, bytes, m - last - 1), HELLO_MORE);
	ck_assert_int_eq(hello_parse(&h, bytes, m - last + 4), HELLO_BAD);
}
END_TEST

/* -- hellos by hand: what stands behind the extensions' length -- */

static size_t
by_hand(const char *ext, size_t n, uint8_t *out)
{
	const size_t body = 2 + 32 + 1 + 4 + 2 + 2 + n, at = 9;

	memset(out, 0, at + body);
	memcpy(out, "\x16\x03\x01", 3);
	out[3] = (uint8_t)((body + 4) >> 8);
	out[4] = (uint8_t)(body + 4);
	out[5] = 1;
	out[7] = (uint8_t)(body >> 8);
	out[8] = (uint8_t)body;
	out[at] = out[at + 1] = 3;
	memcpy(out + at + 35, "\x00\x02\x13\x01\x01\x00", 6);
	out[at + 41] = (uint8_t)(n >> 8);
	out[at + 42] = (uint8_t)n;
	memcpy(out + at + 43, ext, n);
	return at + body;
}

#define X(s) s, sizeof(s) - 1
static const struct {
	const char	  *why;
	enum hello_verdict v;
	const char	  *ext;
	size_t		   n;
} cases[] = {
	{ "no extension", HELLO_WHOLE, X("") },
	{ "one that we do not know", HELLO_WHOLE, X("\x7f\x7f\0\3abc") },
	{ "a name", HELLO_WHOLE, X("\0\0\0\6\0\4\0\0\1a") },
	{ "no name in the list", HELLO_BAD, X("\0\0\0\2\0\0") },
	{ "an empty name", HELLO_BAD, X("\0\0\0\5\0\3\0\0\0") },
	{ "another type of name", HELLO_BAD, X("\0\0\0\6\0\4\1\0\1a") },
	{ "two names", HELLO_BAD, X("\0\0\0\12\0\10\0\0\1a\0\0\1b") },
	{ "a byte after the list", HELLO_BAD, X("\0\0\0\7\0\4\0\0\1a\0") },
	{ "the list ends early", HELLO_BAD, X("\0\0\0\5\0\4\0\0\1") },
	{ "NUL in a name", HELLO_BAD, X("\0\0\0\10\0\6\0\0\3a\0b") },
	{ "a blank in a name", HELLO_BAD, X("\0\0\0\10\0\6\0\0\3a b") },
	{ "dots only", HELLO_BAD, X("\0\0\0\6\0\4\0\0\1.") },
	{ "a dot at the end", HELLO_BAD, X("\0\0\0\7\0\5\0\0\2a.") },
	{ "two dots", HELLO_BAD, X("\0\0\0\11\0\7\0\0\4a..b") },
	{ "names twice", HELLO_BAD,
	    X("\0\0\0\6\0\4\0\0\1a\0\0\0\6\0\4\0\0\1a") },
	{ "a protocol", HELLO_WHOLE, X("\0\20\0\5\0\3\2h2") },
	{ "no protocol", HELLO_BAD, X("\0\20\0\2\0\0") },
	{ "an empty protocol", HELLO_BAD, X("\0\20\0\3\0\1\0") },
	{ "a protocol cut", HELLO_BAD, X("\0\20\0\5\0\3\3h2") },
	{ "protocols twice", HELLO_BAD,
	    X("\0\20\0\5\0\3\2h2\0\20\0\5\0\3\2h2") },
	{ "an extension cut", HELLO_BAD, X("\0\0\0\7\0\4\0\0\1a") },
	{ "half an extension", HELLO_BAD, X("\0\0\0") },
};

START_TEST(extensions_are_whole_and_once)
{
	size_t n = by_hand(cases[_i].ext, cases[_i].n, bytes);

	ck_assert_msg(hello_parse(&h, bytes, n) == cases[_i].v, "%s",
	    cases[_i].why);
}
END_TEST

static const struct {
	const char	  *why;
	enum hello_verdict v;
	const char	  *bytes;
	size_t		   n;
} starts[] = {
	{ "nothing", HELLO_MORE, X("") },
	{ "HTTP", HELLO_NOT_TLS, X("GET / HTTP/1.1\r\n") },
	{ "ssh", HELLO_NOT_TLS, X("SSH-2.0-OpenSSH\r\n") },
	{ "SSL 2", HELLO_NOT_TLS, X("\x80\x2e\x01\x00\x02") },
	{ "a PROXY header", HELLO_NOT_TLS, X("PROXY TCP4 ") },
	{ "an alert", HELLO_NOT_TLS, X("\x15\x03\x01\0\2\2\50") },
	{ "application data", HELLO_NOT_TLS, X("\x17\x03\x03\0\5") },
	{ "DTLS", HELLO_NOT_TLS, X("\x16\xfe\xfd\0\0") },
	{ "a ServerHello", HELLO_NOT_TLS, X("\x16\x03\x03\0\4\2\0\0\0") },
	{ "an empty record", HELLO_BAD, X("\x16\x03\x01\0\0") },
	{ "a record beyond the RFC's", HELLO_BAD, X("\x16\x03\x01\x40\x01") },
	{ "shorter than can be", HELLO_BAD, X("\x16\x03\x01\0\4\1\0\0\0") },
	{ "a hello of 16 MiB", HELLO_LONG, X("\x16\x03\x01\0\4\1\xff\xff\xff") },
	{ "header in two records", HELLO_MORE,
	    X("\x16\x03\x01\0\1\1\x16\x03\x01\0\2\0\2") },
};

START_TEST(what_is_no_hello_is_told_at_once)
{
	memcpy(bytes, starts[_i].bytes, starts[_i].n);
	ck_assert_msg(hello_parse(&h, bytes, starts[_i].n) == starts[_i].v, "%s",
	    starts[_i].why);
}
END_TEST

START_TEST(the_body_is_as_the_rfc_says)
{
	static const struct { size_t at; uint8_t v; } breaks[] = {
		{ 9, 2 },	/* legacy_version */
		{ 43, 33 },	/* session id longer than 32 */
		{ 45, 0 },	/* no cipher suite */
		{ 45, 1 },	/* half a one */
		{ 48, 0 },	/* no compression method */
		{ 51, 9 },	/* extensions beyond the end */
	};
	size_t n = by_hand(X(""), bytes);

	ck_assert_int_eq(hello_parse(&h, bytes, n), HELLO_WHOLE);
	bytes[breaks[_i].at] = breaks[_i].v;
	ck_assert_int_eq(hello_parse(&h, bytes, n), HELLO_BAD);
}
END_TEST

START_TEST(a_hello_has_a_bound)
{
	size_t	n = 0;
	uint8_t one[HELLO_MAX];

	/* true to its length, one byte a record: the headers make it too long */
	by_hand(X(""), one);
	one[7] = 0x20; /* 8 KiB */
	for (size_t i = 5; n < HELLO_MAX; i++, n += 6) {
		memcpy(bytes + n, "\x16\x03\x01\0\1", 5);
		bytes[n + 5] = i < 60 ? one[i] : 0;
	}
	ck_assert_int_eq(hello_parse(&h, bytes, HELLO_MAX - 1), HELLO_MORE);
	ck_assert_int_eq(hello_parse(&h, bytes, HELLO_MAX), HELLO_LONG);
}
END_TEST

/* -- admission -- */

static const struct {
	const char *sni, *alpn;	   /* of the configuration */
	const char *name, *offers; /* of the hello; the offers on the wire */
	enum why    why;
} lists[] = {
	{ "a.example", "", "a.example", NULL, WHY_CLOSED },
	{ "a.example", "", "A.Example", "\x02h2", WHY_CLOSED },
	{ "a.example", "", "b.example", NULL, WHY_SNI },
	{ "a.example", "", "x.a.example", NULL, WHY_SNI },
	{ "a.example", "", NULL, NULL, WHY_NO_SNI },
	{ "a.example none", "", NULL, NULL, WHY_CLOSED },
	{ "b.example a.example", "", "a.example", NULL, WHY_CLOSED },
	{ "*.example", "", "a.example", NULL, WHY_CLOSED },
	{ "*.example", "", "b.a.example", NULL, WHY_SNI },
	{ "*.example", "", "example", NULL, WHY_SNI },
	{ "*.a.example", "", "a.example", NULL, WHY_SNI },
	{ "none", "", "none", NULL, WHY_CLOSED }, /* a name like others */
	{ "a.example", "h2", "a.example", "\x02h2", WHY_CLOSED },
	{ "a.example", "h2", "a.example", NULL, WHY_ALPN },
	{ "a.example", "h2 none", "a.example", NULL, WHY_CLOSED },
	{ "a.example", "h2", "a.example", "\x02h2\x08http/1.1", WHY_ALPN },
	{ "a.example", "http/1.1 h2", "a.example", "\x02h2\x08http/1.1",
	    WHY_CLOSED },
	{ "a.example", "h2", "a.example", "\x03h2c", WHY_ALPN },
	{ "b.example", "h2", "a.example", "\x01x", WHY_SNI },
};

START_TEST(what_is_on_no_list_is_refused)
{
	struct gateway_conf conf = { 0 };
	size_t		    n = client_hello(lists[_i].name, lists[_i].offers, 0,
			bytes);
	enum why	    why;

	strcpy(conf.sni, lists[_i].sni);
	strcpy(conf.alpn, lists[_i].alpn);
	ck_assert_int_eq(hello_parse(&h, bytes, n), HELLO_WHOLE);
	why = admit(&conf, &h);
	ck_assert_msg(why == lists[_i].why, "row %d: %s", _i, why_word(why));
}
END_TEST

START_TEST(each_reason_has_its_words)
{
	uint8_t alert[ADMIT_ALERT];

	for (int w = 0; w < WHY_KINDS; w++) {
		ck_assert_ptr_nonnull(why_word((enum why)w));
		ck_assert_ptr_nonnull(why_text((enum why)w));
		for (int k = 0; k < w; k++)
			ck_assert_str_ne(why_word((enum why)w),
			    why_word((enum why)k));
	}
	ck_assert_uint_eq(admit_alert(WHY_SNI, alert), 7);
	ck_assert_mem_eq(alert, "\x15\x03\x03\0\2\2\x70", 7);
	ck_assert_uint_eq(admit_alert(WHY_NOT_TLS, alert), 0);
}
END_TEST

/* -- PROXY v2, against the bytes of its section 2.2 -- */

START_TEST(the_proxy_header_is_as_specified)
{
	struct sockaddr_storage c = { 0 }, s = { 0 };
	struct sockaddr_in     *c4 = (void *)&c, *s4 = (void *)&s;
	struct sockaddr_in6    *c6 = (void *)&c, *s6 = (void *)&s;
	struct proxy_tls	tls = { "urn:d", "TLSv1.3", "h2" };
	uint8_t			out[PROXY_MAX];

	c.ss_family = s.ss_family = AF_INET;
	inet_pton(AF_INET, "192.0.2.1", &c4->sin_addr);
	inet_pton(AF_INET, "198.51.100.2", &s4->sin_addr);
	c4->sin_port = htons(0x1234);
	s4->sin_port = htons(13000);
	ck_assert_uint_eq(proxy_build(&c, &s, NULL, out, sizeof(out)), 28);
	ck_assert_mem_eq(out, "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"
	    "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x12\x34\x32\xc8", 28);
	ck_assert_uint_eq(proxy_build(&c, &s, &tls, out, sizeof(out)), 28 + 5 + 26);
	ck_assert_mem_eq(out + 14, "\x00\x2b", 2);
	ck_assert_mem_eq(out + 28, "\x01\x00\x02h2\x20\x00\x17\x03\0\0\0\0"
	    "\x21\x00\x07TLSv1.3\x22\x00\x05urn:d", 5 + 26);
	ck_assert_uint_eq(proxy_build(&c, &s, &tls, out, 28 + 30), 0);
	tls.alpn = "";
	ck_assert_uint_eq(proxy_build(&c, &s, &tls, out, sizeof(out)), 28 + 26);
	c.ss_family = AF_INET6;
	ck_assert_uint_eq(proxy_build(&c, &s, NULL, out, sizeof(out)), 0);
	memset(&c, 0, sizeof(c));
	memset(&s, 0, sizeof(s));
	c.ss_family = s.ss_family = AF_INET6;
	inet_pton(AF_INET6, "2001:db8::1", &c6->sin6_addr);
	inet_pton(AF_INET6, "::1", &s6->sin6_addr);
	c6->sin6_port = htons(1);
	s6->sin6_port = htons(2);
	ck_assert_uint_eq(proxy_build(&c, &s, NULL, out, sizeof(out)), 52);
	ck_assert_mem_eq(out + 12, "\x21\x21\x00\x24\x20\x01\x0d\xb8", 8);
	ck_assert_mem_eq(out + 47, "\x01\x00\x01\x00\x02", 5);
	c.ss_family = s.ss_family = AF_UNIX;
	ck_assert_uint_eq(proxy_build(&c, &s, NULL, out, sizeof(out)), 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("gateway hello");
	TCase	*t = tcase_create("gateway hello");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_test(t, openssl_is_understood_in_whatever_pieces);
	tcase_add_test(t, tls_1_2_and_nothing_named);
	tcase_add_loop_test(t, a_message_may_span_records, 0, 5);
	tcase_add_loop_test(t, a_message_ends_with_its_record, 0, 4);
	tcase_add_loop_test(t, extensions_are_whole_and_once, 0,
	    COUNT(cases));
	tcase_add_loop_test(t, what_is_no_hello_is_told_at_once, 0,
	    COUNT(starts));
	tcase_add_loop_test(t, the_body_is_as_the_rfc_says, 0, 6);
	tcase_add_test(t, a_hello_has_a_bound);
	tcase_add_loop_test(t, what_is_on_no_list_is_refused, 0,
	    COUNT(lists));
	tcase_add_test(t, each_reason_has_its_words);
	tcase_add_test(t, the_proxy_header_is_as_specified);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
