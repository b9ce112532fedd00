/*
 * tests/unit/check_scan_poll.c - whom a poll asks, and what a device is guessed
 * to be.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/size.h"
#include "dp-scan/guess.h"
#include "dp-scan/poll.h"
#include "dp-scan/tally.h"
#include "dp-scan/vendor.h"

static void
parse(const char *text, uint8_t out[16])
{
	memcpy(out, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	ck_assert(inet_pton(AF_INET, text, out + 12) == 1 ||
	    inet_pton(AF_INET6, text, out) == 1);
}

static const struct {
	const char *net;
	unsigned    bits;
	int	    r;
	size_t	    n;
	const char *first, *last;
} networks[] = {
	{ "10.9.1.7", 96 + 22, 0, 1022, "10.9.0.1", "10.9.3.254" },
	{ "10.9.1.7", 96 + 30, 0, 2, "10.9.1.5", "10.9.1.6" },
	{ "10.9.1.7", 96 + 31, 0, 2, "10.9.1.6", "10.9.1.7" }, /* RFC 3021 */
	{ "10.9.1.7", 128, 0, 1, "10.9.1.7", "10.9.1.7" },
	{ "255.255.255.200", 96 + 24, 0, 254, "255.255.255.1",
	    "255.255.255.254" },
	{ "10.9.0.0", 96 + 16, 0, 65534, "10.9.0.1", "10.9.255.254" },
	{ "10.0.0.0", 96 + 7, -E2BIG, 0, NULL, NULL },
	{ "fd00::1234", 112, 0, 65536, "fd00::", "fd00::ffff" },
	{ "fd00::", 64, -E2BIG, 0, NULL, NULL },
};

START_TEST(a_network_is_its_hosts)
{
	static uint8_t out[65536][16];
	struct poll    p;
	uint8_t	       net[16], a[16];
	size_t	       n = 0, k;

	parse(networks[_i].net, net);
	ck_assert_int_eq(poll_network(&p, PROBE_ARP, net, networks[_i].bits),
	    networks[_i].r);
	if (networks[_i].r < 0)
		return;
	while ((k = poll_take(&p, out + n, 1000)) > 0)
		n += k;
	ck_assert_uint_eq(n, networks[_i].n);
	ck_assert_uint_eq(p.left, n);
	parse(networks[_i].first, a);
	ck_assert_mem_eq(out[0], a, 16);
	parse(networks[_i].last, a);
	ck_assert_mem_eq(out[n - 1], a, 16);
	poll_fini(&p);
}
END_TEST

START_TEST(who_was_silent_is_asked_once_more)
{
	uint8_t	    out[64][16], a[16], b[16], other[16];
	struct poll p;

	parse("10.9.0.0", a);
	ck_assert_int_eq(poll_network(&p, PROBE_ARP, a, 96 + 29), 0);
	parse("10.9.0.3", a);
	parse("10.9.0.5", b);
	parse("10.9.0.9", other);
	poll_skip(&p, b); /* it is ours */
	poll_skip(&p, b);
	poll_skip(&p, other);
	ck_assert_uint_eq(p.left, 5);
	ck_assert_uint_eq(poll_take(&p, out, 64), 5);
	ck_assert(poll_heard(&p, a));
	ck_assert(!poll_heard(&p, a)); /* once is enough */
	ck_assert(!poll_heard(&p, b));
	ck_assert(!poll_heard(&p, other));
	ck_assert(poll_again(&p));
	ck_assert_uint_eq(poll_take(&p, out, 64), 4);
	for (int i = 0; i < 4; i++)
		ck_assert_mem_ne(out[i], a, 16);
	ck_assert(!poll_again(&p));
	ck_assert_uint_eq(p.answered, 1);
	poll_fini(&p);
}
END_TEST

START_TEST(networks_that_overlap_are_asked_once)
{
	struct poll whole, part, far;
	uint8_t	    net[16], a[16];

	parse("10.9.0.0", net);
	ck_assert_int_eq(poll_network(&part, PROBE_ARP, net, 96 + 26), 0);
	ck_assert_int_eq(poll_network(&whole, PROBE_ARP, net, 96 + 25), 0);
	poll_skip_poll(&whole, &part);
	ck_assert_uint_eq(whole.left, 126 - 62);
	parse("10.9.0.63", a); /* the part's own broadcast address is a host of it */
	ck_assert(poll_has(&whole, a));
	parse("10.9.0.62", a);
	ck_assert(!poll_has(&whole, a));
	poll_skip_network(&whole, net, 96 + 26);
	ck_assert_uint_eq(whole.left, 63);
	parse("10.9.1.0", a);
	ck_assert_int_eq(poll_network(&far, PROBE_ARP, a, 96 + 25), 0);
	poll_skip_poll(&far, &part);
	poll_skip_network(&far, net, 96 + 24);
	ck_assert_uint_eq(far.left, 126);
	poll_skip_network(&far, net, 96 + 16);
	ck_assert_uint_eq(far.left, 0);
	poll_fini(&whole);
	poll_fini(&part);
	poll_fini(&far);
}
END_TEST

