/*
 * tests/unit/check_agent_conf.c - what the network child is told, and which
 * kinds of file a device takes.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-agent/conf.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *kinds, *kind;
	bool	    taken;
} rows[] = {
	{ "", "package", true },
	{ "", NULL, true },
	{ "policy task", "policy", true },
	{ "policy task", "task", true },
	{ "policy task", "package", false },
	{ "policy task", "polic", false },
	{ "policy task", "", false },
	{ "policy task", "policy task", false },
	{ "policy task", NULL, false },
	{ "update", "update", true },
};
START_TEST(a_device_takes_its_kinds)
{
	struct agent_conf c = { 0 };

	strcpy(c.kinds, rows[_i].kinds);
	ck_assert_msg(agent_takes(&c, rows[_i].kind) == rows[_i].taken,
	    "\"%s\" of \"%s\"", rows[_i].kind != NULL ? rows[_i].kind : "none",
	    rows[_i].kinds);
}
END_TEST

START_TEST(the_child_reads_what_the_parent_read)
{
	struct agent_conf a = { 0 }, b = { 0 };
	char		  err[CONF_ERR_MAX] = "", *text = NULL;

	ck_assert_int_eq(settings_from_text(agent_sections, &a, "", 0, err), 0);
	ck_assert_str_eq(a.group, "/"); /* defaults */
	strcpy(a.kinds, "policy task");
	strcpy(a.sources, "http://a/ http://b/");
	strcpy(a.mcast_group, "239.255.77.1");
	a.parallel = 7;
	ck_assert_int_eq(settings_to_text(agent_sections, &a, PEER_FETCH, &text),
	    0);
	ck_assert_int_eq(settings_from_text(agent_sections, &b, text,
			     strlen(text), err),
	    0);
	ck_assert_str_eq(b.kinds, a.kinds);
	ck_assert_str_eq(b.sources, a.sources);
	ck_assert_uint_eq(b.parallel, 7);
	ck_assert_str_eq(b.mcast_group, a.mcast_group);
	ck_assert_uint_eq(b.mcast_silence, 5);
	ck_assert_uint_eq(b.max_object, a.max_object);
	free(text);
	ck_assert_int_eq(settings_to_text(agent_sections, &a, PEER_CONNECT,
			     &text),
	    0);
	ck_assert_str_eq(text, ""); /* none of its business */
	free(text);
}
END_TEST

START_TEST(the_connector_is_told_every_address)
{
	struct agent_conf c = { 0 };
	struct settings	 *s = malloc(sizeof(*s));

	ck_assert_ptr_nonnull(s);
	strcpy(c.sources, "http://a/ http://b/");
	agent_settings(&c, s);
	ck_assert_str_eq(s->content.upstream, "http://a/ http://b/");
	strcpy(c.repository, "http://r/");
	agent_settings(&c, s);
	ck_assert_str_eq(s->content.upstream, "http://a/ http://b/ http://r/");
	c.sources[0] = '\0';
	strcpy(c.proxy, "http://p:3128/");
	agent_settings(&c, s);
	ck_assert_str_eq(s->content.upstream, "http://r/");
	ck_assert_str_eq(s->fetch.proxy, "http://p:3128/");
	memset(c.sources, 'a', sizeof(c.sources) - 1);
	memset(c.repository, 'r', sizeof(c.repository) - 1);
	agent_settings(&c, s);
	ck_assert_uint_eq(strlen(s->content.upstream), 1023 + 1 + 511);
	free(s);
}
END_TEST

static const struct {
	const char *order, *ways; /* the first one's letter, host:port */
} orders[] = {
	{ "gateway direct", "g dp1:13295 g ::1:7 d srv:13295 " },
	{ "direct gateway", "d srv:13295 g dp1:13295 g ::1:7 " },
	{ "gateway", "g dp1:13295 g ::1:7 " },
	{ "direct", "d srv:13295 " },
};
START_TEST(ways_come_in_the_order_that_is_given)
{
	struct agent_conf c = { 0 };
	struct agent_way  w[AGENT_WAYS];
	char		  text[300] = "";
	size_t		  n;

	strcpy(c.gateways, "DP1 [::1]:7");
	strcpy(c.server, "srv");
	strcpy(c.connect_order, orders[_i].order);
	n = agent_ways(&c, w);
	for (size_t i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%c %s:%u ", w[i].is_gateway ? 'g' : 'd', w[i].host,
		    w[i].port);
	ck_assert_str_eq(text, orders[_i].ways);
}
END_TEST

START_TEST(the_connector_is_told_of_the_ways_and_all_of_them_fit)
{
	struct agent_conf c = { .connect_order = "gateway direct" };
	struct settings	 *s = malloc(sizeof(*s));
	char		  host[70];
	size_t		  n = 0;

	ck_assert_ptr_nonnull(s);
	strcpy(c.gateways, "dp1 [::1]:7");
	agent_settings(&c, s);
	ck_assert_str_eq(s->site.upstream, "https://dp1:13295/ https://[::1]:7/");
	memset(host, 'h', sizeof(host));
	c.gateways[0] = '\0';
	for (; n < AGENT_GATEWAYS; n++)
		snprintf(c.gateways + strlen(c.gateways),
		    sizeof(c.gateways) - strlen(c.gateways), "%.60s%c ", host,
		    (char)('a' + n));
	memset(c.server, 's', 255);
	agent_settings(&c, s);
	ck_assert_ptr_nonnull(strstr(s->site.upstream, "hp:13295/ https://ss"));
	ck_assert_str_eq(s->site.upstream + strlen(s->site.upstream) - 8,
	    "s:13295/");
	free(s);
}
END_TEST

int
main(void)
{
	Suite	*su = suite_create("agent_conf");
	TCase	*t = tcase_create("agent_conf");
	SRunner *r = srunner_create(su);
	int	 failed;

	tcase_add_loop_test(t, a_device_takes_its_kinds, 0, COUNT(rows));
	tcase_add_test(t, the_child_reads_what_the_parent_read);
	tcase_add_test(t, the_connector_is_told_every_address);
	tcase_add_loop_test(t, ways_come_in_the_order_that_is_given, 0,
	    COUNT(orders));
	tcase_add_test(t, the_connector_is_told_of_the_ways_and_all_of_them_fit);
	suite_add_tcase(su, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
