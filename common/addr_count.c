/*
 * common/addr_count.c - connections by client; see addr_count.h.
 *
 * Runs in the workers that accept connections. Pure but for its memory.
 * SPDX-License-Identifier: ISC
 */
#include "common/addr_count.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096 /* a power of two */

struct entry {
	struct entry *next;
	uint8_t	      addr[16];
	unsigned      n;
};

struct addr_count {
	struct entry *bucket[BUCKETS];
	unsigned      bytes;
};

int
addr_count_new(struct addr_count **out, unsigned bytes)
{
	if ((*out = calloc(1, sizeof(**out))) == NULL)
		return -ENOMEM;
	(*out)->bytes = bytes;
	return 0;
}

void
addr_count_free(struct addr_count **tp)
{
	struct entry *e, *next;

	if (*tp == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (e = (*tp)->bucket[i]; e != NULL; e = next) {
			next = e->next;
			free(e);
		}
	free(*tp);
	*tp = NULL;
}

static struct entry **
find(struct addr_count *t, const uint8_t addr[16])
{
	static const uint8_t v4[12] = { [10] = 0xff, [11] = 0xff };
	size_t		     n = memcmp(addr, v4, 12) == 0 ? 16 : t->bytes;
	uint32_t	     h = 2166136261u;
	struct entry	   **p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ addr[i]) * 16777619u;
	p = &t->bucket[(h ^ h >> 16) & (BUCKETS - 1)];
	while (*p != NULL && memcmp((*p)->addr, addr, n) != 0)
		p = &(*p)->next;
	return p;
}

int
addr_count_add(struct addr_count *t, const uint8_t addr[16], uint64_t max)
{
	struct entry **p = find(t, addr);

	if (*p == NULL) {
		if ((*p = calloc(1, sizeof(**p))) == NULL)
			return -ENOMEM;
		memcpy((*p)->addr, addr, 16);
	}
	if (max > 0 && (*p)->n >= max)
		return -EUSERS;
	(*p)->n++;
	return 0;
}

void
addr_count_drop(struct addr_count *t, const uint8_t addr[16])
{
	struct entry **p = find(t, addr), *e = *p;

	if (e == NULL || --e->n > 0)
		return;
	*p = e->next;
	free(e);
}
