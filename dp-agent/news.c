/*
 * dp-agent/news.c - a refresh from a carousel's metadata; see news.h.
 *
 * Runs in the network child. Believes of a carousel what its packets' seal
 * proves, that somebody of the group sent it: neither that its timestamp is news
 * nor that what it offers will come.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/news.h"

#include "common/log.h"
#include "dp-agent/gather.h"
#include "dp-agent/mcast.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUSY_MS	      100   /* until a round that is under way is looked at again */
#define FAILED_MS     2000  /* a session that brought nothing, doubled each time */
#define TELL_MS	      60000 /* between two lines of the log */
#define TIMESTAMP_MAX 16384
#define SPREAD_SHARE  20 /* of the keys' interval, to spread refreshes over */

struct news {
	struct mcast	  *m;
	struct session	  *session;   /* NULL: nothing is afoot */
	struct hash	   timestamp; /* its */
	struct gather	   gather;
	uint64_t	   until_ms;  /* it may take to bring all */
	uint64_t	   tried_ms;  /* a refresh, from any session */
	bool		   is_proven; /* a refresh took that timestamp */
	char		   lacks[FDT_NAME_MAX]; /* a refresh did; "": none ran */
	struct loop_timer *timer;

	uint64_t taken, refused, incomplete; /* refreshes */
	uint64_t told_ms;
	char	 error[600]; /* of the last one; "": it was taken */
};

static uint64_t
now_ms(const struct news *w)
{
	return loop_now_ms(w->m->n->loop);
}

/* What metadata/path of our repository is called there: "repo/metadata/..."
 * where its address is https://dp/repo/. */
static int
name_of(const struct mcast *m, const char *path, char out[FDT_NAME_MAX])
{
	struct url u;
	size_t	   len;
	int	   n;

	if (url_parse(m->n->sources[m->source].url, &u) < 0)
		return -EINVAL;
	len = strlen(u.path);
	n = snprintf(out, FDT_NAME_MAX, "%s%smetadata/%s",
	    u.path + (len > 0), len > 0 && u.path[len - 1] != '/' ? "/" : "",
	    path);
	return n < FDT_NAME_MAX ? 0 : -EINVAL;
}

static bool
is_called(const struct mcast *m, const char *path, const char *name)
{
	char full[FDT_NAME_MAX];

	return name_of(m, path, full) == 0 && strcmp(full, name) == 0;
}

/* -- one at a time -- */

static void
over(struct news *w)
{
	w->session = NULL;
	w->is_proven = false;
	gather_fini(&w->gather);
	loop_timer_stop(w->timer);
}

/* Nothing good came of this session: it is heard ever more seldom. */
static void
failed(struct news *w)
{
	struct news_source *s = &w->session->news;

	s->after_ms = now_ms(w) +
	    download_backoff_ms(++s->failures, FAILED_MS,
		w->m->n->conf.interval * 1000);
	over(w);
}

/* The log hears of the first, then of one a minute, whatever is tried. */
static void
tell(struct news *w)
{
	uint64_t now = now_ms(w);

	if (w->told_ms != 0 && now - w->told_ms < TELL_MS)
		return;
	w->told_ms = now;
	log_warn("carousel: %s (refused so far: %llu)", w->error,
	    (unsigned long long)w->refused);
}

/* Its time is not longer for offering ever newer ones. */
static void
begin(struct news *w, struct session *s)
{
	uint64_t now = now_ms(w);

	if (w->session != s)
		w->until_ms = now + NEWS_WAIT_MS;
	gather_fini(&w->gather);
	w->session = s;
	w->timestamp = s->news.timestamp;
	w->is_proven = false;
	w->lacks[0] = '\0';
	(void)loop_timer_set(w->timer, NEWS_WAIT_MS);
}

/* The session that has news and disappointed least; of several the oldest, since
 * new ones cost an insider nothing. */
static struct session *
pick(const struct news *w)
{
	struct session *best = NULL;
	uint64_t	now = now_ms(w);

	for (struct session *s = w->m->sessions; s != NULL; s = s->next) {
		struct news_source *o = &s->news;

		if (o->has_timestamp &&
		    hash_eq(&o->timestamp, &w->m->n->timestamp))
			o->failures = 0; /* it tells the truth */
		else if (o->has_timestamp && !s->is_over &&
		    now - s->heard_ms < NEWS_WAIT_MS &&
		    (o->failures == 0 || now >= o->after_ms) &&
		    (best == NULL || o->failures <= best->news.failures))
			best = s; /* the list begins with the newest */
	}
	return best;
}

/* A better one takes the place of one that has not proved anything. */
void
news_look(struct news *w)
{
	struct session *s = w->is_proven ? NULL : pick(w);

	if (s != NULL && s != w->session)
		begin(w, s);
}

void
news_offered(struct session *s, const struct offer *o)
{
	struct news *w = s->m->news;

	if (!s->is_carousel || o->file.fti.length > TIMESTAMP_MAX ||
	    !is_called(s->m, "timestamp.json", o->file.name))
		return;
	s->news.has_timestamp = true;
	s->news.timestamp = o->file.hash;
	if (w->session == s && !hash_eq(&w->timestamp, &o->file.hash))
		begin(w, s); /* overtaken by newer ones */
	news_look(w);
}

void
news_gone(struct session *s)
{
	if (s->m->news->session == s)
		over(s->m->news);
}

bool
news_wants(const struct session *s)
{
	return s->m->news->session == s;
}

/* -- symbols -- */

