/*
 * tests/unit/check_keep.c - dp-agent/keep.h: what is placed is right, whole and
 * beneath its directory, whatever lies there and whatever the child says.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/keep.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char	    dir[] = "/tmp/dpoint-keep.XXXXXX";
static char	    targets[200], state[200];
static struct loop *loop;
static struct keep *k;

static void
setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(loop_new(&loop), 0);
	snprintf(targets, sizeof(targets), "%s/deep/files", dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	ck_assert_int_eq(keep_open(&k, loop, targets, state), 0);
}

static void
teardown(void)
{
	char cmd[300];

	keep_close(&k);
	loop_free(&loop);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static struct hash
hash_text(const char *s)
{
	struct hash h;

	ck_assert_int_eq(hash_of(&h, s, strlen(s)), 0);
	return h;
}

/* Writes text as the partial file of h; the writer is closed or given back. */
static int
fill(const struct hash *h, uint64_t size, const char *text, int *keep_open_fd)
{
	int	 wfd, rfd, r;
	uint64_t there;

	if ((r = keep_part_open(k, h, size, &wfd, &rfd, &there)) < 0)
		return r;
	ck_assert_int_eq(pwrite(wfd, text, strlen(text), 0),
	    (ssize_t)strlen(text));
	close(rfd);
	if (keep_open_fd != NULL)
		*keep_open_fd = wfd;
	else
		close(wfd);
	return 0;
}

static void
on_answer(void *ctx, int r)
{
	*(int *)ctx = r;
	loop_stop(loop, 0);
}

/* As if nobody had to wait. */
static int
waited(int r, const int *answer)
{
	if (r != -EINPROGRESS)
		return r;
	loop_run(loop);
	return *answer;
}

static int
place(const struct hash *h, const char *path)
{
	struct keep_job *job;
	int		 answer = 99;

	return waited(keep_place(k, h, path, on_answer, &answer, &job), &answer);
}

static int
has(const char *path, const struct hash *h, uint64_t size)
{
	struct keep_job *job;
	int		 answer = 99;

	return waited(keep_has(k, path, h, size, on_answer, &answer, &job),
	    &answer);
}

static int
is(const char *path, const struct hash *h)
{
	struct keep_job *job;
	int		 answer = 99;

	return waited(keep_is(k, path, h, on_answer, &answer, &job), &answer);
}

static int
put(const char *path, const char *text)
{
	struct hash h = hash_text(text);

	ck_assert_int_eq(fill(&h, strlen(text), text, NULL), 0);
	return place(&h, path);
}

static void
in_targets(char *out, size_t size, const char *path)
{
	ck_assert_int_lt(snprintf(out, size, "%s/%s", targets, path), (int)size);
}

static bool
holds(const char *path, const char *text)
{
	char	full[500], buf[100];
	ssize_t n;
	int	fd;

	in_targets(full, sizeof(full), path);
	if ((fd = open(full, O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	n = read(fd, buf, sizeof(buf));
	close(fd);
	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

#define BIG (1ULL << 30)

/* A file of zeros, which costs no disk. */
static void
sparse(const char *path)
{
	char full[500];
	int  fd;

	in_targets(full, sizeof(full), path);
	fd = open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)BIG), 0);
	close(fd);
}

static const struct {
	const char *path;
	bool	    good;
} paths[] = {
	{ "a", true }, { "a/b.deb", true }, { "a b/c", true },
	{ "...", true }, { "a/.hidden", true }, { "", false },
	{ "/a", false }, { "a/", false }, { "a//b", false }, { ".", false },
	{ "..", false }, { "a/../b", false }, { "a/./b", false },
	{ "a/..", false }, { ".dpoint", false }, { ".dpoint/x", false },
	{ "a\nb", false }, { "a\x7f", false }, { "a\\b", false },
};

START_TEST(names)
{
	ck_assert_msg(keep_path_is_good(paths[_i].path) == paths[_i].good,
	    "\"%s\"", paths[_i].path);
	if (!paths[_i].good)
		ck_assert_int_eq(put(paths[_i].path, "x"), -EINVAL);
}
END_TEST

START_TEST(places_and_knows)
{
	struct hash h = hash_text("hello"), other = hash_text("hallo");

	ck_assert_int_eq(put("a/b/c.deb", "hello"), 0);
	ck_assert(holds("a/b/c.deb", "hello"));
	ck_assert_int_eq(has("a/b/c.deb", &h, 5), 1);
	ck_assert_int_eq(has("a/b/c.deb", &other, 5), 0);
	ck_assert_int_eq(has("a/b/c.deb", &h, 6), 0);
	ck_assert_int_eq(has("a/b/d.deb", &h, 5), 0);
	/* a new version takes the place of the old one */
	ck_assert_int_eq(put("a/b/c.deb", "hallo"), 0);
	ck_assert_int_eq(has("a/b/c.deb", &other, 5), 1);
	/* and all of it is known after a restart */
	keep_close(&k);
	ck_assert_int_eq(keep_open(&k, loop, targets, state), 0);
	ck_assert_int_eq(has("a/b/c.deb", &other, 5), 1);
}
END_TEST

START_TEST(notices_a_change)
{
	struct hash h = hash_text("hello");
	char	    full[500];
	int	    fd;

	ck_assert_int_eq(put("c", "hello"), 0);
	in_targets(full, sizeof(full), "c");
	usleep(20000); /* the file system's clock must have gone on */
	fd = open(full, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, "j", 1, 0), 1);
	close(fd);
	ck_assert_int_eq(has("c", &h, 5), 0);
	ck_assert_int_eq(unlink(full), 0);
	ck_assert_int_eq(has("c", &h, 5), 0);
}
END_TEST

