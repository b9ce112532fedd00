/*
 * dp-gateway/push_conn.h - what the files of the push channel share: push.c has
 * connections from their start to their end, push_request.c what they ask,
 * push_wake.c what they are told, push_clone.c those that are one too many,
 * push_sibling.c those that come to another process of ours.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_PUSH_CONN_H
#define DP_GATEWAY_PUSH_CONN_H

#include "common/http_request.h"
#include "dp-gateway/push.h"
#include "dp-gateway/recent.h"
#include "dp-gateway/registry.h"

/* Each a list in order of time, so that a tick looks at the heads only. */
enum state {
	S_SILENT, /* it has not begun to shake hands */
	S_SHAKE,
	S_HEAD, /* its request is not whole */
	S_OPEN, /* since_ms: the last event or comment */
	S_SLOW, /* an open one that does not take what it got */
	S_ASKS, /* its order is under way */
	S_LINGER, /* is answered for good */
	S_ENDED,
	S_COUNT = S_ENDED
};

struct head { /* a request that comes */
	struct http_request req;
	size_t		    len;
	bool		    is_done, continued;
	char		    buf[HTTP_REQUEST_HEAD_MAX + WAKE_BODY_MAX];
};

struct push_conn {
	struct device	  device;
	struct push	 *p;
	struct push_conn *prev, *next;	 /* in the list of its state */
	struct push_conn *older, *newer; /* of all */
	struct shake	  shake;
	struct tls_conn	 *tls; /* NULL until it has spoken, and it is its turn */
	struct head	 *head;
	struct wake	**waiting; /* by kind; NULL: nothing waits */
	uint64_t	  id, start_ms, since_ms, swap_ms;
	uint64_t	  open_us; /* when it was opened, by any process's clock */
	int		  fd;
	uint16_t	  port;
	uint8_t		  addr[16], state, why;
	uint8_t		  swaps; /* of two that are alive; see push_clone.c */
	bool		  blocked; /* bytes of ours wait for the socket */
};

struct run;
struct push {
	struct gateway	  *g;
	struct registry	  *devices;
	struct recent	  *recent;
	int		   epoll;
	struct loop_io	  *io;
	struct loop_timer *tick, *turn;
	bool		   ticking;
	int64_t		   next_expiry; /* s since 1970, of certificates; 0: none */
	bool		   has_gap; /* a wake was not given out here: connections
				     * of before hear no more numbers, so that
				     * their devices refresh when they return */
	struct {
		struct push_conn *first, *last;
		unsigned	  n;
	} list[S_COUNT];
	struct push_conn  *oldest, *newest, *ended;
	struct run	  *runs;
	unsigned	   nruns;
	struct push_counts n;
};

/* Of now; the loop's time is that of its turn's beginning. */

/* push.c */
void push_state(struct push_conn *c, enum state s);
void push_end(struct push_conn *c, enum why why); /* memory until push_bury */
/* In order: the other end is told that no more comes. */
void push_goodbye(struct push_conn *c, enum why why);
/* Bytes out: false if that was its end. */
bool push_flush(struct push_conn *c);
/* Nothing of ours waits for its socket now. */
bool push_put(struct push_conn *c, const char *text, size_t n);
/* An event or a comment, to an open one that is not slow. */
bool push_emit(struct push_conn *c, const char *text, size_t n);

/* push_request.c */
struct push_conn *push_device(struct device *d); /* NULL: NULL */
void push_read_request(struct push_conn *c);
void push_unanswered(struct push_conn *c, enum why why);

/* push_clone.c; old is in the registry no more */
void push_replace(struct push_conn *c, struct push_conn *old);
void push_was_alive(const struct push_conn *old); /* it has closed in answer */
/* By one at another process, which is told what is known of the two. */
void push_let_go(struct push_conn *old);
void push_shared_swaps(struct push_conn *c, uint8_t swaps);
void push_shared_alive(struct push_conn *c, const char *at);
void push_shared_refuse(struct push_conn *c);
/* Who comes now is one too many. */
bool push_is_storm(const struct push_conn *there);

/* push_sibling.c */
void push_announce(struct push_conn *c); /* it is open: the others are told */
void push_share(struct push *p, enum push_shared what, uint8_t swaps,
    const char *name, const char *at);

/* push_wake.c */
uint64_t push_heard(const struct push *p); /* all up to this are given */
/* What it missed since then waits for it from now on. False: nobody knows what,
 * or it had to end. */
bool push_missed(struct push_conn *c, uint64_t since);
bool push_catch_up(struct push_conn *c); /* a slow one takes bytes again */
void push_forget_waiting(struct push_conn *c);
void push_runs_skip(const struct push_conn *c); /* it ends */
void push_runs_end(struct push *p);
void push_on_turn(void *push);

#endif
