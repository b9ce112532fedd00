/*
 * dp-master/slot.c - one worker: start, registration, death and restart.
 *
 * Runs in the root half. Believes nothing a worker says beyond the fixed-size
 * messages in the tables below; anything else and the worker is killed.
 *
 * Channels between workers: the first of a pair to say hello makes both ends;
 * the other end waits in the peer's slot until the peer says hello, so that
 * every worker has all its channels before MSG_START. A restarted worker makes
 * new ones.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/master.h"
#include "common/log.h"
#include "common/size.h"
#include "common/spawn.h"
#include "common/supply.h"
#include "common/wr.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUEUE_MAX      512
#define BACKOFF_MIN    100
#define BACKOFF_MAX    30000
#define HEALTHY_MS     60000
#define EXIT_GRACE     1000  /* from a closed channel to the process's end */
#define START_GRACE    30000 /* from fork to MSG_READY */

static const char *
name_of(const struct slot *s)
{
	return peer_role_name(s->role);
}

void
slot_kill(struct slot *s)
{
	if (s->pidfd >= 0)
		(void)pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
}

static void
tell_control(struct slot *s)
{
	struct slot *control = &s->m->slots[PEER_CONTROL];
	uint8_t	     buf[14];
	struct wr    w = wr_to(buf, sizeof(buf));

	if (!control->hello)
		return;
	wr_u8(&w, (uint8_t)s->role);
	wr_u8(&w, (uint8_t)s->state);
	wr_u32(&w, (uint32_t)s->pid);
	wr_u32(&w, s->restarts);
	wr_u32(&w, s->status);
	/* a full queue means a hung control half, which its ping finds */
	(void)ipc_send(control->ch, MSG_WORKER, 0, buf, w.len);
}

static void
set_state(struct slot *s, enum worker_state state)
{
	s->state = state;
	tell_control(s);
	master_state_changed(s);
}

/* Of one that does not run, and is not to be restarted by us. */
static enum worker_state
at_rest(const struct slot *s)
{
	return s->m->stopping || slot_is_wanted(s) ? WORKER_STOPPED
						   : WORKER_OFF;
}

/* -- what a worker is given -- */

static int
supply(struct slot *s)
{
	const struct conf_set *c = s->m->conf;
	char		       path[300];
	int		       r;

	if ((r = supply_config(s->ch, &c->s, s->role)) < 0)
		return r;
	/* what hears can send: the listener's walls keep one number from it, and
	 * a descriptor that came when they stand would have another */
	for (size_t i = 0; i < c->nlisteners; i++)
		if ((c->listeners[i].readers & 1U << s->role) != 0 &&
		    !(s->supplied && s->role == PEER_LISTEN) &&
		    (r = supply_socket(s->ch, c->listeners[i].key,
			 c->listeners[i].address, c->listeners[i].fd)) < 0)
			return r;
	snprintf(path, sizeof(path), "%s/admin.sock", c->s.master.run_dir);
	if (s->role == PEER_CONTROL &&
	    (r = supply_socket(s->ch, "master.admin", path,
		 s->m->admin_fd)) < 0)
		return r;
	s->owed++;
	s->supplied = true;
	return supply_start(s->ch, s->role);
}

void
slot_supply(struct slot *s)
{
	int r = supply(s);

	if (r < 0) {
		log_err_err(r, "worker %s: configuration not sent", name_of(s));
		slot_kill(s);
	}
}

static void
send_peer(struct slot *s, enum peer_role role, int take_fd)
{
	uint8_t b = (uint8_t)role;

	if (ipc_send_fds(s->ch, MSG_PEER, 0, &b, 1, take_fd, -1) < 0)
		slot_kill(s);
}

static int
supply_peers(struct slot *s)
{
	int fds[2], r;

	for (int o = PEER_CONTROL; o < PEER_MAX; o++) {
		struct slot *other = &s->m->slots[o];

		if (!peer_roles_talk(s->role, other->role) || !slot_is_wanted(other))
			continue;
		if (s->pending[o] >= 0) {
			fds[0] = s->pending[o];
			s->pending[o] = -1;
		} else {
			if ((r = ipc_pair(fds)) < 0)
				return r;
			if (other->hello)
				send_peer(other, s->role, fds[1]);
			else
				other->pending[s->role] = fds[1];
		}
		send_peer(s, other->role, fds[0]);
	}
	return 0;
}

/* -- what a worker says -- */

/* MSG_READY or MSG_REFUSED: to the first configuration, or to a new one. */
static int
on_verdict(void *ctx, struct ipc_msg *m)
{
	struct slot *s = ctx;

	if (s->owed == 0)
		return -EBADMSG; /* nobody asked */
	s->owed--;
	if (m->type == MSG_READY && s->state == WORKER_STARTING) {
		loop_timer_stop(s->timer);
		s->ready_at = loop_now_ms(s->m->loop);
		set_state(s, WORKER_READY);
	}
	if (s->owed == 0) /* else it speaks of an older configuration */
		master_reload_answer(s, m->type == MSG_READY);
	return 0;
}

