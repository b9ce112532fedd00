/*
 * tests/unit/check_mcast_get.c - dp-agent/mcast.c and mcast_get.c: what comes in
 * between, too late or again, and what insiders announce.
 * SPDX-License-Identifier: ISC
 */
#include "tests/harness/agent-mcast.h"

#include <check.h>

#define E	1000
#define K	100 /* source symbols of a block */
#define BLOCKS	10
#define SIZE	((size_t)E * K * BLOCKS)

static uint8_t bytes[SIZE];

static void
setup(void)
{
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 7919);
	lab_open();
}

static void
teardown(void)
{
	lab_close_target();
}

/* All of one block as it is, with one symbol in it spoiled if asked for. */
static void
send_block(uint16_t tsi, uint32_t sbn, int spoiled)
{
	for (uint16_t i = 0; i < K; i++) {
		uint8_t symbol[E];

		memcpy(symbol, bytes + ((size_t)sbn * K + i) * E, E);
		if (i == spoiled)
			symbol[5] ^= 1;
		lab_data(tsi, sbn, K, i, symbol, E);
		if (i % 50 == 49) /* what a socket holds */
			lab_run(1);
	}
}

static void
is_right(void)
{
	static uint8_t got[SIZE];

	ck_assert_uint_eq(lab.overs, 1);
	ck_assert(lab.whole);
	ck_assert_int_eq(pread(lab.target.read_fd, got, SIZE, 0), SIZE);
	ck_assert_int_eq(memcmp(got, bytes, SIZE), 0);
}

/* What GET /v1/blocks answers; the first n pieces right. */
static size_t
pieces(struct hash *h, unsigned right)
{
	size_t n = 0;

	for (size_t at = 0; at < SIZE; at += 256 << 10, n++) {
		size_t len = SIZE - at < 256 << 10 ? SIZE - at : 256 << 10;

		ck_assert_int_eq(hash_of(&h[n], bytes + at, len), 0);
		if (n >= right)
			h[n].b[0] ^= 1;
	}
	return n * HASH_LEN;
}

static void
answer_range(int fd, size_t from, size_t to)
{
	char head[200];

	snprintf(head, sizeof(head),
	    "206 Partial Content\r\nContent-Range: bytes %zu-%zu/%zu", from,
	    to - 1, SIZE);
	lab_answer(fd, head, bytes + from, to - from);
}

START_TEST(an_object_comes_whole)
{
	lab_target(bytes, SIZE, 0);
	lab_begin();
	lab_describe(LAB_TSI, E, K, 120, true);
	for (uint32_t b = 0; b < BLOCKS; b++)
		send_block(LAB_TSI, b, -1);
	lab_run(50);
	is_right();
	ck_assert_uint_eq(lab.target.cast.multicast, SIZE);
}
END_TEST

/* More of it than the replay window holds may wait while a notice is read. */
START_TEST(data_is_not_late_because_a_notice_came_first)
{
	lab_target(bytes, SIZE, 0);
	lab_begin();
	lab_describe(LAB_TSI, E, K, 120, true);
	send_block(LAB_TSI, 0, -1);
	lab_run(10);
	lab.counter += 3 * MCAST_WINDOW;
	lab_notice(LAB_TSI, 0, 1);
	lab_run(10);
	lab.counter -= 3 * MCAST_WINDOW;
	for (uint32_t b = 1; b < BLOCKS; b++)
		send_block(LAB_TSI, b, -1);
	lab_run(50);
	is_right();
}
END_TEST

START_TEST(packets_do_not_disturb_the_repair_of_a_forged_one)
{
	struct hash h[8];
	size_t	    len = pieces(h, 8);
	int	    fd;

	lab_target(bytes, SIZE, 0);
	lab_begin();
	lab_describe(LAB_TSI, E, K, 120, true);
	for (uint32_t b = 0; b < BLOCKS; b++)
		send_block(LAB_TSI, b, b == 3 ? 7 : -1);
	ck_assert_int_ge(fd = lab_asked("/v1/blocks/"), 0);
	/* while it looks, and while it fetches, more comes to the group */
	lab_send(0, "nonsense", 8);
	lab_notice(LAB_TSI, 0, BLOCKS);
	lab_run(20);
	lab_answer(fd, "200 OK", h, len);
	ck_assert_int_ge(fd = lab_asked("Range: bytes=262144-524287"), 0);
	lab_send(0, "nonsense", 8);
	lab_notice(LAB_TSI, MCAST_END, BLOCKS);
	lab_run(50);
	answer_range(fd, 262144, 524288);
	is_right();
	ck_assert_uint_eq(lab.target.cast.unicast, 262144);
}
END_TEST

