/*
 * tests/unit/check_listen_ether.c - what ether.h, ip.h and echo.h promise: whose
 * parser gets a frame, and whom the sight is of.
 * SPDX-License-Identifier: ISC
 */
#define HEARD_MORE(t) more(t)
#include "tests/unit/heard.h"
#include "dp-listen/ether.h"

#define ALL "ffffffffffff 020000000507 "
#define GROUP "01005e0000fb 020000000507 "
#define US "020000000501 020000000507 "
#define ARP "0806 0001080006040001 020000000507 c6120007 000000000000 c6120001 "
/* an IPv4 header: length, fragment, hops, protocol, source, destination */
#define IP(len, frag, ttl, proto, src, dst) \
	"0800 4500" len "0000" frag ttl proto "0000" src dst
#define UDP(sport, dport, len) sport dport len "0000 "
#define LLMNR "6d4c0000 0001000000000000 0161 00 00ff0001" /* a question */
#define GROUP_LLMNR "e00000fc "
#define SRC "c6120007 "
#define IP6(len, next, ttl, src, dst) "86dd 60000000" len next ttl src dst
#define LL "fe800000000000000000000000000007 "
#define GLOBAL "20010db8000500000000000000000007 "
#define MANY "ff020000000000000000000000010003 "

static const struct heard_row rows[] = {
	{ "ARP", ALL ARP, NULL, "arp 02:00:00:00:05:07 198.18.0.7" },
	{ "in a VLAN", ALL "81000007" ARP, NULL, "arp 02:00:00:00:05:07 198.18.0.7" },
	{ "in a VLAN of a provider's", ALL "88a80008 81000009" ARP, NULL,
	    "arp 02:00:00:00:05:07 198.18.0.7" },
	{ "three tags", ALL "88a80008 81000009 8100000a" ARP, NULL, "" },
	{ "LLMNR", GROUP IP("002f", "0000", "ff", "11", SRC, GROUP_LLMNR)
	    UDP("c000", "14eb", "001b") LLMNR, NULL, "llmnr 02:00:00:00:05:07 198.18.0.7" },
	{ "padded", GROUP IP("002f", "4000", "ff", "11", SRC, GROUP_LLMNR)
	    UDP("c000", "14eb", "001b") LLMNR "000000000000", NULL,
	    "llmnr 02:00:00:00:05:07 198.18.0.7" },
	{ "options of IPv4", GROUP "0800 46000033 00000000 0111 0000" SRC GROUP_LLMNR
	    "94040000" UDP("c000", "14eb", "001b") LLMNR, NULL,
	    "llmnr 02:00:00:00:05:07 198.18.0.7" },
	{ "a first fragment", GROUP IP("002f", "2000", "ff", "11", SRC, GROUP_LLMNR)
	    UDP("c000", "14eb", "001b") LLMNR, NULL, "" },
	{ "a later fragment", GROUP IP("002f", "0001", "ff", "11", SRC, GROUP_LLMNR)
	    UDP("c000", "14eb", "001b") LLMNR, NULL, "" },
	{ "IPv6", GROUP IP6("001b", "11", "ff", LL, MANY) UDP("c000", "14eb", "001b") LLMNR,
	    NULL, "llmnr 02:00:00:00:05:07 fe80::7" },
	{ "options of IPv6", GROUP IP6("0023", "00", "ff", LL, MANY) "1100050200000000"
	    UDP("c000", "14eb", "001b") LLMNR, NULL, "llmnr 02:00:00:00:05:07 fe80::7" },
	{ "a fragment of IPv6", GROUP IP6("0023", "2c", "ff", LL, MANY) "1100000000000000"
	    UDP("c000", "14eb", "001b") LLMNR, NULL, "" },
	{ "five extension headers", GROUP IP6("0043", "3c", "ff", LL, MANY)
	    "3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000"
	    "1100000000000000" UDP("c000", "14eb", "001b") LLMNR, NULL, "" },
	{ "port of nobody", GROUP IP("002f", "0000", "ff", "11", SRC, GROUP_LLMNR)
	    UDP("c000", "14ec", "001b") LLMNR, NULL, "" },
	{ "spanning tree", "0180c2000000 020000000507 0026 424203 0000000000", NULL, NULL },
	{ "spanning tree, whole", "0180c2000000 020000000507 0008 424203 0000000000", NULL, "" },
	{ "length of IPv4 beyond the frame",
	    GROUP IP("0040", "0000", "ff", "11", SRC, GROUP_LLMNR) UDP("c000", "14eb", "001b") LLMNR,
	    NULL, NULL },
	{ "header shorter than itself", GROUP "0800 4400002f 00000000 ff11 0000" SRC GROUP_LLMNR
	    UDP("c000", "14eb", "001b") LLMNR, NULL, NULL },
	{ "header longer than the packet", GROUP "0800 4f00002f 00000000 ff11 0000" SRC GROUP_LLMNR
	    UDP("c000", "14eb", "001b") LLMNR, NULL, NULL },
	{ "version", GROUP "0800 6500002f 00000000 ff11 0000" SRC GROUP_LLMNR
	    UDP("c000", "14eb", "001b") LLMNR, NULL, NULL },
	{ "UDP longer than its packet", GROUP IP("002f", "0000", "ff", "11", SRC, GROUP_LLMNR)
	    UDP("c000", "14eb", "001d") LLMNR, NULL, NULL },
	{ "UDP shorter than its header", GROUP IP("002f", "0000", "ff", "11", SRC, GROUP_LLMNR)
	    UDP("c000", "14eb", "0007") LLMNR, NULL, NULL },
	{ "length of IPv6 beyond the frame", GROUP IP6("003b", "11", "ff", LL, MANY)
	    UDP("c000", "14eb", "001b") LLMNR, NULL, NULL },
	{ "mapped address on the wire", GROUP
	    IP6("001b", "11", "ff", "00000000000000000000ffffc6120007", MANY)
	    UDP("c000", "14eb", "001b") LLMNR, NULL, NULL },
	{ "sender is a group", "ffffffffffff 030000000507" ARP, NULL, NULL },
	{ "runt", "ffffffffffff 0200", NULL, NULL },
};

