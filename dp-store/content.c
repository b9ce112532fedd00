/*
 * dp-store/content.c - files below the store's directory; see content.h.
 *
 * Runs in dp-store, mostly in its I/O threads. Believes nothing it did not
 * write and sync itself: sizes are checked, hashes where it matters.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/content.h"

#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 96
#define HASH_CHUNK (256 << 10)
#define ORPHAN_AGE 60 /* seconds */

struct ghost {
	struct ghost *next;
	int	      fd;
	uint64_t      size;
};

struct content {
	int		      dir;
	pthread_mutex_t	      lock; /* limits, counts */
	struct content_limits limits;
	struct content_counts counts;
	struct ghost	     *ghosts; /* content_reserve's */
};

int
hashes_add(struct hashes *a, const struct hash *h)
{
	struct hash *p;
	size_t	     size = a->size == 0 ? 64 : a->size * 2;

	if (a->n == a->size) {
		if ((p = reallocarray(a->h, size, sizeof(*p))) == NULL)
			return -ENOMEM;
		a->h = p;
		a->size = size;
	}
	a->h[a->n++] = *h;
	return 0;
}

static void
object_path(const struct hash *h, char out[PATH_SIZE])
{
	char hex[HASH_HEX];

	hash_to_hex(h, hex);
	snprintf(out, PATH_SIZE, "objects/%.2s/%s", hex, hex);
}

static void
object_dir(const struct hash *h, char out[PATH_SIZE])
{
	snprintf(out, PATH_SIZE, "objects/%02x", h->b[0]);
}

static void
partial_path(const struct hash *h, const char *suffix, char out[PATH_SIZE])
{
	char hex[HASH_HEX];

	hash_to_hex(h, hex);
	snprintf(out, PATH_SIZE, "partial/%s%s", hex, suffix);
}

static int
open_at(struct content *c, const char *path, int flags, int *out)
{
	*out = openat(c->dir, path, flags | O_CLOEXEC | O_NOFOLLOW, 0400);
	return *out < 0 ? -errno : 0;
}

