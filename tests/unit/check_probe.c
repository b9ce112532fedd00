/*
 * tests/unit/check_probe.c - what dp-probe's frames, queries, pace and tokens
 * promise.
 *
 * The bytes expected are Scapy's (2.5.0), an implementation that is not ours;
 * tests/system/830-probe-wire has Wireshark's opinion of the same builders.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/size.h"
#include "dp-probe/echo.h"
#include "dp-probe/frame.h"
#include "dp-probe/pace.h"
#include "dp-probe/query.h"
#include "dp-probe/token.h"

static const uint8_t mac[6] = { 2, 0, 0x5e, 0x10, 0, 1 };
static const uint8_t nobody[16];
#define V4(a, b, c, d) { [10] = 0xff, 0xff, a, b, c, d }
static const uint8_t own4[16] = V4(198, 18, 0, 1);
static const uint8_t host4[16] = V4(198, 18, 3, 254);
static const uint8_t odd4[16] = V4(10, 9, 99, 100);
static const uint8_t own6[16] = { 0xfe, 0x80, [10] = 0x5e, 0xff, 0xfe, 0x10, 0,
	1 };
static const uint8_t host6[16] = { 0x20, 1, 0x0d, 0xb8, [11] = 0x89, 0xab, 0xcd,
	0xef, 1 };

/* Fails unless it was all written and is these hexadecimal digits. */
static void
is_hex(const char *what, const struct wr *w, const char *hex)
{
	char got[512];

	ck_assert_int_eq(w->err, 0);
	for (size_t i = 0; i < w->len; i++)
		snprintf(got + i * 2, 3, "%02x", w->buf[i]);
	got[w->len * 2] = '\0';
	ck_assert_msg(strcmp(got, hex) == 0, "%s:\n%s\n%s", what, got, hex);
}

START_TEST(frames_are_as_scapy_writes_them)
{
	uint8_t	  b[FRAME_MAX];
	struct wr w = wr_to(b, sizeof(b));

	frame_arp(&w, mac, own4, host4);
	is_hex("request", &w, "ffffffffffff02005e1000010806000108000604000102005e"
			      "100001c6120001000000000000c61203fe");
	w = wr_to(b, sizeof(b));
	frame_arp(&w, mac, nobody, host4);
	is_hex("probe", &w, "ffffffffffff02005e1000010806000108000604000102005e10"
			    "000100000000000000000000c61203fe");
	w = wr_to(b, sizeof(b));
	frame_ns(&w, mac, own6, host6);
	is_hex("solicitation", &w,
	    "3333ffcdef0102005e10000186dd6000000000203afffe80000000000000"
	    "00005efffe100001ff0200000000000000000001ffcdef018700051b0000"
	    "000020010db80000000000000089abcdef01010102005e100001");
}
END_TEST

START_TEST(echoes_are_as_scapy_writes_them)
{
	uint8_t	  b[ECHO_LEN];
	struct wr w = wr_to(b, sizeof(b));

	echo4(&w, 0xdeadbeef);
	is_hex("echo4", &w, "08005a62deadbeef");
	w = wr_to(b, sizeof(b));
	echo6(&w, 0xdeadbeef); /* the kernel adds the checksum */
	is_hex("echo6", &w, "80000000deadbeef");
}
END_TEST

static const struct {
	const char	  *what, *hex;
	const uint8_t	  *addr;
	enum query_dialect dialect;
} pointers[] = {
	{ "dns", "123401000001000000000000013101300231380331393807696e2d61646472"
		 "046172706100000c0001", own4, QUERY_DNS },
	{ "one, two and three digits",
	    "12340100000100000000000003313030023939013902313007696e2d61646472"
	    "046172706100000c0001", odd4, QUERY_DNS },
	{ "ip6",
	    "1234010000010000000000000131013001660165016401630162016101390138"
	    "0130013001300130013001300130013001300130013001300130013001380162"
	    "01640130013101300130013203697036046172706100000c0001", host6, QUERY_DNS },
	{ "llmnr", "123400000001000000000000013101300231380331393807696e2d61646472"
		   "046172706100000c0001", own4, QUERY_LLMNR },
	{ "mdns", "123400000001000000000000013101300231380331393807696e2d61646472"
		  "046172706100000c8001", own4, QUERY_MDNS },
};

START_TEST(reverse_queries_are_as_scapy_writes_them)
{
	uint8_t	  b[QUERY_MAX];
	struct wr w = wr_to(b, sizeof(b));

	query_ptr(&w, pointers[_i].dialect, 0x1234, pointers[_i].addr);
	is_hex(pointers[_i].what, &w, pointers[_i].hex);
}
END_TEST

