/*
 * tests/harness/master.c - see master.h.
 *
 * Runs in test programs only.
 * SPDX-License-Identifier: ISC
 */
#include "tests/harness/master.h"

#include "common/ipc.h"
#include "common/packet.h"
#include "common/wr.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 60000

static uint8_t in[MSG_MAX];

static void
send_config(int ch, const char *text)
{
	int fd = memfd_create("config", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(1, "memfd");
	(void)ipc_send_now(ch, MSG_CONFIG, 0, NULL, 0, fd);
	close(fd);
}

/* Those of network polling, in this process's network namespace. */
static void
send_sockets(int ch, enum peer_role role)
{
	uint8_t	  buf[64];
	struct wr w;
	int	  fd;

	for (const struct packet_socket *s = packet_sockets; s->name != NULL;
	     s++) {
		if (s->reader != role)
			continue;
		if (packet_open(s->name, &fd) < 0)
			err(1, "socket %s", s->name);
		w = wr_to(buf, sizeof(buf));
		wr_str(&w, "scan.enable");
		wr_str(&w, s->name);
		(void)ipc_send_now(ch, MSG_SOCKET, 0, buf, w.len, fd);
		close(fd);
	}
}

static void
send_files(const struct under_test *u)
{
	uint8_t	  buf[256];
	struct wr w;
	int	  fd;

	for (int i = 0; u->file[i].key != NULL; i++) {
		if ((fd = open(u->file[i].path, O_RDONLY | O_CLOEXEC)) < 0)
			err(1, "%s", u->file[i].path);
		w = wr_to(buf, sizeof(buf));
		wr_str(&w, u->file[i].key);
		(void)ipc_send_now(u->master, MSG_FILE, 0, buf, w.len, fd);
		close(fd);
	}
}

static void
send_peer(struct under_test *u, enum peer_role role)
{
	uint8_t b = (uint8_t)role;
	int	p[2];

	if (ipc_pair(p) < 0)
		err(1, "socketpair");
	(void)ipc_send_now(u->master, MSG_PEER, 0, &b, 1, p[1]);
	close(p[1]);
	u->peer[role] = p[0];
}

int
worker_wait(struct under_test *u)
{
	int status;

	close(u->master);
	for (int i = 0; i < PEER_MAX; i++)
		if (u->peer[i] >= 0)
			close(u->peer[i]);
	if (waitpid(u->pid, &status, 0) != u->pid)
		err(1, "waitpid");
	return status;
}

int
worker_begin(struct under_test *u, const char *program, const char *config,
    const enum peer_role *roles, int *status)
{
	struct ipc_msg m;
	int	       p[2], r;
	uint8_t	       role;

	for (int i = 0; i < PEER_MAX; i++)
		u->peer[i] = -1;
	if (ipc_pair(p) < 0)
		err(1, "socketpair");
	if ((u->pid = fork()) < 0)
		err(1, "fork");
	if (u->pid == 0) {
		int fd = fcntl(p[1], F_DUPFD, 10); /* 3 may be the other end */

		if (dup2(fd, 3) != 3)
			_exit(127);
		for (fd = 4; fd < 256; fd++)
			close(fd);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	u->master = p[0];
	r = ipc_recv_now(u->master, in, sizeof(in), WAIT_MS, &m);
	if (r == 0 && m.type != MSG_HELLO)
		errx(1, "the worker said %u, not hello", m.type);
	if (r == 0) {
		role = m.rd.p[2]; /* what it says it is */
		send_config(u->master, config);
		send_files(u);
		send_sockets(u->master, (enum peer_role)role);
		for (; *roles != PEER_NONE; roles++)
			send_peer(u, *roles);
		(void)ipc_send_now(u->master, MSG_START, 0, &role, 1, -1);
		r = ipc_recv_now(u->master, in, sizeof(in), WAIT_MS, &m);
	}
	if (r == 0 && m.type != MSG_READY)
		errx(1, "the worker said %u, not ready", m.type);
	if (r < 0) {
		*status = worker_wait(u);
		return -EPIPE;
	}
	return 0;
}

int
worker_end(struct under_test *u)
{
	(void)ipc_send_now(u->master, MSG_SHUTDOWN, 0, NULL, 0, -1);
	return worker_wait(u);
}

int
tell(int ch, uint16_t type, const void *payload, size_t len)
{
	return ipc_send_now(ch, type, 0, payload, len, -1);
}

int
ask(int ch, uint16_t type, const void *payload, size_t len, struct answer *a)
{
	static uint32_t id;
	struct ipc_msg	m;
	int		r = ipc_send_now(ch, type, ++id, payload, len, -1);

	for (;;) {
		if (r == 0)
			r = ipc_recv_now(ch, in, sizeof(in), WAIT_MS, &m);
		if (r < 0)
			return r;
		if (m.id == id)
			break;
		for (int i = 0; i < MSG_MAX_FDS; i++)
			if (m.fds[i] >= 0)
				close(m.fds[i]);
	}
	a->type = m.type;
	a->len = m.len;
	memcpy(a->fds, m.fds, sizeof(a->fds));
	memcpy(a->bytes, m.rd.p, m.len);
	return 0;
}

int
admin(struct under_test *u, const char *word, json_t **rows, char text[512])
{
	static const uint32_t id = 7;
	int		      ch = u->peer[PEER_CONTROL];
	uint8_t		      buf[128];
	struct wr	      w = wr_to(buf, sizeof(buf));
	struct ipc_msg	      m;
	json_t		     *row;
	char		      words[100];
	int		      r;

	if (rows != NULL)
		*rows = json_array();
	snprintf(words, sizeof(words), "%s", word);
	for (char *p = strtok(words, " "); p != NULL; p = strtok(NULL, " "))
		wr_str(&w, p);
	r = ipc_send_now(ch, MSG_ADMIN, id, buf, w.len, -1);
	while (r == 0) {
		r = ipc_recv_now(ch, in, sizeof(in), WAIT_MS, &m);
		if (r < 0 || m.id != id)
			continue;
		if (m.type == MSG_ADMIN_END) {
			r = rd_u8(&m.rd) == 0 ? 0 : -EREMOTEIO;
			rd_str(&m.rd, text, 512);
			break;
		}
		row = json_loadb((char *)m.rd.p, m.len, 0, NULL);
		if (rows != NULL)
			json_array_append(*rows, row);
		json_decref(row);
	}
	return r;
}
