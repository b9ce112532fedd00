/*
 * dp-gateway/relay.h - carries bytes between two stream sockets, both ways.
 *
 * Shape:   a struct relay has two sides, 0 and 1; a direction is named by the
 *          side it comes from. Bytes go by splice(2) through a pipe, which a
 *          direction holds only while bytes are in it: an idle relay is its
 *          two descriptors and this struct.
 * Copies:  the first of a turn go through a buffer instead, since two splices
 *          cost more than a copy of a few pages, and so do all where the last
 *          turn moved much: what splice moves by reference waits in the other
 *          side's socket, megabytes of it, and is out of the caches when it is
 *          read there (docs/performance.md). What is copied is not looked at.
 * Pipes:   a struct pipes is a bounded pool. When it is empty, bytes are looked
 *          at where they lie and taken off once the other side has them, by
 *          the batch, so a relay needs no pipe and none waits for another.
 * Order:   the end of one side's bytes is told the other after the last of
 *          them (half-close); relay_over() once both have ended.
 * Events:  level-triggered. relay_wants() says what a side must be watched for
 *          (EPOLLIN, EPOLLOUT or 0) and relay_run() does what an event allows.
 *          It leaves other relays their turn after TURN_BYTES.
 * Ownership: descriptors are the caller's; relay_fini gives pipes back, and what
 *          is in them is lost.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_RELAY_H
#define DP_GATEWAY_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pipes;
struct pipe;

int	 pipes_new(unsigned max, struct pipes **out);
void	 pipes_free(struct pipes **p);
unsigned pipes_held(const struct pipes *p); /* with bytes in them */
unsigned pipes_bare(const struct pipes *p); /* directions blocked for want of one */
/* Calls fn for the owner of each pipe that has given no byte since `before`. */
void	 pipes_each_stuck(struct pipes *p, uint64_t before,
     void (*fn)(void *ctx, void *owner), void *ctx);

struct relay {
	struct pipe *held[2];  /* by direction; NULL: no bytes in transit */
	uint64_t     bytes[2]; /* given to the other side */
	int	     fd[2];    /* by side */
	uint32_t     bare_ms[2]; /* blocked without a pipe since: of the caller's
				  * milliseconds the low bits; 0: it is not */
	bool	     ended[2];	 /* the side sends no more */
	bool	     told[2];	 /* and the other side knows */
	bool	     blocked[2]; /* the other side takes no more now */
	bool	     bulk[2];	 /* much came last time */
};

void	 relay_init(struct relay *r, int fd0, int fd1);
void	 relay_fini(struct relay *r, struct pipes *p);
uint32_t relay_wants(const struct relay *r, int side);

/*
 * What the events of this side allow. 0, or a negative errno and *bad, the side
 * that failed. owner and now_ms go with a pipe that stays held.
 */
int  relay_run(struct relay *r, struct pipes *p, int side, uint32_t events,
     void *owner, uint64_t now_ms, int *bad);
bool relay_over(const struct relay *r);
/* A direction without a pipe has given no byte since `before`, at most 24 days ago:
 * what pipes_each_stuck() does not find. */
bool relay_stuck(const struct relay *r, uint64_t before);

#endif
