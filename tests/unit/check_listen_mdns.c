/*
 * tests/unit/check_listen_mdns.c - what mdns.h promises.
 * SPDX-License-Identifier: ISC
 */
#define HEARD_MORE(t) more(t)
#include "tests/unit/heard.h"
#include "dp-listen/mdns.h"

#define ANSWER(n) "0000 8400 0000" n "0000 0000 "
#define NAME_A "0161 056c6f63616c00 "

static const struct heard_row rows[] = {
	{ "question", "0000 0000 0001 0000 0000 0000" "045f697070045f746370056c6f63616c00 000c0001",
	    NULL, "mdns 02:00:00:00:05:10 198.18.0.10" },
	{ "services of a printer, as avahi tells them",
	    "000084000000000d000000001b7072696e746572205b30323a30303a30303a30303a3035"
	    "3a31305d0c5f776f726b73746174696f6e045f746370056c6f63616c0000108001000011"
	    "94000100055f68747470c035000c00010000119400171442c3bc726f203c322e204f473e"
	    "2e726563687473c04cc05e00218001000000780010000000000050077072696e746572c0"
	    "3ac087001c800100000078001020010db8000500000000000000000010c05e0010800100"
	    "001194000100095f7365727669636573075f646e732d7364045f756470c03a000c000100"
	    "0011940002c04c045f697070c035000c00010000119400171442c3bc726f203c322e204f"
	    "473e2e726563687473c0dfc0f000218001000000780008000000000277c087c0f0001080"
	    "010000119400341c74793d4578616d706c65204c617365725072696e7465722039303030"
	    "1670726f647563743d284578616d706c65203930303029c0ba000c0001000011940002c0"
	    "dfc028000c0001000011940002c00cc00c00218001000000780008000000000009c087c0"
	    "ba000c0001000011940002c028",
	    NULL,
	    "mdns 02:00:00:00:05:10 198.18.0.10 name=printer.local address=2001:db8:5::10"
	    " service=_http._tcp 80 B\xc3\xbcro <2. OG>.rechts"
	    " service=_ipp._tcp 631 B\xc3\xbcro <2. OG>.rechts"
	    " service=_workstation._tcp 9 printer [02:00:00:00:05:10]"
	    " service=_http._tcp model=Example LaserPrinter 9000 model=(Example 9000)"
	    " service=_ipp._tcp service=_workstation._tcp" },
	{ "addresses of the sender", ANSWER("0002") NAME_A "0001 8001 00000078 0004 c612000a"
	    "c00c 001c 8001 00000078 0010 20010db8000500000000000000000010", NULL,
	    "mdns 02:00:00:00:05:10 198.18.0.10 name=a.local address=2001:db8:5::10" },
	{ "a reverse record", ANSWER("0001") "023130013002313803313938" "07696e2d61646472"
	    "0461727061 00 000c 8001 00000078 0009 0161056c6f63616c00", NULL,
	    "mdns 02:00:00:00:05:10 198.18.0.10 name=a.local" },
	{ "another's addresses, by a proxy", ANSWER("0001") NAME_A
	    "0001 8001 00000078 0004 c612000b", NULL,
	    "mdns 198.18.0.11 hearsay name=a.local; mdns 02:00:00:00:05:10 198.18.0.10" },
	{ "goodbye", ANSWER("0001") NAME_A "0001 8001 00000000 0004 c612000a", NULL,
	    "mdns 02:00:00:00:05:10 198.18.0.10" },
	{ "goodbye of a service", ANSWER("0002")
	    "014d 045f697070 045f746370 056c6f63616c00 0021 8001 00000000 0007"
	    "00000000 0277 00"
	    "045f697070 045f746370 056c6f63616c00 000c 0001 00000000 0004 014d c00e",
	    NULL, "mdns 02:00:00:00:05:10 198.18.0.10 gone=_ipp._tcp 631 M "
	    "gone=_ipp._tcp 0 M" },
	{ "loopback is nobody's", ANSWER("0001") NAME_A "0001 8001 00000078 0004 7f000001",
	    NULL, "mdns 02:00:00:00:05:10 198.18.0.10" },
	{ "of another class", ANSWER("0001") NAME_A "0001 0003 00000078 0004 c612000a",
	    NULL, "mdns 02:00:00:00:05:10 198.18.0.10" },
	{ "markup, escapes and dots in a name", ANSWER("0001")
	    "0b3c623e1b5b324a2e782e5c 056c6f63616c00 0001 8001 00000078 0004 c612000a", NULL,
	    "mdns 02:00:00:00:05:10 198.18.0.10 name=<b>\\x1b[2J\\x5c.x\\x5c.\\x5c.local" },
	{ "device info", ANSWER("0001")
	    "014d 0c5f6465766963652d696e666f 045f746370 056c6f63616c00 0010 8001 00000078"
	    "001a 0e6d6f64656c3d4d61634d696e6931 0a6f7378766572733d3230", NULL,
	    "mdns 02:00:00:00:05:10 198.18.0.10 model=MacMini1 os=osxvers=20" },
	{ "text longer than its record", ANSWER("0001")
	    "014d 045f697070 045f746370 056c6f63616c00 0010 8001 00000078 0003 ff7479",
	    NULL, "mdns 02:00:00:00:05:10 198.18.0.10" },
	{ "name that points to itself", ANSWER("0001") "c00c 0001 8001 00000078 0004 c612000a",
	    NULL, NULL },
	{ "name that points ahead", ANSWER("0001") "c00e 0161 00 0001 8001", NULL, NULL },
	{ "data longer than the message", ANSWER("0001") NAME_A "0001 8001 00000078 0005 c612000a",
	    NULL, NULL },
	{ "fewer records than announced", ANSWER("0002") NAME_A "0001 8001 00000078 0004 c612000a",
	    NULL, NULL },
	{ "an opcode", "0000 8c00 0000 0000 0000 0000", NULL, NULL },
	{ "cut short", "0000 8400 0000", NULL, NULL },
};