START_TEST(wrong_bytes)
{
	struct hash h = hash_text("hello");

	ck_assert_int_eq(fill(&h, 5, "hallo", NULL), 0);
	ck_assert_int_eq(place(&h, "c"), -EBADMSG);
	ck_assert(!holds("c", "hallo"));
	/* the wrong bytes are gone, not gone on after */
	ck_assert_int_eq(put("c", "hello"), 0);
}
END_TEST

START_TEST(unlisted_files_are_hashed)
{
	struct hash h = hash_text("hello");
	char	    full[500];
	FILE	   *f;

	in_targets(full, sizeof(full), "c");
	f = fopen(full, "we");
	fputs("hello", f);
	fclose(f);
	ck_assert_int_eq(is("c", &h), 1);
	ck_assert_int_eq(has("c", &h, 5), 1);
	h.b[0] ^= 1;
	ck_assert_int_eq(is("c", &h), 0);
	ck_assert_int_eq(is("d", &h), 0);
	ck_assert_int_eq(is("../secret", &h), 0);
	keep_doubt(k);
	ck_assert_int_eq(has("c", &h, 5), 0);
}
END_TEST

static uint64_t ticked_ms, worst_ms;
static unsigned ticks;

static uint64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
on_tick(void *ctx)
{
	uint64_t now = clock_ms();

	if (now - ticked_ms > worst_ms)
		worst_ms = now - ticked_ms;
	ticked_ms = now;
	ticks++;
	loop_timer_set(*(struct loop_timer **)ctx, 1);
}

START_TEST(the_loop_goes_on_while_a_large_file_is_hashed)
{
	struct hash	   h = hash_text("hello"), small = h;
	struct keep_job	  *job, *other;
	struct loop_timer *t;
	int		   big = 99, little = 99;
	uint64_t	   began = clock_ms();

	sparse("big");
	ck_assert_int_eq(fill(&small, 5, "hello", NULL), 0);
	ck_assert_int_eq(loop_timer_new(loop, on_tick, &t, &t), 0);
	ticked_ms = clock_ms();
	worst_ms = ticks = 0;
	loop_timer_set(t, 1);
	ck_assert_int_eq(keep_has(k, "big", &h, BIG, on_answer, &big, &job),
	    -EINPROGRESS);
	/* a small one behind it does not wait for it */
	ck_assert_int_eq(keep_place(k, &small, "c", on_answer, &little, &other),
	    -EINPROGRESS);
	loop_run(loop);
	ck_assert_int_eq(little, 0);
	ck_assert_int_eq(big, 99);
	loop_run(loop);
	ck_assert_int_eq(big, 0);
	loop_timer_free(&t);
	printf("1 GiB hashed in %llu ms, %u turns for others, the longest wait "
	       "%llu ms\n",
	    (unsigned long long)(clock_ms() - began), ticks,
	    (unsigned long long)worst_ms);
	ck_assert_uint_ge(ticks, 20); /* it was 1, after all of it */
}
END_TEST

