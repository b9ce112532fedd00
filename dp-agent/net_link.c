/*
 * dp-agent/net_link.c - the connection that the agent keeps; see net_link.h.
 *
 * Runs in the network child. Believes whoever holds the other end, and has shown
 * a certificate of our CA's for the name we know, that a refresh would be good;
 * nothing else.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/net_link.h"

#include "common/log.h"
#include "common/size.h"
#include "dp-agent/link.h"
#include "dp-agent/net_report.h"
#include "dp-agent/sse.h"
#include "dp-agent/stream.h"
#include "dp-agent/wake.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define TELL_MS	  10000 /* between two lines about what is not understood */
#define STATUS_MS 1000
#define MINUTE_MS 60000

_Static_assert(AGENT_WAYS <= LINK_WAYS, "a link for each way");

/* A connection, from the question to the connector on. */
struct conn {
	struct net_link *nl;
	size_t		 way;
	uint32_t	 ticket; /* 0: answered */
	struct stream	*stream;
	bool		 is_open;
	uint64_t	 heard_ms;
	uint64_t	 minute_ms, minute_bytes;
	uint64_t	 leave_ms;
	char		 why[LINK_WHY]; /* bytes() refused them */
	struct sse	 sse;
};

struct net_link {
	struct net	  *n;
	struct link	   link;
	struct agent_way   ways[AGENT_WAYS];
	struct conn	  *conns[AGENT_WAYS];
	struct url	   proxy;
	bool		   has_proxy;
	uint32_t	   tickets;
	struct wakes	   wakes;
	struct loop_timer *timer;
	uint64_t	   told_ms;
	/* what was told and written */
	struct {
		uint64_t failures;
		char	 why[LINK_WHY]; /* that the log has, since it was up */
	} seen[AGENT_WAYS];
	enum link_state    was;
	size_t		   was_way;
	bool		   changed;
	uint64_t	   put_ms;
	uint64_t	   refreshes, unknown, missed;
	bool		   unsure; /* the refresh that is due is for no wake */
	char		   last_id[AGENT_WAYS][SSE_WORD_MAX + 1];
	int64_t		   woken; /* time; 0: never */
	char		   woken_what[32], woken_by[300];
};

static const char *
name_of(const struct net_link *nl, size_t way, char out[300])
{
	const struct agent_way *w = &nl->ways[way];

	snprintf(out, 300, strchr(w->host, ':') != NULL ? "%s [%s]:%u" : "%s %s:%u",
	    w->is_gateway ? "gateway" : "direct", w->host, w->port);
	return out;
}

static uint64_t
now_ms(const struct net_link *nl)
{
	return loop_now_ms(nl->n->loop);
}

static int64_t
wall(const struct net_link *nl, uint64_t ms)
{
	return ms > 0 ? time(NULL) - (int64_t)((now_ms(nl) - ms) / 1000) : 0;
}

static void
look_soon(struct net_link *nl)
{
	(void)loop_timer_set(nl->timer, 0);
}

/* -- status -- */

static json_t *
ways_status(const struct net_link *nl)
{
	json_t *rows = json_array();
	char	name[300];

	for (size_t i = 0; i < nl->link.n; i++) {
		const struct link_way *w = &nl->link.ways[i];

		json_array_append_new(rows,
		    json_pack("{s:s,s:b,s:I,s:I,s:s?}", "way",
			name_of(nl, i, name), "trial", i == nl->link.trial,
			"failures", (json_int_t)w->failures, "failed",
			(json_int_t)wall(nl, w->failed_ms), "why", w->why));
	}
	return rows;
}

json_t *
link_status(const struct net *n)
{
	const struct net_link *nl = n->link;
	const struct link     *l = &nl->link;
	char		       name[300] = "";

	if (l->way != LINK_NONE)
		name_of(nl, l->way, name);
	return json_pack("{s:s,s:s,s:I,s:I,s:I,s:o,"
			 "s:{s:I,s:s,s:s,s:I,s:I,s:I,s:I,s:I}}",
	    "state", link_state_word(l->state), "way", name, "since",
	    (json_int_t)wall(nl, l->since_ms), "way_since",
	    (json_int_t)(l->chosen == l->way ? wall(nl, l->chosen_ms) : 0),
	    "changes", (json_int_t)l->changes, "ways", ways_status(nl), "woken",
	    "time", (json_int_t)nl->woken, "what", nl->woken_what, "by",
	    nl->woken_by, "wakes", (json_int_t)nl->wakes.came, "repeated",
	    (json_int_t)nl->wakes.repeated, "refreshes",
	    (json_int_t)nl->refreshes, "unknown", (json_int_t)nl->unknown,
	    "missed", (json_int_t)nl->missed);
}

