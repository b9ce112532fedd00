/*
 * dp-mcast/sender.h - one multicast session's sender: which symbol goes next,
 * what the receivers' reports mean, how fast, and when it is over.
 *
 * Shape:   a state machine. It has no socket, no clock, no key and writes no
 *          log: callers pass the time and what was received, and carry out what
 *          they are told. The only thing it asks for is bytes of the object
 *          (conf.read). A loop around it is
 *
 *            while (sender_state(s) != SENDER_OVER) {
 *                    if (sender_notice(s, now, counter, &notice))
 *                            counter++, send it;
 *                    n = sender_next(s, now, counter, out, max);
 *                    counter += n, send n symbols;
 *                    sleep until sender_wake(s, now) or a report comes:
 *                    if (it authenticates && sender_admits(s, now))
 *                            sender_report(s, now, receiver, &report);
 *            }
 *
 * The way of a block: it is read once, its source symbols go out interleaved
 *          with those of conf.depth - 1 neighbours, each a little further than
 *          the next, so that one block ends at a time; then as many parity
 *          symbols as most of the last blocks turned out to need ("proactive").
 *          Reports then ask for more of it: fresh parity, ESI rising, is sent
 *          for the worst of them, in turn with what is still new. When the code
 *          has no fresh symbols left, its symbols go round again, in steps.
 * Units:   time is ns of any clock that only rises; rates are bytes a second on
 *          the wire, frame headers and all; loss is in 1/1000.
 * Ownership: what sender_next() gives is valid until the next call of it.
 *          Memory: depth + 6 block buffers with their parity, 8 bytes for each
 *          block of the object, 20 for each receiver, 0.5 MiB.
 * Errors:  0 or a negative errno. What conf.read returned when it failed
 *          becomes the session's: sender_next() gives it, and from then on the
 *          notices say ABORT. Nothing a report says can make anything fail.
 * Limits:  a report never causes more symbols than it can need; a block is sent
 *          round twice at most; fresh data gets half of the symbols at least
 *          while there is any; a receiver that loses more than conf.max_loss is
 *          passed over while such ones are a quarter of the receivers at most.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MCAST_SENDER_H
#define DP_MCAST_SENDER_H

#include "common/mcast_msg.h"
#include "dp-mcast/pace.h"

#define SENDER_DEPTH_MAX 32 /* conf.depth */
#define SENDER_HEAT 64	    /* cells of a receiver's line of the heat strip */
#define SENDER_HEAT_ROWS 1024 /* receivers that have such a line */

struct sender_conf {
	uint64_t length;    /* of the object, not 0 */
	uint32_t symbol;    /* E: bytes of a symbol */
	uint32_t block;	    /* B: source symbols of a block, at most */
	uint16_t symbols;   /* of a block, parity and all, at most 255 */
	uint16_t depth;	    /* D: blocks whose symbols are interleaved */
	uint32_t receivers; /* registered; grows by sender_receivers() */
	uint32_t overhead;  /* bytes on the wire beside a symbol in its packet */
	uint64_t rate;	    /* ceiling; 0: none */
	uint64_t rate_start; /* sender_found() of the last session; 0: unknown */
	uint16_t max_loss;   /* above it a receiver is left to unicast; 0: 200 */
	/* len bytes of the object from offset, all of them, or an errno */
	int (*read)(void *ctx, uint64_t offset, void *buf, size_t len);
	void *ctx;
};

struct sender_symbol {
	const uint8_t *p;
	uint32_t sbn;
	uint16_t sbl, esi; /* source symbols of the block; which symbol */
	uint16_t len;	   /* below conf.symbol for the object's last one only */
};

enum sender_state {
	SENDER_RUNS,
	SENDER_ENDS, /* only notices with END or ABORT are left to send */
	SENDER_OVER,
};

struct sender;

int  sender_new(struct sender **out, const struct sender_conf *conf);
void sender_free(struct sender **s);