START_TEST(there_is_no_second_round_where_all_answer)
{
	uint8_t	    out[8][16], net[16];
	struct poll p;

	parse("10.9.0.0", net);
	ck_assert_int_eq(poll_network(&p, PROBE_ARP, net, 96 + 30), 0);
	ck_assert_uint_eq(poll_take(&p, out, 8), 2);
	ck_assert(poll_heard(&p, out[0]));
	ck_assert(poll_heard(&p, out[1]));
	ck_assert(!poll_again(&p));
	poll_fini(&p);
}
END_TEST

START_TEST(a_list_has_each_once)
{
	uint8_t	    (*list)[16] = calloc(4, 16), out[8][16];
	struct scope not_this;
	char	    err[SCOPE_ERR];
	struct poll p;

	parse("fd00::2", list[0]);
	parse("10.0.0.1", list[1]);
	parse("fd00::2", list[2]);
	parse("fd00::1", list[3]);
	ck_assert_int_eq(poll_list(&p, PROBE_NS, list, 4), 0);
	ck_assert_uint_eq(p.left, 3);
	ck_assert_int_eq(scope_parse("10.0.0.0/8", &not_this, err), 0);
	poll_skip_ranges(&p, &not_this);
	ck_assert_uint_eq(poll_take(&p, out, 8), 2);
	ck_assert(poll_heard(&p, out[1]));
	poll_fini(&p);
}
END_TEST

/* So many of a /24 answer, of the first round or of both; is it all? */
static const struct {
	size_t asked, answered;
	bool   again, all;
} crowds[] = {
	{ 254, 254, false, true },
	{ 254, 251, true, true }, /* a few were lost */
	{ 254, 250, true, false },
	{ 64, 64, false, true }, /* broken off */
	{ 63, 63, false, false },
	{ 0, 0, false, false },
	{ 254, 0, true, false },
};

START_TEST(who_answers_for_all_is_noticed)
{
	uint8_t	    out[254][16], net[16], a[16];
	struct poll p;
	size_t	    pos = 0, n = 0;

	parse("10.9.0.0", net);
	ck_assert_int_eq(poll_network(&p, PROBE_ECHO4, net, 96 + 24), 0);
	ck_assert_uint_eq(poll_take(&p, out, crowds[_i].asked),
	    crowds[_i].asked);
	for (size_t i = 0; i < crowds[_i].answered; i++)
		ck_assert(poll_heard(&p, out[i]));
	if (crowds[_i].again)
		ck_assert(poll_again(&p));
	ck_assert_int_eq(poll_all_answer(&p), crowds[_i].all);
	while (poll_next_heard(&p, &pos, a))
		ck_assert_mem_eq(a, out[n++], 16);
	ck_assert_uint_eq(n, crowds[_i].answered);
	poll_fini(&p);
}
END_TEST

START_TEST(a_tally_names_who_answered_most)
{
	struct tally t = { .n = 0 };
	uint8_t	     mac[6] = { 2 };

	ck_assert_uint_eq(tally_most(&t).n, 0);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < TALLY_MAX + 10; i++) {
			mac[1] = (uint8_t)(i >> 16);
			mac[2] = (uint8_t)(i >> 8);
			mac[3] = (uint8_t)i;
			ck_assert_int_eq(tally_add(&t, mac),
			    i < TALLY_MAX ? 0 : -ENOSPC);
		}
	mac[1] = 0, mac[2] = 3, mac[3] = 9;
	ck_assert_int_eq(tally_add(&t, mac), 0);
	ck_assert_uint_eq(tally_most(&t).n, 3);
	ck_assert_mem_eq(tally_most(&t).mac, mac, 6);
	tally_fini(&t);
	ck_assert_uint_eq(tally_most(&t).n, 0);
	ck_assert_int_eq(tally_add(&t, mac), 0); /* begins anew */
	ck_assert_uint_eq(tally_most(&t).n, 1);
	tally_fini(&t);
}
END_TEST

/* -- guesses -- */

static const struct {
	const char *facts[4], *kind, *os;
} guesses[] = {
	{ { "service=_ipp._tcp 631 Office", "service=_pdl-datastream._tcp" },
	    "printer", NULL },
	{ { "vendor-class=MSFT 5.0", "name=DESKTOP-1" }, "computer", "Windows" },
	{ { "vendor-class=android-dhcp-13" }, "telephone", "Android" },
	{ { "description=Debian GNU/Linux 12", "service=_workstation._tcp" },
	    "computer", "Linux" },
	{ { "capabilities=bridge,router", "description=Cisco IOS Software" },
	    "switch", "Cisco IOS" },
	{ { "router=1800" }, "router", NULL },
	{ { "name=<script>alert(1)</script>" }, NULL, NULL },
	{ { NULL }, NULL, NULL },
};

