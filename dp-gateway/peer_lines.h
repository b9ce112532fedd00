/*
 * dp-gateway/peer_lines.h - how many lines of the log, and events, a peer gets.
 *
 * Shape:   pure; callers pass the time. Each peer, by the key of its name, has a
 *          bucket: PEER_LINES_BURST at once (a gateway of 8 processes that starts
 *          anew takes 16), and one more each PEER_LINES_MS. What is not said is
 *          counted, and the peer's next line says how many.
 * Bounds:  PEER_LINES_PEERS; of more the one that had a turn longest ago is
 *          forgotten, with its count: metrics have that, too.
 * Units:   milliseconds of one monotonic clock.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_PEER_LINES_H
#define DP_GATEWAY_PEER_LINES_H

#include <stdbool.h>
#include <stdint.h>

#define PEER_LINES_BURST 64
#define PEER_LINES_MS	 5000
#define PEER_LINES_PEERS 256
#define PEER_KEY	 16

struct peer_lines { /* zeroed: nobody has said anything */
	struct peer_line {
		uint8_t	 key[PEER_KEY];
		uint64_t asked_ms; /* last */
		uint64_t until_ms; /* then the bucket is full again */
		unsigned unsaid;
		bool	 used;
	} of[PEER_LINES_PEERS];
};

/* Whether it may be said; then *unsaid is how many were not since the last. */
bool peer_lines_may(struct peer_lines *l, const uint8_t key[PEER_KEY],
    uint64_t now, unsigned *unsaid);

#endif
