/*
 * tests/unit/check_mcast_group.c - which groups a configuration may name.
 * SPDX-License-Identifier: ISC
 */
#include "common/mcast_group.h"
#include "common/size.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	uint64_t    ethernet;
	const char *address, *iface;
	bool	    ssm;
} good[] = {
	{ "239.255.77.1", 0x01005e7f4d01, "239.255.77.1", "", false },
	{ "239.255.77.1@eth0", 0x01005e7f4d01, "239.255.77.1", "eth0", false },
	{ "232.1.2.3@br-lan.7", 0x01005e010203, "232.1.2.3", "br-lan.7", true },
	{ "[ff15::7701]", 0x333300007701, "ff15::7701", "", false },
	{ "[ff12::a:7701]@veth0", 0x3333000a7701, "ff12::a:7701", "veth0",
	    false },
	{ "[FF38:0:0::1234:5678]", 0x333312345678, "ff38::1234:5678", "",
	    true },
	{ "[ff3e:40:2001:db8::7701]", 0x333300007701,
	    "ff3e:40:2001:db8::7701", "", false },
};

START_TEST(a_group_is_read_with_its_interface)
{
	struct mcast_group	g;
	struct sockaddr_storage ss;
	char			err[MCAST_ERR] = "";

	ck_assert_msg(mcast_group_parse(good[_i].word, &g, err) == 0, "%s", err);
	ck_assert_str_eq(g.address, good[_i].address);
	ck_assert_str_eq(g.iface, good[_i].iface);
	ck_assert_uint_eq(mcast_group_ethernet(&g), good[_i].ethernet);
	ck_assert_int_eq(mcast_group_is_ssm(&g), good[_i].ssm);
	if (g.family == AF_INET) {
		const struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;

		ck_assert_uint_eq(mcast_group_addr(&g, 15001, 3, &ss),
		    sizeof(*v4));
		ck_assert_uint_eq(ntohs(v4->sin_port), 15001);
		ck_assert_mem_eq(&v4->sin_addr, g.bytes, 4);
	} else {
		const struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;

		ck_assert_uint_eq(mcast_group_addr(&g, 15000, 3, &ss),
		    sizeof(*v6));
		ck_assert_uint_eq(ntohs(v6->sin6_port), 15000);
		ck_assert_uint_eq(v6->sin6_scope_id, 3);
		ck_assert_mem_eq(&v6->sin6_addr, g.bytes, 16);
	}
}
END_TEST

static const struct { const char *word, *expected; } refused[] = {
	{ "", "is no group" },
	{ "239.255.77", "is no group" },
	{ "239.255.77.1:15001", "is no group" },
	{ "ff15::7701", "is no group" },
	{ "[239.255.77.1]", "is no group" },
	{ "[ff15::7701", "is no group" },
	{ "[]", "is no group" },
	{ "mdns.mcast.net", "is no group" },
	{ "10.0.0.1", "no multicast address" },
	{ "240.0.0.1", "no multicast address" },
	{ "255.255.255.255", "no multicast address" },
	{ "224.0.0.1", "belongs to 224.0.0.0/24" },
	{ "224.0.0.251", "belongs to 224.0.0.0/24" },
	{ "239.0.0.5", "Ethernet address of 224.0.0.5" },
	{ "239.128.0.255", "Ethernet address of 224.0.0.255" },
	{ "[fe80::1]", "no multicast address" },
	{ "[ff10::7701]", "scope 0" },
	{ "[ff11::7701]", "scope 1" },
	{ "[ff1f::7701]", "scope f" },
	{ "[ff05::7701]", "IANA" },
	{ "[ff02::fb]", "IANA" },
	{ "[ff15::1]", "that IPv6 hosts are in" },
	{ "[ff15::fb]", "that IPv6 hosts are in" },
	{ "[ff15::1:3]", "that IPv6 hosts are in" },
	{ "[ff15::1:ff12:3456]", "that IPv6 hosts are in" },
	{ "239.255.77.1@", "is no name of an interface" },
	{ "239.255.77.1@../etc", "is no name of an interface" },
	{ "239.255.77.1@sixteencharacter", "is no name of an interface" },
	{ "239.255.77.1@a@b", "is no name of an interface" },
};

START_TEST(what_is_no_such_group_is_refused)
{
	struct mcast_group g = { .family = 77 };
	char		   err[MCAST_ERR] = "";

	ck_assert_msg(mcast_group_parse(refused[_i].word, &g, err) == -EINVAL,
	    "accepted: %s", refused[_i].word);
	ck_assert_msg(strstr(err, refused[_i].expected) != NULL,
	    "%s: said \"%s\"", refused[_i].word, err);
	ck_assert_int_eq(g.family, 77); /* untouched */
}
END_TEST

START_TEST(groups_of_a_list_have_different_ethernet_addresses)
{
	struct mcast_group g[MCAST_GROUPS];
	char		   err[MCAST_ERR] = "", list[400] = "";
	size_t		   n;

	ck_assert_int_eq(mcast_groups_parse("", g, &n, err), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(mcast_groups_parse(" 239.255.77.1  [ff15::7701]@a "
		"239.127.77.2", g, &n, err), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(g[2].address, "239.127.77.2");
	/* bit 24 does not reach the Ethernet address */
	ck_assert_int_eq(mcast_groups_parse("239.255.77.1 239.127.77.1", g, &n,
	    err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err, "239.255.77.1 and 239.127.77.1"));
	ck_assert_ptr_nonnull(strstr(err, "last 23 bits"));
	ck_assert_int_eq(mcast_groups_parse("[ff15::7701] [ff18::7701]", g, &n,
	    err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err, "last 32 bits"));
	/* the same numbers in IPv4 and IPv6 are two addresses */
	ck_assert_int_eq(mcast_groups_parse("239.127.77.1 [ff15::7f4d:1]", g,
	    &n, err), 0);
	for (int i = 1; i <= MCAST_GROUPS + 1; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
		    "239.255.78.%d ", i);
	ck_assert_int_eq(mcast_groups_parse(list, g, &n, err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err, "more than 16"));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcast_group");
	TCase	*t = tcase_create("mcast_group");
	SRunner *r = srunner_create(s);
	int	 failed;

	tcase_add_loop_test(t, a_group_is_read_with_its_interface, 0,
	    (int)COUNT(good));
	tcase_add_loop_test(t, what_is_no_such_group_is_refused, 0,
	    (int)COUNT(refused));
	tcase_add_test(t, groups_of_a_list_have_different_ethernet_addresses);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
