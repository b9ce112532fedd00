/*
 * tests/unit/check_store.c - index, content and publishing, each against a
 * real directory.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/names.h"
#include "dp-store/publish.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char	       dir[64], top[256];
static struct index   *ix;
static struct content *c;

static void
open_both(void)
{
	uint32_t version;

	ck_assert_int_eq(index_open("index", 16 << 20, &ix, &version), 0);
	ck_assert_uint_eq(version, INDEX_VERSION);
	ck_assert_int_eq(content_open(".", &c), 0);
}

static void
setup(void)
{
	ck_assert_ptr_nonnull(getcwd(top, sizeof(top)));
	strcpy(dir, "/tmp/check_store.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(mkdir("index", 0700), 0);
	open_both();
}

static void
teardown(void)
{
	char cmd[128];

	content_close(&c);
	index_close(&ix);
	ck_assert_int_eq(chdir(top), 0);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static struct hash
hash_text(const char *s)
{
	struct hash h;

	ck_assert_int_eq(hash_of(&h, s, strlen(s)), 0);
	return h;
}

static struct hash
put(const char *s)
{
	struct hash h = hash_text(s);

	ck_assert_int_eq(publish_bytes(c, ix, &h, s, strlen(s)), 0);
	return h;
}

static bool
has_row(const struct hash *h)
{
	struct MDB_txn *t;
	struct object	o;
	int		r;

	ck_assert_int_eq(index_read(ix, &t), 0);
	r = index_object_get(ix, t, h, &o);
	index_end(ix, &t);
	return r == 0;
}

static bool
has_file(const struct hash *h)
{
	int fd;

	if (content_object_open(c, h, &fd) < 0)
		return false;
	close(fd);
	return true;
}

/* -- index -- */

static uint64_t
replace(enum space s, const struct draft_name *names, size_t n)
{
	struct MDB_txn *t;
	uint64_t	generation;

	ck_assert_int_eq(index_write(ix, &t), 0);
	ck_assert_int_eq(index_names_replace(ix, t, s, names, n, &generation),
	    0);
	ck_assert_int_eq(index_commit(ix, &t), 0);
	return generation;
}

START_TEST(names_are_replaced_whole_and_references_follow)
{
	const struct hash a = hash_text("a"), b = hash_text("b");
	char		  x[] = "repo/x", y[] = "repo/y";
	const struct draft_name one[] = { { { a, 1, true, false }, x },
		{ { a, 1, false, false }, y } };
	const struct draft_name two[] = { { { b, 2, false, false }, y },
		{ { a, 1, true, false }, y } };
	struct MDB_txn *t;
	struct named	n;
	struct refs	f;

	ck_assert_uint_eq(replace(SPACE_CONTENT, one, 2), 1);
	ck_assert_uint_eq(replace(SPACE_SITE, one, 1), 1);
	ck_assert_int_eq(index_read(ix, &t), 0);
	ck_assert_int_eq(index_refs_get(ix, t, &a, &f), 0);
	ck_assert_uint_eq(f.names[SPACE_CONTENT], 2);
	ck_assert_uint_eq(f.names[SPACE_SITE], 1);
	ck_assert_uint_eq(f.pins, 2);
	index_end(ix, &t);

	ck_assert_uint_eq(replace(SPACE_CONTENT, two, 2), 2);
	ck_assert_int_eq(index_read(ix, &t), 0);
	ck_assert_int_eq(index_name_get(ix, t, SPACE_CONTENT, "repo/x", &n),
	    -ENOENT);
	ck_assert_int_eq(index_name_get(ix, t, SPACE_SITE, "repo/x", &n), 0);
	ck_assert_int_eq(index_name_get(ix, t, SPACE_CONTENT, "repo/y", &n), 0);
	ck_assert(hash_eq(&n.hash, &a)); /* the last of two equal names */
	ck_assert_int_eq(index_refs_get(ix, t, &a, &f), 0);
	ck_assert_uint_eq(f.names[SPACE_CONTENT], 1);
	ck_assert_uint_eq(f.names[SPACE_SITE], 1);
	ck_assert_uint_eq(f.pins, 2);
	ck_assert_int_eq(index_refs_get(ix, t, &b, &f), -ENOENT);
	index_end(ix, &t);
}
END_TEST