/*
 * The symbols to send now, at most max: their number, 0 when there is nothing
 * to send or the pace says later, or a negative errno. The first will be packet
 * number `counter` of the session, the others follow. Rather than a few symbols
 * it gives none until a whole train (or max) may go, except when no more are
 * there.
 */
int sender_next(struct sender *s, uint64_t now, uint64_t counter,
    struct sender_symbol out[], unsigned max);

/* Whether a notice is due; then all but tsi and generation is filled. */
bool sender_notice(struct sender *s, uint64_t now, uint64_t counter,
    struct mcast_notice *n);

/* Other packets of the session (its FDT): bytes on the wire, for the pace. */
void sender_charge(struct sender *s, uint64_t bytes);

/*
 * When to call sender_next() and sender_notice() again at the latest; now or
 * before: at once. UINT64_MAX when it is over.
 */
uint64_t sender_wake(struct sender *s, uint64_t now);

/*
 * Whether one more report may be looked at: a flood is dropped here unseen.
 * Counted in stats. Ask for authentic ones only: forged ones would use up what
 * the others need.
 */
bool sender_admits(struct sender *s, uint64_t now);

/*
 * A report of receiver 0..receivers-1 that has been authenticated and is newer
 * than that receiver's last (its counter). 0, or why it counts for nothing:
 * -ERANGE: it speaks of blocks, packets or times there never were, or asks for
 * more than a block has; -ESTALE: it knows too little of what was sent;
 * -EBUSY: too many from this receiver. DONE counts in any case but -ERANGE,
 * and also when the session is over. What it says of loss counts only while it
 * has heard of no packet that was not sent yet.
 */
int sender_report(struct sender *s, uint64_t now, uint32_t receiver,
    const struct mcast_report *r);

/* There are n at least, in all: those that were not known are new ones. */
int sender_receivers(struct sender *s, uint32_t n);

/* The rate allowed now, at no cost; and what the next session may start with. */
uint64_t sender_rate(const struct sender *s);
uint64_t sender_found(const struct sender *s);

void sender_ceiling(struct sender *s, uint64_t now, uint64_t rate);

/* Ends the session at the next notices: told to receivers as ABORT. */
void sender_abort(struct sender *s, uint64_t now);

enum sender_state sender_state(const struct sender *s);

struct sender_stats {
	uint64_t source_bytes, proactive_bytes, repair_bytes; /* of symbols */
	uint64_t wire_bytes; /* symbols, notices and what was charged */
	uint64_t rate;	     /* allowed now */
	uint32_t blocks, frontier; /* all; those that had their first pass */
	uint32_t pending;	   /* symbols asked for and not sent yet */
	uint8_t proactive;	   /* parity symbols with a first pass now */
	uint32_t rtt_us;	   /* smoothed; 0: not known */
	uint32_t receivers, heard, done, left, slow;
	uint16_t loss_median, loss_90, loss_max; /* of those heard */
	uint64_t notices;
	struct {
		uint64_t taken, flood, busy, stale, range;
		uint64_t capped; /* asked for more than the limits give */
		uint64_t passed_over; /* from receivers left to unicast */
	} reports;
};
void sender_stats(const struct sender *s, struct sender_stats *out);

enum {
	SENDER_HEARD = 1,
	SENDER_DONE = 2, /* it has the whole object */
	SENDER_LEFT = 4, /* it goes on by unicast */
	SENDER_SLOW = 8, /* it loses more than conf.max_loss */
};
struct sender_receiver {
	uint8_t flags;
	uint16_t loss;
	uint32_t complete; /* blocks, as it said last */
	/* the largest deficit it had in that part of the object, in steps:
	 * 0 none heard, 1 up to 1 % of a block, 2: 2 %, 3: 5 %, 4: 10 %, 5: 25
	 * %, 6: more. Zero for receivers from SENDER_HEAT_ROWS on. */
	uint8_t heat[SENDER_HEAT];
};
int sender_receiver(
    const struct sender *s, uint32_t receiver, struct sender_receiver *out);

#endif
