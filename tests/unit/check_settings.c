/*
 * tests/unit/check_settings.c - the configuration's values, files and texts.
 * SPDX-License-Identifier: ISC
 */
#include "common/settings.h"
#include "common/size.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/check_settings.XXXXXX", file[64];

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(every_default_is_a_valid_value)
{
	static struct settings s;
	char		       err[CONF_ERR_MAX];

	for (const struct settings_section *sec = settings_sections;
	    sec->name != NULL; sec++)
		for (const struct conf_item *it = sec->items; it->key != NULL;
		    it++)
			ck_assert_msg(conf_set(it, (char *)&s + sec->offset,
					  it->preset, err) == 0,
			    "%s.%s: %s", sec->name, it->key, err);
}
END_TEST

static const struct {
	const char *line;
	const char *expected; /* part of the error */
} wrong[] = {
	{ "[nowhere]\na = 1\n", ":2: [nowhere]: no such section" },
	{ "[store]\nsize = 1\n", ":2: store.size: no such key" },
	{ "[store]\nreserve = much\n", ":2: store.reserve: \"much\" is not" },
	{ "[store]\n\nreserve = -1\n", ":3: store.reserve:" },
	{ "[store]\nreserve = 5 GBytes\n", ":2: store.reserve:" },
	{ "[store]\nreserve = 99999999999999999999\n", "store.reserve" },
	{ "[fetch]\nparallel = 65\n", "out of range: expected 1 to 64" },
	{ "[fetch]\ninterval = 1\n", "out of range" },
	{ "[fetch]\npreload = maybe\n", ":2: fetch.preload: expected" },
	{ "[content]\nroot = r.json\n", "not an absolute path" },
	{ "[content]\nupstream = ftp://a/\n", "\"ftp://a/\" is not" },
	{ "[content]\nupstream = https://u@a/\n", "is not an http" },
	{ "[content]\nupstream = https://a/\n", "content.root: is needed" },
	{ "[serve]\nhttp = 8060\n", "\"8060\" is not ADDRESS:PORT" },
	{ "[serve]\nhttp = 1.2.3.4:70000\n", "is not ADDRESS:PORT" },
	{ "[serve]\nhttp = ::1:80\n", "is not ADDRESS:PORT" },
	{ "[serve]\nhttps = [::1]:8061\n", "serve.cert: is needed" },
	{ "[store]\nwant-free = 1\n", ":2: store.want-free: expected at" },
	{ "[fetch]\nwan-rate = fast\n", ":2: fetch.wan-rate: \"fast\": expected" },
	{ "[fetch]\nwan-rate = mon-fri=2MB/s tue\n", ":2: fetch.wan-rate: days" },
	{ "[fetch]\nproxy = https://p:1/\n", ":2: fetch.proxy: expected one" },
	{ "[fetch]\nproxy = http://p:1/ http://q/\n", ":2: fetch.proxy: expect" },
	{ "[content]\nupstream = http://a:99999/\n", ":2: content.upstream: \"h" },
	{ "[content]\nupstream = http://a/?x=\n", "is not an http" },
	{ "[content]\nupstream = http://[::g]/\n", "is not an http" },
	{ "[site]\nupstream = http://a http://b http://c http://d http://e "
	  "http://f http://g http://h http://i\n",
	    ":2: site.upstream: expected at most 8" },
	{ "[site]\nclient-cert = /c\n", ":2: site.client-cert: is given without client-key" },
	{ "[content]\nclient-key = /k\n", ":2: content.client-key: is given without client-cert" },
	{ "[serve]\nallow = 10.0.0.0/8 all\n", ":2: serve.allow: \"all\" is not" },
	{ "[serve]\nclient-crl = /c\n", "serve.client-ca: is needed where cli" },
	{ "[serve]\nhttp = 127.0.0.1:1 [::1]:1 127.0.0.1:1\n",
	    ":2: serve.http: 127.0.0.1:1 is given twice (also for serve.http)" },
	{ "[multicast]\nenable = yes\n", "multicast.group: is needed" },
	{ "[multicast]\ngroup = 10.0.0.1\n", "is no multicast address" },
	{ "[multicast]\ngroup = 239.255.77.1 239.127.77.1\n",
	    ":2: multicast.group: 239.255.77.1 and 239.127.77.1 have the same" },
	{ "[multicast]\nsource = eth0\n", "\"eth0\" is not an IPv4 or IPv6" },
	{ "[multicast]\nmode = clear\n", ":2: multicast.mode: expected" },
	{ "[multicast]\nttl = 0\n", "out of range: expected 1 to 255" },
	{ "just words\n", ":1: expected [section] or key = value" },
	{ "[store\n", ":1: expected [section]" },
};

