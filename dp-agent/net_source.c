/*
 * dp-agent/net_source.c - where to ask, and where not for a while.
 *
 * Runs in the network child. The list is in the administrator's order; a source
 * that failed is left alone for a time that doubles, then the order counts
 * again: the agent returns to the first distribution point by itself, and
 * does not flutter.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/net.h"

#include "common/log.h"
#include "common/value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETRY_MIN 15000
#define RETRY_MAX 600000

static int
add(struct net *n, const char *urls, bool is_point, bool direct)
{
	struct source *s;
	struct url     u;
	size_t	       pos = 0;

	for (; n->nsources < AGENT_SOURCES_MAX; n->nsources++) {
		s = &n->sources[n->nsources];
		if (!value_word(urls, &pos, s->url, sizeof(s->url)))
			return 0;
		if (url_parse(s->url, &u) < 0) {
			log_err("source \"%s\": not an address", s->url);
			return -EINVAL;
		}
		s->direct = direct;
		s->is_point = is_point;
	}
	return 0; /* the configuration lets no more pass */
}

int
sources_init(struct net *n)
{
	bool all = strcmp(n->conf.proxy_for, "all") == 0;
	int  r = add(n, n->conf.sources, true, !all);

	return r < 0 ? r : add(n, n->conf.repository, false, false);
}

int
source_pick(const struct net *n, unsigned tried, size_t *out)
{
	uint64_t now = loop_now_ms(n->loop), best = UINT64_MAX;
	int	 r = -ENOENT;

	for (size_t i = 0; i < n->nsources; i++) {
		uint64_t wait = n->sources[i].retry_ms > now
		    ? n->sources[i].retry_ms - now
		    : 0;

		if ((tried & 1U << i) == 0 && wait < best) {
			best = wait;
			*out = i;
			r = 0;
		}
	}
	return r;
}

void
source_worked(struct net *n, size_t i)
{
	struct source *s = &n->sources[i];

	if (s->failures > 0)
		log_info("source %s: works again", s->url);
	s->failures = 0;
	s->retry_ms = 0;
	s->error[0] = '\0';
}

void
source_failed(struct net *n, size_t i, const char *why)
{
	struct source *s = &n->sources[i];

	if (s->failures == 0 || strcmp(s->error, why) != 0)
		log_warn("source %s: %s", s->url, why);
	s->failures++;
	s->retry_ms = loop_now_ms(n->loop) +
	    download_backoff_ms(s->failures, RETRY_MIN, RETRY_MAX);
	snprintf(s->error, sizeof(s->error), "%s", why);
}
