/*
 * dpctl/repo_verify.c - reads a repository as an agent does, from its first root.
 *
 * Runs in dpctl. Believes metadata/1.root.json, and nothing else but what
 * common/tuf.h verified from there.
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/tuf.h"
#include "common/url.h"
#include "dpctl/repo.h"

enum { CHUNK = 1 << 18 };

struct verify {
	const char     *dir;
	struct tuf     *tuf;
	struct progress progress;
	int64_t		bytes, done;
	int		targets, roles, bad;
};

/* A URL path below kind/ as a web server finds its file: escapes undone. */
static int
file_of(const struct verify *v, const char *kind, const char *url_path,
    char out[PATH_LEN])
{
	char name[TUF_PATH_LEN];

	snprintf(name, sizeof(name), "%s", url_path);
	return url_unescape(name) < 0 || !tuf_path_is_plain(name)
	    ? fail("%s/%s: leads out of the repository", kind, url_path)
	    : path_join(out, v->dir, "%s/%s", kind, name);
}

/* Until the client wants nothing more. */
static int
drive(struct verify *v)
{
	struct tuf_want want;
	char		path[PATH_LEN], *text;
	size_t		len;
	int		r, st;

	while ((r = tuf_next(v->tuf, &want)) == 1) {
		if ((st = file_of(v, "metadata", want.path, path)) != EX_DONE)
			return st;
		if (access(path, F_OK) < 0 && errno == ENOENT) {
			r = tuf_missing(v->tuf);
		} else {
			if ((st = file_read(path, want.max, &text, &len)) != EX_DONE)
				return st;
			r = tuf_give(v->tuf, text, len);
			free(text);
		}
		if (r < 0)
			break;
	}
	return r < 0 ? fail("%s", tuf_error(v->tuf)) : EX_DONE;
}

static int
count_target(void *arg, const struct tuf_target *t)
{
	struct verify *v = arg;

	v->targets++;
	v->bytes += t->length;
	return 0;
}

static int
hash_fd(struct verify *v, int fd, struct hash *out)
{
	struct hash_run *run;
	char		*buf = malloc(CHUNK);
	ssize_t		 n;
	int		 r = buf == NULL ? -ENOMEM : hash_run_new(&run);

	if (r < 0) {
		free(buf);
		return r;
	}
	while (r == 0 && (n = read(fd, buf, CHUNK)) != 0) {
		if (n < 0)
			r = errno == EINTR ? 0 : -errno;
		else if ((r = hash_run_add(run, buf, (size_t)n)) == 0)
			progress_at(&v->progress, v->done += n);
	}
	if (r == 0)
		r = hash_run_end(run, out);
	hash_run_free(&run);
	free(buf);
	return r;
}

static int
check_target(void *arg, const struct tuf_target *t)
{
	struct verify *v = arg;
	char	       rel[TUF_PATH_LEN], path[PATH_LEN];
	struct hash    h;
	struct stat    st;
	int	       fd, r;

	if (tuf_target_path(v->tuf, t, rel) < 0 ||
	    file_of(v, "targets", rel, path) != EX_DONE)
		return ++v->bad, 0;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) < 0 ||
	    fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fail_errno(errno, "target %s: %s", t->path, path);
		v->bad++;
	} else if (st.st_size != t->length) {
		fail("target %s: %s: %lld bytes, signed as %" PRId64, t->path, path,
		    (long long)st.st_size, t->length);
		v->bad++;
	} else if ((r = hash_fd(v, fd, &h)) < 0) {
		fail_errno(-r, "target %s: %s", t->path, path);
		v->bad++;
	} else if (t->has_sha256 && !hash_eq(&h, &t->sha256)) {
		fail("target %s: %s: its sha256 is not the signed one", t->path, path);
		v->bad++;
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

static int
show_file(void *arg, const struct tuf_file *f)
{
	struct verify *v = arg;
	char	       when[TUF_TIME_LEN];

	v->roles++;
	tuf_time_print(f->expires, when);
	say(json_pack("{s:s, s:I, s:s}", "role", f->role, "version",
	    (json_int_t)f->version, "expires", when), "%-24s version %4" PRId64
	    "  expires %s", f->role, f->version, when);
	return 0;
}

int
cmd_repo_verify(struct args *a)
{
	struct tuf_conf conf = { .now = time(NULL) };
	struct verify	v = { .dir = a->pos[0] };
	char		size[SIZE_TEXT], path[PATH_LEN], *root = NULL;
	size_t		len;
	int		st;

	if ((st = path_join(path, v.dir, "metadata/1.root.json")) != EX_DONE)
		return st;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return fail("%s: no repository there; dpctl repo init makes one", v.dir);
	if ((st = file_read(path, 512000, &root, &len)) != EX_DONE)
		return st;
	if (tuf_setup() < 0 || tuf_new(&v.tuf, &conf) < 0 ||
	    tuf_local(v.tuf, "root", root, len) < 0) {
		st = fail("out of memory");
		goto out;
	}
	if ((st = drive(&v)) != EX_DONE)
		goto out;
	tuf_load_all(v.tuf);
	if ((st = drive(&v)) != EX_DONE)
		goto out;
	tuf_files(v.tuf, show_file, &v);
	tuf_each(v.tuf, count_target, &v);
	progress_begin(&v.progress, "verify", v.bytes, true);
	tuf_each(v.tuf, check_target, &v);
	progress_end(&v.progress);
	if (v.bad > 0) {
		st = fail("%s: %d of %d targets are wrong", v.dir, v.bad, v.targets);
		goto out;
	}
	say(json_pack("{s:b, s:i, s:i, s:I}", "verified", 1, "roles", v.roles, "targets",
	    v.targets, "bytes", (json_int_t)v.bytes), "verified: %d files of metadata, %d"
	    " targets, %s", v.roles, v.targets, size_text((double)v.bytes, size));
out:
	free(root);
	tuf_free(&v.tuf);
	return st;
}
