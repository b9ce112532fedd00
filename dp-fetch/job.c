/*
 * dp-fetch/job.c - one object: partial file, download, publication.
 *
 * Runs in dp-fetch after sandbox_enter(). Believes the signed length and hash,
 * and the store about how much of a partial file is durable. However many wait
 * for an object there is one job, and so one transfer.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/size.h"
#include "dp-fetch/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYNC_EVERY (16U << 20) /* or, on a slow line, after SYNC_MS */
#define SYNC_MS	   4000
#define ON_DEMAND  16 /* transfers that may run beyond fetch.parallel */
#define BUSY_MS	   500
#define BUSY_TRIES 20

enum step { QUEUED, OPENING, LOADING, PUBLISHING, WAITING };

struct job {
	struct job	  *next;
	struct fetch	  *f;
	struct repo	  *repo;
	struct target	   t;
	bool		   on_demand, verified;
	enum step	   step;
	int		   write_fd, read_fd;
	uint64_t	   there, synced, synced_ms;
	unsigned	   busy;
	struct download	  *download;
	struct loop_timer *timer; /* answers what is known already; retries */
	struct job_waiter *waiters;
};

static void open_partial(struct job *j);

/* It is in no list any more. */
static void
dispose(struct job *j)
{
	store_cancel(j->f->store, j);
	download_cancel(&j->download);
	if (j->write_fd >= 0)
		close(j->write_fd);
	if (j->read_fd >= 0)
		close(j->read_fd);
	loop_timer_free(&j->timer);
	free(j->t.name);
	free(j->t.path);
	free(j);
}

static void
job_free(struct job *j)
{
	struct job **p = &j->f->jobs;

	while (*p != j)
		p = &(*p)->next;
	*p = j->next;
	dispose(j);
}

static void
finish(struct job *j, int r, const char *text)
{
	struct fetch	  *f = j->f;
	struct job_waiter *list = j->waiters, *w;
	char		   copy[600];

	snprintf(copy, sizeof(copy), "%s", text);
	if (r == 0) {
		f->downloads_ok++;
		f->bytes_verified += j->t.size;
		worker_event(f->worker, "download-done",
		    json_pack("{s:s,s:I}", "name", j->t.name, "size",
			(json_int_t)j->t.size));
	} else {
		f->downloads_failed++;
		log_warn("%s: %s", j->t.name, copy);
	}
	for (w = list; w != NULL; w = w->next)
		w->job = NULL;
	j->waiters = NULL;
	job_free(j);
	while ((w = list) != NULL) {
		list = w->next;
		w->next = NULL;
		w->done(w->ctx, r, copy);
	}
	jobs_pump(f);
}

/* The partial file stays for another time. */
static void
put_aside(struct job *j)
{
	bool open = j->write_fd >= 0;

	download_cancel(&j->download);
	if (open) {
		close(j->write_fd);
		j->write_fd = -1;
		(void)store_partial_close(j->f->store, &j->t.hash, j->there);
	}
}

static void
on_published(void *ctx, const struct store_answer *a)
{
	struct job *j = ctx;

	if (a->r == 0 || a->r == -EEXIST)
		finish(j, 0, "");
	else if (a->r != -ENOTCONN) /* else begun again when it is back */
		finish(j, a->r, a->text);
}

static void
on_dropped(void *ctx, const struct store_answer *a)
{
	(void)ctx;
	(void)a;
}

static void
on_downloaded(void *ctx, const struct download_result *res)
{
	struct job	  *j = ctx;
	struct fetch	  *f = j->f;
	struct job_waiter *w, *next;
	int		   r;

	j->download = NULL;
	j->there = res->there;
	if (res->r != 0) {
		if (res->r == -EBADMSG)
			f->wrong_bytes++;
		if (res->there == 0 && res->r == -EBADMSG) {
			close(j->write_fd);
			j->write_fd = -1;
			(void)store_partial_drop(f->store, &j->t.hash,
			    on_dropped, f);
		} else
			put_aside(j);
		finish(j, res->r, res->text);
		return;
	}
	/* those who wait need not wait for the disk */
	j->verified = true;
	for (w = j->waiters; w != NULL; w = next) {
		next = w->next;
		if (w->verified != NULL)
			w->verified(w->ctx);
	}
	close(j->write_fd);
	j->write_fd = -1;
	j->step = PUBLISHING;
	if ((r = store_partial_done(f->store, &j->t.hash, on_published, j)) < 0)
		finish(j, r, "the store is away");
	else
		jobs_pump(f);
}

