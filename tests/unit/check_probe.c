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
#include "dp-probe/hear.h"
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

	token_turn(&t, 999); /* by a clock that is behind */
	token_turn(&t, 1000 + TOKEN_LIFE * 1000 - 1);
	ck_assert_uint_eq(a, token_of(&t, 3, host4));
	token_turn(&t, 1000 + TOKEN_LIFE * 1000);
	ck_assert_uint_ne(a, token_of(&t, 3, host4));
	ck_assert(token_is(&t, 3, host4, a, 0xffffffff));
	a = token_of(&t, 3, host4);
	token_turn(&t, 1000 + 3 * TOKEN_LIFE * 1000); /* nobody asked meanwhile */
	ck_assert(!token_is(&t, 3, host4, a, 0xffffffff));
}
END_TEST

/* An answer as it comes; for echoes by IPv4 behind a header. */
static const struct {
	const char     *what;
	enum ask_socket socket;
	uint8_t		kind, as; /* whose token it bears; what it is said to be */
	uint16_t	port;
	const uint8_t  *peer, *from; /* whom that token is for; who sends it */
	size_t		at, len; /* where the token is, with 4 bytes of echoes */
	bool		good;
} answers[] = {
	{ "echo", ASK_ECHO4, PROBE_ECHO4, PROBE_ECHO4, 0, host4, host4, 24, 28,
	    true },
	{ "cut echo", ASK_ECHO4, PROBE_ECHO4, 0, 0, host4, host4, 24, 27, false },
	{ "no header", ASK_ECHO4, PROBE_ECHO4, 0, 0, host4, host4, 4, 8, false },
	{ "echo of another", ASK_ECHO4, PROBE_ECHO4, 0, 0, host4, odd4, 24, 28,
	    false },
	{ "echo, IPv6", ASK_ECHO6, PROBE_ECHO6, PROBE_ECHO6, 0, host6, host6, 4, 8,
	    true },
	{ "echo of all nodes", ASK_ECHO6, PROBE_ALLNODES, PROBE_ALLNODES, 0,
	    nobody, host6, 4, 8, true },
	{ "nbstat", ASK_NBSTAT4, PROBE_NBSTAT, PROBE_NBSTAT, 137, host4, host4, 0,
	    60, true },
	{ "nbstat from elsewhere", ASK_NBSTAT4, PROBE_NBSTAT, 0, 138, host4, host4,
	    0, 60, false },
	{ "short nbstat", ASK_NBSTAT4, PROBE_NBSTAT, 0, 137, host4, host4, 0, 11,
	    false },
	{ "mdns", ASK_MDNS4, PROBE_MDNS_BROWSE, PROBE_MDNS_BROWSE, 5353, nobody,
	    odd4, 0, 60, true },
	{ "mdns, reverse", ASK_MDNS6, PROBE_MDNS_PTR, PROBE_MDNS_PTR, 5353, nobody,
	    host6, 0, 60, true },
	{ "llmnr", ASK_LLMNR4, PROBE_LLMNR_PTR, PROBE_LLMNR_PTR, 5355, nobody,
	    odd4, 0, 60, true },
	{ "dns", ASK_DNS4, PROBE_DNS_PTR, PROBE_DNS_PTR, 53, own4, own4, 0, 60,
	    true },
	{ "dns of no server", ASK_DNS4, PROBE_DNS_PTR, 0, 53, host4, host4, 0, 60,
	    false },
	{ "snmp", ASK_SNMP4, PROBE_SNMP, PROBE_SNMP, 161, host4, host4, 16, 60,
	    true },
	{ "snmp of another", ASK_SNMP4, PROBE_SNMP, 0, 161, host4, odd4, 16, 60,
	    false },
	{ "snmp, too far behind", ASK_SNMP4, PROBE_SNMP, 0, 161, host4, host4, 200,
	    240, false },
	{ "nothing", ASK_SNMP4, PROBE_SNMP, 0, 161, host4, host4, 0, 0, false },
};

START_TEST(only_who_was_asked_is_heard)
{
	struct token_keys t;
	struct ask_conf	  c = { .nservers = 1 };
	uint8_t		  b[256] = { 0x45 };
	struct wr	  w = wr_to(b + answers[_i].at, 6);
	struct answer	  a = { .bytes = b, .len = answers[_i].len,
			  .port = answers[_i].port };
	uint32_t	  token;
	bool		  good;

	ck_assert_int_eq(token_init(&t, 0), 0);
	token = token_of(&t, answers[_i].kind, answers[_i].peer);
	memcpy(c.server[0], own4, 16);
	memcpy(a.addr, answers[_i].from, 16);
	if (answers[_i].kind == PROBE_SNMP) {
		wr_u16(&w, 0x0204);
		wr_u32(&w, query_snmp_id(token));
	} else if (answers[_i].port == 0)
		wr_u32(&w, token);
	else
		wr_u16(&w, (uint16_t)token);
	good = hear_accepts(&t, &c, answers[_i].socket, &a);
	ck_assert_msg(good == answers[_i].good, "%s", answers[_i].what);
	if (good)
		ck_assert_uint_eq(a.kind, answers[_i].as);
}
END_TEST

