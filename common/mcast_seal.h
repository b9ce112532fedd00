/*
 * common/mcast_seal.h - keys of multicast, sealing and opening, replay.
 *
 * AES-128-GCM. The nonce is 4 bytes of the key's and a 64-bit counter that is
 * never used twice with one key; the tag stands behind the sealed bytes. Three
 * secrets give keys, by HKDF-SHA256:
 *   data and notices of a session: the group's secret of one generation, with a
 *     random salt that the session announces, so that no two sessions share a
 *     key, whoever sends them, also after a restart or a take-over; data, FDT
 *     and notices of the session share the counter too;
 *   reports: a master of the sender's, with the device and a number of the
 *     registration; each registration has a fresh key, so its counter may begin
 *     at 1. It runs on over all sessions: a TSI, though in the nonce, comes again.
 *
 * Shape:   a struct mcast_sealer is one direction under one key at a time; a
 *          new key costs about as much as half a packet.
 * Secrets: sealers wipe theirs; wipe a struct mcast_key with OPENSSL_cleanse.
 * Errors:  -EBADMSG: it does not open, after one decryption; -EIO: OpenSSL
 *          failed; -ENOMEM. Nothing opens a file after mcast_seal_setup().
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_MCAST_SEAL_H
#define COMMON_MCAST_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MCAST_SECRET_LEN 32 /* of a group, and the reports' master */
#define MCAST_SALT_LEN	 16
#define MCAST_KEY_LEN	 16
#define MCAST_TAG_LEN	 16

struct mcast_key {
	uint8_t key[MCAST_KEY_LEN];
	uint8_t prefix[4]; /* of the nonce */
};

int mcast_seal_setup(void); /* before the sandbox closes */

/* Of a session's data and notices. */
int mcast_key_session(struct mcast_key *out,
    const uint8_t secret[MCAST_SECRET_LEN], const uint8_t salt[MCAST_SALT_LEN],
    uint16_t generation, uint16_t tsi);

/* What an agent is given when it registers; device is its URI. The number
 * differs for each registration under one master. */
int mcast_key_agent(uint8_t out[MCAST_KEY_LEN],
    const uint8_t master[MCAST_SECRET_LEN], const char *device,
    uint64_t registration);

/* Of that agent's reports on one session. */
void mcast_key_report(
    struct mcast_key *out, const uint8_t agent[MCAST_KEY_LEN], uint16_t tsi);

enum mcast_direction { MCAST_OPENS, MCAST_SEALS };

struct mcast_sealer;
int  mcast_sealer_new(struct mcast_sealer **out, enum mcast_direction d);
int  mcast_sealer_key(struct mcast_sealer *s, const struct mcast_key *k);
void mcast_sealer_free(struct mcast_sealer **s);

/*
 * Seals n bytes at p to out, which has room for n + MCAST_TAG_LEN; head is
 * authenticated and stays clear. p and out are the same or apart.
 */
int mcast_seal(struct mcast_sealer *s, uint64_t counter, const void *head,
    size_t head_len, const void *p, size_t n, void *out);

/*
 * Opens n bytes at p, tag included, to out, which has room for
 * n - MCAST_TAG_LEN. A failure may have overwritten out, so open into a place
 * that counts for nothing until this returned 0.
 */
int mcast_unseal(struct mcast_sealer *s, uint64_t counter, const void *head,
    size_t head_len, const void *p, size_t n, void *out);

/*
 * Which counters came already: all zero is a session that has had none. Ask
 * before the decryption, mark after it. What lies MCAST_WINDOW or more below
 * the highest is not fresh any more. 0 is no counter and never fresh.
 */
#define MCAST_WINDOW 4096
struct mcast_window {
	uint64_t top;
	uint64_t had[2 * MCAST_WINDOW / 64]; /* by counter, modulo */
};
bool mcast_window_fresh(const struct mcast_window *w, uint64_t counter);
void mcast_window_mark(struct mcast_window *w, uint64_t counter);

#endif
