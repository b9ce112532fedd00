/*
 * tests/unit/check_listen_dhcp.c - what dhcp.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "tests/unit/heard.h"
#include "dp-listen/dhcp.h"

#define ZERO16 "00000000000000000000000000000000 "
#define ZERO64 ZERO16 ZERO16 ZERO16 ZERO16
#define CHADDR "0200000005200000 0000000000000000 "
/* op, ciaddr, yiaddr, giaddr */
#define HEAD(op, ci, yi, gi) op "010600 2a15af1f 00000000" ci yi "00000000" gi CHADDR
#define COOKIE "63825363"
#define NONE "00000000"
#define DISCOVER HEAD("01", NONE, NONE, NONE) ZERO64 ZERO64 ZERO64 COOKIE "350101"

static const struct heard_row rows[] = {
	{ "discover, as busybox has it",
	    DISCOVER "3902024037070103060c0f1c2a 0c0674696c6c2d37"
	    "3c0e6c61622d636c69656e7420312e30 3d0701020000000520ff", NULL,
	    "dhcp 02:00:00:00:05:20 name=till-7 vendor-class=lab-client 1.0 "
	    "fingerprint=1,3,6,12,15,28,42 client-id=01020000000520" },
	{ "full name as DNS has it", DISCOVER "51 0c 040000 066c6170746f7000 00 ff",
	    NULL, "dhcp 02:00:00:00:05:20 name=laptop" },
	{ "full name without root", DISCOVER "51 0a 040000 066c6170746f70 ff", NULL,
	    "dhcp 02:00:00:00:05:20 name=laptop" },
	{ "full name in text", DISCOVER "51 09 000000 6c6170746f70 ff", NULL,
	    "dhcp 02:00:00:00:05:20 name=laptop" },
	{ "full name with a pointer", DISCOVER "51 05 040000 c000 ff", NULL,
	    "dhcp 02:00:00:00:05:20" },
	{ "renewal has an address",
	    HEAD("01", "c6120064", NONE, NONE) ZERO64 ZERO64 ZERO64 COOKIE "350103ff",
	    NULL, "dhcp 02:00:00:00:05:20 198.18.0.100" },
	{ "of a broadcast address it has none",
	    HEAD("01", "ffffffff", NONE, NONE) ZERO64 ZERO64 ZERO64 COOKIE "350103ff",
	    NULL, "dhcp 02:00:00:00:05:20" },
	{ "offer", HEAD("02", NONE, "c6120064", NONE) ZERO64 ZERO64 ZERO64 COOKIE
	    "350102 3604c612000a 0f0b6c61622e6578616d706c65ff", NULL,
	    "dhcp 02:00:00:00:05:10 198.18.0.10 dhcp-server=198.18.0.10 "
	    "domain=lab.example" },
	{ "acknowledgement", HEAD("02", NONE, "c6120064", NONE) ZERO64 ZERO64 ZERO64
	    COOKIE "350105 3604c612000a 0c03706f73ff", NULL,
	    "dhcp 02:00:00:00:05:10 198.18.0.10 dhcp-server=198.18.0.10; "
	    "dhcp 02:00:00:00:05:20 198.18.0.100 name=pos" },
	{ "server behind a relay has no MAC",
	    HEAD("02", NONE, "c6120064", "c6120001") ZERO64 ZERO64 ZERO64 COOKIE
	    "350102 36040a000001ff", NULL, "dhcp 02:00:00:00:05:10; "
	    "dhcp 10.0.0.1 frame=02:00:00:00:05:10 dhcp-server=10.0.0.1" },
	{ "server without its identifier",
	    HEAD("02", NONE, "c6120064", NONE) ZERO64 ZERO64 ZERO64 COOKIE "350102ff",
	    NULL, "" },
	{ "options in file and sname",
	    HEAD("01", NONE, NONE, NONE)
	    "0c037474 74ff00000000000000000000" ZERO16 ZERO16 ZERO16
	    "3c03766364ff00000000000000000000" ZERO16 ZERO16 ZERO16 ZERO64 COOKIE
	    "350101 340103ff", NULL,
	    "dhcp 02:00:00:00:05:20 name=ttt vendor-class=vcd" },
	{ "control characters", DISCOVER "0c04 1b5b324a ff", NULL,
	    "dhcp 02:00:00:00:05:20 name=\\x1b[2J" },
	{ "closing zeros", DISCOVER "0c04 61620000 ff", NULL,
	    "dhcp 02:00:00:00:05:20 name=ab" },
	{ "option longer than the message", DISCOVER "0c ff 6161", NULL, NULL },
	{ "no cookie", HEAD("01", NONE, NONE, NONE) ZERO64 ZERO64 ZERO64 NONE, NULL, NULL },
	{ "another medium", "01060600 2a15af1f 00000000 00000000 00000000 00000000"
	    "00000000" CHADDR ZERO64 ZERO64 ZERO64 COOKIE "350101ff", NULL, NULL },
	{ "file area that is no options",
	    HEAD("01", NONE, NONE, NONE) ZERO64 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16
	    ZERO16 ZERO16 "000000000000000000000000000001ff" COOKIE "340101ff",
	    NULL, NULL },
};

HEARD_ROWS("dhcp", dhcp_read, "198.18.0.10")
