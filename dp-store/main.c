/*
 * dp-store/main.c - keeps content and tables for all other workers.
 *
 * Runs as its own user with its directory as root: the only process that opens
 * the index and the content. Believes the master; believes of the others their
 * role and nothing they say about bytes.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "dp-store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRAIN_MS 20

static void
set_limits(struct store *s)
{
	const struct store_conf	   *c = &worker_settings(s->worker)->store;
	const struct content_limits l = { c->reserve, c->want_free,
		c->max_content };

	content_set_limits(s->content, &l);
}

static int
on_reload(void *ctx)
{
	struct store *s = ctx;

	set_limits(s); /* directory and size of the index: at a start */
	reports_configure(s->reports);
	return 0;
}

/* What was promised to a peer is finished first. */
static void
on_drain(void *ctx)
{
	struct store *s = ctx;

	if (!s->draining)
		job_touch_flush(s);
	s->draining = true;
	if (io_waiting(s->rows) + io_waiting(s->bulk) +
		reports_waiting(s->reports) == 0)
		worker_drained(s->worker);
	else
		loop_timer_set(s->drain_timer, DRAIN_MS);
}

static const struct worker_ops ops = {
	.peer = peer_take,
	.reload = on_reload,
	.drain = on_drain,
	.commands = store_commands,
	.metrics = store_metrics,
	.warnings = store_warnings,
};

/* As root the directory is "/" already; else it keeps its name. */
static void
enter_dir(const struct settings *conf)
{
	char	    user[64];
	const char *root = geteuid() == 0 ? "/" : conf->store.dir;

	snprintf(user, sizeof(user), "%sstore", conf->master.user_prefix);
	priv_drop(user, conf->store.dir);
	if (chdir(root) < 0)
		log_fatal(EXIT_OPERATOR, "store.dir: %s: %s", conf->store.dir,
		    strerror(errno));
	if (mkdir("index", 0700) < 0 && errno != EEXIST)
		log_fatal(EXIT_OPERATOR, "store.dir: %s/index: %s",
		    conf->store.dir, strerror(errno));
}

static void
open_all(struct store *s)
{
	const struct store_conf *conf = &worker_settings(s->worker)->store;
	struct content_found	 found;
	uint32_t		 version;
	int			 r;

	r = index_open("index", conf->index_max, &s->index, &version);
	if (r == -EPROTO && version != 0)
		log_fatal(EXIT_OPERATOR,
		    "the index has version %u and this program knows only %d: "
		    "use the dpoint that wrote it, or move %s/index away "
		    "(content is fetched again)",
		    version, INDEX_VERSION, conf->dir);
	if (r == -EPROTO || r == -EUCLEAN)
		log_fatal(EXIT_OPERATOR,
		    "the index is not readable: move %s/index away (content "
		    "is fetched again)",
		    conf->dir);
	if (r < 0)
		log_fatal(EXIT_TEMPORARY, "index: %s", strerror(-r));
	if ((r = content_open(".", &s->content)) < 0)
		log_fatal(EXIT_TEMPORARY, "content: %s", strerror(-r));
	set_limits(s);
	if ((r = content_reconcile(s->content, s->index, &found)) < 0)
		log_fatal(EXIT_TEMPORARY, "content and index: %s",
		    strerror(-r));
	if (found.orphans + found.lost > 0)
		log_info("after an unclean end: %llu files without a row "
			 "removed, %llu rows without a file dropped",
		    (unsigned long long)found.orphans,
		    (unsigned long long)found.lost);
	if ((r = io_new(s->loop, &s->rows)) < 0 ||
	    (r = io_new(s->loop, &s->bulk)) < 0)
		log_fatal(EXIT_TEMPORARY, "threads: %s", strerror(-r));
	s->reports = reports_open(s);
}

static void
close_all(struct store *s)
{
	for (int i = 0; i < PEER_MAX; i++)
		ipc_free(&s->peers[i].ipc);
	reports_close(&s->reports);
	io_free(&s->bulk);
	io_free(&s->rows);
	content_close(&s->content);
	index_close(&s->index);
}

int
main(int argc, char *argv[])
{
	static struct store s;
	int		    r, fd;

	s.worker = worker_start(PEER_STORE, argc, argv);
	s.loop = worker_loop(s.worker);
	signal(SIGIO, SIG_IGN); /* of leases: nobody but us can break one */
	if (hash_setup() < 0 ||
	    loop_timer_new(s.loop, job_touch_flush, &s, &s.touch_timer) < 0 ||
	    loop_timer_new(s.loop, on_drain, &s, &s.drain_timer) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	enter_dir(worker_settings(s.worker));
	open_all(&s);
	sandbox_enter(&store_sandbox);
	for (int role = PEER_CONTROL + 1; role < PEER_MAX; role++)
		if ((fd = worker_peer(s.worker, (enum peer_role)role)) >= 0)
			peer_take(&s, (enum peer_role)role, fd);
	r = worker_run(s.worker, &ops, &s); /* until the master says so */
	close_all(&s);
	if (r < 0)
		log_fatal(EXIT_TEMPORARY, "ends: %s", strerror(-r));
	return EXIT_SUCCESS;
}