START_TEST(an_answer_comes_from_the_port)
{
	struct packet	       p = heard_packet("198.18.0.10");
	const struct heard_row row = { "port", ANSWER("0001") NAME_A
		"0001 8001 00000078 0004 c612000a", NULL, NULL };

	p.sport = 5354;
	heard_check(mdns_read, &p, &row);
}
END_TEST

START_TEST(the_only_host_of_the_other_family_is_the_sender)
{
	struct packet	       p = heard_packet("fe80::10");
	const struct heard_row row = { "family", ANSWER("0001") NAME_A
		"0001 8001 00000078 0004 c612000a", NULL,
		"mdns 02:00:00:00:05:10 fe80::10 name=a.local address=198.18.0.10" };

	heard_check(mdns_read, &p, &row);
}
END_TEST

/* 500 hosts: what is told is bounded, and so is the work. */
START_TEST(a_crowd_of_hosts_is_bounded)
{
	static uint8_t buf[9000];
	static char    said[8192];
	struct packet  p = heard_packet("198.18.0.10");
	struct told    to = { heard_told, said };
	struct wr      w = wr_to(buf, sizeof(buf));
	unsigned       n = 0;

	wr_u32(&w, 0x8400);
	wr_u32(&w, 450);
	wr_u32(&w, 0);
	for (unsigned i = 0; i < 450; i++) {
		wr_u8(&w, 3);
		wr_u8(&w, (uint8_t)(i >> 8));
		wr_u16(&w, (uint16_t)(i << 8));
		wr_u8(&w, 0);
		wr_u32(&w, 1 << 16 | 1);
		wr_u32(&w, 120);
		wr_u16(&w, 4);
		wr_u32(&w, 0xc6130000 + i);
	}
	ck_assert_int_eq(w.err, 0);
	ck_assert_int_eq(mdns_read(&p, rd_from(buf, w.len), &to), 0);
	for (const char *s = said; (s = strstr(s, "mdns")) != NULL; s++)
		n++;
	ck_assert_uint_eq(n, MDNS_HOSTS + 1);
}
END_TEST

START_TEST(an_answer_of_one_is_none_of_another)
{
	struct packet	       p = heard_packet("198.18.0.10");
	const struct heard_row row = { "asked", ANSWER("0001") NAME_A
		"0001 8001 00000078 0004 c612000b", NULL,
		"mdns 198.18.0.11 hearsay name=a.local; "
		"mdns 02:00:00:00:05:10 198.18.0.10 asked" };

	p.to_us = true;
	heard_check(mdns_read, &p, &row);
}
END_TEST

static void
more(TCase *t)
{
	tcase_add_test(t, an_answer_of_one_is_none_of_another);
	tcase_add_test(t, an_answer_comes_from_the_port);
	tcase_add_test(t, the_only_host_of_the_other_family_is_the_sender);
	tcase_add_test(t, a_crowd_of_hosts_is_bounded);
}

HEARD_ROWS("mdns", mdns_read, "198.18.0.10")
