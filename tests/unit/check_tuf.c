/*
 * tests/unit/check_tuf.c - the TUF client follows repositories of another hand.
 *
 * tuf_cases.py has written them below $(BUILD)/tests/tuf-cases, each with a
 * script of these commands:
 *	time DATE		the client's clock
 *	root FILE		the trusted root; all other local state is empty
 *	forget			no local state
 *	serve DIR		what the repository has from now on
 *	limit NAME N		a limit of struct tuf_conf
 *	all			load every role from now on
 *	refresh ok|ERRNO TEXT	a new updater; TEXT may hold '*'
 *	offline ok|ERRNO TEXT	the same, offline
 *	expired ROLE...		exactly these have expired
 *	trusted ROLE=VERSION...	what save() was last told; 0: never
 *	same ROLE FILE		and that its bytes are those of the file
 *	asked PATH...		what was asked for since the last refresh began
 *	fetched PATH...		... since it ended
 *	find TARGET ROLE|ERRNO	who signs for it
 *	at TARGET PATH		where it lies
 *	meant TARGET KIND GROUP yes|no
 *	count N			targets there are
 *	keyids FILE		every key of that root is named by its hash
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/size.h"
#include "common/tuf.h"
#include "common/tuf_meta.h"

enum { ROLES_MAX = 64, TEXT = 4096 };

static char   cases_dir[PATH_MAX];
static char **cases;
static int    ncases;

struct stored {
	char	role[300], *bytes;
	size_t	len;
	int64_t version;
};

/* A client: its state, its updater, and the repository it talks to. */
struct play {
	const char     *name;
	int		line;
	char		served[PATH_MAX];
	struct tuf_conf conf;
	bool		all;
	struct tuf     *tuf;
	struct stored	stored[ROLES_MAX];
	size_t		nstored;
	char		asked[TEXT];
	size_t		fetched_from;
};

static const struct {
	const char *name;
	int	    value;
} errors[] = {
	{ "ok", 0 }, { "EBADMSG", -EBADMSG }, { "EACCES", -EACCES },
	{ "ESTALE", -ESTALE }, { "ETIME", -ETIME }, { "ENOENT", -ENOENT },
	{ "E2BIG", -E2BIG },
};

#define expect(p, cond, ...) do {					\
	if (!(cond)) {							\
		char m_[TEXT * 2];					\
		snprintf(m_, sizeof(m_), __VA_ARGS__);			\
		ck_abort_msg("%s, line %d: %s", (p)->name, (p)->line, m_); \
	}								\
} while (0)

static int
error_named(const char *name, int other)
{
	for (size_t i = 0; i < COUNT(errors); i++)
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].value;
	return other;
}

/* NULL when there is no such file. */
static char *
slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	char *p;
	long  n;

	if (f == NULL)
		return NULL;
	ck_assert(fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0);
	rewind(f);
	ck_assert_ptr_nonnull(p = malloc((size_t)n + 1));
	*len = fread(p, 1, (size_t)n, f);
	p[*len] = '\0';
	fclose(f);
	return p;
}

/* ---- the client ------------------------------------------------------------- */

static struct stored *
stored_find(struct play *p, const char *role)
{
	for (size_t i = 0; i < p->nstored; i++)
		if (strcmp(p->stored[i].role, role) == 0)
			return &p->stored[i];
	return NULL;
}

static void
store(struct play *p, const char *role, const void *bytes, size_t len,
    int64_t version)
{
	struct stored *s = stored_find(p, role);

	if (s == NULL) {
		ck_assert_uint_lt(p->nstored, ROLES_MAX);
		s = &p->stored[p->nstored++];
		snprintf(s->role, sizeof(s->role), "%s", role);
		s->bytes = NULL;
	}
	free(s->bytes);
	ck_assert_ptr_nonnull(s->bytes = malloc(len + 1));
	memcpy(s->bytes, bytes, len);
	s->len = len;
	s->version = version;
}

static int
on_save(void *arg, const struct tuf_file *f)
{
	struct play *p = arg;

	expect(p, !p->conf.offline, "saved %s while offline", f->path);
	store(p, f->role, f->bytes, f->len, f->version);
	return 0;
}

static void
forget(struct play *p)
{
	while (p->nstored > 0)
		free(p->stored[--p->nstored].bytes);
}