static int
unlink_at(struct content *c, const char *path)
{
	return unlinkat(c->dir, path, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int
sync_dir(struct content *c, const char *path)
{
	int fd, r = open_at(c, path, O_RDONLY | O_DIRECTORY, &fd);

	if (r < 0)
		return r;
	if (fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int
make_dir(struct content *c, const char *path)
{
	return mkdirat(c->dir, path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int
make_layout(struct content *c)
{
	char path[PATH_SIZE];
	int  r = make_dir(c, "objects");

	if (r == 0)
		r = make_dir(c, "partial");
	for (int i = 0; r == 0 && i < 256; i++) {
		snprintf(path, sizeof(path), "objects/%02x", i);
		r = make_dir(c, path);
	}
	if (r == 0)
		r = sync_dir(c, "objects");
	return r < 0 ? r : sync_dir(c, ".");
}

int
content_open(const char *dir, struct content **out)
{
	struct content *c = calloc(1, sizeof(*c));
	int		r = 0;

	*out = NULL;
	if (c == NULL)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	c->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir < 0)
		r = -errno;
	else if (faccessat(c->dir, "objects/ff", F_OK, 0) < 0 ||
	    faccessat(c->dir, "partial", F_OK, 0) < 0)
		r = make_layout(c);
	if (r < 0) {
		content_close(&c);
		return r;
	}
	*out = c;
	return 0;
}

void
content_close(struct content **cp)
{
	struct content *c = *cp;
	struct ghost   *g;

	if (c == NULL)
		return;
	while ((g = c->ghosts) != NULL) {
		c->ghosts = g->next;
		close(g->fd);
		free(g);
	}
	if (c->dir >= 0)
		close(c->dir);
	pthread_mutex_destroy(&c->lock);
	free(c);
	*cp = NULL;
}

void
content_set_limits(struct content *c, const struct content_limits *l)
{
	pthread_mutex_lock(&c->lock);
	c->limits = *l;
	pthread_mutex_unlock(&c->lock);
}

struct content_counts
content_counts(struct content *c)
{
	struct content_counts n;

	pthread_mutex_lock(&c->lock);
	n = c->counts;
	pthread_mutex_unlock(&c->lock);
	return n;
}

void
content_count(struct content *c, int objects, int64_t bytes)
{
	pthread_mutex_lock(&c->lock);
	c->counts.objects += (uint64_t)objects;
	c->counts.bytes += (uint64_t)bytes;
	pthread_mutex_unlock(&c->lock);
}

int
content_free_bytes(struct content *c, uint64_t *out)
{
	struct statvfs v;

	if (fstatvfs(c->dir, &v) < 0)
		return -errno;
	*out = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

/* -- objects and partial files -- */

int
content_object_open(struct content *c, const struct hash *h, int *fd)
{
	char path[PATH_SIZE];

	object_path(h, path);
	return open_at(c, path, O_RDONLY, fd);
}

int
content_object_unlink(struct content *c, const struct hash *h)
{
	char path[PATH_SIZE];

	object_path(h, path);
	return unlink_at(c, path);
}

int
content_partial_read(struct content *c, const struct hash *h, int *fd)
{
	char path[PATH_SIZE];

	partial_path(h, "", path);
	return open_at(c, path, O_RDONLY, fd);
}

static int
reserve_file(int fd, uint64_t size, uint64_t *durable)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (*durable > (uint64_t)st.st_size)
		*durable = (uint64_t)st.st_size;
	if (*durable > size)
		*durable = 0;
	if ((uint64_t)st.st_size != *durable &&
	    ftruncate(fd, (off_t)*durable) < 0)
		return -errno;
	if (size > 0 &&
	    fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 &&
	    errno != EOPNOTSUPP) /* then a full disk shows while writing */
		return -errno;
	return 0;
}

int
content_partial_open(struct content *c, const struct hash *h, uint64_t size,
    uint64_t *durable, int *write_fd, int *read_fd)
{
	char path[PATH_SIZE];
	int  r;

	*write_fd = *read_fd = -1;
	partial_path(h, "", path);
	/* readable by its owner only: whoever gets the descriptor for writing
	 * cannot make another one of it, having neither path nor user */
	*write_fd = openat(c->dir, path,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = *write_fd < 0 ? -errno : reserve_file(*write_fd, size, durable);
	if (r == 0)
		r = open_at(c, path, O_RDONLY, read_fd);
	if (r < 0 && *write_fd >= 0) {
		close(*write_fd);
		*write_fd = -1;
	}
	return r;
}

int
content_partial_sync(struct content *c, const struct hash *h, uint64_t *size)
{
	struct stat st;
	int	    fd, r = content_partial_read(c, h, &fd);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || fdatasync(fd) < 0)
		r = -errno;
	*size = (uint64_t)st.st_size;
	close(fd);
	return r;
}

int
content_partial_unlink(struct content *c, const struct hash *h)
{
	char path[PATH_SIZE];

	partial_path(h, "", path);
	return unlink_at(c, path);
}

int
content_lease(int fd)
{
	return fcntl(fd, F_SETLEASE, F_RDLCK) < 0 ? -errno : 0;
}

bool
content_is_shared(int fd)
{
	/* a write lease is given only where nobody else has the file open */
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		return true;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

int
content_link(struct content *c, const struct hash *h)
{
	char from[PATH_SIZE], to[PATH_SIZE], dir[PATH_SIZE];
	int  r = 0;

	partial_path(h, "", from);
	object_path(h, to);
	object_dir(h, dir);
	/* a file without a row may stand there: a publish that was cut short */
	if (linkat(c->dir, from, c->dir, to, 0) < 0) {
		if (errno != EEXIST || (r = unlink_at(c, to)) < 0)
			return r < 0 ? r : -errno;
		if (linkat(c->dir, from, c->dir, to, 0) < 0)
			return -errno;
	}
	return sync_dir(c, dir);
}

static int
write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k < 0 ? -errno : -EIO;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

int
content_put(struct content *c, const struct hash *h, const void *bytes,
    size_t len)
{
	char tmp[PATH_SIZE], to[PATH_SIZE], dir[PATH_SIZE];
	int  fd, r;

	partial_path(h, ".put", tmp);
	object_path(h, to);
	object_dir(h, dir);
	if ((r = unlink_at(c, tmp)) < 0 ||
	    (r = open_at(c, tmp, O_WRONLY | O_CREAT | O_EXCL, &fd)) < 0)
		return r;
	r = write_all(fd, bytes, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && renameat(c->dir, tmp, c->dir, to) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink_at(c, tmp);
		return r;
	}
	return sync_dir(c, dir);
}

int
content_hash(int fd, uint64_t size, struct hash *out)
{
	struct hash_run *run;
	struct stat	 st;
	uint8_t		*buf;
	uint64_t	 at = 0;
	ssize_t		 n = 1;
	int		 r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size != size)
		return -EBADMSG;
	if ((r = hash_run_new(&run)) < 0)
		return r;
	if ((buf = malloc(HASH_CHUNK)) == NULL)
		r = -ENOMEM;
	while (r == 0 && n > 0) {
		n = pread(fd, buf, HASH_CHUNK, (off_t)at);
		if (n < 0)
			r = -errno;
		else
			r = hash_run_add(run, buf, (size_t)n);
		at += n > 0 ? (uint64_t)n : 0;
	}
	if (r == 0)
		r = at == size ? hash_run_end(run, out) : -EBADMSG;
	free(buf);
	hash_run_free(&run);
	return r;
}

/* -- space -- */

/* What is still open of what was evicted. */
static void
bury_ghosts(struct content *c)
{
	struct ghost **pp = &c->ghosts, *g;
	uint64_t       n = 0, bytes = 0;

	while ((g = *pp) != NULL) {
		if (content_is_shared(g->fd)) {
			n++;
			bytes += g->size;
			pp = &g->next;
			continue;
		}
		*pp = g->next;
		close(g->fd);
		free(g);
	}
	pthread_mutex_lock(&c->lock);
	c->counts.ghosts = n;
	c->counts.ghost_bytes = bytes;
	pthread_mutex_unlock(&c->lock);
}

struct candidate {
	struct hash hash;
	uint64_t    size, used;
	bool	    open;
};

struct candidates {
	struct index	 *ix;
	struct MDB_txn	 *t;
	struct candidate *of;
	size_t		  n, size;
};

static int
add_candidate(void *ctx, const struct hash *h, const struct object *o)
{
	struct candidates *a = ctx;
	struct candidate  *p;
	struct refs	   refs;
	size_t		   size = a->size == 0 ? 256 : a->size * 2;
	int		   r = index_refs_get(a->ix, a->t, h, &refs);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && refs.pins > 0)
		return 0;
	if (a->n == a->size) {
		if ((p = reallocarray(a->of, size, sizeof(*p))) == NULL)
			return -ENOMEM;
		a->of = p;
		a->size = size;
	}
	a->of[a->n++] = (struct candidate){ *h, o->size, o->used, false };
	return 0;
}

static int
by_use(const void *va, const void *vb)
{
	const struct candidate *a = va, *b = vb;

	if (a->used != b->used)
		return a->used < b->used ? -1 : 1;
	return memcmp(a->hash.b, b->hash.b, HASH_LEN);
}

static void
keep_ghost(struct content *c, int take_fd, uint64_t size)
{
	struct ghost *g = malloc(sizeof(*g));

	if (g == NULL) { /* its bytes then show as used by the file system */
		close(take_fd);
		return;
	}
	*g = (struct ghost){ c->ghosts, take_fd, size };
	c->ghosts = g;
}

/* Row first, so that none is ever without its file. */
static int
evict(struct content *c, struct index *ix, const struct candidate *v, int fd)
{
	struct MDB_txn *t;
	struct refs	refs;
	int		r = index_write(ix, &t);

	if (r < 0)
		return r;
	r = index_refs_get(ix, t, &v->hash, &refs); /* pinned meanwhile? */
	if (r == 0 && refs.pins > 0)
		r = -EBUSY;
	if (r == 0 || r == -ENOENT)
		r = index_object_del(ix, t, &v->hash);
	if (r == 0)
		r = index_commit(ix, &t);
	index_end(ix, &t);
	if (r < 0)
		return r;
	content_count(c, -1, -(int64_t)v->size);
	r = content_object_unlink(c, &v->hash);
	if (v->open && fd >= 0)
		keep_ghost(c, fd, v->size);
	else if (fd >= 0)
		close(fd);
	return r;
}

/* Evicts until `bytes` are freed or nothing is left to evict. */
static int
evict_bytes(struct content *c, struct index *ix, uint64_t bytes,
    struct hashes *evicted)
{
	struct candidates a = { .ix = ix };
	uint64_t	  freed = 0;
	int		  fd, r = index_begin(ix, &a.t);

	if (r == 0)
		r = index_each_object(ix, a.t, add_candidate, &a);
	index_end(ix, &a.t);
	if (r == 0 && a.n > 0)
		qsort(a.of, a.n, sizeof(*a.of), by_use);
	/* what nobody has open frees its space at once: those first */
	for (int open = 0; open < 2; open++)
		for (size_t i = 0; r == 0 && freed < bytes && i < a.n; i++) {
			struct candidate *v = &a.of[i];

			if (v->open != (open == 1))
				continue;
			if (content_object_open(c, &v->hash, &fd) < 0)
				fd = -1;
			if (!v->open && fd >= 0 && content_is_shared(fd)) {
				v->open = true;
				close(fd);
				continue;
			}
			r = evict(c, ix, v, fd);
			if (r == -EBUSY || r == -ENOENT) {
				if (fd >= 0)
					close(fd);
				r = 0;
				continue;
			}
			freed += v->size;
			if (r == 0)
				r = hashes_add(evicted, &v->hash);
			v->size = 0;
			v->open = false; /* the second round passes it by */
		}
	free(a.of);
	return r;
}

int
content_reserve(struct content *c, struct index *ix, uint64_t need,
    struct hashes *evicted)
{
	struct content_limits l;
	struct content_counts n;
	uint64_t	      space = 0, used = 0, lack;
	int		      r;

	for (int turn = 0;; turn++) {
		bury_ghosts(c);
		if ((r = content_free_bytes(c, &space)) < 0)
			return r;
		n = content_counts(c);
		pthread_mutex_lock(&c->lock);
		l = c->limits;
		pthread_mutex_unlock(&c->lock);
		used = n.bytes + n.ghost_bytes;
		lack = 0;
		if (need > space || space - need < l.want_free)
			lack = l.want_free + need - space;
		if (l.max_content > 0 && used + need > l.max_content &&
		    used + need - l.max_content > lack)
			lack = used + need - l.max_content;
		if (lack == 0 || turn == 1)
			break;
		if ((r = evict_bytes(c, ix, lack, evicted)) < 0)
			return r;
	}
	if (need > space || space - need < l.reserve ||
	    (l.max_content > 0 && used + need > l.max_content))
		return -ENOSPC;
	return 0;
}

/* -- reconcile -- */

struct walk {
	struct content	     *c;
	struct index	     *ix;
	struct MDB_txn	     *t;
	struct content_found *found;
	struct hashes	      drop;
	struct { uint64_t objects, bytes; } sum;
	time_t before; /* only files changed before this are orphans; 0: all */
	bool   keep;   /* count only */
};

static int
check_object(void *ctx, const struct hash *h, const struct object *o)
{
	struct walk *w = ctx;
	char	     path[PATH_SIZE];
	struct stat  st;

	object_path(h, path);
	if (fstatat(w->c->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && (uint64_t)st.st_size == o->size) {
		w->sum.objects++;
		w->sum.bytes += o->size;
		return 0;
	}
	return hashes_add(&w->drop, h);
}

static int
check_partial(void *ctx, const struct hash *h, const struct partial *p)
{
	struct walk *w = ctx;
	char	     path[PATH_SIZE];
	struct stat  st;

	partial_path(h, "", path);
	if (fstatat(w->c->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (uint64_t)st.st_size >= p->durable) {
		w->found->partials++;
		return 0;
	}
	return hashes_add(&w->drop, h);
}

static int
orphan(struct walk *w, int dir, const char *name)
{
	struct stat st;

	if (w->before != 0 &&
	    (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		st.st_ctime >= w->before))
		return 0;
	w->found->orphans++;
	if (w->keep || unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

/* Removes what has no row, whatever its name. */
static int
sweep(struct walk *w, const char *path, bool objects)
{
	struct partial p;
	struct object  o;
	struct hash    h;
	struct dirent *e;
	DIR	      *d;
	int	       fd, r = open_at(w->c, path, O_RDONLY | O_DIRECTORY, &fd);

	if (r < 0)
		return r;
	if ((d = fdopendir(fd)) == NULL) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r == 0 && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		r = hash_from_hex(&h, e->d_name, strlen(e->d_name));
		if (r == 0)
			r = objects ? index_object_get(w->ix, w->t, &h, &o)
				    : index_partial_get(w->ix, w->t, &h, &p);
		if (r == 0)
			continue;
		if (r == -ENOENT || r == -EINVAL)
			r = orphan(w, fd, e->d_name);
	}
	closedir(d);
	return r;
}

static int
sweep_all(struct walk *w)
{
	char path[PATH_SIZE];
	int  r = 0;

	for (int i = 0; r == 0 && i < 256; i++) {
		snprintf(path, sizeof(path), "objects/%02x", i);
		r = sweep(w, path, true);
	}
	return r == 0 ? sweep(w, "partial", false) : r;
}

int
content_orphans(struct content *c, struct index *ix, bool remove, uint64_t *n)
{
	struct content_found found = { 0 };
	struct walk w = { .c = c, .ix = ix, .found = &found, .keep = !remove,
		.before = time(NULL) - ORPHAN_AGE };
	int	    r = index_begin(ix, &w.t);

	if (r == 0)
		r = sweep_all(&w);
	index_end(ix, &w.t);
	*n = found.orphans;
	return r;
}

int
content_reconcile(struct content *c, struct index *ix,
    struct content_found *out)
{
	struct walk w = { .c = c, .ix = ix, .found = out };
	size_t	    objects;
	int	    r = index_write(ix, &w.t);

	memset(out, 0, sizeof(*out));
	if (r == 0)
		r = index_each_object(ix, w.t, check_object, &w);
	objects = w.drop.n;
	if (r == 0)
		r = index_each_partial(ix, w.t, check_partial, &w);
	for (size_t i = 0; r == 0 && i < w.drop.n; i++)
		r = i < objects ? index_object_del(ix, w.t, &w.drop.h[i])
				: index_partial_del(ix, w.t, &w.drop.h[i]);
	out->lost = w.drop.n;
	/* rows first, as ever */
	if (r == 0 && w.drop.n > 0) {
		r = index_commit(ix, &w.t);
		if (r == 0)
			r = index_begin(ix, &w.t);
	}
	if (r == 0)
		r = sweep_all(&w);
	index_end(ix, &w.t);
	free(w.drop.h);
	pthread_mutex_lock(&c->lock);
	c->counts = (struct content_counts){ .objects = w.sum.objects,
		.bytes = w.sum.bytes };
	pthread_mutex_unlock(&c->lock);
	return r;
}
