/*
 * dp-agent/gather.h - small objects of a carousel, put together in memory.
 *
 * Shape:   a set for one session. An object is begun by its first authentic
 *          symbol, so only what is being sent costs memory; until then its
 *          symbol goes to a place that counts for nothing:
 *
 *            p = gather_place(g, file, &head, n);
 *            if (p != NULL and the symbol opens into it)
 *                    r = gather_placed(g, file, &head, n);
 *
 *          where file is what the session's description says of that object
 *          now. Another hash than before under one TOI is another object.
 * Bounds:  GATHER_OBJECTS, each of at most GATHER_OBJECT bytes, all of them with
 *          what decoding takes at most GATHER_BYTES. What does not fit is not
 *          wanted, and what is here stays.
 * Ownership: bytes that gather_find() gives are the set's, until the next call.
 * Errors:  gather_placed(): 1 the object is whole and has the hash; 0; -EBADMSG
 *          it is whole and has not: forgotten, to be gathered anew; -ENOMEM.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_GATHER_H
#define DP_AGENT_GATHER_H

#include "common/fdt.h"

#define GATHER_OBJECTS 64
#define GATHER_OBJECT  (1 << 20)
#define GATHER_BYTES   (4 << 20)
#define GATHER_SYMBOL  2048

struct gathered;

/* All zero is empty; gather_fini() makes it so again. */
struct gather {
	struct gathered *first; /* begun last */
	unsigned	 n;
	size_t		 bytes; /* that they cost */
	uint8_t		 scratch[GATHER_SYMBOL];
};

/* Room for the n bytes of a symbol, or NULL: not wanted. */
uint8_t *gather_place(struct gather *g, const struct fdt_file *f,
    const struct alc_head *h, size_t n);
int gather_placed(struct gather *g, const struct fdt_file *f,
    const struct alc_head *h, size_t n);

/* Whether the object of that name and hash, or with NULL of that name, is
 * whole: then its bytes. */
bool gather_find(const struct gather *g, const char *name,
    const struct hash *h, const void **bytes, size_t *len);

void gather_fini(struct gather *g);

#endif
