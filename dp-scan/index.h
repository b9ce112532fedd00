/*
 * dp-scan/index.h - from what identifies a device to its slot.
 *
 * Shape:   an open hash table, 8 bytes an entry, which holds hashes and slots and no
 *          keys: who looks something up proves that the record has it. Names of
 *          people's choice collide as they like: the hash is keyed at random, and
 *          of one hash eight are kept, so that a name that all have costs no more
 *          than others. Who finds two need not know of the ninth.
 * Errors:  -ENOMEM.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_INDEX_H
#define DP_SCAN_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct index {
	struct index_entry *entries;
	size_t		    room, n; /* room: a power of two */
	uint64_t	    key[2];
};

int	 index_init(struct index *x);
void	 index_fini(struct index *x);
uint32_t index_hash(const struct index *x, uint8_t kind, const void *key,
    size_t len);
int	 index_put(struct index *x, uint32_t hash, uint32_t slot);
void	 index_del(struct index *x, uint32_t hash, uint32_t slot);
/* Slots with this hash, from *pos on (SIZE_MAX at first); UINT32_MAX: no more. */
uint32_t index_next(const struct index *x, uint32_t hash, size_t *pos);

#endif
