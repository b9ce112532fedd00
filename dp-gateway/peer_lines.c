/*
 * dp-gateway/peer_lines.c - how much is said of a peer; see peer_lines.h.
 *
 * Runs in dp-gateway. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/peer_lines.h"

#include <string.h>

static struct peer_line *
line_of(struct peer_lines *l, const uint8_t key[PEER_KEY])
{
	struct peer_line *old = &l->of[0], *p;

	for (p = l->of; p < l->of + PEER_LINES_PEERS && p->used; p++) {
		if (memcmp(p->key, key, PEER_KEY) == 0)
			return p;
		if (p->asked_ms < old->asked_ms)
			old = p;
	}
	if (p == l->of + PEER_LINES_PEERS)
		p = old;
	*p = (struct peer_line){ .used = true };
	memcpy(p->key, key, PEER_KEY);
	return p;
}

bool
peer_lines_may(struct peer_lines *l, const uint8_t key[PEER_KEY], uint64_t now,
    unsigned *unsaid)
{
	struct peer_line *p = line_of(l, key);

	p->asked_ms = now;
	if (p->until_ms < now)
		p->until_ms = now;
	if (p->until_ms - now > (PEER_LINES_BURST - 1) * PEER_LINES_MS) {
		p->unsaid++;
		return false;
	}
	p->until_ms += PEER_LINES_MS;
	*unsaid = p->unsaid;
	p->unsaid = 0;
	return true;
}
