/*
 * tests/unit/check_listen_lldp.c - what lldp.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "tests/unit/heard.h"
#include "dp-listen/lldp.h"

static const struct heard_row rows[] = {
	{ "as lldpd has it",
	    "02070402000000051404070302000000051406020078" "0a0973772d636f72652d31"
	    "0c0d4578616d706c65204f53203132 0e04009c0080 100c0501c612000e0200000002"
	    "00 1018110220010db800050000000000000000001402000000020008026530"
	    "fe0900120f030100000000 fe0900120f010080000036 fe070012bb01003f02"
	    "fe130012bb07362e31382e34342d66632d763635370000", NULL,
	    "lldp 02:00:00:00:05:10 switch=02:00:00:00:05:14 name=sw-core-1 "
	    "description=Example OS 12 capabilities=station address=198.18.0.14 address=2001:db8:5::14 "
	    "os=6.18.44-fc-v657 port=e0" },
	{ "named port, model", "0204 07 737731 0406 05 65746830 31" "06020078"
	    "fe07 0012bb 09 414243 fe06 0012bb 0a 5859 0000", NULL,
	    "lldp 02:00:00:00:05:10 switch=sw1 port=eth01 model=ABC XY" },
	{ "chassis by address", "0206 05 01 c612000e 0402 0731 06020078", NULL,
	    "lldp 02:00:00:00:05:10 switch=198.18.0.14 port=1" },
	{ "shutdown", "0204 07 737731 0402 0731 06020000 0000", NULL, "" },
	{ "bytes behind the end", "0204 07 737731 0402 0731 06020078 0000 ffffffff", NULL,
	    "lldp 02:00:00:00:05:10 switch=sw1 port=1" },
	{ "controls", "0204 07 1b5b41 0402 070a 06020078 0a03 3c623e", NULL,
	    "lldp 02:00:00:00:05:10 switch=\\x1b[A name=<b> port=\\x0a" },
	{ "address of a lying length",
	    "0204 07 737731 0402 0731 06020078 100c ff01c612000e020000000200", NULL,
	    "lldp 02:00:00:00:05:10 switch=sw1 port=1" },
	{ "value longer than the frame", "0204 07 737731 0402 0731 06020078 0bff 61", NULL, NULL },
	{ "out of order", "0402 0731 0204 07 737731 06020078", NULL, NULL },
	{ "without a time to live", "0204 07 737731 0402 0731 0000", NULL, NULL },
	{ "time to live of one byte", "0204 07 737731 0402 0731 060178", NULL, NULL },
};

HEARD_ROWS("lldp", lldp_read, "198.18.0.10")