static void
put_status(struct net_link *nl)
{
	json_t *o = link_status(nl->n);
	char   *text;

	if (o != NULL && (text = json_dumps(o, JSON_COMPACT)) != NULL) {
		(void)net_keep(nl->n, "link.json", text, strlen(text));
		free(text);
	}
	json_decref(o);
	nl->changed = false;
	nl->put_ms = now_ms(nl);
}

static void
note_change(struct net_link *nl)
{
	const struct link *l = &nl->link;
	char		   name[300];

	for (size_t i = 0; i < l->n; i++) {
		const struct link_way *w = &l->ways[i];

		if (w->failures == nl->seen[i].failures)
			continue;
		nl->changed = true;
		nl->seen[i].failures = w->failures;
		if (strcmp(nl->seen[i].why, w->why) != 0) /* once, however often */
			log_info("link: %s: %s", name_of(nl, i, name), w->why);
		memcpy(nl->seen[i].why, w->why, sizeof(w->why));
	}
	if (l->state == nl->was && l->way == nl->was_way)
		return;
	if (l->state == LINK_UP) {
		log_info("link: %s is up", name_of(nl, l->way, name));
		nl->seen[l->way].why[0] = '\0';
	}
	nl->was = l->state;
	nl->was_way = l->way;
	nl->changed = true;
}

/* -- what comes -- */

static void
complain(struct conn *c, const char *what)
{
	struct net_link *nl = c->nl;
	uint64_t	 now = now_ms(nl);
	char		 name[300];

	nl->unknown++;
	if (nl->told_ms != 0 && now - nl->told_ms < TELL_MS)
		return;
	nl->told_ms = now;
	log_warn("%s: \"%.100s\": ignored", name_of(nl, c->way, name), what);
}

/* A device's place in what is spread over time. */
static uint32_t
roll(void)
{
	uint32_t dice;

	return getrandom(&dice, sizeof(dice), 0) == (ssize_t)sizeof(dice)
	    ? dice : UINT32_MAX / 2;
}

static void
take_wake(struct conn *c, const struct push_message *m)
{
	struct net_link *nl = c->nl;
	uint64_t	 spread = nl->n->conf.push_spread * 1000;
	uint32_t	 dice = 0;

	if (!wakes_is_new(&nl->wakes, m))
		return;
	nl->woken = time(NULL);
	snprintf(nl->woken_what, sizeof(nl->woken_what), "%s", m->what);
	name_of(nl, c->way, nl->woken_by);
	nl->changed = true;
	look_soon(nl);
	if (m->kind == PUSH_OTHER ||
	    (m->kind == PUSH_REPORT && nl->n->report == NULL)) {
		complain(c, m->what);
		return;
	}
	if (m->is_for_many)
		dice = roll();
	if (m->kind == PUSH_REPORT) {
		report_wanted(nl->n, m->is_for_many ? spread * dice >> 32 : 0);
		return;
	}
	wakes_add(&nl->wakes, m, now_ms(nl), spread, dice);
	nl->unsure = false;
}

/* Nobody knows which wakes were for us while we were away, so this is one for
 * many: all who lost the same gateway come back to it. */
static void
make_up(struct conn *c)
{
	static const struct push_message m = { .kind = PUSH_REFRESH,
		.is_for_many = true };
	struct net_link *nl = c->nl;

	nl->unsure = nl->unsure || wakes_due(&nl->wakes) == UINT64_MAX;
	nl->missed++;
	nl->changed = true;
	wakes_add(&nl->wakes, &m, now_ms(nl), nl->n->conf.push_spread * 1000,
	    roll());
}

static int
take_event(struct conn *c, const struct sse_item *item)
{
	struct push_message m;
	char		    why[200];

	if (push_parse(&m, item->type, item->data, item->len, why,
		sizeof(why)) < 0)
		complain(c, why);
	else if (m.kind == PUSH_LEAVE) {
		c->leave_ms = m.delay_ms;
		return -ESHUTDOWN;
	} else if (strcmp(item->type, "wake") != 0)
		complain(c, m.what);
	else
		take_wake(c, &m);
	return 0;
}

static int
too_much(struct conn *c, const char *why)
{
	snprintf(c->why, sizeof(c->why), "%s", why);
	return -EMSGSIZE;
}

static int
on_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct conn    *c = ctx;
	struct sse_item item;
	uint64_t	now = now_ms(c->nl);
	int		r;

	if (now - c->minute_ms >= MINUTE_MS) {
		c->minute_ms = now;
		c->minute_bytes = 0;
	}
	if ((c->minute_bytes += n) > LINK_BYTES)
		return too_much(c, "sends too much");
	while ((r = sse_next(&c->sse, &p, &n, &item)) == 1) {
		c->heard_ms = now;
		if (item.kind == SSE_EVENT && (r = take_event(c, &item)) < 0)
			break;
	}
	memcpy(c->nl->last_id[c->way], c->sse.id, sizeof(c->sse.id));
	if (r == -ESHUTDOWN)
		return r;
	return r < 0 ? too_much(c, "sends a line or an event without an end") : 0;
}

