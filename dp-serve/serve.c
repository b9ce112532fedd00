/*
 * dp-serve/serve.c - the content server as a worker; see serve.h.
 *
 * Runs in dp-serve. Believes the master; the store and the fetcher as
 * content.c says.
 * SPDX-License-Identifier: ISC
 */
#include "dp-serve/serve.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/identity.h"
#include "common/log.h"
#include "common/size.h"
#include "dp-serve/conn.h"

#define KEPT_FDS 64 /* channels, listeners, the loop, standard streams */

struct serve {
	struct worker  *w;
	struct content *content;
	struct api     *api;
	struct inbox   *inbox;
	struct engine  *engine;
	struct agent_sight *agents;
	struct tls     *tls; /* of HTTPS and its lists; NULL: none */
};

/* -- configuration -- */

static int
engine_conf_from(const struct settings *st, struct engine_conf *ec)
{
	const struct serve_conf *c = &st->serve;
	char			 err[SCOPE_ERR];
	uint64_t		 fds;

	*ec = (struct engine_conf) {
		.max_per_address = (unsigned)c->max_per_address,
		.header_ms = c->header_timeout * 1000,
		.idle_ms = c->idle_timeout * 1000,
		.send_ms = c->send_timeout * 1000,
		.want_ms = c->want_timeout * 1000,
	};
	/* every connection and every open object is a descriptor */
	fds = serve_sandbox.max_fds - KEPT_FDS;
	fds -= c->open_objects < fds - 1 ? c->open_objects : fds - 1;
	ec->max_connections = (unsigned)(c->max_connections < fds
		? c->max_connections : fds);
	if (scope_parse(c->allow, &ec->scope, err) < 0) {
		log_err("serve.allow: %s", err);
		return -EINVAL;
	}
	return 0;
}

static int
client_mode(const char *word, enum tls_client_cert *out)
{
	static const char *const words[] = { "none", "optional", "required" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(word, words[i]) == 0) {
			*out = (enum tls_client_cert)i;
			return 0;
		}
	log_err("serve.client-cert: \"%s\" is not none, optional or required",
	    word);
	return -EINVAL;
}

/* What HTTPS goes by, and the lists of who is revoked, which outlive it as
 * connections do; each is NULL where there is none. */
static int
tls_from(struct worker *w, struct tls **out, struct tls **lists,
    struct hash *crl_hash)
{
	const struct serve_conf *c = &worker_settings(w)->serve;
	enum tls_client_cert	 client = TLS_CLIENT_NONE;
	int			 r = 0;

	*out = *lists = NULL;
	*crl_hash = (struct hash){ { 0 } };
	if (c->https[0] != '\0' &&
	    ((r = client_mode(c->client_cert, &client)) < 0 ||
		(r = identity_server(w, "serve", client, out, crl_hash)) < 0))
		return r;
	if (client == TLS_CLIENT_NONE)
		return identity_lists(w, "serve", lists, crl_hash);
	tls_ref(*lists = *out);
	return 0;
}

static int
listen_all(struct serve *s, const char *key, struct tls *tls)
{
	char addr[128];
	int  fd, r;

	for (unsigned i = 0;
	     (fd = worker_socket(s->w, key, i, addr, sizeof(addr))) >= 0; i++)
		if ((r = engine_listen(s->engine, fd, tls)) < 0) {
			log_err_err(r, "%s", addr);
			return r;
		}
	return fd == -ENOENT ? 0 : fd;
}

/* Everything the configuration says, or nothing of it. */
static int
configure(struct serve *s)
{
	const struct settings *st = worker_settings(s->w);
	struct engine_conf    *ec = malloc(sizeof(*ec));
	struct tls	      *tls = NULL, *lists = NULL;
	struct hash	       crl;
	int		       r = ec != NULL ? engine_conf_from(st, ec) : -ENOMEM;

	if (r == 0 && (r = tls_from(s->w, &tls, &lists, &crl)) == 0) {
		if (s->engine == NULL)
			r = engine_new(worker_loop(s->w), s->content, s->api,
			    s->inbox, ec, &s->engine);
		else {
			engine_set_conf(s->engine, ec);
			engine_unlisten(s->engine);
		}
		content_set_max(s->content, (unsigned)st->serve.open_objects);
		api_set(s->api, st->multicast.enable, &crl);
		inbox_set(s->inbox, st->inbox.url[0] != '\0',
		    st->inbox.max_report);
		if (r == 0)
			r = listen_all(s, "serve.http", NULL);
		if (r == 0)
			r = listen_all(s, "serve.https", tls);
		if (r == 0)
			engine_revoke(s->engine, lists);
		if (r == 0) {
			tls_unref(&s->tls);
			s->tls = tls;
			tls = NULL;
		}
	}
	tls_unref(&tls);
	tls_unref(&lists);
	free(ec);
	return r;
}

