/*
 * dp-gateway/shakes.h - which TLS handshakes with devices may be under way.
 *
 * Half a handshake holds some 40 kB here, and whoever leaves it at that pays
 * nothing. So SHAKES_MAX of them hold memory at once, and beyond these only such
 * as leave their lane within its even share: 2 * SHAKES_MAX at the very most. The
 * others wait, unread.
 * Shape:   a struct shake in each connection, zeroed before. Addresses fall into
 *          SHAKES_LANES lanes, by a secret; lanes take turns, in a lane who came
 *          first, and none has more than SHAKES_LANE. Whatever the others hold, its
 *          even share is there for each: who fills some lanes keeps nobody out but
 *          those of these lanes (McKenney's stochastic fairness queueing).
 * Who is done, whichever way, leaves; the caller of shakes_next calls begin of
 * what it gives. Pure.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_SHAKES_H
#define DP_GATEWAY_SHAKES_H

#include <stdbool.h>
#include <stdint.h>

#define SHAKES_MAX   1024
#define SHAKES_LANES 64
#define SHAKES_NET   8 /* lanes of one /64 of IPv6, which has SHAKES_LANE in all */
#define SHAKES_LANE  256 /* of all lanes, SHAKES_MAX / SHAKES_LANES is each one's own */

enum shake_state { SHAKE_NONE, SHAKE_WAITS, SHAKE_ON };

struct shake {
	struct shake *prev, *next; /* of those that wait in its lane */
	void (*begin)(void *owner); /* for who had to wait */
	void   *owner;
	uint8_t state, lane;
	bool	of_net; /* its address is IPv6 */
};

struct shakes {
	uint64_t secret; /* may change: who is in a lane stays there */
	unsigned on, waiting, turn, peak; /* peak: since the last shakes_rest */
	struct {
		struct shake *first, *last;
		unsigned      on;
	} lanes[SHAKES_LANES];
};

/* Of SHAKE_NONE: true, it is SHAKE_ON; false, it waits. */
bool shakes_enter(struct shakes *s, struct shake *e, const uint8_t addr[16]);
void shakes_leave(struct shakes *s, struct shake *e); /* of any state */
struct shake *shakes_next(struct shakes *s); /* is SHAKE_ON now; NULL: none may */
/* Once after a burst, when it is over. */
bool shakes_rest(struct shakes *s);

#endif
