/*
 * tests/unit/check_connect_special.c - which addresses are special, in every
 * spelling of them.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/scope.h"
#include "dp-connect/special.h"

static const struct {
	const char *addr, *what; /* NULL: ordinary */
} rows[] = {
	{ "127.0.0.1", "a loopback address" },
	{ "127.255.255.254", "a loopback address" },
	{ "::1", "a loopback address" },
	{ "::ffff:127.0.0.1", "a loopback address" },
	{ "64:ff9b::127.0.0.1", "a loopback address" },
	{ "169.254.169.254", "a link-local address" },
	{ "::ffff:169.254.169.254", "a link-local address" },
	{ "64:ff9b::a9fe:a9fe", "a link-local address" },
	{ "fe80::1", "a link-local address" },
	{ "febf::1", "a link-local address" },
	{ "224.0.0.1", "a multicast address" },
	{ "239.255.77.1", "a multicast address" },
	{ "ff02::1", "a multicast address" },
	{ "64:ff9b::224.0.0.1", "a multicast address" },
	{ "0.0.0.0", "no host's address" },
	{ "0.1.2.3", "no host's address" },
	{ "255.255.255.255", "no host's address" },
	{ "240.0.0.1", "no host's address" },
	{ "::", "no host's address" },
	{ "::127.0.0.1", "no host's address" },
	{ "::ffff:0.0.0.0", "no host's address" },
	{ "192.0.2.1", NULL },
	{ "10.0.0.1", NULL },
	{ "126.255.255.255", NULL },
	{ "128.0.0.1", NULL },
	{ "169.253.255.255", NULL },
	{ "223.255.255.255", NULL },
	{ "2001:db8::1", NULL },
	{ "fec0::1", NULL },
	{ "64:ff9b::192.0.2.1", NULL },
	{ "::ffff:192.0.2.1", NULL },
};

START_TEST(an_address_is_of_its_kind)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in     *v4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6    *v6 = (struct sockaddr_in6 *)&ss;
	uint8_t			addr[16];
	const char	       *what;

	if (inet_pton(AF_INET, rows[_i].addr, &v4->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else {
		ck_assert_int_eq(
		    inet_pton(AF_INET6, rows[_i].addr, &v6->sin6_addr), 1);
		ss.ss_family = AF_INET6;
	}
	scope_addr(&ss, addr);
	what = special_address(addr);
	ck_assert_msg((what == NULL) == (rows[_i].what == NULL) &&
		(what == NULL || strcmp(what, rows[_i].what) == 0),
	    "%s: %s", rows[_i].addr, what != NULL ? what : "ordinary");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("connect_special");
	TCase	*tc = tcase_create("special");
	SRunner *sr;
	int	 failed;

	tcase_add_loop_test(tc, an_address_is_of_its_kind, 0,
	    sizeof(rows) / sizeof(rows[0]));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
