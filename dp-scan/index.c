/*
 * dp-scan/index.c - see index.h.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/index.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ROOM_MIN 1024
#define SAME_MAX 8

struct index_entry {
	uint32_t hash, slot; /* slot + 1; 0: empty */
};

/* SipHash-2-4 of Aumasson and Bernstein: the shortest keyed hash that holds. */
#define ROT(x, b) ((x) << (b) | (x) >> (64 - (b)))
static void
rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[1] = ROT(v[1], 13) ^ v[0];
		v[0] = ROT(v[0], 32);
		v[2] += v[3];
		v[3] = ROT(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = ROT(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = ROT(v[1], 17) ^ v[2];
		v[2] = ROT(v[2], 32);
	}
}

uint32_t
index_hash(const struct index *x, uint8_t kind, const void *key, size_t len)
{
	const uint8_t *p = key;
	uint64_t       v[4] = { x->key[0] ^ 0x736f6d6570736575,
		      x->key[1] ^ 0x646f72616e646f6d,
		      x->key[0] ^ 0x6c7967656e657261,
		      x->key[1] ^ 0x7465646279746573 };
	uint64_t       m = kind; /* in front of the key */
	size_t	       n = 1;

	for (size_t i = 0; i < len; i++) {
		m |= (uint64_t)p[i] << 8 * (n % 8);
		if (++n % 8 == 0) {
			v[3] ^= m;
			rounds(v, 2);
			v[0] ^= m;
			m = 0;
		}
	}
	m |= (uint64_t)n << 56;
	v[3] ^= m;
	rounds(v, 2);
	v[0] ^= m;
	v[2] ^= 0xff;
	rounds(v, 4);
	m = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (uint32_t)(m ^ m >> 32);
}

int
index_init(struct index *x)
{
	memset(x, 0, sizeof(*x));
	if (getrandom(x->key, sizeof(x->key), 0) != sizeof(x->key))
		return -EIO;
	x->room = ROOM_MIN;
	x->entries = calloc(x->room, sizeof(x->entries[0]));
	return x->entries == NULL ? -ENOMEM : 0;
}

void
index_fini(struct index *x)
{
	free(x->entries);
	memset(x, 0, sizeof(*x));
}

static void
place(struct index_entry *to, size_t room, struct index_entry e)
{
	size_t i = e.hash & (room - 1);

	while (to[i].slot != 0)
		i = (i + 1) & (room - 1);
	to[i] = e;
}

int
index_put(struct index *x, uint32_t hash, uint32_t slot)
{
	struct index_entry *more;
	size_t		    i = hash & (x->room - 1), same = 0;

	for (; x->entries[i].slot != 0; i = (i + 1) & (x->room - 1))
		if (x->entries[i].hash == hash &&
		    (x->entries[i].slot == slot + 1 || ++same == SAME_MAX))
			return 0;
	if (x->n * 4 >= x->room * 3) {
		if ((more = calloc(x->room * 2, sizeof(*more))) == NULL)
			return -ENOMEM;
		for (i = 0; i < x->room; i++)
			if (x->entries[i].slot != 0)
				place(more, x->room * 2, x->entries[i]);
		free(x->entries);
		x->entries = more;
		x->room *= 2;
	}
	place(x->entries, x->room, (struct index_entry){ hash, slot + 1 });
	x->n++;
	return 0;
}

/* What stands behind moves up, so that no search ends too early. */
void
index_del(struct index *x, uint32_t hash, uint32_t slot)
{
	const size_t mask = x->room - 1;
	size_t	     i = hash & mask, k, home;

	while (x->entries[i].slot != 0 && (x->entries[i].hash != hash ||
	    x->entries[i].slot != slot + 1))
		i = (i + 1) & mask;
	if (x->entries[i].slot == 0)
		return;
	x->n--;
	for (k = (i + 1) & mask; x->entries[k].slot != 0; k = (k + 1) & mask) {
		home = x->entries[k].hash & mask;
		if (((k - home) & mask) >= ((k - i) & mask)) {
			x->entries[i] = x->entries[k];
			i = k;
		}
	}
	x->entries[i].slot = 0;
}

uint32_t
index_next(const struct index *x, uint32_t hash, size_t *pos)
{
	size_t i = *pos == SIZE_MAX ? hash & (x->room - 1)
				    : (*pos + 1) & (x->room - 1);

	for (; x->entries[i].slot != 0; i = (i + 1) & (x->room - 1))
		if (x->entries[i].hash == hash) {
			*pos = i;
			return x->entries[i].slot - 1;
		}
	return UINT32_MAX;
}