START_TEST(the_longest_query_fits)
{
	uint8_t	  b[QUERY_MAX], all[16];
	char	  community[COMMUNITY_MAX + 2];
	struct wr w = wr_to(b, sizeof(b));

	memset(all, 255, sizeof(all));
	query_ptr(&w, QUERY_DNS, 1, all);
	ck_assert_int_eq(w.err, 0);
	memset(community, 'c', sizeof(community));
	community[COMMUNITY_MAX] = '\0';
	w = wr_to(b, sizeof(b));
	query_snmp(&w, 1, community, 1);
	ck_assert_int_eq(w.err, 0);
	ck_assert_uint_eq(b[1], w.len - 2); /* one byte of length */
	ck_assert_uint_lt(b[1], 128);
	community[COMMUNITY_MAX] = 'c';
	community[COMMUNITY_MAX + 1] = '\0';
	w = wr_to(b, sizeof(b));
	query_snmp(&w, 1, community, 1);
	ck_assert_int_eq(w.err, -EMSGSIZE);
}
END_TEST

START_TEST(services_are_as_scapy_writes_them)
{
	uint8_t	  b[QUERY_MAX];
	struct wr w = wr_to(b, sizeof(b));

	query_services(&w, 0x1234, nobody);
	is_hex("all", &w, "123400000001000000000000095f7365727669636573075f646e73"
			  "2d7364045f756470056c6f63616c00000c8001");
	w = wr_to(b, sizeof(b));
	query_services(&w, 0x1234, (const uint8_t[16]){ "Tipp" });
	is_hex("ipp", &w, "123400000001000000000000045f697070045f746370056c6f6361"
			  "6c00000c8001");
	w = wr_to(b, sizeof(b));
	query_services(&w, 0x1234, (const uint8_t[16]){ 'U', 'a', 'b', 'c', 'd',
		'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o' });
	is_hex("longest", &w, "123400000001000000000000105f6162636465666768696a6b"
			      "6c6d6e6f045f756470056c6f63616c00000c8001");
}
END_TEST

static const struct {
	uint8_t type[17];
	bool	good;
} services[] = {
	{ "", true },
	{ "Tipp", true },
	{ "Usleep-proxy", true },
	{ "Tabcdefghijklmno", true },
	{ "T", false },
	{ "Xipp", false },
	{ "ipp", false },
	{ "Tip.p", false },
	{ "Tip\0p", false },
	{ "\0ipp", false },
	{ "Tip\xff", false },
	{ "Ti p", false },
	{ "T[", false },
	{ "T{", false },
	{ "T@", false },
	{ "T`", false },
};

START_TEST(a_service_is_a_name_and_nothing_else)
{
	ck_assert_int_eq(query_is_service(services[_i].type),
	    services[_i].good);
}
END_TEST

START_TEST(nbstat_and_snmp_are_as_scapy_writes_them)
{
	uint8_t	  b[QUERY_MAX];
	struct wr w = wr_to(b, sizeof(b));

	query_nbstat(&w, 0x1234);
	is_hex("nbstat", &w,
	    "12340000000100000000000020434b4141414141414141414141414141414141"
	    "414141414141414141414141410000210001");
	for (uint8_t v = 0; v < 2; v++) {
		char hex[] = "304502010X04067075626c6963a03802045eadbeef02010002"
			     "0100302a300c06082b060102010101000500300c06082b0601"
			     "02010102000500300c06082b060102010105000500";

		*strchr(hex, 'X') = (char)('0' + v);
		w = wr_to(b, sizeof(b));
		query_snmp(&w, v, "public", 0x9eadbeef);
		is_hex("snmp", &w, hex);
	}
}
END_TEST

#define MS 1000000ull

static const struct {
	const char *what;
	uint32_t    rate;
	uint64_t    late_ns; /* each timer fires so much after its time */
} paces[] = {
	{ "exact timers", 1000, 0 },
	{ "late by 0.1 ms", 1000, MS / 10 },
	{ "late by a tick of 4 ms", 1000, 4 * MS },
	{ "late by all that is caught up with", 1000, 9 * MS },
	{ "fast", 20000, MS / 10 },
	{ "faster than timers", 500000, MS },
	{ "as fast as may be", 1000000, MS / 10 },
	{ "slow", 3, 4 * MS },
};

