/*
 * tests/unit/check_scan_round.c - rounds of reports, against a receiver that does what
 * docs/scan.md says: whatever devices do, its table is the sender's.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <isa-l/igzip_lib.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <linux/netlink.h>

#include "common/hash.h"
#include "common/store_client.h"
#include "dp-scan/round.h"
#include "dp-scan/scan.h"

#define MAX_DEVICES 200

static const uint8_t   self[REPORT_DEVICE_LEN] = { 1 };
static struct devices *d;
static struct round   *r;
static json_t	      *table; /* the receiver's: "id" to row */
static json_int_t      held;
static char	       long_name[2000]; /* of who is called "long" */
static unsigned	       parts, rows, gone, seen;

static enum place
place(void *ctx, uint32_t ifindex, const uint8_t a[16])
{
	(void)ctx;
	(void)ifindex;
	(void)a;
	return PLACE_LINK;
}

static bool
event(void *ctx, enum device_event e, const struct record *rec,
    const struct record *other, const char *detail)
{
	(void)ctx;
	(void)e;
	(void)rec;
	(void)other;
	(void)detail;
	return true;
}

static json_t *
row(void *ctx, const struct record *rec, bool lasting)
{
	struct item it;
	char	    name[256] = "";

	(void)ctx;
	if (record_newest(rec, FACT_NAME, &it))
		snprintf(name, sizeof(name), "%.*s", (int)it.len,
		    (const char *)it.data);
	return json_pack("{s:I,s:I,s:s,s:s}", "id", (json_int_t)rec->id,
	    "last_seen", lasting ? 0 : (json_int_t)rec->last, "state",
	    rec->state == RECORD_SEEN ? "seen" : "not-seen", "name",
	    strcmp(name, "long") == 0 ? long_name : name);
}

static void
setup(void)
{
	static const struct devices_ops	 ops = { place, NULL, event };
	static const struct devices_conf conf = { .max = MAX_DEVICES,
		.life_time = 100, .keep_time = 100, .said_time = 100 };

	ck_assert_int_eq(hash_setup(), 0);
	ck_assert_int_eq(devices_new(&conf, &ops, NULL, &d), 0);
	ck_assert_int_eq(round_new(d, row, NULL, &r), 0);
	table = json_object();
	held = 0;
}

static void
teardown(void)
{
	round_free(&r);
	devices_free(&d);
	json_decref(table);
}

static void
see(unsigned device, const char *name, uint32_t now)
{
	struct sight s;

	sight_begin(&s, SIGHT_MDNS);
	memcpy(s.mac, (uint8_t[6]){ 2, 0, 0, 0, 1, (uint8_t)device }, 6);
	memcpy(s.addr, (uint8_t[16]){ [10] = 0xff, [11] = 0xff, [12] = 10,
	    [15] = (uint8_t)(device + 1) }, 16);
	if (name != NULL)
		sight_add(&s, FACT_NAME, name, strlen(name));
	(void)devices_see(d, &s, now);
}

static void
at(struct sight *s, enum sight_by by, unsigned host)
{
	sight_begin(s, by);
	memcpy(s->addr, (uint8_t[16]){ [10] = 0xff, [11] = 0xff, [12] = 10,
	    [14] = 1, [15] = (uint8_t)host }, 16);
}

/* Something answers by an address alone. */
static void
answers(unsigned host, uint32_t now)
{
	struct sight s;

	at(&s, SIGHT_ECHO, host);
	(void)devices_see(d, &s, now);
}

/* It is that device: two records become one, if there were two. Its id; 0: none. */
static uint32_t
is_of(unsigned host, unsigned device, uint32_t now)
{
	struct sight	     s;
	const struct record *rec;

	at(&s, SIGHT_ARP, host);
	memcpy(s.mac, (uint8_t[6]){ 2, 0, 0, 0, 1, (uint8_t)device }, 6);
	rec = devices_see(d, &s, now);
	return rec != NULL ? rec->id : 0;
}

/* -- the receiver -- */

static json_t *
unpack(const void *packed, size_t len, size_t max)
{
	static uint8_t	      text[STORE_REPORT_MAX];
	struct inflate_state *z = malloc(sizeof(*z));
	json_t		     *part;

	ck_assert_uint_le(len, max);
	isal_inflate_init(z);
	z->crc_flag = ISAL_GZIP;
	z->next_in = (uint8_t *)(uintptr_t)packed;
	z->avail_in = (uint32_t)len;
	z->next_out = text;
	z->avail_out = sizeof(text);
	ck_assert_int_eq(isal_inflate(z), ISAL_DECOMP_OK);
	ck_assert(z->block_state == ISAL_BLOCK_FINISH && z->avail_in == 0);
	ck_assert_uint_le(z->total_out, max);
	part = json_loadb((char *)text, z->total_out, JSON_REJECT_DUPLICATES, NULL);
	free(z);
	ck_assert_ptr_nonnull(part);
	return part;
}

