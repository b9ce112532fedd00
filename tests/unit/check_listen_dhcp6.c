/*
 * tests/unit/check_listen_dhcp6.c - what dhcp6.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "tests/unit/heard.h"
#include "dp-listen/dhcp6.h"

#define IA(addr) "00030028 00000521 00000e10 00001518 00050018" addr "00001c20 00001d4c"

static const struct heard_row rows[] = {
	{ "solicitation, as ISC's client has it",
	    "01e9ea08 0001000e00010001329de53e020000000521 0006000600170018 0018"
	    "00080002 0000 0003000c0000052100000e1000001518", NULL,
	    "dhcp6 02:00:00:00:05:10 fe80::10 "
	    "client-id=00010001329de53e020000000521 fingerprint=23,24,24" },
	{ "renewal tells what it has", "05000001" IA("20010db8000500000000000000000119"),
	    NULL, "dhcp6 02:00:00:00:05:10 fe80::10 address=2001:db8:5::119" },
	{ "request has not got it yet",
	    "03000001" IA("20010db8000500000000000000000119"), NULL,
	    "dhcp6 02:00:00:00:05:10 fe80::10" },
	{ "full and short name", "01000001 0027000c 00 036c6170036c616200 6161"
	    "00270005 00 03706f73", NULL,
	    "dhcp6 02:00:00:00:05:10 fe80::10 name=lap.lab name=pos" },
	{ "classes", "0b000001 0010000d 00000137 00034d5346 000235 30", NULL,
	    "dhcp6 02:00:00:00:05:10 fe80::10 vendor-class=MSF vendor-class=50" },
	{ "server", "02000001 0018000d 036c6162076578616d706c6500", NULL,
	    "dhcp6 02:00:00:00:05:10 fe80::10 dhcp-server=fe80::10 domain=lab.example" },
	{ "relayed, with the client's MAC",
	    "0c00 20010db8000500000000000000000001 fe80000000000000000000fffe000520"
	    "004f0008 0001020000000520 00090004 0b000001", NULL,
	    "dhcp6 02:00:00:00:05:20" },
	{ "relay in a relay",
	    "0c01 20010db8000500000000000000000001 20010db8000500000000000000000002"
	    "00090026 0c00 00000000000000000000000000000000"
	    "20010db8000500000000000000000033 00090000", NULL, NULL },
	{ "option longer than the message", "01000001 0001000e0001", NULL, NULL },
	{ "relay that carries nothing",
	    "0c00 20010db8000500000000000000000001 fe80000000000000000000fffe000520",
	    NULL, NULL },

};

HEARD_ROWS("dhcp6", dhcp6_read, "fe80::10")