START_TEST(a_mistake_names_file_line_and_key)
{
	static struct settings s;
	char		       err[CONF_ERR_MAX] = "";

	put(file, wrong[_i].line);
	ck_assert_int_eq(settings_load(file, &s, NULL, err), -EINVAL);
	ck_assert_msg(strstr(err, wrong[_i].expected) != NULL,
	    "said \"%s\", expected \"%s\"", err, wrong[_i].expected);
	if (strstr(err, "is needed") == NULL)
		ck_assert_ptr_nonnull(strstr(err, file));
}
END_TEST

START_TEST(a_missing_file_is_named)
{
	static struct settings s;
	char		       err[CONF_ERR_MAX] = "";

	ck_assert_int_eq(settings_load("/nonexistent/x.conf", &s, NULL, err),
	    -EINVAL);
	ck_assert_str_eq(err,
	    "/nonexistent/x.conf: cannot read: No such file or directory");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_said_and_a_list_goes_on)
{
	static struct settings s;
	char		       err[CONF_ERR_MAX] = "", text[600];

	memset(text, 'a', sizeof(text));
	memcpy(text, "[serve]\nallow = ", 16);
	text[sizeof(text) - 1] = '\0';
	put(file, text);
	ck_assert_int_eq(settings_load(file, &s, NULL, err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err, ":2: line is longer"));
	put(file, "[serve]\nallow = 10.0.0.0/8\n  fd00::/8\n\t192.168.0.0/16\n");
	ck_assert_int_eq(settings_load(file, &s, NULL, err), 0);
	ck_assert_str_eq(s.serve.allow, "10.0.0.0/8 fd00::/8 192.168.0.0/16");
}
END_TEST

START_TEST(units_are_understood)
{
	static struct settings s;
	char		       err[CONF_ERR_MAX] = "";

	put(file,
	    "; comment\n[store]\nreserve = 1GB\nwant-free=2 GiB ; more\n"
	    "[fetch]\ninterval = 2h\n[master]\nhealth-interval = 2s\n");
	ck_assert_msg(settings_load(file, &s, NULL, err) == 0, "%s", err);
	ck_assert_uint_eq(s.store.reserve, 1000000000);
	ck_assert_uint_eq(s.store.want_free, 2ULL << 30);
	ck_assert_uint_eq(s.fetch.interval, 7200);
	ck_assert_uint_eq(s.master.health_interval, 2);
	ck_assert_uint_eq(s.fetch.parallel, 4); /* the default */
}
END_TEST

static const struct { enum conf_type type; uint64_t n; const char *text; } said[] = {
	{ CONF_SECONDS, 0, "0" }, { CONF_SECONDS, 59, "59s" },
	{ CONF_SECONDS, 900, "15m" }, { CONF_SECONDS, 3601, "3601s" },
	{ CONF_SECONDS, 7200, "2h" }, { CONF_SECONDS, 86400 * 9, "9d" },
	{ CONF_BYTES, 0, "0" }, { CONF_BYTES, 1023, "1023B" },
	{ CONF_BYTES, 1024, "1KiB" }, { CONF_BYTES, 1000, "1kB" },
	{ CONF_BYTES, 1024000, "1000KiB" }, { CONF_BYTES, 5ULL << 30, "5GiB" },
	{ CONF_RATE, 20000000, "20MB" },
	{ CONF_BYTES, UINT64_MAX, "18446744073709551615B" },
	{ CONF_INT, 86400, "86400" },
};
START_TEST(a_number_is_said_in_the_largest_unit_that_is_exact)
{
	struct conf_item it = { .key = "k", .type = said[_i].type,
		.max = UINT64_MAX };
	char		 text[64], err[CONF_ERR_MAX] = "";
	uint64_t	 back = 1;

	conf_format(&it, &said[_i].n, text, sizeof(text));
	ck_assert_str_eq(text, said[_i].text);
	ck_assert_msg(conf_set(&it, &back, text, err) == 0, "%s", err);
	ck_assert_uint_eq(back, said[_i].n);
}
END_TEST

