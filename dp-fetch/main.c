/*
 * dp-fetch/main.c - brings signed repositories to this site, once.
 *
 * Runs as its own user without network and files: sockets come from the
 * connector, write descriptors from the store. Believes the master's
 * configuration and signatures that chain to its root.json; believes nothing
 * that an upstream, a proxy or a device says.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/size.h"
#include "common/tuf_meta.h"
#include "dp-fetch/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROXY_AUTH_MAX 4096

/* -- the connector -- */

static void
on_socket(void *ctx, uint32_t ticket, int take_fd, const char *text)
{
	struct fetch *f = ctx;

	downloads_socket(f->downloads, ticket, take_fd, text);
}

static void
on_sockets_lost(void *ctx, int r)
{
	struct fetch *f = ctx;

	worker_accuse(PEER_CONNECT, r);
	downloads_sockets_lost(f->downloads);
}

static const struct connect_client_ops connector_ops = {
	.answer = on_socket,
	.lost = on_sockets_lost,
};

static int
ask_connect(void *ctx, uint32_t ticket, const char *host, uint16_t port)
{
	struct fetch *f = ctx;

	return connect_client_ask(f->connector, ticket, host, port,
	    f->conf.connect_timeout * 1000);
}

/* -- the line -- */

static bool
may_follow(void *ctx, const struct url *to)
{
	struct fetch *f = ctx;

	for (size_t i = 0; i < REPOS; i++)
		for (size_t k = 0; k < f->repos[i].src.nurls; k++)
			if (url_names_host(f->repos[i].src.urls[k], to))
				return true;
	return false;
}

static void
received(void *ctx, size_t n)
{
	struct fetch *f = ctx;

	f->wan_bytes += n;
	bucket_used(&f->bucket, n);
}

static uint64_t
hold(void *ctx)
{
	struct fetch *f = ctx;

	return bucket_hold(&f->bucket, loop_now_ms(f->loop));
}

static const struct downloads_ops line = {
	.connect = ask_connect,
	.may_follow = may_follow,
	.received = received,
	.hold = hold,
};

/* Each minute: the rate of this time of day, and what has expired. */
static void
on_minute(void *ctx)
{
	struct fetch *f = ctx;
	time_t	      now = time(NULL);
	struct tm     tm;

	localtime_r(&now, &tm);
	bucket_set_rate(&f->bucket, wan_rate_at(&f->wan, &tm),
	    loop_now_ms(f->loop));
	loop_timer_set(f->minute, (uint64_t)(60 - tm.tm_sec % 60) * 1000);
	for (size_t i = 0; i < REPOS; i++)
		repo_check_expiry(&f->repos[i]);
}

/* -- configuration -- */

static int
read_conf(struct fetch *f, struct downloads_conf *dc)
{
	const struct settings *s = worker_settings(f->worker);
	char		       err[WAN_ERR], *auth = NULL;
	struct wan	       wan;
	size_t		       len;
	int		       r;

	if (wan_parse(s->fetch.wan_rate, &wan, err) < 0) {
		log_err("fetch.wan-rate: %s", err);
		return -EINVAL;
	}
	*dc = (struct downloads_conf){
		.connect_ms = s->fetch.connect_timeout * 1000,
		.stall_ms = s->fetch.stall_timeout * 1000 };
	snprintf(dc->proxy, sizeof(dc->proxy), "%s", s->fetch.proxy);
	r = worker_file_text(f->worker, "fetch.proxy-auth", PROXY_AUTH_MAX,
	    &auth, &len);
	if (r == 0 && (r = url_login(auth, dc->proxy_auth,
			   sizeof(dc->proxy_auth))) < 0)
		log_err("fetch.proxy-auth: expected user:password");
	else if (r < 0 && r != -ENOENT)
		log_err_err(r, "fetch.proxy-auth");
	free(auth);
	if (r < 0 && r != -ENOENT)
		return r;
	f->conf = s->fetch;
	f->wan = wan;
	return 0;
}

