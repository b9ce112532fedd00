/*
 * dp-agent/mcast.c - the groups, their keys and sessions; see mcast.h.
 *
 * Runs in the network child, behind its sandbox. Believes the distribution point
 * about keys, over mTLS; packets and notices when they open under a key; and
 * what they then say within the bounds of common/fdt.h and receiver.h.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast.h"

#include "common/log.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define TURN_PACKETS 2048 /* of one group, then the others have their turn */
#define TURN_NOTICES 64
#define TICK_MS	     500
#define DATA_QUIET_MS 60000 /* a session nobody speaks of is forgotten */
#define ASK_AGAIN_MS 5000   /* at the earliest */
#define ASK_SHARE    5	    /* part of the interval to spread questions over:
			     * 500 a second come, as 100 do otherwise */
#define OFF_MS	     600000 /* a distribution point that sends no multicast */
#define AWAY_MS	     30000  /* one that did not answer */
#define ANSWER_MAX   65536

uint64_t
mcast_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* -- keys -- */

static int next_keys(struct mcast *m);

static void
keys_failed(struct mcast *m, const char *why, uint64_t off_ms)
{
	bool is_new = strcmp(m->error, why) != 0;

	snprintf(m->error, sizeof(m->error), "%s", why);
	if (next_keys(m) == 0)
		return;
	m->off_ms = loop_now_ms(m->n->loop) + off_ms;
	if (is_new)
		log_info("multicast: %s", m->error);
	cast_keys_came(m, m->error);
}

static void
on_keys(void *ctx, const struct download_result *res)
{
	struct mcast	 *m = ctx;
	struct mcast_keys k;
	char		  why[200];

	m->keys_http = NULL;
	if (res->r < 0) {
		keys_failed(m, res->text, res->r == -ENOENT ? OFF_MS : AWAY_MS);
		return;
	}
	if (mcast_keys_parse(&k, res->bytes, res->len, why, sizeof(why)) < 0) {
		char text[300];

		snprintf(text, sizeof(text), "%.90s/v1/multicast: %.190s",
		    m->n->sources[m->source].url, why);
		keys_failed(m, text, AWAY_MS);
		return;
	}
	if (!m->has_keys || k.open != m->keys.open ||
	    k.generations[0].id != m->keys.generations[0].id)
		m->strange_ms = m->strange_wait_ms = 0;
	/* a fresh registration has a fresh key, and counts from 1 */
	m->keys = k;
	OPENSSL_cleanse(&k, sizeof(k));
	m->has_keys = true;
	m->error[0] = '\0';
	m->keys_ms = loop_now_ms(m->n->loop);
	m->reported = 0;
	for (struct session *s = m->sessions; s != NULL; s = s->next)
		mcast_sealer_free(&s->reporter);
	cast_keys_came(m, NULL);
}

/* The next distribution point that speaks HTTPS. */
static int
next_keys(struct mcast *m)
{
	struct net *n = m->n;
	char	    url[URL_LEN];
	const char *urls[1] = { url };
	struct download_want w = { .urls = urls, .nurls = 1, .tls = &n->tls,
		.max = ANSWER_MAX, .fd = -1, .read_fd = -1, .done = on_keys,
		.ctx = m };

	while (source_pick(n, m->tried, &m->source) == 0) {
		const struct source *s = &n->sources[m->source];

		m->tried |= 1U << m->source;
		w.direct = s->direct;
		if (s->is_point && url_at_host(s->url, "/v1/multicast", url,
		    sizeof(url)) == 0 && strncmp(url, "https:", 6) == 0 &&
		    download_start(n->downloads, &w, &m->keys_http) == 0)
			return 0;
	}
	return -ENOENT;
}

void
mcast_need_keys(struct mcast *m)
{
	uint64_t now = loop_now_ms(m->n->loop);

	if (m->keys_http != NULL ||
	    (m->asked_ms > 0 && now - m->asked_ms < ASK_AGAIN_MS && m->has_keys))
		return;
	m->asked_ms = now;
	m->tried = 0;
	if (next_keys(m) < 0)
		keys_failed(m, "no distribution point with an https:// address",
		    OFF_MS);
}

