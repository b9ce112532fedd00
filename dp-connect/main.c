/*
 * dp-connect/main.c - hands out connected sockets, only to configured hosts.
 *
 * Runs as its own user with the network of the machine, and parses nothing but
 * DNS answers. Believes the master's configuration; does not believe who asks:
 * a host and port that no URL of the configuration names is refused, counted
 * and told to the operator.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/size.h"
#include "common/url.h"
#include "common/worker.h"
#include "common/wr.h"
#include "dp-connect/connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS_MAX 64

struct host {
	char	 name[URL_HOST_LEN];
	uint16_t port;
};

struct hosts {
	struct host of[HOSTS_MAX];
	size_t	    n;
};

struct connector {
	struct worker	*worker;
	struct ipc	*asker;
	struct attempts *attempts;
	struct hosts	 hosts;
	uint64_t	 asked, connected, failed, refused;
};

static int on_connect(void *ctx, struct ipc_msg *m);

static const struct ipc_handler from_asker[] = {
	/* type	      nfds min max   fn */
	{ MSG_CONNECT, 0,  8,  264,  on_connect },
};

static int
hosts_add(struct hosts *h, const char *urls)
{
	char	   word[2048];
	size_t	   pos = 0;
	struct url u;

	while (conf_word(urls, &pos, word, sizeof(word))) {
		if (h->n == HOSTS_MAX)
			return -E2BIG;
		if (url_parse(word, &u) < 0)
			return -EINVAL;
		memcpy(h->of[h->n].name, u.host, sizeof(u.host));
		h->of[h->n++].port = u.port;
	}
	return 0;
}

static int
hosts_read(struct hosts *h, const struct settings *s)
{
	int r;

	h->n = 0;
	if ((r = hosts_add(h, s->content.upstream)) == 0 &&
	    (r = hosts_add(h, s->site.upstream)) == 0)
		r = hosts_add(h, s->fetch.proxy);
	return r;
}

static bool
hosts_have(const struct hosts *h, const char *name, uint16_t port)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->of[i].port == port && strcmp(h->of[i].name, name) == 0)
			return true;
	return false;
}

static void
answer_no(struct connector *c, uint32_t id, int r, const char *text)
{
	uint8_t	  buf[512];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u32(&w, (uint32_t)-r);
	wr_str(&w, text);
	if (c->asker != NULL) /* an asker that takes no answer asks again */
		(void)ipc_send(c->asker, MSG_CONNECT_NO, id, buf, w.len);
}

static void
on_done(void *ctx, uint32_t id, int take_fd, int r, const char *text)
{
	struct connector *c = ctx;
	uint8_t		  buf[128];
	struct wr	  w = wr_to(buf, sizeof(buf));

	if (take_fd < 0) {
		c->failed++;
		answer_no(c, id, r, text);
		return;
	}
	c->connected++;
	wr_str(&w, text);
	(void)ipc_send_fds(c->asker, MSG_CONNECTED, id, buf, w.len, take_fd, -1);
}

static int
on_connect(void *ctx, struct ipc_msg *m)
{
	struct connector *c = ctx;
	uint16_t	  port = rd_u16(&m->rd);
	uint32_t	  timeout_ms = rd_u32(&m->rd);
	char		  host[URL_HOST_LEN];
	int		  r;

	rd_str(&m->rd, host, sizeof(host));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	c->asked++;
	if (!hosts_have(&c->hosts, host, port)) {
		c->refused++;
		log_warn("refused a connection to \"%s\" port %u: no URL of "
			 "the configuration names it",
		    host, port);
		worker_event(c->worker, "connect-refused",
		    json_pack("{s:s?,s:i}", "host", host, "port", (int)port));
		answer_no(c, m->id, -EACCES,
		    "no URL of the configuration names this host and port");
		return 0;
	}
	r = attempt_start(c->attempts, m->id, host, port, timeout_ms);
	if (r < 0) {
		c->failed++;
		answer_no(c, m->id, r, "too many connections under way");
	}
	return 0;
}

static void
asker_broken(void *ctx, struct ipc *ch, int r)
{
	struct connector *c = ctx;

	worker_accuse(PEER_FETCH, r);
	attempts_cancel(c->attempts);
	ipc_free(&ch);
	c->asker = NULL; /* the master restarts it and sends a new end */
}

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	const struct ipc_table t = { from_asker, COUNT(from_asker) };
	struct connector      *c = ctx;
	int		       r;

	(void)role; /* whoever the master gives us may ask */
	if (c->asker != NULL)
		asker_broken(c, c->asker, -ENOTCONN);
	r = ipc_new(worker_loop(c->worker), take_fd, t, c, asker_broken, 1024,
	    &c->asker);
	if (r < 0)
		log_warn_err(r, "channel");
}

static int
on_reload(void *ctx)
{
	struct connector *c = ctx;
	struct hosts	 *next = malloc(sizeof(*next));
	int		  r;

	if (next == NULL)
		return -ENOMEM;
	if ((r = hosts_read(next, worker_settings(c->worker))) == 0)
		c->hosts = *next;
	free(next);
	return r;
}

static void
on_metrics(void *ctx, struct worker *w, struct admin_reply *reply)
{
	struct connector *c = ctx;

	(void)w;
	worker_metric(reply, "dpoint_connect_asked_total", "counter",
	    "Connections asked for.", NULL, (double)c->asked);
	worker_metric(reply, "dpoint_connect_connected_total", "counter",
	    "Connections made.", NULL, (double)c->connected);
	worker_metric(reply, "dpoint_connect_failed_total", "counter",
	    "Connections that did not come about.", NULL, (double)c->failed);
	worker_metric(reply, "dpoint_connect_refused_total", "counter",
	    "Connections to hosts that the configuration does not name.", NULL,
	    (double)c->refused);
}

static void
connect_hosts(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct connector *c = ctx;

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < c->hosts.n; i++)
		admin_row(reply,
		    json_pack("{s:s,s:i}", "host", c->hosts.of[i].name, "port",
			(int)c->hosts.of[i].port));
	admin_end(reply, NULL);
}

static const struct admin_command commands[] = {
	{ "connect-hosts", 0, 0, false, connect_hosts, "",
	    "Hosts and ports that may be connected to." },
	{ 0 }
};

static const struct worker_ops ops = {
	.peer = on_peer,
	.reload = on_reload,
	.commands = commands,
	.metrics = on_metrics,
};

int
main(int argc, char *argv[])
{
	struct connector c = { 0 };
	char		 user[64];
	int		 r, fd;

	c.worker = worker_start(PEER_CONNECT, argc, argv);
	if ((r = hosts_read(&c.hosts, worker_settings(c.worker))) < 0)
		log_fatal(EXIT_OPERATOR, "upstream addresses: %s", strerror(-r));
	snprintf(user, sizeof(user), "%sconnect",
	    worker_settings(c.worker)->master.user_prefix);
	priv_drop(user, "/");
	if (attempts_new(worker_loop(c.worker), on_done, &c, &c.attempts) < 0)
		log_fatal(EXIT_TEMPORARY, "no resolver");
	sandbox_enter(&connect_sandbox);
	for (int role = PEER_CONTROL + 1; role < PEER_MAX; role++)
		if ((fd = worker_peer(c.worker, (enum peer_role)role)) >= 0)
			on_peer(&c, (enum peer_role)role, fd);
	r = worker_run(c.worker, &ops, &c); /* until the master says so */
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
