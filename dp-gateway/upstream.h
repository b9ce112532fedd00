/*
 * dp-gateway/upstream.h - which address of the server a connection goes to.
 *
 * Shape:   pure; callers pass the time. The addresses are tried in order. One
 *          that does not connect, or connects and leaves SILENT_MAX connections
 *          in a row unanswered, is passed over for a back-off from 1 s to 1 min.
 *          Unanswered counts only if nobody was answered meanwhile, since
 *          what a client says may be why; and one that connects is still
 *          better than none, so that no client keeps the others out. Then it is tried without a device: upstream_due() names it and the
 *          caller connects. If that works it is on trial: it gets one
 *          connection at a time until one is answered.
 *          Of the way by each uplink it is known separately, in a struct of the
 *          link's own, and there a device is what finds out.
 * Names:   an address is known by a number that is never reused, so that what
 *          is under way over a reload speaks of the right one or of none.
 * Units:   milliseconds of one monotonic clock.
 * Errors:  upstream_set: -EINVAL, nothing changed. NULL in place of a struct is
 *          that of an uplink that has ended: nothing is found or kept in it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_UPSTREAM_H
#define DP_GATEWAY_UPSTREAM_H

#include "common/settings.h"
#include "common/url.h"

#include <stdbool.h>
#include <stdint.h>

#define UPSTREAM_SILENT_MAX   3
#define UPSTREAM_BACKOFF_MIN  1000
#define UPSTREAM_BACKOFF_MAX  60000
#define UPSTREAM_NONE	      0 /* no server's number */

enum server_state {
	SERVER_UP,
	SERVER_TRIAL, /* connects again, but nobody was answered yet */
	SERVER_DOWN,
};
const char *server_state_word(enum server_state s);

struct server {
	char		  host[URL_HOST_LEN], why[160]; /* why it is down */
	uint16_t	  port, id;
	enum server_state state;
	bool		  probing; /* upstream_due() has named it */
	bool		  mute; /* down, though it connects: answers nobody */
	bool		  said_down; /* the caller's: to the operator */
	unsigned	  on_trial; /* connections that wait for its answer */
	unsigned	  silent;   /* in a row */
	uint64_t	  retry_ms, backoff_ms, answered_ms;
	uint64_t	  failures;
};

struct upstream {
	struct server of[GATEWAY_SERVERS];
	size_t	      n;
	uint16_t      last_id;
};

/* The addresses of gateway.server; what was known of those that stay stays. */
int upstream_set(struct upstream *u, const char *list);

/* The addresses and numbers of another; what was known of those that stay stays. */
void upstream_follow(struct upstream *u, const struct upstream *of);

bool upstream_away(const struct upstream *u); /* one of them is down */
struct server *upstream_find(struct upstream *u, uint16_t id); /* NULL: gone */

/* What upstream_choose() would give. */
enum upstream_offer {
	OFFER_NONE,
	OFFER_POOR, /* it may answer: better than none */
	OFFER_GOOD,
};
enum upstream_offer upstream_offers(const struct upstream *u, uint16_t after);
/* The server for a connection, past the one numbered `after` if that is not
 * UPSTREAM_NONE; NULL: all of those are away. Counts a trial: the caller then
 * reports exactly one of failed, answered, unanswered or abandoned. */
struct server *upstream_choose(struct upstream *u, uint16_t after);

void upstream_failed(struct upstream *u, uint16_t id, uint64_t now,
    const char *why);			     /* did not connect */
void upstream_answered(struct upstream *u, uint16_t id,
    uint64_t now);			     /* its first byte */
/* Connected at since_ms, it was late or left before its first byte. */
void upstream_unanswered(struct upstream *u, uint16_t id, uint64_t since_ms,
    uint64_t now, const char *why);
void upstream_abandoned(struct upstream *u, uint16_t id); /* tells nothing */

/* A server whose back-off is over, once; then upstream_probed tells. */
struct server *upstream_due(struct upstream *u, uint64_t now);
void upstream_probed(struct upstream *u, uint16_t id, uint64_t now,
    const char *why); /* NULL: it connects */

#endif
