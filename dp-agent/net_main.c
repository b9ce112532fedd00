/*
 * dp-agent/net_main.c - the network child: start, rounds, end.
 *
 * Runs as its own user in empty namespaces, behind its sandbox. Believes the
 * parent's configuration and signatures that chain to its root.json; believes
 * nothing that a distribution point, a repository or a proxy says. Starts as any
 * worker of the suite does, with the parent in the master's place and in the
 * store's.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast.h"
#include "dp-agent/net_link.h"
#include "dp-agent/net_report.h"

#include "common/json.h"
#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define PEM_MAX	     (1 << 20)
#define ROOT_MAX     (1 << 20)
#define CONF_TEXT_MAX (64 << 10)
#define RETRY_MIN    1000 /* after a round that failed */

/* -- the parent, in the store's place -- */

int
net_keep(struct net *n, const char *key, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint8_t	       buf[256];
	struct wr      w = wr_to(buf, sizeof(buf));
	size_t	       done = 0;
	ssize_t	       k;
	int	       fd = memfd_create("kept", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (done < len) {
		if ((k = pwrite(fd, p + done, len - done, (off_t)done)) < 0) {
			int r = -errno;

			close(fd);
			return r;
		}
		done += (size_t)k;
	}
	wr_str(&w, key);
	return ipc_send_fds(n->keeper, MSG_KEPT_PUT, 0, buf, w.len, fd, -1);
}

static int
on_kept(void *ctx, struct ipc_msg *m)
{
	return m->id == REPORT_KEPT_ID ? report_on_kept(ctx, m)
				       : kept_on_file(ctx, m);
}

static int
on_kept_none(void *ctx, struct ipc_msg *m)
{
	return m->id == REPORT_KEPT_ID ? report_on_kept(ctx, NULL)
				       : kept_on_none(ctx);
}

static int
on_here(void *ctx, struct ipc_msg *m)
{
	return targets_on_here(ctx, m);
}

static int
on_part(void *ctx, struct ipc_msg *m)
{
	return targets_on_part(ctx, m);
}

static int
on_ok(void *ctx, struct ipc_msg *m)
{
	return targets_on_ok(ctx, m);
}

static int
on_no(void *ctx, struct ipc_msg *m)
{
	return targets_on_no(ctx, m);
}

static const struct ipc_handler from_keeper[] = {
	/* type		   nfds min max fn */
	{ MSG_KEPT,	   1, 0, 0,   on_kept },
	{ MSG_KEPT_NONE,   0, 0, 0,   on_kept_none },
	{ MSG_TARGET_HERE, 0, 0, 0,   on_here },
	{ MSG_TARGET_PART, 2, 8, 8,   on_part },
	{ MSG_STORE_OK,	   0, 0, 0,   on_ok },
	{ MSG_STORE_NO,	   0, 6, 300, on_no },
};

static void
keeper_broken(void *ctx, struct ipc *c, int r)
{
	struct net *n = ctx;

	(void)c;
	if (r != -ENOTCONN)
		log_warn_err(r, "parent: bad message");
	loop_stop(n->loop, r); /* without it there is nothing to do here */
}

/* -- the connector -- */

static void
on_socket(void *ctx, uint32_t ticket, int take_fd, const char *text)
{
	struct net *n = ctx;

	if ((ticket & LINK_TICKETS) != 0)
		link_socket(n, ticket, take_fd, text);
	else if ((ticket & REPORT_TICKETS) != 0)
		report_socket(n, ticket, take_fd, text);
	else
		downloads_socket(n->downloads, ticket, take_fd, text);
}

static void
on_sockets_lost(void *ctx, int r)
{
	struct net *n = ctx;

	worker_accuse(PEER_CONNECT, r);
	downloads_sockets_lost(n->downloads); /* the parent starts us anew */
	link_sockets_lost(n);
}

static const struct connect_client_ops connector_ops = {
	.answer = on_socket,
	.lost = on_sockets_lost,
};

static int
ask_connect(void *ctx, uint32_t ticket, const char *host, uint16_t port)
{
	struct net *n = ctx;

	return connect_client_ask(n->connector, ticket, host, port,
	    n->conf.connect_timeout * 1000);
}

static bool
may_follow(void *ctx, const struct url *to)
{
	struct net *n = ctx;

	for (size_t i = 0; i < n->nsources; i++)
		if (url_names_host(n->sources[i].url, to))
			return true;
	return false;
}

static const struct downloads_ops line = {
	.connect = ask_connect,
	.may_follow = may_follow,
};

/* -- rounds -- */

/* Time goes on while no source answers. True if something has expired. */
static bool
look_at_expiry(struct net *n)
{
	int64_t now = time(NULL), t;
	json_t *row;
	size_t	i;
	bool	any = false;

	json_array_foreach(n->metadata, i, row) {
		bool expired = js_int(row, "expires", 0, INT64_MAX, &t) == 0 &&
		    t <= now;

		json_object_set_new(row, "warning",
		    json_string(expired ? "expired" : ""));
		any = any || expired;
	}
	return any;
}

static json_t *
came(const struct target_cast *k)
{
	return json_pack("{s:I,s:I,s:I,s:i,s:I,s:s?}", "multicast",
	    (json_int_t)k->multicast, "repair", (json_int_t)k->repair,
	    "unicast", (json_int_t)k->unicast, "loss_permille", (int)k->loss,
	    "ms", (json_int_t)k->ms, "why_unicast", k->why);
}

static void
put_status(struct net *n)
{
	static const char *const states[] = { "waits", "waits", "comes",
		"comes", "verified", "failed" };
	json_t *sources = json_array(), *targets = json_array(), *o;
	char   *text, hex[HASH_HEX];

	for (size_t i = 0; i < n->nsources; i++) {
		const struct source *s = &n->sources[i];

		json_array_append_new(sources,
		    json_pack("{s:s?,s:b,s:s,s:I,s:s?}", "url", s->url,
			"proxy", n->conf.proxy[0] != '\0' && !s->direct, "state",
			s->failures > 0	  ? "failed"
			    : s->bytes > 0 ? "works"
					   : "not asked",
			"bytes", (json_int_t)s->bytes, "error", s->error));
	}
	for (size_t i = 0; i < n->ntargets; i++) {
		const struct target *t = &n->targets[i];

		hash_to_hex(&t->hash, hex);
		json_array_append_new(targets,
		    json_pack("{s:s?,s:s,s:I,s:s,s:s,s:s?,s:o}", "path", t->path,
			"state", states[t->state], "size", (json_int_t)t->size,
			"sha256", hex, "kind", t->kind, "error",
			t->state == TARGET_FAILED ? t->error : "", "came",
			came(&t->cast)));
	}
	o = json_pack("{s:I,s:I,s:s,s:s?,s:s?,s:s?,s:I,s:I,s:I,s:I,s:o,s:O,s:o}",
	    "time", (json_int_t)time(NULL), "refreshed",
	    (json_int_t)n->refreshed, "refreshed_by", n->refreshed_by, "error",
	    n->error, "group",
	    n->conf.group, "kinds", n->conf.kinds, "wanted",
	    (json_int_t)n->ntargets, "verified", (json_int_t)n->here,
	    "other_kinds", (json_int_t)n->other_kinds, "bytes",
	    (json_int_t)n->bytes, "sources", sources, "metadata", n->metadata,
	    "targets", targets);
	if (o != NULL && n->mcast != NULL) {
		json_object_set_new(o, "multicast", mcast_status(n->mcast));
		json_object_set_new(o, "carousel", news_status(n->mcast->news));
	}
	if (o != NULL && (text = json_dumps(o, JSON_COMPACT)) != NULL) {
		(void)net_keep(n, "status.json", text, strlen(text));
		free(text);
	}
	json_decref(o);
}

/* base, give or take a tenth: devices must not ask all at once. */
static uint64_t
jitter(uint64_t base)
{
	uint16_t dice = 0;

	if (getrandom(&dice, sizeof(dice), 0) < 0)
		dice = 32768; /* the middle is no worse than none */
	return base - base / 10 + base / 5 * dice / 65536;
}

static void
tell_round(struct net *n, bool known)
{
	uint8_t	  buf[700];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u8(&w, known);
	wr_u32(&w, (uint32_t)n->ntargets);
	wr_u32(&w, (uint32_t)n->here);
	wr_u64(&w, n->bytes);
	wr_str(&w, n->error);
	(void)ipc_send(n->keeper, MSG_ROUND, 0, buf, w.len);
}

static void
end_round(struct net *n, bool known)
{
	bool	 ok = known && n->here == n->ntargets;
	uint64_t ms = n->conf.interval * 1000;

	if (look_at_expiry(n) && !known)
		log_warn("metadata has expired; what was verified stays in "
			 "place, nothing new is accepted");
	put_status(n);
	tell_round(n, known);
	n->bytes = 0;
	n->rounds_failed = ok ? 0 : n->rounds_failed + 1;
	if (!ok)
		ms = download_backoff_ms(n->rounds_failed,
		    RETRY_MIN < ms ? RETRY_MIN : ms, ms);
	/* news put off no round: what a carousel says is not all there is */
	if (!ok || !n->news_round)
		loop_timer_set(n->timer, jitter(ms));
	n->in_round = false;
	link_round_over(n);
	report_round_over(n);
}

void
net_refreshed(struct net *n, bool has_list)
{
	if (has_list)
		targets_start(n);
	else
		end_round(n, false);
}

void
net_round_over(struct net *n)
{
	end_round(n, !n->looks);
}

static void
on_timer(void *ctx)
{
	struct net *n = ctx;

	if (n->in_round) /* news came first */
		loop_timer_set(n->timer, RETRY_MIN);
	else
		refresh_start(n);
}

/* -- start -- */

static int
read_file(struct net *n, const char *key, char **out, size_t *len)
{
	int r = worker_file_text(n->worker, key, PEM_MAX, out, len);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		log_err_err(r, "%s", key);
	return r;
}

/* The parent's own section of agent.conf. */
static void
read_conf(struct net *n, struct downloads_conf *dc)
{
	char  *text, *auth = NULL, err[CONF_ERR_MAX] = "";
	size_t len;
	int    r;

	if ((r = worker_file_text(n->worker, "agent.conf", CONF_TEXT_MAX, &text,
		 &len)) < 0)
		log_fatal(EXIT_TEMPORARY, "agent.conf: %s", strerror(-r));
	r = settings_from_text(agent_sections, &n->conf, text, len, err);
	free(text);
	if (r < 0)
		log_fatal(EXIT_OPERATOR, "agent.conf: %s", err);
	if (sources_init(n) < 0)
		exit(EXIT_OPERATOR);
	*dc = (struct downloads_conf){
		.connect_ms = n->conf.connect_timeout * 1000,
		.stall_ms = n->conf.stall_timeout * 1000 };
	if (read_file(n, "agent.proxy-auth", &auth, &len) < 0)
		exit(EXIT_OPERATOR);
	snprintf(dc->proxy, sizeof(dc->proxy), "%s", n->conf.proxy);
	if (auth != NULL)
		(void)url_login(auth, dc->proxy_auth, sizeof(dc->proxy_auth));
	free(auth);
}

static void
open_all(struct net *n)
{
	struct downloads_conf dc;
	int		      r;

	n->loop = worker_loop(n->worker);
	read_conf(n, &dc);
	if (downloads_setup() < 0 || tuf_setup() < 0 || hash_setup() < 0)
		log_fatal(EXIT_TEMPORARY, "libcurl or OpenSSL does not start");
	if ((r = worker_file_text(n->worker, "agent.root", ROOT_MAX,
		 &n->conf_root, &n->conf_root_len)) < 0)
		log_fatal(EXIT_OPERATOR, "agent.root: %s", strerror(-r));
	if (read_file(n, "agent.ca", &n->tls.ca, &n->tls.ca_len) < 0 ||
	    read_file(n, "agent.client-cert", &n->tls.cert,
		&n->tls.cert_len) < 0 ||
	    read_file(n, "agent.client-key", &n->tls.key, &n->tls.key_len) < 0)
		exit(EXIT_OPERATOR);
	if (n->tls.ca == NULL &&
	    (r = download_read_ca(DOWNLOAD_SYSTEM_CA, &n->tls.ca,
		 &n->tls.ca_len)) < 0 &&
	    r != -ENOENT) /* https then needs a private one */
		log_warn_err(r, "%s", DOWNLOAD_SYSTEM_CA);
	n->metadata = json_array();
	n->refreshed_by = "";
	n->in_round = true; /* which kept_ask() begins */
	if (downloads_new(n->loop, &dc, &line, n, &n->downloads) < 0 ||
	    loop_timer_new(n->loop, on_timer, n, &n->timer) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	if ((r = mcast_open(n)) < 0)
		log_fatal(EXIT_TEMPORARY, "multicast: %s", strerror(-r));
	memcpy(n->proxy_auth, dc.proxy_auth, sizeof(n->proxy_auth));
	if ((r = link_open(n)) < 0 || (r = report_open(n)) < 0)
		log_fatal(r == -EINVAL ? EXIT_OPERATOR : EXIT_TEMPORARY,
		    "start: %s", strerror(-r));
}

static void
open_channels(struct net *n)
{
	int fd, r = 0;

	if ((fd = worker_peer(n->worker, PEER_STORE)) < 0)
		log_fatal(EXIT_OPERATOR, "no channel to the parent");
	if ((r = ipc_new(n->loop, fd,
		 (struct ipc_table){ from_keeper, COUNT(from_keeper) }, n,
		 keeper_broken, 8192, &n->keeper)) == 0) {
		fd = worker_peer(n->worker, PEER_CONNECT);
		r = connect_client_new(n->loop, fd < 0 ? -1 : fd,
		    &connector_ops, n, &n->connector);
	}
	if (r < 0)
		log_fatal(EXIT_TEMPORARY, "channels: %s", strerror(-r));
}

static const struct worker_ops ops = { 0 };

int
main(int argc, char *argv[])
{
	static struct net n;
	char		  user[64];
	int		  r;

	n.worker = worker_start(PEER_FETCH, argc, argv);
	open_all(&n);
	snprintf(user, sizeof(user), "%sagent",
	    worker_settings(n.worker)->master.user_prefix);
	priv_drop(user, NULL);
	sandbox_enter(&net_sandbox);
	open_channels(&n);
	kept_ask(&n);
	link_begin(&n);
	report_begin(&n);
	r = worker_run(n.worker, &ops, &n); /* until the parent says so */
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