START_TEST(the_rate_is_kept_however_late_timers_are)
{
	struct pace p = { 0 };
	uint64_t    now = 12345 * MS, begin = now, sent = 0, until, most = 0;

	until = begin + 10000 * MS;
	pace_begin(&p, paces[_i].rate, now);
	while (now < until) {
		uint32_t n = pace_allows(&p, now);

		pace_sent(&p, n);
		sent += n;
		most = n > most ? n : most;
		now += pace_wait(&p, now) + paces[_i].late_ns;
		ck_assert_uint_le(sent, 1 + paces[_i].rate *
			(now - begin) / (1000 * MS));
	}
	ck_assert_msg(sent * 1000 >= paces[_i].rate * 10000ull * 998 / 1000,
	    "%s: %lu", paces[_i].what, sent);
	ck_assert_uint_le(most, 1 + paces[_i].rate * PACE_BURST_MS / 1000);
}
END_TEST

START_TEST(a_pause_saves_up_no_burst)
{
	struct pace p = { 0 };

	pace_begin(&p, 1000, 0);
	ck_assert_uint_eq(pace_allows(&p, 0), 1);
	pace_sent(&p, 1);
	ck_assert_uint_eq(pace_allows(&p, 0), 0);
	ck_assert_uint_eq(pace_wait(&p, 0), MS);
	ck_assert_uint_eq(pace_allows(&p, 3600 * 1000 * MS), 1 + PACE_BURST_MS);
	pace_rate(&p, 0); /* nobody's rate: as slow as can be, not a division */
	pace_sent(&p, 1);
	pace_rate(&p, UINT32_MAX);
	ck_assert_uint_eq(p.gap, 1000);
}
END_TEST

START_TEST(a_token_proves_who_was_asked_and_of_what)
{
	struct token_keys t, other;
	uint32_t	  a;

	ck_assert_int_eq(token_init(&t, 1000), 0);
	ck_assert_int_eq(token_init(&other, 1000), 0);
	a = token_of(&t, 3, host4);
	ck_assert_uint_eq(a, token_of(&t, 3, host4));
	ck_assert(token_is(&t, 3, host4, a, 0xffffffff));
	ck_assert(token_is(&t, 3, host4, a & 0xffff, 0xffff));
	ck_assert(!token_is(&t, 3, host4, a ^ 1, 0xffff));
	ck_assert(!token_is(&t, 4, host4, a, 0xffffffff));
	ck_assert(!token_is(&t, 3, odd4, a, 0xffffffff));
	ck_assert(!token_is(&other, 3, host4, a, 0xffffffff));

	token_turn(&t, 1000 + TOKEN_LIFE * 1000 - 1);
	ck_assert_uint_eq(a, token_of(&t, 3, host4));
	token_turn(&t, 1000 + TOKEN_LIFE * 1000);
	ck_assert_uint_ne(a, token_of(&t, 3, host4));
	ck_assert(token_is(&t, 3, host4, a, 0xffffffff));
	token_turn(&t, 1000 + 2 * TOKEN_LIFE * 1000);
	ck_assert(!token_is(&t, 3, host4, a, 0xffffffff));
}
END_TEST

START_TEST(tokens_are_siphash)
{
	/* the vector of 17 bytes 0 to 16 in the SipHash authors' code; key 0 to
	 * 15. Ours has the peer's bytes first, then the kind. */
	struct token_keys t = { .key = { { 0x0706050403020100ull,
					     0x0f0e0d0c0b0a0908ull } } };
	uint8_t		  peer[16];

	for (uint8_t i = 0; i < 16; i++)
		peer[i] = i;
	ck_assert_uint_eq(token_of(&t, 16, peer), 0x2cbe4794); /* of 0x699ae9f52cbe4794 */
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("probe");
	TCase	*tc = tcase_create("probe");
	SRunner *r = srunner_create(s);
	int	 failed;

	tcase_add_test(tc, frames_are_as_scapy_writes_them);
	tcase_add_test(tc, echoes_are_as_scapy_writes_them);
	tcase_add_loop_test(tc, reverse_queries_are_as_scapy_writes_them, 0,
	    COUNT(pointers));
	tcase_add_test(tc, the_longest_query_fits);
	tcase_add_test(tc, services_are_as_scapy_writes_them);
	tcase_add_loop_test(tc, a_service_is_a_name_and_nothing_else, 0,
	    COUNT(services));
	tcase_add_test(tc, nbstat_and_snmp_are_as_scapy_writes_them);
	tcase_add_loop_test(tc, the_rate_is_kept_however_late_timers_are, 0,
	    COUNT(paces));
	tcase_add_test(tc, a_pause_saves_up_no_burst);
	tcase_add_test(tc, a_token_proves_who_was_asked_and_of_what);
	tcase_add_test(tc, tokens_are_siphash);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