START_TEST(a_job_may_be_left)
{
	struct hash	 h = hash_text("hello");
	struct keep_job *job;
	int		 answer = 99;

	sparse("big");
	ck_assert_int_eq(keep_has(k, "big", &h, BIG, on_answer, &answer, &job),
	    -EINPROGRESS);
	keep_cancel(&job);
	ck_assert_ptr_null(job);
	keep_cancel(&job);
	ck_assert_int_eq(put("c", "hello"), 0); /* runs the loop */
	ck_assert_int_eq(answer, 99);
	ck_assert_int_eq(keep_has(k, "big", &h, BIG, on_answer, &answer, &job),
	    -EINPROGRESS); /* teardown closes it under way */
}
END_TEST

START_TEST(what_is_being_placed_is_left_alone)
{
	struct hash	 h = hash_text("hello");
	struct keep_job *job, *other;
	uint64_t	 there;
	int		 wfd, rfd, answer = 99;

	ck_assert_int_eq(fill(&h, 5, "hello", NULL), 0);
	ck_assert_int_eq(keep_place(k, &h, "c", on_answer, &answer, &job),
	    -EINPROGRESS);
	/* nobody gets to write to it, or puts another in its place */
	ck_assert_int_eq(keep_part_open(k, &h, 5, &wfd, &rfd, &there), -EBUSY);
	ck_assert_int_eq(wfd, -1);
	keep_part_drop(k, &h);
	ck_assert_int_eq(keep_place(k, &h, "d", on_answer, &answer, &other),
	    -EBUSY);
	ck_assert_ptr_null(other);
	loop_run(loop);
	ck_assert_int_eq(answer, 0);
	ck_assert(holds("c", "hello"));
	/* one that was left can be gone on with */
	ck_assert_int_eq(fill(&h, 5, "hello", NULL), 0);
	ck_assert_int_eq(keep_place(k, &h, "d", on_answer, &answer, &job),
	    -EINPROGRESS);
	keep_cancel(&job);
	ck_assert_int_eq(keep_part_open(k, &h, 5, &wfd, &rfd, &there), 0);
	close(wfd);
	close(rfd);
	ck_assert_int_eq(place(&h, "d"), 0);
}
END_TEST

START_TEST(writer_still_there)
{
	struct hash h = hash_text("hello");
	int	    fd;

	ck_assert_int_eq(fill(&h, 5, "hello", &fd), 0);
	ck_assert_int_eq(place(&h, "c"), -EBUSY);
	ck_assert(!holds("c", "hello"));
	close(fd);
	ck_assert_int_eq(place(&h, "c"), 0);
}
END_TEST

START_TEST(goes_on_after_what_is_durable)
{
	struct hash h = hash_text("hello");
	uint64_t    there;
	char	    text[8] = "";
	int	    wfd, rfd;

	ck_assert_int_eq(fill(&h, 5, "hel", NULL), 0);
	keep_part_sync(k, &h, 2);
	keep_close(&k);
	ck_assert_int_eq(keep_open(&k, loop, targets, state), 0);
	ck_assert_int_eq(keep_part_open(k, &h, 5, &wfd, &rfd, &there), 0);
	ck_assert_uint_eq(there, 2);
	/* what came out of order before it was durable is kept */
	ck_assert_int_eq(pread(rfd, text, sizeof(text), 0), 3);
	ck_assert_str_eq(text, "hel");
	close(wfd);
	close(rfd);
	/* a length beyond the file's is not believed */
	keep_part_sync(k, &h, 5);
	ck_assert_int_eq(keep_part_open(k, &h, 5, &wfd, &rfd, &there), 0);
	ck_assert_uint_le(there, 3);
	close(wfd);
	close(rfd);
	keep_part_drop(k, &h);
	ck_assert_int_eq(keep_part_open(k, &h, 5, &wfd, &rfd, &there), 0);
	ck_assert_uint_eq(there, 0);
	close(wfd);
	close(rfd);
}
END_TEST