/* struct packet comes from whoever reads frames; ether_read fills in the rest */
static bool to_us, is_file;

static int
read_frame(const struct packet *p, struct rd r, const struct told *to)
{
	struct packet q = { .ifindex = p->ifindex, .to_us = to_us, .is_file = is_file };

	return ether_read(&q, r, to);
}

static const struct {
	bool		 is_file;
	struct heard_row row;
} to_one[] = {
	{ false, { "ARP's reply", US "0806 0001080006040002 020000000507 c6120007"
		   "020000000501 c6120001", NULL, "arp 02:00:00:00:05:07 198.18.0.7 asked" } },
	{ false, { "echo", US IP("001c", "0000", "40", "01", SRC, "c6120001")
		   "0000 0000 0000 0000", NULL, "echo 02:00:00:00:05:07 198.18.0.7" } },
	{ false, { "echo from behind a router has no MAC",
		   US IP("001c", "0000", "3f", "01", SRC, "c6120001") "0000 0000 0000 0000",
		   NULL, "echo 198.18.0.7" } },
	{ false, { "echo request", US IP("001c", "0000", "40", "01", SRC, "c6120001")
		   "0800 0000 0000 0000", NULL, "" } },
	{ false, { "echo of IPv6", US IP6("0008", "3a", "3f", GLOBAL, LL)
		   "8100 0000 0000 0000", NULL, "echo 2001:db8:5::7" } },
	{ false, { "echo of no host", US IP("001c", "0000", "40", "01", "7f000001", "c6120001")
		   "0000 0000 0000 0000", NULL, NULL } },
	{ false, { "UDP is the prober's", US IP("002f", "0000", "ff", "11", SRC, "c6120001")
		   UDP("14eb", "c000", "001b") LLMNR, NULL, "" } },
	{ true, { "but not of a file", US IP("002f", "0000", "ff", "11", SRC, "c6120001")
		  UDP("14eb", "c000", "001b") LLMNR, NULL, "llmnr 02:00:00:00:05:07 198.18.0.7" } },
};

START_TEST(what_is_to_one_host)
{
	struct packet p = heard_packet("198.18.0.1");

	to_us = true;
	is_file = to_one[_i].is_file;
	heard_check(read_frame, &p, &to_one[_i].row);
}
END_TEST

START_TEST(echoes_to_others_are_theirs)
{
	const struct heard_row row = { "echo",
		US IP("001c", "0000", "40", "01", SRC, "c6120001") "0000 0000 0000 0000", NULL, "" };
	struct packet	       p = heard_packet("198.18.0.1");

	heard_check(read_frame, &p, &row);
}
END_TEST

static void
more(TCase *t)
{
	tcase_add_loop_test(t, what_is_to_one_host, 0, COUNT(to_one));
	tcase_add_test(t, echoes_to_others_are_theirs);
}

HEARD_ROWS("ether", read_frame, "198.18.0.1")