static const char *
key_of(json_int_t id)
{
	static char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)id);
	return text;
}

static void
take(json_t *part)
{
	json_t	  *base = json_object_get(part, "base"), *v, *w;
	json_int_t number = json_integer_value(json_object_get(part, "round"));
	size_t	   i, k;

	parts++;
	ck_assert_int_eq(json_integer_value(json_object_get(part, "part")), parts);
	if (parts == 1 && json_is_null(base))
		json_object_clear(table);
	else if (!json_is_null(base))
		ck_assert_int_eq(json_integer_value(base), held);
	json_array_foreach(json_object_get(part, "devices"), i, v) {
		json_object_set(table, key_of(json_integer_value(
		    json_object_get(v, "id"))), v);
		rows++;
	}
	json_array_foreach(json_object_get(part, "gone"), i, v) {
		ck_assert_int_eq(json_object_del(table,
		    key_of(json_integer_value(v))), 0);
		gone++;
	}
	json_array_foreach(json_object_get(part, "seen"), i, v) {
		json_int_t id = 0;

		ck_assert_uint_ge(json_array_size(v), 2);
		json_array_foreach(v, k, w) {
			if (k == 0)
				continue;
			id += json_integer_value(w);
			ck_assert_int_eq(json_object_set(json_object_get(table,
			    key_of(id)), "last_seen", json_array_get(v, 0)), 0);
			seen++;
		}
	}
	if (!json_is_true(json_object_get(part, "last")))
		return;
	held = number;
	ck_assert_int_eq(json_integer_value(json_object_get(part, "count")),
	    (json_int_t)json_object_size(table));
}

/* Parts go on until `most` of them came, and between two of them something happens;
 * true: it was whole. */
static bool
go_round_while(uint32_t number, bool full, size_t max, unsigned most,
    void (*happens)(uint32_t now), uint32_t now)
{
	const void *packed;
	size_t	    len;
	int	    e;

	parts = rows = gone = seen = 0;
	ck_assert_int_eq(round_begin(r, self, number, full), 0);
	do {
		while ((e = round_work(r, max)) == 0)
			;
		ck_assert_int_eq(e, 1);
		packed = round_part(r, &len);
		json_t *part = unpack(packed, len, max);
		take(part);
		json_decref(part);
		if (happens != NULL)
			happens(now);
	} while (!round_is_last(r) && parts < most);
	if (!round_is_last(r))
		return false;
	round_end(r);
	return true;
}

static bool
go_round(uint32_t number, bool full, size_t max, unsigned most)
{
	return go_round_while(number, full, max, most, NULL, 0);
}

static void
same(void)
{
	size_t n = 0;

	for (size_t i = 0; i < devices_slots(d); i++) {
		const struct record *rec = devices_at(d, i);
		json_t		    *is, *has;

		if (rec == NULL)
			continue;
		n++;
		is = row(NULL, rec, false);
		has = json_object_get(table, key_of(rec->id));
		ck_assert_msg(json_equal(is, has), "device %u", rec->id);
		json_decref(is);
	}
	ck_assert_uint_eq(n, json_object_size(table));
}

START_TEST(what_did_not_change_is_not_told_again)
{
	for (unsigned i = 0; i < 100; i++)
		see(i, "a", 1000);
	ck_assert(go_round(1, false, 4096, UINT_MAX));
	ck_assert_uint_eq(rows, 100);
	ck_assert_uint_gt(parts, 1);
	ck_assert_uint_eq(round_counts(r)->base, 0);
	ck_assert(go_round(2, false, 4096, UINT_MAX));
	ck_assert(parts == 1 && rows == 0 && gone == 0 && seen == 0);
	see(7, "a", 1001);
	see(8, "b", 1001);
	see(101, "c", 1001);
	ck_assert(go_round(3, false, 4096, UINT_MAX));
	ck_assert(parts == 1 && rows == 2 && gone == 0 && seen == 1);
	same();
	ck_assert(go_round(4, true, 4096, UINT_MAX));
	ck_assert_uint_eq(rows, 101);
	same();
}
END_TEST

START_TEST(a_round_that_was_dropped_is_followed_by_a_full_one)
{
	for (unsigned i = 0; i < 100; i++)
		see(i, "a", 1000);
	ck_assert(!go_round(1, false, 1024, 2));
	round_drop(r);
	ck_assert(go_round(2, false, 1024, UINT_MAX));
	ck_assert(rows == 100 && round_counts(r)->base == 0);
	for (unsigned i = 0; i < 100; i++)
		see(i, "b", 1001);
	ck_assert(!go_round(3, false, 1024, 1));
	round_drop(r);
	held = 0;
	ck_assert(go_round(4, false, 1024, UINT_MAX));
	ck_assert(rows == 100 && round_counts(r)->base == 0);
	same();
}
END_TEST

