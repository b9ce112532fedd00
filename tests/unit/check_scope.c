/*
 * tests/unit/check_scope.c - what scope.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/scope.h"

static const struct {
	const char *list, *addr;
	bool	    has;
} cases[] = {
	{ "", "192.0.2.1", true },
	{ "192.0.2.0/24", "192.0.2.255", true },
	{ "192.0.2.0/24", "192.0.3.0", false },
	{ "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.7", "192.0.2.7", true },
	{ "192.0.2.7", "192.0.2.8", false },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "2001:db8::/32 10.0.0.0/8", "10.255.0.1", true },
	{ "2001:db8::/32", "2001:db8:ffff::1", true },
	{ "2001:db8::/33", "2001:db8:ffff::1", false },
	{ "::/0", "192.0.2.1", true },
};

START_TEST(address_is_in_or_out)
{
	struct sockaddr_storage ss = { 0 };
	struct scope		s;
	uint8_t			a[16];
	char			err[SCOPE_ERR];

	if (inet_pton(AF_INET, cases[_i].addr,
		&((struct sockaddr_in *)&ss)->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else {
		ss.ss_family = AF_INET6;
		inet_pton(AF_INET6, cases[_i].addr,
		    &((struct sockaddr_in6 *)&ss)->sin6_addr);
	}
	ck_assert_int_eq(scope_parse(cases[_i].list, &s, err), 0);
	scope_addr(&ss, a);
	ck_assert_int_eq(scope_has(&s, a), cases[_i].has);
}
END_TEST

START_TEST(as_many_bits_are_compared_as_are_said)
{
	uint8_t a[16], b[16];

	memset(a, 0x5a, sizeof(a));
	for (unsigned differ = 0; differ < 128; differ++) {
		memcpy(b, a, sizeof(b));
		b[differ / 8] ^= (uint8_t)(0x80 >> differ % 8);
		for (unsigned bits = 0; bits <= 128; bits++)
			ck_assert_int_eq(scope_same_network(a, b, bits),
			    bits <= differ);
	}
	ck_assert(scope_same_network(a, a, 128));
}
END_TEST

static const char *const refused[] = { "192.0.2.0/33", "192.0.2", "::/129",
	"a", "10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/-1", "10.0.0.0/0008",
	"10.0.0.0/8,10.1.0.0/16" };
START_TEST(what_is_no_range_is_named)
{
	struct scope s;
	char	     list[100] = "10.0.0.0/8 ", err[SCOPE_ERR], want[100];

	strcat(list, refused[_i]);
	snprintf(want, sizeof(want), "\"%s\" is not", refused[_i]);
	ck_assert_int_lt(scope_parse(list, &s, err), 0);
	ck_assert_ptr_nonnull(strstr(err, want));
}
END_TEST

START_TEST(too_many_ranges_are_said_to_be_so)
{
	static char  list[SCOPE_MAX * 8 + 16];
	struct scope s;
	char	     err[SCOPE_ERR];

	for (int i = 0; i < SCOPE_MAX; i++)
		strcat(list, "::1/128 ");
	ck_assert_int_eq(scope_parse(list, &s, err), 0);
	strcat(list, "::2");
	ck_assert_int_lt(scope_parse(list, &s, err), 0);
	ck_assert_str_eq(err, "more than 128 address ranges");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("scope");
	TCase	*t = tcase_create("scope");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_loop_test(t, address_is_in_or_out, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(t, what_is_no_range_is_named, 0,
	    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(t, as_many_bits_are_compared_as_are_said);
	tcase_add_test(t, too_many_ranges_are_said_to_be_so);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
