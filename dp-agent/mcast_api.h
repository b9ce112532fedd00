/*
 * dp-agent/mcast_api.h - what a distribution point answers about multicast.
 *
 * Shape:   pure functions from the JSON of GET /v1/multicast and of
 *          GET /v1/multicast/<sha256> (docs/design.md) to structs. Members
 *          nobody knows are passed over, so that a newer point may say more.
 * Errors:  0, or -EBADMSG with why[size] saying what was expected where.
 *          Secrets are the caller's to wipe.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_MCAST_API_H
#define DP_AGENT_MCAST_API_H

#include "common/mcast_seal.h"

#define MCAST_GENERATIONS 2

struct mcast_generation {
	uint16_t id;
	uint8_t	 secret[MCAST_SECRET_LEN];
};

struct mcast_keys {
	bool	 open;	/* packets are in clear, not authenticated */
	uint32_t agent; /* who we are in reports */
	uint8_t	 agent_key[MCAST_KEY_LEN];
	unsigned ngenerations;
	struct mcast_generation generations[MCAST_GENERATIONS]; /* newest first */
	uint64_t interval_s; /* ask again after so long */
};

enum mcast_how { MCAST_UNICAST, MCAST_WAIT, MCAST_COMES };

struct mcast_answer {
	enum mcast_how how;
	uint64_t       in_ms;	 /* it comes then, or ask again then */
	char	       why[128]; /* of MCAST_UNICAST */
};

int mcast_keys_parse(struct mcast_keys *out, const void *json, size_t len,
    char *why, size_t size);
int mcast_answer_parse(struct mcast_answer *out, const void *json, size_t len,
    char *why, size_t size);

#endif
