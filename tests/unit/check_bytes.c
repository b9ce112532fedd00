/*
 * tests/unit/check_bytes.c - the reader, the writer and hashes.
 * SPDX-License-Identifier: ISC
 */
#include "common/hash.h"
#include "common/rd.h"
#include "common/size.h"
#include "common/wr.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

START_TEST(short_input_fails_and_stays_failed)
{
	struct rd r = rd_from("\x01\x02\x03", 3);

	ck_assert_uint_eq(rd_u32(&r), 0);
	ck_assert_uint_eq(rd_u8(&r), 0); /* no partial read afterwards */
	ck_assert_int_eq(rd_done(&r), -EBADMSG);
}
END_TEST

START_TEST(bytes_after_the_end_are_an_error)
{
	struct rd r = rd_from("\x01\x02", 2);

	ck_assert_uint_eq(rd_u8(&r), 1);
	ck_assert_int_eq(rd_done(&r), -EBADMSG);
	ck_assert_uint_eq(rd_u8(&r), 2);
	ck_assert_int_eq(rd_done(&r), 0);
}
END_TEST

START_TEST(a_length_near_the_top_does_not_wrap)
{
	struct rd r = rd_from("abc", 3);

	ck_assert_ptr_null(rd_bytes(&r, SIZE_MAX));
	ck_assert_int_eq(rd_done(&r), -EBADMSG);
}
END_TEST

START_TEST(what_was_written_is_read_again)
{
	uint8_t	  buf[64];
	char	  s[8];
	struct wr w = wr_to(buf, sizeof(buf));
	struct rd r;

	wr_u8(&w, 7);
	wr_u16(&w, 0x1234);
	wr_u32(&w, 0x89abcdef);
	wr_u64(&w, 0x0123456789abcdefULL);
	wr_str(&w, "store");
	ck_assert_int_eq(w.err, 0);
	ck_assert_uint_eq(buf[1], 0x12); /* big-endian */
	r = rd_from(buf, w.len);
	ck_assert_uint_eq(rd_u8(&r), 7);
	ck_assert_uint_eq(rd_u16(&r), 0x1234);
	ck_assert_uint_eq(rd_u32(&r), 0x89abcdef);
	ck_assert_uint_eq(rd_u64(&r), 0x0123456789abcdefULL);
	rd_str(&r, s, sizeof(s));
	ck_assert_str_eq(s, "store");
	ck_assert_int_eq(rd_done(&r), 0);
}
END_TEST

static const struct {
	const char *why;
	size_t	    len;
	char	    bytes[12];
} bad_str[] = {
	{ "longer than the message", 4, "\0\5ab" },
	{ "longer than the room", 10, "\0\10abcdefgh" },
	{ "a NUL inside", 5, "\0\3a\0b" },
	{ "no length", 1, "\0" },
};

START_TEST(a_string_is_refused)
{
	struct rd r = rd_from(bad_str[_i].bytes, bad_str[_i].len);
	char	  s[8] = "x";

	rd_str(&r, s, sizeof(s));
	ck_assert_msg(rd_done(&r) == -EBADMSG, "accepted: %s", bad_str[_i].why);
	ck_assert_str_eq(s, "");
}
END_TEST

START_TEST(a_full_writer_says_so_and_writes_nothing_more)
{
	uint8_t	  buf[4] = { 0, 0, 0, 9 };
	struct wr w = wr_to(buf, 3);

	wr_u16(&w, 1);
	wr_u16(&w, 2);
	wr_u8(&w, 3);
	ck_assert_int_eq(w.err, -EMSGSIZE);
	ck_assert_uint_eq(w.len, 2);
	ck_assert_uint_eq(buf[3], 9);
}
END_TEST

START_TEST(a_hash_is_sha256_in_parts_or_whole)
{
	static const char abc[] = "ba7816bf8f01cfea414140de5dae2223"
				  "b00361a396177a9cb410ff61f20015ad";
	struct hash	  a, b;
	struct hash_run	 *run;
	char		  hex[HASH_HEX];

	ck_assert_int_eq(hash_of(&a, "abc", 3), 0);
	hash_to_hex(&a, hex);
	ck_assert_str_eq(hex, abc);
	ck_assert_int_eq(hash_run_new(&run), 0);
	for (int i = 0; i < 2; i++) { /* a run starts anew after its end */
		hash_run_add(run, "a", 1);
		hash_run_add(run, "bc", 2);
		ck_assert_int_eq(hash_run_end(run, &b), 0);
		ck_assert(hash_eq(&a, &b));
	}
	hash_run_free(&run);
	ck_assert_ptr_null(run);
	ck_assert_int_eq(hash_from_hex(&b, abc, 64), 0);
	ck_assert(hash_eq(&a, &b));
	ck_assert_int_eq(hash_from_hex(&b, abc, 63), -EINVAL);
	hex[5] = 'G';
	ck_assert_int_eq(hash_from_hex(&b, hex, 64), -EINVAL);
	hex[5] = 'A'; /* one spelling only: names are compared as text too */
	ck_assert_int_eq(hash_from_hex(&b, hex, 64), -EINVAL);
}
END_TEST

START_TEST(lengths_do_not_wrap)
{
	size_t n;

	ck_assert_int_eq(size_add(&n, SIZE_MAX, 1), -EOVERFLOW);
	ck_assert_int_eq(size_mul(&n, SIZE_MAX / 2, 3), -EOVERFLOW);
	ck_assert_int_eq(size_mul(&n, 6, 7), 0);
	ck_assert_uint_eq(n, 42);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("bytes");
	TCase	*t = tcase_create("bytes");
	SRunner *r = srunner_create(s);
	int	 failed;

	tcase_add_test(t, short_input_fails_and_stays_failed);
	tcase_add_test(t, bytes_after_the_end_are_an_error);
	tcase_add_test(t, a_length_near_the_top_does_not_wrap);
	tcase_add_test(t, what_was_written_is_read_again);
	tcase_add_loop_test(t, a_string_is_refused, 0, COUNT(bad_str));
	tcase_add_test(t, a_full_writer_says_so_and_writes_nothing_more);
	tcase_add_test(t, a_hash_is_sha256_in_parts_or_whole);
	tcase_add_test(t, lengths_do_not_wrap);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
