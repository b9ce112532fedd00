/*
 * dp-probe/probe.c - the prober as a worker: sockets, peers, reload; see probe.h.
 *
 * Runs in dp-probe. Believes the master, and the keeper about what to ask, as
 * far as dp-probe/asker.h lets it.
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/probe.h"

#include "common/log.h"
#include "common/size.h"
#include "dp-probe/asker.h"
#include "dp-probe/hear.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEER_QUEUE	4096
#define LISTEN_QUEUE	256 /* answers that wait for the listener; the rest are
			     * dropped: who is silent is asked once more */
#define COMMUNITIES_LEN 4096

struct probe {
	struct worker	 *w;
	struct ipc	 *scan, *listen;
	struct asker	 *asker;
	struct hear	 *hear;
	struct token_keys tokens;
	struct ask_conf	  conf;
	struct ask_conf	  resolv; /* servers of /etc/resolv.conf, at the start */
	int		  fds[ASK_SOCKETS];
	uint64_t	  unheard; /* answers that the listener did not get */
};

/* -- configuration -- */

static void
sockets_close(int fds[ASK_SOCKETS])
{
	for (size_t i = 0; i < ASK_SOCKETS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static int
sockets_take(struct probe *p, int fds[ASK_SOCKETS])
{
	char	 name[16];
	unsigned n = 0;
	int	 fd;

	for (size_t i = 0; i < ASK_SOCKETS; i++)
		fds[i] = -1;
	while ((fd = worker_socket(p->w, "scan.enable", n, name,
		    sizeof(name))) >= 0) {
		size_t i = 0;

		while (i < ASK_SOCKETS && strcmp(ask_socket_names[i], name) != 0)
			i++;
		if (i == ASK_SOCKETS || fds[i] >= 0)
			close(fd);
		else
			fds[i] = fd;
		n++;
	}
	/* none when we are no longer wanted, and about to be told so */
	return n == 0 && settings_wants(worker_settings(p->w), PEER_PROBE)
	    ? -ENOENT : 0;
}

static void
server_add(struct ask_conf *c, const char *text)
{
	uint8_t *a;

	if (c->nservers == SERVERS_MAX)
		return;
	a = c->server[c->nservers];
	memset(a, 0, 16);
	if (inet_pton(AF_INET, text, a + 12) == 1)
		a[10] = a[11] = 0xff;
	else if (inet_pton(AF_INET6, text, a) != 1)
		return; /* one with a zone, as fe80::1%eth0 */
	c->nservers++;
}

static void
resolv_conf_read(struct ask_conf *c)
{
	FILE *f = fopen("/etc/resolv.conf", "re");
	char  line[256], server[64];

	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "nameserver %63s", server) == 1)
			server_add(c, server);
	fclose(f);
}

static void
servers_read(struct ask_conf *c, const char *list, const struct ask_conf *other)
{
	char  text[sizeof(((struct scan_conf *)0)->dns)], *save = NULL;

	snprintf(text, sizeof(text), "%s", list);
	for (char *s = strtok_r(text, " \t", &save); s != NULL;
	     s = strtok_r(NULL, " \t", &save))
		server_add(c, s);
	if (c->nservers == 0) {
		c->nservers = other->nservers;
		memcpy(c->server, other->server, sizeof(c->server));
	}
}

static int
communities_read(struct probe *p, struct ask_conf *c)
{
	char	*text;
	size_t	 len;
	unsigned line;
	int	 r = worker_file_text(p->w, "scan.snmp-communities",
		 COMMUNITIES_LEN, &text, &len);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (strlen(text) != len) {
		log_warn("scan.snmp-communities: a byte of zero in it");
		r = -EINVAL;
	} else if ((r = ask_communities(c, text, &line)) < 0) {
		log_warn("scan.snmp-communities: line %u: expected [v1|v2c] and a "
			 "community of at most %d printable characters, on at "
			 "most %d lines", line, COMMUNITY_MAX, COMMUNITIES_MAX);
		r = -EINVAL;
	}
	explicit_bzero(text, len);
	free(text);
	return r;
}

/* All of the configuration in force, or nothing of it. */
static int
configure(struct probe *p)
{
	const struct scan_conf *s = &worker_settings(p->w)->scan;
	struct ask_conf		c = { 0 };
	char			err[SCOPE_ERR];
	int			fds[ASK_SOCKETS], r;

	servers_read(&c, s->dns, &p->resolv);
	if ((r = scope_parse(s->exclude, &c.exclude, err)) < 0 ||
	    (r = communities_read(p, &c)) < 0 ||
	    (r = sockets_take(p, fds)) < 0)
		return r;
	if ((r = hear_sockets(p->hear, fds)) < 0) {
		(void)hear_sockets(p->hear, p->fds);
		sockets_close(fds);
		return r;
	}
	asker_configure(p->asker, fds, &c, (uint32_t)s->rate);
	sockets_close(p->fds);
	memcpy(p->fds, fds, sizeof(fds));
	p->conf = c;
	return 0;
}

/* -- peers -- */

/* A keeper that takes no messages is replaced, and asks again. */
static void
say(struct probe *p, uint32_t id, uint32_t sent, uint32_t failed, int err)
{
	uint8_t	  buf[16];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u32(&w, id);
	wr_u32(&w, sent);
	wr_u32(&w, failed);
	wr_u32(&w, (uint32_t)err);
	if (p->scan != NULL)
		(void)ipc_send(p->scan, MSG_PROBED, 0, buf, w.len);
}

