/*
 * dp-mcast/mcast.c - the multicast sender as a worker: configuration, groups,
 * peers, reload, drain; see mcast.h.
 *
 * Runs in dp-mcast. Believes the master, and of the store what is in its
 * messages' shapes; believes nothing that comes to a group's socket.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/mcast.h"

#include "common/log.h"
#include "common/size.h"
#include "common/value.h"
#include "dp-mcast/carousel.h"
#include "dp-mcast/session.h"
#include "dp-mcast/want.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEYS	 "keys" /* in our table of the store */
#define DRAIN_MS 2000	/* for telling receivers that it is over */

/* -- the groups -- */

static int
group_open(struct group *g, int take_fd, const char *text)
{
	struct sockaddr_storage from = { 0 };
	socklen_t		len = sizeof(from);
	char			word[MCAST_GROUP_TEXT], err[MCAST_ERR];
	size_t			pos = 0;
	unsigned		scope = 0;

	g->fd = take_fd;
	if (!value_word(text, &pos, word, sizeof(word)) ||
	    mcast_group_parse(word, &g->at, err) < 0)
		return -EINVAL;
	if (getsockname(take_fd, (struct sockaddr *)&from, &len) < 0)
		return -errno;
	if (from.ss_family != g->at.family)
		return -EAFNOSUPPORT;
	if (from.ss_family == AF_INET6) /* of a link-local source */
		scope = ((struct sockaddr_in6 *)&from)->sin6_scope_id;
	mcast_group_addr(&g->at, MCAST_NOTICE_PORT, scope, &g->notices);
	g->addr_len = mcast_group_addr(&g->at, MCAST_PORT, scope, &g->data);
	return 0;
}

static void
groups_close(struct group *groups, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		loop_io_free(&groups[i].io);
		close(groups[i].fd);
	}
}

static void
on_report(void *ctx, int events)
{
	struct group *g = ctx;

	(void)events;
	sessions_hear(g->m, g->index);
}

static bool
same_groups(const struct mcast *m, const struct group *next, size_t n)
{
	if (n != m->ngroups)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(next[i].text, m->groups[i].text) != 0)
			return false;
	return true;
}

/* The new ones take effect: what is being sent to others begins anew. */
static int
groups_take(struct mcast *m, const struct group *next, size_t n)
{
	int r = 0;

	groups_close(m->groups, m->ngroups);
	memcpy(m->groups, next, n * sizeof(next[0]));
	m->ngroups = n;
	for (size_t i = 0; r == 0 && i < n; i++) {
		m->groups[i].m = m;
		m->groups[i].index = (unsigned)i;
		r = loop_io_new(m->loop, m->groups[i].fd, LOOP_READ, on_report,
		    &m->groups[i], &m->groups[i].io);
	}
	return r;
}

/* -- what the time of day says -- */

static void keep_keys(struct mcast *m);

static void
on_minute(void *ctx)
{
	struct mcast *m = ctx;
	time_t	      now = time(NULL);
	struct tm     tm;

	localtime_r(&now, &tm);
	m->rate = wan_rate_at(&m->rates, &tm);
	sessions_share(m);
	if (m->keys_kept && keys_due(m->keys, m->conf.rotate, now)) {
		if (keys_rotate(m->keys, now) < 0)
			log_err("no random numbers: the keys stay");
		keep_keys(m);
		carousel_restart(m->carousel); /* its session never ends */
	}
	(void)loop_timer_set(m->minute, (uint64_t)(60 - tm.tm_sec % 60) * 1000);
}

