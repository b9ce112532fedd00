/*
 * dp-gateway/redial.h - when to connect where, for one connection that is to
 * stay: the addresses in order, and a back-off after the last.
 *
 * Shape:   pure; callers pass the time, and chance as any number. The caller asks
 *          redial_due(), connects there and says what became of it. Without one
 *          connection the addresses are tried one after the other at once; when
 *          none connects a back-off follows, from 1 s to 1 min, a random part of
 *          it left out, so that those who lost the same server do not come back
 *          all at once. One that is lost before it is steady has not connected,
 *          but for being down: once is waited for. One that is connected and only
 *          refuses may be left for the next address: after REDIAL_PATIENCE_MIN, and
 *          each time after twice as long, so that two bad ones do not flap.
 * Units:   milliseconds of one monotonic clock.
 * Errors:  redial_set: -EINVAL, nothing changed.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_REDIAL_H
#define DP_GATEWAY_REDIAL_H

#include "common/settings.h"
#include "common/url.h"

#include <stdbool.h>
#include <stdint.h>

#define REDIAL_BACKOFF_MIN 1000
#define REDIAL_BACKOFF_MAX 60000
#define REDIAL_TWICE	   40	/* in a row at once, */
#define REDIAL_TWICE_MS	   5000 /* and then so seldom */
#define REDIAL_STEADY	   10000 /* up for so long: it begins anew */
#define REDIAL_PATIENCE_MIN 5000
#define REDIAL_PATIENCE_MAX 300000 /* none left for twice that: it begins anew */

struct redial {
	struct {
		char	 host[URL_HOST_LEN];
		uint16_t port;
	} of[GATEWAY_SERVERS];
	size_t	 n, next; /* next: which is tried, or connected */
	bool	 busy;	  /* it is being tried, or connected */
	bool	 down;	  /* none of them has connected since the last one */
	uint64_t retry_ms, backoff_ms, up_ms;
	uint64_t failures;
	uint64_t patience_ms, left_ms; /* left_ms: when one was, 0: none */
	unsigned twice; /* in a row */
	char	 why[160]; /* of the last failure */
};

/* Whether that is another list than before; then it starts over. */
int redial_set(struct redial *r, const char *list, bool *changed);

void redial_anew(struct redial *r); /* no back-off of before counts */
void redial_as(struct redial *r, const struct redial *other); /* the same list */

/* The address to connect to now, once: then one of these tells. -1: none. */
int  redial_due(struct redial *r, uint64_t now);
void redial_failed(struct redial *r, uint64_t now, uint64_t chance,
     const char *why);
void redial_up(struct redial *r, uint64_t now);
/* It has connected, but to where a connection of ours is already: others are at
 * the same address, and the next attempt may find one. */
void redial_twice(struct redial *r, uint64_t now, uint64_t chance);
void redial_lost(struct redial *r, uint64_t now, uint64_t chance,
     const char *why); /* one that was up */
/* Of one that is up, and has only refused since then: whether to leave it, and
 * that it is left; the next address is due at once. */
bool redial_may_leave(const struct redial *r, uint64_t now, uint64_t since);
void redial_left(struct redial *r, uint64_t now, const char *why);

#endif
