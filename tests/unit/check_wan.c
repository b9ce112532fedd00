/*
 * tests/unit/check_wan.c - rates by time of day.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "common/wan.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define RULES "mon-fri 08:00-18:00=2MB/s sat,sun=5MB/s 22:00-06:00=unlimited " \
	      "otherwise=20MB/s"

static const struct {
	const char *text;
	int	    wday, hour, min;
	uint64_t    rate;
} rates[] = {
	{ "", 1, 12, 0, 0 },
	{ "20MB/s", 1, 12, 0, 20000000 },
	{ "otherwise=1MiB/s", 6, 0, 0, 1 << 20 },
	{ RULES, 1, 8, 0, 2000000 },
	{ RULES, 5, 17, 59, 2000000 },
	{ RULES, 5, 18, 0, 20000000 },
	{ RULES, 6, 12, 0, 5000000 },
	{ RULES, 0, 23, 0, 5000000 },
	{ RULES, 2, 23, 0, 0 },
	{ RULES, 2, 5, 59, 0 },
	{ RULES, 2, 6, 0, 20000000 },
	{ "fri-mon=3MB", 0, 1, 1, 3000000 },
	{ "fri-mon=3MB", 2, 1, 1, 0 },
	{ "mon 22:00-02:00=1MB", 2, 1, 0, 1000000 },
	{ "mon 22:00-02:00=1MB", 1, 1, 0, 0 },
};
START_TEST(rate_follows_the_time_of_day)
{
	struct wan w;
	struct tm  tm = { .tm_wday = rates[_i].wday, .tm_hour = rates[_i].hour,
		 .tm_min = rates[_i].min };
	char	   err[WAN_ERR] = "";

	ck_assert_msg(wan_parse(rates[_i].text, &w, err) == 0, "%s", err);
	ck_assert_uint_eq(wan_rate_at(&w, &tm), rates[_i].rate);
}
END_TEST

static const char *const bad_rates[] = { "fast", "20", "0", "mon=", "mon",
	"moon=2MB", "25:00-26:00=2MB", "08:00-08:00=2MB", "mon- =2MB",
	"mon tue 2MB", "=2MB", "otherwise", "08:00=2MB" };
START_TEST(wrong_rate_is_named)
{
	struct wan w;
	char	   err[WAN_ERR] = "";

	ck_assert_msg(wan_parse(bad_rates[_i], &w, err) == -EINVAL,
	    "accepted: %s", bad_rates[_i]);
	ck_assert(err[0] != '\0');
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("wan");
	TCase	*t = tcase_create("wan");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_loop_test(t, rate_follows_the_time_of_day, 0, COUNT(rates));
	tcase_add_loop_test(t, wrong_rate_is_named, 0, COUNT(bad_rates));
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
