/*
 * dp-gateway/upstream.c - the addresses of the server; see upstream.h.
 *
 * Runs in dp-gateway. Believes what its callers saw of the servers. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/upstream.h"

#include "common/value.h"


#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *
server_state_word(enum server_state s)
{
	static const char *const words[] = { "up", "trial", "down" };

	return words[s];
}

static const struct server *
same(const struct upstream *u, const struct url *at)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->of[i].port == at->port &&
		    strcmp(u->of[i].host, at->host) == 0)
			return &u->of[i];
	return NULL;
}

int
upstream_set(struct upstream *u, const char *list)
{
	struct upstream	     next = { .last_id = u->last_id };
	const struct server *old;
	struct server	    *s;
	char		     word[1024];
	size_t		     pos = 0;
	struct url	     at;

	while (value_word(list, &pos, word, sizeof(word))) {
		if (next.n == GATEWAY_SERVERS || url_host_port(word, &at) < 0)
			return -EINVAL;
		if (same(&next, &at) != NULL)
			continue;
		s = &next.of[next.n++];
		if ((old = same(u, &at)) != NULL) {
			*s = *old;
			continue;
		}
		memcpy(s->host, at.host, sizeof(s->host));
		s->port = at.port;
		if (++next.last_id == UPSTREAM_NONE)
			next.last_id++;
		s->id = next.last_id;
	}
	*u = next;
	return 0;
}

void
upstream_follow(struct upstream *u, const struct upstream *of)
{
	struct upstream next = { .n = of->n, .last_id = of->last_id };

	for (size_t i = 0; i < of->n; i++) {
		const struct server *from = &of->of[i],
				    *old = upstream_find(u, from->id);
		struct server *s = &next.of[i];

		if (old != NULL) {
			*s = *old;
			continue;
		}
		memcpy(s->host, from->host, sizeof(s->host));
		s->port = from->port;
		s->id = from->id;
	}
	*u = next;
}

bool
upstream_away(const struct upstream *u)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->of[i].state == SERVER_DOWN)
			return true;
	return false;
}

struct server *
upstream_find(struct upstream *u, uint16_t id)
{
	for (size_t i = 0; u != NULL && i < u->n; i++)
		if (u->of[i].id == id)
			return &u->of[i];
	return NULL;
}

static const struct server *
choose(const struct upstream *u, uint16_t after)
{
	const struct server *s, *busy = NULL, *mute = NULL;
	bool		     passed = true;

	for (size_t i = 0; i < u->n; i++)
		passed = passed && u->of[i].id != after;
	for (size_t i = 0; i < u->n; i++) {
		s = &u->of[i];
		if (!passed || s->state == SERVER_DOWN) {
			if (passed && s->mute && mute == NULL)
				mute = s;
			passed = passed || s->id == after;
			continue;
		}
		if (s->state == SERVER_UP || s->on_trial == 0)
			return s;
		if (busy == NULL)
			busy = s;
	}
	/* nobody is better off refused than with one that may answer */
	return busy != NULL ? busy : mute;
}

enum upstream_offer
upstream_offers(const struct upstream *u, uint16_t after)
{
	const struct server *s = choose(u, after);

	return s == NULL ? OFFER_NONE
	    : s->state == SERVER_UP ||
		(s->state == SERVER_TRIAL && s->on_trial == 0)
	    ? OFFER_GOOD
	    : OFFER_POOR;
}

struct server *
upstream_choose(struct upstream *u, uint16_t after)
{
	const struct server *chosen = choose(u, after);
	struct server	    *s;

	if (chosen == NULL)
		return NULL;
	s = &u->of[chosen - u->of];
	s->on_trial += s->state == SERVER_TRIAL;
	return s;
}

static void
end_trial(struct server *s)
{
	if (s->on_trial > 0)
		s->on_trial--;
}

static void
down(struct server *s, uint64_t now, const char *why)
{
	s->backoff_ms = s->backoff_ms == 0 ? UPSTREAM_BACKOFF_MIN
	    : s->backoff_ms < UPSTREAM_BACKOFF_MAX / 2
	    ? s->backoff_ms * 2
	    : UPSTREAM_BACKOFF_MAX;
	s->retry_ms = now + s->backoff_ms;
	s->state = SERVER_DOWN;
	s->mute = false;
	s->failures++;
	s->silent = 0;
	snprintf(s->why, sizeof(s->why), "%s", why);
}

void
upstream_failed(struct upstream *u, uint16_t id, uint64_t now, const char *why)
{
	struct server *s = upstream_find(u, id);

	if (s == NULL)
		return;
	end_trial(s);
	/* of many at once, the first counts */
	if (s->state != SERVER_DOWN || s->mute)
		down(s, now, why);
}

void
upstream_answered(struct upstream *u, uint16_t id, uint64_t now)
{
	struct server *s = upstream_find(u, id);

	if (s == NULL)
		return;
	end_trial(s);
	s->silent = 0;
	s->answered_ms = now;
	if (s->state == SERVER_DOWN && !s->mute)
		return; /* an older connection's; the next try will tell */
	s->state = SERVER_UP;
	s->mute = false;
	s->backoff_ms = 0;
}

void
upstream_unanswered(struct upstream *u, uint16_t id, uint64_t since_ms,
    uint64_t now, const char *why)
{
	struct server *s = upstream_find(u, id);

	if (s == NULL)
		return;
	end_trial(s);
	if (s->answered_ms > since_ms)
		return; /* others were answered: it may be what this one said */
	s->silent++;
	if (s->state == SERVER_TRIAL || (s->state == SERVER_UP &&
		s->silent >= UPSTREAM_SILENT_MAX)) {
		down(s, now, why);
		s->mute = true;
	}
}

void
upstream_abandoned(struct upstream *u, uint16_t id)
{
	struct server *s = upstream_find(u, id);

	if (s != NULL)
		end_trial(s);
}

struct server *
upstream_due(struct upstream *u, uint64_t now)
{
	for (size_t i = 0; i < u->n; i++) {
		struct server *s = &u->of[i];

		if (s->state == SERVER_DOWN && !s->probing &&
		    now >= s->retry_ms) {
			s->probing = true;
			return s;
		}
	}
	return NULL;
}

void
upstream_probed(struct upstream *u, uint16_t id, uint64_t now, const char *why)
{
	struct server *s = upstream_find(u, id);

	if (s == NULL || !s->probing)
		return;
	s->probing = false;
	if (s->state != SERVER_DOWN)
		return; /* somebody was answered meanwhile */
	if (why != NULL)
		down(s, now, why);
	else {
		s->state = SERVER_TRIAL;
		s->on_trial = 0;
	}
}
