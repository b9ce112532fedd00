/*
 * dp-scan/scan.c - the keeper as a worker: socket, peers, reload; see scan.h.
 *
 * Runs in dp-scan. Believes the master and the kernel's tables; of a sight
 * that somebody said it, and nothing of what it says.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/scan.h"

#include "common/log.h"
#include "common/size.h"
#include "common/store_client.h"
#include "dp-scan/directory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEER_QUEUE 4096

struct scan {
	struct worker	    *w;
	struct loop	    *loop;
	struct ipc	    *probe, *listen;
	struct scan_directory *directory;
	struct store_client *store;
	int		     netlink;
	uint64_t	     sights[SIGHT_BY_MAX];
};

/* -- sights -- */

static void
on_sight(void *ctx, const struct sight *sight)
{
	struct scan *s = ctx;

	s->sights[sight->by]++;
}

/* -- peers -- */

static const struct ipc_table from_peer = { NULL, 0 };

static void
probe_broken(void *ctx, struct ipc *c, int r)
{
	struct scan *s = ctx;

	ipc_free(&c);
	s->probe = NULL;
	worker_accuse(PEER_PROBE, r);
}

static void
listen_broken(void *ctx, struct ipc *c, int r)
{
	struct scan *s = ctx;

	ipc_free(&c);
	s->listen = NULL;
	worker_accuse(PEER_LISTEN, r);
}

static void
store_broken(void *ctx, int r)
{
	(void)ctx;
	worker_accuse(PEER_STORE, r);
}

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	struct scan *s = ctx;
	struct ipc **ch = role == PEER_PROBE ? &s->probe : &s->listen;
	int	     r;

	if (role == PEER_STORE)
		r = store_client_attach(s->store, take_fd);
	else if (role == PEER_LDAP)
		r = scan_directory_attach(s->directory, take_fd);
	else {
		ipc_free(ch);
		r = ipc_new(s->loop, take_fd, from_peer, s,
		    role == PEER_PROBE ? probe_broken : listen_broken,
		    PEER_QUEUE, ch);
	}
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
}

/* -- life -- */

struct scan *
scan_open(struct worker *w)
{
	static const struct store_client_ops store_ops = {
		.broken = store_broken,
	};
	static const enum peer_role peers[] = { PEER_STORE, PEER_PROBE,
		PEER_LISTEN, PEER_LDAP };
	struct scan *s = calloc(1, sizeof(*s));
	char	     name[16];
	int	     fd;

	if (s == NULL || store_client_new(worker_loop(w), -1, &store_ops, s,
			     &s->store) < 0 ||
	    scan_directory_new(worker_loop(w), on_sight, s, &s->directory) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	s->w = w;
	s->loop = worker_loop(w);
	s->netlink = worker_socket(w, "scan.enable", 0, name, sizeof(name));
	if (s->netlink < 0 || strcmp(name, "netlink") != 0)
		log_fatal(EXIT_OPERATOR, "no netlink socket");
	for (size_t i = 0; i < COUNT(peers); i++)
		if ((fd = worker_peer(w, peers[i])) >= 0)
			on_peer(s, peers[i], fd);
	return s;
}

static void
on_metrics(void *ctx, struct worker *w, struct admin_reply *reply)
{
	struct scan *s = ctx;
	char	     label[32];

	(void)w;
	for (int by = SIGHT_NONE + 1; by < SIGHT_BY_MAX; by++) {
		snprintf(label, sizeof(label), "by=\"%s\"", sight_by_name(by));
		worker_metric(reply, "dpoint_scan_sights_total", "counter",
		    "What was seen of devices, by what.", label,
		    (double)s->sights[by]);
	}
}

int
scan_run(struct scan *s)
{
	static const struct worker_ops ops = {
		.peer = on_peer,
		.metrics = on_metrics,
	};

	return worker_run(s->w, &ops, s);
}

void
scan_close(struct scan **sp)
{
	struct scan *s = *sp;

	if (s == NULL)
		return;
	ipc_free(&s->probe);
	ipc_free(&s->listen);
	scan_directory_free(&s->directory);
	store_client_free(&s->store);
	close(s->netlink);
	free(s);
	*sp = NULL;
}
