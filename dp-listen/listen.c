/*
 * dp-listen/listen.c - the listener as a worker: socket, peers, reload; see
 * listen.h.
 *
 * Runs in dp-listen. Believes the master; believes nothing that is heard, and
 * of the prober only which datagram came from where.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/listen.h"

#include "common/log.h"
#include "common/size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEER_QUEUE 4096

struct listen {
	struct worker *w;
	struct loop   *loop;
	struct ipc    *scan, *probe;
	int	       capture;
};

/* -- peers -- */

static const struct ipc_table from_peer = { NULL, 0 };

static void
scan_broken(void *ctx, struct ipc *c, int r)
{
	struct listen *l = ctx;

	ipc_free(&c);
	l->scan = NULL;
	worker_accuse(PEER_SCAN, r);
}

static void
probe_broken(void *ctx, struct ipc *c, int r)
{
	struct listen *l = ctx;

	ipc_free(&c);
	l->probe = NULL;
	worker_accuse(PEER_PROBE, r);
}

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	struct listen *l = ctx;
	struct ipc   **ch = role == PEER_SCAN ? &l->scan : &l->probe;
	int	       r;

	ipc_free(ch);
	r = ipc_new(l->loop, take_fd, from_peer, l,
	    role == PEER_SCAN ? scan_broken : probe_broken, PEER_QUEUE, ch);
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
}

/* -- life -- */

struct listen *
listen_open(struct worker *w)
{
	static const enum peer_role peers[] = { PEER_SCAN, PEER_PROBE };
	struct listen *l = calloc(1, sizeof(*l));
	char	       name[16];
	int	       fd;

	if (l == NULL)
		log_fatal(EXIT_TEMPORARY, "no memory");
	l->w = w;
	l->loop = worker_loop(w);
	l->capture = worker_socket(w, "scan.enable", 0, name, sizeof(name));
	if (l->capture < 0 || strcmp(name, "capture") != 0)
		log_fatal(EXIT_OPERATOR, "no capture socket");
	for (size_t i = 0; i < COUNT(peers); i++)
		if ((fd = worker_peer(w, peers[i])) >= 0)
			on_peer(l, peers[i], fd);
	return l;
}

int
listen_run(struct listen *l)
{
	static const struct worker_ops ops = {
		.peer = on_peer,
	};

	return worker_run(l->w, &ops, l);
}

void
listen_close(struct listen **lp)
{
	struct listen *l = *lp;

	if (l == NULL)
		return;
	ipc_free(&l->scan);
	ipc_free(&l->probe);
	close(l->capture);
	free(l);
	*lp = NULL;
}
