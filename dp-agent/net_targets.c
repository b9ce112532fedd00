/*
 * dp-agent/net_targets.c - gets what is meant for this device.
 *
 * Runs in the network child. A file goes on where it stopped, from another
 * source if need be: the bytes that are there are hashed again, and only the
 * signed hash decides. The parent checks it once more before it is placed.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast.h"

#include "common/json.h"
#include "common/log.h"
#include "common/wr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYNC_EVERY  (16 << 20)
#define TARGETS_MAX 100000
#define NEIGHBOURS  256 /* of the last list that are looked at for one file */

static void pump(struct net *n);
static void get(struct target *t);

static void
close_fds(struct target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->read_fd >= 0)
		close(t->read_fd);
	t->fd = t->read_fd = -1;
}

static void
list_free(struct target *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct target *t = &list[i];

		if (t->download != NULL)
			download_cancel(&t->download);
		mcast_cancel(t);
		close_fds(t);
		free(t->path);
		free(t->url_path);
	}
	free(list);
}

void
targets_free(struct net *n)
{
	list_free(n->targets, n->ntargets);
	n->targets = NULL;
	n->ntargets = n->at = n->under_way = n->here = n->other_kinds = 0;
}

struct collecting {
	struct net    *n;
	struct tuf    *tuf;
	size_t	       room;
	struct target *old; /* the last round's, most often in this order */
	size_t	       nold, old_at;
};

/* How a file came is told until it comes again. */
static void
remember_way(struct collecting *c, struct target *t)
{
	for (size_t i = 0; i < c->nold && i < NEIGHBOURS; i++) {
		const struct target *o = &c->old[(c->old_at + i) % c->nold];

		if (hash_eq(&o->hash, &t->hash) && o->path != NULL &&
		    strcmp(o->path, t->path) == 0) {
			t->cast = o->cast;
			c->old_at = (c->old_at + i + 1) % c->nold;
			return;
		}
	}
}