START_TEST(a_guess_has_its_evidence)
{
	struct record	   r = { .state = RECORD_SEEN };
	enum record_change change;
	struct item_copy   out;
	struct guess	   g;

	for (size_t i = 0; i < 4 && guesses[_i].facts[i] != NULL; i++) {
		const char *text = guesses[_i].facts[i], *eq = strchr(text, '=');

		for (unsigned f = 1; f < FACT_MAX; f++)
			if (strlen(fact_name((enum fact)f)) == (size_t)(eq - text) &&
			    memcmp(fact_name((enum fact)f), text,
				(size_t)(eq - text)) == 0)
				ck_assert_int_eq(record_put(&r, (uint8_t)f,
				    SIGHT_MDNS, 1, eq + 1, strlen(eq + 1),
				    &change, &out), 0);
	}
	guess(&r, NULL, 0, false, &g);
	if (guesses[_i].kind == NULL)
		ck_assert_ptr_null(g.kind);
	else
		ck_assert_str_eq(g.kind, guesses[_i].kind);
	if (guesses[_i].os == NULL)
		ck_assert_ptr_null(g.os);
	else
		ck_assert_str_eq(g.os, guesses[_i].os);
	ck_assert_uint_eq(g.n > 0, g.kind != NULL || g.os != NULL);
	ck_assert_uint_le(g.kind_weight, 100);
	for (size_t i = 1; i < g.n; i++)
		ck_assert_uint_ge(g.evidence[i - 1].weight, g.evidence[i].weight);
	record_fini(&r);
}
END_TEST

START_TEST(a_thousand_reasons_do_not_make_it_sure)
{
	struct record	   r = { .state = RECORD_SEEN };
	enum record_change change;
	struct item_copy   out;
	struct guess	   g;
	char		   text[64];

	for (int i = 0; i < 32; i++) {
		snprintf(text, sizeof(text), "_ipp._tcp %d", i);
		ck_assert_int_eq(record_put(&r, FACT_SERVICE, SIGHT_MDNS, 1, text,
		    strlen(text), &change, &out), 0);
	}
	guess(&r, "Brother", 7, true, &g);
	ck_assert_uint_eq(g.n, GUESS_EVIDENCE);
	ck_assert_uint_le(g.kind_weight, 100);
	record_fini(&r);
}
END_TEST

START_TEST(the_longest_assignment_is_the_vendor)
{
	char	    dir[] = "/tmp/check-vendor.XXXXXX", path[64];
	FILE	   *f;
	size_t	    len;
	const char *v;

	ck_assert_ptr_null(vendor_of((uint8_t[6]){ 0x70, 0xb3, 0xd5 }, &len));
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/oui.csv", dir);
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	fputs("Registry,Assignment,Organization Name,Organization Address\r\n"
	      "MA-L,70B3D5,\"Big, Inc.\",x\r\nMA-S,70B3D5F2F,Small,y\r\n"
	      "MA-L,00zz00,Bad,\nMA-L,001122", f);
	fclose(f);
	ck_assert_uint_eq(vendor_load(dir), 2);
	v = vendor_of((uint8_t[6]){ 0x70, 0xb3, 0xd5, 0xf2, 0xf0, 1 }, &len);
	ck_assert(len == 5 && memcmp(v, "Small", 5) == 0);
	v = vendor_of((uint8_t[6]){ 0x70, 0xb3, 0xd5, 0xf2, 0xe0, 1 }, &len);
	ck_assert(len == 9 && memcmp(v, "Big, Inc.", 9) == 0);
	ck_assert_ptr_null(vendor_of((uint8_t[6]){ 0x72, 0xb3, 0xd5 }, &len));
	unlink(path);
	rmdir(dir);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("scan poll");
	TCase	*t = tcase_create("scan poll");
	SRunner *run;
	int	 bad;

	tcase_add_loop_test(t, a_network_is_its_hosts, 0, (int)COUNT(networks));
	tcase_add_test(t, who_was_silent_is_asked_once_more);
	tcase_add_test(t, networks_that_overlap_are_asked_once);
	tcase_add_test(t, there_is_no_second_round_where_all_answer);
	tcase_add_test(t, a_list_has_each_once);
	tcase_add_loop_test(t, who_answers_for_all_is_noticed, 0,
	    (int)COUNT(crowds));
	tcase_add_test(t, a_tally_names_who_answered_most);
	tcase_add_loop_test(t, a_guess_has_its_evidence, 0, (int)COUNT(guesses));
	tcase_add_test(t, a_thousand_reasons_do_not_make_it_sure);
	tcase_add_test(t, the_longest_assignment_is_the_vendor);
	suite_add_tcase(s, t);
	run = srunner_create(s);
	srunner_run_all(run, CK_ENV);
	bad = srunner_ntests_failed(run);
	srunner_free(run);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
