/*
 * dp-listen/recent.h - what need not be said again, and how much may be.
 *
 * A network says the same all the time. What was said within RECENT_MS is held
 * back, and of the rest RECENT_RATE a second go through (a second's worth at once),
 * so that no flood drowns who keeps the records; who flooded may not hide by it what
 * routers, DHCP servers, and those who probe for an address or defend it say:
 * RECENT_GRAVE more of these do. What answers us (asked) always goes through, up to
 * RECENT_ASKED a second. An MLD report goes to all, and may be the
 * answer to our query: the same one is not held back. A probe for an address (RFC
 * 5227, 4862) is said again after RECENT_PROBE_MS, and what defends the address within
 * that time is said whenever it was said before.
 *
 * Shape:   a table of the last RECENT_SLOTS, by a keyed hash that no sender knows:
 *	    none can make another's sight look like one that was said. A full set of
 *	    four forgets the oldest: then something is said twice.
 * Units:   milliseconds, monotonic; callers pass the time.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_RECENT_H
#define DP_LISTEN_RECENT_H

#include "common/sight.h"

#define RECENT_MS    60000
#define RECENT_PROBE_MS 5000
#define RECENT_SLOTS 65536 /* 16 bytes each */
#define RECENT_RATE  2000
#define RECENT_GRAVE 200
#define RECENT_ASKED 20000

enum recent_verdict { RECENT_SAY, RECENT_REPEATED, RECENT_TOO_MANY };

struct recent;

int  recent_new(struct recent **out); /* -ENOMEM; -EIO: no randomness */
void recent_free(struct recent **r);
void recent_forget(struct recent *r); /* what was said; the rates stay */
/* RECENT_SAY: it counts as said now. */
enum recent_verdict recent_look(struct recent *r, const struct sight *s,
    uint64_t now_ms);

#endif