/* -- connections -- */

static void
conn_free(struct net_link *nl, size_t way)
{
	struct conn *c = nl->conns[way];

	nl->conns[way] = NULL;
	stream_end(&c->stream);
	free(c);
}

static void
conn_failed(struct conn *c, const char *why)
{
	struct net_link *nl = c->nl;
	size_t		 way = c->way;
	char		 text[LINK_WHY];

	snprintf(text, sizeof(text), "%.*s", LINK_WHY - 1, why); /* may be its */
	conn_free(nl, way);
	link_failed(&nl->link, way, now_ms(nl), text);
	look_soon(nl);
}

static void
on_opened(void *ctx)
{
	struct conn *c = ctx;

	c->is_open = true;
	c->heard_ms = now_ms(c->nl);
	link_answered(&c->nl->link, c->way, c->heard_ms);
	if (!stream_resumed(c->stream))
		make_up(c);
	look_soon(c->nl);
}

static void
on_ended(void *ctx, int r, long status, const char *why)
{
	struct conn	*c = ctx;
	struct net_link *nl = c->nl;
	uint64_t	 leave_ms = c->leave_ms;
	size_t		 way = c->way;
	char		 name[300];

	(void)status;
	c->stream = NULL; /* it is gone */
	if (r != -ESHUTDOWN) {
		conn_failed(c, c->why[0] != '\0' ? c->why
			: r == 0		 ? "has ended the connection"
						 : why);
		return;
	}
	conn_free(nl, way);
	log_info("link: %s asks to come back in %" PRIu64 ".%03u s",
	    name_of(nl, way, name), leave_ms / 1000, (unsigned)(leave_ms % 1000));
	link_left(&nl->link, way, now_ms(nl), leave_ms);
	look_soon(nl);
}

static int
conn_url(const struct net_link *nl, size_t way, char out[URL_LEN])
{
	const struct agent_way *w = &nl->ways[way];
	char			base[URL_HOST_LEN + 32], group[3 * 256];
	int			n;

	snprintf(base, sizeof(base),
	    strchr(w->host, ':') != NULL ? "https://[%s]:%u" : "https://%s:%u",
	    w->host, w->port);
	if (url_escape(nl->n->conf.group, false, group, sizeof(group)) < 0)
		return -EINVAL;
	n = snprintf(out, URL_LEN, "%s/v1/push?group=%s", base, group);
	return n > 0 && n < URL_LEN ? 0 : -EINVAL;
}

static int
conn_start(struct conn *c, int take_fd)
{
	struct net_link	  *nl = c->nl;
	struct agent_way  *way = &nl->ways[c->way];
	char		   url[URL_LEN];
	struct stream_want w = { .url = url, .tls = &nl->n->tls,
		.host = nl->has_proxy ? nl->proxy.host : way->host,
		.port = nl->has_proxy ? nl->proxy.port : way->port,
		.proxy = nl->has_proxy ? nl->n->conf.proxy : "",
		.proxy_auth = nl->has_proxy ? nl->n->proxy_auth : "",
		.type = "text/event-stream",
		.last_id = push_id_is_good(nl->last_id[c->way])
			? nl->last_id[c->way] : "", .opened = on_opened,
		.bytes = on_bytes, .ended = on_ended, .ctx = c };
	int		   r = conn_url(nl, c->way, url);

	if (r < 0) {
		close(take_fd);
		return r;
	}
	sse_resume(&c->sse, w.last_id);
	return stream_start(nl->n->loop, take_fd, &w, &c->stream);
}

void
link_socket(struct net *n, uint32_t ticket, int take_fd, const char *text)
{
	struct net_link *nl = n->link;
	struct conn	*c = NULL;
	int		 r;

	for (size_t i = 0; nl != NULL && i < nl->link.n; i++)
		if (nl->conns[i] != NULL && nl->conns[i]->ticket == ticket)
			c = nl->conns[i];
	if (c == NULL) { /* it is not wanted any more */
		if (take_fd >= 0)
			close(take_fd);
		return;
	}
	c->ticket = 0;
	if (take_fd < 0)
		conn_failed(c, text);
	else if ((r = conn_start(c, take_fd)) < 0)
		conn_failed(c, strerror(-r));
}

void
link_sockets_lost(struct net *n)
{
	struct net_link *nl = n->link;

	for (size_t i = 0; nl != NULL && i < nl->link.n; i++)
		if (nl->conns[i] != NULL && nl->conns[i]->ticket != 0)
			conn_failed(nl->conns[i], "the connector is away");
}

