/*
 * dp-connect/main.c - hands out connected sockets, only to configured hosts.
 *
 * Runs as its own user with the network of the machine, and parses nothing but
 * DNS answers. Believes the master's configuration; does not believe who asks:
 * each has hosts of its own, and a host and port that the configuration does
 * not name for it is refused, counted and told to the operator.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/scope.h"
#include "common/size.h"
#include "common/url.h"
#include "common/value.h"
#include "common/worker.h"
#include "common/wr.h"
#include "dp-connect/connect.h"
#include "dp-connect/special.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOSTS_MAX (64 + GATEWAY_TARGETS)

struct host {
	char	 name[URL_HOST_LEN];
	uint16_t port;
	bool	 is_target;  /* of clients' choice: see target_filter() */
	bool	 is_address; /* and no name */
	uint8_t	 addr[16];
};

struct hosts {
	struct host of[HOSTS_MAX];
	size_t	    n;
};

struct connector;

struct asker {
	struct connector *c;
	enum peer_role	  role;
	struct ipc	 *ch; /* NULL: away */
	struct hosts	  hosts;
};

struct connector {
	struct worker	*worker;
	struct attempts *attempts;
	struct asker	 askers[ASKERS_MAX];
	uint64_t	 asked, begun, connected, failed, refused, misled;
};

/* Of askers[i]: two, then the gateways. */
static enum peer_role
asker_role(size_t i)
{
	return i == 0 ? PEER_FETCH
	    : i == 1  ? PEER_LDAP
		      : (enum peer_role)(PEER_GATEWAY + i - 2);
}

static int on_connect(void *ctx, struct ipc_msg *m);

static const struct ipc_handler from_asker[] = {
	/* type	      nfds min max   fn */
	{ MSG_CONNECT, 0,  8,  264,  on_connect },
};

static const struct ipc_handler from_gateway[] = {
	{ MSG_CONNECT, 0, 8, 264, on_connect },
	{ MSG_CONNECT_BEGIN, 0, 8, 264, on_connect },
};

static int
hosts_add(struct hosts *h, const char *list,
    int (*parse)(const char *, struct url *))
{
	char	   word[2048];
	size_t	   pos = 0;
	struct url u;

	while (value_word(list, &pos, word, sizeof(word))) {
		if (h->n == HOSTS_MAX)
			return -E2BIG;
		if (parse(word, &u) < 0)
			return -EINVAL;
		memcpy(h->of[h->n].name, u.host, sizeof(u.host));
		h->of[h->n++].port = u.port;
	}
	return 0;
}

/* Those that clients of the gateway may ask for. */
static int
targets_add(struct hosts *h, const char *list)
{
	size_t first = h->n;
	int    r = hosts_add(h, list, url_host_port);

	for (size_t i = first; i < h->n; i++) {
		struct sockaddr_storage ss = { 0 };
		struct sockaddr_in     *v4 = (struct sockaddr_in *)&ss;
		struct sockaddr_in6    *v6 = (struct sockaddr_in6 *)&ss;

		h->of[i].is_target = true;
		if (inet_pton(AF_INET, h->of[i].name, &v4->sin_addr) == 1)
			ss.ss_family = AF_INET;
		else if (inet_pton(AF_INET6, h->of[i].name, &v6->sin6_addr) == 1)
			ss.ss_family = AF_INET6;
		h->of[i].is_address = ss.ss_family != 0;
		scope_addr(&ss, h->of[i].addr);
	}
	return r;
}

static int
gateway_hosts(struct hosts *h, const struct gateway_conf *c)
{
	const char *const lists[] = { c->server, c->terminate_server,
		c->uplink, c->dial, c->far_end_allow };
	int		  r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(lists); i++)
		r = hosts_add(h, lists[i], url_host_port);
	return r == 0 ? targets_add(h, c->proxy_allow) : r;
}

/* What this role may be connected to. */
static int
hosts_read(struct hosts *h, enum peer_role role, const struct settings *s)
{
	int r;

	memset(h, 0, sizeof(*h));
	if (peer_role_kind(role) == PEER_GATEWAY)
		return s->gateway.enable ? gateway_hosts(h, &s->gateway) : 0;
	if (role == PEER_LDAP)
		return hosts_add(h, s->directory.url, url_ldap);
	if ((r = hosts_add(h, s->content.upstream, url_parse)) == 0 &&
	    (r = hosts_add(h, s->site.upstream, url_parse)) == 0 &&
	    (r = hosts_add(h, s->inbox.url, url_parse)) == 0)
		r = hosts_add(h, s->fetch.proxy, url_parse);
	return r;
}