START_TEST(all_of_it_was_there_when_we_started)
{
	struct hash h[8];
	size_t	    len = pieces(h, 8);
	int	    fd;

	lab_target(bytes, SIZE, SIZE);
	lab_begin();
	lab_describe(LAB_TSI, E, K, 120, true);
	ck_assert_int_ge(fd = lab_asked("/v1/blocks/"), 0);
	lab_notice(LAB_TSI, 0, 1);
	lab_answer(fd, "200 OK", h, len);
	lab_notice(LAB_TSI, 0, 2);
	lab_run(50);
	is_right();
	for (int i = 0; i < 5; i++) { /* it still listens, but reads no more */
		lab_notice(LAB_TSI, 0, BLOCKS);
		lab_run(20);
	}
	ck_assert_uint_eq(lab.target.cast.unicast, 0);
}
END_TEST

START_TEST(hashes_that_come_after_the_end_count)
{
	struct hash h[8];
	size_t	    len = pieces(h, 8);
	int	    fd;

	lab_target(bytes, SIZE, 600000);
	lab_begin();
	lab_describe(LAB_TSI, E, K, 120, true);
	ck_assert_int_ge(fd = lab_asked("/v1/blocks/"), 0);
	send_block(LAB_TSI, BLOCKS - 1, -1);
	lab_notice(LAB_TSI, MCAST_ABORT, BLOCKS);
	lab_run(100);
	ck_assert_uint_eq(lab.overs, 0);
	lab_answer(fd, "200 OK", h, len);
	/* two pieces were there: 524288 bytes, five whole blocks of them */
	ck_assert_int_ge(fd = lab_asked("Range: bytes=500000-899999"), 0);
	answer_range(fd, 500000, 900000);
	is_right();
	ck_assert_uint_eq(lab.target.cast.unicast, 400000);
}
END_TEST

START_TEST(no_hashes_after_the_end_are_no_loss)
{
	int fd;

	lab_target(bytes, SIZE, 600000);
	lab_begin();
	lab_describe(LAB_TSI, E, K, 120, true);
	ck_assert_int_ge(fd = lab_asked("/v1/blocks/"), 0);
	send_block(LAB_TSI, BLOCKS - 1, -1);
	lab_notice(LAB_TSI, MCAST_END, BLOCKS);
	lab_run(100);
	lab_answer(fd, "503 Busy", "", 0);
	ck_assert_int_ge(fd = lab_asked("Range: bytes=0-899999"), 0);
	answer_range(fd, 0, 900000);
	is_right();
}
END_TEST

static void
one_session(uint16_t tsi)
{
	lab_target(bytes, SIZE, 0);
	lab_begin();
	lab_describe(tsi, E, K, 120, true);
	lab_run(1); /* notices are read first, and this is no session yet */
	lab_notice(tsi, 0, 0);
	lab_run(1);
	for (uint32_t b = 0; b < BLOCKS; b++)
		send_block(tsi, b, -1);
	lab_notice(tsi, 0, BLOCKS);
	lab_run(20);
	is_right();
}

START_TEST(what_is_sent_again_comes_in_the_new_session)
{
	one_session(100);
	ck_assert_ptr_nonnull(lab.net.mcast->casts); /* it lingers */
	lab_notice(100, MCAST_END, BLOCKS);
	lab_run(200);
	ck_assert_ptr_null(lab.net.mcast->casts);
	one_session(101);
}
END_TEST