START_TEST(a_row_larger_than_a_part_is_left_out)
{
	memset(long_name, 'x', sizeof(long_name) - 1);
	see(1, "a", 1000);
	see(2, "long", 1000);
	see(3, "c", 1000);
	ck_assert(go_round(1, false, 1024, UINT_MAX));
	ck_assert(rows == 2 && round_counts(r)->left_out == 1);
	see(1, "long", 1001); /* what was told of it is old */
	ck_assert(go_round(2, false, 1024, UINT_MAX));
	ck_assert(rows == 0 && gone == 1 && round_counts(r)->left_out == 2);
	ck_assert(go_round(3, false, 1024, UINT_MAX));
	ck_assert(rows == 0 && gone == 0 && round_counts(r)->left_out == 2);
	see(1, "b", 1002);
	see(2, "b", 1002);
	ck_assert(go_round(4, false, 1024, UINT_MAX));
	ck_assert(rows == 2 && round_counts(r)->left_out == 0);
	same();
}
END_TEST

START_TEST(of_two_that_become_one_the_other_is_gone)
{
	see(7, "a", 990);
	answers(100, 1000); /* the second device */
	see(1, "a", 1001);  /* the third */
	ck_assert(go_round(1, false, 65000, UINT_MAX));
	ck_assert_uint_eq(is_of(100, 1, 1002), 2);
	ck_assert(go_round(2, false, 65000, UINT_MAX));
	ck_assert(rows == 1 && gone == 1);
	same();
}
END_TEST

static void
first_is_59(uint32_t now)
{
	ck_assert_uint_eq(is_of(100, 59, now), 1);
}

static void
last_is_0(uint32_t now)
{
	ck_assert_uint_eq(is_of(101, 0, now), 2);
}

/* The first, which is looked at, and one whose turn comes, and the reverse. */
START_TEST(two_may_become_one_while_a_round_goes)
{
	answers(100, 1000);
	for (unsigned i = 0; i < 60; i++)
		see(i, "a", 1001);
	answers(101, 1001);
	ck_assert(go_round(1, false, 65000, UINT_MAX));
	for (unsigned i = 0; i < 60; i++)
		see(i, "b", 1002); /* for several parts */
	ck_assert(go_round_while(2, false, 1024, UINT_MAX,
	    _i == 0 ? first_is_59 : last_is_0, 1003));
	ck_assert_uint_gt(parts, 2);
	ck_assert_uint_ge(json_object_size(table), 61);
	ck_assert(go_round(3, false, 65000, UINT_MAX));
	same();
}
END_TEST

static void
anything(uint32_t now)
{
	answers((unsigned)random() % 20, now);
	if (random() % 2)
		(void)is_of((unsigned)random() % 20, (unsigned)random() % 250,
		    now);
}

/* Devices come, change, become one, fall silent and are gone, also between two
 * parts. */
START_TEST(the_receiver_has_what_the_sender_has)
{
	uint32_t now = 1000, number = 0;

	srandom((unsigned)_i);
	for (int turn = 0; turn < 60; turn++) {
		long   n = random() % 300;
		size_t max = 1024 + (size_t)random() % 3000;
		char   name[16];

		for (long i = 0; i < n; i++) {
			snprintf(name, sizeof(name), "n%ld", random() % 3);
			see((unsigned)random() % 250, random() % 4 ? NULL : name,
			    now);
			if (random() % 16 == 0)
				anything(now);
			now += random() % 20 == 0;
		}
		now += random() % 4 == 0 ? (uint32_t)random() % 150 : 1;
		devices_age(d, now);
		if (random() % 8 == 0 && !go_round(++number, false, max, 1))
			round_drop(r);
		if (random() % 4 == 0)
			ck_assert(go_round_while(++number, false, max, UINT_MAX,
			    anything, now));
		ck_assert(go_round(++number, random() % 16 == 0, max, UINT_MAX));
		same();
	}
	ck_assert_uint_gt(devices_counts(d)->merged, 10);
}
END_TEST

/* -- what it costs: real rows of SCAN_ROUND_DEVICES, of which DHCP and mDNS told -- */

