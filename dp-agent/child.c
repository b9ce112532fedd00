/*
 * dp-agent/child.c - the agent's two children: start, registration, end.
 *
 * Runs in the parent. Speaks to them as dp-master speaks to its workers; both
 * are given their channels when both have said hello.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/agent.h"

#include "common/log.h"
#include "common/size.h"
#include "common/spawn.h"
#include "common/supply.h"
#include "common/value.h"
#include "common/wr.h"
#include "dp-agent/mcast_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESTART_MIN 500
#define RESTART_MAX 60000
#define HEALTHY_MS  60000
#define ONCE_TRIES  3
#define PING_MS	    3000
#define MISSED_MAX  5  /* then it hangs, and is killed */
#define START_MAX   20 /* the same while it starts */

static const struct {
	const char    *program;
	enum peer_role role;
	int	       namespaces;
} kinds[CHILDREN] = {
	[CHILD_CONNECT] = { "dp-connect", PEER_CONNECT,
	    CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS },
	[CHILD_NET] = { "dp-agent-net", PEER_FETCH,
	    CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET },
};

static void fail(struct agent *a);

static int
send_config(struct child *c)
{
	int fd, r;

	r = settings_to_memfd(settings_sections, &c->a->settings,
	    kinds[c->kind].role, &fd);
	return r < 0 ? r
		     : ipc_send_fds(c->ch, MSG_CONFIG, 0, NULL, 0, fd, -1);
}

static int
send_fd(struct child *c, const char *key, int take_fd)
{
	uint8_t	  buf[80];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_str(&w, key);
	return ipc_send_fds(c->ch, MSG_FILE, 0, buf, w.len, take_fd, -1);
}

/* agent.conf itself: the child takes what concerns it. */
static int
send_section(struct child *c)
{
	int fd, r;

	r = settings_to_memfd(agent_sections, &c->a->conf, kinds[c->kind].role,
	    &fd);
	return r < 0 ? r : send_fd(c, "agent.conf", fd);
}

static int
send_file(struct child *c, const char *key, const char *path)
{
	int fd;

	if (path[0] == '\0')
		return 0;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0) {
		int r = -errno;

		log_err_err(r, "%s: %s", key, path);
		return r;
	}
	return send_fd(c, key, fd);
}

static int
send_peer(struct child *c, enum peer_role role, int take_fd)
{
	uint8_t b = (uint8_t)role;

	return ipc_send_fds(c->ch, MSG_PEER, 0, &b, 1, take_fd, -1);
}

static const char *
group_source(const struct agent_conf *c, const struct mcast_group *g,
    char *word, size_t size)
{
	size_t pos = 0;

	while (value_word(c->mcast_source, &pos, word, size))
		if ((strchr(word, ':') != NULL) == (g->family == AF_INET6))
			return word;
	return "";
}

/* The three sockets of a group; none is left when one cannot be. */
static int
open_group(const struct agent_conf *c, const struct mcast_group *g, int fd[3])
{
	char	    word[64];
	const char *source = group_source(c, g, word, sizeof(word));
	int	    r;

	fd[1] = fd[2] = -1;
	if ((r = mcast_socket_hear(g, source, MCAST_PORT, &fd[0])) == 0 &&
	    (r = mcast_socket_hear(g, source, MCAST_NOTICE_PORT, &fd[1])) == 0)
		r = mcast_socket_report(g, (unsigned)c->mcast_ttl, &fd[2]);
	for (int i = 0; r < 0 && i < 3; i++)
		if (fd[i] >= 0) {
			close(fd[i]);
			fd[i] = -1;
		}
	return r;
}

