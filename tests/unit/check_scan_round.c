/*
 * tests/unit/check_scan_round.c - rounds of reports, against a receiver that does what
 * docs/scan.md says: whatever devices do, its table is the sender's.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <isa-l/igzip_lib.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/store_client.h"
#include "dp-scan/round.h"

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

static void
event(void *ctx, enum device_event e, const struct record *rec,
    const struct record *other, const char *detail)
{
	(void)ctx;
	(void)e;
	(void)rec;
	(void)other;
	(void)detail;
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
	static const struct devices_ops	 ops = { place, event };
	static const struct devices_conf conf = { .max = MAX_DEVICES,
		.life_time = 100, .keep_time = 100 };

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
	struct sight s = { .by = SIGHT_ARP, .has_mac = true, .has_addr = true };

	s.answer = true;
	memcpy(s.mac, (uint8_t[6]){ 2, 0, 0, 0, (uint8_t)(device >> 8),
	    (uint8_t)device }, 6);
	memcpy(s.addr, (uint8_t[16]){ [10] = 0xff, [11] = 0xff, [12] = 10,
	    [14] = (uint8_t)(device >> 8), [15] = (uint8_t)device }, 16);
	(void)name;
	(void)devices_see(d, &s, now);
}
