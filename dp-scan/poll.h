/*
 * dp-scan/poll.h - one poll: whom to ask one kind of question, in two rounds.
 *
 * Shape:   targets are a run of addresses (a network), or a list. The first round
 *          asks all of them once, the second those that were silent: so a network
 *          costs one packet an address, and one more for each that is silent.
 * Order:   poll_take() until it gives nothing; the answers come meanwhile
 *          (poll_heard); after a wait, poll_again(); and once more the same.
 * Pure but for memory: sends nothing, knows no time.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_POLL_H
#define DP_SCAN_POLL_H

#include "common/msg.h"
#include "common/scope.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLL_ROUNDS 2
#define POLL_LARGE  65536	/* more addresses need an explicit yes */
#define POLL_ALL	    64	/* so many at least for all to answer */
#define POLL_MOST   (1U << 24)	/* more are never asked */

struct poll {
	enum probe_kind kind;
	uint32_t	ifindex; /* 0: as routes say */
	char		interface[16]; /* its name then */
	uint8_t		mac[6], source[16];
	uint8_t		net[16], bits; /* of a network, for who is told */
	bool		v4; /* IPv4 asks; of a group its address need not say so */
	uint8_t		first[16];
	uint8_t	      (*list)[16]; /* sorted; NULL: n from first on */
	size_t		n, left;   /* left: n but for those to be skipped */
	uint8_t	       *heard, *skip; /* bits */
	size_t		next, answered;
	unsigned	round; /* 0, 1 */
};

/* All hosts of a network of 96 bits or more: of IPv4 not its own address and not
 * that of all. -ENOMEM, -E2BIG. */
int  poll_network(struct poll *p, enum probe_kind kind, const uint8_t net[16],
     unsigned bits);
/* Takes the list, which may have some twice. */
int  poll_list(struct poll *p, enum probe_kind kind, uint8_t (*take)[16], size_t n);
void poll_fini(struct poll *p);

void poll_skip(struct poll *p, const uint8_t addr[16]);
/* Those that another poll asks, too; of a network's poll those of another network. */
void poll_skip_poll(struct poll *p, const struct poll *other);
void poll_skip_network(struct poll *p, const uint8_t net[16], unsigned bits);
void poll_skip_ranges(struct poll *p, const struct scope *ranges);
bool poll_has(const struct poll *p, const uint8_t addr[16]);
/* Whether it is a target that had not answered. */
bool poll_heard(struct poll *p, const uint8_t addr[16]);
/* The next targets of this round, at most max; 0: the round is over. */
size_t poll_take(struct poll *p, uint8_t (*out)[16], size_t max);
bool   poll_again(struct poll *p); /* false: that was the last round */
/* Whether (nearly) each of those that were asked answered: who answers for all
 * need not be there. Of few that proves nothing. */
bool   poll_all_answer(const struct poll *p);
/* Targets that answered, one a call; *pos is 0 at first. */
bool   poll_next_heard(const struct poll *p, size_t *pos, uint8_t out[16]);

#endif