/* What is not there yet, an interface say, is asked for again each round. */
static int
send_groups(struct child *c)
{
	static const char *const keys[] = { "multicast.data",
		"multicast.notices", "multicast.reports" };
	struct agent	  *a = c->a;
	struct mcast_group g[MCAST_GROUPS];
	char		   err[MCAST_ERR];
	size_t		   n = 0;
	int		   fd[3], r = 0, opened;

	a->deaf = 0;
	(void)mcast_groups_parse(a->conf.mcast_group, g, &n, err);
	for (size_t i = 0; i < n; i++) {
		if ((opened = open_group(&a->conf, &g[i], fd)) < 0) {
			log_warn("group %s%s%s: %s; its files come by unicast",
			    g[i].address, g[i].iface[0] != '\0' ? "@" : "",
			    g[i].iface, strerror(-opened));
			a->deaf++;
			continue;
		}
		for (int k = 0; k < 3; k++) {
			if (r == 0)
				r = supply_socket(c->ch, keys[k], g[i].address,
				    fd[k]);
			close(fd[k]);
		}
	}
	return r;
}

void
children_hear(struct agent *a)
{
	struct mcast_group g[MCAST_GROUPS];
	char		   err[MCAST_ERR];
	size_t		   n = 0;
	unsigned	   deaf = 0;
	int		   fd[3];

	if (a->deaf == 0)
		return;
	(void)mcast_groups_parse(a->conf.mcast_group, g, &n, err);
	for (size_t i = 0; i < n; i++)
		if (open_group(&a->conf, &g[i], fd) < 0)
			deaf++;
		else
			for (int k = 0; k < 3; k++)
				close(fd[k]);
	if (deaf < a->deaf)
		children_kill(a);
}

static int
on_pong(void *ctx, struct ipc_msg *m)
{
	(void)m;
	((struct child *)ctx)->missed = 0;
	return 0;
}

/* For whoever controls a worker of the site; on a device the log has it. */
static int
on_event(void *ctx, struct ipc_msg *m)
{
	(void)ctx;
	(void)m;
	return 0;
}

static const struct ipc_handler from_pinged[] = {
	/* type	     nfds min max	     fn */
	{ MSG_PONG,  0,	  8,  8,	       on_pong },
	{ MSG_EVENT, 0,	  2,  MSG_MAX_PAYLOAD, on_event },
};

static void
pings_broken(void *ctx, struct ipc *ch, int r)
{
	struct child *c = ctx;

	ipc_free(&ch);
	c->pings = NULL;
	if (r != -ENOTCONN)
		children_kill(c->a);
}

static int
send_pings(struct child *c)
{
	int fds[2], r = ipc_pair(fds);

	if (r < 0)
		return r;
	if ((r = ipc_new(c->a->loop, fds[0],
		 (struct ipc_table){ from_pinged, COUNT(from_pinged) }, c,
		 pings_broken, 64, &c->pings)) < 0) {
		close(fds[1]);
		return r;
	}
	return send_peer(c, PEER_CONTROL, fds[1]);
}

static void
on_ping_time(void *ctx)
{
	static const uint8_t zero[8];
	struct agent	    *a = ctx;

	for (int i = 0; i < CHILDREN; i++) {
		struct child *c = &a->children[i];

		if (c->pidfd < 0 || (c->ready && c->pings == NULL))
			continue;
		if (c->missed++ >= (c->ready ? MISSED_MAX : START_MAX)) {
			log_warn("%s: hangs, killed", kinds[i].program);
			children_kill(a);
		} else if (c->ready) /* a queue that is full is a miss like any other */
			(void)ipc_send(c->pings, MSG_PING, 0, zero, 8);
	}
	loop_timer_set(a->pinger, PING_MS);
}

