/*
 * check_fetch - the budget, scopes, ranges, URLs and kept metadata.
 * SPDX-License-Identifier: ISC
 */
#include "common/download.h"
#include "common/size.h"
#include "dp-fetch/bucket.h"
#include "dp-fetch/forward.h"
#include "dp-fetch/set.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads of 16 KiB whenever the bucket lets us, for a simulated minute; on a
 * machine that lets us run when we should, and on one that does so late. */
START_TEST(bucket_keeps_the_rate_over_a_minute)
{
	static const uint64_t set[] = { 100000, 2000000, 50000000 };
	struct bucket b = { 0 };
	uint64_t	      sum = 0, wait, late = _i < 3 ? 0 : 200;

	bucket_set_rate(&b, set[_i % 3], 0);
	for (uint64_t ms = 0; ms < 60000; ms += wait > 0 ? wait + late : 0)
		if ((wait = bucket_hold(&b, ms)) == 0) {
			bucket_used(&b, 16384);
			sum += 16384;
		}
	ck_assert_double_eq_tol((double)sum / 60 / (double)set[_i % 3], 1, 0.05);
}
END_TEST

START_TEST(no_rate_holds_nothing)
{
	struct bucket b = { 0 };

	bucket_used(&b, 1 << 30);
	ck_assert_uint_eq(bucket_hold(&b, 5), UINT64_MAX);
}
END_TEST

static const struct {
	const char *text;
	uint64_t    from, length;
	bool	    fits;
} ranges[] = {
	{ "bytes 5-9/10", 5, 10, true },
	{ "bytes 5-7/10", 5, 10, true },
	{ "bytes 5-9/*", 5, 10, true },
	{ "Bytes 0-0/1", 0, 1, true },
	{ "bytes 4-9/10", 5, 10, false },
	{ "bytes 5-10/10", 5, 10, false },
	{ "bytes 5-9/11", 5, 10, false },
	{ "bytes 5-4/10", 5, 10, false },
	{ "bytes 5-9/10x", 5, 10, false },
	{ "bytes */10", 5, 10, false },
	{ "bytes -5-9/10", 5, 10, false },
	{ "bytes 5-9", 5, 10, false },
	{ "items 5-9/10", 5, 10, false },
	{ "", 5, 10, false },
};
static const struct {
	unsigned	status;
	enum report_end end;
} ends[] = { { 0, REPORT_LATER }, { 200, REPORT_FORWARDED },
	{ 201, REPORT_FORWARDED }, { 204, REPORT_FORWARDED },
	{ 301, REPORT_LATER }, { 400, REPORT_REFUSED }, { 401, REPORT_LATER },
	{ 403, REPORT_LATER }, { 404, REPORT_LATER }, { 408, REPORT_LATER },
	{ 409, REPORT_REFUSED }, { 413, REPORT_REFUSED }, { 422, REPORT_REFUSED },
	{ 425, REPORT_LATER }, { 429, REPORT_LATER }, { 500, REPORT_LATER },
	{ 503, REPORT_LATER }, { 507, REPORT_LATER }, { 999, REPORT_LATER } };
START_TEST(only_what_judges_the_report_refuses_it)
{
	ck_assert_int_eq(forward_end_of(ends[_i].status), ends[_i].end);
}
END_TEST

START_TEST(range_must_go_on_where_we_are)
{
	ck_assert_msg(download_range_fits(ranges[_i].text, ranges[_i].from,
			  ranges[_i].length) == ranges[_i].fits,
	    "%s", ranges[_i].text);
}
END_TEST