static void
conn_open(struct net_link *nl, size_t way)
{
	struct conn *c = calloc(1, sizeof(*c));
	int	     r;

	if (c == NULL) {
		link_failed(&nl->link, way, now_ms(nl), "no memory");
		return;
	}
	c->nl = nl;
	c->way = way;
	c->ticket = LINK_TICKETS | (++nl->tickets & (LINK_TICKETS - 1));
	nl->conns[way] = c;
	r = connect_client_ask(nl->n->connector, c->ticket,
	    nl->has_proxy ? nl->proxy.host : nl->ways[way].host,
	    nl->has_proxy ? nl->proxy.port : nl->ways[way].port,
	    nl->n->conf.connect_timeout * 1000);
	if (r < 0)
		conn_failed(c, strerror(-r));
}

/* Connections as they are wanted; one that cannot be begun is told at once, and
 * may make another one wanted, but no way twice. */
static void
reconcile(struct net_link *nl)
{
	for (size_t turn = 0; turn <= nl->link.n; turn++)
		for (size_t i = 0; i < nl->link.n; i++) {
			bool wanted = link_wants(&nl->link, i);

			if (wanted && nl->conns[i] == NULL)
				conn_open(nl, i);
			else if (!wanted && nl->conns[i] != NULL)
				conn_free(nl, i);
		}
}

/* -- time -- */

/* Gives up who is silent; the time of the next who may be. */
static uint64_t
look_for_silence(struct net_link *nl, uint64_t now)
{
	uint64_t limit = nl->n->conf.push_keepalive * 2500, next = UINT64_MAX;
	char	 why[80];

	snprintf(why, sizeof(why), "was silent for %" PRIu64 " s", limit / 1000);
	for (size_t i = 0; i < nl->link.n; i++) {
		struct conn *c = nl->conns[i];

		if (c == NULL || !c->is_open)
			continue;
		if (now >= c->heard_ms + limit)
			conn_failed(c, why);
		else if (c->heard_ms + limit < next)
			next = c->heard_ms + limit;
	}
	return next;
}

static void
refresh_if_due(struct net_link *nl, uint64_t now)
{
	if (wakes_due(&nl->wakes) > now || nl->n->in_round)
		return;
	wakes_begun(&nl->wakes, now);
	nl->refreshes++;
	nl->changed = true;
	if (nl->unsure)
		log_info("link: was away, and may have missed wakes: refresh");
	else
		log_info("woken for %s by %s: refresh", nl->woken_what,
		    nl->woken_by);
	nl->unsure = false;
	refresh_start(nl->n);
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void
on_time(void *ctx)
{
	struct net_link *nl = ctx;
	uint64_t	 now = now_ms(nl), next = look_for_silence(nl, now);

	next = earlier(next, link_tick(&nl->link, now));
	reconcile(nl);
	refresh_if_due(nl, now);
	note_change(nl);
	if (nl->changed && now >= nl->put_ms + STATUS_MS)
		put_status(nl);
	if (nl->changed)
		next = earlier(next, nl->put_ms + STATUS_MS);
	if (!nl->n->in_round) /* else link_round_over() looks */
		next = earlier(next, wakes_due(&nl->wakes));
	/* what failed to begin has changed the link's own time */
	next = earlier(next, link_tick(&nl->link, now));
	(void)loop_timer_set(nl->timer, next > now ? next - now : 0);
}

void
link_round_over(struct net *n)
{
	if (n->link != NULL)
		look_soon(n->link);
}

void
link_begin(struct net *n)
{
	if (n->link != NULL)
		look_soon(n->link);
}

int
link_open(struct net *n)
{
	struct net_link *nl;
	uint64_t	 seed;
	size_t		 ways;
	int		 r;

	if ((nl = calloc(1, sizeof(*nl))) == NULL)
		return -ENOMEM;
	nl->n = n;
	if ((ways = agent_ways(&n->conf, nl->ways)) == 0) {
		free(nl);
		return 0;
	}
	nl->has_proxy = strcmp(n->conf.proxy_for, "all") == 0 &&
	    n->conf.proxy[0] != '\0' && url_parse(n->conf.proxy, &nl->proxy) == 0;
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		seed = (uint64_t)time(NULL) ^ (uint64_t)getpid();
	link_init(&nl->link, ways, n->conf.connect_timeout * 1000,
	    n->conf.connect_hold * 1000, loop_now_ms(n->loop), seed);
	nl->was_way = LINK_NONE;
	nl->changed = true;
	if ((r = loop_timer_new(n->loop, on_time, nl, &nl->timer)) < 0) {
		free(nl);
		return r;
	}
	n->link = nl;
	return 0;
}
