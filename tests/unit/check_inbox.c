/*
 * tests/unit/check_inbox.c - the inbox against a real directory: what is kept,
 * in which order it leaves, what is refused, what is remembered.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/inbox.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SIZE (1 << 20)

static char		   dir[64];
static struct inbox	  *ib;
static struct inbox_limits limits = { SIZE, SIZE / 4, 100 };
static struct inbox_kept   kept;

static void
open_it(void)
{
	uint32_t version;

	ck_assert_int_eq(inbox_open(dir, SIZE, &ib, &version), 0);
	ck_assert_uint_eq(version, INBOX_VERSION);
}

static void
setup(void)
{
	strcpy(dir, "/tmp/check_inbox.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	open_it();
}

static void
teardown(void)
{
	char cmd[128];

	inbox_close(&ib);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static struct report_id
id_of(unsigned device, uint64_t sequence)
{
	struct report_id id = { .sequence = sequence };

	memset(id.device, 0x11, sizeof(id.device));
	id.device[0] = (uint8_t)(device >> 8);
	id.device[1] = (uint8_t)device;
	return id;
}

/* In a transaction of its own; the body is len times the sequence. */
static enum report_kept
put_at(unsigned device, uint64_t sequence, size_t len, uint64_t now)
{
	static uint8_t	 body[SIZE];
	struct report_id id = id_of(device, sequence);

	memset(body, (int)sequence, len);
	ck_assert_int_eq(inbox_begin(ib), 0);
	ck_assert_int_eq(inbox_put(ib, &id, now, body, len, &limits, &kept), 0);
	ck_assert_int_eq(inbox_commit(ib), 0);
	return kept.kept;
}

static enum report_kept
put(unsigned device, uint64_t sequence)
{
	return put_at(device, sequence, 10, 1000);
}

static bool
skip_one(void *ctx, const uint8_t *device)
{
	const unsigned *d = ctx;

	return d != NULL && device[1] == *d;
}

/* device * 1000 + sequence of the next report, 0 if there is none. */
static unsigned
next(unsigned after, unsigned *skip)
{
	struct report_id    a = id_of(after, 0), id;
	struct inbox_record rec;
	int		    r;

	ck_assert_int_eq(inbox_begin(ib), 0);
	r = inbox_next(ib, a.device, skip_one, skip, &id, &rec);
	if (r == 0) {
		ck_assert_uint_eq(rec.len, 10);
		ck_assert_uint_eq(rec.body[9], (uint8_t)id.sequence);
		ck_assert_uint_eq(rec.status, 0);
	}
	inbox_abort(ib);
	if (r == -ENOENT)
		return 0;
	ck_assert_int_eq(r, 0);
	return id.device[1] * 1000u + (unsigned)id.sequence;
}

static void
gone(unsigned device, uint64_t sequence)
{
	struct report_id id = id_of(device, sequence);

	ck_assert_int_eq(inbox_begin(ib), 0);
	ck_assert_int_eq(inbox_remove(ib, &id, 1000), 0);
	ck_assert_int_eq(inbox_commit(ib), 0);
}

static bool
refuse(unsigned device, uint64_t sequence)
{
	struct report_id id = id_of(device, sequence);
	bool		 dropped;

	ck_assert_int_eq(inbox_begin(ib), 0);
	ck_assert_int_eq(
	    inbox_refuse(ib, &id, 422, 1000, &limits, &dropped), 0);
	ck_assert_int_eq(inbox_commit(ib), 0);
	return dropped;
}

static void
sums_are(uint64_t queued, uint64_t aside, uint64_t devices)
{
	struct inbox_sums s = inbox_sums(ib);

	ck_assert_uint_eq(s.queued, queued);
	ck_assert_uint_eq(s.aside, aside);
	ck_assert_uint_eq(s.devices, devices);
	if (queued == 0)
		ck_assert_uint_eq(s.queued_bytes, 0);
	if (aside == 0)
		ck_assert_uint_eq(s.aside_bytes, 0);
}

