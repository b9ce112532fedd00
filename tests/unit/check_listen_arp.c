/*
 * tests/unit/check_listen_arp.c - what arp.h promises.
 * SPDX-License-Identifier: ISC
 */
#define HEARD_MORE(t) more(t)
#include "tests/unit/heard.h"
#include "dp-listen/arp.h"

#define E4 "0001 0800 06 04 "
#define A "020000000507 c6120007 "
#define B "000000000000 c6120001 "

static const struct heard_row rows[] = {
	{ "request", E4 "0001" A B, NULL, "arp 02:00:00:00:05:07 198.18.0.7" },
	{ "reply to all, padded", E4 "0002" A B "00000000 00000000", NULL,
	    "arp 02:00:00:00:05:07 198.18.0.7" },
	{ "probe", E4 "0001 020000000507 00000000" B, NULL,
	    "arp 02:00:00:00:05:07 conflict=198.18.0.1" },
	{ "probe for nothing", E4 "0001 020000000507 00000000 000000000000 00000000",
	    NULL, "arp 02:00:00:00:05:07" },
	{ "a cluster's group MAC", E4 "0002 03bfc6120007 c6120007" B, NULL,
	    "arp 198.18.0.7" },
	{ "a group's probe", E4 "0001 03bfc6120007 00000000" B, NULL, "" },
	{ "broadcast MAC", E4 "0001 ffffffffffff c6120007" B, NULL, NULL },
	{ "sender without address", E4 "0001 000000000000 c6120007" B, NULL, NULL },
	{ "sender is a group", E4 "0001 020000000507 e0000001" B, NULL, NULL },
	{ "sender is broadcast", E4 "0001 020000000507 ffffffff" B, NULL, NULL },
	{ "sender is loopback", E4 "0001 020000000507 7f000001" B, NULL, NULL },
	{ "reverse ARP", E4 "0003" A B, NULL, NULL },
	{ "another medium", "0006 0800 06 04 0001" A B, NULL, NULL },
	{ "another protocol", "0001 86dd 06 04 0001" A B, NULL, NULL },
	{ "lying length of addresses", "0001 0800 08 10 0001" A B, NULL, NULL },
	{ "empty", "", NULL, NULL },
};

START_TEST(an_answer_to_us_is_one)
{
	struct packet	       p = heard_packet("198.18.0.10");
	const struct heard_row reply = { "reply to us", E4 "0002" A B, NULL,
		"arp 02:00:00:00:05:07 198.18.0.7 asked" };
	const struct heard_row request = { "request to us", E4 "0001" A B, NULL,
		"arp 02:00:00:00:05:07 198.18.0.7" };

	p.to_us = true;
	heard_check(arp_read, &p, &reply);
	heard_check(arp_read, &p, &request);
}
END_TEST

static void
more(TCase *t)
{
	tcase_add_test(t, an_answer_to_us_is_one);
}

HEARD_ROWS("arp", arp_read, "198.18.0.10")
