/*
 * dp-probe/probe.c - the prober as a worker: sockets, peers, reload; see probe.h.
 *
 * Runs in dp-probe. Believes the master, and the keeper about what to ask.
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/probe.h"

#include "common/log.h"
#include "common/packet.h"
#include "common/size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKETS	    16
#define PEER_QUEUE  4096

struct probe {
	struct worker *w;
	struct loop   *loop;
	struct ipc    *scan, *listen;
	struct {
		char name[16];
		int  fd;
	} sockets[SOCKETS];
	size_t nsockets;
};

/* -- sockets -- */

static void
sockets_close(struct probe *p)
{
	while (p->nsockets > 0)
		close(p->sockets[--p->nsockets].fd);
}

/* Those of the configuration in force, in place of the old ones. */
static int
sockets_take(struct probe *p)
{
	int fd;

	sockets_close(p);
	while (p->nsockets < SOCKETS &&
	    (fd = worker_socket(p->w, "scan.enable", (unsigned)p->nsockets,
		 p->sockets[p->nsockets].name,
		 sizeof(p->sockets[0].name))) >= 0)
		p->sockets[p->nsockets++].fd = fd;
	return p->nsockets == 0 ? -ENOENT : 0;
}

/* -- peers -- */

static const struct ipc_table from_peer = { NULL, 0 };

static void
scan_broken(void *ctx, struct ipc *c, int r)
{
	struct probe *p = ctx;

	ipc_free(&c);
	p->scan = NULL;
	worker_accuse(PEER_SCAN, r);
}

static void
listen_broken(void *ctx, struct ipc *c, int r)
{
	struct probe *p = ctx;

	ipc_free(&c);
	p->listen = NULL;
	worker_accuse(PEER_LISTEN, r);
}

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	struct probe *p = ctx;
	struct ipc  **ch = role == PEER_SCAN ? &p->scan : &p->listen;
	int	      r;

	ipc_free(ch);
	r = ipc_new(p->loop, take_fd, from_peer, p,
	    role == PEER_SCAN ? scan_broken : listen_broken, PEER_QUEUE, ch);
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
}

/* -- life -- */

static int
on_reload(void *ctx)
{
	return sockets_take(ctx);
}

struct probe *
probe_open(struct worker *w)
{
	static const enum peer_role peers[] = { PEER_SCAN, PEER_LISTEN };
	struct probe *p = calloc(1, sizeof(*p));
	int	      fd, r;

	if (p == NULL)
		log_fatal(EXIT_TEMPORARY, "no memory");
	p->w = w;
	p->loop = worker_loop(w);
	if ((r = sockets_take(p)) < 0)
		log_fatal(EXIT_OPERATOR, "no sockets: %s", strerror(-r));
	for (size_t i = 0; i < COUNT(peers); i++)
		if ((fd = worker_peer(w, peers[i])) >= 0)
			on_peer(p, peers[i], fd);
	return p;
}

int
probe_run(struct probe *p)
{
	static const struct worker_ops ops = {
		.peer = on_peer,
		.reload = on_reload,
	};

	return worker_run(p->w, &ops, p);
}

void
probe_close(struct probe **pp)
{
	struct probe *p = *pp;

	if (p == NULL)
		return;
	ipc_free(&p->scan);
	ipc_free(&p->listen);
	sockets_close(p);
	free(p);
	*pp = NULL;
}
