/*
 * dp-agent/receiver.h - one object's reception by multicast: where symbols go,
 * what is missing, when to say so, and when it is over.
 *
 * Shape:   a state machine. It has no socket, no clock, no key and writes no
 *          log: callers pass the time and what came. It asks for one thing, the
 *          object's file (conf.write, conf.read), and gives the object's bytes
 *          in order as soon as they are right (conf.piece), for the hash. For
 *          each packet of data, its header parsed:
 *
 *            p = receiver_slot(r, sbn, sbl, esi, &len);
 *            if (p == NULL)
 *                    receiver_packet(r, now, counter, false);
 *            else if (it opens, into p, to len bytes)
 *                    receiver_commit(r, now, counter, sbn, esi);
 *
 *          then, when the socket has no more for now, receiver_drained(); and
 *          whenever packets were read or receiver_next() has come:
 *
 *            while (receiver_report(r, now, &report))
 *                    send it;
 *            look at receiver_state(r, now);
 *
 * Believes: nothing before it has been authenticated: receiver_slot() may be
 *          asked with any numbers and changes nothing. What is authenticated
 *          comes from somebody in the group and can still be forged by an
 *          insider: it can spoil blocks, but no number makes anything fail.
 *          Whether the bytes are right is the object's hash to say.
 * Units:   time is ns of any clock that only rises; offsets and lengths are
 *          bytes of the object.
 * Ownership: what receiver_slot() gives is valid until the next call here.
 *          Memory: conf.buffers for blocks in the making (a buffer: symbols *
 *          symbol bytes, two at least), 2 bits for each block of the object, 0.6
 *          MiB for the blocks that lack symbols: of 4,096 what they have is
 *          remembered, beyond it they begin anew.
 * Errors:  0 or a negative errno: what conf.write or conf.read returned, or
 *          -ENOMEM. After one the object is RECEIVER_FAILED and takes nothing
 *          more; what is missing is still told.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_RECEIVER_H
#define DP_AGENT_RECEIVER_H

#include "common/mcast_msg.h"

struct receiver_conf {
	uint64_t length;  /* of the object, not 0 */
	uint32_t symbol;  /* E: bytes of a symbol */
	uint32_t block;	  /* B: source symbols of a block, at most */
	uint16_t symbols; /* of a block, parity and all, at most 255 */
	size_t buffers;	  /* bytes for block buffers */
	uint64_t silence; /* ns without any packet: it leaves */
	uint64_t seed;	  /* of the back-off; differs between receivers */
	/*
	 * The file, which is as long as the object from the start. Whole blocks
	 * are written at once; of a block that must give up its buffer, runs of
	 * symbols. Both do all of len or fail. Without write nothing is kept
	 * and nothing decoded: the simulation's receivers.
	 */
	int (*write)(void *ctx, uint64_t offset, const void *p, size_t len);
	int (*read)(void *ctx, uint64_t offset, void *p, size_t len);
	/* The bytes from offset, in order from 0 and each once; NULL: not
	 * wanted. What it returns is returned, as by write. */
	int (*piece)(void *ctx, uint64_t offset, const void *p, size_t len);
	void *ctx;
};

enum receiver_state {
	RECEIVER_RUNS,
	RECEIVER_COMPLETE, /* all blocks; there may be reports to send yet */
	RECEIVER_LEAVES,   /* nothing more will come: see receiver_missing() */
	RECEIVER_FAILED,
};

struct receiver;

int  receiver_new(struct receiver **out, const struct receiver_conf *conf);
void receiver_free(struct receiver **r);

/*
 * The place for symbol esi of block sbn, whose source symbols are said to be
 * sbl: len bytes. NULL: it is not wanted, being there already or not part of
 * the object. Until it is committed nothing has changed.
 */
uint8_t *receiver_slot(struct receiver *r, uint32_t sbn, uint16_t sbl,
    uint16_t esi, uint16_t *len);

/* The symbol last asked for is authentic and at its place. 1: with it its block
 * is complete; 0. */
int receiver_commit(struct receiver *r, uint64_t now, uint64_t counter,
    uint32_t sbn, uint16_t esi);

/*
 * Any other packet of the session's data port, for the loss: of the FDT, or
 * with a symbol not wanted. Not authentic: it is counted as having come when
 * its number fits, and moves nothing else.
 */
void receiver_packet(
    struct receiver *r, uint64_t now, uint64_t counter, bool authentic);

/* An authentic notice. It counts when the data sent before it has been read,
 * which is when data with a higher number comes or receiver_drained() says so. */
int receiver_notice(
    struct receiver *r, uint64_t now, const struct mcast_notice *n);

/* The data socket is empty, having been read after the notices' socket. */
int receiver_drained(struct receiver *r, uint64_t now);

/* Whether a report is due; then all but tsi, agent and counter is filled. */
bool receiver_report(
    struct receiver *r, uint64_t now, struct mcast_report *out);

/* When to call receiver_report(), receiver_work() and receiver_state() again
 * at the latest; UINT64_MAX: never without a packet. */
uint64_t receiver_next(const struct receiver *r);

/* Gives the hash one block that is complete but was not hashed as it came.
 * 1: there is more such work, which needs no packet; 0: none. */
int receiver_work(struct receiver *r);

/* It is complete, and found to be right by somebody else: nothing is hashed or
 * read any more, buffers are given back, what is left is to tell the sender. */
void receiver_rest(struct receiver *r);

enum receiver_state receiver_state(struct receiver *r, uint64_t now);

/* These bytes of the file are right already (resumption; HTTPS): blocks that
 * lie in them wholly count as complete. */
int receiver_adopt(struct receiver *r, uint64_t offset, uint64_t length);

/* These bytes are wrong or in doubt: blocks that touch them are missing again,
 * and asked for while the session lasts. What was hashed stays hashed. */
int receiver_spoil(struct receiver *r, uint64_t offset, uint64_t length);

/*
 * The next range of missing bytes at or after *offset, as whole blocks: true,
 * and both are set; begin with 0, go on with *offset + *length.
 */
bool receiver_missing(
    const struct receiver *r, uint64_t *offset, uint64_t *length);

struct receiver_stats {
	uint64_t complete_bytes, hashed_bytes;
	uint32_t blocks, complete;
	uint64_t symbols;	  /* taken */
	uint64_t parity;	  /* of these: not source symbols */
	uint64_t received, lost;  /* packets of the session, by their numbers */
	uint64_t decoded;	  /* blocks that needed parity */
	uint64_t spilled;	  /* times a block gave up its buffer */
	uint64_t reports, notices;
	uint64_t last_ns;	  /* when the last packet came */
};
void receiver_stats(const struct receiver *r, struct receiver_stats *out);

#endif
