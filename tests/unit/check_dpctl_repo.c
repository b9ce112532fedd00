/*
 * tests/unit/check_dpctl_repo.c - a repository is authored and followed by the
 * client of common/tuf.h, which keeps its state from step to step as an agent
 * does: what it trusted once must lead to everything that is published later.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/dpctl.h"
#include "dpctl/keys.h"

#include <check.h> /* after ours: it makes fail() a macro */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"
#include "common/size.h"
#include "common/tuf.h"

enum { KEPT = 16 };

static char dir[64];

/* What an agent keeps, by role. */
static struct {
	char  role[64];
	void *bytes;
	size_t len;
} kept[KEPT];
static size_t nkept;

static void
setup(void)
{
	FILE *f;

	snprintf(dir, sizeof(dir), "/tmp/check_dpctl_repo.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	f = fopen("a.deb", "w");
	fputs("the bytes of a package", f);
	fclose(f);
	nkept = 0;
}

static void
teardown(void)
{
	char cmd[128];

	while (nkept > 0)
		free(kept[--nkept].bytes);
	ck_assert_int_eq(chdir("/"), 0);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static int
run(const char *line)
{
	char	    text[512], *words[32], *save;
	struct args a;
	bool	    help, version;
	int	    n = 0, r;

	snprintf(text, sizeof(text), "dpctl %s", line);
	for (char *w = strtok_r(text, " ", &save); w != NULL && n < 31;
	     w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	if ((r = args_parse(&a, n, words, &help, &version)) == EX_DONE)
		r = a.cmd->fn(&a);
	args_fini(&a);
	return r;
}

static int
keep(void *arg, const struct tuf_file *f)
{
	size_t i = 0;

	(void)arg;
	while (i < nkept && strcmp(kept[i].role, f->role) != 0)
		i++;
	ck_assert_uint_lt(i, KEPT);
	if (i == nkept)
		nkept++;
	else
		free(kept[i].bytes);
	snprintf(kept[i].role, sizeof(kept[i].role), "%s", f->role);
	kept[i].bytes = malloc(f->len + 1);
	memcpy(kept[i].bytes, f->bytes, kept[i].len = f->len);
	return 0;
}

static int
drive(struct tuf *t)
{
	struct tuf_want want;
	char		path[PATH_LEN], *text;
	size_t		len;
	int		r;

	while ((r = tuf_next(t, &want)) == 1) {
		snprintf(path, sizeof(path), "repo/metadata/%s", want.path);
		if (access(path, F_OK) < 0) {
			r = tuf_missing(t);
		} else {
			ck_assert_int_eq(file_read(path, want.max, &text, &len), EX_DONE);
			r = tuf_give(t, text, len);
			free(text);
		}
		if (r < 0)
			return r;
	}
	return r;
}

/* A refresh with the state kept so far; then the target. 0 or negative errno. */
static int
follow(const char *target, int64_t later, int64_t *root_version)
{
	struct tuf_conf	  conf = { .now = time(NULL) + later, .save = keep };
	struct tuf_target found;
	struct tuf	 *t;
	char		 *text;
	size_t		  len;
	int		  r;

	ck_assert_int_eq(tuf_setup(), 0);
	ck_assert_int_eq(tuf_new(&t, &conf), 0);
	if (nkept == 0) {
		ck_assert_int_eq(file_read("repo/metadata/1.root.json", 1 << 20, &text,
		    &len), EX_DONE);
		keep(NULL, &(struct tuf_file){ .role = "root", .bytes = text, .len = len });
		free(text);
	}
	for (size_t i = 0; i < nkept; i++)
		ck_assert_int_eq(tuf_local(t, kept[i].role, kept[i].bytes, kept[i].len),
		    0);
	if ((r = drive(t)) == 0 && target != NULL)
		while ((r = tuf_find(t, target, &found)) == -EAGAIN &&
		    (r = drive(t)) == 0)
			;
	if (r == 0 && target != NULL) {
		ck_assert(tuf_target_for(&found, "/hq/berlin"));
		ck_assert(!tuf_target_for(&found, "/other"));
		ck_assert_str_eq(tuf_target_kind(&found), "package");
	}
	if (root_version != NULL)
		*root_version = tuf_version(t, "root");
	tuf_free(&t);
	return r;
}

#define INIT "repo init repo --keys keys --root-keys roots "

START_TEST(what_is_published_is_found)
{
	ck_assert_int_eq(run(INIT), EX_DONE);
	ck_assert_int_eq(follow(NULL, 0, NULL), 0);
	ck_assert_int_eq(run("repo add repo a.deb --kind package --group /hq"), EX_DONE);
	ck_assert_int_eq(follow("packages/a.deb", 0, NULL), -ENOENT);
	ck_assert_int_eq(run("repo publish repo"), EX_DONE);
	ck_assert_int_eq(follow("packages/a.deb", 0, NULL), 0);
	ck_assert_int_eq(run("repo verify repo"), EX_DONE);
	ck_assert_int_eq(run("repo remove repo packages/a.deb"), EX_DONE);
	ck_assert_int_eq(run("repo publish repo"), EX_DONE);
	ck_assert_int_eq(follow("packages/a.deb", 0, NULL), -ENOENT);
}
END_TEST

static const char *const types[] = { "ed25519", "ecdsa", "rsa" };
static const char *const roles[] = { "root", "timestamp", "snapshot", "targets",
	"packages", "root", "timestamp" };

START_TEST(every_rotation_is_followed)
{
	char	line[128];
	int64_t version = 0;

	snprintf(line, sizeof(line), INIT "--root-threshold 2 --root-count 3 --type %s",
	    types[_i]);
	ck_assert_int_eq(run(line), EX_DONE);
	ck_assert_int_eq(run("repo add repo a.deb --kind package --group /hq"), EX_DONE);
	ck_assert_int_eq(run("repo publish repo"), EX_DONE);
	for (size_t i = 0; i < COUNT(roles); i++) {
		ck_assert_int_eq(follow("packages/a.deb", 0, NULL), 0);
		snprintf(line, sizeof(line), "repo rotate repo %s", roles[i]);
		ck_assert_int_eq(run(line), EX_DONE);
	}
	ck_assert_int_eq(follow("packages/a.deb", 0, &version), 0);
	ck_assert_int_eq(version, 7); /* all but "packages" change the root */
}
END_TEST

START_TEST(publish_renews_what_gets_old)
{
	ck_assert_int_eq(run(INIT "--expires timestamp=2h --expires packages=4h"), EX_DONE);
	ck_assert_int_eq(follow(NULL, 0, NULL), 0);
	ck_assert_int_eq(follow(NULL, 7300, NULL), -ETIME);
	ck_assert_int_eq(run("repo publish repo --expires timestamp=10h"), EX_DONE);
	ck_assert_int_eq(follow(NULL, 7300, NULL), 0);
	ck_assert_int_eq(access("repo/metadata/2.packages.json", F_OK), -1);
	ck_assert_int_eq(run("repo publish repo --expires packages=20h"), EX_DONE);
	ck_assert_int_eq(access("repo/metadata/2.packages.json", F_OK), 0);
	ck_assert_int_eq(access("repo/metadata/2.updates.json", F_OK), -1);
}
END_TEST

START_TEST(the_state_may_be_lost)
{
	ck_assert_int_eq(run(INIT), EX_DONE);
	ck_assert_int_eq(run("repo add repo a.deb --kind package --group /hq"), EX_DONE);
	ck_assert_int_eq(run("repo publish repo"), EX_DONE);
	ck_assert_int_eq(unlink("repo/repo.json"), 0);
	ck_assert_int_eq(run("repo publish repo"), EX_BAD_USAGE);
	ck_assert_int_eq(run("repo publish repo --keys keys"), EX_DONE);
	ck_assert_int_eq(follow("packages/a.deb", 0, NULL), 0);
}
END_TEST

/* Cut off between any two files: the old or the new, never neither. */
START_TEST(an_interrupted_publish_is_repeated)
{
	ck_assert_int_eq(run(INIT), EX_DONE);
	ck_assert_int_eq(run("repo add repo a.deb --kind package --group /hq"), EX_DONE);
	ck_assert_int_eq(system("cp -a repo before"), 0);
	ck_assert_int_eq(run("repo publish repo"), EX_DONE);
	ck_assert_int_eq(system("cp -a repo after"), 0);
	/* all new files but the last, and the state of before */
	ck_assert_int_eq(system("cp before/repo.json repo/ &&"
	    " cp before/metadata/timestamp.json repo/metadata/"), 0);
	ck_assert_int_eq(follow("packages/a.deb", 0, NULL), -ENOENT);
	ck_assert_int_eq(run("repo publish repo"), EX_DONE);
	ck_assert_int_eq(follow("packages/a.deb", 0, NULL), 0);
	ck_assert_int_eq(run("repo verify repo"), EX_DONE);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("dpctl_repo");
	TCase	*t = tcase_create("all");
	SRunner *r;
	int	 failed, fd = open("/dev/null", O_WRONLY), out = dup(STDOUT_FILENO);

	dup2(fd, STDERR_FILENO);
	dup2(fd, STDOUT_FILENO);
	tcase_set_timeout(t, 60); /* rsa keys take their time */
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_is_published_is_found);
	tcase_add_loop_test(t, every_rotation_is_followed, 0, COUNT(types));
	tcase_add_test(t, publish_renews_what_gets_old);
	tcase_add_test(t, the_state_may_be_lost);
	tcase_add_test(t, an_interrupted_publish_is_repeated);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_SILENT);
	fflush(stdout);
	dup2(out, STDOUT_FILENO); /* for the verdict, not for the commands */
	srunner_print(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
