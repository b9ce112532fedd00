/*
 * dp-mcast/keys.h - the groups' secrets in generations, and who has registered.
 *
 * Generations: numbered from 1 (0 is open mode's), 65535 is followed by 1. A
 *          new one comes by schedule, or at once when the list of revoked
 *          certificates changes: then the one before is forgotten too, and with
 *          it everybody's registration, so that who was revoked can neither
 *          open new sessions nor be believed. They are kept in this worker's
 *          table of the store (keys_save, keys_load), so that a restart goes on
 *          with the newest; sessions never share a key all the same, since each
 *          has a salt of its own.
 * Agents:  a device that asks for the keys is registered under a number and
 *          gets a key for its reports, another one each time it asks. At most
 *          KEYS_AGENTS; the one that has been silent longest makes room.
 * Units:   seconds since 1970; ms of the loop.
 * Shape:   no I/O but getrandom(2). Secrets are wiped when they go.
 * Errors:  0, -EBADMSG (keys_load: what is kept is not such bytes), -EIO,
 *          -ENOMEM.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MCAST_KEYS_H
#define DP_MCAST_KEYS_H

#include "common/hash.h"
#include "common/mcast_seal.h"
#include "common/tls.h"

#define KEYS_AGENTS	65536
#define KEYS_GENERATIONS 2
#define KEYS_SAVE_MAX	128 /* bytes */
#define KEYS_HEARD_MS	3600000

struct generation {
	uint16_t id;
	int64_t	 since; /* seconds since 1970 */
	uint8_t	 secret[MCAST_SECRET_LEN];
};

struct agent {
	uint32_t id;
	uint8_t	 key[MCAST_KEY_LEN];
	uint64_t used_ms;	/* registered, or a report was believed */
	uint64_t registration;	/* counts all of them; other key, other number */
	uint16_t heard;		/* bits of the groups its reports were about, */
	uint64_t heard_ms;	/* and when */
	char	 device[TLS_NAME_MAX];

	struct agent *by_device, *by_id; /* keys.c's own */
	struct agent *older, *newer;
};

struct keys;

int  keys_new(struct keys **out);
void keys_free(struct keys **k);

/* Newest first; 0 before keys_load or the first keys_rotate. */
unsigned keys_generations(const struct keys *k,
    const struct generation **out);
int  keys_rotate(struct keys *k, int64_t now);
/* The list of revoked certificates; 1: another than before, all is new. */
int  keys_revoked(struct keys *k, const struct hash *list, int64_t now);
bool keys_due(const struct keys *k, uint64_t rotate, int64_t now);

size_t keys_save(const struct keys *k, uint8_t out[KEYS_SAVE_MAX]);
int    keys_load(struct keys *k, const void *bytes, size_t len);

int	      keys_register(struct keys *k, const char *device, uint64_t now_ms,
	  struct agent **out);
struct agent *keys_agent(struct keys *k, uint32_t id); /* NULL: a stranger */
void	      keys_used(struct keys *k, struct agent *a, uint64_t now_ms);
unsigned      keys_agents(const struct keys *k);
/* Registrations on some group of these bits, or on none that is known since
 * KEYS_HEARD_MS: devices may move. */
unsigned      keys_heard(const struct keys *k, uint16_t groups, uint64_t now_ms);
void	      keys_heard_on(struct agent *a, unsigned group, uint64_t now_ms);
void	      keys_forget_heard(struct keys *k); /* the groups are other ones */

#endif