static int
on_reload(void *ctx)
{
	struct fetch	     *f = ctx;
	const struct settings *s = worker_settings(f->worker);
	struct source	     *src[REPOS] = { NULL };
	struct forward_conf  *fc = NULL;
	struct downloads_conf dc;
	int		      r;

	if ((r = source_read(f, "content", &s->content, &src[0])) == 0 &&
	    (r = source_read(f, "site", &s->site, &src[1])) == 0 &&
	    (r = forward_read(f, &s->inbox, &fc)) == 0)
		r = read_conf(f, &dc); /* the last to fail: it takes effect */
	if (r < 0) {
		forward_conf_free(&fc);
		source_free(&src[0]);
		source_free(&src[1]);
		return r;
	}
	downloads_set(f->downloads, &dc);
	for (size_t i = 0; i < REPOS; i++) {
		repo_apply(&f->repos[i], &src[i]);
		if (store_client_connected(f->store))
			repo_store_ready(&f->repos[i]);
	}
	forward_apply(f->forward, &fc);
	on_minute(f);
	return 0;
}

/* -- the store -- */

static void
store_broken(void *ctx, int r)
{
	struct fetch *f = ctx;

	worker_accuse(PEER_STORE, r);
	jobs_store_lost(f);
	for (size_t i = 0; i < REPOS; i++)
		repo_store_lost(&f->repos[i]);
	forward_store_lost(f->forward);
}

static const struct store_client_ops store_ops = { .broken = store_broken };

static void
store_ready(struct fetch *f)
{
	for (size_t i = 0; i < REPOS; i++)
		repo_store_ready(&f->repos[i]);
	jobs_pump(f);
	forward_store_ready(f->forward);
}

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	struct fetch *f = ctx;
	int	      r = 0;

	if (role == PEER_STORE) {
		if ((r = store_client_attach(f->store, take_fd)) == 0)
			store_ready(f);
	} else if (role == PEER_SERVE)
		wants_peer(f, take_fd);
	else if (role == PEER_CONNECT)
		r = connect_client_attach(f->connector, take_fd);
	else
		close(take_fd);
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
}

/* -- admin commands -- */

static void
cmd_refresh(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct fetch *f = ctx;

	if (argc == 1) {
		/* both; the answer is the first one's that is configured */
		struct repo *r = &f->repos[0];

		if (r->step == REPO_OFF && f->repos[1].step != REPO_OFF)
			r = &f->repos[1];
		else if (f->repos[1].step != REPO_OFF)
			repo_refresh(&f->repos[1], NULL);
		repo_refresh(r, reply);
		return;
	}
	for (size_t i = 0; i < REPOS; i++)
		if (strcmp(argv[1], f->repos[i].space) == 0) {
			repo_refresh(&f->repos[i], reply);
			return;
		}
	admin_end(reply, "no such repository: content or site");
}

struct fetching { /* one content-fetch */
	struct fetch	   *f;
	struct admin_reply *reply;
	struct job_waiter   w;
	struct target	    t;
	uint64_t	    told_ms;
};

static void
fetching_row(struct fetching *g, uint64_t there, const char *state)
{
	admin_row(g->reply,
	    json_pack("{s:s,s:I,s:I,s:s}", "name", g->t.name, "bytes",
		(json_int_t)there, "size", (json_int_t)g->t.size, "state",
		state));
	g->told_ms = loop_now_ms(g->f->loop);
}

static void
fetching_progress(void *ctx, uint64_t there)
{
	struct fetching *g = ctx;

	if (loop_now_ms(g->f->loop) - g->told_ms >= 200)
		fetching_row(g, there, "loading");
}

static void
fetching_done(void *ctx, int r, const char *text)
{
	struct fetching *g = ctx;

	if (r == 0)
		fetching_row(g, g->t.size, "done");
	admin_end(g->reply, r == 0 ? NULL : text);
	free(g->t.name);
	free(g);
}

static void
cmd_content_fetch(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct fetch	    *f = ctx;
	const struct target *t = NULL;
	struct repo	    *r = NULL;
	struct fetching	    *g;

	(void)argc;
	for (size_t i = 0; t == NULL && i < REPOS; i++)
		t = set_find((r = &f->repos[i])->now, argv[1]);
	if (t == NULL) {
		admin_end(reply, "no signed set in force names it");
		return;
	}
	if ((g = calloc(1, sizeof(*g))) == NULL) {
		admin_end(reply, "no memory");
		return;
	}
	*g = (struct fetching){ .f = f, .reply = reply, .t = *t };
	g->w = (struct job_waiter){ .ctx = g, .progress = fetching_progress,
		.done = fetching_done };
	if ((g->t.name = strdup(t->name)) == NULL ||
	    job_want(f, r, t, true, &g->w) < 0) {
		admin_end(reply, "no memory");
		free(g->t.name);
		free(g);
		return;
	}
	jobs_pump(f);
}

