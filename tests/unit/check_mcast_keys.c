/*
 * tests/unit/check_mcast_keys.c - decisions, generations and registrations.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-mcast/decide.h"
#include "dp-mcast/keys.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* -- decide -- */

static const struct rules rules = { .min_size = 1000, .gather_ms = 2000,
	.min_agents = 2, .max_sessions = 4, .max_loss = 20 };

static const struct {
	const char	*what;
	struct situation s;
	enum way	 way;
	enum reason	 why;
} cases[] = {
	{ "many lack it, and time has passed",
	    { .size = 1 << 20, .since_ms = 2000, .lacking = 5, .registered = 9,
		.loss = -1 }, WAY_MULTICAST, REASON_NONE },
	{ "others may still ask",
	    { .size = 1 << 20, .since_ms = 1999, .lacking = 5, .registered = 9,
		.loss = -1 }, WAY_WAIT, REASON_GATHER },
	{ "all who are there have asked",
	    { .size = 1 << 20, .since_ms = 10, .lacking = 9, .registered = 9,
		.settled_ms = 2000, .loss = -1 }, WAY_MULTICAST, REASON_NONE },
	{ "all who are there, but more are coming",
	    { .size = 1 << 20, .since_ms = 10, .lacking = 9, .registered = 9,
		.settled_ms = 1000, .loss = -1 }, WAY_WAIT, REASON_GATHER },
	{ "the only one there asked: perhaps the first of many",
	    { .size = 1 << 20, .since_ms = 10, .lacking = 1, .registered = 1,
		.settled_ms = 9000, .loss = -1 }, WAY_WAIT, REASON_GATHER },
	{ "one alone",
	    { .size = 1 << 20, .since_ms = 2000, .lacking = 1, .registered = 9,
		.loss = -1 }, WAY_UNICAST, REASON_ALONE },
	{ "small, said at once",
	    { .size = 999, .lacking = 1, .registered = 9, .loss = -1 },
	    WAY_UNICAST, REASON_SMALL },
	{ "an empty object is no session",
	    { .size = 0, .lacking = 9, .registered = 9, .loss = -1 },
	    WAY_UNICAST, REASON_SMALL },
	{ "as lossy as radio",
	    { .size = 1 << 20, .since_ms = 5000, .lacking = 9, .registered = 9,
		.loss = 21 }, WAY_UNICAST, REASON_LOSS },
	{ "lossy, but within bounds",
	    { .size = 1 << 20, .since_ms = 5000, .lacking = 9, .registered = 9,
		.loss = 20 }, WAY_MULTICAST, REASON_NONE },
	{ "sent once: those who came late",
	    { .size = 1 << 20, .since_ms = 5000, .lacking = 9, .registered = 9,
		.sent = 1, .loss = -1 }, WAY_MULTICAST, REASON_NONE },
	{ "sent twice",
	    { .size = 1 << 20, .since_ms = 5000, .lacking = 9, .registered = 9,
		.sent = 2, .loss = -1 }, WAY_UNICAST, REASON_SENT },
	{ "the line is full",
	    { .size = 1 << 20, .since_ms = 5000, .lacking = 9, .registered = 9,
		.sessions = 4, .loss = -1 }, WAY_WAIT, REASON_BUSY },
	{ "the line has been full for long",
	    { .size = 1 << 20, .since_ms = 60000, .lacking = 9,
		.registered = 9, .sessions = 4, .loss = -1 }, WAY_UNICAST,
	    REASON_BUSY },
	{ "named, on its way",
	    { .is_absent = true, .will_come = true, .since_ms = 5000,
		.lacking = 9, .loss = -1 }, WAY_WAIT, REASON_COMING },
	{ "named, and does not come",
	    { .is_absent = true, .will_come = true, .since_ms = 30000,
		.lacking = 9, .loss = -1 }, WAY_UNICAST, REASON_ABSENT },
	{ "for devices only, in clear",
	    { .is_secret = true, .size = 1 << 20, .since_ms = 2000,
		.lacking = 9, .loss = -1 }, WAY_UNICAST, REASON_SECRET },
	{ "nobody knows it",
	    { .is_absent = true, .lacking = 9, .loss = -1 }, WAY_UNICAST,
	    REASON_ABSENT },
};

START_TEST(the_way_of_an_object)
{
	enum reason why;

	ck_assert_msg(decide(&rules, &cases[_i].s, &why) == cases[_i].way &&
		why == cases[_i].why, "%s: because %s", cases[_i].what,
	    reason_word(why));
}
END_TEST

