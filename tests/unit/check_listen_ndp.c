/*
 * tests/unit/check_listen_ndp.c - what ndp.h promises.
 * SPDX-License-Identifier: ISC
 */
#define HEARD_MORE(t) more(t)
#include "tests/unit/heard.h"
#include "dp-listen/ndp.h"

#define TARGET "fe80 0000 0000 0000 0000 00ff fe00 0501 "
#define PREFIX(bits) "03 04 " bits " c0 00000e10 00000e10 00000000" \
		     "20010db8000500000000000000000000"

static const struct heard_row rows[] = {
	{ "router solicitation, as Linux has it", "8500710c000000000101020000000511",
	    NULL, "ndp 02:00:00:00:05:11 fe80::10" },
	{ "neighbour solicitation", "87000000 00000000" TARGET "0101020000000512",
	    NULL, "ndp 02:00:00:00:05:12 fe80::10" },
	{ "neighbour advertisement", "88000000 60000000" TARGET "0201020000000501",
	    NULL, "ndp 02:00:00:00:05:01 fe80::ff:fe00:501" },
	{ "without an option it is the frame's", "88001d25 40000000" TARGET, NULL,
	    "ndp 02:00:00:00:05:10 fe80::ff:fe00:501" },
	{ "router, as dnsmasq has it",
	    "8600661540c00708000000000000000003044080 00000e1000000e1000000000"
	    "20010db8000500000000000000000000 05010000000005dc 0101020000000512"
	    "1903000000000e10fe80000000000000000000fffe000512",
	    NULL, "router 02:00:00:00:05:12 fe80::10 router=1800 prefix=2001:db8:5::/64" },
	{ "router that leaves, with a search list",
	    "86000000 40000000 00000000 00000000"
	    "1f03000000000e10 036c6162 07657861 6d706c65 00000000", NULL,
	    "router 02:00:00:00:05:10 fe80::10 router=0 domain=lab.example" },
	{ "search list with a pointer",
	    "86000000 40000000 00000000 00000000 1f02000000000e10 036c6162c0080000",
	    NULL, "router 02:00:00:00:05:10 fe80::10 router=0" },
	{ "prefix of 129 bits",
	    "86000000 40000000 00000000 00000000" PREFIX("81"), NULL,
	    "router 02:00:00:00:05:10 fe80::10 router=0" },
	{ "prefix option too short",
	    "86000000 40000000 00000000 00000000 0301408000000e10", NULL,
	    "router 02:00:00:00:05:10 fe80::10 router=0" },
	{ "MAC of a group is none", "87000000 00000000" TARGET "0101ffffffffffff",
	    NULL, "ndp 02:00:00:00:05:10 fe80::10" },
	{ "option of no length", "85000000 00000000 0100020000000511", NULL, NULL },
	{ "option longer than the message", "85000000 00000000 0102020000000511",
	    NULL, NULL },
	{ "code", "85010000 00000000", NULL, NULL },
	{ "target is a group", "88000000 00000000 ff020000000000000000000000000001",
	    NULL, NULL },
	{ "no target", "88000000 00000000", NULL, NULL },
};

START_TEST(what_was_forwarded_is_refused)
{
	struct packet	       p = heard_packet("fe80::10");
	const struct heard_row row = { "hop limit 254", "88000000 40000000" TARGET,
		NULL, NULL };

	p.ttl = 254;
	heard_check(ndp_read, &p, &row);
}
END_TEST

START_TEST(duplicate_detection_is_no_claim)
{
	struct packet	       p = heard_packet("::");
	const struct heard_row row = { "from ::", "87000000 00000000" TARGET, NULL,
		"ndp 02:00:00:00:05:10 conflict=fe80::ff:fe00:501" };

	heard_check(ndp_read, &p, &row);
}
END_TEST

START_TEST(a_router_has_an_address_of_the_link)
{
	struct packet	       p = heard_packet("2001:db8::1");
	const struct heard_row row = { "global",
		"86000000 40000708 00000000 00000000", NULL, NULL };

	heard_check(ndp_read, &p, &row);
}
END_TEST

static void
more(TCase *t)
{
	tcase_add_test(t, what_was_forwarded_is_refused);
	tcase_add_test(t, duplicate_detection_is_no_claim);
	tcase_add_test(t, a_router_has_an_address_of_the_link);
}

HEARD_ROWS("ndp", ndp_read, "fe80::10")
