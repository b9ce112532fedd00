/*
 * dp-scan/tally.c - see tally.h.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct tally_of *
find(struct tally *t, uint32_t hash, const uint8_t mac[6])
{
	size_t	 pos = SIZE_MAX;
	uint32_t at;

	while ((at = index_next(&t->index, hash, &pos)) != UINT32_MAX)
		if (memcmp(t->all[at].mac, mac, 6) == 0)
			return &t->all[at];
	return NULL;
}

static int
more_room(struct tally *t)
{
	size_t		 room = t->room * 2 + 64;
	struct tally_of *all = reallocarray(t->all, room, sizeof(*all));

	if (all == NULL)
		return -ENOMEM;
	t->all = all;
	t->room = room;
	return 0;
}

int
tally_add(struct tally *t, const uint8_t mac[6])
{
	struct tally_of *of;
	uint32_t	 hash;
	int		 r;

	if (t->index.room == 0 && (r = index_init(&t->index)) < 0) {
		index_fini(&t->index); /* the next one tries again */
		return r;
	}
	hash = index_hash(&t->index, 0, mac, 6);
	if ((of = find(t, hash, mac)) != NULL) {
		of->n++;
		return 0;
	}
	if (t->n == TALLY_MAX)
		return -ENOSPC;
	if (t->n == t->room && (r = more_room(t)) < 0)
		return r;
	if ((r = index_put(&t->index, hash, (uint32_t)t->n)) < 0)
		return r;
	t->all[t->n].n = 1;
	memcpy(t->all[t->n++].mac, mac, 6);
	return 0;
}

struct tally_of
tally_most(const struct tally *t)
{
	struct tally_of most = { .n = 0 };

	for (size_t i = 0; i < t->n; i++)
		if (t->all[i].n > most.n)
			most = t->all[i];
	return most;
}

void
tally_fini(struct tally *t)
{
	index_fini(&t->index);
	free(t->all);
	*t = (struct tally){ .n = 0 };
}
