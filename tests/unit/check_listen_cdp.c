/*
 * tests/unit/check_listen_cdp.c - what cdp.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "tests/unit/heard.h"
#include "dp-listen/cdp.h"

static const struct heard_row rows[] = {
	{ "as lldpd has it",
	    "027890f2 0001000c6163636573732d32 00020011000000010101cc0004c6120012"
	    "000300066530 0004000800000010 000500114578616d706c65204f53203132"
	    "0006000e4578616d706c65203234", NULL,
	    "cdp 02:00:00:00:05:10 switch=access-2 name=access-2 address=198.18.0.18 port=e0 "
	    "capabilities=station description=Example OS 12 model=Example 24" },
	{ "addresses of both kinds", "02780000 0016002d00000002 0101cc0004c6120012"
	    "0208aaaa0300000086dd 0010 20010db8000500000000000000000018", NULL,
	    "cdp 02:00:00:00:05:10 address=198.18.0.18 address=2001:db8:5::18" },
	{ "it leaves", "02000000 0001000561", NULL, "" },
	{ "more addresses than there are", "02780000 0002000d ffffffff 0101cc00ff", NULL, NULL },
	{ "a million addresses, none there", "02780000 00020008 000f4240", NULL,
	    "cdp 02:00:00:00:05:10" },
	{ "length below its own header", "02780000 00010003 61", NULL, NULL },
	{ "length beyond the frame", "02780000 000100ff 61", NULL, NULL },
	{ "another version", "03780000 0001000561", NULL, NULL },
};

HEARD_ROWS("cdp", cdp_read, "198.18.0.10")
