/*
 * dp-probe/token.c - identifiers of questions; see token.h.
 *
 * SipHash-2-4 (Aumasson and Bernstein 2012) over 17 bytes.
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/token.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static uint64_t
rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void
sip_rounds(uint64_t v[4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1], v[1] = rotl(v[1], 13) ^ v[0];
		v[0] = rotl(v[0], 32);
		v[2] += v[3], v[3] = rotl(v[3], 16) ^ v[2];
		v[0] += v[3], v[3] = rotl(v[3], 21) ^ v[0];
		v[2] += v[1], v[1] = rotl(v[1], 17) ^ v[2];
		v[2] = rotl(v[2], 32);
	}
}

/* Of the peer's 16 bytes, in the machine's order, and the kind. */
static uint64_t
sip(const uint64_t key[2], const uint8_t peer[16], uint8_t kind)
{
	uint64_t m[3] = { 0, 0, 17ull << 56 | kind };
	uint64_t v[4] = { 0x736f6d6570736575ull ^ key[0],
		0x646f72616e646f6dull ^ key[1], 0x6c7967656e657261ull ^ key[0],
		0x7465646279746573ull ^ key[1] };

	memcpy(m, peer, 16);
	for (unsigned i = 0; i < 3; i++) {
		v[3] ^= m[i];
		sip_rounds(v, 2);
		v[0] ^= m[i];
	}
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int
token_init(struct token_keys *t, uint64_t now_ms)
{
	t->changed_ms = t->now_ms = now_ms;
	t->searched_ms = 0;
	if (getrandom(t->key, sizeof(t->key), 0) != (ssize_t)sizeof(t->key))
		return -EIO;
	return 0;
}

void
token_turn(struct token_keys *t, uint64_t now_ms)
{
	uint64_t fresh[2][2];

	t->now_ms = now_ms;
	/* callers' clocks may be a tick apart */
	if (now_ms < t->changed_ms + TOKEN_LIFE * 1000 ||
	    getrandom(fresh, sizeof(fresh), 0) != (ssize_t)sizeof(fresh))
		return;
	if (now_ms < t->changed_ms + 2 * TOKEN_LIFE * 1000)
		memcpy(fresh[1], t->key[0], sizeof(fresh[1]));
	memcpy(t->key, fresh, sizeof(fresh));
	t->changed_ms = now_ms;
}

uint32_t
token_of(const struct token_keys *t, uint8_t kind, const uint8_t peer[16])
{
	return (uint32_t)sip(t->key[0], peer, kind);
}

bool
token_is(const struct token_keys *t, uint8_t kind, const uint8_t peer[16],
    uint32_t bits, uint32_t mask)
{
	for (unsigned i = 0; i < 2; i++)
		if ((((uint32_t)sip(t->key[i], peer, kind) ^ bits) & mask) == 0)
			return true;
	return false;
}

bool
token_searched(const struct token_keys *t)
{
	return t->searched_ms != 0 &&
	    t->now_ms < t->searched_ms + TOKEN_SEARCH_MS;
}