/* Milliseconds from the search to the answer; 0: there was none. */
static const struct {
	const char *text;
	uint64_t    after;
	bool	    good;
} found[] = {
	{ "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n", 1000, true },
	{ "HTTP/1.1 200 OK\r\n\r\n", TOKEN_SEARCH_MS - 1, true },
	{ "HTTP/1.1 200 OK\r\n\r\n", TOKEN_SEARCH_MS, false },
	{ "HTTP/1.1 200 OK\r\n\r\n", 0, false },
	{ "NOTIFY * HTTP/1.1\r\n\r\n", 1000, false },
	{ "HTTP/1.1 20", 1000, false },
};

START_TEST(what_a_search_finds_comes_soon_after_it)
{
	struct token_keys t;
	struct ask_conf	  c = { .nservers = 0 };
	struct answer	  a = { .bytes = (const uint8_t *)found[_i].text,
			  .len = strlen(found[_i].text), .port = 49152 };

	ck_assert_int_eq(token_init(&t, 5000), 0);
	if (found[_i].after > 0)
		t.searched_ms = 5000;
	token_turn(&t, 5000 + found[_i].after);
	ck_assert_int_eq(hear_accepts(&t, &c, ASK_SSDP4, &a), found[_i].good);
	ck_assert_uint_eq(a.kind, PROBE_SSDP);
}
END_TEST

START_TEST(a_search_is_as_upnp_has_it)
{
	static const char v4[] = "M-SEARCH * HTTP/1.1\r\nHOST: "
				 "239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n"
				 "MX: 1\r\nST: ssdp:all\r\n\r\n";
	static const char v6[] = "M-SEARCH * HTTP/1.1\r\nHOST: [FF02::C]:1900\r\n";
	uint8_t		  b[QUERY_MAX];
	struct wr	  w = wr_to(b, sizeof(b));

	query_ssdp(&w, false);
	ck_assert_int_eq(w.err, 0);
	ck_assert_uint_eq(w.len, strlen(v4));
	ck_assert_mem_eq(b, v4, w.len);
	w = wr_to(b, sizeof(b));
	query_ssdp(&w, true);
	ck_assert_mem_eq(b, v6, strlen(v6));
}
END_TEST

START_TEST(a_query_for_members_is_as_rfc_3810_has_it)
{
	uint8_t	  b[FRAME_MAX];
	struct wr w = wr_to(b, sizeof(b));

	frame_mld(&w, mac, own6);
	ck_assert_int_eq(w.err, 0);
	ck_assert_uint_eq(w.len, 14 + 40 + 8 + 28);
	/* a sum with its own checksum in it is zero */
	ck_assert_uint_eq(echo_sum6(own6, b + 38, b + 62, 28), 0);
}
END_TEST

START_TEST(an_order_is_whole_or_none)
{
	uint8_t	      b[35 + 16 * 2] = { 0, 0, 0, 7, PROBE_ARP, 0, 0, 0, 3 };
	struct rd     r = rd_from(b, sizeof(b));
	struct order *o;

	ck_assert_int_eq(order_read(&r, &o), 0);
	ck_assert_uint_eq(o->id, 7);
	ck_assert_uint_eq(o->ifindex, 3);
	ck_assert_uint_eq(o->n, 2);
	order_fail(o, EIO);
	ck_assert_uint_eq(o->failed, 2);
	order_free(&o);
	for (size_t n = 0; n < sizeof(b); n++) {
		r = rd_from(b, n);
		if (n == 35 + 16)
			continue;
		ck_assert_int_eq(order_read(&r, &o), -EBADMSG);
		ck_assert_ptr_null(o);
	}
	b[4] = PROBE_MAX;
	r = rd_from(b, sizeof(b));
	ck_assert_int_eq(order_read(&r, &o), -EBADMSG);
}
END_TEST

static const struct {
	const char *text;
	int	    r;
	unsigned    n, line;
} communities[] = {
	{ "", 0, 0, 0 },
	{ "public\n", 0, 1, 1 },
	{ "# ours\n\nv1 a\nv2c b\nc", 0, 3, 5 },
	{ "a\nwith blank\n", -EINVAL, 1, 2 },
	{ "a\r\n", -EINVAL, 0, 1 },
	{ "\xc3\xbc", -EINVAL, 0, 1 },
	{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", -EINVAL, 8, 9 },
	{ "0123456789012345678901234567890123456789012345678901234567890123",
	    -EINVAL, 0, 1 },
};

START_TEST(communities_are_lines)
{
	struct ask_conf c = { 0 };
	unsigned	line;

	ck_assert_int_eq(ask_communities(&c, communities[_i].text, &line),
	    communities[_i].r);
	ck_assert_uint_eq(c.ncommunities, communities[_i].n);
	ck_assert_uint_eq(line, communities[_i].line);
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
	tcase_add_loop_test(tc, only_who_was_asked_is_heard, 0, COUNT(answers));
	tcase_add_loop_test(tc, what_a_search_finds_comes_soon_after_it, 0,
	    COUNT(found));
	tcase_add_test(tc, a_search_is_as_upnp_has_it);
	tcase_add_test(tc, a_query_for_members_is_as_rfc_3810_has_it);
	tcase_add_test(tc, an_order_is_whole_or_none);
	tcase_add_loop_test(tc, communities_are_lines, 0, COUNT(communities));
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