START_TEST(every_reason_has_a_word_of_its_own)
{
	for (int i = 0; i < REASON_KINDS; i++) {
		ck_assert_ptr_nonnull(reason_word((enum reason)i));
		ck_assert_ptr_nonnull(reason_text((enum reason)i));
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(reason_word((enum reason)i),
			    reason_word((enum reason)k));
	}
}
END_TEST

START_TEST(loss_is_remembered_and_forgotten)
{
	struct loss_memory l = { 0 };

	ck_assert_int_eq(loss_known(&l, 5), -1);
	loss_note(&l, 40, 0);
	ck_assert_int_eq(loss_known(&l, 5), 40);
	loss_note(&l, 0, 1000); /* the newer counts as much as all before */
	ck_assert_int_eq(loss_known(&l, 1000), 20);
	ck_assert_int_eq(loss_known(&l, 1000 + DECIDE_MEMORY_MS), 20);
	ck_assert_int_eq(loss_known(&l, 1001 + DECIDE_MEMORY_MS), -1);
	loss_note(&l, 2, 2000 + DECIDE_MEMORY_MS);
	ck_assert_int_eq(loss_known(&l, 2000 + DECIDE_MEMORY_MS), 2);
}
END_TEST

/* -- keys -- */

static struct keys *k;

static void
setup(void)
{
	ck_assert_int_eq(mcast_seal_setup(), 0);
	ck_assert_int_eq(keys_new(&k), 0);
}

static void
teardown(void)
{
	keys_free(&k);
	ck_assert_ptr_null(k);
}

START_TEST(generations_follow_each_other_and_survive)
{
	const struct generation *g;
	struct generation	 first;
	uint8_t			 kept[KEYS_SAVE_MAX];
	struct keys		*again;
	size_t			 n;

	ck_assert_uint_eq(keys_generations(k, &g), 0);
	ck_assert(keys_due(k, 100, 1000));
	ck_assert_int_eq(keys_rotate(k, 1000), 0);
	ck_assert_uint_eq(keys_generations(k, &g), 1);
	ck_assert_uint_eq(g[0].id, 1);
	first = g[0];
	ck_assert(!keys_due(k, 100, 1099));
	ck_assert(keys_due(k, 100, 1100));
	ck_assert(keys_due(k, 100, 999)); /* the clock went back */
	ck_assert_int_eq(keys_rotate(k, 1100), 0);
	ck_assert_uint_eq(keys_generations(k, &g), 2);
	ck_assert_uint_eq(g[0].id, 2);
	ck_assert_mem_eq(&g[1], &first, sizeof(first));
	ck_assert_mem_ne(g[0].secret, g[1].secret, MCAST_SECRET_LEN);

	n = keys_save(k, kept);
	ck_assert_uint_le(n, KEYS_SAVE_MAX);
	ck_assert_int_eq(keys_new(&again), 0);
	ck_assert_int_eq(keys_load(again, kept, n), 0);
	const struct generation *h;
	ck_assert_uint_eq(keys_generations(again, &h), 2);
	ck_assert_mem_eq(h, g, 2 * sizeof(*g));
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(keys_load(again, kept, cut), -EBADMSG);
	kept[0]++;
	ck_assert_int_eq(keys_load(again, kept, n), -EBADMSG);
	ck_assert_uint_eq(keys_generations(again, &h), 2); /* untouched */
	keys_free(&again);
}
END_TEST

START_TEST(numbers_of_generations_begin_anew_after_the_last)
{
	const struct generation *g;
	/* one generation, 65535 */
	uint8_t	 kept[KEYS_SAVE_MAX] = { 1, [33] = 1, 0xff, 0xff };
	unsigned n = 1 + HASH_LEN + 1 + 2 + 8 + MCAST_SECRET_LEN;

	ck_assert_int_eq(keys_load(k, kept, n), 0);
	ck_assert_uint_eq(keys_generations(k, &g), 1);
	ck_assert_uint_eq(g[0].id, 65535);
	ck_assert_int_eq(keys_rotate(k, 1), 0);
	keys_generations(k, &g);
	ck_assert_uint_eq(g[0].id, 1); /* 0 is open mode's */
	kept[34] = kept[35] = 0;
	ck_assert_int_eq(keys_load(k, kept, n), -EBADMSG);
}
END_TEST

