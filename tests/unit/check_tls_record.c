/*
 * tests/unit/check_tls_record.c - what tls_record.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "common/tls_record.h"

#include "common/size.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint16_t suite;
	size_t	 secret_len;
} suites[] = { { SUITE_AES_128, 32 }, { SUITE_AES_256, 48 },
	{ SUITE_CHACHA, 32 } };

static const size_t sizes[] = { 0, 1, 15, 16, 17, 4096, RECORD_PLAIN };

static struct record_key a, b;
static uint8_t		 plain[RECORD_PLAIN], wire[RECORD_MAX];

static void
keys(int i)
{
	uint8_t secret[48];

	memset(secret, 0x5a, sizeof(secret));
	ck_assert_int_eq(record_setup(), 0);
	ck_assert_int_eq(record_key_init(&a, suites[i].suite, secret,
			     suites[i].secret_len), 0);
	ck_assert_int_eq(record_key_init(&b, suites[i].suite, secret,
			     suites[i].secret_len), 0);
}

START_TEST(what_is_sealed_opens)
{
	enum record_type type;
	uint8_t		*p;
	size_t		 n, len;

	keys(_i);
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 31);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT(sizes); i++) {
			ck_assert_int_eq(record_seal(&a, RECORD_DATA, plain,
					     sizes[i], wire, &n), 0);
			ck_assert_uint_eq(n, sizes[i] + RECORD_OVER);
			ck_assert_int_eq(record_size(wire, n), (int)n);
			ck_assert_int_eq(record_open(&b, wire, n, &type, &p,
					     &len), 0);
			ck_assert_int_eq(type, RECORD_DATA);
			ck_assert_uint_eq(len, sizes[i]);
			ck_assert_mem_eq(p, plain, len);
		}
		ck_assert_int_eq(record_key_update(&a), 0);
		ck_assert_int_eq(record_key_update(&b), 0);
	}
}
END_TEST

START_TEST(what_was_changed_or_reordered_does_not_open)
{
	enum record_type type;
	uint8_t		*p, copy[RECORD_MAX];
	size_t		 n, len;

	keys(_i);
	ck_assert_int_eq(record_seal(&a, RECORD_DATA, "hello", 5, wire, &n), 0);
	for (size_t i = 0; i < n; i++) {
		memcpy(copy, wire, n);
		copy[i] ^= 1;
		b.seq = 0;
		ck_assert_int_eq(record_open(&b, copy, n, &type, &p, &len),
		    -EBADMSG);
	}
	memcpy(copy, wire, n);
	ck_assert_int_eq(record_open(&b, copy, n, &type, &p, &len), -EBADMSG);
	b.seq = 0;
	ck_assert_int_eq(record_open(&b, wire, n, &type, &p, &len), 0);
	ck_assert_mem_eq(p, "hello", 5);
}
END_TEST

/* The client's application keys of the first trace of RFC 8448. */
START_TEST(keys_are_those_of_the_rfc)
{
	static const uint8_t secret[] = "\x9e\x40\x64\x6c\xe7\x9a\x7f\x9d\xc0\x5a"
		"\xf8\x88\x9b\xce\x65\x52\x87\x5a\xfa\x0b\x06\xdf\x00\x87\xf7\x92"
		"\xeb\xb7\xc1\x75\x04\xa5";

	ck_assert_int_eq(record_setup(), 0);
	ck_assert_int_eq(record_key_init(&a, SUITE_AES_128, secret, 32), 0);
	ck_assert_mem_eq(a.key, "\x17\x42\x2d\xda\x59\x6e\xd5\xd9\xac\xd8\x90\xe3"
				"\xc6\x3f\x50\x51", 16);
	ck_assert_mem_eq(a.iv, "\x5b\x78\x92\x3d\xee\x08\x57\x90\x33\xe5\x23\xd9",
	    12);
}
END_TEST

START_TEST(two_connections_do_not_share_a_key)
{
	enum record_type type;
	uint8_t		*p, secret[32] = { 7 };
	size_t		 n, len;

	keys(0);
	ck_assert_int_eq(record_seal(&a, RECORD_DATA, "one", 3, wire, &n), 0);
	ck_assert_int_eq(record_key_init(&b, SUITE_AES_128, secret, 32), 0);
	ck_assert_int_eq(record_open(&b, wire, n, &type, &p, &len), -EBADMSG);
	ck_assert_int_eq(record_key_init(&a, SUITE_AES_128, secret, 32), 0);
	b.seq = 0;
	ck_assert_int_eq(record_seal(&a, RECORD_ALERT, "\1", 1, wire, &n), 0);
	ck_assert_int_eq(record_open(&b, wire, n, &type, &p, &len), 0);
	ck_assert_int_eq(type, RECORD_ALERT);
	record_key_fini(&a);
	record_key_fini(&b);
}
END_TEST

static const struct {
	const char *why;
	int	    r;
	uint8_t	    n, bytes[6];
} heads[] = {
	{ "not whole", 0, 4, { 23, 3, 3, 0 } },
	{ "smallest", 22, 5, { 23, 3, 3, 0, 17 } },
	{ "no tag fits", -EBADMSG, 5, { 23, 3, 3, 0, 16 } },
	{ "too long", -EBADMSG, 5, { 23, 3, 3, 0x41, 1 } },
	{ "longest", RECORD_MAX, 5, { 23, 3, 3, 0x41, 0 } },
	{ "in clear", -EBADMSG, 5, { 22, 3, 3, 0, 17 } },
	{ "another version", -EBADMSG, 5, { 23, 3, 1, 0, 17 } },
};
START_TEST(heads_are_read_strictly)
{
	ck_assert_msg(record_size(heads[_i].bytes, heads[_i].n) == heads[_i].r,
	    "%s", heads[_i].why);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("tls_record");
	TCase	*t = tcase_create("tls_record");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_loop_test(t, what_is_sealed_opens, 0, COUNT(suites));
	tcase_add_loop_test(t, what_was_changed_or_reordered_does_not_open, 0,
	    COUNT(suites));
	tcase_add_test(t, keys_are_those_of_the_rfc);
	tcase_add_test(t, two_connections_do_not_share_a_key);
	tcase_add_loop_test(t, heads_are_read_strictly, 0, COUNT(heads));
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