/* Both are there: configuration, files, channels, and go. */
static int
supply(struct agent *a)
{
	struct child		*net = &a->children[CHILD_NET];
	struct child		*con = &a->children[CHILD_CONNECT];
	const struct agent_conf *c = &a->conf;
	int			 keep[2], conn[2], r;

	if ((r = send_pings(con)) < 0 || (r = send_pings(net)) < 0 ||
	    (r = send_config(con)) < 0 || (r = send_config(net)) < 0 ||
	    (r = send_section(net)) < 0 ||
	    (r = send_file(net, "agent.root", c->root)) < 0 ||
	    (r = send_file(net, "agent.ca", c->ca)) < 0 ||
	    (r = send_file(net, "agent.client-cert", c->client_cert)) < 0 ||
	    (r = send_file(net, "agent.client-key", c->client_key)) < 0 ||
	    (r = send_file(net, "agent.proxy-auth", c->proxy_auth)) < 0 ||
	    (r = send_groups(net)) < 0 ||
	    (r = ipc_pair(keep)) < 0)
		return r;
	if ((r = keeper_open(a, keep[0])) < 0 ||
	    (r = send_peer(net, PEER_STORE, keep[1])) < 0 ||
	    (r = ipc_pair(conn)) < 0)
		return r;
	if ((r = send_peer(con, PEER_FETCH, conn[0])) < 0 ||
	    (r = send_peer(net, PEER_CONNECT, conn[1])) < 0 ||
	    (r = supply_start(con->ch, kinds[CHILD_CONNECT].role)) < 0)
		return r;
	return supply_start(net->ch, kinds[CHILD_NET].role);
}

static int
on_hello(void *ctx, struct ipc_msg *m)
{
	struct child *c = ctx;
	struct agent *a = c->a;
	uint16_t      version = rd_u16(&m->rd);
	uint8_t	      role = rd_u8(&m->rd);
	int	      r;

	if (rd_done(&m->rd) < 0 || c->hello || role != kinds[c->kind].role)
		return -EBADMSG;
	if (version != MSG_VERSION) {
		log_err("%s speaks version %u, expected %d: another release in "
			"libexec",
		    kinds[c->kind].program, version, MSG_VERSION);
		return -EPROTO;
	}
	c->hello = true;
	if (!a->children[CHILD_NET].hello || !a->children[CHILD_CONNECT].hello)
		return 0;
	if ((r = supply(a)) < 0) {
		log_err_err(r, "children cannot be supplied");
		if (r == -ENOENT || r == -EACCES) { /* a file of the operator's */
			a->result = EXIT_OPERATOR;
			a->stopping = true;
		}
	}
	return r;
}

static int
on_ready(void *ctx, struct ipc_msg *m)
{
	(void)m;
	((struct child *)ctx)->ready = true;
	((struct child *)ctx)->missed = 0;
	return 0;
}

static const struct ipc_handler from_child[] = {
	/* type	      nfds min max fn */
	{ MSG_HELLO,   0, 3, 3, on_hello },
	{ MSG_READY,   0, 0, 0, on_ready },
};

static void
child_broken(void *ctx, struct ipc *ch, int r)
{
	struct child *c = ctx;

	ipc_free(&ch);
	c->ch = NULL;
	if (r != -ENOTCONN)
		children_kill(c->a);
}

static void
child_gone(void *ctx, int events)
{
	struct child *c = ctx;
	struct agent *a = c->a;
	siginfo_t     si = { 0 };

	(void)events;
	if (waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOHANG) < 0 ||
	    si.si_pid == 0)
		return;
	loop_io_free(&c->watch);
	ipc_free(&c->ch);
	ipc_free(&c->pings);
	c->missed = 0;
	close(c->pidfd);
	c->pidfd = -1;
	c->hello = c->ready = false;
	if (si.si_code == CLD_EXITED && si.si_status == EXIT_OPERATOR) {
		a->stopping = true;
		a->result = EXIT_OPERATOR;
	}
	if (a->stopping || a->round_over) {
		children_stop(a);
		agent_maybe_end(a);
		return;
	}
	if (!a->again)
		log_warn("%s: ended with %s %d", kinds[c->kind].program,
		    si.si_code == CLD_EXITED ? "exit status" : "signal",
		    si.si_status);
	children_kill(a);
	if (children_alive(a))
		return;
	if (a->again)
		children_start(a);
	else
		fail(a);
}