START_TEST(a_device_gets_one_number_and_ever_new_keys)
{
	struct agent *a, *b, *again;
	uint8_t	      key[MCAST_KEY_LEN];

	ck_assert_int_eq(keys_register(k, "urn:dpoint:device:a", 10, &a), 0);
	ck_assert_int_eq(keys_register(k, "urn:dpoint:device:b", 11, &b), 0);
	ck_assert_uint_ne(a->id, b->id);
	ck_assert_mem_ne(a->key, b->key, MCAST_KEY_LEN);
	memcpy(key, a->key, sizeof(key));
	ck_assert_int_eq(keys_register(k, "urn:dpoint:device:a", 12, &again), 0);
	ck_assert_ptr_eq(again, a);
	ck_assert_mem_ne(a->key, key, MCAST_KEY_LEN);
	ck_assert_ptr_eq(keys_agent(k, a->id), a);
	ck_assert_ptr_eq(keys_agent(k, b->id), b);
	ck_assert_ptr_null(keys_agent(k, a->id + 77777));
	ck_assert_uint_eq(keys_agents(k), 2);
	keys_heard_on(a, 1, 100);
	ck_assert_uint_eq(keys_heard(k, 1, 100), 1); /* b: nothing is known */
	ck_assert_uint_eq(keys_heard(k, 3, 100), 2);
	ck_assert_uint_eq(keys_heard(k, 1, 100 + KEYS_HEARD_MS), 2);
	keys_heard_on(a, 0, 200 + KEYS_HEARD_MS); /* it has moved */
	ck_assert_uint_eq(keys_heard(k, 2, 200 + KEYS_HEARD_MS), 1);
	keys_forget_heard(k);
	ck_assert_uint_eq(keys_heard(k, 2, 200 + KEYS_HEARD_MS), 2);
}
END_TEST

START_TEST(who_is_silent_longest_makes_room)
{
	struct agent *a, *b, *x;
	uint32_t      first, second;
	char	      name[64];

	ck_assert_int_eq(keys_register(k, "first", 0, &a), 0);
	ck_assert_int_eq(keys_register(k, "second", 0, &b), 0);
	first = a->id;
	second = b->id;
	for (unsigned i = 2; i < KEYS_AGENTS; i++) {
		snprintf(name, sizeof(name), "device %u", i);
		ck_assert_int_eq(keys_register(k, name, i, &x), 0);
	}
	ck_assert_uint_eq(keys_agents(k), KEYS_AGENTS);
	keys_used(k, a, 99999);
	ck_assert_int_eq(keys_register(k, "one more", 99999, &x), 0);
	ck_assert_uint_eq(keys_agents(k), KEYS_AGENTS);
	ck_assert_ptr_eq(keys_agent(k, first), a);
	ck_assert_ptr_null(keys_agent(k, second));
}
END_TEST

START_TEST(a_new_list_of_revocations_ends_everything_before_it)
{
	const struct generation *g;
	struct hash		 none = { { 0 } }, list = { { 1 } };
	struct agent		*a;
	uint8_t			 kept[KEYS_SAVE_MAX];
	uint32_t		 id;
	size_t			 n;

	ck_assert_int_eq(keys_rotate(k, 1), 0);
	ck_assert_int_eq(keys_rotate(k, 2), 0);
	ck_assert_int_eq(keys_register(k, "a", 1, &a), 0);
	id = a->id;
	ck_assert_int_eq(keys_revoked(k, &none, 3), 0); /* as before */
	ck_assert_ptr_nonnull(keys_agent(k, id));
	ck_assert_int_eq(keys_revoked(k, &list, 3), 1);
	ck_assert_uint_eq(keys_generations(k, &g), 1);
	ck_assert_uint_eq(g[0].id, 3);
	ck_assert_uint_eq(keys_agents(k), 0);
	ck_assert_ptr_null(keys_agent(k, id));
	/* the same list again after a restart is no news */
	n = keys_save(k, kept);
	keys_free(&k);
	ck_assert_int_eq(keys_new(&k), 0);
	ck_assert_int_eq(keys_load(k, kept, n), 0);
	ck_assert_int_eq(keys_revoked(k, &list, 4), 0);
	ck_assert_int_eq(keys_revoked(k, &none, 4), 1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcast_keys");
	TCase	*d = tcase_create("decide"), *t = tcase_create("keys");
	SRunner *r = srunner_create(s);
	int	 failed;

	tcase_add_loop_test(d, the_way_of_an_object, 0, (int)COUNT(cases));
	tcase_add_test(d, every_reason_has_a_word_of_its_own);
	tcase_add_test(d, loss_is_remembered_and_forgotten);
	suite_add_tcase(s, d);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, generations_follow_each_other_and_survive);
	tcase_add_test(t, numbers_of_generations_begin_anew_after_the_last);
	tcase_add_test(t, a_device_gets_one_number_and_ever_new_keys);
	tcase_add_test(t, who_is_silent_longest_makes_room);
	tcase_add_test(t, a_new_list_of_revocations_ends_everything_before_it);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
