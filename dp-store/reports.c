/*
 * dp-store/reports.c - the inbox at work: its life, and jobs in its thread; see reports.h.
 *
 * Runs in dp-store: run_*() and reports_look() in the inbox's thread, the rest in
 * the loop. reports_own.h says what stands in which file.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/reports_own.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RETRY_MS 10000

void
reports_submit(struct reports *rs, struct job *j, void (*run)(struct job *),
    void (*done)(struct job *))
{
	j->run = run;
	j->done = done;
	rs->jobs++;
	io_submit(rs->io, j);
}

void
reports_look(struct inbox *ib, struct view *v)
{
	v->sums = inbox_sums(ib);
	v->oldest = 0;
	if (v->sums.queued + v->sums.aside == 0 || inbox_begin(ib) < 0)
		return;
	(void)inbox_oldest(ib, &v->oldest);
	inbox_abort(ib);
}

void
reports_took(struct reports *rs, const struct view *v)
{
	rs->jobs--;
	rs->sums = v->sums;
	rs->oldest = v->oldest;
	store_check(rs->s);
}

void
reports_retry(struct reports *rs)
{
	loop_timer_set(rs->give_timer, RETRY_MS);
}

static void
on_give_timer(void *ctx)
{
	reports_write(ctx);
	reports_give(ctx);
}

void
reports_peer_gone(struct peer *p)
{
	struct reports *rs = p->store->reports;

	reports_part_drop(rs, p->role);
	if (p == rs->taker)
		reports_taker_gone(rs);
}

struct resize {
	struct job	job;
	struct reports *rs;
	struct view	view;
	uint64_t	max_size;
	int		r;
};

static void
run_resize(struct job *j)
{
	struct resize *z = (struct resize *)j;

	z->r = inbox_resize(z->rs->inbox, z->max_size);
	reports_look(z->rs->inbox, &z->view);
}

static void
done_resize(struct job *j)
{
	struct resize *z = (struct resize *)j;

	reports_took(z->rs, &z->view);
	if (z->r < 0)
		log_warn_err(z->r, "inbox.max-size: from the next start");
	free(z);
}

void
reports_configure(struct reports *rs)
{
	const struct settings	*st = worker_settings(rs->s->worker);
	const struct inbox_conf *c = &st->inbox;
	uint64_t		 was = rs->limits.max_size;
	struct resize		*z;

	rs->limits = (struct inbox_limits){ c->max_size, c->max_device_size,
		c->max_devices };
	rs->max_age = c->max_age;
	rs->has_point = settings_reports_devices(st) &&
	    report_device_parse(st->scan.id, strlen(st->scan.id), rs->point) == 0;
	rs->reserve = st->store.reserve;
	loop_timer_set(rs->age_timer, 0);
	if (was == 0 || was == c->max_size ||
	    (z = calloc(1, sizeof(*z))) == NULL)
		return;
	z->rs = rs;
	z->max_size = c->max_size;
	reports_submit(rs, &z->job, run_resize, done_resize);
}

struct reports *
reports_open(struct store *s)
{
	const struct settings *st = worker_settings(s->worker);
	struct reports	      *rs = calloc(1, sizeof(*rs));
	struct view	       v;
	uint32_t	       version;
	int		       r;

	if (rs == NULL || loop_timer_new(s->loop, reports_age, rs, &rs->age_timer) < 0 ||
	    loop_timer_new(s->loop, on_give_timer, rs, &rs->give_timer) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	rs->s = s;
	rs->todo_end = &rs->todo;
	if (mkdir("inbox", 0700) < 0 && errno != EEXIST)
		log_fatal(EXIT_OPERATOR, "store.dir: %s/inbox: %s",
		    st->store.dir, strerror(errno));
	r = inbox_open("inbox", st->inbox.max_size, &rs->inbox, &version);
	if (r == -EPROTO && version != 0)
		log_fatal(EXIT_OPERATOR, "the inbox has version %u and this "
			"program knows only %d: use the dpoint that wrote it",
		    version, INBOX_VERSION);
	if (r == -EPROTO || r == -EUCLEAN)
		log_fatal(EXIT_OPERATOR, "the inbox is not readable: move "
			"%s/inbox away (reports that wait there are lost)",
		    st->store.dir);
	if (r < 0)
		log_fatal(EXIT_TEMPORARY, "inbox: %s", strerror(-r));
	reports_look(rs->inbox, &v);
	rs->sums = v.sums;
	rs->oldest = v.oldest;
	if ((r = io_new(s->loop, &rs->io)) < 0)
		log_fatal(EXIT_TEMPORARY, "threads: %s", strerror(-r));
	reports_configure(rs);
	return rs;
}

void
reports_close(struct reports **rsp)
{
	struct reports *rs = *rsp;

	if (rs == NULL)
		return;
	io_free(&rs->io);
	inbox_close(&rs->inbox);
	for (int i = 0; i < PEER_MAX; i++)
		free(rs->part[i]);
	loop_timer_free(&rs->age_timer);
	loop_timer_free(&rs->give_timer);
	free(rs);
	*rsp = NULL;
}

size_t
reports_waiting(const struct reports *rs)
{
	return rs->jobs;
}

bool
reports_broken(const struct reports *rs)
{
	return inbox_broken(rs->inbox);
}
