/*
 * tests/unit/check_listen_mld.c - what mld.h promises.
 * SPDX-License-Identifier: ISC
 */
#define HEARD_MORE(t) more(t)
#include "tests/unit/heard.h"
#include "dp-listen/mld.h"

#define GROUP "ff02 0000 0000 0000 0000 0001 ff00 0010 "
#define SAID  "mld 02:00:00:00:05:10 fe80::10"

static const struct heard_row rows[] = {
	{ "report, as Linux has it", "8f00 79a3 0000 0001 04000000 " GROUP, NULL, SAID },
	{ "two groups, with sources and auxiliary data",
	    "8f00 0000 0000 0002 01000002 " GROUP GROUP GROUP "06010000 " GROUP "00000000",
	    NULL, SAID },
	{ "no group", "8f00 0000 0000 0000", NULL, SAID },
	{ "version 1", "8300 0000 0000 0000 " GROUP, NULL, SAID },
	{ "version 1, no group", "8300 0000 0000 0000", NULL, NULL },
	{ "more records than there are", "8f00 0000 0000 0002 04000000 " GROUP, NULL,
	    NULL },
	{ "more sources than there are", "8f00 0000 0000 0001 0400ffff " GROUP, NULL,
	    NULL },
	{ "query", "8200 0000 0000 0000 " GROUP, NULL, "" },
};

/* Of this link: the hop limit is 1. */
static int
near_read(const struct packet *p, struct rd r, const struct told *to)
{
	struct packet q = *p;

	q.ttl = 1;
	return mld_read(&q, r, to);
}

START_TEST(what_may_be_forwarded_is_refused)
{
	struct packet	       p = heard_packet("fe80::10");
	const struct heard_row row = { "hop limit 255",
		"8f00 79a3 0000 0001 04000000 " GROUP, NULL, NULL };

	heard_check(mld_read, &p, &row);
}
END_TEST

START_TEST(who_has_no_address_yet_is_nobody)
{
	struct packet	       p = heard_packet("::");
	const struct heard_row row = { "from ::",
		"8f00 79a3 0000 0001 04000000 " GROUP, NULL, "" };

	heard_check(near_read, &p, &row);
}
END_TEST

static void
more(TCase *t)
{
	tcase_add_test(t, what_may_be_forwarded_is_refused);
	tcase_add_test(t, who_has_no_address_yet_is_nobody);
}

HEARD_ROWS("mld", near_read, "fe80::10")