static const struct {
	const char *text, *host;
	int	    port; /* 0: refused */
} urls[] = {
	{ "http://a", "a", 80 },
	{ "https://A.Example/x", "a.example", 443 },
	{ "http://a:8080/x?y", "a", 8080 },
	{ "https://[::1]:1/x", "::1", 1 },
	{ "http://10.0.0.1?x", "10.0.0.1", 80 },
	{ "ftp://a/", "", 0 },
	{ "http://", "", 0 },
	{ "http:///x", "", 0 },
	{ "http://u@a/", "", 0 },
	{ "http://u:p@a/", "", 0 },
	{ "http://a:0/", "", 0 },
	{ "http://a:65536/", "", 0 },
	{ "http://a:99999999999/", "", 0 },
	{ "http://a:1x/", "", 0 },
	{ "http://[::1/", "", 0 },
	{ "http://[zz]/", "", 0 },
	{ "http://a b/", "", 0 },
	{ "http://a/\r\nHost: b", "", 0 },
	{ "http://a\\b/", "", 0 },
	{ "http://.a/", "", 0 },
	{ "HTTP://a/", "", 0 },
};
static const struct {
	const char *text;
	bool	    same;
} names[] = {
	{ "http://dp1:80/repo", true },
	{ "https://DP1:80", true },
	{ "http://dp1", true },
	{ "http://dp1:8080/", false },
	{ "http://dp2:80/", false },
	{ "dp1:80", false },
};
START_TEST(url_names_a_host_and_port)
{
	struct url u;

	ck_assert_int_eq(url_parse("http://dp1/x", &u), 0);
	ck_assert(url_names_host(names[_i].text, &u) == names[_i].same);
}
END_TEST

static const struct {
	const char *text, *login; /* NULL: refused */
} logins[] = {
	{ "user:secret\n", "user:secret" },
	{ "user:se:cret", "user:se:cret" },
	{ "u:\r\nmore\n", "u:" },
	{ "user\nx:y", NULL },
	{ "", NULL },
	{ "user:longer-than-16", NULL },
};
START_TEST(login_is_the_first_line)
{
	char out[16];
	int  r = url_login(logins[_i].text, out, sizeof(out));

	ck_assert_int_eq(r, logins[_i].login == NULL ? -EINVAL : 0);
	if (r == 0)
		ck_assert_str_eq(out, logins[_i].login);
}
END_TEST

START_TEST(proxy_is_one_http_address)
{
	ck_assert(url_is_proxy("http://proxy:3128/"));
	ck_assert(!url_is_proxy("https://proxy:3128/"));
	ck_assert(!url_is_proxy("http://proxy:3128/ http://b/"));
	ck_assert(!url_is_proxy(""));
}
END_TEST

START_TEST(ca_file_is_read_whole_or_not_at_all)
{
	char   path[] = "/tmp/check_fetch.XXXXXX", *text;
	size_t len = 1;
	int    fd = mkstemp(path);

	ck_assert_int_eq(write(fd, "pem", 3), 3);
	ck_assert_int_eq(download_read_ca(path, &text, &len), 0);
	ck_assert_str_eq(text, "pem");
	ck_assert_uint_eq(len, 3);
	free(text);
	ck_assert_int_eq(ftruncate(fd, (4 << 20) + 1), 0);
	ck_assert_int_eq(download_read_ca(path, &text, &len), -EFBIG);
	ck_assert_ptr_null(text);
	ck_assert_uint_eq(len, 0);
	ck_assert_int_eq(unlink(path), 0);
	close(fd);
	ck_assert_int_eq(download_read_ca(path, &text, &len), -ENOENT);
	ck_assert_int_eq(download_read_ca("/tmp", &text, &len), -EFBIG);
}
END_TEST

START_TEST(url_is_taken_apart_or_refused)
{
	struct url u;
	int	   r = url_parse(urls[_i].text, &u);

	if (urls[_i].port == 0) {
		ck_assert_msg(r == -EINVAL, "accepted: %s", urls[_i].text);
		return;
	}
	ck_assert_msg(r == 0, "refused: %s", urls[_i].text);
	ck_assert_str_eq(u.host, urls[_i].host);
	ck_assert_int_eq(u.port, urls[_i].port);
}
END_TEST