static int
collect(void *arg, const struct tuf_target *from)
{
	struct collecting *c = arg;
	struct net	  *n = c->n;
	struct target	  *t, *more;
	const char	  *s;
	char		   url[TUF_PATH_LEN];

	if (!tuf_target_for(from, n->conf.group))
		return 0;
	if (!agent_takes(&n->conf, tuf_target_kind(from))) {
		n->other_kinds++;
		return 0;
	}
	if (n->ntargets == TARGETS_MAX)
		return -E2BIG;
	if (n->ntargets == c->room) {
		c->room = c->room > 0 ? 2 * c->room : 64;
		more = reallocarray(n->targets, c->room, sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		n->targets = more;
	}
	t = &n->targets[n->ntargets];
	*t = (struct target){ .n = n, .hash = from->sha256,
		.size = (uint64_t)from->length, .fd = -1, .read_fd = -1 };
	s = tuf_target_kind(from);
	snprintf(t->kind, sizeof(t->kind), "%s", s != NULL ? s : "");
	s = js_str(js_obj(from->custom, "dpoint"), "version");
	snprintf(t->version, sizeof(t->version), "%s", s != NULL ? s : "");
	t->path = strdup(from->path);
	if (tuf_target_path(c->tuf, from, url) == 0)
		t->url_path = strdup(url);
	n->ntargets++;
	if (t->path == NULL || t->url_path == NULL)
		return -ENOMEM;
	remember_way(c, t);
	if (!from->has_sha256 || t->size > n->conf.max_object ||
	    !tuf_path_is_plain(t->path)) {
		t->state = TARGET_FAILED;
		snprintf(t->error, sizeof(t->error), "%s",
		    !from->has_sha256			? "is signed without sha256"
			: !tuf_path_is_plain(t->path)	? "its path is not plain"
							: "is larger than max-object");
	}
	return 0;
}

int
targets_collect(struct net *n, struct tuf *tuf)
{
	struct collecting c = { .n = n, .tuf = tuf, .old = n->targets,
		.nold = n->ntargets };
	int		  r;

	n->targets = NULL; /* the old one is c's, and freed by it */
	n->ntargets = 0;
	targets_free(n);
	r = tuf_each(tuf, collect, &c);
	list_free(c.old, c.nold);
	return r;
}

static uint32_t
id_of(const struct target *t)
{
	return (uint32_t)(t - t->n->targets) + 1;
}

static struct target *
by_id(struct net *n, uint32_t id, enum target_state state)
{
	struct target *t;

	if (id == 0 || id > n->ntargets)
		return NULL;
	t = &n->targets[id - 1];
	return t->state == state ? t : NULL;
}

/* The parent keeps one partial file for the same bytes under several names. */
static bool
is_under_way(const struct net *n, const struct hash *h)
{
	for (size_t i = 0; i < n->under_way; i++)
		if (hash_eq(&n->active[i]->hash, h))
			return true;
	return false;
}

static void
ended(struct target *t, const char *error)
{
	struct net *n = t->n;

	close_fds(t);
	t->state = error == NULL ? TARGET_OK : TARGET_FAILED;
	if (error == NULL)
		n->here++;
	else if (n->looks)
		snprintf(t->error, sizeof(t->error), "not in place");
	else {
		snprintf(t->error, sizeof(t->error), "%s", error);
		log_warn("%s: %s", t->path, error);
	}
	for (size_t i = 0; i < n->under_way; i++)
		if (n->active[i] == t) {
			n->active[i] = n->active[--n->under_way];
			break;
		}
	pump(n);
}

static void
sync_to(struct target *t, uint64_t there)
{
	uint8_t	  buf[HASH_LEN + 8];
	struct wr w = wr_to(buf, sizeof(buf));

	if (fdatasync(t->fd) < 0)
		return;
	t->synced = there;
	wr_bytes(&w, t->hash.b, HASH_LEN);
	wr_u64(&w, there);
	(void)ipc_send(t->n->keeper, MSG_TARGET_SYNC, 0, buf, w.len);
}

static void
on_progress(void *ctx, uint64_t there)
{
	struct target *t = ctx;

	if (there >= t->synced + SYNC_EVERY)
		sync_to(t, there);
}

static void
ask_place(struct target *t)
{
	uint8_t	  buf[2048];
	struct wr w = wr_to(buf, sizeof(buf));
	int	  r;

	close_fds(t); /* the parent waits for the last writer's end */
	t->state = TARGET_PLACING;
	wr_bytes(&w, t->hash.b, HASH_LEN);
	wr_str(&w, t->path);
	wr_str(&w, t->kind);
	wr_str(&w, t->version);
	r = w.err != 0 ? w.err
		       : ipc_send(t->n->keeper, MSG_TARGET_DONE, id_of(t), buf,
			     w.len);
	if (r < 0)
		ended(t, strerror(-r));
}

static void
on_done(void *ctx, const struct download_result *res)
{
	struct target *t = ctx;
	struct net    *n = t->n;
	uint64_t       got = res->there > t->start ? res->there - t->start : 0;

	t->download = NULL;
	n->bytes += got;
	t->cast.unicast += got;
	n->sources[t->source].bytes += got;
	if (res->r == 0) {
		source_worked(n, t->source);
		ask_place(t);
		return;
	}
	if (res->r == -EIO) { /* our disk, not their fault */
		ended(t, res->text);
		return;
	}
	/* what lay there before may be what is wrong: once more without it */
	if (res->r == -EBADMSG && t->start > 0) {
		t->start = 0;
		sync_to(t, 0);
		t->tried &= ~(1U << t->source);
		get(t);
		return;
	}
	t->start = res->there;
	sync_to(t, res->there);
	/* one file that is not there is no reason to shun a source */
	if (res->r != -ENOENT)
		source_failed(n, t->source, res->text);
	snprintf(t->error, sizeof(t->error), "%s", res->text);
	get(t);
}

static void
get(struct target *t)
{
	struct net	    *n = t->n;
	char		     url[URL_LEN], path[TUF_PATH_LEN + 16];
	const char	    *urls[1] = { url };
	struct download_want w = { .urls = urls, .nurls = 1, .tls = &n->tls,
		.has_length = true, .length = t->size, .has_hash = true,
		.hash = t->hash, .fd = t->fd, .read_fd = t->read_fd,
		.start = t->start, .progress = on_progress, .done = on_done,
		.ctx = t };
	char		     why[300];
	int		     r;

	t->state = TARGET_COMES;
	while (source_pick(n, t->tried, &t->source) == 0) {
		t->tried |= 1U << t->source;
		snprintf(path, sizeof(path), "targets/%s", t->url_path);
		r = url_join(n->sources[t->source].url, path, true, url,
		    sizeof(url));
		w.direct = n->sources[t->source].direct;
		if (r == 0)
			r = download_start(n->downloads, &w, &t->download);
		if (r == 0)
			return;
		snprintf(t->error, sizeof(t->error), "%.200s: %.90s",
		    url, strerror(-r));
	}
	snprintf(why, sizeof(why), "%s",
	    t->error[0] != '\0' ? t->error : "no source");
	ended(t, why);
}

void
targets_cast_over(struct target *t, bool whole)
{
	if (whole)
		ask_place(t);
	else {
		log_info("%s: by unicast: %s", t->path, t->cast.why);
		get(t);
	}
}

static int
ask_open(struct target *t)
{
	uint8_t	  buf[2048];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_bytes(&w, t->hash.b, HASH_LEN);
	wr_u64(&w, t->size);
	wr_str(&w, t->path);
	t->state = TARGET_ASKED;
	return w.err != 0 ? w.err
			  : ipc_send(t->n->keeper,
				t->n->looks ? MSG_TARGET_LOOK : MSG_TARGET_OPEN,
				id_of(t), buf, w.len);
}

static void
pump(struct net *n)
{
	int r;

	while (n->at < n->ntargets && n->under_way < n->conf.parallel) {
		struct target *t = &n->targets[n->at];

		if (t->state != TARGET_FAILED && is_under_way(n, &t->hash))
			break; /* its turn comes when that one has ended */
		n->at++;
		if (t->state == TARGET_FAILED)
			continue;
		n->active[n->under_way++] = t;
		if ((r = ask_open(t)) < 0) {
			n->under_way--;
			t->state = TARGET_FAILED;
			snprintf(t->error, sizeof(t->error), "%s", strerror(-r));
		}
	}
	if (n->at == n->ntargets && n->under_way == 0)
		net_round_over(n);
}

void
targets_start(struct net *n)
{
	pump(n);
}

/* -- answers of the parent; one of nobody's is a broken parent -- */

int
targets_on_here(struct net *n, struct ipc_msg *m)
{
	struct target *t = by_id(n, m->id, TARGET_ASKED);

	if (t == NULL)
		return -EBADMSG;
	ended(t, NULL);
	return 0;
}

int
targets_on_part(struct net *n, struct ipc_msg *m)
{
	struct target *t = by_id(n, m->id, TARGET_ASKED);
	uint64_t       there = rd_u64(&m->rd);

	if (t == NULL || rd_done(&m->rd) < 0 || there > t->size)
		return -EBADMSG;
	t->fd = ipc_take_fd(m, 0);
	t->read_fd = ipc_take_fd(m, 1);
	t->start = t->synced = there;
	if (there > 0)
		log_info("%s: goes on after %llu of %llu bytes", t->path,
		    (unsigned long long)there, (unsigned long long)t->size);
	t->state = TARGET_COMES;
	t->cast = (struct target_cast){ 0 };
	if (!mcast_get(t))
		get(t);
	return 0;
}

int
targets_on_ok(struct net *n, struct ipc_msg *m)
{
	struct target *t = by_id(n, m->id, TARGET_PLACING);

	if (t == NULL)
		return -EBADMSG;
	ended(t, NULL);
	return 0;
}

int
targets_on_no(struct net *n, struct ipc_msg *m)
{
	struct target *t = by_id(n, m->id, TARGET_ASKED);
	char	       why[256];

	if (t == NULL)
		t = by_id(n, m->id, TARGET_PLACING);
	(void)rd_u32(&m->rd);
	rd_str(&m->rd, why, sizeof(why));
	if (t == NULL || rd_done(&m->rd) < 0)
		return -EBADMSG;
	ended(t, why);
	return 0;
}
