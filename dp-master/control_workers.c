/*
 * dp-master/control_workers.c - every worker as control knows it: state, pings,
 * events, and the answers to what askers want to know of it.
 *
 * Runs in the control half. Believes the master; what a worker says of itself
 * is passed on under that worker's name only.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/control.h"
#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_MS	  250

const char *const state_names[WORKER_OFF + 1] = { "stopped", "starting", "ready",
	"draining", "backoff", "failed", "off" };

static int on_pong(void *ctx, struct ipc_msg *m);
static int on_row(void *ctx, struct ipc_msg *m);
static int on_end(void *ctx, struct ipc_msg *m);
static int on_event(void *ctx, struct ipc_msg *m);
static int on_worker(void *ctx, struct ipc_msg *m);
static int on_reloaded(void *ctx, struct ipc_msg *m);
static int on_ping(void *ctx, struct ipc_msg *m);

static const struct ipc_handler from_worker[] = {
	/* type		  nfds min max		    fn */
	{ MSG_PONG,	  0, 8, 8,		 on_pong },
	{ MSG_ADMIN_ROW,  0, 2, MSG_MAX_PAYLOAD, on_row },
	{ MSG_ADMIN_END,  0, 3, 600,		 on_end },
	{ MSG_EVENT,	  0, 2, MSG_EVENT_MAX,		 on_event },
	{ MSG_WAKE,	  0, 4, 600,		 gateways_wake },
	{ MSG_PUSH_CAME,  0, 10, 200,		 gateways_pass_on },
	{ MSG_PUSH_SHARED, 0, 6, 300,		 gateways_pass_on },
};
static const struct ipc_handler from_master[] = {
	{ MSG_WORKER,	  0, 14, 14,		 on_worker },
	{ MSG_RELOADED,	  0, 3, 600,		 on_reloaded },
	{ MSG_PING,	  0, 8, 8,		 on_ping },
};

static struct request *
find_request(struct control *c, uint32_t id)
{
	struct request *q = c->requests;

	while (q != NULL && q->id != id)
		q = q->next;
	return q;
}

/* -- events -- */

void
control_event(struct control *c, const char *from, json_t *take_event)
{
	char *text, **slot = &c->events[c->nevents % EVENTS_MAX];

	json_object_set_new(take_event, "from", json_string(from));
	json_object_set_new(take_event, "time", json_integer(time(NULL)));
	json_object_set_new(take_event, "seq",
	    json_integer((json_int_t)c->nevents));
	text = json_dumps(take_event, JSON_COMPACT);
	if (text != NULL) {
		free(*slot);
		*slot = text;
		c->nevents++;
	}
	for (struct request *q = c->requests, *next; q != NULL; q = next) {
		next = q->next; /* a slow follower goes away here */
		if (q->follows)
			request_row(q, json_incref(take_event));
	}
	json_decref(take_event);
}

static int
on_event(void *ctx, struct ipc_msg *m)
{
	struct peer *p = ctx;
	json_t	    *e = json_loadb((const char *)m->rd.p, m->rd.left,
		     JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(e) ||
	    json_string_value(json_object_get(e, "event")) == NULL) {
		json_decref(e);
		return -EBADMSG;
	}
	control_event(p->c, peer_role_name(p->role), e);
	return 0;
}

/* -- workers -- */

static int
on_worker(void *ctx, struct ipc_msg *m)
{
	struct control *c = ctx;
	uint8_t		role = rd_u8(&m->rd), state = rd_u8(&m->rd);
	struct peer    *p;

	if (role < PEER_CONTROL || role >= PEER_MAX ||
	    state > WORKER_OFF)
		return -EBADMSG;
	p = &c->peers[role];
	p->pid = rd_u32(&m->rd);
	p->restarts = rd_u32(&m->rd);
	p->status = rd_u32(&m->rd);
	if (p->state == (enum worker_state)state && p->since != 0)
		return 0;
	p->state = (enum worker_state)state;
	p->since = loop_now_ms(c->loop);
	p->waiting = false;
	if (state == WORKER_READY || state == WORKER_BACKOFF ||
	    state == WORKER_FAILED)
		control_event(c, "master",
		    json_pack("{s:s,s:s,s:s,s:i,s:i}", "event", "worker-state",
			"worker", peer_role_name((enum peer_role)role), "state",
			state_names[state], "restarts", (int)p->restarts,
			"status", (int)p->status));
	return 0;
}

static int
on_ping(void *ctx, struct ipc_msg *m)
{
	struct control *c = ctx;

	/* a master that takes no answer is gone, which ends us anyway */
	(void)ipc_send(worker_master(c->w), MSG_PONG, 0, m->rd.p, m->rd.left);
	return 0;
}

static int
on_pong(void *ctx, struct ipc_msg *m)
{
	struct peer *p = ctx;

	if (rd_u64(&m->rd) == p->ping_sent)
		p->waiting = false;
	return 0;
}

/* Asks who has not been asked for an interval; kills who is silent. For as long
 * as we did not run ourselves the machine may have stood still, the worker's
 * answer with it: that time does not count. */
