/*
 * dp-gateway/push_sibling.c - a device of ours that comes to another gateway
 * process; see push.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes the other processes, as far as
 * control passes on what they say. Who opens a device's connection tells the
 * others; who has an older one ends it as if the newer had come here
 * (push_clone.c), and tells back what it knows. A notice takes no place that a
 * PONG needs, here or in control, and is lost where half a queue waits: then the
 * device has two connections. Keep-alives end the older one if it is dead. Two
 * clones that both live are both woken until one of them comes anew, which is
 * announced again.
 * SPDX-License-Identifier: ISC
 */
#include "common/wr.h"
#include "dp-gateway/push_conn.h"

#include <errno.h>
#include <time.h>

static void
send_others(struct push *p, enum msg_type type, const struct wr *w)
{
	struct ipc *control = worker_control(p->g->w);

	if (p->g->conf.processes > 1 && control != NULL && w->err == 0)
		(void)ipc_notify(control, type, w->buf, w->len);
}

void
push_announce(struct push_conn *c)
{
	struct timespec t = { 0 };
	uint8_t		buf[200];
	struct wr	w = wr_to(buf, sizeof(buf));

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	c->open_us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	wr_u64(&w, c->open_us);
	wr_str(&w, tls_peer_name(c->tls));
	send_others(c->p, MSG_PUSH_CAME, &w);
}

void
push_share(struct push *p, enum push_shared what, uint8_t swaps,
    const char *name, const char *at)
{
	uint8_t	  buf[300];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u8(&w, (uint8_t)what);
	wr_u8(&w, swaps);
	wr_str(&w, name);
	wr_str(&w, at);
	send_others(p, MSG_PUSH_SHARED, &w);
}

int
push_on_came(void *ctx, struct ipc_msg *m)
{
	struct gateway	 *g = ctx;
	struct push_conn *old;
	uint64_t	  when = rd_u64(&m->rd);
	char		  name[TLS_NAME_MAX];

	rd_str(&m->rd, name, sizeof(name));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	old = push_device(registry_find(g->push->devices, name));
	if (old == NULL || old->open_us >= when)
		return 0; /* ours is the newer: the other one was told, too */
	if (push_is_storm(old))
		push_share(g->push, PUSH_SHARED_REFUSE, old->swaps, name, "");
	else {
		registry_remove(g->push->devices, &old->device);
		push_let_go(old);
	}
	conn_settle(g);
	return 0;
}

int
push_on_shared(void *ctx, struct ipc_msg *m)
{
	struct gateway	 *g = ctx;
	struct push_conn *c;
	uint8_t		  what = rd_u8(&m->rd), swaps = rd_u8(&m->rd);
	char		  name[TLS_NAME_MAX], at[CONN_ADDR];

	rd_str(&m->rd, name, sizeof(name));
	rd_str(&m->rd, at, sizeof(at));
	if (rd_done(&m->rd) < 0 || what >= PUSH_SHARED_KINDS)
		return -EBADMSG;
	if ((c = push_device(registry_find(g->push->devices, name))) == NULL)
		return 0; /* it has left meanwhile */
	if (what == PUSH_SHARED_SWAPS)
		push_shared_swaps(c, swaps);
	else if (what == PUSH_SHARED_ALIVE)
		push_shared_alive(c, at);
	else
		push_shared_refuse(c);
	conn_settle(g);
	return 0;
}