/* One of the two is not what it should be, and neither can prove which. */
static int
on_accuse(void *ctx, struct ipc_msg *m)
{
	struct slot *s = ctx;
	uint8_t	     role = rd_u8(&m->rd);

	if (role >= PEER_MAX || !peer_roles_talk(s->role, (enum peer_role)role))
		return -EBADMSG;
	log_warn("worker %s: broken message, says %s: both killed",
	    peer_role_name(role), name_of(s));
	slot_kill(s);
	slot_kill(&s->m->slots[role]);
	return 0;
}

static int
on_pong(void *ctx, struct ipc_msg *m)
{
	struct slot *s = ctx;

	s->m->pong_seen = rd_u64(&m->rd);
	return 0;
}

static int
on_kill(void *ctx, struct ipc_msg *m)
{
	struct slot *s = ctx;
	uint8_t	     role = rd_u8(&m->rd);

	if (role < PEER_CONTROL || role >= PEER_MAX)
		return -EBADMSG;
	s = &s->m->slots[role];
	if (s->state == WORKER_READY && slot_is_alive(s)) {
		log_warn("worker %s: hangs, killed", name_of(s));
		slot_kill(s);
	}
	return 0;
}

static int
on_reload(void *ctx, struct ipc_msg *m)
{
	struct slot *s = ctx;

	master_reload(s->m, m->id);
	return 0;
}

static const struct ipc_handler from_control[] = {
	/* type	      nfds min max fn */
	{ MSG_READY,   0, 0, 0, on_verdict },
	{ MSG_REFUSED, 0, 1, 1, on_verdict },
	{ MSG_ACCUSE,  0, 1, 1, on_accuse },
	{ MSG_PONG,    0, 8, 8, on_pong }, /* the others end above this */
	{ MSG_KILL,    0, 1, 1, on_kill },
	{ MSG_RELOAD,  0, 0, 0, on_reload },
};
#define FROM_WORKER 3

static int
on_hello(void *ctx, struct ipc_msg *m)
{
	struct slot *s = ctx;
	uint16_t     version = rd_u16(&m->rd);
	uint8_t	     role = rd_u8(&m->rd);
	int	     r;

	if (version != MSG_VERSION || role != peer_role_kind(s->role)) {
		log_err("worker %s: says it is \"%s\" of version %u, "
			"expected version %u: another build in master.libexec?",
		    name_of(s), peer_role_name(role), version, MSG_VERSION);
		return -EBADMSG;
	}
	ipc_set_table(s->ch, (struct ipc_table){ from_control,
	    s->role == PEER_CONTROL ? COUNT(from_control) : FROM_WORKER }, s);
	s->hello = true;
	if ((r = supply_peers(s)) < 0)
		return r;
	slot_supply(s);
	for (int i = PEER_CONTROL; s->role == PEER_CONTROL && i < PEER_MAX; i++)
		tell_control(&s->m->slots[i]);
	return 0;
}

static const struct ipc_handler from_stranger[] = {
	{ MSG_HELLO,   0, 3, 3, on_hello },
};

/* -- the end of a worker, and its next start -- */

static void
drop_channel(struct slot *s)
{
	s->hello = s->supplied = false;
	s->owed = 0;
	ipc_free(&s->ch);
	if (s->role == PEER_CONTROL) /* nobody waits there any more */
		s->m->reload_id = s->m->reload_next_id = 0;
	for (int i = 0; i < PEER_MAX; i++) {
		int *fd = &s->m->slots[i].pending[s->role];

		if (*fd >= 0)
			close(*fd); /* its far end is gone */
		*fd = -1;
	}
}

static void
on_broken(void *ctx, struct ipc *c, int r)
{
	struct slot *s = ctx;

	(void)c;
	drop_channel(s);
	if (r == -ENOTCONN) { /* exiting: its status is worth waiting for */
		loop_timer_set(s->timer, EXIT_GRACE);
		return;
	}
	log_err_err(r, "worker %s: broken message, killed", name_of(s));
	slot_kill(s);
}

/* Says how it ended, and lets go of all that was its; 100: an operator must
 * act. */
static int
reap(struct slot *s)
{
	siginfo_t si = { 0 };
	int	  code;

	if (waitid(P_PIDFD, (id_t)s->pidfd, &si, WEXITED) < 0)
		si.si_code = 0; /* systemd's child, not ours */
	code = si.si_code == CLD_EXITED ? si.si_status : 0;
	s->status = (uint32_t)(code != 0 ? code << 8 : si.si_status);
	if (si.si_code == 0)
		log_info("worker %s: gone", name_of(s));
	else if (si.si_code != CLD_EXITED)
		log_warn("worker %s: killed by signal %d", name_of(s),
		    si.si_status);
	else if (!s->m->stopping || code != 0)
		log_warn("worker %s: exit %d", name_of(s), code);
	loop_io_free(&s->exit_watch);
	close(s->pidfd);
	s->pidfd = -1;
	s->pid = 0;
	loop_timer_stop(s->timer);
	drop_channel(s);
	return code;
}