START_TEST(links_lead_nowhere)
{
	char	    full[500], secret[300];
	struct hash h = hash_text("hello");
	struct stat st;
	FILE	   *f;

	snprintf(secret, sizeof(secret), "%s/secret", dir);
	f = fopen(secret, "we");
	fputs("hello", f);
	fclose(f);
	/* a link where a file is to be is no file of ours, and is replaced */
	in_targets(full, sizeof(full), "c");
	ck_assert_int_eq(symlink(secret, full), 0);
	ck_assert_int_eq(has("c", &h, 5), 0);
	ck_assert_int_eq(put("c", "hallo"), 0);
	ck_assert_int_eq(lstat(full, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	/* a link where a directory is to be is not followed */
	in_targets(full, sizeof(full), "d");
	ck_assert_int_eq(symlink(dir, full), 0);
	ck_assert_int_eq(put("d/secret", "hallo"), -ELOOP);
	ck_assert_int_eq(put("d/new/x", "hallo"), -ELOOP);
	/* a fifo does not hold us up */
	in_targets(full, sizeof(full), "e");
	ck_assert_int_eq(mkfifo(full, 0600), 0);
	ck_assert_int_eq(has("e", &h, 5), 0);
	f = fopen(secret, "re");
	ck_assert_int_eq(fgetc(f), 'h');
	ck_assert_int_eq(fgetc(f), 'e');
	fclose(f);
}
END_TEST

static unsigned told;

static void
tell(void *ctx, const char *path, bool removed)
{
	ck_assert_str_eq(path, ctx);
	told += removed ? 100 : 1;
}

START_TEST(what_left_the_set)
{
	struct hash h = hash_text("hello");

	told = 0;
	ck_assert_int_eq(put("stay", "hello"), 0);
	ck_assert_int_eq(put("go", "hello"), 0);
	keep_marks_clear(k);
	ck_assert_int_eq(has("stay", &h, 5), 1);
	keep_unmarked(k, false, tell, (void *)"go");
	ck_assert_uint_eq(told, 1);
	ck_assert(holds("go", "hello"));
	keep_unmarked(k, false, tell, (void *)"go");
	ck_assert_uint_eq(told, 1); /* once is enough */
	keep_unmarked(k, true, tell, (void *)"go");
	ck_assert_uint_eq(told, 101);
	ck_assert(!holds("go", "hello") && holds("stay", "hello"));
	keep_unmarked(k, true, tell, (void *)"none");
}
END_TEST

START_TEST(state_by_key)
{
	static const char *const bad[] = { "", ".", "..", "../x", "a/b", ".x",
		"a b", "a\n", "root.json", "status.json.new" };
	char	   path[300], buf[8];
	int	   fd;

	snprintf(path, sizeof(path), "%s/from", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(pwrite(fd, "one", 3, 0), 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_int_eq(keep_state_put(k, bad[i], fd), -EINVAL);
		ck_assert_int_eq(keep_state_open(k, bad[i]), -EINVAL);
	}
	ck_assert_int_eq(keep_state_open(k, "timestamp"), -ENOENT);
	ck_assert_int_eq(keep_state_put(k, "timestamp", fd), 0);
	close(fd);
	ck_assert_int_ge(fd = keep_state_open(k, "timestamp"), 0);
	ck_assert_int_eq(read(fd, buf, sizeof(buf)), 3);
	ck_assert(memcmp(buf, "one", 3) == 0);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("keep");
	TCase	*t = tcase_create("keep");
	SRunner *sr = srunner_create(s);
	int	 failed;

	if (hash_setup() < 0)
		return EXIT_FAILURE;
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, names, 0, sizeof(paths) / sizeof(*paths));
	tcase_add_test(t, places_and_knows);
	tcase_add_test(t, notices_a_change);
	tcase_add_test(t, wrong_bytes);
	tcase_add_test(t, unlisted_files_are_hashed);
	tcase_add_test(t, the_loop_goes_on_while_a_large_file_is_hashed);
	tcase_add_test(t, a_job_may_be_left);
	tcase_add_test(t, what_is_being_placed_is_left_alone);
	tcase_add_test(t, writer_still_there);
	tcase_add_test(t, goes_on_after_what_is_durable);
	tcase_add_test(t, links_lead_nowhere);
	tcase_add_test(t, what_left_the_set);
	tcase_add_test(t, state_by_key);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
