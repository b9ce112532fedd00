/*
 * dp-gateway/shakes.c - who may shake hands, and who waits; see shakes.h.
 *
 * Runs in dp-gateway. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/shakes.h"

#include <stddef.h>
#include <string.h>

#define BURST 256 /* whose memory is worth giving back */

static uint64_t
mix(const struct shakes *s, const uint8_t eight[8])
{
	uint64_t h;

	memcpy(&h, eight, 8);
	h = (h ^ s->secret) * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 32 ^ s->secret) * UINT64_C(0xd6e8feb86659fd93);
	return h >> 32;
}

/* One client may have all addresses of a /64, and so may a whole office. */
static void
find_lane(const struct shakes *s, struct shake *e, const uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint64_t	     h = mix(s, addr + 8);

	e->of_net = memcmp(addr, mapped, sizeof(mapped)) != 0;
	if (e->of_net)
		h = mix(s, addr) + h % SHAKES_NET;
	e->lane = (uint8_t)(h % SHAKES_LANES);
}

static bool
has_room(const struct shakes *s, const struct shake *e)
{
	return s->lanes[e->lane].on < (s->on >= SHAKES_MAX
		? SHAKES_MAX / SHAKES_LANES
		: e->of_net ? SHAKES_LANE / SHAKES_NET : SHAKES_LANE);
}

static void
begins(struct shakes *s, struct shake *e)
{
	e->state = SHAKE_ON;
	s->lanes[e->lane].on++;
	if (++s->on > s->peak)
		s->peak = s->on;
}

bool
shakes_enter(struct shakes *s, struct shake *e, const uint8_t addr[16])
{
	find_lane(s, e, addr);
	/* nobody overtakes those of its lane */
	if (s->lanes[e->lane].first == NULL && has_room(s, e)) {
		begins(s, e);
		return true;
	}
	e->state = SHAKE_WAITS;
	e->prev = s->lanes[e->lane].last;
	e->next = NULL;
	*(e->prev != NULL ? &e->prev->next : &s->lanes[e->lane].first) = e;
	s->lanes[e->lane].last = e;
	s->waiting++;
	return false;
}

static void
unlink_waiting(struct shakes *s, struct shake *e)
{
	*(e->prev != NULL ? &e->prev->next : &s->lanes[e->lane].first) = e->next;
	*(e->next != NULL ? &e->next->prev : &s->lanes[e->lane].last) = e->prev;
	s->waiting--;
}

void
shakes_leave(struct shakes *s, struct shake *e)
{
	if (e->state == SHAKE_WAITS)
		unlink_waiting(s, e);
	else if (e->state == SHAKE_ON) {
		s->lanes[e->lane].on--;
		s->on--;
	}
	e->state = SHAKE_NONE;
}

struct shake *
shakes_next(struct shakes *s)
{
	struct shake *e;

	for (unsigned i = 0; s->waiting > 0 && i < SHAKES_LANES; i++) {
		unsigned lane = s->turn++ % SHAKES_LANES;

		if ((e = s->lanes[lane].first) == NULL || !has_room(s, e))
			continue;
		unlink_waiting(s, e);
		begins(s, e);
		return e;
	}
	return NULL;
}

bool
shakes_rest(struct shakes *s)
{
	if (s->peak < BURST || s->waiting > 0 || s->on > s->peak / 8)
		return false;
	s->peak = s->on;
	return true;
}