static int
drive(struct play *p)
{
	struct tuf_want w;
	char		path[PATH_MAX + TUF_PATH_LEN], *bytes;
	size_t		len, n;
	int		r;

	while ((r = tuf_next(p->tuf, &w)) == 1) {
		expect(p, !p->conf.offline, "wants %s while offline", w.path);
		n = strlen(p->asked);
		snprintf(p->asked + n, sizeof(p->asked) - n, " %s", w.path);
		snprintf(path, sizeof(path), "%s/%s", p->served, w.path);
		bytes = slurp(path, &len);
		r = bytes != NULL ? tuf_give(p->tuf, bytes, len) :
		    tuf_missing(p->tuf);
		free(bytes);
		if (r < 0)
			break;
	}
	if (r < 0) /* final: it stays so */
		ck_assert_int_eq(tuf_next(p->tuf, &w), r);
	return r;
}

static void
begin(struct play *p, bool offline)
{
	tuf_free(&p->tuf);
	p->conf.offline = offline;
	p->conf.save = on_save;
	p->conf.arg = p;
	ck_assert_int_eq(tuf_new(&p->tuf, &p->conf), 0);
	for (size_t i = 0; i < p->nstored; i++)
		ck_assert_int_eq(tuf_local(p->tuf, p->stored[i].role,
		    p->stored[i].bytes, p->stored[i].len), 0);
	p->asked[0] = '\0';
	if (p->all)
		tuf_load_all(p->tuf);
}

/* ---- the commands ------------------------------------------------------------ */

static void
refresh(struct play *p, const char *rest, bool offline)
{
	char code[16] = "", *text;
	int  r, want;

	snprintf(code, sizeof(code), "%.*s", (int)strcspn(rest, " "), rest);
	want = error_named(code, 1);
	expect(p, want != 1, "no error is called %s", code);
	text = rest[strlen(code)] == ' ' ? (char *)rest + strlen(code) + 1 : "";
	begin(p, offline);
	r = drive(p);
	expect(p, r == want && fnmatch(text, tuf_error(p->tuf), 0) == 0,
	    "expected \"%s\", got %s \"%s\"", rest, strerror(-r),
	    tuf_error(p->tuf));
	p->fetched_from = strlen(p->asked);
}

static void
do_refresh(struct play *p, const char *rest)
{
	refresh(p, rest, false);
}

static void
do_offline(struct play *p, const char *rest)
{
	refresh(p, rest, true);
}

static void
do_time(struct play *p, const char *rest)
{
	ck_assert_int_eq(tuf_time_parse(rest, &p->conf.now), 0);
}

static void
do_forget(struct play *p, const char *rest)
{
	(void)rest;
	forget(p);
}

static void
do_root(struct play *p, const char *rest)
{
	char   path[2 * PATH_MAX], *bytes;
	size_t len;

	snprintf(path, sizeof(path), "%s/%.1000s/%.1000s", cases_dir, p->name, rest);
	expect(p, (bytes = slurp(path, &len)) != NULL, "no file %s", rest);
	forget(p);
	store(p, "root", bytes, len, 0);
	free(bytes);
}

static void
do_serve(struct play *p, const char *rest)
{
	snprintf(p->served, sizeof(p->served), "%.2000s/%.1000s/%.1000s", cases_dir, p->name,
	    rest);
}

static void
do_limit(struct play *p, const char *rest)
{
	unsigned n;

	if (sscanf(rest, "max_rotations %u", &n) == 1)
		p->conf.max_rotations = n;
	else if (sscanf(rest, "max_delegations %u", &n) == 1)
		p->conf.max_delegations = n;
	else if (sscanf(rest, "max_roles %u", &n) == 1)
		p->conf.max_roles = n;
	else
		expect(p, false, "no limit \"%s\"", rest);
}

static void
do_all(struct play *p, const char *rest)
{
	(void)rest;
	p->all = true;
}

static void
same_list(struct play *p, const char *got, const char *want)
{
	got += *got == ' ';
	expect(p, strcmp(got, want) == 0, "expected \"%s\", got \"%s\"", want, got);
}

static void
do_asked(struct play *p, const char *rest)
{
	same_list(p, p->asked, rest);
}

static void
do_fetched(struct play *p, const char *rest)
{
	same_list(p, p->asked + p->fetched_from, rest);
}

static int
add_expired(void *arg, const struct tuf_file *f)
{
	char  *list = arg;
	size_t n = strlen(list);

	if (f->expired)
		snprintf(list + n, TEXT - n, " %s", f->role);
	return 0;
}

