/*
 * dp-gateway/gateway.c - the gateway as a worker: configuration, listeners,
 * the channel to dp-connect, reload and drain.
 *
 * Runs in dp-gateway. Believes the master; dp-connect about where a socket
 * leads.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/gateway.h"

#include "common/identity.h"
#include "common/log.h"
#include "common/size.h"
#include "common/value.h"
#include "dp-gateway/push.h"
#include "dp-gateway/terminate.h"
#include "dp-gateway/uplink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors that connections may have: two each, of the push channel one. */
static unsigned
max_fds(void)
{
	uint64_t      fds = gateway_sandbox.max_fds;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_max < fds)
		fds = rl.rlim_max;
	return fds > KEPT_FDS + 2 * PIPES_MAX + 2
	    ? (unsigned)(fds - KEPT_FDS - 2 * PIPES_MAX)
	    : 2;
}

static int
listen_all(struct gateway *g)
{
	const struct listener_kind *k;
	char			    addr[128];
	int			    fd, r;

	for (k = listener_kinds; k->key != NULL; k++) {
		for (unsigned i = 0; (fd = worker_socket(g->w, k->key, i, addr,
					  sizeof(addr))) >= 0; i++)
			if ((r = accept_listen(g, k, fd, addr)) < 0) {
				log_err_err(r, "%s", addr);
				return r;
			}
		if (fd != -ENOENT)
			return fd;
	}
	return 0;
}

/* A random name is as good as any where circles are to be found. */
static void
name(struct gateway *g)
{
	uint64_t n = 0;

	if (g->conf.id[0] != '\0')
		snprintf(g->id, sizeof(g->id), "%s", g->conf.id);
	else if (strncmp(g->id, "gw-", 3) != 0) {
		(void)RAND_bytes((unsigned char *)&n, sizeof(n));
		snprintf(g->id, sizeof(g->id), "gw-%016" PRIx64, n);
	}
}

static int
tls_from(struct gateway *g, const struct gateway_conf *conf, struct tls **out)
{
	*out = NULL;
	return conf->cert[0] == '\0'
	    ? 0
	    : identity_server(g->w, "gateway", TLS_CLIENT_REQUIRED, out, NULL);
}

/* The lists of who is revoked: connections outlive what they were let in by. */
static int
lists_from(struct gateway *g, struct tls *tls, struct tls **out)
{
	if (tls == NULL)
		return identity_lists(g->w, "gateway", out, NULL);
	tls_ref(*out = tls);
	return 0;
}

/* Everything the configuration says, or nothing of it. Connections live on. */
static int
configure(struct gateway *g)
{
	struct gateway_conf was = g->conf;
	const struct gateway_conf *conf = &worker_settings(g->w)->gateway;
	struct listener *old = g->listeners;
	struct tls	*tls, *lists;
	struct scope	 scope, proxy_from;
	char		 err[SCOPE_ERR];
	int		 r;

	if (!conf->enable) /* the master is about to end us */
		return 0;
	if (scope_parse(conf->allow, &scope, err) < 0) {
		log_err("gateway.allow: %s", err);
		return -EINVAL;
	}
	if (scope_parse(conf->proxy_from, &proxy_from, err) < 0) {
		log_err("gateway.proxy-from: %s", err);
		return -EINVAL;
	}
	if ((r = tls_from(g, conf, &tls)) < 0)
		return r;
	if ((r = lists_from(g, tls, &lists)) < 0 ||
	    (r = terminate_prepare(g, conf)) < 0) {
		tls_unref(&tls);
		tls_unref(&lists);
		return r;
	}
	g->listeners = NULL;
	g->conf = *conf; /* whose keep-alive the listeners get */
	if ((r = listen_all(g)) < 0 ||
	    (r = uplinks_configure(g->uplinks)) < 0 ||
	    (r = upstream_set(&g->upstream, conf->server)) < 0 ||
	    (r = upstream_set(&g->terminate.servers, conf->terminate_server)) <
		0) {
		tls_unref(&tls);
		tls_unref(&lists);
		g->conf = was;
		accept_unlisten(&g->listeners);
		g->listeners = old;
		return r;
	}
	name(g);
	g->scope = scope;
	g->proxy_from = proxy_from;
	tls_unref(&g->tls);
	g->tls = tls;
	tls_unref(&g->lists);
	g->lists = lists;
	terminate_take(g);
	uplinks_follow(g->uplinks);
	accept_leave(g, old);
	terminate_check(g);
	uplinks_check(g->uplinks);
	push_reload(g->push);
	return 0;
}

/* Gateways that may ask us for connections. */
static unsigned
peers_listed(const struct gateway_conf *conf)
{
	const char *const lists[] = { conf->uplink_peers, conf->dial };
	char		  word[1024];
	unsigned	  n = 0;

	for (size_t i = 0; i < COUNT(lists); i++)
		for (size_t pos = 0;
		    value_word(lists[i], &pos, word, sizeof(word));)
			n++;
	return n;
}

/* Connections spread by chance, and no process knows what the others have: what is
 * written counts in each, and that is said by the first of them. */
static void
say_limits(const struct gateway *g)
{
	const struct {
		const char *key;
		uint64_t    n;
	} limits[] = { { "max-per-address", g->conf.max_per_address },
		{ "max-per-device", g->conf.max_per_device },
		{ "max-per-peer", g->max_per_peer } };

	if (g->conf.processes == 1 || worker_role(g->w) != PEER_GATEWAY)
		return;
	for (size_t i = 0; i < COUNT(limits); i++)
		if (limits[i].n > 0)
			log_info("gateway.%s: %" PRIu64 " in each of %" PRIu64
				 " processes, %" PRIu64 " in all at most",
			    limits[i].key, limits[i].n, g->conf.processes,
			    limits[i].n * g->conf.processes);
}

