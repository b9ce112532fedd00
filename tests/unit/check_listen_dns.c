/*
 * tests/unit/check_listen_dns.c - what dns.h promises of names.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/size.h"
#include "dp-listen/dns.h"

#define P "\xc0"

static const struct {
	const char *why;
	const char *bytes;
	size_t	    len, at;
	const char *text; /* NULL: refused */
	size_t	    end;
} names[] = {
	{ "root", "\0", 1, 0, "", 1 },
	{ "labels", "\3www\7example\0", 13, 0, "www.example", 13 },
	{ "pointer", "\1a\0\1b" P "\0", 7, 3, "b.a", 7 },
	{ "pointer to a pointer", "\1a\0" P "\0" P "\3", 7, 5, "a", 7 },
	{ "dot in a label", "\3a.b\1c\0", 7, 0, "a\\.b.c", 7 },
	{ "pointer to itself", P "\0", 2, 0, NULL, 0 },
	{ "pointer ahead", P "\2\1a\0", 5, 0, NULL, 0 },
	{ "pointer into the labels before it", "\1a" P "\0", 4, 0, NULL, 0 },
	{ "pointers in a circle", "\1a" P "\4" P "\0", 6, 4, NULL, 0 },
	{ "half a pointer", "\1a" P, 3, 0, NULL, 0 },
	{ "kind 01", "\x41" "a\0", 3, 0, NULL, 0 },
	{ "kind 10", "\x81" "a\0", 3, 0, NULL, 0 },
	{ "no end", "\1a", 2, 0, NULL, 0 },
	{ "label longer than the message", "\5ab\0", 4, 0, NULL, 0 },
	{ "begins past the end", "\0", 1, 1, NULL, 0 },
};

START_TEST(names_are_read_or_refused)
{
	struct dns	d = { .msg = (const uint8_t *)names[_i].bytes,
		     .len = names[_i].len };
	struct dns_name n;
	size_t		at = names[_i].at;
	char		text[DNS_TEXT + 1];
	int		r = dns_name(&d, &at, &n);

	if (names[_i].text == NULL) {
		ck_assert_msg(r < 0, "accepted: %s", names[_i].why);
		return;
	}
	ck_assert_msg(r == 0, "refused: %s", names[_i].why);
	text[dns_text(&n, 0, n.labels, text)] = '\0';
	ck_assert_str_eq(text, names[_i].text);
	ck_assert_uint_eq(at, names[_i].end);
	d.is_plain = true;
	at = names[_i].at;
	ck_assert_int_eq(dns_name(&d, &at, &n) == 0,
	    memchr(d.msg + names[_i].at, 0xc0, d.len - names[_i].at) == NULL);
}
END_TEST

START_TEST(a_name_has_255_bytes_at_most)
{
	uint8_t		msg[300] = { 0 };
	struct dns	d = { .msg = msg, .len = sizeof(msg) };
	struct dns_name n;
	size_t		at = 0;

	for (size_t i = 0; i < 254; i += 2) /* 127 labels of one byte */
		msg[i] = 1, msg[i + 1] = 'a';
	ck_assert_int_eq(dns_name(&d, &at, &n), 0);
	ck_assert_uint_eq(n.len, 255);
	ck_assert_uint_eq(n.labels, 127);
	msg[252] = 2, msg[253] = msg[254] = 'a'; /* one byte more */
	at = 0;
	ck_assert_int_lt(dns_name(&d, &at, &n), 0);
}
END_TEST

START_TEST(pointers_are_followed_so_often_only)
{
	uint8_t		msg[2 * DNS_HOPS + 10] = { 0 }; /* the root, then pointers */
	struct dns	d = { .msg = msg, .len = sizeof(msg) };
	struct dns_name n;
	size_t		at;

	for (size_t i = 0; i <= DNS_HOPS; i++)
		msg[1 + 2 * i] = 0xc0, msg[2 + 2 * i] = (uint8_t)(i == 0 ? 0 : 2 * i - 1);
	at = 1 + 2 * (DNS_HOPS - 1);
	ck_assert_int_eq(dns_name(&d, &at, &n), 0);
	at = 1 + 2 * DNS_HOPS;
	ck_assert_int_lt(dns_name(&d, &at, &n), 0);
}
END_TEST

static const struct {
	const char *name, *addr;
} reverse[] = {
	{ "\3" "254\1" "0\2" "18\3" "198\7in-addr\4arpa", "198.18.0.254" },
	{ "\3" "254\1" "0\2" "18\3" "198\7IN-ADDR\4ARPA", "198.18.0.254" },
	{ "\1" "0\2" "18\3" "198\7in-addr\4arpa", NULL },
	{ "\3" "256\1" "0\2" "18\3" "198\7in-addr\4arpa", NULL },
	{ "\2" "01\1" "0\2" "18\3" "198\7in-addr\4arpa", NULL },
	{ "\1x\1" "0\2" "18\3" "198\7in-addr\4arpa", NULL },
	{ "\3" "0/2\1" "0\2" "18\3" "198\7in-addr\4arpa", NULL },
};

START_TEST(reverse_names_are_addresses)
{
	struct dns	d = { .msg = (const uint8_t *)reverse[_i].name,
		     .len = strlen(reverse[_i].name) + 1 };
	struct dns_name n;
	size_t		at = 0;
	uint8_t		addr[16], v4[4];

	ck_assert_int_eq(dns_name(&d, &at, &n), 0);
	ck_assert_int_eq(dns_reverse(&n, addr), reverse[_i].addr != NULL);
	if (reverse[_i].addr != NULL) {
		inet_pton(AF_INET, reverse[_i].addr, v4);
		ck_assert_mem_eq(addr + 12, v4, 4);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("dns");
	TCase	*t = tcase_create("dns");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_loop_test(t, names_are_read_or_refused, 0, COUNT(names));
	tcase_add_test(t, a_name_has_255_bytes_at_most);
	tcase_add_test(t, pointers_are_followed_so_often_only);
	tcase_add_loop_test(t, reverse_names_are_addresses, 0, COUNT(reverse));
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