static void
on_tick(void *ctx)
{
	struct control		 *c = ctx;
	const struct master_conf *conf = &worker_settings(c->w)->master;
	uint64_t		  now = loop_now_ms(c->loop), late;
	uint8_t			  buf[8], role;
	struct wr		  w;

	late = c->ticked != 0 && now - c->ticked > (uint64_t)2 * TICK_MS
	    ? now - c->ticked - TICK_MS : 0;
	c->ticked = now;
	loop_timer_set(c->tick, TICK_MS);
	for (int i = PEER_CONNECT; i < PEER_MAX; i++) {
		struct peer *p = &c->peers[i];

		if (p->state != WORKER_READY)
			continue;
		if (p->waiting) {
			p->stood_still += late;
			if (now - p->ping_sent - p->stood_still <
			    conf->health_timeout * 1000)
				continue;
			log_warn("worker %s: silent for %llu s, to be killed",
			    peer_role_name(p->role),
			    (unsigned long long)conf->health_timeout);
			role = (uint8_t)i;
			(void)ipc_send(worker_master(c->w), MSG_KILL, 0, &role,
			    1);
			p->waiting = false;
			p->ping_sent = now;
		} else if (now - p->ping_sent >= conf->health_interval * 1000) {
			w = wr_to(buf, sizeof(buf));
			wr_u64(&w, now);
			p->ping_sent = now;
			p->stood_still = 0;
			p->waiting = true;
			/* a full queue is a silent worker, and so is no channel */
			if (p->ch != NULL)
				(void)ipc_send(p->ch, MSG_PING, 0, buf, w.len);
		}
	}
}

/* Ends what waits for this worker's answer. */
static void
peer_broken(void *ctx, struct ipc *ch, int r)
{
	struct peer    *p = ctx;
	struct request *q, *next;

	ipc_free(&ch);
	p->ch = NULL;
	gateways_orderer_left(p);
	worker_accuse(p->role, r);
	for (q = p->c->requests; q != NULL; q = next) {
		next = q->next;
		if (q->waits & 1U << p->role)
			command_answered(q, p->role, "the worker went away");
	}
}

static void
take_peer(void *ctx, enum peer_role role, int take_fd)
{
	struct control	*c = ctx;
	struct peer	*p = &c->peers[role];
	struct ipc_table t = { from_worker, COUNT(from_worker) };
	int		 r;

	if (p->ch != NULL)
		peer_broken(p, p->ch, -ENOTCONN);
	p->waiting = false;
	if ((r = ipc_new(c->loop, take_fd, t, p, peer_broken, PEER_QUEUE,
		 &p->ch)) < 0)
		log_err_err(r, "worker %s: its channel", peer_role_name(role));
	else
		gateways_came(p);
}

/* -- commands of workers -- */

int
control_forward(struct request *q, enum peer_role role, int argc, char *argv[])
{
	uint8_t	     buf[8192];
	struct wr    w = wr_to(buf, sizeof(buf));
	struct peer *p = &q->c->peers[role];
	int	     r;

	for (int i = 0; i < argc; i++)
		wr_str(&w, argv[i]);
	if (p->ch == NULL || p->state != WORKER_READY)
		return -ENOTCONN;
	if (w.err != 0)
		return w.err;
	if ((r = ipc_send(p->ch, MSG_ADMIN, q->id, buf, w.len)) == 0)
		q->waits |= 1U << role;
	return r;
}

void
control_stop_answers(struct request *q)
{
	for (int i = PEER_CONNECT; i < PEER_MAX; i++)
		if ((q->waits & 1U << i) && q->c->peers[i].ch != NULL)
			(void)ipc_send(q->c->peers[i].ch, MSG_ADMIN_STOP, q->id,
			    NULL, 0);
}

static int
on_row(void *ctx, struct ipc_msg *m)
{
	struct peer    *p = ctx;
	struct request *q = find_request(p->c, m->id);
	json_t	       *row;

	if (q == NULL || (q->waits & 1U << p->role) == 0)
		return 0; /* the asker is gone */
	row = json_loadb((const char *)m->rd.p, m->rd.left,
	    JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(row)) {
		json_decref(row);
		return -EBADMSG;
	}
	command_answer(q, p->role, row);
	return 0;
}

static int
on_end(void *ctx, struct ipc_msg *m)
{
	struct peer    *p = ctx;
	struct request *q = find_request(p->c, m->id);
	uint8_t		failed = rd_u8(&m->rd);
	char		error[600];

	rd_str(&m->rd, error, sizeof(error));
	if (rd_done(&m->rd) < 0 || failed > 1)
		return -EBADMSG;
	if (q != NULL && (q->waits & 1U << p->role) != 0)
		command_answered(q, p->role, failed ? error : NULL);
	return 0;
}

static int
on_reloaded(void *ctx, struct ipc_msg *m)
{
	struct control *c = ctx;
	struct request *q, *next;
	json_t	       *text;
	uint8_t		ok = rd_u8(&m->rd);
	char		error[CONF_ERR_MAX];

	rd_str(&m->rd, error, sizeof(error));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	text = json_string(error);
	snprintf(c->reload_failed, sizeof(c->reload_failed), "%s", ok ? "" :
	    text != NULL ? error : "not UTF-8, see the log");
	control_event(c, "master",
	    json_pack("{s:s,s:o}", "event", ok ? "reloaded" : "reload-failed",
		"text", text != NULL ? text
				     : json_string("not UTF-8, see the log")));
	/* of several that waited for one reload the master names the last */
	for (q = c->requests; q != NULL; q = next) {
		next = q->next;
		if (q->reloads && m->id != 0 && (int32_t)(m->id - q->id) >= 0)
			request_end(q, ok ? NULL : error);
	}
	return 0;
}

const struct worker_ops control_ops = {
	.peer = take_peer,
	.from_master = { from_master, COUNT(from_master) },
};

int
control_start(struct control *c)
{
	int fd, r;

	for (int i = 0; i < PEER_MAX; i++) {
		c->peers[i].c = c;
		c->peers[i].role = (enum peer_role)i;
		if ((fd = worker_peer(c->w, (enum peer_role)i)) >= 0)
			take_peer(c, (enum peer_role)i, fd);
	}
	c->started = loop_now_ms(c->loop);
	if ((r = loop_timer_new(c->loop, on_tick, c, &c->tick)) == 0)
		on_tick(c);
	return r;
}
