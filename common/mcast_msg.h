/*
 * common/mcast_msg.h - what is said about a multicast session beside its data.
 *
 * A *notice* goes from the sender to the group's notice port, and says how far
 * it is and what it heard; a *report* goes from one receiver to the address the
 * notices come from, and says what it lacks.
 *   notice: "DPN1" u16 tsi, u16 generation, u64 counter | body
 *     body: u8 flags, u32 time, u32 frontier, u8 proactive, u16 backoff_ms,
 *           u32 receivers, { u32 sbn, u16 sent, u8 heard }...
 *   report: "DPR1" u16 tsi, u32 agent, u64 counter | body
 *     body: u8 flags, u32 echo, u16 held_ms, u32 seen, u32 received,
 *           u32 expected, u32 complete, { u32 sbn, u8 deficit }...
 * Entries run to the end of the body. Secure: the body is sealed under the head,
 * the tag behind it. A notice of generation 0 is an open session's: clear,
 * without a tag. Reports are always sealed, in open mode too.
 *
 * Shape:   a struct holds all of a message; unused entries are left as they are.
 * Units:   integers are big-endian.
 * Errors:  reading: -EBADMSG, the struct then unspecified. Writing: -EMSGSIZE,
 *          or -EINVAL when n, flags or an entry is out of range. And those of
 *          mcast_seal.h. Checking counters (replay) is the caller's: peek, look
 *          at the window, read, mark.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_MCAST_MSG_H
#define COMMON_MCAST_MSG_H

#include "common/mcast_seal.h"

#define MCAST_NOTICE_BLOCKS 192
#define MCAST_NOTICE_SIZE   1392 /* bytes of one, at most, tag included */
#define MCAST_REPORT_BLOCKS 228
#define MCAST_REPORT_SIZE   1197

enum mcast_notice_flag { MCAST_END = 1, MCAST_ABORT = 2 };
enum mcast_report_flag { MCAST_DONE = 1, MCAST_LEAVING = 2 };

struct mcast_notice {
	uint16_t tsi, generation; /* 0: open */
	uint64_t counter;	  /* of the session's packets */
	uint8_t	 flags;
	uint8_t	 proactive;  /* parity symbols sent with a first pass now */
	uint16_t backoff_ms; /* window for reports */
	uint32_t time;	     /* the sender's, ms; comes back as echo */
	uint32_t frontier;   /* blocks below had their first pass */
	uint32_t receivers;  /* registered */
	uint16_t n;	     /* entries, at most MCAST_NOTICE_BLOCKS */
	struct mcast_notice_block {
		uint32_t sbn;
		uint16_t sent;	/* ESIs below have been sent: to 255 */
		uint8_t	 heard; /* largest deficit heard and not sent yet */
	} block[MCAST_NOTICE_BLOCKS];
};

struct mcast_report {
	uint16_t tsi;
	uint32_t agent;
	uint64_t counter; /* of the agent's reports on all sessions: from 1 */
	uint8_t	 flags;
	uint16_t held_ms;  /* between that notice and this report */
	uint32_t echo;	   /* time of the last notice */
	uint32_t seen;	   /* highest counter received, low 32 bits */
	uint32_t received; /* packets, since the last report */
	uint32_t expected; /* likewise, the lost ones too */
	uint32_t complete; /* blocks */
	uint16_t n;	   /* entries, at most MCAST_REPORT_BLOCKS */
	struct mcast_report_block {
		uint32_t sbn;
		uint8_t	 deficit; /* symbols lacking, not 0 */
	} block[MCAST_REPORT_BLOCKS];
};

/* The head alone, by which the key is found: to be believed after reading. */
int mcast_notice_peek(const void *buf, size_t len, uint16_t *tsi,
    uint16_t *generation, uint64_t *counter);
int mcast_report_peek(const void *buf, size_t len, uint16_t *tsi,
    uint32_t *agent, uint64_t *counter);

/*
 * s is NULL for an open session's notice, and then generation must be 0, as it
 * must not otherwise: a receiver that wants secure sessions gives its sealer
 * and so refuses open ones. Without a sealer a report is written and read in
 * clear, as the simulation and the fuzzers do.
 */
int mcast_notice_write(const struct mcast_notice *n, struct mcast_sealer *s,
    void *buf, size_t size, size_t *len);
int mcast_notice_read(struct mcast_notice *n, struct mcast_sealer *s,
    const void *buf, size_t len);
int mcast_report_write(const struct mcast_report *r, struct mcast_sealer *s,
    void *buf, size_t size, size_t *len);
int mcast_report_read(struct mcast_report *r, struct mcast_sealer *s,
    const void *buf, size_t len);

#endif
