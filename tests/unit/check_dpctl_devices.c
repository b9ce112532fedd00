/*
 * tests/unit/check_dpctl_devices.c - devices in the report: what stands first, and
 * that pictures and table are bounded.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/page.h"
#include "dpctl/snapshot.h"

#include <check.h> /* after ours: it makes fail() a macro */
#include <stdlib.h>
#include <string.h>

#define MANY 1000

static char  *html;
static size_t size;

static json_t *
device(int i, const char *kind, bool agent)
{
	char name[32], addr[32];

	snprintf(name, sizeof(name), "host-%d", i);
	snprintf(addr, sizeof(addr), "10.9.%d.%d", i / 256, i % 256);
	return json_pack("{s:s,s:s,s:s,s:[s],s:[s],s:I,s:s?,s:s?}", "name", name,
	    "state", "seen", "mac", "02:00:00:00:00:01", "addresses", addr,
	    "found_by", "arp", "first_seen", (json_int_t)i, "kind", kind, "agent",
	    agent ? "urn:dpoint:device:1" : NULL);
}

static void
draw(json_t *devices)
{
	struct snapshot s = { .devices = devices, .polls =
	    json_pack("[{s:s,s:s}]", "network", "10.9.0.0/16", "result", "answers") };
	FILE	       *f = open_memstream(&html, &size);

	page_devices(f, &s);
	fclose(f);
	json_decref(s.polls);
	json_decref(devices);
}

static size_t
drawn(const char *what)
{
	size_t n = 0;

	for (const char *p = html; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

START_TEST(who_is_looked_for_stands_first)
{
	json_t *all = json_array();

	for (int i = 0; i < MANY; i++)
		json_array_append_new(all,
		    device(i, i == 3 ? "switch" : i == 5 ? "router" : NULL,
			i % 2 == 0));
	json_object_set_new(json_array_get(all, 7), "state",
	    json_string("not-seen"));
	draw(all);
	ck_assert_uint_eq(drawn("<g><title>"), 256);
	ck_assert_uint_eq(drawn("<title>host-3, 10.9.0.3, switch"), 1);
	ck_assert_uint_eq(drawn("<title>host-5, 10.9.0.5, router"), 1);
	/* no agent, and the newest; an agent; the oldest; away */
	ck_assert_uint_eq(drawn("<title>host-999, "), 1);
	ck_assert_uint_eq(drawn("<title>host-998, "), 0);
	ck_assert_uint_eq(drawn("<title>host-1, "), 0);
	ck_assert_uint_eq(drawn("<title>host-7, "), 0);
	ck_assert_ptr_nonnull(strstr(html, "the first 256 are drawn"));
	ck_assert_ptr_nonnull(strstr(html, "the first 500 of 1000"));
	free(html);
}
END_TEST

START_TEST(what_a_device_says_is_no_markup)
{
	json_t *all = json_array(), *d = device(1, NULL, false);

	json_object_set_new(d, "name", json_string("<script>x</script>"));
	json_array_append_new(all, d);
	draw(all);
	ck_assert_uint_eq(drawn("<script"), 0);
	ck_assert_uint_gt(drawn("&lt;script&gt;"), 1);
	free(html);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("dpctl devices");
	TCase	*t = tcase_create("all");
	SRunner *r;
	int	 failed;

	tcase_add_test(t, who_is_looked_for_stands_first);
	tcase_add_test(t, what_a_device_says_is_no_markup);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