static void
on_later(void *ctx)
{
	struct mcast *m = ctx;
	uint64_t      most = m->keys.interval_s * 1000, wait = ASK_AGAIN_MS;

	m->later_set = false;
	if (m->strange_wait_ms > 0 && 2 * m->strange_wait_ms <= most)
		wait = 2 * m->strange_wait_ms;
	else if (m->strange_wait_ms > 0)
		wait = m->strange_wait_ms;
	m->strange_wait_ms = wait;
	m->strange_ms = loop_now_ms(m->n->loop) + wait;
	mcast_need_keys(m);
}

/*
 * A generation that we do not know, or the other mode. All devices hear it at
 * once: they ask one by one. And it may be nobody's, in a packet of anybody's: as
 * long as the answer brings no news, the next question comes later and later.
 */
static void
need_keys_later(struct mcast *m)
{
	uint16_t dice = 0;
	uint64_t interval = m->keys.interval_s * 1000, spread = interval / ASK_SHARE,
		 now = loop_now_ms(m->n->loop);

	if (m->later_set || now < m->strange_ms)
		return;
	if (now - m->strange_ms > interval)
		m->strange_wait_ms = 0;
	if (getrandom(&dice, sizeof(dice), 0) < 0)
		dice = 32768;
	m->later_set = loop_timer_set(m->later, spread * dice / 65536) == 0;
}

static const struct mcast_generation *
generation_of(const struct mcast *m, uint16_t id)
{
	for (unsigned i = 0; i < m->keys.ngenerations; i++)
		if (m->keys.generations[i].id == id)
			return &m->keys.generations[i];
	return NULL;
}

/* -- sessions -- */

static void
offer_free(struct offer *o)
{
	free(o->file.name);
	free(o);
}

/* The cast that object toi of a session belongs to. */
static struct cast *
cast_of(const struct session *s, uint16_t toi)
{
	struct cast *c = s->m->casts;

	while (c != NULL && (c->session != s || c->toi != toi))
		c = c->next;
	return c;
}

/* Who only lingers can be without it. */
static bool
is_wanted(const struct session *s)
{
	for (const struct cast *c = s->m->casts; c != NULL; c = c->next)
		if (c->session == s && c->state != CAST_LINGERS)
			return true;
	return news_wants(s);
}

/* Of a session that is not wanted. */
static void
session_free(struct session *s)
{
	struct mcast	*m = s->m;
	struct session **p;
	struct offer	*o;
	struct cast	*c, *next;

	for (c = m->casts; c != NULL; c = next) {
		next = c->next;
		if (c->session == s)
			cast_ended(c, "");
	}
	for (p = &m->sessions; *p != s; p = &(*p)->next)
		;
	*p = s->next;
	m->nsessions--;
	news_gone(s);
	while ((o = s->offers) != NULL) {
		s->offers = o->next;
		offer_free(o);
	}
	mcast_sealer_free(&s->w.opener);
	mcast_sealer_free(&s->reporter);
	fdt_gather_fini(&s->gather);
	free(s);
}

/* Of those that nobody listens to, the first to go: a stranger, or else the one
 * silent longest. NULL: there is none. */
static struct session *
expendable(const struct mcast *m, const struct session *but)
{
	struct session *worst = NULL;

	for (struct session *s = m->sessions; s != NULL; s = s->next)
		if (s != but && !is_wanted(s) &&
		    (worst == NULL || s->authentic < worst->authentic ||
			(s->authentic == worst->authentic &&
			    s->heard_ms < worst->heard_ms)))
			worst = s;
	return worst;
}

/* There is a place more than SESSIONS_MAX, so that who is a stranger as yet
 * pushes out strangers only: anybody can send what looks like a beginning. */
static bool
make_room(struct mcast *m)
{
	struct session *s;

	if (m->nsessions <= SESSIONS_MAX)
		return true;
	s = expendable(m, NULL);
	if (s == NULL || s->authentic)
		return false;
	session_free(s);
	return true;
}