static void
fail(struct agent *a)
{
	uint64_t ms = RESTART_MIN;

	if (loop_now_ms(a->loop) - a->started_ms > HEALTHY_MS)
		a->failures = 0;
	a->failures++;
	if (a->once && a->failures >= ONCE_TRIES) {
		log_err("the network child died %d times", ONCE_TRIES);
		a->stopping = true;
		a->result = EXIT_TEMPORARY;
		agent_maybe_end(a);
		return;
	}
	for (unsigned i = 1; i < a->failures && ms < RESTART_MAX; i++)
		ms *= 2;
	loop_timer_set(a->restart, ms < RESTART_MAX ? ms : RESTART_MAX);
}

static int
start_one(struct child *c)
{
	char path[512];
	int  fds[2], r;

	snprintf(path, sizeof(path), "%s/%s", c->a->conf.libexec,
	    kinds[c->kind].program);
	if ((r = ipc_pair(fds)) < 0)
		return r;
	r = spawn(path, geteuid() == 0 ? kinds[c->kind].namespaces : 0, fds[1],
	    &c->pid, &c->pidfd);
	close(fds[1]);
	if (r < 0) {
		c->pidfd = -1;
		close(fds[0]);
		return r;
	}
	if ((r = ipc_new(c->a->loop, fds[0],
		 (struct ipc_table){ from_child, COUNT(from_child) }, c,
		 child_broken, 64, &c->ch)) < 0)
		return r;
	return loop_io_new(c->a->loop, c->pidfd, LOOP_READ, child_gone, c,
	    &c->watch);
}

void
children_start(struct agent *a)
{
	int r;

	a->started_ms = loop_now_ms(a->loop);
	a->again = false;
	for (int i = 0; i < CHILDREN; i++)
		if ((r = start_one(&a->children[i])) < 0) {
			log_err_err(r, "%s: cannot start", kinds[i].program);
			children_kill(a);
			if (!children_alive(a))
				fail(a);
			return;
		}
}

static void
on_restart(void *ctx)
{
	children_start(ctx);
}

int
children_init(struct agent *a)
{
	int r;

	for (int i = 0; i < CHILDREN; i++)
		a->children[i] = (struct child){ .a = a,
			.kind = (enum child_kind)i, .pidfd = -1 };
	if ((r = loop_timer_new(a->loop, on_restart, a, &a->restart)) < 0 ||
	    (r = loop_timer_new(a->loop, on_ping_time, a, &a->pinger)) < 0)
		return r;
	return loop_timer_set(a->pinger, PING_MS);
}

bool
children_alive(const struct agent *a)
{
	for (int i = 0; i < CHILDREN; i++)
		if (a->children[i].pidfd >= 0)
			return true;
	return false;
}

void
children_stop(struct agent *a)
{
	for (int i = 0; i < CHILDREN; i++)
		if (a->children[i].ch != NULL && a->children[i].hello)
			(void)ipc_send(a->children[i].ch, MSG_SHUTDOWN, 0, NULL,
			    0);
}

void
children_kill(struct agent *a)
{
	for (int i = 0; i < CHILDREN; i++)
		if (a->children[i].pidfd >= 0)
			(void)pidfd_send_signal(a->children[i].pidfd, SIGKILL,
			    NULL, 0);
}

void
children_again(struct agent *a)
{
	a->again = children_alive(a); /* else a restart is due anyway */
	children_kill(a);
}

void
agent_maybe_end(struct agent *a)
{
	if ((!a->round_over && !a->stopping) || children_alive(a))
		return;
	if (a->stopping ? hook_runs(a) : hooks_busy(a))
		return;
	if (a->result == 0 && a->hooks_failed > 0)
		a->result = 2;
	loop_stop(a->loop, a->result);
}