static void
cmd_status(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct fetch *f = ctx;
	time_t	      now = time(NULL);

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < REPOS; i++) {
		struct repo *r = &f->repos[i];
		json_t	    *row = json_pack("{s:s,s:s,s:i,s:I,s:I}",
			   "repository", r->space, "step",
			   repo_step_name(r->step), "failures", (int)r->failures,
			   "last_refresh", (json_int_t)r->last_ok, "last_try",
			   (json_int_t)r->last_try);

		if (row == NULL)
			continue;
		if (r->error[0] != '\0')
			json_object_set_new(row, "error", json_string(r->error));
		if (r->now != NULL)
			json_object_update_new(row,
			    json_pack("{s:I,s:I,s:I,s:I,s:i,s:I,s:s,s:b}",
				"root", (json_int_t)r->now->root, "timestamp",
				(json_int_t)r->now->timestamp, "snapshot",
				(json_int_t)r->now->snapshot, "targets_version",
				(json_int_t)r->now->targets_version, "targets",
				(int)r->now->ntargets, "expires",
				(json_int_t)r->now->expires, "expires_role",
				r->now->expires_role, "expired",
				r->now->expires <= now));
		admin_row(reply, row);
	}
	admin_row(reply,
	    json_pack("{s:I,s:I,s:I,s:I}", "wan_bytes", (json_int_t)f->wan_bytes,
		"wan_rate", (json_int_t)f->bucket.rate, "downloads",
		(json_int_t)f->downloads_ok, "failed",
		(json_int_t)f->downloads_failed));
	admin_end(reply, NULL);
}

static const struct admin_command commands[] = {
	{ "refresh", 0, 1, true, cmd_refresh, "[content|site]",
	    "Ask upstream for news now; answers when it is over." },
	{ "content-fetch", 1, 1, true, cmd_content_fetch, "NAME",
	    "Bring one target into the store now." },
	{ "fetch-status", 0, 0, false, cmd_status, "",
	    "What is known of each repository, and of the line." },
	{ "inbox-flush", 0, 0, true, forward_flush, "",
	    "Tries to forward devices' reports now." },
	{ 0 }
};

struct counter {
	const char *name, *help;
	uint64_t    value;
};

static void
on_metrics(void *ctx, struct worker *w, struct admin_reply *reply)
{
	struct fetch	    *f = ctx;
	const struct counter counters[] = {
		{ "dpoint_fetch_wan_bytes_total",
		    "Bytes received over the line, HTTP headers included.",
		    f->wan_bytes },
		{ "dpoint_fetch_downloads_total", "Downloads published.",
		    f->downloads_ok },
		{ "dpoint_fetch_downloads_failed_total", "Downloads given up.",
		    f->downloads_failed },
		{ "dpoint_fetch_wrong_bytes_total",
		    "Downloads whose length or hash was not the signed one.",
		    f->wrong_bytes },
		{ "dpoint_fetch_verified_bytes_total",
		    "Bytes of published downloads.", f->bytes_verified },
		{ "dpoint_fetch_refreshes_total", "Refreshes that went well.",
		    f->refreshes_ok },
		{ "dpoint_fetch_refreshes_failed_total", "Refreshes that failed.",
		    f->refreshes_failed },
		{ "dpoint_fetch_wants_total",
		    "Objects fetched because a device waited.",
		    f->wants_answered },
	};
	char label[40];

	(void)w;
	for (size_t i = 0; i < COUNT(counters); i++)
		worker_metric(reply, counters[i].name, "counter",
		    counters[i].help, NULL, (double)counters[i].value);
	worker_metric(reply, "dpoint_fetch_wan_rate_bytes", "gauge",
	    "Budget of the line in bytes per second; 0: none.", NULL,
	    (double)f->bucket.rate);
	for (size_t i = 0; i < REPOS; i++) {
		snprintf(label, sizeof(label), "repository=\"%s\"",
		    f->repos[i].space);
		if (f->repos[i].now != NULL)
			worker_metric(reply,
			    "dpoint_fetch_metadata_expires_seconds", "gauge",
			    "When the first metadata file expires.", label,
			    (double)f->repos[i].now->expires);
	}
	for (size_t i = 0; i < REPOS; i++) {
		snprintf(label, sizeof(label), "repository=\"%s\"",
		    f->repos[i].space);
		if (f->repos[i].now != NULL)
			worker_metric(reply, "dpoint_fetch_metadata_version",
			    "gauge", "Version of timestamp.json in force.",
			    label, (double)f->repos[i].now->timestamp);
	}
}

