/*
 * dp-agent/mcast.h - what comes to this device by multicast.
 *
 * Runs in the network child. Three parts: mcast.c listens to the groups, knows
 * keys and sessions and sends reports; mcast_get.c brings one object, from the
 * question to the distribution point to the bytes that have the signed hash;
 * news.c takes metadata from carousels, so that a refresh needs no question.
 * Start:   the parent has joined the groups; mcast_open() takes its sockets.
 * Object:  mcast_get() -> the distribution point says wait, multicast or
 *          unicast -> its session is heard -> symbols -> what lacks comes by
 *          HTTPS ranges -> targets_cast_over(). Whatever goes wrong ends there
 *          too, and the object comes by unicast as ever.
 * Bounds:  sessions, bytes of a file description, block buffers of each object
 *          (agent.parallel of them at a time): see the #defines.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_MCAST_H
#define DP_AGENT_MCAST_H

#include "common/fdt.h"
#include "common/mcast_group.h"
#include "common/mcast_msg.h"
#include "dp-agent/mcast_api.h"
#include "dp-agent/mcast_wire.h"
#include "dp-agent/net.h"
#include "dp-agent/news.h"
#include "dp-agent/receiver.h"

#include <sys/socket.h>

#define SESSIONS_MAX	32 /* and a place for who may be a stranger */
#define CAST_BUFFERS	(6 << 20) /* bytes of block buffers of one cast */
#define OFFERS_MAX	1024 /* of one session */
#define FDT_KNOWN	256 /* instances that a session remembers to have read */

/* A group, as the parent joined it. */
struct group {
	struct mcast	*m;
	char		 address[MCAST_GROUP_TEXT];
	int		 data, notices, reports;
	struct loop_io	*data_io, *notices_io;
};

struct cast;

/* An object that a session's file description offers. */
struct offer {
	struct offer   *next;
	struct fdt_file file; /* its name is ours */
};

/* A session that is heard: of one object, or a carousel of many. */
struct session {
	struct mcast_session w; /* first: the wire's own part */
	struct mcast	*m;
	struct group	*group;
	struct session	*next;
	/* notices are read before the data that waits in its socket, so their
	 * numbers must not make that data look old */
	struct mcast_window noticed;
	uint16_t	 generation;
	uint8_t		 salt[MCAST_SALT_LEN];
	struct fdt_gather gather;
	uint32_t	 known[FDT_KNOWN]; /* instances that were read, a ring */
	unsigned	 nknown;
	struct mcast_sealer *reporter;
	struct sockaddr_storage from; /* of the last notice; family 0: none */
	socklen_t	 from_len;
	uint64_t	 heard_ms;
	bool		 authentic; /* a packet of it has opened */
	bool		 is_carousel; /* objects come and go, nobody reports */
	bool		 complained; /* of a description, in the log */
	bool		 is_over; /* its sender has said so */
	struct offer	*offers; /* the newest first */
	unsigned	 noffers;
	struct news_source news;
};

enum cast_state {
	CAST_ASKS,     /* the distribution point, how it comes */
	CAST_WAITS,    /* to ask again */
	CAST_HOPES,    /* for a carousel to offer it */
	CAST_EXPECTED, /* its session is to come */
	CAST_RUNS,
	CAST_LOOKS,    /* for pieces that are spoiled, or were there before:
			* asks for their hashes, compares */
	CAST_FILLS,    /* ranges by HTTPS */
	CAST_CHECKS,   /* the rest of the hash */
	CAST_LINGERS,  /* its target has it; the sender is to hear so */
};

struct range {
	uint64_t    from, to;
	bool	    has_hash;
	struct hash hash;
};

struct cast {
	struct cast	*next;
	struct mcast	*m;
	struct target	*t; /* NULL: CAST_LINGERS */
	enum cast_state	 state;
	struct loop_timer *timer;
	struct download *http;
	struct session	*session; /* from CAST_RUNS on, while it is there */
	uint16_t	 toi;
	struct receiver *rx; /* from CAST_RUNS on */
	uint16_t	 symbol; /* bytes */
	uint64_t	 began_ms, moved_ms;
	struct hash_run *run; /* the object's, as its bytes come in order */
	uint64_t	 hashed;
	/* hashes of pieces: to adopt what lay there, or to find what is spoiled */
	struct hash	*pieces;
	size_t		 npieces, piece_at;
	uint64_t	 piece; /* bytes of one */
	uint64_t	 good;	/* from here to the last one compared, all right */
	struct download *pieces_http;
	struct loop_timer *compare;
	bool		 adopts, looked;
	const char	*ended; /* why nothing more will come; or NULL */
	/* what is fetched by HTTPS */
	struct range	*todo;
	size_t		 ntodo, at;
	unsigned	 tried; /* bits of sources, of the range under way */
	size_t		 source;
};

struct mcast {
	struct net	*n;
	struct group	 groups[MCAST_GROUPS];
	size_t		 ngroups;
	struct session	*sessions;
	size_t		 nsessions;
	struct cast	*casts;
	struct news	*news;
	struct mcast_keys keys;
	bool		 has_keys;
	size_t		 source;    /* who gave them: the distribution point */
	unsigned	 tried;	    /* bits of sources asked for keys */
	struct download *keys_http;
	uint64_t	 keys_ms;   /* when they came */
	uint64_t	 asked_ms;  /* when they were asked for last */
	bool		 later_set;
	uint64_t	 strange_ms; /* not asked for a strange generation before */
	uint64_t	 strange_wait_ms; /* and how long that was from the last */
	uint64_t	 off_ms;    /* no multicast there: not asked before this */
	uint64_t	 reported;  /* counter of our reports in this registration */
	struct loop_timer *tick, *later; /* later: a question for keys */
	uint64_t	 batch_ns, batch_ms; /* when the packets at hand were read */
	struct mcast_wire_counts counts;
	uint64_t	 bad_notices, bad_descriptions, reports;
	char		 error[300]; /* of the last question for keys */
};

/* mcast.c */
int  mcast_open(struct net *n);
uint64_t mcast_now_ns(void);
/* Asks for keys if there are none or they are old; casts that ask go on when
 * they have come. */
void mcast_need_keys(struct mcast *m);
/* Who offers these bytes; carousels alone, or all sessions; of several the
 * oldest, as an insider has new ones for nothing. NULL: nobody. */
struct offer *mcast_offer(struct mcast *m, const struct hash *h,
    bool carousels, struct session **session);
/* Counters since the start, for the status. */
json_t *mcast_status(const struct mcast *m);
/* Runs a cast's receiver: reports that are due, the next time to look. */
void mcast_run(struct cast *c);

/* mcast_get.c */
bool mcast_get(struct target *t); /* false: not by multicast */
void mcast_cancel(struct target *t);
void cast_keys_came(struct mcast *m, const char *error); /* NULL: they did */
/* An object of that hash is offered: the cast that waits for it, or NULL. */
struct cast *cast_wants(struct mcast *m, const struct hash *h);
int  cast_begin(struct cast *c, struct session *s, const struct fdt_file *f);
void cast_moved(struct cast *c);
/* Nothing of it has come for multicast.silence, though its carousel goes on. */
bool cast_is_stuck(const struct cast *c);
/* All blocks are there: whether the cast is gone or busy with its hash. */
bool cast_complete(struct cast *c);
void cast_ended(struct cast *c, const char *why); /* nothing more will come */

#endif