START_TEST(escapes_are_undone)
{
	static const char *const bad[] = { "%", "a%", "%4", "%4g", "%g4", "%%41",
		"a%00b" };
	char			 s[64];

	ck_assert_int_eq(url_escape("gr\303\274n/a b%&", false, s, sizeof(s)),
	    0);
	ck_assert_str_eq(s, "gr%C3%BCn/a%20b%25&");
	ck_assert_int_eq(url_unescape(s), 0);
	ck_assert_str_eq(s, "gr\303\274n/a b%&");
	strcpy(s, "%2f%5A%5a");
	ck_assert_int_eq(url_unescape(s), 0);
	ck_assert_str_eq(s, "/ZZ");
	for (size_t i = 0; i < COUNT(bad); i++) {
		strcpy(s, bad[i]);
		ck_assert_msg(url_unescape(s) == -EINVAL, "accepted: %s",
		    bad[i]);
	}
}
END_TEST

START_TEST(join_encodes_once)
{
	char out[64];

	ck_assert_int_eq(url_join("http://a/b//", "c d/%e", false, out,
			     sizeof(out)),
	    0);
	ck_assert_str_eq(out, "http://a/b/c%20d/%25e");
	ck_assert_int_eq(url_join("http://a", "%2F.json", true, out,
			     sizeof(out)),
	    0);
	ck_assert_str_eq(out, "http://a/%2F.json");
	ck_assert_int_eq(url_join("http://a", "0123456789", true, out, 16),
	    -EINVAL);
	ck_assert_int_eq(url_at_host("https://[::1]:8061/repo/", "/v1/x", out,
			     sizeof(out)),
	    0);
	ck_assert_str_eq(out, "https://[::1]:8061/v1/x");
	ck_assert_int_eq(url_at_host("https://a", "/v1/x", out, sizeof(out)), 0);
	ck_assert_str_eq(out, "https://a/v1/x");
	ck_assert_int_eq(url_at_host("https://a/", "v1", out, sizeof(out)),
	    -EINVAL);
	ck_assert_int_eq(url_at_host("https://a/", "/v1/x", out, 14), -EINVAL);
}
END_TEST

