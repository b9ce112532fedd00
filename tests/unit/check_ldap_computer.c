/*
 * tests/unit/check_ldap_computer.c - what computer.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dp-ldap/computer.h"

static struct computer c;

static void
read_it(const char *dn, const char *const values[])
{
	computer_begin(&c, dn);
	for (; values[0] != NULL; values += 2)
		computer_value(&c, values[0], values[1], strlen(values[1]));
	computer_end(&c);
}

static const char *
fact(enum fact kind)
{
	const char *text = sight_first(&c.sight, kind);

	return text != NULL ? text : "";
}

START_TEST(a_computer_of_active_directory)
{
	read_it("CN=PC1,OU=Berlin,DC=corp,DC=example",
	    (const char *const[]){ "sAMAccountName", "PC1$",
		"OPERATINGSYSTEMVERSION", "10.0 (19045)", "cn", "PC1",
		"dNSHostName", "pc1.corp.example", "operatingSystem",
		"Windows 10 Pro", "userAccountControl", "4096", NULL });
	ck_assert_str_eq(fact(FACT_NAME), "pc1.corp.example");
	ck_assert_str_eq(fact(FACT_OS), "Windows 10 Pro 10.0 (19045)");
	ck_assert_str_eq(fact(FACT_DOMAIN), "corp.example");
	ck_assert_str_eq(fact(FACT_DIRECTORY_ID),
	    "CN=PC1,OU=Berlin,DC=corp,DC=example");
	ck_assert(!c.disabled);
	ck_assert_int_eq(c.sight.by, SIGHT_LDAP);
}
END_TEST

START_TEST(an_object_has_one_uuid_whatever_it_is_called)
{
	static const uint8_t guid[16] = { 0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77,
		0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

	computer_begin(&c, "CN=PC1");
	computer_value(&c, "objectGUID", guid, 15);
	computer_value(&c, "objectguid", guid, 16);
	computer_value(&c, "objectGUID", guid + 1, 15);
	computer_end(&c);
	ck_assert_str_eq(fact(FACT_DIRECTORY_UUID),
	    "00112233-4455-6677-8899-aabbccddeeff");
	read_it("CN=PC2", (const char *const[]){ "entryUUID",
	    "00112233-4455-6677-8899-aabbccddeef", "entryUUID",
	    "00112233-4455-6677-8899+aabbccddeeff", "entryUUID",
	    "00112233-4455-6677-8899-AABBCCDDEEFF", NULL });
	ck_assert_str_eq(fact(FACT_DIRECTORY_UUID),
	    "00112233-4455-6677-8899-aabbccddeeff");
}
END_TEST

START_TEST(a_disabled_account_is_said_to_be_so)
{
	read_it("CN=PC1", (const char *const[]){ "userAccountControl", "4098", NULL });
	ck_assert(c.disabled);
	read_it("CN=PC2", (const char *const[]){ NULL }); /* and forgotten */
	ck_assert(!c.disabled);
}
END_TEST

START_TEST(a_host_of_rfc_2307)
{
	static const uint8_t mac[] = { 0, 0x92, 0x90, 0xee, 0xe2, 9 };
	static const uint8_t addr[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 7 };

	read_it("cn=pump,dc=example", (const char *const[]){ "ipHostNumber",
	    "192.0.2.7", "ipHostNumber", "2001:db8::7", "ipHostNumber",
	    "192.0.2.8", "ipHostNumber", "not an address", "macAddress",
	    "00:92:90:EE:e2:9", "macAddress", "00:92:90:ee:e2:ff", "cn", "pump",
	    NULL });
	ck_assert_mem_eq(c.sight.addr, addr, sizeof(addr));
	ck_assert_mem_eq(c.sight.mac, mac, sizeof(mac));
	ck_assert_str_eq(fact(FACT_ADDRESS), "2001:db8::7");
	ck_assert_str_eq(fact(FACT_NAME), "pump");
	ck_assert_uint_eq(c.sight.nfacts, 5); /* dn, domain, two addresses, name */
}
END_TEST

static const char *const no_macs[] = { "", "00:11:22:33:44", "001122334455",
	"00:11:22:33:44:55:66", "00:11:22:33:44:5g", " 0:11:22:33:44:55",
	"+0:11:22:33:44:55", "-1:11:22:33:44:55", "0x:11:22:33:44:55" };

START_TEST(what_is_no_mac_is_none)
{
	read_it("cn=a", (const char *const[]){ "macAddress", no_macs[_i], NULL });
	ck_assert_mem_eq(c.sight.mac, ((uint8_t[6]){ 0 }), 6);
}
END_TEST

static const struct { const char *dn, *domain; } domains[] = {
	{ "cn=a,dc=example,dc=org", "example.org" },
	{ "dc=org", "org" },
	{ "cn=a", "" },
	{ "", "" },
	{ "dc=example,ou=x,dc=org", "" },
	{ "cn=a,dc=,dc=org", "org" },
	{ "cn=a\\,dc=b,dc=org", "b.org" }, /* an escape only costs the domain */
};

START_TEST(the_domain_is_the_end_of_the_name)
{
	read_it(domains[_i].dn, (const char *const[]){ NULL });
	ck_assert_str_eq(fact(FACT_DOMAIN), domains[_i].domain);
}
END_TEST

START_TEST(foreign_bytes_stay_harmless)
{
	char big[5000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	computer_begin(&c, big);
	computer_value(&c, "cn", "\033]0;x\a", 6);
	computer_value(&c, "operatingSystem", big, sizeof(big) - 1);
	computer_value(&c, "operatingSystemVersion", big, sizeof(big) - 1);
	computer_value(&c, "description", "a\0b", 3);
	computer_value(&c, "objectClass", big, sizeof(big) - 1);
	computer_value(&c, "sAMAccountName", "", 0);
	computer_end(&c);
	ck_assert(c.sight.cut);
	ck_assert_str_eq(fact(FACT_NAME), "\\x1b]0;x\\x07");
	ck_assert_str_eq(fact(FACT_DESCRIPTION), "a\\x00b");
	ck_assert_uint_eq(strlen(fact(FACT_OS)), SIGHT_TEXT);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("ldap_computer");
	TCase	*t = tcase_create("ldap_computer");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_test(t, a_computer_of_active_directory);
	tcase_add_test(t, an_object_has_one_uuid_whatever_it_is_called);
	tcase_add_test(t, a_disabled_account_is_said_to_be_so);
	tcase_add_test(t, a_host_of_rfc_2307);
	tcase_add_loop_test(t, what_is_no_mac_is_none, 0,
	    sizeof(no_macs) / sizeof(no_macs[0]));
	tcase_add_loop_test(t, the_domain_is_the_end_of_the_name, 0,
	    sizeof(domains) / sizeof(domains[0]));
	tcase_add_test(t, foreign_bytes_stay_harmless);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