/* Everything the configuration says, or nothing of it. */
static int
configure(struct mcast *m)
{
	const struct settings *s = worker_settings(m->w);
	struct group	       next[MCAST_GROUPS] = { 0 };
	char		       err[WAN_ERR];
	struct wan	       rates;
	size_t		       n = 0;
	int		       fd, r = 0;

	if (wan_parse(s->multicast.rate, &rates, err) < 0) {
		log_err("multicast.rate: %s", err); /* was read before */
		return -EINVAL;
	}
	while (r == 0 && n < MCAST_GROUPS &&
	    (fd = worker_socket(m->w, "multicast.group", (unsigned)n,
		 next[n].text, sizeof(next[n].text))) >= 0) {
		if ((r = group_open(&next[n], fd, next[n].text)) < 0)
			log_err_err(r, "multicast.group: %s", next[n].text);
		n++;
	}
	if (r < 0) {
		groups_close(next, n);
		return r;
	}
	bool others = !same_groups(m, next, n);
	bool restart = others || strcmp(m->conf.mode, s->multicast.mode) != 0;

	if (others)
		keys_forget_heard(m->keys);
	if ((r = groups_take(m, next, n)) < 0)
		return r;
	m->conf = s->multicast;
	m->rates = rates;
	m->is_open = strcmp(m->conf.mode, "open") == 0;
	if (restart)
		sessions_restart(m);
	return 0;
}

/* -- keys, in the store's table -- */

static void
on_kept(void *ctx, const struct store_answer *a)
{
	struct mcast *m = ctx;

	if (a->r == -ENOTCONN)
		return; /* again when the store is back */
	if (a->r < 0)
		log_err("keys: not kept: %s; a restart will begin with new ones",
		    a->text);
	m->keys_kept = true;
}

/* Until they are kept nobody is told new ones. */
static void
keep_keys(struct mcast *m)
{
	uint8_t buf[KEYS_SAVE_MAX];
	size_t	n = keys_save(m->keys, buf);

	m->keys_kept = false;
	(void)store_table_put(m->store, KEYS, buf, n, on_kept, m);
}

static void
revoked(struct mcast *m)
{
	int r = keys_revoked(m->keys, &m->crl, time(NULL));

	if (r < 0)
		log_err_err(r, "keys: revocation");
	if (r != 1)
		return;
	worker_event(m->w, "keys-replaced", json_pack("{s:s}", "reason",
	    "the list of revoked certificates is another one"));
	keep_keys(m);
	sessions_restart(m);
	carousel_restart(m->carousel);
}

static void
on_keys(void *ctx, const struct store_answer *a)
{
	struct mcast *m = ctx;

	if (a->r == -ENOTCONN)
		return;
	if (a->r == 0 && keys_load(m->keys, a->bytes, a->len) < 0)
		log_warn("keys: what was kept is not readable: new ones");
	else if (a->r < 0 && a->r != -ENOENT)
		log_warn("keys: %s: new ones", a->text);
	m->keys_read = m->keys_kept = true;
	on_minute(m); /* makes the first ones */
	if (m->has_crl)
		revoked(m);
	for (unsigned i = 0; i < COUNT(m->snapshots); i++)
		if (m->snapshots[i][0] != '\0')
			carousel_snapshot(m->carousel, m->snapshots[i]);
}

/* -- peers -- */

static void
store_broken(void *ctx, int r)
{
	(void)ctx;
	worker_accuse(PEER_STORE, r);
}

/* The store tells each space as soon as it is there. */
static void
on_snapshot(void *ctx, const char *space, uint64_t generation)
{
	struct mcast *m = ctx;

	(void)generation;
	if (m->keys_read) {
		carousel_snapshot(m->carousel, space);
		return;
	}
	for (unsigned i = 0; i < COUNT(m->snapshots); i++)
		if (m->snapshots[i][0] == '\0' ||
		    strcmp(m->snapshots[i], space) == 0) {
			snprintf(m->snapshots[i], sizeof(m->snapshots[i]), "%s",
			    space);
			return;
		}
}

static const struct store_client_ops store_ops = {
	.snapshot = on_snapshot,
	.broken = store_broken,
};

static int
take_store(struct mcast *m, int take_fd)
{
	int r = store_client_attach(m->store, take_fd);

	if (r < 0)
		return r;
	if (!m->keys_read)
		return store_table_get(m->store, KEYS, on_keys, m);
	if (!m->keys_kept)
		keep_keys(m);
	return 0;
}

