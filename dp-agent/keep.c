/*
 * dp-agent/keep.c - the device's files; see keep.h.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/keep.h"

#include "common/log.h"
#include "common/size.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PARTS	  ".dpoint"
#define STATE_MAX (8 << 20) /* bytes of one kept file */
#define SLICE	  (1 << 20)
#define TURN	  (4 << 20) /* bytes hashed before the loop goes on */

struct placed {
	struct placed *next;
	struct hash    hash;
	uint64_t       size;
	int64_t	       mtime_ns, ctime_ns;
	bool	       marked, told;
	char	       path[];
};

enum job_what { JOB_HAS, JOB_IS, JOB_PLACE };

struct keep_job { /* a file that is being hashed */
	struct keep_job	 *next;
	struct keep	 *k;
	enum job_what	  what;
	int		  fd;
	off_t		  at;
	struct stat	  st; /* before the first byte was read */
	struct hash	  hash; /* as it should be */
	struct hash_run	 *run;
	keep_fn		  fn;
	void		 *ctx;
	char		  path[KEEP_PATH_LEN];
};

#define BUCKETS 4096

struct keep {
	struct loop_timer *turn;
	struct keep_job	  *jobs, **jobs_tail; /* each a turn, in order */
	int	       targets_fd, parts_fd, state_fd, tuf_fd;
	FILE	      *list;
	struct placed *placed[BUCKETS];
	uint8_t	      *buf; /* SLICE bytes */
};

bool
keep_path_is_good(const char *path)
{
	const char *part = path;
	size_t	    n;

	if (strlen(path) >= KEEP_PATH_LEN || path[0] == '\0')
		return false;
	for (const char *p = path; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 127 || *p == '\\')
			return false;
	for (;; part += n + 1) {
		n = strcspn(part, "/");
		if (n == 0 || n > 255 || strncmp(part, PARTS, 7) == 0 ||
		    (n <= 2 && strncmp(part, "..", n) == 0))
			return false;
		if (part[n] == '\0')
			return true;
	}
}

