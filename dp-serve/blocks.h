/*
 * dp-serve/blocks.h - the SHA-256 of each piece of an object, for agents that
 * look for the spoiled or missing pieces of what came by multicast.
 *
 * Shape:   "<sha256>/<n>": 32 bytes for each n bytes of the object, the last
 *          piece perhaps shorter. n is a power of two from 64 KiB to 16 MiB,
 *          and so large that there are at most 32,768 pieces: else -ENOENT.
 *          Who may read the object may read its lists; who gives up asking for
 *          a list ends its making.
 * Cost:    the list is made in turns with pauses between them, so that all
 *          lists together take about a fourth of a core, whoever asks for what;
 *          the last ones are kept. At most LISTS are under way: else -ENOBUFS.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SERVE_BLOCKS_H
#define DP_SERVE_BLOCKS_H

#include "dp-serve/content.h"

#define BLOCKS_PIECE_MIN (UINT32_C(64) << 10)
#define BLOCKS_PIECE_MAX (UINT32_C(16) << 20)
#define BLOCKS_MAX	 32768 /* pieces of one list: 1 MiB of hashes */

struct blocks;

/* lists and bytes are counted up as lists are made. */
int  blocks_new(struct loop *l, struct content *c, uint64_t *lists,
     uint64_t *bytes, struct blocks **out);
void blocks_free(struct blocks **b);
int  blocks_get(struct blocks *b, const char *path, size_t len, bool is_device,
     struct object **out);

#endif