static int
session_key(struct session *s, const struct alc_head *h)
{
	const struct mcast_generation *g = generation_of(s->m, h->generation);
	struct mcast_key	       key;
	int			       r;

	if (g == NULL) { /* rotated, or nobody's: the point will say */
		need_keys_later(s->m);
		return -ENOENT;
	}
	s->generation = h->generation;
	memcpy(s->salt, h->salt, sizeof(s->salt));
	if ((r = mcast_key_session(&key, g->secret, h->salt, h->generation,
		 h->tsi)) == 0 &&
	    (r = mcast_sealer_new(&s->w.opener, MCAST_OPENS)) == 0)
		r = mcast_sealer_key(s->w.opener, &key);
	OPENSSL_cleanse(&key, sizeof(key));
	return r;
}

/* A session begins with a packet of its FDT, whose salt gives the key. */
static struct session *
session_begin(struct group *g, const struct alc_head *h)
{
	struct mcast   *m = g->m;
	struct session *s;

	if (!m->has_keys) {
		if (m->casts != NULL)
			mcast_need_keys(m);
		return NULL;
	}
	if (h->toi != ALC_TOI_FDT)
		return NULL;
	if (m->keys.open == ((h->flags & ALC_SALT) != 0)) {
		need_keys_later(m);
		return NULL;
	}
	if (!make_room(m) || (s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->m = m;
	s->group = g;
	s->w.tsi = h->tsi;
	s->heard_ms = m->batch_ms;
	s->next = m->sessions;
	m->sessions = s;
	m->nsessions++;
	if (!m->keys.open && session_key(s, h) < 0) {
		session_free(s);
		return NULL;
	}
	return s;
}

static struct session *
session_find(struct mcast *m, uint16_t tsi)
{
	struct session *s = m->sessions;

	while (s != NULL && s->w.tsi != tsi)
		s = s->next;
	return s;
}

/*
 * One sender a session identifier: another salt is another session, which may
 * begin when this one has fallen silent, or was never authentic.
 */
static struct mcast_session *
on_session(void *ctx, const struct alc_head *h)
{
	struct group   *g = ctx;
	struct session *s = session_find(g->m, h->tsi);

	if (s != NULL && (h->flags & ALC_SALT) != 0 && s->w.opener != NULL &&
	    memcmp(s->salt, h->salt, sizeof(s->salt)) != 0) {
		if (is_wanted(s) || (s->authentic &&
		    g->m->batch_ms - s->heard_ms <
			g->m->n->conf.mcast_silence * 1000))
			return NULL;
		session_free(s);
		s = NULL;
	}
	if (s == NULL)
		s = session_begin(g, h);
	return s != NULL ? &s->w : NULL;
}

static void
heard(struct session *s)
{
	struct session *worst;

	if (!s->authentic && s->m->nsessions > SESSIONS_MAX &&
	    (worst = expendable(s->m, s)) != NULL)
		session_free(worst);
	s->authentic = true;
	s->heard_ms = s->m->batch_ms;
}

static uint8_t *
on_place(void *ctx, struct mcast_session *w, const struct alc_head *h, size_t n)
{
	struct session *s = (struct session *)w;
	struct cast    *c = cast_of(s, h->toi);
	uint16_t	len;
	uint8_t	       *p;

	(void)ctx;
	if (c == NULL)
		return news_place(s, h, n);
	if ((p = receiver_slot(c->rx, h->sbn, h->sbl, h->esi, &len)) == NULL)
		return NULL;
	return n == len ? p : NULL;
}

static void
on_unwanted(void *ctx, struct mcast_session *w, const struct alc_head *h)
{
	struct cast *c = cast_of((struct session *)w, h->toi);

	(void)ctx;
	if (c != NULL)
		receiver_packet(c->rx, c->m->batch_ns, h->counter, false);
}

static void
on_placed(void *ctx, struct mcast_session *w, const struct alc_head *h, size_t n)
{
	struct session *s = (struct session *)w;
	struct cast    *c = cast_of(s, h->toi);

	(void)ctx;
	heard(s);
	if (c == NULL) {
		news_placed(s, h, n);
		return;
	}
	/* a failure is the receiver's state, which mcast_run() looks at */
	(void)receiver_commit(c->rx, c->m->batch_ns, h->counter, h->sbn, h->esi);
	cast_moved(c);
}

/* The newest description of an object identifier counts, but what a cast began
 * with stays, whatever a later one says. */
static void
offer(struct session *s, struct fdt_file *f)
{
	struct offer **p = &s->offers, *o;
	struct cast   *c;

	while ((o = *p) != NULL && o->file.toi != f->toi &&
	    (o->next != NULL || s->noffers < OFFERS_MAX))
		p = &o->next;
	if (o != NULL) { /* the same, or the oldest of too many */
		*p = o->next;
		s->noffers--;
		offer_free(o);
	}
	if ((o = malloc(sizeof(*o))) == NULL)
		return;
	o->file = *f;
	f->name = NULL;
	o->next = s->offers;
	s->offers = o;
	s->noffers++;
	if (!s->is_over && (c = cast_wants(s->m, &o->file.hash)) != NULL)
		(void)cast_begin(c, s, &o->file);
	news_offered(s, o);
}

struct offer *
mcast_offer(struct mcast *m, const struct hash *h, bool carousels,
    struct session **session)
{
	struct offer *found = NULL;

	for (struct session *s = m->sessions; s != NULL; s = s->next) {
		if (s->is_over || (carousels && !s->is_carousel))
			continue;
		for (struct offer *o = s->offers; o != NULL; o = o->next)
			if (hash_eq(&o->file.hash, h)) {
				*session = s;
				found = o;
				break;
			}
	}
	return found;
}

/* Descriptions are repeated, several in turn: each is read once. */
static bool
is_known(const struct session *s, uint32_t instance)
{
	for (unsigned i = 0; i < s->nknown && i < FDT_KNOWN; i++)
		if (s->known[i] == instance)
			return true;
	return false;
}

static void
on_fdt(void *ctx, struct mcast_session *w, const struct alc_head *h,
    const uint8_t *p, size_t n)
{
	struct session *s = (struct session *)w;
	struct fdt	f = { 0 };
	const char     *why = "";
	int		r;

	(void)ctx;
	heard(s);
	s->is_over |= (h->flags & ALC_CLOSE_SESSION) != 0;
	for (struct cast *c = s->m->casts; c != NULL; c = c->next)
		if (c->session == s)
			receiver_packet(c->rx, c->m->batch_ns, h->counter, true);
	if (is_known(s, h->fdt) || fdt_gather(&s->gather, h, p, n) <= 0)
		return;
	s->known[s->nknown++ % FDT_KNOWN] = h->fdt;
	r = fdt_parse(&f, s->gather.bytes, s->gather.len, s->m->n->conf.max_object,
	    &why);
	if (r == 0 && fdt_expired(&f, time(NULL))) {
		why = "has expired";
		r = -EBADMSG;
	}
	if (r < 0) {
		s->m->bad_descriptions++;
		if (!s->complained)
			log_warn("multicast session %u: file description: %s",
			    s->w.tsi, why);
		s->complained = true;
	} else {
		s->is_carousel = !f.is_complete;
		for (size_t i = 0; i < f.n; i++)
			offer(s, &f.file[i]);
	}
	fdt_fini(&f);
}

static void
on_batch(void *ctx)
{
	struct mcast *m = ((struct group *)ctx)->m;

	m->batch_ns = mcast_now_ns();
	m->batch_ms = loop_now_ms(m->n->loop);
}

static const struct mcast_wire_ops wire_ops = {
	.session = on_session,
	.place = on_place,
	.unwanted = on_unwanted,
	.placed = on_placed,
	.fdt = on_fdt,
	.batch = on_batch,
};

/* -- notices and reports -- */

static void
take_notice(struct group *g, const uint8_t *p, size_t n,
    const struct sockaddr_storage *from, socklen_t from_len)
{
	static struct mcast_notice notice;
	struct mcast   *m = g->m;
	struct session *s;
	uint16_t	tsi, generation;
	uint64_t	counter;

	if (mcast_notice_peek(p, n, &tsi, &generation, &counter) < 0 ||
	    (s = session_find(m, tsi)) == NULL ||
	    generation != s->generation ||
	    !mcast_window_fresh(&s->noticed, counter) ||
	    mcast_notice_read(&notice, s->w.opener, p, n) < 0) {
		m->bad_notices++;
		return;
	}
	mcast_window_mark(&s->noticed, counter);
	s->from = *from;
	s->from_len = from_len;
	s->is_over |= (notice.flags & (MCAST_END | MCAST_ABORT)) != 0;
	heard(s);
	for (struct cast *c = m->casts; c != NULL; c = c->next)
		if (c->session == s) {
			cast_moved(c);
			(void)receiver_notice(c->rx, mcast_now_ns(), &notice);
		}
}

static void
read_notices(struct group *g)
{
	struct sockaddr_storage from;
	uint8_t			buf[MCAST_NOTICE_SIZE + 1];
	socklen_t		len;
	ssize_t			n;

	for (int i = 0; i < TURN_NOTICES; i++) {
		len = sizeof(from);
		n = recvfrom(g->notices, buf, sizeof(buf), MSG_DONTWAIT,
		    (struct sockaddr *)&from, &len);
		if (n < 0)
			return;
		take_notice(g, buf, (size_t)n, &from, len);
	}
}

static int
reporter_of(struct session *s)
{
	struct mcast_key key;
	int		 r;

	if (s->reporter != NULL)
		return 0;
	mcast_key_report(&key, s->m->keys.agent_key, s->w.tsi);
	if ((r = mcast_sealer_new(&s->reporter, MCAST_SEALS)) == 0)
		r = mcast_sealer_key(s->reporter, &key);
	OPENSSL_cleanse(&key, sizeof(key));
	if (r < 0)
		mcast_sealer_free(&s->reporter);
	return r;
}

static void
send_report(struct session *s, struct mcast_report *r)
{
	struct mcast *m = s->m;
	uint8_t	      buf[MCAST_REPORT_SIZE];
	size_t	      n;

	if (s->from.ss_family == AF_UNSPEC || reporter_of(s) < 0)
		return;
	r->tsi = s->w.tsi;
	r->agent = m->keys.agent;
	r->counter = ++m->reported;
	if (mcast_report_write(r, s->reporter, buf, sizeof(buf), &n) == 0 &&
	    sendto(s->group->reports, buf, n, MSG_DONTWAIT,
		(struct sockaddr *)&s->from, s->from_len) == (ssize_t)n)
		m->reports++; /* one that is lost is said again */
}

void
mcast_run(struct cast *c)
{
	static struct mcast_report report;
	uint64_t		   now = mcast_now_ns(), next;

	while (receiver_report(c->rx, now, &report))
		send_report(c->session, &report);
	switch (receiver_state(c->rx, now)) {
	case RECEIVER_LEAVES:
		cast_ended(c, "the session ended");
		return;
	case RECEIVER_FAILED:
		cast_ended(c, "the file could not be written");
		return;
	case RECEIVER_COMPLETE:
		if (cast_complete(c))
			return;
		break;
	case RECEIVER_RUNS:
		if (!cast_is_stuck(c))
			break;
		cast_ended(c, "the carousel brings other things");
		return;
	}
	next = receiver_next(c->rx);
	if (receiver_work(c->rx) > 0)
		next = now;
	next = next <= now ? 0 : (next - now) / 1000000 + 1;
	(void)loop_timer_set(c->timer, next < TICK_MS ? next : TICK_MS);
}

/* What was sent earlier is read first: a notice speaks of data before it. */
static void
listen_to(struct group *g)
{
	struct mcast *m = g->m;
	struct cast  *c, *next;
	int	      n;

	on_batch(g);
	read_notices(g);
	n = mcast_wire_read(g->data, TURN_PACKETS, &wire_ops, g, &m->counts);
	if (n < 0)
		log_warn_err(n, "multicast: %s", g->address);
	for (c = m->casts; c != NULL; c = next) {
		next = c->next;
		/* the others have all they can get of a session */
		if (c->session == NULL || c->session->group != g ||
		    (c->state != CAST_RUNS && c->state != CAST_LINGERS))
			continue;
		if (n >= 0 && n < TURN_PACKETS)
			(void)receiver_drained(c->rx, mcast_now_ns());
		mcast_run(c);
	}
}

static void
on_group(void *ctx, int events)
{
	(void)events;
	listen_to(ctx);
}

static void
on_tick(void *ctx)
{
	struct mcast   *m = ctx;
	struct session *s, *next;
	uint64_t	now = loop_now_ms(m->n->loop);

	for (s = m->sessions; s != NULL; s = next) {
		next = s->next;
		if (!is_wanted(s) && now - s->heard_ms > DATA_QUIET_MS)
			session_free(s);
	}
	/* always there, since news come unasked */
	if (m->keys_http == NULL && now >= m->off_ms &&
	    (!m->has_keys || now - m->keys_ms > m->keys.interval_s * 1000))
		mcast_need_keys(m);
	news_look(m->news);
	(void)loop_timer_set(m->tick, TICK_MS);
}

json_t *
mcast_status(const struct mcast *m)
{
	const struct mcast_wire_counts *c = &m->counts;
	json_t *o = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "packets",
	    (json_int_t)c->packets, "bytes", (json_int_t)c->bytes, "malformed",
	    (json_int_t)c->malformed, "strange", (json_int_t)c->strange,
	    "replayed", (json_int_t)c->replayed, "unwanted",
	    (json_int_t)c->unwanted, "forged", (json_int_t)c->forged);

	json_object_update_new(o, json_pack("{s:I,s:I,s:I,s:I,s:s?}",
	    "bad_descriptions", (json_int_t)m->bad_descriptions, "bad_notices",
	    (json_int_t)m->bad_notices, "reports", (json_int_t)m->reports,
	    "sessions", (json_int_t)m->nsessions, "error", m->error));
	return o;
}

/* -- start -- */

static int
open_group(struct mcast *m, unsigned i)
{
	struct group *g = &m->groups[m->ngroups];
	struct worker *w = m->n->worker;
	char	       same[MCAST_GROUP_TEXT];
	int	       r;

	*g = (struct group){ .m = m, .data = -1, .notices = -1, .reports = -1 };
	g->data = worker_socket(w, "multicast.data", i, g->address,
	    sizeof(g->address));
	if (g->data < 0)
		return g->data;
	g->notices = worker_socket(w, "multicast.notices", i, same, sizeof(same));
	g->reports = worker_socket(w, "multicast.reports", i, same, sizeof(same));
	if (g->notices < 0 || g->reports < 0)
		return -EINVAL;
	if ((r = loop_io_new(m->n->loop, g->data, LOOP_READ, on_group, g,
		 &g->data_io)) == 0)
		r = loop_io_new(m->n->loop, g->notices, LOOP_READ, on_group, g,
		    &g->notices_io);
	m->ngroups++;
	return r;
}

int
mcast_open(struct net *n)
{
	struct mcast *m;
	int	      r = 0;

	if (n->conf.mcast_group[0] == '\0')
		return 0;
	if ((m = calloc(1, sizeof(*m))) == NULL || mcast_seal_setup() < 0) {
		free(m);
		return -ENOMEM;
	}
	m->n = n;
	if ((r = news_new(m, &m->news)) < 0)
		return r;
	while (r == 0 && m->ngroups < MCAST_GROUPS)
		r = open_group(m, (unsigned)m->ngroups);
	if (r < 0 && r != -ENOENT) /* -ENOENT: there are no more */
		return r;
	if ((r = loop_timer_new(n->loop, on_later, m, &m->later)) == 0 &&
	    (r = loop_timer_new(n->loop, on_tick, m, &m->tick)) == 0)
		r = loop_timer_set(m->tick, TICK_MS);
	n->mcast = m;
	return r;
}