static const struct {
	const char *custom, *scope;
	bool	    in;
} scopes[] = {
	{ "{}", "/hq", true },
	{ "{\"dpoint\":{}}", "/hq", true },
	{ "{\"dpoint\":{\"groups\":[\"/\"]}}", "/hq", true },
	{ "{\"dpoint\":{\"groups\":[\"/hq\"]}}", "/hq", true },
	{ "{\"dpoint\":{\"groups\":[\"/hq/berlin\"]}}", "/hq", true },
	{ "{\"dpoint\":{\"groups\":[\"/hq\"]}}", "/", true },
	{ "{\"dpoint\":{\"groups\":[\"/hq\"]}}", "/hq/berlin", true },
	{ "{\"dpoint\":{\"groups\":[\"/x\",\"/hq\"]}}", "/hq", true },
	{ "{\"dpoint\":{\"groups\":[\"/hqx\"]}}", "/hq", false },
	{ "{\"dpoint\":{\"groups\":[\"/lab\"]}}", "/hq", false },
	{ "{\"dpoint\":{\"groups\":[]}}", "/hq", true },
	{ "{\"dpoint\":{\"groups\":\"/hq\"}}", "/hq", false },
	{ "{\"dpoint\":{\"groups\":[7]}}", "/hq", false },
	{ "{\"dpoint\":{\"groups\":[\"hq\"]}}", "/hq", false },
};
static const struct {
	const char *path, *canon; /* NULL: refused */
} paths[] = {
	{ "", "" },
	{ "/", "/" },
	{ "/repo/", "/repo/" },
	{ "/repo/%61%7e", "/repo/a~" },
	{ "repo/a%20b%c3%bc", "repo/a b\xc3\xbc" },
	{ "/site/5.groups%2fhq.json", "/site/5.groups%2Fhq.json" },
	{ "/site/5.groups%2Fhq.json", "/site/5.groups%2Fhq.json" },
	{ "a%5cb%5C", "a%5Cb%5C" },
	{ "100%25.txt", "100%25.txt" },
	{ "%25%20", "%25 " },
	{ "...", "..." },
	{ "a../..b/.c", "a../..b/.c" },
	{ "5...%2Fx", "5...%2Fx" },
	{ "%", NULL },
	{ "%2", NULL },
	{ "%zz", NULL },
	{ "a%00", NULL },
	{ "a%0a", NULL },
	{ "a\n", NULL },
	{ "a%7F", NULL },
	{ "//a", NULL },
	{ "a//b", NULL },
	{ "a/%2Fb", NULL },
	{ "/%2Fa", NULL },
	{ "a%2F%2fb", NULL },
	{ "a%2F/b", NULL },
	{ "a%5C%2Fb", NULL },
	{ "..", NULL },
	{ "/.", NULL },
	{ "a/..", NULL },
	{ "a/%2e%2E/b", NULL },
	{ "a/.%2e/b", NULL },
	{ "a/..%2fb", NULL },
	{ "a%2f../b", NULL },
	{ "a%2f..%2Fb", NULL },
	{ "a%2f..", NULL },
	{ "a%5c..%5cb", NULL },
	{ "a/..%5cb", NULL },
	{ "a/.%2Fb", NULL },
	{ "a\\..\\b", NULL },
	{ "%252e%252e/x", NULL },
	{ "%252F", NULL },
	{ "%25%32%46", NULL },
	{ "%25%322F", NULL },
};
START_TEST(path_has_one_spelling_or_is_refused)
{
	char   buf[64];
	size_t len = strlen(paths[_i].path);

	memcpy(buf, paths[_i].path, len);
	if (paths[_i].canon == NULL) {
		ck_assert_msg(url_path_canon(buf, &len) == -EINVAL, "%s",
		    paths[_i].path);
		return;
	}
	ck_assert_int_eq(url_path_canon(buf, &len), 0);
	buf[len] = '\0';
	ck_assert_str_eq(buf, paths[_i].canon);
}
END_TEST

START_TEST(scope_meets_groups_above_and_below)
{
	json_t *j = json_loads(scopes[_i].custom, 0, NULL);

	const struct tuf_target t = { .custom = j };

	ck_assert_msg(tuf_target_in_scope(&t, scopes[_i].scope) ==
		scopes[_i].in, "%s %s", scopes[_i].custom, scopes[_i].scope);
	json_decref(j);
}
END_TEST

START_TEST(state_comes_back_as_it_was)
{
	struct state s = { 0 }, t;
	uint8_t	    *buf;
	size_t	     len;

	ck_assert_int_eq(state_put(&s, SAVED_ROLE, "root", 1, "a", 1), 1);
	ck_assert_int_eq(state_put(&s, SAVED_ROLE, "root", 2, "bb", 2), 1);
	ck_assert_int_eq(state_put(&s, SAVED_ROLE, "root", 2, "bb", 2), 0);
	ck_assert_int_eq(state_put(&s, SAVED_ROOT, "root", 1, "a", 1), 1);
	ck_assert_int_eq(state_put(&s, SAVED_ROOT, "root", 2, "bb", 2), 1);
	ck_assert_uint_eq(s.n, 3);
	ck_assert_int_eq(state_encode(&s, &buf, &len), 0);
	ck_assert_int_eq(state_decode(&t, buf, len), 0);
	ck_assert_uint_eq(t.n, 3);
	ck_assert_int_eq(memcmp(state_find(&t, SAVED_ROLE, "root")->bytes, "bb",
			     2),
	    0);
	for (size_t i = 2; i < len; i++) {
		struct state cut;

		if (state_decode(&cut, buf, i) == 0) /* between two records */
			ck_assert_uint_lt(cut.n, 3);
		state_fini(&cut);
	}
	free(buf);
	state_fini(&s);
	state_fini(&t);
}
END_TEST