static void
do_expired(struct play *p, const char *rest)
{
	char list[TEXT] = "";

	ck_assert_int_eq(tuf_files(p->tuf, add_expired, list), 0);
	same_list(p, list, rest);
}

static void
do_trusted(struct play *p, const char *rest)
{
	char   role[300];
	int    version, n;

	for (; sscanf(rest, " %299[^=]=%d%n", role, &version, &n) == 2; rest += n) {
		struct stored *s = stored_find(p, role);
		/* the root given by hand counts as version 1 */
		int64_t got = s == NULL ? 0 :
		    s->version == 0 ? 1 : s->version;

		expect(p, got == version, "expected %s=%d, got %d", role, version,
		    (int)got);
	}
}

static void
do_same(struct play *p, const char *rest)
{
	char	       role[300], file[300], path[PATH_MAX + 300], *bytes;
	struct stored *s;
	size_t	       len;

	ck_assert_int_eq(sscanf(rest, "%299s %299s", role, file), 2);
	snprintf(path, sizeof(path), "%s/%s", p->served, file);
	s = stored_find(p, role);
	expect(p, s != NULL && (bytes = slurp(path, &len)) != NULL, "no %s", rest);
	expect(p, s->len == len && memcmp(s->bytes, bytes, len) == 0, "differs");
	free(bytes);
}

static int
find(struct play *p, const char *path, struct tuf_target *t)
{
	int r;

	while ((r = tuf_find(p->tuf, path, t)) == -EAGAIN)
		if ((r = drive(p)) < 0)
			return r;
	return r;
}

static void
do_find(struct play *p, const char *rest)
{
	struct tuf_target t = { 0 };
	char		  path[300], role[300];
	int		  r, want;

	ck_assert_int_eq(sscanf(rest, "%299s %299s", path, role), 2);
	want = error_named(role, 0);
	r = find(p, path, &t);
	expect(p, r == want, "expected %s, got %s (%s)", rest, strerror(-r),
	    tuf_error(p->tuf));
	expect(p, r < 0 || (strcmp(t.role, role) == 0 && strcmp(t.path, path) == 0),
	    "expected %s, got %s of %s", rest, r < 0 ? "" : t.path,
	    r < 0 ? "" : t.role);
	expect(p, (*tuf_error(p->tuf) != '\0') == (r < 0), "error \"%s\"",
	    tuf_error(p->tuf));
}

static void
do_at(struct play *p, const char *rest)
{
	struct tuf_target t;
	char		  path[TEXT], where[300] = "", got[TUF_PATH_LEN] = "";
	char		 *to;

	/* the target's path may hold spaces: what follows the last one is where */
	snprintf(path, sizeof(path), "%s", rest);
	ck_assert_ptr_nonnull(to = strrchr(path, ' '));
	snprintf(where, sizeof(where), "%.299s", to + 1);
	*to = '\0';
	expect(p, find(p, path, &t) == 0, "no target %s", path);
	if (tuf_target_path(p->tuf, &t, got) == -E2BIG)
		snprintf(got, sizeof(got), "E2BIG");
	ck_assert_str_eq(got, where);
}

static void
do_meant(struct play *p, const char *rest)
{
	struct tuf_target t;
	char		  path[300], kind[300], group[300], answer[300];
	const char	 *k;

	ck_assert_int_eq(sscanf(rest, "%299s %299s %299s %299s", path, kind, group,
	    answer), 4);
	expect(p, find(p, path, &t) == 0, "no target %s", path);
	k = tuf_target_kind(&t);
	ck_assert_str_eq(k != NULL ? k : "-", kind);
	expect(p, tuf_target_for(&t, group) == (strcmp(answer, "yes") == 0),
	    "not so: %s", rest);
}

static int
count_one(void *arg, const struct tuf_target *t)
{
	int *n = arg;

	ck_assert_ptr_nonnull(t->path);
	return ++*n < 0;
}

static void
do_count(struct play *p, const char *rest)
{
	int n = 0;

	ck_assert_int_eq(tuf_each(p->tuf, count_one, &n), 0);
	expect(p, n == atoi(rest), "expected %s targets, got %d", rest, n);
}