static int
count_name(void *ctx, const char *name, const struct named *n)
{
	unsigned *left = ctx;

	(void)name;
	(void)n;
	return --*left == 0 ? 1 : 0;
}

START_TEST(names_are_walked_in_pages_each_once)
{
	struct draft_name of[100];
	char		  text[100][16];
	struct hash	  from = { 0 };
	struct MDB_txn	 *t;
	unsigned	  pages = 0, left;
	int		  r = 1;

	for (int i = 0; i < 100; i++) {
		snprintf(text[i], sizeof(text[i]), "n/%d", i);
		of[i] = (struct draft_name){ { hash_text("a"), 1, false, false },
			text[i] };
	}
	replace(SPACE_CONTENT, of, 100);
	replace(SPACE_SITE, of, 3);
	for (; r == 1; pages++) {
		left = 30;
		ck_assert_int_eq(index_read(ix, &t), 0);
		r = index_each_name(ix, t, SPACE_CONTENT, &from, count_name,
		    &left);
		index_end(ix, &t);
	}
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(pages, 4);
	ck_assert_uint_eq(left, 20); /* 100 = 3 * 30 + 10 */
}
END_TEST

START_TEST(a_role_reaches_only_its_own_table)
{
	struct MDB_txn *t;
	const void     *v;
	size_t		len;

	ck_assert_int_eq(index_write(ix, &t), 0);
	ck_assert_int_eq(index_table_put(ix, t, PEER_FETCH, "k", "xyz", 3), 0);
	ck_assert_int_eq(index_commit(ix, &t), 0);
	ck_assert_int_eq(index_read(ix, &t), 0);
	ck_assert_int_eq(index_table_get(ix, t, PEER_SERVE, "k", &v, &len),
	    -ENOENT);
	ck_assert_int_eq(index_table_get(ix, t, PEER_FETCH, "k", &v, &len), 0);
	ck_assert_uint_eq(len, 3);
	index_end(ix, &t);
	ck_assert_int_eq(index_write(ix, &t), 0);
	ck_assert_int_eq(index_table_put(ix, t, PEER_FETCH, "k", NULL, 0), 0);
	ck_assert_int_eq(index_table_put(ix, t, PEER_FETCH, "k", NULL, 0), 0);
	ck_assert_int_eq(index_table_put(ix, t, PEER_FETCH, "", "x", 1),
	    -EINVAL);
	ck_assert_int_eq(index_table_get(ix, t, PEER_FETCH, "k", &v, &len),
	    -ENOENT);
	index_end(ix, &t);
}
END_TEST

START_TEST(a_full_map_refuses_and_keeps_what_was)
{
	static uint8_t	value[60000];
	struct hash	h = put("kept");
	struct MDB_txn *t;
	char		key[32];
	int		r = 0;

	for (int i = 0; r == 0 && i < 1000; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		ck_assert_int_eq(index_write(ix, &t), 0);
		r = index_table_put(ix, t, PEER_FETCH, key, value,
		    sizeof(value));
		if (r == 0)
			r = index_commit(ix, &t);
		index_end(ix, &t);
	}
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert(!index_broken(ix));
	ck_assert(has_row(&h));
}
END_TEST

/* -- content -- */

START_TEST(reconcile_removes_files_without_rows_and_rows_without_files)
{
	struct hash	     kept = put("kept"), lost = put("lost");
	struct hash	     orphan = hash_text("orphan");
	struct content_found found;

	ck_assert_int_eq(content_object_unlink(c, &lost), 0);
	ck_assert_int_eq(content_put(c, &orphan, "orphan", 6), 0);
	ck_assert_int_eq(content_reconcile(c, ix, &found), 0);
	ck_assert_uint_eq(found.lost, 1);
	ck_assert_uint_eq(found.orphans, 1);
	ck_assert(has_row(&kept) && has_file(&kept));
	ck_assert(!has_row(&lost));
	ck_assert(!has_file(&orphan));
	ck_assert_uint_eq(content_counts(c).objects, 1);
	ck_assert_uint_eq(content_counts(c).bytes, 4);
}
END_TEST