/* -- what the master wants -- */

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	struct serve *s = ctx;
	int	      r;

	if (role == PEER_STORE)
		r = content_set_store(s->content, take_fd);
	else if (role == PEER_FETCH)
		r = content_set_fetch(s->content, take_fd);
	else if (role == PEER_MCAST)
		r = api_set_mcast(s->api, take_fd);
	else if (role == PEER_SCAN)
		r = agent_sight_attach(s->agents, take_fd);
	else {
		close(take_fd);
		r = -EBADMSG;
	}
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
}

static int
on_reload(void *ctx)
{
	return configure(ctx);
}

static void
on_drained(void *ctx)
{
	worker_drained(((struct serve *)ctx)->w);
}

static void
on_drain(void *ctx)
{
	struct serve *s = ctx;

	engine_drain(s->engine, on_drained, s);
}

static void
on_status(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct serve		    *s = ctx;
	const struct engine_counts  *e = engine_counts(s->engine);
	const struct content_counts *c = content_counts(s->content);

	(void)argc;
	(void)argv;
	admin_row(reply, json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
	    "worker", "serve", "connections", (json_int_t)e->current, "idle",
	    (json_int_t)e->idle, "waiting", (json_int_t)e->waiting, "requests",
	    (json_int_t)e->requests, "bytes", (json_int_t)e->bytes,
	    "open_objects", (json_int_t)c->objects, "tls_handshakes",
	    (json_int_t)tls_counts()->handshakes));
	admin_end(reply, NULL);
}

static const struct admin_command commands[] = {
	{ "serve-status", 0, 0, false, on_status, "", "Connections and requests." },
	{ .name = NULL },
};

