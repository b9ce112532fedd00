/*
 * dp-mcast/session.h - the objects that are being sent.
 *
 * Shape:   a session sends one object to one group; an object is sent to every
 *          group that registered devices may listen to, so it may have several
 *          sessions. All share multicast.rate, equally. What a session does next
 *          is sender.h's to say, how it looks on the wire wire.h's; this part
 *          has the sockets, the clock and the keys.
 * Reports: believed when their sender has registered, they are newer than its
 *          last and their seal holds; else counted by reason and dropped. Only
 *          then do they count against the receiver's share and the session's,
 *          so that nobody can use up another's.
 * The end: told to want.h, which counts what was lost. An object that the store
 *          evicts meanwhile is sent to the end: its descriptor keeps it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MCAST_SESSION_H
#define DP_MCAST_SESSION_H

#include "common/hash.h"
#include "dp-mcast/mcast.h"

struct sessions;

int  sessions_new(struct mcast *m, struct sessions **out);
void sessions_free(struct sessions **s);

bool	 session_find(const struct mcast *m, const struct hash *h);
unsigned sessions_count(const struct mcast *m); /* objects being sent */
/* A TSI that no session has. */
uint16_t sessions_new_tsi(const struct mcast *m);

/* name: NULL if the caller does not know it. 0, or a negative errno: -ENETDOWN if no group would
 * be listened to. */
int  session_start(struct mcast *m, const struct hash *h, const char *name,
     uint64_t size, int take_fd);
/* The rate of this time of day, the configuration or the number is another. */
void sessions_share(struct mcast *m);
/* The keys are new, or the groups: what is being sent begins anew. */
void sessions_restart(struct mcast *m);
/* Told to the receivers. which: a name, a hash, or NULL for all; how many. */
unsigned sessions_abort(struct mcast *m, const char *which);
/* Reports lie on this socket. */
void sessions_hear(struct mcast *m, unsigned group);

/*
 * Rows for the administrator: a session each. "of" has its receivers; those
 * that one row has no room for follow in rows of "session" and "of" alone.
 * "strip" is heat.h's. The last few that are over come after those that run,
 * the newest first.
 */
enum sessions_shown {
	SHOW_SESSIONS,
	SHOW_RECEIVERS,
	SHOW_RECENT, /* and those that are over */
	SHOW_HEAT,   /* and all with their strips */
};
void sessions_list(const struct mcast *m, struct admin_reply *reply,
    enum sessions_shown what);

enum dropped { /* reports, by why */
	DROPPED_FORM,	  /* is no report */
	DROPPED_SESSION,  /* of a session that is not ours */
	DROPPED_STRANGER, /* of somebody who has not registered */
	DROPPED_REPLAY,	  /* not newer than the last one */
	DROPPED_FORGED,	  /* does not open */
	DROPPED_BUSY,	  /* too many of one receiver */
	DROPPED_FLOOD,	  /* too many of all together */
	DROPPED_STALE,	  /* it knows too little of what was sent */
	DROPPED_RANGE,	  /* speaks of what there never was */
	DROPPED_KINDS
};
const char *dropped_word(enum dropped d);

struct session_totals {
	uint64_t started, finished, aborted;
	uint64_t source, proactive, repair, wire, refused, delivered;
	uint64_t reports, dropped[DROPPED_KINDS];
};
struct session_totals sessions_totals(const struct mcast *m);

#endif