static void
do_keyids(struct play *p, const char *rest)
{
	char	    path[PATH_MAX + TEXT], why[100], id[HASH_HEX], *bytes;
	const char *name;
	json_t	   *doc, *key;
	size_t	    len;
	int	    n = 0;

	snprintf(path, sizeof(path), "%s/%.1000s", p->served, rest);
	expect(p, (bytes = slurp(path, &len)) != NULL, "no file %s", rest);
	ck_assert_int_eq(js_parse(&doc, bytes, len, why, sizeof(why)), 0);
	json_object_foreach(js_obj(js_obj(doc, "signed"), "keys"), name, key) {
		ck_assert_int_eq(tuf_key_id(key, id), 0);
		ck_assert_str_eq(id, name);
		n++;
	}
	ck_assert_int_gt(n, 2);
	json_decref(doc);
	free(bytes);
}

static const struct {
	const char *name;
	void	   (*fn)(struct play *p, const char *rest);
} commands[] = {
	{ "time", do_time }, { "root", do_root }, { "forget", do_forget },
	{ "serve", do_serve }, { "limit", do_limit }, { "all", do_all },
	{ "refresh", do_refresh }, { "offline", do_offline },
	{ "expired", do_expired }, { "trusted", do_trusted }, { "same", do_same },
	{ "asked", do_asked }, { "fetched", do_fetched }, { "find", do_find },
	{ "keyids", do_keyids }, { "at", do_at }, { "meant", do_meant }, { "count", do_count },
};

static void
command(struct play *p, char *line)
{
	char *rest = strchr(line, ' ');

	if (rest != NULL)
		*rest++ = '\0';
	for (size_t i = 0; i < COUNT(commands); i++)
		if (strcmp(commands[i].name, line) == 0) {
			commands[i].fn(p, rest != NULL ? rest : "");
			return;
		}
	expect(p, false, "no command %s", line);
}

START_TEST(client_answers_as_the_script_says)
{
	struct play p = { .name = cases[_i] };
	char	    path[2 * PATH_MAX], *script, *line, *save = NULL;
	size_t	    len;

	snprintf(path, sizeof(path), "%s/%.1000s/script", cases_dir, p.name);
	ck_assert_ptr_nonnull(script = slurp(path, &len));
	for (line = strtok_r(script, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save)) {
		p.line++;
		command(&p, line);
	}
	free(script);
	forget(&p);
	tuf_free(&p.tuf);
}
END_TEST

/* ---- parts ---------------------------------------------------------------------- */