static void
on_warnings(void *ctx, struct admin_reply *reply)
{
	struct fetch *f = ctx;
	time_t	      now = time(NULL);
	char	      when[TUF_TIME_LEN];

	for (size_t i = 0; i < REPOS; i++) {
		const struct repo *r = &f->repos[i];

		if (r->now != NULL && r->now->expires <= now) {
			tuf_time_print(r->now->expires, when);
			worker_warning(reply,
			    "%s: %s metadata has expired on %s; what was "
			    "verified stays in force, nothing new is accepted",
			    r->space, r->now->expires_role, when);
		}
		if (r->failures > 0)
			worker_warning(reply, "%s: refresh fails, %u in a row: %s",
			    r->space, r->failures, r->error);
	}
	forward_warnings(f->forward, reply);
}

static void
on_drain(void *ctx)
{
	struct fetch *f = ctx;

	f->draining = true; /* partial files are kept for the next start */
	for (size_t i = 0; i < REPOS; i++)
		repo_end(&f->repos[i]);
	wants_end(f);
	jobs_end(f);
	forward_end(f->forward);
	worker_drained(f->worker);
}

static const struct worker_ops ops = {
	.peer = on_peer,
	.reload = on_reload,
	.drain = on_drain,
	.commands = commands,
	.metrics = on_metrics,
	.warnings = on_warnings,
};

static void
open_all(struct fetch *f)
{
	const struct settings *s = worker_settings(f->worker);
	struct forward_conf   *fc;
	struct downloads_conf  dc;
	int		       r;

	f->loop = worker_loop(f->worker);
	tzset();
	r = download_read_ca(DOWNLOAD_SYSTEM_CA, &f->system_ca,
	    &f->system_ca_len);
	if (r < 0 && r != -ENOENT) /* https then needs content.ca and site.ca */
		log_warn_err(r, "%s", DOWNLOAD_SYSTEM_CA);
	if (downloads_setup() < 0 || tuf_setup() < 0)
		log_fatal(EXIT_TEMPORARY, "libcurl or OpenSSL does not start");
	if (read_conf(f, &dc) < 0 ||
	    repo_init(&f->repos[0], f, "content", "repo", &s->content) < 0 ||
	    repo_init(&f->repos[1], f, "site", "site", &s->site) < 0 ||
	    forward_read(f, &s->inbox, &fc) < 0)
		exit(EXIT_OPERATOR);
	if (downloads_new(f->loop, &dc, &line, f, &f->downloads) < 0 ||
	    store_client_new(f->loop, -1, &store_ops, f, &f->store) < 0 ||
	    connect_client_new(f->loop, -1, &connector_ops, f,
		&f->connector) < 0 ||
	    loop_timer_new(f->loop, on_minute, f, &f->minute) < 0 ||
	    forward_new(f, &f->forward) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	forward_apply(f->forward, &fc);
}

int
main(int argc, char *argv[])
{
	static const enum peer_role peers[] = { PEER_CONNECT, PEER_STORE,
		PEER_SERVE };
	static struct fetch f;
	char		    user[64];
	int		    r, fd;

	f.worker = worker_start(PEER_FETCH, argc, argv);
	open_all(&f);
	snprintf(user, sizeof(user), "%sfetch",
	    worker_settings(f.worker)->master.user_prefix);
	priv_drop(user, NULL);
	sandbox_enter(&fetch_sandbox);
	on_minute(&f);
	for (size_t i = 0; i < COUNT(peers); i++)
		if ((fd = worker_peer(f.worker, peers[i])) >= 0)
			on_peer(&f, peers[i], fd);
	r = worker_run(f.worker, &ops, &f); /* until the master says so */
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