static void
on_progress(void *ctx, uint64_t there)
{
	struct job	  *j = ctx;
	struct job_waiter *w, *next;
	uint64_t	   now = loop_now_ms(j->f->loop);

	j->there = there;
	if (there < j->synced)
		j->synced = 0; /* it began again */
	if ((there - j->synced >= SYNC_EVERY ||
		(there > j->synced && now - j->synced_ms >= SYNC_MS)) &&
	    store_partial_sync(j->f->store, &j->t.hash, there) == 0) {
		j->synced = there;
		j->synced_ms = now;
	}
	for (w = j->waiters; w != NULL; w = next) {
		next = w->next;
		if (w->progress != NULL)
			w->progress(w->ctx, there);
	}
}

static void
start_download(struct job *j)
{
	struct repo	    *repo = j->repo;
	char		     urls[DOWNLOAD_URLS_MAX][URL_LEN], path[TUF_PATH_LEN + 16];
	const char	    *list[DOWNLOAD_URLS_MAX];
	struct download_want want = { .urls = list, .tls = &repo->src.tls,
		.has_length = true, .has_hash = true, .length = j->t.size,
		.hash = j->t.hash, .fd = j->write_fd, .read_fd = j->read_fd,
		.start = j->there, .progress = on_progress,
		.done = on_downloaded, .ctx = j };
	int r;

	snprintf(path, sizeof(path), "targets/%s", j->t.path);
	for (size_t i = 0; i < repo->src.nurls; i++)
		if (url_join(repo->src.urls[i], path, true, urls[want.nurls],
			URL_LEN) == 0) {
			list[want.nurls] = urls[want.nurls];
			want.nurls++;
		}
	j->step = LOADING;
	if ((r = download_start(j->f->downloads, &want, &j->download)) < 0) {
		put_aside(j);
		finish(j, r, "the download could not start");
	}
}

static void
tell_opened(struct job *j)
{
	struct job_waiter *w, *next;

	for (w = j->waiters; w != NULL; w = next) {
		next = w->next;
		if (w->opened != NULL)
			w->opened(w->ctx, &j->t, j->read_fd);
	}
}

/* It was there already: somebody asked before the store had told. */
static void
on_object(void *ctx, const struct store_answer *a)
{
	struct job	  *j = ctx;
	struct job_waiter *w, *next;

	if (a->r == -ENOTCONN)
		return;
	if (a->r != 0) {
		finish(j, a->r, a->text);
		return;
	}
	j->read_fd = a->fd;
	tell_opened(j);
	for (w = j->waiters; w != NULL; w = next) {
		next = w->next;
		if (w->verified != NULL)
			w->verified(w->ctx);
	}
	finish(j, 0, "");
}

static void
on_partial(void *ctx, const struct store_answer *a)
{
	struct job   *j = ctx;
	struct fetch *f = j->f;
	int	      r = a->r;

	if (r == -ENOTCONN)
		return;
	if (r == -EEXIST) {
		r = store_lookup_hash(j->f->store, &j->t.hash, on_object, j);
		if (r < 0 && r != -ENOTCONN)
			finish(j, r, "the store does not answer");
		return;
	}
	if (r == -EBUSY && ++j->busy < BUSY_TRIES) {
		j->step = WAITING; /* a writer of before is on its way out */
		loop_timer_set(j->timer, BUSY_MS);
		return;
	}
	if (r < 0) {
		finish(j, r, a->text);
		return;
	}
	j->write_fd = a->write_fd;
	j->read_fd = a->fd;
	j->there = j->synced = a->durable <= j->t.size ? a->durable : 0;
	j->synced_ms = loop_now_ms(j->f->loop);
	tell_opened(j);
	start_download(j);
	jobs_pump(f); /* somebody more urgent may have come meanwhile */
}

static void
open_partial(struct job *j)
{
	int r = store_partial_open(j->f->store, &j->t.hash, j->t.size,
	    j->t.prio, j->t.name, on_partial, j);

	j->step = r == 0 ? OPENING : QUEUED;
	if (r < 0 && r != -ENOTCONN)
		finish(j, r, "the store does not answer");
}

static bool
goes_before(const struct job *a, const struct job *b)
{
	if (a->on_demand != b->on_demand)
		return a->on_demand;
	return a->t.prio < b->t.prio;
}

/* Stops the transfer; it goes on where it was when its turn comes again. */
static void
requeue(struct job *j)
{
	put_aside(j);
	close(j->read_fd);
	j->read_fd = -1;
	j->busy = 0;
	j->step = WAITING; /* the store may still have to close it */
	loop_timer_set(j->timer, BUSY_MS);
}