static void
tell(unsigned device, uint32_t now)
{
	struct sight s;

	sight_begin(&s, SIGHT_DHCP);
	memcpy(s.mac, (uint8_t[6]){ 2, 0, 0, (uint8_t)(device >> 16),
	    (uint8_t)(device >> 8), (uint8_t)device }, 6);
	memcpy(s.addr, (uint8_t[16]){ [10] = 0xff, [11] = 0xff, [12] = 10,
	    [13] = (uint8_t)(1 + (device >> 16)), [14] = (uint8_t)(device >> 8),
	    [15] = (uint8_t)device }, 16);
	sight_addf(&s, FACT_NAME, "workstation-%05u", device);
	sight_addf(&s, FACT_VENDOR_CLASS, "MSFT 5.0");
	sight_addf(&s, FACT_FINGERPRINT, "1,3,6,15,31,33,43,44,46,47,119,121,249,252");
	(void)devices_see(d, &s, now);
}

static json_t *
real_row(void *ctx, const struct record *rec, bool lasting)
{
	return lasting ? scan_device_lasting(ctx, rec) : scan_device_row(ctx, rec);
}

/* Bytes of a round, unpacked, and the longest turn of its work in ms. */
static size_t
cost(uint32_t number, size_t *unpacked, double *longest)
{
	static const struct timespec zero;
	struct timespec a = zero, b = zero;
	size_t		sum = 0, len;
	int		e;

	*unpacked = 0;
	ck_assert_int_eq(round_begin(r, self, number, false), 0);
	do {
		do {
			clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
			e = round_work(r, STORE_REPORT_MAX);
			clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
			double ms = (double)(b.tv_sec - a.tv_sec) * 1e3 +
			    (double)(b.tv_nsec - a.tv_nsec) / 1e6;
			*longest = ms > *longest ? ms : *longest;
		} while (e == 0);
		ck_assert_int_eq(e, 1);
		const uint8_t *part = round_part(r, &len);
		sum += len; /* a gzip file ends with what it was, RFC 1952 2.3.1 */
		*unpacked += (size_t)part[len - 4] | (size_t)part[len - 3] << 8;
	} while (!round_is_last(r));
	round_end(r);
	return sum;
}

START_TEST(changes_cost_a_small_part_of_a_full_round)
{
	const char	   *env = getenv("SCAN_ROUND_DEVICES");
	unsigned	    n = env != NULL ? (unsigned)atoi(env) : 1000, new = n / 100;
	struct devices_conf conf = { .max = n + new, .life_time = 1000000,
		.keep_time = 1000000, .said_time = 1000000 };
	struct net_ops	    none = { 0 };
	static struct scan  s;
	size_t		    full, quiet, churn, was, raw;
	double		    longest = 0;

	ck_assert_int_eq(loop_new(&s.loop), 0);
	ck_assert_int_eq(net_new(s.loop, socket(AF_NETLINK, SOCK_RAW,
	    NETLINK_ROUTE), &none, NULL, &s.net), 0);
	snprintf(s.conf.id, sizeof(s.conf.id),
	    "01234567-89ab-4cde-8f01-23456789abcd");
	devices_configure(d, &conf);
	devices_begin(d, 1795899152);
	round_free(&r);
	ck_assert_int_eq(round_new(d, real_row, &s, &r), 0);
	for (unsigned i = 0; i < n; i++)
		tell(i, 1795899152 + i / 500);
	full = cost(1, &was, &longest);
	/* the next hour, in an order that has nothing to do with their numbers */
	for (unsigned i = 0; i < n; i++)
		tell((unsigned)((uint64_t)i * 30011 % n), 1795902752 +
		    (uint32_t)((uint64_t)i * 3600 / n));
	quiet = cost(2, &raw, &longest);
	ck_assert_uint_eq(round_counts(r)->rows, 0);
	for (unsigned i = 0; i < n + new; i++)
		tell(i < n ? (unsigned)((uint64_t)i * 30011 % n) : i, 1795906352 +
		    (uint32_t)((uint64_t)i * 3600 / n));
	churn = cost(3, &raw, &longest);
	ck_assert_uint_eq(round_counts(r)->rows, new);
	ck_assert_uint_lt(churn * 20, was);
	printf("REPORT rounds of %u devices: full %zu bytes, unpacked %zu; all seen "
	    "again %zu, and %u new ones %zu; longest turn %.1f ms\n", n, full, was,
	    quiet, new, churn, longest);
	net_free(&s.net);
	loop_free(&s.loop);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("scan round");
	TCase	*tc = tcase_create("round");
	SRunner *sr = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_did_not_change_is_not_told_again);
	tcase_add_test(tc, a_round_that_was_dropped_is_followed_by_a_full_one);
	tcase_add_test(tc, a_row_larger_than_a_part_is_left_out);
	tcase_add_test(tc, of_two_that_become_one_the_other_is_gone);
	tcase_add_loop_test(tc, two_may_become_one_while_a_round_goes, 0, 2);
	tcase_add_loop_test(tc, the_receiver_has_what_the_sender_has, 0, 20);
	tcase_add_test(tc, changes_cost_a_small_part_of_a_full_round);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
