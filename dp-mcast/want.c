/*
 * dp-mcast/want.c - see want.h.
 *
 * Runs in dp-mcast. Believes the server that it is the device that asks, and
 * the store about objects; the device may ask for any hash.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/want.h"

#include "common/log.h"
#include "dp-mcast/carousel.h"
#include "dp-mcast/mcast.h"
#include "dp-mcast/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define TICK_MS	    100
#define LACKING_MAX 65536 /* devices counted for one object */
#define AGAIN_MS    1000  /* an absent object is looked up again */
#define SPREAD_MAX  10000 /* ms, over which many are asked to come back */
#define SPREAD_EACH 1	  /* ms, for each of them */

struct device_set { /* open addressing; 0 is an empty place */
	uint64_t *of;
	unsigned  n, room;
};

struct want {
	struct want	 *older, *newer; /* by last question */
	struct wants	 *w;
	struct hash	  hash;
	struct device_set lacking;
	bool		  asked_store, found, named, in_content, starting;
	uint64_t	  size, first_ms, looked_ms;
	uint64_t	  unicast_until_ms;
	enum reason	  why;		/* of unicast */
	uint64_t	  sent_ms[DECIDE_TWICE]; /* ends of sessions; 0: none */
	uint32_t	 *askers; /* ids of questions that wait for the store */
	size_t		  naskers;
};

struct wants {
	struct mcast	  *m;
	struct want	  *oldest, *newest;
	unsigned	   n;
	struct loop_timer *tick; /* while somebody may be waiting */
	bool		   ticks;
	struct loss_memory loss;
	uint64_t	   unicast[REASON_KINDS];
};

static void evaluate(struct want *w, uint32_t id, bool answers);

/* -- who lacks it -- */

static uint64_t
key_of(const char *device)
{
	uint64_t h = 14695981039346656037ULL;

	for (; *device != '\0'; device++)
		h = (h ^ (uint8_t)*device) * 1099511628211ULL;
	return h != 0 ? h : 1;
}

static void
set_put(struct device_set *s, uint64_t key)
{
	unsigned i = (unsigned)(key >> 32) & (s->room - 1);

	while (s->of[i] != 0 && s->of[i] != key)
		i = (i + 1) & (s->room - 1);
	s->n += s->of[i] == 0;
	s->of[i] = key;
}

static int
set_add(struct device_set *s, const char *device)
{
	struct device_set more = { .room = s->room == 0 ? 16 : 2 * s->room };

	if (s->n >= LACKING_MAX)
		return 0;
	if (2 * (s->n + 1) > s->room) {
		if ((more.of = calloc(more.room, sizeof(*more.of))) == NULL)
			return -ENOMEM;
		for (unsigned i = 0; i < s->room; i++)
			if (s->of[i] != 0)
				set_put(&more, s->of[i]);
		free(s->of);
		*s = more;
	}
	set_put(s, key_of(device));
	return 0;
}

static bool
set_has(const struct device_set *s, const char *device)
{
	uint64_t key = key_of(device);
	unsigned i = (unsigned)(key >> 32) & (s->room - 1);

	if (s->room == 0)
		return false;
	while (s->of[i] != 0 && s->of[i] != key)
		i = (i + 1) & (s->room - 1);
	return s->of[i] == key;
}

static void
set_clear(struct device_set *s)
{
	free(s->of);
	*s = (struct device_set){ 0 };
}

/* -- the table -- */

static void
age_remove(struct want *w)
{
	struct wants *all = w->w;

	*(w->older != NULL ? &w->older->newer : &all->oldest) = w->newer;
	*(w->newer != NULL ? &w->newer->older : &all->newest) = w->older;
}

static void
age_append(struct want *w)
{
	struct wants *all = w->w;

	w->older = all->newest;
	w->newer = NULL;
	*(all->newest != NULL ? &all->newest->newer : &all->oldest) = w;
	all->newest = w;
}

