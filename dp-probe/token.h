/*
 * dp-probe/token.h - 32 bits that only who was asked knows.
 *
 * Every question carries a token as its identifier, made of whom it asks under
 * a secret key. So an answer proves that its sender was asked, and no list of
 * questions need be kept: a forger who does not see the question has one chance
 * in 65,536 (where the protocol has 16 bits) or in a thousand million.
 *
 * The key changes every TOKEN_LIFE seconds and its predecessor stays good for as
 * long again.
 *
 * Shape:   the caller's storage; pure but for the keys, from getrandom.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_PROBE_TOKEN_H
#define DP_PROBE_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_LIFE 30

struct token_keys {
	uint64_t key[2][2]; /* the present one, the one before */
	uint64_t changed_ms;
	/* SSDP's answers can carry none: they are let in for a while after a search */
	uint64_t now_ms, searched_ms; /* 0: never */
};
#define TOKEN_SEARCH_MS 4000

int  token_init(struct token_keys *t, uint64_t now_ms); /* -EIO: no randomness */
/* Changes the key when it is time: before questions are made or answers are
 * looked at. */
void token_turn(struct token_keys *t, uint64_t now_ms);

/* Of who is asked; all zero, of a group where anybody may answer. */
uint32_t token_of(const struct token_keys *t, uint8_t kind,
    const uint8_t peer[16]);
/* Whether a search was sent of late. */
bool token_searched(const struct token_keys *t);
/* Whether an answer's bits under mask are those of a question of late. */
bool token_is(const struct token_keys *t, uint8_t kind, const uint8_t peer[16],
    uint32_t bits, uint32_t mask);

#endif
