/*
 * dp-mcast/decide.h - by which way an object goes to those who lack it.
 *
 * Shape:   pure: what is known comes in, the way and its reason go out. One
 *          device alone, an object so small that announcing it costs as much,
 *          and a net that loses as radio does: unicast.
 * Units:   bytes, milliseconds; loss in percent.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MCAST_DECIDE_H
#define DP_MCAST_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#define DECIDE_TWICE	 2	  /* so often in DECIDE_MEMORY_MS is enough */
#define DECIDE_MEMORY_MS 600000	  /* loss and sessions are forgotten then */
#define DECIDE_ABSENT_MS 30000	  /* to wait for the store to get it */
#define DECIDE_BUSY_MS	 60000	  /* to wait for other sessions to end */

enum way { WAY_MULTICAST, WAY_WAIT, WAY_UNICAST };

enum reason { /* of WAY_UNICAST and WAY_WAIT */
	REASON_NONE,
	REASON_GATHER,	/* wait: others may ask too */
	REASON_BUSY,	/* wait, then unicast: as many sessions as may be */
	REASON_COMING,	/* wait: the store does not have it yet */
	REASON_SECRET,	/* the site's, and packets are in clear */
	REASON_SMALL,
	REASON_ALONE,
	REASON_LOSS,
	REASON_SENT,	/* just sent: what is missing is a rest */
	REASON_ABSENT,	/* the store does not have it */
	REASON_FAILED,	/* it cannot be read, or sent */
	REASON_STOPPED, /* an administrator ended its session */
	REASON_KINDS
};

struct situation {
	bool	 is_absent; /* no object in the store */
	bool	 will_come; /* but named there, and to be kept */
	bool	 is_secret; /* may not go out in clear, but would */
	uint64_t size;
	uint64_t since_ms; /* from the first who asked until now */
	unsigned lacking;  /* devices that asked */
	unsigned registered;
	uint64_t settled_ms; /* since one registered who had not before */
	unsigned sessions; /* running */
	unsigned sent;	   /* times, within DECIDE_MEMORY_MS */
	int	 loss;	   /* of the sessions within it; -1: there was none */
};

struct rules {
	uint64_t min_size, gather_ms;
	unsigned min_agents, max_sessions, max_loss;
};

enum way    decide(const struct rules *r, const struct situation *s,
       enum reason *why);
const char *reason_word(enum reason r); /* "alone", for metrics and JSON */
const char *reason_text(enum reason r); /* a clause for people */

/*
 * What sessions lost, the newer counting more: an average that forgets.
 * percent is the loss of the receiver in the middle.
 */
struct loss_memory {
	double	 average;
	uint64_t at_ms; /* 0: nothing yet */
};
void loss_note(struct loss_memory *l, unsigned percent, uint64_t now_ms);
int  loss_known(const struct loss_memory *l, uint64_t now_ms);

#endif