START_TEST(who_only_lingers_makes_room)
{
	for (uint16_t i = 0; i < SESSIONS_MAX + 3; i++) {
		bytes[0] = (uint8_t)i;
		one_session((uint16_t)(100 + i));
	}
	ck_assert_uint_eq(lab.net.mcast->nsessions, SESSIONS_MAX);
}
END_TEST

static unsigned
authentic(void)
{
	unsigned n = 0;

	for (struct session *s = lab.net.mcast->sessions; s != NULL; s = s->next)
		n += s->authentic;
	return n;
}

START_TEST(strangers_push_out_strangers_only)
{
	struct mcast   *m = lab.net.mcast;
	struct alc_head h = { .counter = 1, .fdt = 1,
		.flags = ALC_SECURE | ALC_SALT, .generation = 1,
		.fti = { .length = 10, .symbol = 1376, .block = 1 } };
	uint8_t		buf[200] = { 0 };
	size_t		head;

	for (uint16_t i = 0; i < SESSIONS_MAX; i++) {
		bytes[0] = (uint8_t)i;
		one_session((uint16_t)(100 + i));
	}
	ck_assert_uint_eq(authentic(), SESSIONS_MAX);
	m->keys.open = false;
	m->keys.ngenerations = 1;
	m->keys.generations[0].id = 1;
	for (uint16_t i = 0; i < 5; i++) {
		h.tsi = (uint16_t)(500 + i);
		ck_assert_int_eq(alc_build(&h, buf, sizeof(buf), &head), 0);
		lab_send(0, buf, head + 10 + MCAST_TAG_LEN);
		lab_run(5);
		ck_assert_uint_eq(m->sessions->w.tsi, h.tsi);
		ck_assert_uint_eq(authentic(), SESSIONS_MAX);
		ck_assert_uint_eq(m->nsessions, SESSIONS_MAX + 1);
	}
	m->keys.open = true; /* nor are they in the way of who is none */
	bytes[0] = 99;
	one_session(900);
	ck_assert_uint_eq(authentic(), SESSIONS_MAX);
}
END_TEST

static const struct {
	uint16_t symbol, block, symbols;
} cuts[] = {
	{ 1, 1, 2 },	     /* as many blocks as bytes */
	{ 60000, 100, 120 }, /* more than a packet holds */
	{ 1000, 255, 255 },  /* no parity */
};
START_TEST(an_absurd_cut_is_not_begun)
{
	static uint8_t huge[8 << 20];

	lab_target(huge, sizeof(huge), 0);
	lab_begin();
	lab_describe(LAB_TSI, cuts[_i].symbol, cuts[_i].block,
	    cuts[_i].symbols, true);
	lab_run(20);
	ck_assert_ptr_null(lab.target.casting->rx);
	lab_describe(LAB_TSI, E, K, 120, true); /* nor is it in the way */
	lab_run(20);
	ck_assert_ptr_nonnull(lab.target.casting->rx);
}
END_TEST

START_TEST(another_cut_later_changes_nothing)
{
	struct mcast *m = lab.net.mcast;

	lab_target(bytes, SIZE, 0);
	lab_begin();
	lab_describe(LAB_TSI, E, K, 120, true);
	send_block(LAB_TSI, 0, -1);
	lab_describe(LAB_TSI, 500, 50, 60, true);
	lab.target.size = 12345;
	lab_describe(LAB_TSI, E, K, 120, false);
	lab.target.size = SIZE;
	for (uint32_t b = 1; b < BLOCKS; b++)
		send_block(LAB_TSI, b, -1);
	lab_run(50);
	is_right();
	ck_assert_uint_eq(m->counts.malformed, 0);
}
END_TEST