START_TEST(every_key_says_what_its_value_is)
{
	static const struct conf_item time = { "k", CONF_SECONDS, 0, "1", 0, 600, "" },
				      rate = { "k", CONF_RATE, 0, "1", 1000, 1ULL << 30, "" };
	char			      kind[96];

	conf_kind(&time, kind, sizeof(kind));
	ck_assert_str_eq(kind, "time, 0 to 10m");
	conf_kind(&rate, kind, sizeof(kind));
	ck_assert_str_eq(kind, "size/s, 1kB to 1GiB");
	for (const struct settings_section *sec = settings_sections; sec->name != NULL; sec++)
		for (const struct conf_item *it = sec->items; it->key != NULL; it++) {
			kind[0] = '\0';
			conf_kind(it, kind, sizeof(kind));
			ck_assert_msg(kind[0] != '\0' && strcmp(kind, "(null)") != 0,
			    "%s.%s", sec->name, it->key);
			ck_assert_msg(strstr(kind, " [") == NULL && strlen(kind) + 1 <
			    sizeof(kind), "%s.%s: %s", sec->name, it->key, kind);
		}
}
END_TEST

START_TEST(later_files_of_the_directory_win)
{
	static struct settings s;
	char		       err[CONF_ERR_MAX] = "", d[80], f[120];

	snprintf(d, sizeof(d), "%s.d", file);
	mkdir(d, 0755);
	put(file, "[fetch]\nparallel = 1\ninterval = 60\n");
	snprintf(f, sizeof(f), "%s/20.conf", d);
	put(f, "[fetch]\nparallel = 3\n");
	snprintf(f, sizeof(f), "%s/10.conf", d);
	put(f, "[fetch]\nparallel = 2\n");
	snprintf(f, sizeof(f), "%s/30.conf.bak", d);
	put(f, "nonsense\n");
	ck_assert_msg(settings_load(file, &s, NULL, err) == 0, "%s", err);
	ck_assert_uint_eq(s.fetch.parallel, 3);
	ck_assert_uint_eq(s.fetch.interval, 60);
	snprintf(f, sizeof(f), "rm -r %s", d);
	ck_assert_int_eq(system(f), 0);
}
END_TEST

START_TEST(a_role_gets_its_sections_and_reads_them_back)
{
	static struct settings a, b;
	char		       err[CONF_ERR_MAX] = "", *text = NULL;

	settings_preset(&a);
	strcpy(a.content.upstream, "https://a/ http://b:80/x");
	a.fetch.parallel = 9;
	ck_assert_int_eq(settings_to_text(settings_sections, &a, PEER_FETCH, &text), 0);
	ck_assert_ptr_nonnull(strstr(text, "content.upstream=https://a/"));
	ck_assert_ptr_null(strstr(text, "serve.")); /* none of its business */
	ck_assert_int_eq(settings_from_text(settings_sections, &b, text, strlen(text), err), 0);
	ck_assert_str_eq(b.content.upstream, a.content.upstream);
	ck_assert_uint_eq(b.fetch.parallel, 9);
	ck_assert_int_eq(settings_from_text(settings_sections, &b, text, strlen(text) - 1, err),
	    -EINVAL);
	free(text);
}
END_TEST

int
main(void)
{
	Suite	*su = suite_create("settings");
	TCase	*t = tcase_create("settings");
	SRunner *r = srunner_create(su);
	int	 failed;

	if (mkdtemp(dir) == NULL)
		return EXIT_FAILURE;
	snprintf(file, sizeof(file), "%s/dpoint.conf", dir);
	tcase_add_test(t, every_default_is_a_valid_value);
	tcase_add_loop_test(t, a_mistake_names_file_line_and_key, 0,
	    COUNT(wrong));
	tcase_add_test(t, a_missing_file_is_named);
	tcase_add_test(t, a_line_that_is_too_long_is_said_and_a_list_goes_on);
	tcase_add_test(t, every_key_says_what_its_value_is);
	tcase_add_test(t, units_are_understood);
	tcase_add_loop_test(t,
	    a_number_is_said_in_the_largest_unit_that_is_exact, 0,
	    COUNT(said));
	tcase_add_test(t, later_files_of_the_directory_win);
	tcase_add_test(t, a_role_gets_its_sections_and_reads_them_back);
	suite_add_tcase(su, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	unlink(file);
	rmdir(dir);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
