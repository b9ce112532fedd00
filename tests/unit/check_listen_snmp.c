/*
 * tests/unit/check_listen_snmp.c - what snmp.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "tests/unit/heard.h"
#include "dp-listen/snmp.h"

#define MSG(len, version) "30" len "0201" version "0401 61 "

static const struct heard_row rows[] = {
	{ "answer, as snmpd has it",
	    "307602010104067075626c6963a26902041064a88a020100020100305b302806082b060102010101"
	    "00041c4578616d706c6520737769746368203c623e4f533c2f623e20342e32301606082b06010201"
	    "010200060a2b06010401bf0803020a301706082b06010201010500040b7377697463682d726f6f6d",
	    NULL,
	    "snmp 02:00:00:00:05:10 198.18.0.10 description=Example switch <b>OS</b> 4.2 "
	    "model=1.3.6.1.4.1.8072.3.2.10 name=switch-room" },
	{ "version 1", "303402010004067075626c6963a227020408a517dd0201000201003019301706082b06"
	    "010201010500040b7377697463682d726f6f6d", NULL,
	    "snmp 02:00:00:00:05:10 198.18.0.10 name=switch-room" },
	{ "an error", MSG("13", "01") "a20b 020101 020102 020101 3000", NULL,
	    "snmp 02:00:00:00:05:10 198.18.0.10" },
	{ "lengths of more bytes than needed",
	    "3084 00000017 020101 040161 a28200 0d 020101 020100 020100 3082 0000", NULL,
	    "snmp 02:00:00:00:05:10 198.18.0.10" },
	{ "no such object", MSG("1f", "01") "a217 020101 020100 020100 300c 300a 0606 2b0601020101 8000",
	    NULL, "snmp 02:00:00:00:05:10 198.18.0.10" },
	{ "version 3", MSG("13", "03") "a20b 020101 020100 020100 3000", NULL, NULL },
	{ "a question", MSG("13", "01") "a00b 020101 020100 020100 3000", NULL, NULL },
	{ "indefinite length", "3080 020101 040161", NULL, NULL },
	{ "length of nine bytes", "3089 000000000000000001", NULL, NULL },
	{ "length beyond the message", "3084 ffffffff 020101", NULL, NULL },
	{ "PDU longer than the message", MSG("13", "01") "a2ff 020101 020100 020100 3000", NULL, NULL },
	{ "binding longer than its list", MSG("15", "01") "a20d 020101 020100 020100 3002 30ff", NULL, NULL },
};

HEARD_ROWS("snmp", snmp_read, "198.18.0.10")