/* An hour of packages must not stand before a policy. */
static bool
make_way(struct fetch *f, const struct job *urgent)
{
	struct job *last = NULL;

	for (struct job *j = f->jobs; j != NULL; j = j->next)
		if (j->step == LOADING && !j->on_demand &&
		    goes_before(urgent, j) &&
		    (last == NULL || !goes_before(j, last)))
			last = j;
	if (last == NULL)
		return false;
	log_info("%s: put aside for %s", last->t.name, urgent->t.name);
	requeue(last);
	return true;
}

void
jobs_pump(struct fetch *f)
{
	struct job *j, *best;
	uint64_t    loading = 0, limit;

	if (!store_client_connected(f->store) || f->draining)
		return;
	for (j = f->jobs; j != NULL; j = j->next)
		loading += j->step == OPENING || j->step == LOADING;
	for (;;) {
		best = NULL;
		for (j = f->jobs; j != NULL; j = j->next)
			if (j->step == QUEUED &&
			    (best == NULL || goes_before(j, best)))
				best = j;
		if (best == NULL)
			return;
		limit = f->conf.parallel + (best->on_demand ? ON_DEMAND : 0);
		if (loading >= limit) {
			if (!make_way(f, best))
				return;
			loading--;
		}
		open_partial(best);
		if (!store_client_connected(f->store))
			return;
		loading++;
	}
}

/* A retry; or those who joined late learn what is known. */
static void
on_timer(void *ctx)
{
	struct job	  *j = ctx;
	struct job_waiter *w, *next;

	if (j->step == WAITING || j->step == QUEUED) {
		j->step = QUEUED;
		jobs_pump(j->f);
		return;
	}
	for (w = j->waiters; w != NULL; w = next) {
		next = w->next;
		if (j->read_fd >= 0 && w->opened != NULL)
			w->opened(w->ctx, &j->t, j->read_fd);
		if (j->read_fd >= 0 && w->progress != NULL)
			w->progress(w->ctx, j->there);
		if (j->verified && w->verified != NULL)
			w->verified(w->ctx);
	}
}

int
job_want(struct fetch *f, struct repo *repo, const struct target *t,
    bool on_demand, struct job_waiter *w)
{
	struct job *j, **end = &f->jobs;

	for (j = f->jobs; j != NULL; j = j->next) {
		if (hash_eq(&j->t.hash, &t->hash))
			break;
		end = &j->next;
	}
	if (j == NULL) {
		if ((j = calloc(1, sizeof(*j))) == NULL)
			return -ENOMEM;
		*j = (struct job){ .f = f, .repo = repo, .t = *t,
			.write_fd = -1, .read_fd = -1 };
		j->t.name = strdup(t->name);
		j->t.path = strdup(t->path);
		if (j->t.name == NULL || j->t.path == NULL ||
		    loop_timer_new(f->loop, on_timer, j, &j->timer) < 0) {
			free(j->t.name);
			free(j->t.path);
			free(j);
			return -ENOMEM;
		}
		*end = j;
	}
	j->on_demand = j->on_demand || on_demand;
	w->job = j;
	w->next = j->waiters;
	j->waiters = w;
	loop_timer_set(j->timer, 0);
	return 0;
}

void
job_leave(struct job_waiter *w)
{
	struct job	   *j = w->job;
	struct job_waiter **p;

	if (j == NULL)
		return;
	for (p = &j->waiters; *p != w; p = &(*p)->next)
		;
	*p = w->next;
	w->job = NULL;
	if (j->waiters != NULL || j->step == PUBLISHING)
		return;
	put_aside(j);
	job_free(j);
}

void
jobs_store_lost(struct fetch *f)
{
	for (struct job *j = f->jobs; j != NULL; j = j->next) {
		store_cancel(f->store, j);
		download_cancel(&j->download);
		if (j->write_fd >= 0)
			close(j->write_fd);
		if (j->read_fd >= 0)
			close(j->read_fd);
		j->write_fd = j->read_fd = -1;
		j->step = QUEUED;
		j->verified = false;
		j->there = j->synced = 0;
	}
}

void
jobs_again(struct fetch *f, struct repo *repo)
{
	for (struct job *j = f->jobs; j != NULL; j = j->next)
		if (j->repo == repo && j->step == LOADING)
			requeue(j);
}

void
jobs_end(struct fetch *f)
{
	struct job *j;

	while ((j = f->jobs) != NULL) {
		f->jobs = j->next;
		put_aside(j);
		for (struct job_waiter *w = j->waiters; w != NULL; w = w->next)
			w->job = NULL;
		dispose(j);
	}
}
