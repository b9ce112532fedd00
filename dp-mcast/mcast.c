/*
 * dp-mcast/mcast.c - the multicast sender as a worker: configuration, groups,
 * peers, reload, drain; see mcast.h.
 *
 * Runs in dp-mcast. Believes the master, and of the store what is in its
 * messages' shapes; believes nothing that comes to a group's socket.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/mcast.h"

#include "common/log.h"
#include "common/size.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- the groups -- */

static int
group_open(struct group *g, int take_fd, const char *text)
{
	struct sockaddr_storage from = { 0 };
	socklen_t		len = sizeof(from);
	char			word[MCAST_GROUP_TEXT], err[MCAST_ERR];
	size_t			pos = 0;
	unsigned		scope = 0;

	g->fd = take_fd;
	if (!conf_word(text, &pos, word, sizeof(word)) ||
	    mcast_group_parse(word, &g->at, err) < 0)
		return -EINVAL;
	if (getsockname(take_fd, (struct sockaddr *)&from, &len) < 0)
		return -errno;
	if (from.ss_family != g->at.family)
		return -EAFNOSUPPORT;
	if (from.ss_family == AF_INET6) /* of a link-local source */
		scope = ((struct sockaddr_in6 *)&from)->sin6_scope_id;
	mcast_group_addr(&g->at, MCAST_NOTICE_PORT, scope, &g->notices);
	g->addr_len = mcast_group_addr(&g->at, MCAST_PORT, scope, &g->data);
	return 0;
}

static void
groups_close(struct group *groups, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(groups[i].fd);
}

/* Everything the configuration says, or nothing of it. */
static int
configure(struct mcast *m)
{
	const struct multicast_conf *c = &worker_settings(m->w)->multicast;
	struct group		     next[MCAST_GROUPS] = { 0 };
	char			     text[256];
	size_t			     n = 0;
	int			     fd, r = 0;

	while (r == 0 && n < MCAST_GROUPS &&
	    (fd = worker_socket(m->w, "multicast.group", (unsigned)n, text,
		 sizeof(text))) >= 0) {
		if ((r = group_open(&next[n], fd, text)) < 0)
			log_err_err(r, "multicast.group: %s", text);
		n++;
	}
	if (r < 0) {
		groups_close(next, n);
		return r;
	}
	groups_close(m->groups, m->ngroups);
	memcpy(m->groups, next, n * sizeof(next[0]));
	m->ngroups = n;
	m->conf = *c;
	return 0;
}

/* -- peers -- */

static void
store_broken(void *ctx, int r)
{
	(void)ctx;
	if (r != -ENOTCONN)
		log_warn_err(r, "store: bad message");
}

static const struct store_client_ops store_ops = { .broken = store_broken };

static const struct ipc_handler from_serve[] = { 0 };

static void
serve_broken(void *ctx, struct ipc *c, int r)
{
	struct mcast *m = ctx;

	if (r != -ENOTCONN)
		log_warn_err(r, "serve: bad message");
	ipc_free(&c);
	m->serve = NULL;
}

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	const struct ipc_table t = { from_serve, 0 };
	struct mcast	      *m = ctx;
	int		       r = 0;

	if (role == PEER_STORE)
		r = store_client_attach(m->store, take_fd);
	else if (role == PEER_SERVE) {
		if (m->serve != NULL)
			serve_broken(m, m->serve, -ENOTCONN);
		r = ipc_new(m->loop, take_fd, t, m, serve_broken, 1024,
		    &m->serve);
	} else
		close(take_fd);
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
}

/* -- what the master wants -- */

static int
on_reload(void *ctx)
{
	return configure(ctx);
}

static void
on_drain(void *ctx)
{
	struct mcast *m = ctx;

	m->draining = true;
	worker_drained(m->w);
}

static void
on_metrics(void *ctx, struct worker *w, struct admin_reply *reply)
{
	struct mcast *m = ctx;

	(void)w;
	worker_metric(reply, "dpoint_mcast_groups", "gauge",
	    "Groups that are sent to.", NULL, (double)m->ngroups);
}

/* -- life -- */

struct mcast *
mcast_open(struct worker *w)
{
	static const enum peer_role peers[] = { PEER_STORE, PEER_SERVE };
	struct mcast		   *m = calloc(1, sizeof(*m));
	int			    fd;

	if (m == NULL ||
	    store_client_new(worker_loop(w), -1, &store_ops, m, &m->store) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	m->w = w;
	m->loop = worker_loop(w);
	if (configure(m) < 0)
		log_fatal(EXIT_OPERATOR, "cannot send with this configuration");
	for (size_t i = 0; i < COUNT(peers); i++)
		if ((fd = worker_peer(w, peers[i])) >= 0)
			on_peer(m, peers[i], fd);
	return m;
}

int
mcast_run(struct mcast *m)
{
	static const struct worker_ops ops = {
		.peer = on_peer,
		.reload = on_reload,
		.drain = on_drain,
		.metrics = on_metrics,
	};

	return worker_run(m->w, &ops, m);
}

void
mcast_close(struct mcast **mp)
{
	struct mcast *m = *mp;

	groups_close(m->groups, m->ngroups);
	ipc_free(&m->serve);
	store_client_free(&m->store);
	free(m);
	*mp = NULL;
}