START_TEST(a_reader_shows_and_a_writer_prevents_the_lease)
{
	struct hash h = hash_text("12345678");
	uint64_t    durable = 0;
	int	    w, r, again;

	ck_assert_int_eq(content_partial_open(c, &h, 8, &durable, &w, &r), 0);
	ck_assert_int_eq(fcntl(r, F_GETFL) & O_ACCMODE, O_RDONLY);
	ck_assert_int_eq(publish_lease(c, &h, &again), -EAGAIN);
	close(w);
	ck_assert_int_eq(publish_lease(c, &h, &again), 0);
	fcntl(again, F_SETLEASE, F_UNLCK);
	ck_assert(content_is_shared(again));
	close(r);
	ck_assert(!content_is_shared(again));
	close(again);
}
END_TEST

static void
age(const struct hash *h, uint64_t used)
{
	struct MDB_txn *t;
	struct object	o;

	ck_assert_int_eq(index_write(ix, &t), 0);
	ck_assert_int_eq(index_object_get(ix, t, h, &o), 0);
	o.used = used;
	ck_assert_int_eq(index_object_put(ix, t, h, &o), 0);
	ck_assert_int_eq(index_commit(ix, &t), 0);
}

START_TEST(the_least_recently_used_goes_first_and_pinned_never)
{
	const struct content_limits l = { .max_content = 16 };
	struct hash	  pinned = put("aaaa"), old = put("bbbb"),
		    older = put("cccc"), young = put("dddd");
	char		  name[] = "pinned";
	const struct draft_name of = { { pinned, 4, true, false }, name };
	struct hashes	  gone = { 0 };

	age(&pinned, 1);
	age(&older, 2);
	age(&old, 3);
	age(&young, 4);
	replace(SPACE_CONTENT, &of, 1);
	content_set_limits(c, &l);
	ck_assert_int_eq(content_reserve(c, ix, 5, &gone), 0);
	ck_assert_uint_eq(gone.n, 2);
	ck_assert(hash_eq(&gone.h[0], &older) && hash_eq(&gone.h[1], &old));
	ck_assert(has_row(&young) && has_row(&pinned) && !has_file(&old));
	ck_assert_int_eq(content_reserve(c, ix, 13, &gone), -ENOSPC);
	ck_assert(has_row(&pinned) && has_file(&pinned));
	free(gone.h);
}
END_TEST

START_TEST(evicted_content_that_is_read_counts_as_used)
{
	const struct content_limits l = { .max_content = 8 };
	struct hash   read_one = put("aaaa"), other = put("bbbb");
	struct hashes gone = { 0 };
	int	      fd;

	age(&read_one, 1); /* older, yet the other is evicted first */
	age(&other, 2);
	ck_assert_int_eq(content_object_open(c, &read_one, &fd), 0);
	content_set_limits(c, &l);
	ck_assert_int_eq(content_reserve(c, ix, 4, &gone), 0);
	ck_assert_uint_eq(gone.n, 1);
	ck_assert(hash_eq(&gone.h[0], &other));
	ck_assert_int_eq(content_reserve(c, ix, 8, &gone), -ENOSPC);
	ck_assert_uint_eq(gone.n, 2);
	ck_assert(!has_row(&read_one));
	ck_assert_uint_eq(content_counts(c).ghost_bytes, 4);
	close(fd);
	ck_assert_int_eq(content_reserve(c, ix, 8, &gone), 0);
	ck_assert_uint_eq(content_counts(c).ghost_bytes, 0);
	free(gone.h);
}
END_TEST

/* -- publish -- */

static void
make_partial(const struct hash *h, const char *bytes, uint64_t size)
{
	struct partial	row = { .size = size, .prio = PRIO_PACKAGE };
	uint64_t	durable = 0;
	struct MDB_txn *t;
	int		w, r;

	ck_assert_int_eq(content_partial_open(c, h, size, &durable, &w, &r), 0);
	ck_assert_int_eq(write(w, bytes, strlen(bytes)), strlen(bytes));
	close(w);
	close(r);
	ck_assert_int_eq(index_write(ix, &t), 0);
	ck_assert_int_eq(index_partial_put(ix, t, h, &row), 0);
	ck_assert_int_eq(index_commit(ix, &t), 0);
}

static int
publish(const struct hash *h)
{
	uint64_t size;
	int	 fd, r = publish_lease(c, h, &fd);

	if (r < 0)
		return r;
	r = publish_partial(c, ix, h, fd, &size);
	close(fd);
	return r;
}