static void
want_free(struct want *w)
{
	for (size_t i = 0; i < w->naskers; i++)
		api_answer(w->w->m, w->askers[i], 503, NULL);
	store_cancel(w->w->m->store, w);
	age_remove(w);
	w->w->n--;
	set_clear(&w->lacking);
	free(w->askers);
	free(w);
}

static struct want *
find(const struct wants *all, const struct hash *h)
{
	struct want *w = all->newest;

	while (w != NULL && !hash_eq(&w->hash, h))
		w = w->older;
	return w;
}

static struct want *
want_new(struct wants *all, const struct hash *h)
{
	struct want *w = all->oldest;

	if (all->n >= WANTS) {
		while (w != NULL && (w->starting || w->naskers > 0 ||
					session_find(all->m, &w->hash)))
			w = w->newer;
		if (w == NULL)
			return NULL;
		want_free(w);
	}
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	w->w = all;
	w->hash = *h;
	w->first_ms = loop_now_ms(all->m->loop);
	age_append(w);
	all->n++;
	return w;
}

/* -- answers -- */

/* When many are asked to come back, not all at the same moment. */
static uint64_t
spread(const struct want *w)
{
	uint64_t max = (uint64_t)w->lacking.n * SPREAD_EACH, r = 0;

	if (max > SPREAD_MAX)
		max = SPREAD_MAX;
	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r) || max == 0)
		return 0;
	return r % max;
}

static void
answer(struct want *w, uint32_t id, enum way way, enum reason why)
{
	struct mcast *m = w->w->m;
	uint64_t      now = loop_now_ms(m->loop), ms, end;
	json_t	     *o;

	switch (way) {
	case WAY_MULTICAST:
		o = json_pack("{s:s,s:i}", "how", "multicast", "in_ms", 0);
		break;
	case WAY_WAIT:
		end = w->first_ms + m->conf.gather * 1000;
		ms = why != REASON_GATHER ? AGAIN_MS
		    : end > now		  ? end - now
					  : 0;
		ms += TICK_MS + spread(w);
		o = json_pack("{s:s,s:I,s:s}", "how", "wait", "in_ms",
		    (json_int_t)ms, "why",
		    reason_word(why));
		break;
	default:
		o = json_pack("{s:s,s:s}", "how", "unicast", "why",
		    reason_word(why));
	}
	api_answer_json(m, id, o);
}

static void
go_unicast(struct want *w, enum reason why)
{
	struct mcast *m = w->w->m;
	uint64_t      now = loop_now_ms(m->loop);
	char	      hex[HASH_HEX];
	const char   *name = carousel_name(m->carousel, &w->hash);

	if (w->unicast_until_ms > now && w->why == why)
		return; /* said already */
	w->why = why;
	w->unicast_until_ms = now + WANT_UNICAST_MS;
	w->w->unicast[why]++;
	hash_to_hex(&w->hash, hex);
	worker_event(m->w, "unicast-decided",
	    json_pack("{s:s,s:s,s:s,s:s,s:I,s:i}", "name", name, "sha256",
		hex, "reason", reason_word(why), "text", reason_text(why), "size",
		(json_int_t)w->size, "devices", (int)w->lacking.n));
}

/* -- the store -- */

static void
on_object(void *ctx, const struct store_answer *a)
{
	struct want *w = ctx;
	uint32_t    *askers = w->askers;
	size_t	     n = w->naskers;
	bool	     starting = w->starting;

	w->starting = false;
	w->askers = NULL;
	w->naskers = 0;
	if (a->r < 0 && a->r != -ENOENT && a->r != -ENODATA) {
		/* the store is away, or ill: nothing is known */
		for (size_t i = 0; i < n; i++)
			api_answer(w->w->m, askers[i], 503, NULL);
		free(askers);
		return;
	}
	w->looked_ms = loop_now_ms(w->w->m->loop);
	w->asked_store = true;
	w->found = a->r == 0;
	w->named = a->r == -ENODATA;
	w->in_content = (a->spaces & SPACES_CONTENT) != 0;
	if (a->r == 0 || a->r == -ENODATA)
		w->size = a->size;
	if (starting && a->r == 0) {
		if (session_start(w->w->m, &w->hash, NULL, w->size, a->fd) < 0)
			go_unicast(w, REASON_FAILED);
	} else if (a->fd >= 0)
		close(a->fd);
	if (starting && a->r < 0)
		go_unicast(w, REASON_FAILED);
	for (size_t i = 0; i < n; i++)
		evaluate(w, askers[i], true);
	free(askers);
}

