/*
 * dp-gateway/redial.c - when to connect where; see redial.h.
 *
 * Runs in dp-gateway. Believes what its callers saw. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/redial.h"

#include "common/value.h"


#include <errno.h>
#include <stdio.h>
#include <string.h>

int
redial_set(struct redial *r, const char *list, bool *changed)
{
	struct redial next = { 0 };
	char	      word[1024];
	size_t	      pos = 0;
	struct url    at;

	while (value_word(list, &pos, word, sizeof(word))) {
		if (next.n == GATEWAY_SERVERS || url_host_port(word, &at) < 0)
			return -EINVAL;
		/* not what lies behind its end: these are compared whole */
		memcpy(next.of[next.n].host, at.host, strlen(at.host));
		next.of[next.n++].port = at.port;
	}
	*changed = next.n != r->n || memcmp(next.of, r->of, sizeof(r->of)) != 0;
	if (*changed)
		*r = next;
	return 0;
}

void
redial_anew(struct redial *r)
{
	r->retry_ms = r->backoff_ms = 0;
}

void
redial_as(struct redial *r, const struct redial *other)
{
	if (r->n == other->n && memcmp(r->of, other->of, sizeof(r->of)) == 0)
		return;
	*r = (struct redial){ .n = other->n };
	memcpy(r->of, other->of, sizeof(r->of));
}

int
redial_due(struct redial *r, uint64_t now)
{
	if (r->n == 0 || r->busy || now < r->retry_ms)
		return -1;
	r->busy = true;
	return (int)r->next;
}

/* Half of it at least: also a herd of thousands comes back spread. */
static void
back_off(struct redial *r, uint64_t now, uint64_t chance)
{
	r->backoff_ms = r->backoff_ms == 0 ? REDIAL_BACKOFF_MIN
	    : r->backoff_ms < REDIAL_BACKOFF_MAX / 2
	    ? r->backoff_ms * 2
	    : REDIAL_BACKOFF_MAX;
	r->retry_ms = now + r->backoff_ms - chance % (r->backoff_ms / 2 + 1);
}

static void
over(struct redial *r, const char *why)
{
	r->busy = false;
	r->failures++;
	snprintf(r->why, sizeof(r->why), "%s", why);
}

/* On to the next address, and after the last a back-off. */
static void
pass_over(struct redial *r, uint64_t now, uint64_t chance, const char *why,
    bool down)
{
	over(r, why);
	if (++r->next < r->n) {
		r->retry_ms = now;
		return;
	}
	r->next = 0;
	r->down = down;
	back_off(r, now, chance);
}

void
redial_failed(struct redial *r, uint64_t now, uint64_t chance, const char *why)
{
	pass_over(r, now, chance, why, true);
}

void
redial_up(struct redial *r, uint64_t now)
{
	r->down = false;
	r->up_ms = now;
	r->twice = 0;
}

void
redial_twice(struct redial *r, uint64_t now, uint64_t chance)
{
	r->busy = false;
	r->retry_ms = now;
	/* no longer than that: whom it looks for may be there again */
	if (++r->twice > REDIAL_TWICE)
		r->retry_ms += REDIAL_TWICE_MS - chance % (REDIAL_TWICE_MS / 2);
}

void
redial_lost(struct redial *r, uint64_t now, uint64_t chance, const char *why)
{
	if (now - r->up_ms < REDIAL_STEADY) {
		pass_over(r, now, chance, why, r->backoff_ms > 0);
		return;
	}
	over(r, why);
	r->next = 0;
	r->backoff_ms = 0;
	r->retry_ms = now + chance % REDIAL_BACKOFF_MIN;
}

static uint64_t
patience(const struct redial *r, uint64_t now)
{
	return r->left_ms == 0 || now - r->left_ms >= 2 * REDIAL_PATIENCE_MAX
	    ? REDIAL_PATIENCE_MIN
	    : r->patience_ms;
}

bool
redial_may_leave(const struct redial *r, uint64_t now, uint64_t since)
{
	return r->n > 1 && now - since >= patience(r, now);
}

void
redial_left(struct redial *r, uint64_t now, const char *why)
{
	uint64_t next = 2 * patience(r, now);

	over(r, why);
	r->patience_ms = next < REDIAL_PATIENCE_MAX ? next : REDIAL_PATIENCE_MAX;
	r->left_ms = now;
	r->next = (r->next + 1) % r->n;
	r->backoff_ms = 0;
	r->retry_ms = now;
}
