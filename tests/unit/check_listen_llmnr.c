/*
 * tests/unit/check_listen_llmnr.c - what llmnr.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "tests/unit/heard.h"
#include "dp-listen/llmnr.h"

static const struct heard_row rows[] = {
	{ "question, as systemd has it",
	    "6d4c0000 0001000000000000 0777696e6c696b65 00 00ff0001", NULL,
	    "llmnr 02:00:00:00:05:10 198.18.0.10" },
	{ "address, as systemd has it",
	    "42428000 0001000100000000 0777696e6c696b65 00 00010001"
	    "c00c 0001 0001 0000001e 0004 c612000a", NULL,
	    "llmnr 02:00:00:00:05:10 198.18.0.10 name=winlike" },
	{ "name, as systemd has it",
	    "42428000 0001000100000000 023135013002313803313938 07696e2d61646472 0461727061 00"
	    "000c0001 c00c 000c 0001 0000001e 0009 0777696e6c696b65 00", NULL,
	    "llmnr 02:00:00:00:05:10 198.18.0.10 name=winlike" },
	{ "further addresses", "42428000 0000000200000000 0161 00 0001 0001 0000001e 0004 c612000b"
	    "c00c 001c 0001 0000001e 0010 20010db8000500000000000000000010", NULL,
	    "llmnr 02:00:00:00:05:10 198.18.0.10 address=198.18.0.11 name=a "
	    "address=2001:db8:5::10" },
	{ "data that is no name", "42428000 0000000100000000 013101310131013107696e2d61646472"
	    "0461727061 00 000c 0001 0000001e 0002 c0ff", NULL,
	    "llmnr 02:00:00:00:05:10 198.18.0.10" },
	{ "loop", "42428000 0000000100000000 c00c 0001 0001 0000001e 0004 c612000a", NULL, NULL },
	{ "an opcode", "42420800 0000000000000000", NULL, NULL },
};

HEARD_ROWS("llmnr", llmnr_read, "198.18.0.10")
