/*
 * tests/unit/check_mcast_api.c - dp-agent/mcast_api.h: answers are taken whole
 * or refused with a reason.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast_api.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY    "//79/Pv6+fj39vX08/Lx8A=="
#define AGENT  "\"agent\":{\"id\":17,\"key\":\"" KEY "\"}"
#define GEN(i) "{\"id\":" i ",\"secret\":\"" SECRET "\"}"
#define KEYS(mode, gens)                                                  \
	"{\"version\":1,\"mode\":\"" mode "\",\"interval\":60," AGENT     \
	",\"generations\":[" gens "]}"

static char why[200];

static int
keys(struct mcast_keys *k, const char *json)
{
	why[0] = '\0';
	return mcast_keys_parse(k, json, strlen(json), why, sizeof(why));
}

static int
answer(struct mcast_answer *a, const char *json)
{
	why[0] = '\0';
	return mcast_answer_parse(a, json, strlen(json), why, sizeof(why));
}

START_TEST(keys_are_read)
{
	struct mcast_keys k;

	ck_assert_int_eq(keys(&k, KEYS("secure", GEN("7") "," GEN("6"))), 0);
	ck_assert(!k.open);
	ck_assert_uint_eq(k.interval_s, 60);
	ck_assert_uint_eq(k.agent, 17);
	ck_assert_uint_eq(k.agent_key[0], 0xff);
	ck_assert_uint_eq(k.agent_key[15], 0xf0);
	ck_assert_uint_eq(k.ngenerations, 2);
	ck_assert_uint_eq(k.generations[0].id, 7);
	ck_assert_uint_eq(k.generations[1].id, 6);
	ck_assert_uint_eq(k.generations[1].secret[31], 31);
}
END_TEST

START_TEST(further_generations_are_left_out)
{
	struct mcast_keys k;

	ck_assert_int_eq(keys(&k, KEYS("secure", GEN("7") "," GEN("6") "," GEN("5"))), 0);
	ck_assert_uint_eq(k.ngenerations, MCAST_GENERATIONS);
}
END_TEST

START_TEST(open_mode_needs_no_secret)
{
	struct mcast_keys k;

	ck_assert_int_eq(keys(&k, KEYS("open", "")), 0);
	ck_assert(k.open);
}
END_TEST

static const struct {
	const char *json, *why;
} refused_keys[] = {
	{ "", "" },
	{ "[]", "version" },
	{ "{\"version\":2}", "version" },
	{ KEYS("fast", GEN("7")), "mode" },
	{ KEYS("secure", ""), "generations" },
	{ KEYS("secure", "{\"id\":7}"), "secret of 32" },
	{ KEYS("secure", "{\"id\":65536,\"secret\":\"" SECRET "\"}"), "id from 0" },
	{ KEYS("secure", "{\"id\":7,\"secret\":\"" KEY "\"}"), "secret of 32" },
	{ KEYS("secure", "{\"id\":7,\"secret\":\"===========================================A\"}"), "secret of 32" },
	{ "{\"version\":1,\"mode\":\"secure\",\"interval\":0," AGENT "}", "interval" },
	{ "{\"version\":1,\"mode\":\"open\",\"interval\":1}", "agent.id" },
	{ "{\"version\":1,\"mode\":\"open\",\"interval\":1,\"agent\":{\"id\":1}}", "agent.key" },
	{ "{\"version\":1,\"mode\":\"open\",\"interval\":1,\"agent\":{\"id\":1,\"key\":\"//79/Pv6+fj39vX08/Lx8===\"}}", "agent.key" },
	{ "{\"version\":1,\"version\":1}", "" },
};

START_TEST(keys_refused)
{
	struct mcast_keys k;

	ck_assert_msg(keys(&k, refused_keys[_i].json) == -EBADMSG,
	    "accepted: %s", refused_keys[_i].json);
	ck_assert_msg(strstr(why, refused_keys[_i].why) != NULL,
	    "\"%s\" without \"%s\"", why, refused_keys[_i].why);
	for (size_t i = 0; i < sizeof(k); i++)
		ck_assert_uint_eq(((uint8_t *)&k)[i], 0);
}
END_TEST

START_TEST(answers_are_read)
{
	struct mcast_answer a;

	ck_assert_int_eq(answer(&a, "{\"how\":\"multicast\",\"in_ms\":800}"), 0);
	ck_assert_int_eq(a.how, MCAST_COMES);
	ck_assert_uint_eq(a.in_ms, 800);
	ck_assert_int_eq(answer(&a, "{\"how\":\"wait\",\"in_ms\":2000,\"new\":1}"), 0);
	ck_assert_int_eq(a.how, MCAST_WAIT);
	ck_assert_int_eq(answer(&a, "{\"how\":\"unicast\",\"why\":\"one\\u001b[2J\"}"), 0);
	ck_assert_int_eq(a.how, MCAST_UNICAST);
	ck_assert_str_eq(a.why, "one?[2J");
}
END_TEST

static const struct {
	const char *json, *why;
} refused_answers[] = {
	{ "{}", "how" },
	{ "{\"how\":1}", "how" },
	{ "{\"how\":\"pigeon\",\"in_ms\":1}", "how" },
	{ "{\"how\":\"wait\"}", "in_ms" },
	{ "{\"how\":\"wait\",\"in_ms\":-1}", "in_ms" },
	{ "{\"how\":\"multicast\",\"in_ms\":600001}", "in_ms" },
	{ "{\"how\":\"multicast\",\"in_ms\":1} x", "" },
};

START_TEST(answers_refused)
{
	struct mcast_answer a;

	ck_assert_msg(answer(&a, refused_answers[_i].json) == -EBADMSG,
	    "accepted: %s", refused_answers[_i].json);
	ck_assert_msg(strstr(why, refused_answers[_i].why) != NULL,
	    "\"%s\" without \"%s\"", why, refused_answers[_i].why);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcast_api");
	TCase	*t = tcase_create("mcast_api");
	SRunner *sr = srunner_create(s);
	int	 failed;

	tcase_add_test(t, keys_are_read);
	tcase_add_test(t, further_generations_are_left_out);
	tcase_add_test(t, open_mode_needs_no_secret);
	tcase_add_loop_test(t, keys_refused, 0,
	    sizeof(refused_keys) / sizeof(*refused_keys));
	tcase_add_test(t, answers_are_read);
	tcase_add_loop_test(t, answers_refused, 0,
	    sizeof(refused_answers) / sizeof(*refused_answers));
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
