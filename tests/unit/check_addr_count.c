/*
 * tests/unit/check_addr_count.c - what addr_count.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr_count.h"

static struct addr_count *t;

static int
add(const char *v6, uint64_t max)
{
	uint8_t a[16];

	ck_assert_int_eq(inet_pton(AF_INET6, v6, a), 1);
	return addr_count_add(t, a, max);
}

static void
drop(const char *v6)
{
	uint8_t a[16];

	ck_assert_int_eq(inet_pton(AF_INET6, v6, a), 1);
	addr_count_drop(t, a);
}

START_TEST(an_address_has_its_limit_and_gets_it_back)
{
	ck_assert_int_eq(addr_count_new(&t, ADDR_COUNT_NET), 0);
	ck_assert_int_eq(add("::ffff:10.0.0.1", 2), 0);
	ck_assert_int_eq(add("::ffff:10.0.0.1", 2), 0);
	ck_assert_int_eq(add("::ffff:10.0.0.1", 2), -EUSERS);
	ck_assert_int_eq(add("::ffff:10.0.0.2", 2), 0); /* IPv4: all of it */
	ck_assert_int_eq(add("::ffff:10.0.0.1", 0), 0); /* no limit */
	drop("::ffff:10.0.0.1");
	drop("::ffff:10.0.0.1");
	ck_assert_int_eq(add("::ffff:10.0.0.1", 2), 0);
	drop("::ffff:10.0.0.9"); /* never there */
	addr_count_free(&t);
	ck_assert_ptr_null(t);
}
END_TEST

START_TEST(of_ipv6_the_first_half_is_the_client)
{
	ck_assert_int_eq(addr_count_new(&t, ADDR_COUNT_NET), 0);
	ck_assert_int_eq(add("2001:db8:0:1::1", 2), 0);
	ck_assert_int_eq(add("2001:db8:0:1:ffff::2", 2), 0);
	ck_assert_int_eq(add("2001:db8:0:1::3", 2), -EUSERS);
	ck_assert_int_eq(add("2001:db8:0:2::1", 2), 0);
	drop("2001:db8:0:1::9");
	ck_assert_int_eq(add("2001:db8:0:1::3", 2), 0);
	addr_count_free(&t);
}
END_TEST

START_TEST(devices_that_begin_alike_have_a_limit_each)
{
	ck_assert_int_eq(addr_count_new(&t, ADDR_COUNT_ALL), 0);
	ck_assert_int_eq(add("2001:db8:0:1::1", 1), 0);
	ck_assert_int_eq(add("2001:db8:0:1::2", 1), 0);
	ck_assert_int_eq(add("2001:db8:0:1::1", 1), -EUSERS);
	drop("2001:db8:0:1::1");
	ck_assert_int_eq(add("2001:db8:0:1::1", 1), 0);
	ck_assert_int_eq(add("2001:db8:0:1::2", 1), -EUSERS);
	addr_count_free(&t);
}
END_TEST

START_TEST(many_addresses_share_buckets)
{
	uint8_t a[16] = { [10] = 0xff, [11] = 0xff };

	ck_assert_int_eq(addr_count_new(&t, ADDR_COUNT_NET), 0);
	for (int turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < 20000; i++) {
			a[14] = (uint8_t)(i >> 8);
			a[15] = (uint8_t)i;
			ck_assert_int_eq(addr_count_add(t, a, 1),
			    turn == 0 ? 0 : -EUSERS);
		}
	for (unsigned i = 0; i < 20000; i += 2) {
		a[14] = (uint8_t)(i >> 8);
		a[15] = (uint8_t)i;
		addr_count_drop(t, a);
		ck_assert_int_eq(addr_count_add(t, a, 1), 0);
	}
	addr_count_free(&t);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("addr_count");
	TCase	*tc = tcase_create("addr_count");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_test(tc, an_address_has_its_limit_and_gets_it_back);
	tcase_add_test(tc, of_ipv6_the_first_half_is_the_client);
	tcase_add_test(tc, devices_that_begin_alike_have_a_limit_each);
	tcase_add_test(tc, many_addresses_share_buckets);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
