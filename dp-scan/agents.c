/*
 * dp-scan/agents.c - see agents.h.
 *
 * Runs in dp-scan. Believes who ends a device's TLS which certificate was shown,
 * and from what address.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/agents.h"

#include "common/agent_sight.h"
#include "common/log.h"
#include "common/size.h"
#include "common/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define QUEUE 1 /* nothing is said to them */

struct teller {
	struct scan_agents *of;
	struct ipc	   *ch; /* NULL: away */
	int		    fd; /* of one that waits, or -1 */
};

struct scan_agents {
	struct loop  *loop;
	scan_sight_fn fn;
	void	     *ctx;
	bool	      begun;
	struct sight  sight; /* the one being read */
	struct teller tellers[PEER_MAX]; /* by role */
};

bool
scan_agents_may(enum peer_role role)
{
	return role == PEER_SERVE || peer_role_kind(role) == PEER_GATEWAY;
}

static int
on_sight(void *ctx, struct ipc_msg *m)
{
	struct scan_agents *a = ((struct teller *)ctx)->of;
	int		    r = sight_read(&m->rd, &a->sight);

	if (r < 0 || rd_done(&m->rd) < 0 || !agent_sight_is(&a->sight))
		return -EBADMSG;
	a->fn(a->ctx, &a->sight);
	return 0;
}

static const struct ipc_handler from_teller[] = {
	{ MSG_SIGHT, 0, AGENT_SIGHT_WIRE, AGENT_SIGHT_WIRE, on_sight },
};

static void
on_broken(void *ctx, struct ipc *c, int r)
{
	struct teller *t = ctx;

	ipc_free(&c);
	t->ch = NULL;
	worker_accuse((enum peer_role)(t - t->of->tellers), r);
}

static int
listen_to(struct teller *t)
{
	int fd = t->fd;

	t->fd = -1;
	return ipc_new(t->of->loop, fd,
	    (struct ipc_table){ from_teller, COUNT(from_teller) }, t, on_broken,
	    QUEUE, &t->ch);
}

int
scan_agents_attach(struct scan_agents *a, enum peer_role role, int take_fd)
{
	struct teller *t = &a->tellers[role];

	ipc_free(&t->ch);
	if (t->fd >= 0)
		close(t->fd);
	t->fd = take_fd;
	return a->begun ? listen_to(t) : 0;
}

void
scan_agents_begin(struct scan_agents *a)
{
	int r;

	a->begun = true;
	for (int i = 0; i < PEER_MAX; i++)
		if (a->tellers[i].fd >= 0 && (r = listen_to(&a->tellers[i])) < 0)
			log_warn_err(r, "channel to %s",
			    peer_role_name((enum peer_role)i));
}

int
scan_agents_new(struct loop *l, scan_sight_fn fn, void *ctx,
    struct scan_agents **out)
{
	struct scan_agents *a = calloc(1, sizeof(*a));

	*out = a;
	if (a == NULL)
		return -ENOMEM;
	a->loop = l;
	a->fn = fn;
	a->ctx = ctx;
	for (int i = 0; i < PEER_MAX; i++)
		a->tellers[i] = (struct teller){ .of = a, .fd = -1 };
	return 0;
}

void
scan_agents_free(struct scan_agents **ap)
{
	struct scan_agents *a = *ap;

	if (a == NULL)
		return;
	for (int i = 0; i < PEER_MAX; i++) {
		ipc_free(&a->tellers[i].ch);
		if (a->tellers[i].fd >= 0)
			close(a->tellers[i].fd);
	}
	free(a);
	*ap = NULL;
}