static void
on_metrics(void *ctx, struct worker *w, struct admin_reply *r)
{
	struct serve		    *s = ctx;
	const struct engine_counts  *e = engine_counts(s->engine);
	const struct content_counts *c = content_counts(s->content);
	const struct tls_counts	    *t = tls_counts();
	const struct api_counts	    *a = api_counts(s->api);
	const struct inbox_counts   *in = inbox_counts(s->inbox);
	char			     label[32];
	static const char *const     classes[] = { NULL, NULL, "code=\"2xx\"",
		"code=\"3xx\"", "code=\"4xx\"", "code=\"5xx\"" };
	const struct {
		const char *name, *type, *help;
		uint64_t    v;
	} rows[] = {
		{ "dpoint_serve_connections", "gauge",
		    "Connections of clients.", e->current },
		{ "dpoint_serve_idle_connections", "gauge",
		    "Those with no request under way.", e->idle },
		{ "dpoint_serve_waiting_connections", "gauge",
		    "Those that wait for content to come.", e->waiting },
		{ "dpoint_serve_accepted_total", "counter",
		    "Connections accepted.", e->accepted },
		{ "dpoint_serve_refused_total", "counter",
		    "Connections refused: outside the scope, or too many.",
		    e->refused },
		{ "dpoint_serve_timeouts_total", "counter",
		    "Connections that ran out of time.", e->timed_out },
		{ "dpoint_serve_resets_total", "counter",
		    "Answers broken off so that none takes them for whole.",
		    e->reset },
		{ "dpoint_serve_revoked_total", "counter",
		    "Connections ended since a newer revocation list has their certificate.",
		    e->revoked },
		{ "dpoint_serve_requests_total", "counter", "Requests.",
		    e->requests },
		{ "dpoint_serve_body_bytes_total", "counter",
		    "Bytes of content in answers begun.", e->bytes },
		{ "dpoint_serve_open_objects", "gauge",
		    "Objects in the table of open ones.", c->objects },
		{ "dpoint_serve_object_hits_total", "counter",
		    "Requests that found their object in the table.", c->hits },
		{ "dpoint_serve_lookups_total", "counter",
		    "Questions to the store.", c->lookups },
		{ "dpoint_serve_wants_total", "counter",
		    "Objects asked of the fetcher.", c->wants },
		{ "dpoint_serve_api_asked_total", "counter",
		    "Questions of agents to the multicast sender.", a->asked },
		{ "dpoint_serve_lists_total", "counter",
		    "Lists of hashes of an object's pieces made.", a->lists },
		{ "dpoint_serve_lists_bytes_total", "counter",
		    "Bytes hashed for those.", a->hashed_bytes },
		{ "dpoint_serve_reports_total", "counter",
		    "Reports of devices handed to the store.", in->put },
		{ "dpoint_serve_report_bytes", "gauge",
		    "Bytes of reports that come, or wait to be kept.", in->bytes },
		{ "dpoint_serve_tls_handshakes_total", "counter",
		    "TLS handshakes completed.", t->handshakes },
		{ "dpoint_serve_tls_resumed_total", "counter",
		    "Those that resumed a session.", t->resumed },
		{ "dpoint_serve_tls_failed_total", "counter",
		    "TLS handshakes that failed.", t->failed },
		{ "dpoint_serve_tls_kernel_total", "counter",
		    "Those whose answers the kernel seals.", t->ktls },
		{ "dpoint_serve_tls_revoked_total", "counter",
		    "Those with a revoked certificate.", t->revoked },
	};

	(void)w;
	for (size_t i = 0; i < COUNT(rows); i++)
		worker_metric(r, rows[i].name, rows[i].type, rows[i].help, NULL,
		    (double)rows[i].v);
	for (size_t i = 2; i < COUNT(classes); i++)
		worker_metric(r, "dpoint_serve_answers_total", "counter",
		    "Answers by class of status.", classes[i],
		    (double)e->by_class[i]);
	for (size_t i = 0; i < REFUSED_MAX; i++) {
		snprintf(label, sizeof(label), "reason=\"%s\"",
		    inbox_refusals[i]);
		worker_metric(r, "dpoint_serve_reports_refused_total", "counter",
		    "Reports refused before their body.", label,
		    (double)in->refused[i]);
	}
	identity_metrics("dpoint_serve_tls_expires_seconds", s->tls, r);
}

static void
on_warnings(void *ctx, struct admin_reply *reply)
{
	const struct serve *s = ctx;

	identity_warnings("serve", s->tls, reply);
}

/* -- life -- */

struct serve *
serve_open(struct worker *w)
{
	static const enum peer_role peers[] = { PEER_STORE, PEER_FETCH,
		PEER_MCAST, PEER_SCAN };
	struct serve *s = calloc(1, sizeof(*s));
	int	      fd;

	if (s == NULL || content_new(worker_loop(w), 16, &s->content) < 0 ||
	    api_new(worker_loop(w), s->content, &s->api) < 0 ||
	    inbox_new(s->content, &s->inbox) < 0 ||
	    agent_sight_new(worker_loop(w), &s->agents) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	s->w = w;
	if (configure(s) < 0)
		log_fatal(EXIT_OPERATOR, "cannot serve with this configuration");
	engine_tell(s->engine, s->agents);
	for (size_t i = 0; i < COUNT(peers); i++)
		if ((fd = worker_peer(w, peers[i])) >= 0)
			on_peer(s, peers[i], fd);
	return s;
}

int
serve_run(struct serve *s)
{
	static const struct worker_ops ops = {
		.peer = on_peer,
		.reload = on_reload,
		.drain = on_drain,
		.commands = commands,
		.metrics = on_metrics,
		.warnings = on_warnings,
	};

	return worker_run(s->w, &ops, s);
}

void
serve_close(struct serve **sp)
{
	struct serve *s = *sp;

	engine_free(&s->engine);
	tls_unref(&s->tls);
	agent_sight_free(&s->agents);
	api_free(&s->api);
	inbox_free(&s->inbox);
	content_free(&s->content);
	free(s);
	*sp = NULL;
}