static void
limit(struct gateway *g)
{
	if (g->max_fds == 0) /* the sandbox lets nobody ask again */
		g->max_fds = max_fds();
	g->max = g->conf.max_connections < g->max_fds / 2
	    ? (unsigned)g->conf.max_connections
	    : g->max_fds / 2;
	if (g->max < g->conf.max_connections)
		log_info("gateway.max-connections: %u, as many as there are "
			 "descriptors for", g->max);
	g->max_per_peer = g->conf.max_per_peer;
	if (g->max_per_peer == 0 && peers_listed(&g->conf) > 1)
		g->max_per_peer = (g->max + 1) / 2;
	say_limits(g);
}

/* -- what the master wants -- */

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	struct gateway *g = ctx;
	int		r;

	if (role == PEER_SCAN) {
		r = agent_sight_attach(g->agents, take_fd);
	} else if (role != PEER_CONNECT) {
		close(take_fd);
		r = -EBADMSG;
	} else if ((r = connect_client_attach(g->connector, take_fd)) == 0)
		dial_pump(g);
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
}

static int
on_reload(void *ctx)
{
	struct gateway *g = ctx;
	int		r = configure(g);

	if (r == 0)
		limit(g);
	dial_pump(g);
	conn_tick_soon(g);
	return r;
}

static void
on_drain(void *ctx)
{
	conn_drain(ctx);
}

/* -- life -- */

struct gateway *
gateway_open(struct worker *w)
{
	struct gateway *g = calloc(1, sizeof(*g));
	struct loop    *l = worker_loop(w);
	int		fd;

	if (g == NULL || addr_count_new(&g->addresses, ADDR_COUNT_NET) < 0 ||
	    addr_count_new(&g->peers, ADDR_COUNT_ALL) < 0 ||
	    pipes_new(PIPES_MAX, &g->pipes) < 0 ||
	    connect_client_new(l, worker_peer(w, PEER_CONNECT), &dial_ops, g,
		&g->connector) < 0 ||
	    agent_sight_new(l, &g->agents) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	if (RAND_bytes((uint8_t *)&g->shakes.secret,
		sizeof(g->shakes.secret)) != 1)
		log_fatal(EXIT_TEMPORARY, "no random numbers");
	g->w = w;
	g->loop = l;
	g->epoll = epoll_create1(EPOLL_CLOEXEC);
	g->spare = fcntl(g->epoll, F_DUPFD_CLOEXEC, 0);
	if (g->spare < 0 ||
	    loop_io_new(l, g->epoll, LOOP_READ, conn_events, g, &g->io) < 0 ||
	    loop_timer_new(l, conn_tick, g, &g->tick) < 0)
		log_fatal(EXIT_TEMPORARY, "no event loop");
	if (push_new(g, &g->push) < 0)
		log_fatal(EXIT_TEMPORARY, "no push channel");
	if (uplinks_new(g, &g->uplinks) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	if (configure(g) < 0)
		log_fatal(EXIT_OPERATOR,
		    "cannot carry anything with this configuration");
	limit(g);
	if ((fd = worker_peer(w, PEER_SCAN)) >= 0)
		on_peer(g, PEER_SCAN, fd);
	return g;
}

static int
on_woken(void *ctx, struct ipc_msg *m)
{
	struct gateway	  *g = ctx;
	bool		   done = rd_u8(&m->rd) != 0;
	struct wake_result r = { .devices = rd_u32(&m->rd) };

	r.sent = rd_u32(&m->rd);
	r.waiting = rd_u32(&m->rd);
	r.took_ms = rd_u64(&m->rd);
	push_woken(g->push, m->id, done ? &r : NULL);
	return 0;
}

int
gateway_run(struct gateway *g)
{
	static const struct ipc_handler from_control[] = {
		{ MSG_WOKEN, 0, 21, 21, on_woken },
		{ MSG_PUSH_CAME, 0, 10, 200, push_on_came },
		{ MSG_PUSH_SHARED, 0, 6, 300, push_on_shared },
	};
	static const struct worker_ops ops = {
		.peer = on_peer,
		.reload = on_reload,
		.drain = on_drain,
		.from_control = { from_control, COUNT(from_control) },
		.commands = gateway_commands,
		.metrics = gateway_metrics,
		.warnings = gateway_warnings,
	};

	return worker_run(g->w, &ops, g);
}

void
gateway_close(struct gateway **gp)
{
	struct gateway *g = *gp;

	g->draining = g->refusing = true;
	accept_unlisten(&g->listeners);
	accept_unlisten(&g->leaving);
	while (g->oldest != NULL)
		conn_end(g->oldest, WHY_DRAINED);
	uplinks_free(&g->uplinks);
	push_free(&g->push);
	loop_io_free(&g->io);
	loop_timer_free(&g->tick);
	conn_bury(g);
	pipes_free(&g->pipes);
	addr_count_free(&g->addresses);
	addr_count_free(&g->peers);
	connect_client_free(&g->connector);
	agent_sight_free(&g->agents);
	tls_unref(&g->tls);
	tls_unref(&g->lists);
	terminate_close(g);
	close(g->epoll);
	close(g->spare);
	free(g);
	*gp = NULL;
}