START_TEST(reports_leave_in_order_of_each_device_which_take_turns)
{
	ck_assert_int_eq(put(1, 5), REPORT_KEPT);
	ck_assert_int_eq(put(2, 1), REPORT_KEPT);
	ck_assert_int_eq(put(1, 300), REPORT_KEPT); /* a gap means nothing */
	ck_assert_int_eq(put(3, 0), REPORT_KEPT);
	ck_assert_uint_eq(next(0, NULL), 1005);
	ck_assert_uint_eq(next(1, NULL), 2001);
	ck_assert_uint_eq(next(2, NULL), 3000);
	ck_assert_uint_eq(next(3, NULL), 1005); /* round */
	ck_assert_uint_eq(next(2, &(unsigned){ 3 }), 1005);
	gone(1, 5);
	ck_assert_uint_eq(next(3, NULL), 1300);
	gone(1, 300);
	gone(2, 1);
	ck_assert_uint_eq(next(1, &(unsigned){ 3 }), 0);
	ck_assert_uint_eq(next(3, &(unsigned){ 3 }), 0);
	gone(3, 0);
	ck_assert_uint_eq(next(0, NULL), 0);
	sums_are(0, 0, 3);
}
END_TEST

START_TEST(a_repeat_is_known_after_it_was_forwarded_and_after_a_start)
{
	ck_assert_int_eq(put(1, 7), REPORT_KEPT);
	ck_assert_int_eq(put(1, 7), REPORT_REPEATED);
	ck_assert_int_eq(put(1, 3), REPORT_REPEATED);
	ck_assert_uint_eq(kept.highest, 7);
	inbox_close(&ib);
	open_it();
	sums_are(1, 0, 1);
	ck_assert_int_eq(put(1, 7), REPORT_REPEATED);
	gone(1, 7);
	ck_assert_int_eq(put(1, 7), REPORT_REPEATED);
	ck_assert_int_eq(put(1, 8), REPORT_KEPT);
	ck_assert_uint_eq(kept.highest, 8);
	ck_assert_int_eq(put(1, REPORT_SEQUENCE_MAX), REPORT_KEPT);
	ck_assert_int_eq(put(2, 7), REPORT_KEPT); /* another's is another */
}
END_TEST

START_TEST(what_is_not_committed_was_never_there)
{
	struct report_id id = id_of(1, 1);

	ck_assert_int_eq(inbox_begin(ib), 0);
	ck_assert_int_eq(inbox_put(ib, &id, 1, "x", 1, &limits, &kept), 0);
	ck_assert_int_eq(kept.kept, REPORT_KEPT);
	inbox_abort(ib);
	sums_are(0, 0, 0);
	ck_assert_int_eq(put(1, 1), REPORT_KEPT);
}
END_TEST

START_TEST(bounds_are_kept_and_refuse_before_anything_is_written)
{
	size_t n = SIZE / 8 - 256;

	ck_assert_int_eq(put_at(1, 1, n, 1), REPORT_KEPT);
	ck_assert_int_eq(put_at(1, 2, n, 1), REPORT_KEPT);
	ck_assert_int_eq(put_at(1, 3, 0, 1), REPORT_FULL); /* a fourth of all */
	ck_assert_int_eq(kept.why, FULL_DEVICE);
	ck_assert_int_eq(put_at(1, 2, 0, 1), REPORT_REPEATED);
	for (unsigned d = 2; d < 8; d++)
		ck_assert_int_eq(put_at(d, 1, n, 1), REPORT_KEPT);
	ck_assert_int_eq(put_at(9, 1, 0, 1), REPORT_FULL);
	ck_assert_int_eq(kept.why, FULL_SIZE);
	sums_are(8, 0, 7); /* nothing is known of the ninth */
	gone(1, 1);
	ck_assert_int_eq(put_at(9, 1, 0, 1), REPORT_KEPT);
	ck_assert_int_eq(put_at(1, 3, n, 1), REPORT_FULL);
	ck_assert_int_eq(put_at(1, 3, n - 256, 1), REPORT_KEPT);
}
END_TEST

START_TEST(empty_reports_are_not_for_nothing)
{
	uint64_t n = 0;

	while (put_at(1, ++n, 0, 1) == REPORT_KEPT)
		ck_assert_uint_le(n, SIZE / 256);
	ck_assert_int_eq(kept.why, FULL_DEVICE);
}
END_TEST