static bool
key_is_good(const char *key)
{
	static const char *const keys[] = { "roots", "timestamp", "snapshot",
		"targets", "delegated", "status.json", "link.json",
		"report.json" };

	for (size_t i = 0; i < COUNT(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

/* Opens beneath dir, following no link anywhere. */
static int
open_beneath(int dir, const char *path, uint64_t flags, uint64_t mode)
{
	struct open_how how = { .flags = flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int
make_dir_at(int dir, const char *path, mode_t mode, int *fd)
{
	if (mkdirat(dir, path, mode) < 0 && errno != EEXIST)
		return -errno;
	*fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

static int
make_dirs(const char *path, mode_t mode, int *fd)
{
	char part[300];

	for (size_t i = 1; i < sizeof(part) && path[i] != '\0'; i++)
		if (path[i] == '/') {
			memcpy(part, path, i);
			part[i] = '\0';
			if (mkdir(part, 0755) < 0 && errno != EEXIST)
				return -errno;
		}
	return make_dir_at(AT_FDCWD, path, mode, fd);
}

/* -- the list of placed files -- */

static size_t
bucket(const char *path)
{
	uint32_t h = 2166136261u;

	while (*path != '\0')
		h = (h ^ (unsigned char)*path++) * 16777619u;
	return h % BUCKETS;
}

static struct placed *
find(struct keep *k, const char *path)
{
	struct placed *p = k->placed[bucket(path)];

	while (p != NULL && strcmp(p->path, path) != 0)
		p = p->next;
	return p;
}

static int64_t
ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool
is_as_listed(const struct placed *p, const struct stat *st)
{
	return (uint64_t)st->st_size == p->size &&
	    ns(st->st_mtim) == p->mtime_ns && ns(st->st_ctim) == p->ctime_ns;
}

static struct placed *
enter(struct keep *k, const char *path)
{
	struct placed *p = find(k, path);
	size_t	       n = strlen(path) + 1;

	if (p != NULL)
		return p;
	if ((p = calloc(1, sizeof(*p) + n)) == NULL)
		return NULL;
	memcpy(p->path, path, n);
	p->next = k->placed[bucket(path)];
	k->placed[bucket(path)] = p;
	return p;
}

static void
forget(struct keep *k, struct placed *p)
{
	struct placed **at = &k->placed[bucket(p->path)];

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	free(p);
}

static void
write_line(FILE *f, const struct placed *p)
{
	char hex[HASH_HEX];

	hash_to_hex(&p->hash, hex);
	fprintf(f, "%s %llu %lld %lld %s\n", hex, (unsigned long long)p->size,
	    (long long)p->mtime_ns, (long long)p->ctime_ns, p->path);
}

/* A line that is cut or strange is left out: that file is hashed again. */
static void
read_line(struct keep *k, char *line)
{
	char		  *end;
	struct placed	  *p, v = { 0 };
	unsigned long long size;

	line[strcspn(line, "\n")] = '\0';
	if (strlen(line) < HASH_HEX + 5 ||
	    hash_from_hex(&v.hash, line, HASH_HEX - 1) < 0)
		return;
	size = strtoull(line + HASH_HEX, &end, 10);
	v.mtime_ns = strtoll(end, &end, 10);
	v.ctime_ns = strtoll(end, &end, 10);
	if (*end++ != ' ' || !keep_path_is_good(end) ||
	    (p = enter(k, end)) == NULL)
		return;
	p->hash = v.hash;
	p->size = size;
	p->mtime_ns = v.mtime_ns;
	p->ctime_ns = v.ctime_ns;
}

/* Reads the list and writes it anew, without the lines that count no more. */
static int
load_list(struct keep *k)
{
	FILE  *f;
	char  *line = NULL;
	size_t cap = 0;
	int    fd = openat(k->state_fd, "placed", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && (f = fdopen(fd, "r")) != NULL) {
		while (getline(&line, &cap, f) > 0)
			read_line(k, line);
		free(line);
		fclose(f);
	}
	fd = openat(k->state_fd, "placed.new",
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || (f = fdopen(fd, "w")) == NULL)
		return -errno;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct placed *p = k->placed[i]; p != NULL; p = p->next)
			write_line(f, p);
	if (fflush(f) != 0 || fdatasync(fd) < 0 ||
	    renameat(k->state_fd, "placed.new", k->state_fd, "placed") < 0) {
		fclose(f);
		return -errno;
	}
	k->list = f; /* lines are appended from here on */
	return 0;
}

static void
remember(struct keep *k, const char *path, const struct hash *h,
    const struct stat *st)
{
	struct placed *p = enter(k, path);

	if (p == NULL)
		return; /* it is hashed again next time */
	p->hash = *h;
	p->size = (uint64_t)st->st_size;
	p->mtime_ns = ns(st->st_mtim);
	p->ctime_ns = ns(st->st_ctim);
	p->marked = true;
	write_line(k->list, p);
	fflush(k->list); /* a full disk costs a line, that is a hash later */
	clearerr(k->list);
}

static void on_turn(void *ctx);
static void job_free(struct keep_job *j);

int
keep_open(struct keep **out, struct loop *l, const char *target_dir,
    const char *state_dir)
{
	struct keep *k = calloc(1, sizeof(*k));
	int	     r;

	*out = NULL;
	if (k == NULL)
		return -ENOMEM;
	k->targets_fd = k->parts_fd = k->state_fd = k->tuf_fd = -1;
	k->jobs_tail = &k->jobs;
	if ((k->buf = malloc(SLICE)) == NULL)
		r = -ENOMEM;
	else if ((r = loop_timer_new(l, on_turn, k, &k->turn)) == 0) {
		if ((r = make_dirs(target_dir, 0755, &k->targets_fd)) < 0 ||
		    (r = make_dir_at(k->targets_fd, PARTS, 0700,
			 &k->parts_fd)) < 0)
			log_err_err(r, "agent.target-dir: %s", target_dir);
		else if ((r = make_dirs(state_dir, 0755, &k->state_fd)) < 0 ||
		    (r = make_dir_at(k->state_fd, "tuf", 0755, &k->tuf_fd)) <
			0 ||
		    (r = load_list(k)) < 0)
			log_err_err(r, "agent.state-dir: %s", state_dir);
	}
	if (r < 0) {
		keep_close(&k);
		return r;
	}
	*out = k;
	return 0;
}

void
keep_close(struct keep **kp)
{
	struct keep	*k = *kp;
	struct keep_job *j;
	struct placed	*p;

	if (k == NULL)
		return;
	while ((j = k->jobs) != NULL) {
		k->jobs = j->next;
		job_free(j);
	}
	loop_timer_free(&k->turn);
	for (size_t i = 0; i < BUCKETS; i++)
		while ((p = k->placed[i]) != NULL) {
			k->placed[i] = p->next;
			free(p);
		}
	if (k->list != NULL)
		fclose(k->list);
	if (k->targets_fd >= 0)
		close(k->targets_fd);
	if (k->parts_fd >= 0)
		close(k->parts_fd);
	if (k->state_fd >= 0)
		close(k->state_fd);
	if (k->tuf_fd >= 0)
		close(k->tuf_fd);
	free(k->buf);
	free(k);
	*kp = NULL;
}

/* -- partial files by hash -- */

static void
part_name(const struct hash *h, const char *suffix, char out[HASH_HEX + 8])
{
	char hex[HASH_HEX];

	hash_to_hex(h, hex);
	snprintf(out, HASH_HEX + 8, "%s%s", hex, suffix);
}

static void
part_unlink(struct keep *k, const struct hash *h)
{
	char name[HASH_HEX + 8];

	part_name(h, "", name);
	unlinkat(k->parts_fd, name, 0);
	part_name(h, ".len", name);
	unlinkat(k->parts_fd, name, 0);
}

/* -- hashing, a turn at a time -- */

static int finish_place(struct keep_job *j);

static void
job_unlink(struct keep_job *j)
{
	struct keep	 *k = j->k;
	struct keep_job **at = &k->jobs;

	while (*at != j)
		at = &(*at)->next;
	if ((*at = j->next) == NULL)
		k->jobs_tail = at;
	j->next = NULL;
}

static void
job_append(struct keep_job *j)
{
	*j->k->jobs_tail = j;
	j->k->jobs_tail = &j->next;
}

static void
job_free(struct keep_job *j)
{
	hash_run_free(&j->run);
	close(j->fd); /* and the lease of one that is placed */
	free(j);
}

void
keep_cancel(struct keep_job **jp)
{
	if (*jp == NULL)
		return;
	job_unlink(*jp);
	job_free(*jp);
	*jp = NULL;
}

/* take_fd: a regular file. -EINPROGRESS, or why the job is none. */
static int
job_new(struct keep *k, enum job_what what, const char *path,
    const struct hash *h, int take_fd, keep_fn fn, void *ctx,
    struct keep_job **out)
{
	struct keep_job *j = calloc(1, sizeof(*j));
	int		 r = j == NULL ? -ENOMEM : hash_run_new(&j->run);

	if (r == 0 && fstat(take_fd, &j->st) < 0)
		r = -errno;
	if (r < 0) {
		close(take_fd);
		free(j);
		return r;
	}
	j->k = k;
	j->what = what;
	j->fd = take_fd;
	j->hash = *h;
	j->fn = fn;
	j->ctx = ctx;
	snprintf(j->path, sizeof(j->path), "%s", path);
	job_append(j);
	loop_timer_set(k->turn, 0);
	*out = j;
	return -EINPROGRESS;
}

/* 1: there is more. 0: that was all. One that grows is not what it was. */
static int
hash_turn(struct keep_job *j)
{
	ssize_t n = 1;
	int	r = 0;

	for (int i = 0; i < TURN / SLICE && r == 0 && n > 0; i++) {
		if ((n = pread(j->fd, j->k->buf, SLICE, j->at)) < 0)
			return -errno;
		r = hash_run_add(j->run, j->k->buf, (size_t)n);
		j->at += n;
	}
	if (j->at > j->st.st_size)
		return -EBADMSG;
	return r < 0 ? r : n > 0;
}

static void
job_over(struct keep_job *j, int r)
{
	struct hash got;
	keep_fn	    fn = j->fn;
	void	   *ctx = j->ctx;

	if (r == 0 && (r = hash_run_end(j->run, &got)) == 0 &&
	    !hash_eq(&got, &j->hash))
		r = -EBADMSG;
	if (j->what == JOB_PLACE) {
		if (r == 0)
			r = finish_place(j);
		else if (r == -EBADMSG)
			part_unlink(j->k, &j->hash);
	} else {
		if (r == 0 && j->what == JOB_HAS)
			remember(j->k, j->path, &j->hash, &j->st);
		r = r == 0;
	}
	job_free(j);
	fn(ctx, r);
}

static void
on_turn(void *ctx)
{
	struct keep	*k = ctx;
	struct keep_job *j = k->jobs;
	int		 r;

	if (j == NULL)
		return;
	r = hash_turn(j);
	job_unlink(j);
	if (r > 0)
		job_append(j); /* a small one need not wait for a large one */
	if (k->jobs != NULL)
		loop_timer_set(k->turn, 0);
	if (r <= 0)
		job_over(j, r);
}

/* Its name leads to the file that is being hashed: nobody may replace that. */
static bool
is_being_placed(const struct keep *k, const struct hash *h)
{
	for (const struct keep_job *j = k->jobs; j != NULL; j = j->next)
		if (j->what == JOB_PLACE && hash_eq(&j->hash, h))
			return true;
	return false;
}

/* -- files -- */

/* A regular file of ours, and what it is; or -ENOENT and such. */
static int
open_placed(struct keep *k, const char *path, struct stat *st)
{
	int fd = keep_path_is_good(path)
	    ? open_beneath(k->targets_fd, path, O_RDONLY | O_NONBLOCK, 0)
	    : -EINVAL;

	if (fd >= 0 && (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))) {
		close(fd);
		fd = -ENOENT;
	}
	return fd;
}

int
keep_has(struct keep *k, const char *path, const struct hash *h, uint64_t size,
    keep_fn fn, void *ctx, struct keep_job **job)
{
	struct placed *p = find(k, path);
	struct stat    st;
	int	       fd, r;

	*job = NULL;
	if (p != NULL) {
		p->marked = true;
		p->told = false;
	}
	if ((fd = open_placed(k, path, &st)) < 0)
		return 0;
	if ((uint64_t)st.st_size == size && !(p != NULL && is_as_listed(p, &st))) {
		r = job_new(k, JOB_HAS, path, h, fd, fn, ctx, job);
		return r == -EINPROGRESS ? r : 0;
	}
	close(fd);
	return (uint64_t)st.st_size == size && hash_eq(&p->hash, h);
}

int
keep_is(struct keep *k, const char *path, const struct hash *h, keep_fn fn,
    void *ctx, struct keep_job **job)
{
	struct stat st;
	int	    r, fd = open_placed(k, path, &st);

	*job = NULL;
	if (fd < 0)
		return 0;
	r = job_new(k, JOB_IS, path, h, fd, fn, ctx, job);
	return r == -EINPROGRESS ? r : 0;
}

void
keep_parts_clear(struct keep *k)
{
	int	       fd = openat(k->parts_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR	      *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL && fd >= 0)
		close(fd);
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(k->parts_fd, e->d_name, 0);
	if (d != NULL)
		closedir(d);
}

/* How many bytes of a partial file are certain, whatever happened. */
static uint64_t
part_length(struct keep *k, const struct hash *h, uint64_t size)
{
	char	name[HASH_HEX + 8], text[24] = "";
	ssize_t n = 0;
	int	fd;

	part_name(h, ".len", name);
	if ((fd = openat(k->parts_fd, name, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	return strtoull(text, NULL, 10) <= size ? strtoull(text, NULL, 10)
						: size;
}

int
keep_part_open(struct keep *k, const struct hash *h, uint64_t size,
    int *write_fd, int *read_fd, uint64_t *there)
{
	char	    name[HASH_HEX + 8];
	struct stat st = { 0 };
	int	    r = 0;

	*write_fd = *read_fd = -1;
	if (is_being_placed(k, h))
		return -EBUSY;
	part_name(h, "", name);
	*write_fd = openat(k->parts_fd, name,
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (*write_fd < 0)
		return -errno;
	*read_fd = openat(k->parts_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*read_fd < 0 || fstat(*write_fd, &st) < 0 ||
	    (size > 0 &&
		fallocate(*write_fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 &&
		errno != EOPNOTSUPP))
		r = -errno;
	if (r == 0) {
		*there = part_length(k, h, size);
		if (*there > (uint64_t)st.st_size)
			*there = (uint64_t)st.st_size;
		/* what lies behind came by multicast, or is written over */
		if ((uint64_t)st.st_size > size &&
		    ftruncate(*write_fd, (off_t)size) < 0)
			r = -errno;
	}
	if (r < 0) {
		close(*write_fd);
		if (*read_fd >= 0)
			close(*read_fd);
		*write_fd = *read_fd = -1;
		if (r == -ENOSPC)
			keep_part_drop(k, h);
	}
	return r;
}

void
keep_part_sync(struct keep *k, const struct hash *h, uint64_t durable)
{
	char name[HASH_HEX + 8], text[24];
	int  fd, n;

	part_name(h, ".len", name);
	fd = openat(k->parts_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return; /* costs what would have been gone on after */
	n = snprintf(text, sizeof(text), "%-20llu\n",
	    (unsigned long long)durable);
	if (pwrite(fd, text, (size_t)n, 0) != n)
		log_debug("partial file %s: length not noted", name);
	close(fd);
}

void
keep_part_drop(struct keep *k, const struct hash *h)
{
	if (!is_being_placed(k, h))
		part_unlink(k, h);
}

/* The directory of path, made if need be; *last is the final part. */
static int
open_parent(struct keep *k, const char *path, const char **last, int *out)
{
	char	    part[KEEP_PATH_LEN];
	const char *slash = path;
	int	    r;

	while ((slash = strchr(slash, '/')) != NULL) {
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = '\0';
		if ((r = open_beneath(k->targets_fd, part,
			 O_PATH | O_DIRECTORY, 0)) == -ENOENT) {
			/* its parents are directories of ours by now */
			if (mkdirat(k->targets_fd, part, 0755) < 0)
				return -errno;
		} else if (r < 0)
			return r;
		else
			close(r);
		slash++;
	}
	*last = strrchr(path, '/');
	if (*last == NULL) {
		*last = path;
		r = openat(k->targets_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = r < 0 ? -errno : r;
	} else {
		memcpy(part, path, (size_t)(*last - path));
		part[*last - path] = '\0';
		++*last;
		r = open_beneath(k->targets_fd, part, O_RDONLY | O_DIRECTORY, 0);
	}
	*out = r;
	return r < 0 ? r : 0;
}

static int
finish_place(struct keep_job *j)
{
	struct keep *k = j->k;
	char	     name[HASH_HEX + 8];
	const char  *last = NULL;
	struct stat  st;
	int	     dir = -1, r = 0;

	part_name(&j->hash, "", name);
	if (fsync(j->fd) < 0)
		r = -errno;
	else if ((r = open_parent(k, j->path, &last, &dir)) == 0) {
		if (renameat(k->parts_fd, name, dir, last) < 0 ||
		    fsync(dir) < 0 || fstat(j->fd, &st) < 0)
			r = -errno;
		else
			remember(k, j->path, &j->hash, &st);
	}
	if (dir >= 0)
		close(dir);
	if (r == 0) {
		part_name(&j->hash, ".len", name);
		unlinkat(k->parts_fd, name, 0);
	}
	return r;
}

int
keep_place(struct keep *k, const struct hash *h, const char *path, keep_fn fn,
    void *ctx, struct keep_job **job)
{
	char name[HASH_HEX + 8];
	int  fd, r;

	*job = NULL;
	if (!keep_path_is_good(path))
		return -EINVAL;
	if (is_being_placed(k, h))
		return -EBUSY;
	part_name(h, "", name);
	fd = openat(k->parts_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* refused as long as anyone could still write */
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) {
		r = errno == EAGAIN ? -EBUSY : -errno;
		close(fd);
		return r;
	}
	return job_new(k, JOB_PLACE, path, h, fd, fn, ctx, job);
}

void
keep_marks_clear(struct keep *k)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct placed *p = k->placed[i]; p != NULL; p = p->next)
			p->marked = false;
}

void
keep_unmarked(struct keep *k, bool remove,
    void (*tell)(void *ctx, const char *path, bool removed), void *ctx)
{
	struct placed *p, *next;
	struct stat    st;
	bool	       gone;
	int	       fd;

	for (size_t i = 0; i < BUCKETS; i++)
		for (p = k->placed[i]; p != NULL; p = next) {
			next = p->next;
			if (p->marked)
				continue;
			fd = open_beneath(k->targets_fd, p->path, O_PATH, 0);
			if (fd < 0) {
				forget(k, p);
				continue;
			}
			/* only what we placed and nobody changed since */
			gone = remove && fstat(fd, &st) == 0 &&
			    is_as_listed(p, &st) &&
			    unlinkat(k->targets_fd, p->path, 0) == 0;
			close(fd);
			if (gone || !p->told)
				tell(ctx, p->path, gone);
			p->told = true;
			if (gone)
				forget(k, p);
		}
}

/* -- state -- */

int
keep_state_open(struct keep *k, const char *key)
{
	int fd;

	if (!key_is_good(key))
		return -EINVAL;
	fd = openat(k->tuf_fd, key, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int
replace(int dir, const char *name, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	char	       tmp[256];
	ssize_t	       n;
	int	       fd, r = 0;

	snprintf(tmp, sizeof(tmp), "%s.new", name);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
	    O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	while (r == 0 && len > 0) {
		if ((n = write(fd, p, len)) < 0)
			r = -errno;
		else {
			p += n;
			len -= (size_t)n;
		}
	}
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	if (r == 0 && (renameat(dir, tmp, dir, name) < 0 || fsync(dir) < 0))
		r = -errno;
	if (r < 0)
		unlinkat(dir, tmp, 0);
	return r;
}

int
keep_state_put(struct keep *k, const char *key, int from_fd)
{
	struct stat st;
	char	   *buf;
	ssize_t	    n;
	int	    r;

	if (!key_is_good(key) || fstat(from_fd, &st) < 0 ||
	    !S_ISREG(st.st_mode) || st.st_size > STATE_MAX)
		return -EINVAL;
	if ((buf = malloc((size_t)st.st_size + 1)) == NULL)
		return -ENOMEM;
	n = pread(from_fd, buf, (size_t)st.st_size, 0);
	r = n == st.st_size ? replace(k->tuf_fd, key, buf, (size_t)n) : -EIO;
	free(buf);
	return r;
}

void
keep_doubt(struct keep *k)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct placed *p = k->placed[i]; p != NULL; p = p->next)
			p->mtime_ns = p->ctime_ns = -1;
}