static void
on_exit_ready(void *ctx, int events)
{
	struct slot *s = ctx;
	uint64_t     now = loop_now_ms(s->m->loop);
	bool	     was_ready = s->state == WORKER_READY;
	int	     status;

	(void)events;
	status = reap(s);
	if (s->m->stopping || s->m->systemd || !slot_is_wanted(s))
		set_state(s, at_rest(s));
	else if (status == EXIT_OPERATOR) {
		log_err("worker %s: FAILED, stays down until the cause is "
			"removed and dp-master reloads", name_of(s));
		set_state(s, WORKER_FAILED);
	} else {
		if (was_ready && now - s->ready_at >= HEALTHY_MS)
			s->backoff_ms = 0;
		s->backoff_ms = s->backoff_ms == 0    ? BACKOFF_MIN
		    : s->backoff_ms < BACKOFF_MAX / 2 ? s->backoff_ms * 2
						      : BACKOFF_MAX;
		loop_timer_set(s->timer, s->backoff_ms);
		set_state(s, WORKER_BACKOFF);
	}
	master_reload_answer(s, true); /* starts with the new one anyway */
}

static void
on_timer(void *ctx)
{
	struct slot *s = ctx;

	if (s->state == WORKER_BACKOFF) {
		s->restarts++;
		slot_start(s);
	} else if (slot_is_alive(s)) {
		log_warn("worker %s: %s, killed", name_of(s),
		    !s->hello ? "closed its channel" : "not done in time");
		slot_kill(s);
	}
}

int
slot_adopt(struct slot *s, pid_t pid, int take_pidfd, int take_channel)
{
	int r;

	s->pid = pid;
	s->pidfd = take_pidfd;
	if ((r = ipc_new(s->m->loop, take_channel, (struct ipc_table){ from_stranger, 1 }, s,
		 on_broken, QUEUE_MAX, &s->ch)) < 0 ||
	    (r = loop_io_new(s->m->loop, s->pidfd, LOOP_READ, on_exit_ready, s,
		 &s->exit_watch)) < 0) {
		slot_kill(s); /* we would not see it end */
		(void)reap(s);
		return r;
	}
	loop_timer_set(s->timer, START_GRACE);
	set_state(s, WORKER_STARTING);
	return 0;
}

void
slot_start(struct slot *s)
{
	char  path[300];
	int   fds[2], pidfd, r;
	int   walls = !s->m->is_root ? 0 : CLONE_NEWNS | CLONE_NEWIPC |
		  CLONE_NEWUTS |
		  (s->role == PEER_CONNECT ? 0 : CLONE_NEWNET);
	pid_t pid;

	if (slot_is_alive(s))
		return;
	if (s->m->systemd || !slot_is_wanted(s)) {
		set_state(s, at_rest(s));
		return;
	}
	if ((r = ipc_pair(fds)) == 0) {
		snprintf(path, sizeof(path), "%s/dp-%s",
		    s->m->conf->s.master.libexec,
		    peer_role_name(peer_role_kind(s->role)));
		r = spawn(path, walls, fds[1], &pid, &pidfd);
		close(fds[1]);
		if (r < 0)
			close(fds[0]);
		else
			r = slot_adopt(s, pid, pidfd, fds[0]);
	}
	if (r == 0)
		return;
	log_err_err(r, "worker %s: cannot start", name_of(s));
	loop_timer_set(s->timer, 10 * BACKOFF_MIN);
	set_state(s, WORKER_BACKOFF);
}

void
slot_shutdown(struct slot *s)
{
	bool alive = slot_is_alive(s);

	loop_timer_stop(s->timer);
	if (alive && !s->m->stopping)
		loop_timer_set(s->timer,
		    s->m->conf->s.master.drain_timeout * 1000);
	set_state(s, alive ? WORKER_DRAINING : at_rest(s));
	if (alive && (!s->hello ||
		ipc_send(s->ch, MSG_SHUTDOWN, 0, NULL, 0) < 0))
		slot_kill(s);
}

int
slots_init(struct master *m)
{
	int r;

	for (int i = 0; i < PEER_MAX; i++) {
		struct slot *s = &m->slots[i];

		s->m = m;
		s->role = (enum peer_role)i;
		s->pidfd = -1;
		for (int k = 0; k < PEER_MAX; k++)
			s->pending[k] = -1;
		if ((r = loop_timer_new(m->loop, on_timer, s, &s->timer)) < 0)
			return r;
	}
	return 0;
}
