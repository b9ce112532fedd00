/*
 * dp-mcast/carousel.h - small signed objects, sent again and again: metadata of
 * both repositories, policies, tasks.
 *
 * Shape:   one session on each group, with a TOI for each object. When a snapshot
 *          becomes visible its names are read from the store, page by page; what
 *          is new goes out CAROUSEL_PASSES times at once, then everything in
 *          turn at multicast.carousel-rate. A name that means other bytes is
 *          another object with another TOI, and the old one is out of the next
 *          file description. Each pass sends other parity than the last.
 * Bounds:  CAROUSEL_MAX objects of at most multicast.carousel-max-object,
 *          metadata first. The site's are for devices only, so they do not go
 *          out in open mode.
 * Names:   as a by-product, what a hash is called and whether it is kept here:
 *          of the first names only, for people to read and as a hint.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MCAST_CAROUSEL_H
#define DP_MCAST_CAROUSEL_H

#include "common/hash.h"
#include "dp-mcast/mcast.h"

#define CAROUSEL_MAX	256
#define CAROUSEL_PASSES 3

struct carousel;

int  carousel_new(struct mcast *m, struct carousel **out);
void carousel_free(struct carousel **c);

/* The space's names are other ones; the store is there again. */
void carousel_snapshot(struct carousel *c, const char *space);
/* The keys, the groups or the settings are other ones. */
void carousel_restart(struct carousel *c);
bool carousel_has_tsi(const struct carousel *c, uint16_t tsi);
/* "" if it is not known; borrowed until the next snapshot. */
const char *carousel_name(const struct carousel *c, const struct hash *h);

/* Whether such a name is known to be kept here, so that it will come. */
bool carousel_name_is_pinned(const struct carousel *c, const struct hash *h);

struct carousel_counts {
	unsigned objects;
	uint64_t bytes, instance; /* of the objects; of the file description */
	uint64_t wire, passes;	  /* bytes of frames; objects sent */
	unsigned left_out;	  /* too large, or too many */
};
struct carousel_counts carousel_counts(const struct carousel *c);
void carousel_list(const struct carousel *c, struct admin_reply *reply);

#endif
