/*
 * dp-agent/link.h - by which way the connection goes that the agent keeps.
 *
 * Shape:   pure; callers pass the time. The ways are numbered in the order in
 *          which the administrator prefers them. The link says at any time which
 *          of them are to have a connection, link_wants(); the caller sees to
 *          that and tells what became of each:
 *
 *            link_answered   the other end took us, as it should
 *            link_failed     it did not, or it did and the connection is lost
 *            link_left       it asked us to leave and to come back
 *
 *          whoever was told failed or left has no connection any more. At most
 *          two ways are wanted: the one in use or tried, and one on trial.
 * Rules:   A round tries each way once, those that failed within hold_ms last.
 *          One that has not answered within timeout_ms has failed, and the next
 *          is tried at once. After a round in vain comes a pause, from
 *          LINK_PAUSE_MIN to LINK_PAUSE_MAX, doubled each time.
 *          A connection that is lost begins a round, in a second at most, so
 *          that those who lost it together do not come back together. If it had
 *          lasted less than LINK_SHORT_MS, and than hold_ms, its way has failed
 *          and the pause grows as for rounds in vain: a way that answers and
 *          hangs up is no better than one that does not answer.
 *          On a way that is not the first the link stays hold_ms. Then those
 *          before it are tried beside it, in order, one each hold_ms; the first
 *          that answers is the link from then on, and only then is the old
 *          connection given up.
 *          Who asks us to leave for no longer than timeout_ms is waited for;
 *          for longer, his way is left out of rounds for so long, LINK_ALONE_MAX
 *          at most, and passed over like one that has failed after that.
 * Promise: whatever happens, a return comes hold_ms after what it undoes, and
 *          connections are begun no faster than n ways a pause; and once some
 *          way works, and has not asked us to leave, the link is up on a way
 *          that works.
 * Units:   milliseconds of one monotonic clock.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_LINK_H
#define DP_AGENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_WAYS	17 /* 16 gateways and the server */
#define LINK_NONE	((size_t)-1)
#define LINK_PAUSE_MIN	1000
#define LINK_PAUSE_MAX	300000
#define LINK_SHORT_MS	60000
#define LINK_AGAIN_MS	1000	 /* at most, after a connection that lasted */
#define LINK_LEAVE_MAX	86400000 /* nobody sends us away for longer */
#define LINK_ALONE_MAX	600000	 /* nor do we stay without any for longer */
#define LINK_WHY	200

enum link_state {
	LINK_WAITS, /* for its next round */
	LINK_TRIES,
	LINK_UP,
};
const char *link_state_word(enum link_state s);

struct link_way {
	bool	 tried;	      /* in this round */
	uint64_t rests_ms;    /* tried last before this */
	uint64_t leaves_ms;   /* and not at all before this */
	uint64_t failed_ms;   /* the last time; 0: never */
	uint64_t failures;    /* all */
	char	 why[LINK_WHY];
};

struct link {
	uint64_t	timeout_ms, hold_ms;
	struct link_way ways[LINK_WAYS];
	size_t		n;
	enum link_state state;
	size_t		way;	     /* of LINK_TRIES and LINK_UP */
	size_t		trial;	     /* or LINK_NONE */
	uint64_t	since_ms;    /* it is in this state */
	uint64_t	deadline_ms; /* of LINK_TRIES; of LINK_WAITS: its end */
	uint64_t	trial_deadline_ms;
	uint64_t	chosen_ms;   /* when the link came to the way it is on */
	size_t		chosen;	     /* that way, or LINK_NONE */
	uint64_t	looked_ms;   /* the last trial began */
	unsigned	vain;	     /* rounds in a row */
	unsigned	shorts;	     /* connections in a row */
	uint64_t	changes;     /* of the way it is on */
	uint64_t	dice;
};

/* n ways, at least one; the first round is due at once. seed: any number. */
void link_init(struct link *l, size_t n, uint64_t timeout_ms, uint64_t hold_ms,
    uint64_t now, uint64_t seed);

bool link_wants(const struct link *l, size_t way);

void link_answered(struct link *l, size_t way, uint64_t now);
void link_failed(struct link *l, size_t way, uint64_t now, const char *why);
void link_left(struct link *l, size_t way, uint64_t now, uint64_t delay_ms);

/* Time has gone by. When to call again, at the latest. */
uint64_t link_tick(struct link *l, uint64_t now);

#endif