static int
read_all(struct hosts h[ASKERS_MAX], const struct settings *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ASKERS_MAX; i++)
		r = hosts_read(&h[i], asker_role(i), s);
	return r;
}

/* What is on both lists of the gateway is held to the stricter rules. */
static const struct host *
hosts_find(const struct hosts *h, const char *name, uint16_t port)
{
	const struct host *found = NULL;

	for (size_t i = 0; i < h->n; i++)
		if (h->of[i].port == port && strcmp(h->of[i].name, name) == 0)
			found = &h->of[i];
	return found;
}

/* Who answers for a name does not choose something on this machine or its link
 * for us, unless the configuration names that address itself. */
static const char *
target_filter(const void *asker, const uint8_t addr[16], uint16_t port,
    bool is_own)
{
	const struct hosts *h = &((const struct asker *)asker)->hosts;
	const char	   *what = special_address(addr);

	for (size_t i = 0; i < h->n; i++)
		if (h->of[i].is_target && h->of[i].is_address &&
		    h->of[i].port == port &&
		    memcmp(h->of[i].addr, addr, 16) == 0)
			return NULL;
	return what != NULL ? what : is_own ? "this machine's own address" : NULL;
}

static void
answer_no(struct asker *a, uint32_t id, int r, const char *text)
{
	uint8_t	  buf[512];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u32(&w, (uint32_t)-r);
	wr_str(&w, text);
	/* an asker that takes no answer asks again */
	(void)ipc_send(a->ch, MSG_CONNECT_NO, id, buf, w.len);
}

static void
on_done(void *asker, uint32_t id, int take_fd, int r, const char *text)
{
	struct asker *a = asker;
	uint8_t	      buf[128];
	struct wr     w = wr_to(buf, sizeof(buf));

	if (take_fd < 0) {
		*(r == -EACCES ? &a->c->misled : &a->c->failed) += 1;
		answer_no(a, id, r, text);
		return;
	}
	a->c->connected++;
	wr_str(&w, text);
	(void)ipc_send_fds(a->ch, MSG_CONNECTED, id, buf, w.len, take_fd, -1);
}

/* Whether that is all there is to do. */
static bool
begin(struct asker *a, uint32_t id, const char *host, uint16_t port)
{
	uint8_t	  buf[128];
	struct wr w = wr_to(buf, sizeof(buf));
	char	  text[URL_HOST_LEN + 80];
	int	  fd = attempt_begin(host, port);

	if (fd == -EINVAL)
		return false;
	if (fd < 0) {
		a->c->failed++;
		snprintf(text, sizeof(text), "%s port %u: %s", host, port,
		    strerror(-fd));
		answer_no(a, id, fd, text);
		return true;
	}
	a->c->begun++;
	wr_str(&w, host);
	(void)ipc_send_fds(a->ch, MSG_CONNECTED, id, buf, w.len, fd, -1);
	return true;
}

static int
on_connect(void *ctx, struct ipc_msg *m)
{
	struct asker	 *a = ctx;
	struct connector *c = a->c;
	uint16_t	  port = rd_u16(&m->rd);
	uint32_t	  timeout_ms = rd_u32(&m->rd);
	char		  host[URL_HOST_LEN];
	const struct host *h;
	int		  r;

	rd_str(&m->rd, host, sizeof(host));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	c->asked++;
	if ((h = hosts_find(&a->hosts, host, port)) == NULL) {
		c->refused++;
		log_warn("refused a connection to \"%s\" port %u: nothing in "
			 "the configuration names it for %s",
		    host, port, peer_role_name(a->role));
		worker_event(c->worker, "connect-refused",
		    json_pack("{s:s?,s:i,s:s}", "host", host, "port", (int)port,
			"for", peer_role_name(a->role)));
		answer_no(a, m->id, -EACCES,
		    "the configuration does not name this host and port");
		return 0;
	}
	if (m->type == MSG_CONNECT_BEGIN && !h->is_target &&
	    begin(a, m->id, host, port))
		return 0;
	r = attempt_start(c->attempts, a, m->id, host, port, timeout_ms,
	    h->is_target ? target_filter : NULL);
	if (r < 0) {
		c->failed++;
		answer_no(a, m->id, r, "too many connections under way");
	}
	return 0;
}