START_TEST(the_silent_with_nothing_here_are_forgotten_first)
{
	struct inbox_limits few = { SIZE, SIZE, 100 };

	limits = few;
	for (unsigned d = 1; d <= 100; d++)
		ck_assert_int_eq(put_at(d, 9, 10, 1000 + d), REPORT_KEPT);
	ck_assert_int_eq(put_at(101, 9, 10, 2000), REPORT_FULL);
	ck_assert_int_eq(kept.why, FULL_DEVICES);
	gone(50, 9); /* used at 1050, now at 1000 is no later */
	gone(60, 9);
	gone(70, 9);
	ck_assert_int_eq(put_at(101, 9, 10, 2000), REPORT_KEPT);
	ck_assert_uint_eq(kept.forgotten, 2); /* a sixty-fourth, and one */
	sums_are(98, 0, 99);
	ck_assert_int_eq(put_at(70, 9, 10, 2000), REPORT_REPEATED);
	ck_assert_int_eq(put_at(50, 9, 10, 2000), REPORT_KEPT);
}
END_TEST

START_TEST(the_oldest_expire_wherever_they_stand)
{
	struct report_id gone_ids[8];
	uint64_t	 oldest;
	size_t		 n;

	limits = (struct inbox_limits){ SIZE, SIZE, 100 };
	put_at(1, 1, 10, 100);
	put_at(2, 1, 10, 300);
	put_at(3, 1, 10, 200);
	put_at(1, 2, 10, 400);
	ck_assert(!refuse(3, 1));
	sums_are(3, 1, 3);
	ck_assert_int_eq(inbox_begin(ib), 0);
	ck_assert_int_eq(inbox_oldest(ib, &oldest), 0);
	ck_assert_uint_eq(oldest, 100);
	ck_assert_int_eq(inbox_expire(ib, 300, 1, gone_ids, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(gone_ids[0].device[1], 1);
	ck_assert_int_eq(inbox_expire(ib, 300, 8, gone_ids, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(gone_ids[0].device[1], 3);
	ck_assert_int_eq(inbox_commit(ib), 0);
	sums_are(2, 0, 3);
	ck_assert_uint_eq(next(0, NULL), 1002);
	ck_assert_int_eq(put(1, 1), REPORT_REPEATED);
}
END_TEST

START_TEST(the_clock_goes_while_the_inbox_is_open_and_no_longer)
{
	uint64_t a = inbox_now(ib), b, wall = (uint64_t)time(NULL);

	ck_assert_uint_le(wall - a, 1); /* where it begins */
	usleep(1100000);
	put(1, 1); /* which writes it */
	b = inbox_now(ib);
	ck_assert(b == a + 1 || b == a + 2);
	inbox_close(&ib);
	usleep(3100000); /* the wall clock goes on */
	open_it();
	ck_assert(inbox_now(ib) == b || inbox_now(ib) == b + 1);
}
END_TEST

START_TEST(what_the_server_refuses_stands_aside_and_comes_back)
{
	struct report_id id = id_of(1, 1);
	size_t		 n;
	bool		 dropped;

	put(1, 1);
	put(1, 2);
	ck_assert(!refuse(1, 1));
	sums_are(1, 1, 1);
	ck_assert_uint_eq(next(0, NULL), 1002); /* it blocks nobody */
	ck_assert_int_eq(inbox_begin(ib), 0);
	ck_assert_int_eq(inbox_refuse(ib, &id, 422, 1, &limits, &dropped),
	    -ENOENT);
	inbox_abort(ib);
	ck_assert_int_eq(inbox_begin(ib), 0);
	ck_assert_int_eq(inbox_retry(ib, id_of(2, 0).device, 9, &n), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(inbox_retry(ib, NULL, 9, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(inbox_commit(ib), 0);
	sums_are(2, 0, 1);
	ck_assert_uint_eq(next(0, NULL), 1001);
}
END_TEST

START_TEST(no_more_than_a_fourth_stands_aside)
{
	size_t n = SIZE / 8 - 256;

	limits = (struct inbox_limits){ SIZE, SIZE, 100 };
	put_at(1, 1, n, 1);
	put_at(1, 2, n, 1);
	put_at(1, 3, n, 1);
	ck_assert(!refuse(1, 1));
	ck_assert(!refuse(1, 2));
	ck_assert(refuse(1, 3));
	sums_are(0, 2, 1);
}
END_TEST

START_TEST(a_device_is_dropped_whole_and_begins_anew)
{
	size_t n;

	put(1, 1);
	put(1, 2);
	put(1, 3);
	put(2, 1);
	refuse(1, 1);
	ck_assert_int_eq(inbox_begin(ib), 0);
	ck_assert_int_eq(inbox_drop(ib, id_of(1, 0).device, 2, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(inbox_drop(ib, id_of(1, 0).device, 2, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(inbox_drop(ib, id_of(1, 0).device, 2, &n), -ENOENT);
	inbox_abort(ib);
	sums_are(3, 1, 2); /* it was not committed */
	ck_assert_int_eq(inbox_begin(ib), 0);
	ck_assert_int_eq(inbox_drop(ib, id_of(1, 0).device, 9, &n), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(inbox_commit(ib), 0);
	sums_are(1, 0, 1);
	ck_assert_int_eq(put(1, 1), REPORT_KEPT);
}
END_TEST

static int
count_device(void *ctx, const uint8_t *device, const struct inbox_device *d)
{
	unsigned *sum = ctx;

	*sum += device[1] + 1000 * d->reports;
	return 1; /* a page each */
}

static int
count_report(void *ctx, const struct report_id *id, const struct inbox_record *r)
{
	uint64_t *sum = ctx;

	*sum = *sum * 10 + id->sequence + r->status;
	return 0;
}

START_TEST(devices_and_their_reports_are_listed)
{
	uint8_t	 from[REPORT_DEVICE_LEN];
	unsigned sum = 0;
	uint64_t seqs = 0;
	bool	 begun = false;
	int	 pages = 0;

	put(1, 1);
	put(1, 2);
	put(4, 4);
	refuse(1, 2);
	put(1, 3);
	ck_assert_int_eq(inbox_begin(ib), 0);
	while (inbox_each_device(ib, from, &begun, count_device, &sum) == 1)
		pages++;
	ck_assert_int_eq(pages, 2);
	ck_assert_uint_eq(sum, 4005);
	ck_assert_int_eq(inbox_each_report(ib, id_of(1, 0).device, false,
			     count_report, &seqs), 0);
	ck_assert_uint_eq(seqs, 13);
	seqs = 0;
	ck_assert_int_eq(inbox_each_report(ib, id_of(1, 0).device, true,
			     count_report, &seqs), 0);
	ck_assert_uint_eq(seqs, 424);
	inbox_abort(ib);
}
END_TEST

START_TEST(the_file_does_not_grow_when_as_much_leaves_as_comes)
{
	uint64_t seq = 0;
	long	 size[2];
	char	 path[96];
	FILE	*f;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 300; i++, seq++) {
			ck_assert_int_eq(inbox_begin(ib), 0);
			ck_assert_int_eq(inbox_reserve(ib, 3000), 0);
			inbox_abort(ib);
			ck_assert_int_eq(put_at(1, seq + 10,
			    (size_t)(seq * 7919 % 6000), 1), REPORT_KEPT);
			if (seq >= 20)
				gone(1, seq - 20 + 10);
		}
		f = fopen(path, "r");
		ck_assert_ptr_nonnull(f);
		fseek(f, 0, SEEK_END);
		size[round] = ftell(f);
		fclose(f);
	}
	ck_assert_int_le(size[1], size[0] + size[0] / 2);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("inbox");
	TCase	*t = tcase_create("inbox");
	SRunner *r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, reports_leave_in_order_of_each_device_which_take_turns);
	tcase_add_test(t, a_repeat_is_known_after_it_was_forwarded_and_after_a_start);
	tcase_add_test(t, what_is_not_committed_was_never_there);
	tcase_add_test(t, bounds_are_kept_and_refuse_before_anything_is_written);
	tcase_add_test(t, empty_reports_are_not_for_nothing);
	tcase_add_test(t, the_silent_with_nothing_here_are_forgotten_first);
	tcase_add_test(t, the_oldest_expire_wherever_they_stand);
	tcase_add_test(t, the_clock_goes_while_the_inbox_is_open_and_no_longer);
	tcase_add_test(t, what_the_server_refuses_stands_aside_and_comes_back);
	tcase_add_test(t, no_more_than_a_fourth_stands_aside);
	tcase_add_test(t, a_device_is_dropped_whole_and_begins_anew);
	tcase_add_test(t, devices_and_their_reports_are_listed);
	tcase_add_test(t, the_file_does_not_grow_when_as_much_leaves_as_comes);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