START_TEST(what_is_in_force_stays_until_all_is_adopted)
{
	struct state s = { 0 }, t;
	uint8_t	    *buf;
	size_t	     len;

	ck_assert_int_eq(state_trust(&s, "timestamp", 1, "t1", 2), 1);
	ck_assert_int_eq(state_trust(&s, "snapshot", 1, "s1", 2), 1);
	state_adopt(&s);
	ck_assert_uint_eq(s.n, 2);
	/* two refreshes that got half of something each */
	ck_assert_int_eq(state_trust(&s, "timestamp", 1, "t1", 2), 0);
	ck_assert_uint_eq(s.n, 2);
	ck_assert_int_eq(state_trust(&s, "timestamp", 2, "t2", 2), 1);
	ck_assert_int_eq(state_trust(&s, "timestamp", 3, "t3", 2), 1);
	ck_assert_int_eq(state_trust(&s, "new", 1, "n1", 2), 1);
	ck_assert_int_eq(state_encode(&s, &buf, &len), 0);
	ck_assert_int_eq(state_decode(&t, buf, len), 0);
	ck_assert_mem_eq(state_in_force(&t, "timestamp")->bytes, "t1", 2);
	ck_assert_mem_eq(state_in_force(&t, "snapshot")->bytes, "s1", 2);
	ck_assert_mem_eq(state_find(&t, SAVED_ROLE, "timestamp")->bytes, "t3", 2);
	ck_assert_ptr_null(state_in_force(&t, "none"));
	state_adopt(&t);
	ck_assert_uint_eq(t.n, 3);
	ck_assert_mem_eq(state_in_force(&t, "timestamp")->bytes, "t3", 2);
	free(buf);
	state_fini(&s);
	state_fini(&t);
}
END_TEST

START_TEST(backoff_doubles_within_a_quarter)
{
	for (unsigned n = 1; n < 40; n++) {
		uint64_t ms = download_backoff_ms(n, 1000, 60000);
		uint64_t want = n < 7 ? 1000ULL << (n - 1) : 60000;

		ck_assert_uint_ge(ms, want - want / 4);
		ck_assert_uint_le(ms, want + want / 4);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("fetch");
	TCase	*t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int	 failed;

	hash_setup();
	tcase_add_loop_test(t, bucket_keeps_the_rate_over_a_minute, 0, 6);
	tcase_add_test(t, no_rate_holds_nothing);
	tcase_add_loop_test(t, range_must_go_on_where_we_are, 0, COUNT(ranges));
	tcase_add_loop_test(t, url_is_taken_apart_or_refused, 0, COUNT(urls));
	tcase_add_loop_test(t, url_names_a_host_and_port, 0, COUNT(names));
	tcase_add_test(t, ca_file_is_read_whole_or_not_at_all);
	tcase_add_loop_test(t, login_is_the_first_line, 0, COUNT(logins));
	tcase_add_test(t, proxy_is_one_http_address);
	tcase_add_test(t, join_encodes_once);
	tcase_add_test(t, escapes_are_undone);
	tcase_add_loop_test(t, path_has_one_spelling_or_is_refused, 0,
	    COUNT(paths));
	tcase_add_loop_test(t, scope_meets_groups_above_and_below, 0,
	    COUNT(scopes));
	tcase_add_test(t, state_comes_back_as_it_was);
	tcase_add_test(t, what_is_in_force_stays_until_all_is_adopted);
	tcase_add_test(t, backoff_doubles_within_a_quarter);
	tcase_add_loop_test(t, only_what_judges_the_report_refuses_it, 0,
	    COUNT(ends));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