static void
asker_broken(void *ctx, struct ipc *ch, int r)
{
	struct asker *a = ctx;

	worker_accuse(a->role, r);
	attempts_cancel(a->c->attempts, a);
	ipc_free(&ch);
	a->ch = NULL; /* the master restarts it and sends a new end */
}

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	const struct ipc_table any = { from_asker, COUNT(from_asker) };
	const struct ipc_table gateway = { from_gateway, COUNT(from_gateway) };
	struct connector      *c = ctx;
	struct asker	      *a = NULL;
	int		       r;

	for (size_t i = 0; i < ASKERS_MAX; i++)
		if (c->askers[i].role == role)
			a = &c->askers[i];
	if (a == NULL) {
		log_warn("channel to %s: not one who asks", peer_role_name(role));
		close(take_fd);
		return;
	}
	if (a->ch != NULL)
		asker_broken(a, a->ch, -ENOTCONN);
	r = ipc_new(worker_loop(c->worker), take_fd,
	    peer_role_kind(role) == PEER_GATEWAY ? gateway : any, a,
	    asker_broken, 1024, &a->ch);
	if (r < 0)
		log_warn_err(r, "channel");
}

static int
on_reload(void *ctx)
{
	struct connector *c = ctx;
	struct hosts	 *next = calloc(ASKERS_MAX, sizeof(*next));
	int		  r;

	if (next == NULL)
		return -ENOMEM;
	if ((r = read_all(next, worker_settings(c->worker))) == 0)
		for (size_t i = 0; i < ASKERS_MAX; i++)
			c->askers[i].hosts = next[i];
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
	worker_metric(reply, "dpoint_connect_begun_total", "counter",
	    "Connections that who asked waits for himself.", NULL,
	    (double)c->begun);
	worker_metric(reply, "dpoint_connect_connected_total", "counter",
	    "Connections made.", NULL, (double)c->connected);
	worker_metric(reply, "dpoint_connect_failed_total", "counter",
	    "Connections that did not come about.", NULL, (double)c->failed);
	worker_metric(reply, "dpoint_connect_refused_total", "counter",
	    "Connections to hosts that the configuration does not name.", NULL,
	    (double)c->refused);
	worker_metric(reply, "dpoint_connect_misled_total", "counter",
	    "Names that led to addresses they must not lead to.", NULL,
	    (double)c->misled);
}

static void
connect_hosts(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct connector *c = ctx;

	(void)argc;
	(void)argv;
	for (size_t k = 0; k <= 2; k++) /* all gateways have the same */
		for (size_t i = 0; i < c->askers[k].hosts.n; i++)
			admin_row(reply,
			    json_pack("{s:s,s:i,s:s}", "host",
				c->askers[k].hosts.of[i].name, "port",
				(int)c->askers[k].hosts.of[i].port, "for",
				peer_role_name(c->askers[k].role)));
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
	static struct connector c;
	char			user[64];
	int			r, fd;

	c.worker = worker_start(PEER_CONNECT, argc, argv);
	for (size_t i = 0; i < ASKERS_MAX; i++)
		c.askers[i] = (struct asker){ .c = &c, .role = asker_role(i) };
	if ((r = on_reload(&c)) < 0)
		log_fatal(EXIT_OPERATOR, "upstream addresses: %s", strerror(-r));
	snprintf(user, sizeof(user), "%sconnect",
	    worker_settings(c.worker)->master.user_prefix);
	priv_drop(user, "/");
	if (attempts_new(worker_loop(c.worker), on_done, &c.attempts) < 0)
		log_fatal(EXIT_TEMPORARY, "no resolver");
	sandbox_enter(&connect_sandbox);
	for (size_t i = 0; i < ASKERS_MAX; i++)
		if ((fd = worker_peer(c.worker, asker_role(i))) >= 0)
			on_peer(&c, asker_role(i), fd);
	r = worker_run(c.worker, &ops, &c); /* until the master says so */
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