static int
look_up(struct want *w)
{
	w->asked_store = false;
	return store_lookup_hash(w->w->m->store, &w->hash, on_object, w);
}

static int
wait_for_store(struct want *w, uint32_t id)
{
	uint32_t *more = reallocarray(w->askers, w->naskers + 1, sizeof(*more));

	if (more == NULL)
		return -ENOMEM;
	w->askers = more;
	w->askers[w->naskers++] = id;
	return 0;
}

/* -- decisions -- */

static struct situation
situation_of(const struct want *w)
{
	const struct mcast *m = w->w->m;
	uint64_t	    now = loop_now_ms(m->loop);
	struct situation    s = { .is_absent = !w->found,
		   .will_come = w->named &&
		       carousel_name_is_pinned(m->carousel, &w->hash),
		   .is_secret = m->is_open && w->found && !w->in_content,
		   .size = w->size,
		   .since_ms = now - w->first_ms,
		   .lacking = w->lacking.n,
		   .registered = keys_agents(m->keys),
		   .settled_ms = now - m->registered_ms,
		   .sessions = sessions_count(m),
		   .loss = loss_known(&w->w->loss, now) };

	for (int i = 0; i < DECIDE_TWICE; i++)
		s.sent += w->sent_ms[i] != 0 &&
		    now - w->sent_ms[i] < DECIDE_MEMORY_MS;
	return s;
}

static void
evaluate(struct want *w, uint32_t id, bool answers)
{
	struct mcast *m = w->w->m;
	struct rules  rules = { .min_size = m->conf.min_size,
		 .gather_ms = m->conf.gather * 1000,
		 .min_agents = (unsigned)m->conf.min_agents,
		 .max_sessions = (unsigned)m->conf.sessions,
		 .max_loss = (unsigned)m->conf.max_loss };
	struct situation s = situation_of(w);
	enum reason	 why = REASON_NONE;
	enum way	 way = WAY_MULTICAST;

	if (session_find(m, &w->hash) || w->starting)
		; /* as it goes on, or will in a moment */
	else if (w->unicast_until_ms > loop_now_ms(m->loop)) {
		way = WAY_UNICAST;
		why = w->why;
	} else if ((way = decide(&rules, &s, &why)) == WAY_UNICAST)
		go_unicast(w, why);
	else if (way == WAY_MULTICAST) {
		w->starting = true;
		if (look_up(w) < 0) {
			w->starting = false;
			go_unicast(w, why = REASON_FAILED);
			way = WAY_UNICAST;
		}
	}
	if (answers)
		answer(w, id, way, why);
}

static void
start_tick(struct wants *all)
{
	if (!all->ticks)
		(void)loop_timer_set(all->tick, TICK_MS);
	all->ticks = true;
}

/* Who was told to wait shall not wait for who asks next. */
static void
on_tick(void *ctx)
{
	struct wants *all = ctx;
	uint64_t      now = loop_now_ms(all->m->loop);
	bool	      again = false;

	for (struct want *w = all->oldest, *next; w != NULL; w = next) {
		next = w->newer;
		if (w->lacking.n == 0 || w->unicast_until_ms > now ||
		    now - w->first_ms > DECIDE_BUSY_MS ||
		    session_find(all->m, &w->hash))
			continue;
		again = true;
		if (w->asked_store && w->found && !w->starting)
			evaluate(w, 0, false);
	}
	all->ticks = false;
	if (again)
		start_tick(all);
}