static const struct {
	const char *why, *bytes;
	uint64_t    size;
	int	    r;
} publishes[] = {
	{ "the right bytes", "hello", 5, 0 },
	{ "other bytes", "hellO", 5, -EBADMSG },
	{ "too few bytes", "hell", 5, -EBADMSG },
	{ "too many bytes", "hello!", 5, -EBADMSG },
};
START_TEST(only_what_the_hash_says_is_published)
{
	struct hash    h = hash_text("hello");
	struct partial p;
	struct MDB_txn *t;
	int	       fd;

	make_partial(&h, publishes[_i].bytes, publishes[_i].size);
	ck_assert_msg(publish(&h) == publishes[_i].r, "%s", publishes[_i].why);
	ck_assert_int_eq(has_row(&h), publishes[_i].r == 0);
	ck_assert_int_eq(has_file(&h), publishes[_i].r == 0);
	ck_assert_int_eq(content_partial_read(c, &h, &fd), -ENOENT);
	ck_assert_int_eq(index_read(ix, &t), 0);
	ck_assert_int_eq(index_partial_get(ix, t, &h, &p), -ENOENT);
	index_end(ix, &t);
}
END_TEST

START_TEST(a_publish_that_was_cut_short_is_done_again)
{
	struct hash	     h = hash_text("hello");
	struct content_found found;

	make_partial(&h, "hello", 5);
	ck_assert_int_eq(content_link(c, &h), 0); /* and no row: a crash */
	ck_assert_int_eq(content_reconcile(c, ix, &found), 0);
	ck_assert_uint_eq(found.orphans, 1);
	ck_assert_uint_eq(found.partials, 1); /* nothing to download again */
	ck_assert_int_eq(content_link(c, &h), 0);
	ck_assert_int_eq(publish(&h), 0); /* also over the file left there */
	ck_assert(has_row(&h) && has_file(&h));
}
END_TEST

START_TEST(a_partial_file_goes_on_after_its_durable_length)
{
	struct hash h = hash_text("hello");
	uint64_t    durable = 3;
	struct stat st;
	int	    w, r;

	make_partial(&h, "hello", 5);
	ck_assert_int_eq(content_partial_open(c, &h, 5, &durable, &w, &r), 0);
	ck_assert_uint_eq(durable, 3);
	ck_assert_int_eq(fstat(r, &st), 0);
	ck_assert_int_eq(st.st_size, 3); /* what was not durable is cut off */
	close(w);
	close(r);
	durable = 4; /* a row that says more than there is */
	ck_assert_int_eq(content_partial_open(c, &h, 5, &durable, &w, &r), 0);
	ck_assert_uint_eq(durable, 3);
	close(w);
	close(r);
}
END_TEST

/* -- names -- */

static const struct {
	const char *name;
	bool	    ok;
} names[] = {
	{ "repo/metadata/timestamp.json", true },
	{ "a", true },
	{ "a/..b/c.", true },
	{ ".../x", true },
	{ "", false },
	{ "/a", false },
	{ "a/", false },
	{ "a//b", false },
	{ "a/./b", false },
	{ "..", false },
	{ "a/../b", false },
	{ "a\nb", false },
};
START_TEST(names_that_may_be_served)
{
	ck_assert_msg(name_ok(names[_i].name) == names[_i].ok, "\"%s\"",
	    names[_i].name);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("store");
	TCase	*t = tcase_create("store");
	SRunner *r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, names_are_replaced_whole_and_references_follow);
	tcase_add_test(t, names_are_walked_in_pages_each_once);
	tcase_add_test(t, a_role_reaches_only_its_own_table);
	tcase_add_test(t, a_full_map_refuses_and_keeps_what_was);
	tcase_add_test(t,
	    reconcile_removes_files_without_rows_and_rows_without_files);
	tcase_add_test(t, a_reader_shows_and_a_writer_prevents_the_lease);
	tcase_add_test(t, the_least_recently_used_goes_first_and_pinned_never);
	tcase_add_test(t, evicted_content_that_is_read_counts_as_used);
	tcase_add_loop_test(t, only_what_the_hash_says_is_published, 0,
	    sizeof(publishes) / sizeof(publishes[0]));
	tcase_add_test(t, a_publish_that_was_cut_short_is_done_again);
	tcase_add_test(t, a_partial_file_goes_on_after_its_durable_length);
	tcase_add_loop_test(t, names_that_may_be_served, 0,
	    sizeof(names) / sizeof(names[0]));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