static int
on_revocations(void *ctx, struct ipc_msg *msg)
{
	struct mcast  *m = ctx;
	const uint8_t *h = rd_bytes(&msg->rd, HASH_LEN);

	if (rd_done(&msg->rd) < 0)
		return -EBADMSG;
	memcpy(m->crl.b, h, HASH_LEN);
	m->has_crl = true;
	if (m->keys_read)
		revoked(m);
	return 0;
}

static const struct ipc_handler from_serve[] = {
	/* type		   nfds min	  max	    fn */
	{ MSG_API_GET,	   0,	5,	  300,	    api_on_get },
	{ MSG_REVOCATIONS, 0,	HASH_LEN, HASH_LEN, on_revocations },
};

static void
serve_broken(void *ctx, struct ipc *c, int r)
{
	struct mcast *m = ctx;

	worker_accuse(PEER_SERVE, r);
	ipc_free(&c);
	m->serve = NULL;
	wants_forget_askers(m->wants);
}

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	const struct ipc_table t = { from_serve, COUNT(from_serve) };
	struct mcast	      *m = ctx;
	int		       r = 0;

	if (role == PEER_STORE)
		r = take_store(m, take_fd);
	else if (role == PEER_SERVE) {
		if (m->serve != NULL)
			serve_broken(m, m->serve, -ENOTCONN);
		r = ipc_new(m->loop, take_fd, t, m, serve_broken, 4096,
		    &m->serve);
	} else
		close(take_fd);
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
}

/* -- what the master wants -- */

static int
on_reload(void *ctx)
{
	struct mcast *m = ctx;
	int	      r = configure(m);

	if (r < 0)
		return r;
	on_minute(m);
	if (m->keys_read)
		carousel_restart(m->carousel);
	return 0;
}

static void
on_drained(void *ctx)
{
	worker_drained(((struct mcast *)ctx)->w);
}

void
mcast_idle(struct mcast *m)
{
	if (m->draining && sessions_count(m) == 0)
		worker_drained(m->w);
}

static void
on_drain(void *ctx)
{
	struct mcast *m = ctx;

	m->draining = true; /* nothing new begins */
	(void)sessions_abort(m, NULL);
	(void)loop_timer_set(m->drain, DRAIN_MS);
	mcast_idle(m);
}

/* -- life -- */

struct mcast *
mcast_open(struct worker *w)
{
	static const enum peer_role peers[] = { PEER_STORE, PEER_SERVE };
	struct mcast		   *m = calloc(1, sizeof(*m));
	int			    fd;

	if (m == NULL)
		log_fatal(EXIT_TEMPORARY, "no memory");
	m->w = w;
	m->loop = worker_loop_precise(w); /* trains leave in time */
	tzset();
	if (store_client_new(m->loop, -1, &store_ops, m, &m->store) < 0 ||
	    keys_new(&m->keys) < 0 || wants_new(m, &m->wants) < 0 ||
	    sessions_new(m, &m->sessions) < 0 ||
	    carousel_new(m, &m->carousel) < 0 ||
	    loop_timer_new(m->loop, on_minute, m, &m->minute) < 0 ||
	    loop_timer_new(m->loop, on_drained, m, &m->drain) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	if (configure(m) < 0)
		log_fatal(EXIT_OPERATOR, "cannot send with this configuration");
	on_minute(m);
	for (size_t i = 0; i < COUNT(peers); i++)
		if ((fd = worker_peer(w, peers[i])) >= 0)
			on_peer(m, peers[i], fd);
	return m;
}

int
mcast_run(struct mcast *m)
{
	static const struct worker_ops ops = {
		.peer = on_peer,
		.reload = on_reload,
		.drain = on_drain,
		.commands = mcast_commands,
		.metrics = mcast_metrics,
	};

	return worker_run(m->w, &ops, m);
}

void
mcast_close(struct mcast **mp)
{
	struct mcast *m = *mp;

	carousel_free(&m->carousel);
	sessions_free(&m->sessions);
	wants_free(&m->wants);
	groups_close(m->groups, m->ngroups);
	ipc_free(&m->serve);
	store_client_free(&m->store);
	keys_free(&m->keys);
	loop_timer_free(&m->minute);
	loop_timer_free(&m->drain);
	free(m);
	*mp = NULL;
}