void
wants_ask(struct wants *all, const struct hash *h, const char *device,
    uint32_t id)
{
	struct want *w = find(all, h);
	uint64_t     now = loop_now_ms(all->m->loop);

	if (w == NULL && (w = want_new(all, h)) == NULL) {
		api_answer(all->m, id, 503, NULL);
		return;
	}
	age_remove(w);
	age_append(w);
	start_tick(all);
	/* "alone" is said of who asked, not of who comes next */
	if (w->unicast_until_ms != 0 && (w->unicast_until_ms <= now ||
	    (w->why == REASON_ALONE && !set_has(&w->lacking, device)))) {
		w->unicast_until_ms = 0;
		set_clear(&w->lacking); /* they have it by now */
	}
	if (w->lacking.n == 0)
		w->first_ms = now; /* a new gathering */
	(void)set_add(&w->lacking, device); /* uncounted without memory */
	if (w->naskers > 0 || w->starting) {
		if (wait_for_store(w, id) < 0)
			api_answer(all->m, id, 503, NULL);
		return;
	}
	if (w->asked_store && (w->found || now - w->looked_ms < AGAIN_MS)) {
		evaluate(w, id, true);
		return;
	}
	if (wait_for_store(w, id) < 0 || look_up(w) < 0) {
		if (w->naskers > 0)
			w->naskers--;
		api_answer(all->m, id, 503, NULL);
	}
}

void
wants_session_anew(struct wants *all, const struct hash *h)
{
	struct want *w = find(all, h);

	if (w != NULL)
		set_clear(&w->lacking);
}

void
wants_session_heard(struct wants *all, const struct hash *h, unsigned percent)
{
	loss_note(&all->loss, percent, loop_now_ms(all->m->loop));
	/* nor will they hear its sessions to other groups */
	wants_session_anew(all, h);
}

void
wants_session_over(struct wants *all, const struct hash *h, bool unheard)
{
	struct want *w = find(all, h);
	uint64_t     now = loop_now_ms(all->m->loop);

	if (w == NULL)
		return;
	if (unheard && w->lacking.n >= all->m->conf.min_agents)
		loss_note(&all->loss, 100, now);
	memmove(w->sent_ms + 1, w->sent_ms,
	    sizeof(w->sent_ms) - sizeof(w->sent_ms[0]));
	w->sent_ms[0] = now > 0 ? now : 1;
	set_clear(&w->lacking); /* who still lacks it says so again */
	w->asked_store = false;
}

void
wants_stop(struct wants *all, const struct hash *h)
{
	struct want *w = find(all, h);

	if (w != NULL || (w = want_new(all, h)) != NULL)
		go_unicast(w, REASON_STOPPED);
}

void
wants_forget_askers(struct wants *all)
{
	for (struct want *w = all->oldest; w != NULL; w = w->newer)
		w->naskers = 0;
}

uint64_t
wants_unicast(const struct wants *w, enum reason r)
{
	return w->unicast[r];
}

int
wants_loss(const struct wants *w)
{
	return loss_known(&w->loss, loop_now_ms(w->m->loop));
}

unsigned
wants_count(const struct wants *w)
{
	return w->n;
}

int
wants_new(struct mcast *m, struct wants **out)
{
	struct wants *all = calloc(1, sizeof(*all));
	int	      r = -ENOMEM;

	*out = all;
	if (all == NULL)
		return r;
	all->m = m;
	if ((r = loop_timer_new(m->loop, on_tick, all, &all->tick)) < 0)
		wants_free(out);
	return r;
}

void
wants_free(struct wants **wp)
{
	struct wants *all = *wp;

	if (all == NULL)
		return;
	for (struct want *w = all->oldest, *next; w != NULL; w = next) {
		next = w->newer;
		want_free(w);
	}
	loop_timer_free(&all->tick);
	free(all);
	*wp = NULL;
}