START_TEST(a_strange_generation_is_asked_for_seldomer_and_seldomer)
{
	struct mcast	*m = lab.net.mcast;
	struct alc_head	 h = { .tsi = 9, .counter = 1, .fdt = 1,
		 .flags = ALC_SECURE | ALC_SALT, .generation = 99,
		 .fti = { .length = 10, .symbol = 1376, .block = 1 } };
	uint8_t		 buf[200] = { 0 };
	uint64_t	 wait = 5000;
	size_t		 head;

	m->keys.open = false;
	m->keys.ngenerations = 1;
	m->keys.generations[0].id = 1;
	for (int i = 0; i < 5; i++) {
		h.salt[0]++;
		ck_assert_int_eq(alc_build(&h, buf, sizeof(buf), &head), 0);
		lab_send(0, buf, head + 10 + MCAST_TAG_LEN);
		lab_run(5);
		ck_assert(m->later_set);
		ck_assert_int_eq(loop_timer_set(m->later, 0), 0);
		lab_run(5);
		ck_assert(!m->later_set);
		ck_assert_uint_eq(m->strange_wait_ms, wait);
		lab_send(0, buf, head + 10 + MCAST_TAG_LEN);
		lab_run(5);
		ck_assert(!m->later_set); /* not yet */
		m->strange_ms = loop_now_ms(lab.net.loop);
		if (2 * wait <= 60000)
			wait *= 2;
	}
	ck_assert_uint_eq(m->counts.strange, 10);
}
END_TEST

/* The point was set to the other mode. As with a strange generation, it may be
 * nobody's word: one question, and not before its time. */
START_TEST(the_other_mode_is_asked_about)
{
	static const char secure[] =
	    "{\"version\":1,\"mode\":\"secure\",\"interval\":60,"
	    "\"agent\":{\"id\":3,\"key\":\"AAAAAAAAAAAAAAAAAAAAAA==\"},"
	    "\"generations\":[{\"id\":4,\"secret\":"
	    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}]}";
	struct mcast   *m = lab.net.mcast;
	struct alc_head h = { .tsi = 9, .counter = 1,
		.flags = ALC_SECURE | ALC_SALT,
		.generation = 4, .fdt = 1,
		.fti = { .length = 10, .symbol = 1376, .block = 1 } };
	uint8_t		sealed[200] = { 0 }, open[200];
	size_t		nsealed, nopen;

	ck_assert_int_eq(alc_build(&h, sealed, sizeof(sealed), &nsealed), 0);
	h.flags = 0;
	h.generation = 0;
	ck_assert_int_eq(alc_build(&h, open, sizeof(open), &nopen), 0);
	memset(open + nopen, 'x', 10);

	lab_send(0, sealed, nsealed + 10 + MCAST_TAG_LEN);
	lab_run(5);
	ck_assert(m->later_set);
	ck_assert_int_eq(loop_timer_set(m->later, 0), 0);
	/* a lab's point has no https:// address to ask: as if it had answered */
	lab_run(5);
	ck_assert(!m->later_set);
	lab_send(0, sealed, nsealed + 10 + MCAST_TAG_LEN);
	lab_run(5);
	ck_assert(!m->later_set); /* no news: not yet */
	ck_assert_int_eq(mcast_keys_parse(&m->keys, secure, sizeof(secure) - 1,
	    m->error, sizeof(m->error)), 0);
	m->strange_ms = 0;

	/* and back */
	lab_send(0, open, nopen + 10);
	lab_run(5);
	ck_assert(m->later_set);
	ck_assert_uint_eq(m->nsessions, 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcast_get");
	TCase	*t = tcase_create("mcast_get");
	SRunner *r;
	int	 failed;

	log_init("check");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_object_comes_whole);
	tcase_add_test(t, data_is_not_late_because_a_notice_came_first);
	tcase_add_test(t, packets_do_not_disturb_the_repair_of_a_forged_one);
	tcase_add_test(t, all_of_it_was_there_when_we_started);
	tcase_add_test(t, hashes_that_come_after_the_end_count);
	tcase_add_test(t, no_hashes_after_the_end_are_no_loss);
	tcase_add_test(t, what_is_sent_again_comes_in_the_new_session);
	tcase_add_test(t, who_only_lingers_makes_room);
	tcase_add_test(t, strangers_push_out_strangers_only);
	tcase_add_loop_test(t, an_absurd_cut_is_not_begun, 0,
	    sizeof(cuts) / sizeof(cuts[0]));
	tcase_add_test(t, another_cut_later_changes_nothing);
	tcase_add_test(t, a_strange_generation_is_asked_for_seldomer_and_seldomer);
	tcase_add_test(t, the_other_mode_is_asked_about);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
