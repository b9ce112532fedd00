/*
 * dp-listen/recent.c - see recent.h.
 *
 * Runs in dp-listen. Does no I/O after recent_new.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/recent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WAYS   4
#define PROBES 32

struct slot {
	uint64_t hash;
	uint64_t said; /* 0: never */
};

struct bucket {
	uint64_t tokens; /* thousandths of a sight */
	uint64_t since;
};

/* Somebody asked whether the address is free, a moment ago. */
struct probe {
	uint8_t	 addr[16], mac[6];
	uint32_t ifindex;
	uint64_t said; /* 0: none, or it was defended */
};

struct recent {
	uint64_t      key[2];
	struct probe  probes[PROBES];
	size_t	      next_probe;
	struct bucket heard, grave, asked;
	struct slot   slots[RECENT_SLOTS];
};

int
recent_new(struct recent **out)
{
	struct recent *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (r == NULL)
		return -ENOMEM;
	if (getrandom(r->key, sizeof(r->key), 0) != sizeof(r->key)) {
		free(r);
		return -EIO;
	}
	*out = r;
	return 0;
}

void
recent_free(struct recent **r)
{
	free(*r);
	*r = NULL;
}

void
recent_forget(struct recent *r)
{
	memset(r->slots, 0, sizeof(r->slots));
}

/* SipHash-2-4 (Aumasson, Bernstein 2012), over pieces of whole words. */
struct sip {
	uint64_t v[4], len;
};

static uint64_t
rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1], v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0], v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1], v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2], v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void
sip_word(struct sip *s, uint64_t m)
{
	s->v[3] ^= m;
	sip_round(s->v);
	sip_round(s->v);
	s->v[0] ^= m;
	s->len += 8;
}

/* Of bytes that are not whole words the last is filled up with zeros: a text is
 * known to end, since its length is hashed before it. */
static void
sip_bytes(struct sip *s, const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t       m;

	for (; n >= 8; b += 8, n -= 8) {
		memcpy(&m, b, 8);
		sip_word(s, m);
	}
	m = 0;
	memcpy(&m, b, n);
	if (n > 0)
		sip_word(s, m);
}

static uint64_t
hash(const struct recent *r, const struct sight *s)
{
	struct sip h = { { r->key[0] ^ 0x736f6d6570736575,
			     r->key[1] ^ 0x646f72616e646f6d,
			     r->key[0] ^ 0x6c7967656e657261,
			     r->key[1] ^ 0x7465646279746573 },
		0 };

	sip_word(&h, (uint64_t)s->by << 40 | (uint64_t)s->ifindex << 8 |
	    (uint64_t)s->hearsay << 1 | s->cut);
	sip_bytes(&h, s->mac, sizeof(s->mac));
	sip_bytes(&h, s->addr, sizeof(s->addr));
	for (unsigned i = 0; i < s->nfacts; i++) {
		const char *text = sight_fact(s, i);
		size_t	    len = strlen(text);

		sip_word(&h, (uint64_t)s->fact[i].kind << 32 | len);
		sip_bytes(&h, text, len);
	}
	sip_word(&h, h.len);
	h.v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(h.v);
	return h.v[0] ^ h.v[1] ^ h.v[2] ^ h.v[3];
}

static bool
take(struct bucket *b, uint64_t rate, uint64_t now_ms)
{
	b->tokens += (now_ms - b->since) * rate;
	b->since = now_ms;
	if (b->tokens > rate * 1000)
		b->tokens = rate * 1000;
	if (b->tokens < 1000)
		return false;
	b->tokens -= 1000;
	return true;
}

static bool
is_grave(const struct sight *s)
{
	return s->by == SIGHT_ROUTER ||
	    sight_first(s, FACT_DHCP_SERVER) != NULL ||
	    sight_first(s, FACT_CONFLICT) != NULL;
}

static void
probe_put(struct recent *r, const struct sight *s, const char *text,
    uint64_t now_ms)
{
	struct probe p = { .addr = { [10] = 0xff, [11] = 0xff },
		.ifindex = s->ifindex, .said = now_ms };

	if (inet_pton(AF_INET, text, p.addr + 12) != 1 &&
	    inet_pton(AF_INET6, text, p.addr) != 1)
		return;
	memcpy(p.mac, s->mac, sizeof(p.mac));
	r->probes[r->next_probe++ % PROBES] = p;
}

/* Who holds it may have said so all the time: this once (taken) it is an answer. */
static bool
defends(struct recent *r, const struct sight *s, uint64_t now_ms, bool taken)
{
	bool does = false;

	if (s->by != SIGHT_ARP && s->by != SIGHT_NDP)
		return false;
	for (size_t i = 0; i < PROBES; i++) {
		struct probe *p = &r->probes[i];

		if (p->said == 0 || now_ms - p->said > RECENT_PROBE_MS ||
		    p->ifindex != s->ifindex ||
		    memcmp(p->addr, s->addr, sizeof(p->addr)) != 0 ||
		    memcmp(p->mac, s->mac, sizeof(p->mac)) == 0)
			continue;
		does = true;
		if (taken)
			p->said = 0;
	}
	return does;
}

enum recent_verdict
recent_look(struct recent *r, const struct sight *s, uint64_t now_ms)
{
	uint64_t     h = hash(r, s);
	struct slot *set = &r->slots[h % (RECENT_SLOTS / WAYS) * WAYS];
	struct slot *at = set;
	const char  *probed = sight_first(s, FACT_CONFLICT);
	uint64_t     pause = probed != NULL ? RECENT_PROBE_MS : RECENT_MS;
	bool	     defence = defends(r, s, now_ms, false);
	bool	     passes = s->asked || s->by == SIGHT_MLD || defence;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].hash == h && set[i].said != 0) {
			at = &set[i];
			if (!passes && now_ms - at->said < pause)
				return RECENT_REPEATED;
			break;
		}
		if (set[i].said < at->said)
			at = &set[i];
	}
	if (!(s->asked ? take(&r->asked, RECENT_ASKED, now_ms)
		       : take(&r->heard, RECENT_RATE, now_ms) ||
		      ((is_grave(s) || defence) &&
			  take(&r->grave, RECENT_GRAVE, now_ms))))
		return RECENT_TOO_MANY;
	at->hash = h;
	at->said = now_ms;
	if (defence)
		(void)defends(r, s, now_ms, true);
	if (probed != NULL)
		probe_put(r, s, probed, now_ms);
	return RECENT_SAY;
}