static const struct offer *
offer_of(const struct session *s, uint16_t toi)
{
	const struct offer *o = s->offers;

	while (o != NULL && o->file.toi != toi)
		o = o->next;
	return o;
}

/* Metadata of our repository, as the newest description of that object says. */
static const struct offer *
wanted(const struct session *s, uint16_t toi)
{
	const struct offer *o;
	char		    all[FDT_NAME_MAX];

	if (!news_wants(s) || (o = offer_of(s, toi)) == NULL ||
	    name_of(s->m, "", all) < 0 ||
	    strncmp(o->file.name, all, strlen(all)) != 0)
		return NULL;
	return o;
}

uint8_t *
news_place(struct session *s, const struct alc_head *h, size_t n)
{
	const struct offer *o = wanted(s, h->toi);

	return o != NULL ? gather_place(&s->m->news->gather, &o->file, h, n)
			 : NULL;
}

static bool
has_timestamp(const struct news *w)
{
	char	    name[FDT_NAME_MAX];
	const void *p;
	size_t	    n;

	return name_of(w->m, "timestamp.json", name) == 0 &&
	    gather_find(&w->gather, name, &w->timestamp, &p, &n);
}

void
news_placed(struct session *s, const struct alc_head *h, size_t n)
{
	struct news	   *w = s->m->news;
	const struct offer *o = wanted(s, h->toi);

	if (o != NULL && gather_placed(&w->gather, &o->file, h, n) == 1 &&
	    (w->lacks[0] == '\0' ? has_timestamp(w)
				 : strcmp(w->lacks, o->file.name) == 0))
		(void)loop_timer_set(w->timer, 0);
}

int
news_file(const struct news *w, const char *path, const void **bytes,
    size_t *len)
{
	char name[FDT_NAME_MAX];

	if (w->session == NULL || name_of(w->m, path, name) < 0)
		return -ENOENT;
	if (gather_find(&w->gather, name, NULL, bytes, len))
		return 0;
	for (const struct offer *o = w->session->offers; o != NULL; o = o->next)
		if (strcmp(o->file.name, name) == 0)
			return -EAGAIN;
	return -ENOENT;
}

/* -- the refresh -- */

/* From now on it is sure that there is something new: what lacks may be asked
 * for, but not by all devices at once. */
static void
proven(struct news *w)
{
	uint16_t dice = 0;

	if (w->is_proven)
		return;
	w->is_proven = true;
	if (getrandom(&dice, sizeof(dice), 0) == (ssize_t)sizeof(dice))
		w->until_ms += w->m->keys.interval_s * 1000 / SPREAD_SHARE *
		    dice / 65536;
}

static void
try(struct news *w)
{
	struct tuf_want lacks;
	bool		is_proven;
	int		r;

	w->tried_ms = now_ms(w);
	r = refresh_by_news(w->m->n, &w->timestamp, &is_proven, &lacks,
	    w->error, sizeof(w->error));
	if (is_proven)
		proven(w);
	if (r == -EAGAIN && name_of(w->m, lacks.path, w->lacks) == 0)
		return;
	if (r < 0) {
		w->refused++;
		failed(w);
		tell(w);
		return;
	}
	w->taken++;
	w->error[0] = '\0';
	w->session->news.failures = 0;
	over(w);
}

/* What lacks has not come. If it is sure that there is something new it comes
 * by unicast; else nothing is done on a stranger's word. */
static void
late(struct news *w)
{
	bool is_proven = w->is_proven;

	w->incomplete++;
	snprintf(w->error, sizeof(w->error), "%.200s did not come",
	    w->lacks[0] != '\0' ? w->lacks : "its timestamp.json");
	if (is_proven)
		log_info("carousel: %s; asks for it", w->error);
	failed(w);
	if (is_proven)
		refresh_start(w->m->n);
}

static bool
is_ready(const struct news *w)
{
	const void *p;
	size_t	    n;

	return w->lacks[0] == '\0'
	    ? has_timestamp(w)
	    : gather_find(&w->gather, w->lacks, NULL, &p, &n);
}

static void
on_timer(void *ctx)
{
	struct news *w = ctx;
	uint64_t     now = now_ms(w), next = w->until_ms;

	if (w->session == NULL)
		return;
	if (hash_eq(&w->timestamp, &w->m->n->timestamp)) {
		over(w); /* it came by unicast meanwhile */
		return;
	}
	if (w->m->n->in_round) { /* which comes first, and may bring it */
		if (w->until_ms < now + NEWS_WAIT_MS)
			w->until_ms = now + NEWS_WAIT_MS;
		next = now + BUSY_MS;
	} else if (is_ready(w)) {
		/* within one session's news each file that lacked is tried */
		if (w->lacks[0] == '\0' && now < w->tried_ms + NEWS_PAUSE_MS)
			next = w->tried_ms + NEWS_PAUSE_MS;
		else
			try(w);
	} else if (now >= w->until_ms)
		late(w);
	if (w->session != NULL)
		(void)loop_timer_set(w->timer, next > now ? next - now : 1);
}

/* -- start, status -- */

int
news_new(struct mcast *m, struct news **out)
{
	struct news *w = calloc(1, sizeof(*w));

	*out = w;
	if (w == NULL)
		return -ENOMEM;
	w->m = m;
	return loop_timer_new(m->n->loop, on_timer, w, &w->timer);
}

json_t *
news_status(const struct news *w)
{
	return json_pack("{s:I,s:I,s:I,s:s?}", "taken", (json_int_t)w->taken,
	    "refused", (json_int_t)w->refused, "incomplete",
	    (json_int_t)w->incomplete, "error", w->error);
}