static const struct { const char *pattern, *path; bool fits; } globs[] = {
	{ "*", "a", true },		{ "*", "a/b", false },
	{ "*", "", true },		{ "", "", true },
	{ "", "a", false },		{ "a", "", false },
	{ "*/*", "a/b", true },		{ "*/*", "a/b/c", false },
	{ "a*c", "abbc", true },	{ "a*c", "abbcd", false },
	{ "a*b*c", "a-b-b-c", true },	{ "*.zip", "x.zip.zip", true },
	{ "*b", "a/b", false },		{ "*/b*", "a/bc", true },
	{ "a/*b/c", "a/xb/c", true },	{ "a/*b/c", "a/x/b/c", false },
	{ "?", "a", true },		{ "?", "/", false },
	{ "?", "\xc3\xbc", true },	{ "??", "\xc3\xbc", false },
	{ "[abc]", "b", true },		{ "[abc]", "d", false },
	{ "[!abc]", "d", true },	{ "[!abc]", "/", false },
	{ "[\xc3\xa4-\xc3\xbc]", "\xc3\xb6", true },
	{ "[\xc3\xa4-\xc3\xbc]", "\xc3\x9f", false },
	{ "\xe2\x82\xac?", "\xe2\x82\xac\xf0\x9f\x98\x80", true },
	{ "[\xf0\x9f\x98\x80]", "\xf0\x9f\x98\x81", false },
	{ "[a-c]x", "bx", true },	{ "[a-c]x", "dx", false },
	{ "[]]", "]", true },		{ "[!]]", "a", true },
	{ "[a-]", "-", true },		{ "[", "[", true },
	{ "[a", "[a", true },		{ "a[/]b", "a/b", false },
	{ ".*", ".a", true },		{ "*", ".a", true },
	{ "A", "a", false },		{ "\\*", "*", false },
	{ "*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
};

START_TEST(glob_does_not_cross_a_slash)
{
	ck_assert_msg(tuf_glob(globs[_i].pattern, globs[_i].path) == globs[_i].fits,
	    "%s on %s", globs[_i].pattern, globs[_i].path);
}
END_TEST

static const struct { const char *text; int64_t when; } times[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2026-01-31T12:34:56Z", 1769862896 },
	{ "2022-05-11T19:09:02.663975009Z", 1652296142 },
	{ "2021-12-18T13:28:12.99008-06:00", 1639855692 },
	{ "2021-12-18T13:28:12+01:30", 1639828692 },
	{ "", -1 }, { "2026", -1 }, { "2026-01-31", -1 },
	{ "2026-01-31T12:34:56", -1 }, { "2026-01-31T12:34:56Zx", -1 },
	{ "2026-01-31T12:34:56.Z", -1 }, { "2026-00-31T12:34:56Z", -1 },
	{ "2026-01-31T24:34:56Z", -1 }, { "2026-01-31T12:34:56+0130", -1 },
	{ "2026-01-31 12:34:56Z", -1 }, { "-026-01-31T12:34:56Z", -1 },
};

START_TEST(dates_are_rfc_3339)
{
	int64_t when = -1;
	int	r = tuf_time_parse(times[_i].text, &when);

	ck_assert_int_eq(r, times[_i].when < 0 ? -EBADMSG : 0);
	if (r == 0)
		ck_assert_int_eq(when, times[_i].when);
}
END_TEST

START_TEST(a_date_prints_as_it_reads)
{
	char	text[TUF_TIME_LEN];
	int64_t when;

	tuf_time_print(1769862896, text);
	ck_assert_str_eq(text, "2026-01-31T12:34:56Z");
	ck_assert_int_eq(tuf_time_parse(text, &when), 0);
	ck_assert_int_eq(when, 1769862896);
}
END_TEST

static int
cannot_save(void *arg, const struct tuf_file *f)
{
	(void)arg;
	(void)f;
	return -ENOSPC;
}

START_TEST(what_cannot_be_kept_ends_the_refresh)
{
	struct play p = { .name = "rotation_00" };
	size_t	    before;

	do_time(&p, "2026-06-01T00:00:00Z");
	do_root(&p, "2/1.root.json");
	do_serve(&p, "3");
	begin(&p, false);
	tuf_free(&p.tuf);
	before = p.nstored;
	p.conf.save = cannot_save;
	ck_assert_int_eq(tuf_new(&p.tuf, &p.conf), 0);
	ck_assert_int_eq(tuf_local(p.tuf, "root", p.stored[0].bytes,
	    p.stored[0].len), 0);
	ck_assert_int_eq(drive(&p), -ENOSPC);
	ck_assert_str_eq(tuf_error(p.tuf),
	    "2.root.json: cannot be kept: No space left on device");
	ck_assert_uint_eq(p.nstored, before);
	forget(&p);
	tuf_free(&p.tuf);
}
END_TEST

START_TEST(calls_out_of_order_are_refused)
{
	struct tuf_conf	  c = { .now = 1 };
	struct tuf_target target;
	struct tuf_want	  w;
	struct tuf	 *t;

	ck_assert_int_eq(tuf_new(&t, &c), 0);
	ck_assert_int_eq(tuf_find(t, "a", &target), -EINVAL);
	ck_assert_int_eq(tuf_each(t, NULL, NULL), -EINVAL);
	ck_assert_int_eq(tuf_give(t, "", 0), -EINVAL);
	ck_assert_int_eq(tuf_missing(t), -EINVAL);
	ck_assert_int_eq(tuf_version(t, "root"), 0);
	ck_assert_int_eq(tuf_next(t, &w), -ENOENT);
	ck_assert_str_eq(tuf_error(t), "root.json: no trusted root was given");
	tuf_free(&t);
	ck_assert_ptr_null(t);
	tuf_free(&t);
}
END_TEST

static const struct { const char *json, *canon; } canons[] = {
	{ "{}", "{}" }, { "[]", "[]" }, { " [ 1 , -2, 0, -0 ] ", "[1,-2,0,0]" },
	{ "[true,false,null]", "[true,false,null]" },
	{ "{\"b\":1,\"a\":{\"z\":[],\"B\":2}}", "{\"a\":{\"B\":2,\"z\":[]},\"b\":1}" },
	{ "{\"a\":1,\"aa\":2,\"A\":3}", "{\"A\":3,\"a\":1,\"aa\":2}" },
	{ "[\"\\\"\\\\/\\u002f\"]", "[\"\\\"\\\\//\"]" },
	{ "[\"\\n\\t\\u0001\"]", "[\"\n\t\x01\"]" },
	{ "[\"\\u00fc\\ud83d\\ude00\"]", "[\"\xc3\xbc\xf0\x9f\x98\x80\"]" },
	{ "{\"\\uffff\":1,\"\\ud83d\\ude00\":2}",
	    "{\"\xef\xbf\xbf\":1,\"\xf0\x9f\x98\x80\":2}" },
	{ "[9223372036854775807]", "[9223372036854775807]" },
	{ "[1.0]", NULL }, { "[1e3]", NULL },
};

START_TEST(canonical_form_is_the_signed_one)
{
	char	why[100], *text;
	json_t *v;
	size_t	len;
	int	r;

	ck_assert_int_eq(js_parse(&v, canons[_i].json, strlen(canons[_i].json), why,
	    sizeof(why)), 0);
	r = js_canon(v, &text, &len);
	ck_assert_int_eq(r, canons[_i].canon == NULL ? -EBADMSG : 0);
	if (r == 0) {
		ck_assert_uint_eq(len, strlen(canons[_i].canon));
		ck_assert_mem_eq(text, canons[_i].canon, len);
	}
	free(text);
	json_decref(v);
}
END_TEST

static const struct { const char *path, *name; } encoded[] = {
	{ "targets", "targets" }, { "a/b", "a%2Fb" }, { "..", ".." },
	{ "%", "%25" }, { "\xc3\xbc ~", "%C3%BC%20~" }, { "", "" },
};

START_TEST(role_names_become_file_names)
{
	char out[TUF_PATH_LEN], longer[TUF_PATH_LEN + 1];

	ck_assert_int_eq(tuf_role_encode(encoded[_i].path, out), 0);
	ck_assert_str_eq(out, encoded[_i].name);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(tuf_role_encode(longer, out), -E2BIG);
}
END_TEST

static const struct { const char *path; bool plain; } paths[] = {
	{ "a", true }, { "a/b.deb", true }, { "a/...", true }, { "\xc3\xbc", true },
	{ "", false }, { "/a", false }, { "a/", false }, { "a//b", false },
	{ ".", false }, { "..", false }, { "../a", false }, { "a/../b", false },
	{ "a/.", false }, { "a\nb", false }, { "a\\b", false }, { "a/\x7f", false },
};

START_TEST(a_plain_path_stays_beneath)
{
	ck_assert_msg(tuf_path_is_plain(paths[_i].path) == paths[_i].plain, "%s",
	    paths[_i].path);
}
END_TEST

/* ---- main ---------------------------------------------------------------------- */

static int
is_case(const struct dirent *e)
{
	return e->d_name[0] != '.' && strcmp(e->d_name, "done") != 0;
}

static void
find_cases(const char *program)
{
	struct dirent **found;
	char		copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", program);
	snprintf(cases_dir, sizeof(cases_dir), "%s/tuf-cases", dirname(copy));
	if ((ncases = scandir(cases_dir, &found, is_case, alphasort)) <= 0 ||
	    (cases = calloc((size_t)ncases, sizeof(*cases))) == NULL) {
		perror(cases_dir);
		exit(1);
	}
	for (int i = 0; i < ncases; i++) {
		cases[i] = strdup(found[i]->d_name);
		free(found[i]);
	}
	free(found);
}

int
main(int argc, char *argv[])
{
	Suite	*s = suite_create("tuf");
	TCase	*follow = tcase_create("repositories"), *parts = tcase_create("parts");
	SRunner *sr;
	int	 failed;

	(void)argc;
	find_cases(argv[0]);
	if (tuf_setup() < 0)
		return 1;
	tcase_add_loop_test(follow, client_answers_as_the_script_says, 0, ncases);
	tcase_add_test(follow, what_cannot_be_kept_ends_the_refresh);
	tcase_add_test(follow, calls_out_of_order_are_refused);
	tcase_add_loop_test(parts, glob_does_not_cross_a_slash, 0, COUNT(globs));
	tcase_add_loop_test(parts, dates_are_rfc_3339, 0, COUNT(times));
	tcase_add_test(parts, a_date_prints_as_it_reads);
	tcase_add_loop_test(parts, canonical_form_is_the_signed_one, 0, COUNT(canons));
	tcase_add_loop_test(parts, role_names_become_file_names, 0, COUNT(encoded));
	tcase_add_loop_test(parts, a_plain_path_stays_beneath, 0, COUNT(paths));
	suite_add_tcase(s, follow);
	suite_add_tcase(s, parts);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	for (int i = 0; i < ncases; i++)
		free(cases[i]);
	free(cases);
	return failed == 0 ? 0 : 1;
}