static void
on_said(void *ctx, const struct order *o)
{
	say(ctx, o->id, o->sent, o->failed, o->err);
}

static int
on_probe(void *ctx, struct ipc_msg *m)
{
	struct probe *p = ctx;
	struct order *o;
	int	      r;

	if ((r = order_read(&m->rd, &o)) < 0)
		return r;
	if ((r = asker_take(p->asker, o)) < 0) {
		say(p, o->id, 0, o->n, -r);
		order_free(&o);
	}
	return 0;
}

static int
on_probe_stop(void *ctx, struct ipc_msg *m)
{
	struct probe *p = ctx;
	uint32_t      id = rd_u32(&m->rd);

	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	asker_stop(p->asker, id);
	return 0;
}

#define PROBE_HEAD (4 + 1 + 4 + 6 + 16 + 4)
static const struct ipc_handler from_scan[] = {
	{ MSG_PROBE, 0, PROBE_HEAD + 16, PROBE_HEAD + 16 * PROBE_TARGETS,
	    on_probe },
	{ MSG_PROBE_STOP, 0, 4, 4, on_probe_stop },
};

static void
on_heard(void *ctx, const struct answer *a)
{
	static uint8_t buf[1 + 4 + 16 + 2 + HEAR_MAX];
	struct probe  *p = ctx;
	struct wr      w = wr_to(buf, sizeof(buf));

	wr_u8(&w, a->kind);
	wr_u32(&w, a->ifindex);
	wr_bytes(&w, a->addr, 16);
	wr_u16(&w, a->port);
	wr_bytes(&w, a->bytes, a->len);
	if (p->listen == NULL ||
	    ipc_send(p->listen, MSG_HEARD, 0, buf, w.len) < 0)
		p->unheard++;
}

/* What a keeper that is gone wanted, its successor will want anew. */
static void
scan_broken(void *ctx, struct ipc *c, int r)
{
	struct probe *p = ctx;

	ipc_free(&c);
	p->scan = NULL;
	asker_clear(p->asker);
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
	int	      r;

	if (role == PEER_SCAN) {
		asker_clear(p->asker);
		ipc_free(&p->scan);
		r = ipc_new(worker_loop(p->w), take_fd,
		    (struct ipc_table){ from_scan, COUNT(from_scan) }, p,
		    scan_broken, PEER_QUEUE, &p->scan);
	} else {
		ipc_free(&p->listen);
		r = ipc_new(worker_loop(p->w), take_fd,
		    (struct ipc_table){ NULL, 0 }, p, listen_broken,
		    LISTEN_QUEUE, &p->listen);
	}
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
}

/* -- life -- */

static int
on_reload(void *ctx)
{
	return configure(ctx);
}

static void
on_metrics(void *ctx, struct worker *w, struct admin_reply *reply)
{
	const struct probe	  *p = ctx;
	const struct asker_counts *c = asker_counts(p->asker);
	char			   label[32];

	(void)w;
	for (unsigned k = PROBE_NONE + 1; k < PROBE_MAX; k++) {
		snprintf(label, sizeof(label), "kind=\"%s\"",
		    probe_kind_name((enum probe_kind)k));
		worker_metric(reply, "dpoint_probe_sent_total", "counter",
		    "Packets sent by network polling.", label,
		    (double)c->sent[k]);
	}
	for (unsigned k = PROBE_NONE + 1; k < PROBE_MAX; k++) {
		snprintf(label, sizeof(label), "kind=\"%s\"",
		    probe_kind_name((enum probe_kind)k));
		worker_metric(reply, "dpoint_probe_failed_total", "counter",
		    "Targets that could not be asked.", label,
		    (double)c->failed[k]);
	}
	worker_metric(reply, "dpoint_probe_orders", "gauge",
	    "Orders of packets under way.", NULL, c->orders);
	worker_metric(reply, "dpoint_probe_heard_total", "counter",
	    "Answers to datagrams of network polling.", NULL,
	    (double)hear_counts(p->hear)->heard);
	worker_metric(reply, "dpoint_probe_unasked_total", "counter",
	    "Datagrams that answer nothing we asked.", NULL,
	    (double)hear_counts(p->hear)->refused);
	worker_metric(reply, "dpoint_probe_lost_total", "counter",
	    "Answers that the listener did not take.", NULL, (double)p->unheard);
}

struct probe *
probe_open(struct worker *w)
{
	static const enum peer_role peers[] = { PEER_SCAN, PEER_LISTEN };
	struct probe	*p = calloc(1, sizeof(*p));
	struct timespec	 now;
	int		 fd, r;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (p == NULL || worker_loop_precise(w) == NULL ||
	    token_init(&p->tokens, (uint64_t)now.tv_sec * 1000) < 0 ||
	    asker_new(worker_loop(w), &p->tokens, on_said, p, &p->asker) < 0 ||
	    hear_new(worker_loop(w), &p->tokens, &p->conf, on_heard, p,
		&p->hear) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	p->w = w;
	for (size_t i = 0; i < ASK_SOCKETS; i++)
		p->fds[i] = -1;
	resolv_conf_read(&p->resolv);
	if ((r = configure(p)) < 0)
		log_fatal(EXIT_OPERATOR, "configuration: %s", strerror(-r));
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
		.metrics = on_metrics,
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
	asker_free(&p->asker);
	hear_free(&p->hear);
	sockets_close(p->fds);
	explicit_bzero(&p->conf, sizeof(p->conf));
	free(p);
	*pp = NULL;
}
