/*
 * dp-serve/api.h - what is under /v1/: questions of agents that are not files.
 *
 *   GET /v1/multicast              how to take part: keys, groups
 *   GET /v1/multicast/<sha256>     "I lack this object": how it will come
 *   GET /v1/blocks/<sha256>/<n>    SHA-256 of each n bytes of it (blocks.h)
 * The first two are for devices, which have shown a certificate, and answered
 * by the multicast sender, which is told which device asks. They are JSON.
 * Shape:   answers are objects of content.h, made here; a question that is not
 *          answered costs its connection no more than a file that is on its way.
 * Errors:  api_get: -ENOENT (no such path; multicast is off), -EACCES (not a
 *          device), -ENOBUFS (the sender is away or has too much to do),
 *          -ENOMEM.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SERVE_API_H
#define DP_SERVE_API_H

#include <stdbool.h>
#include <stddef.h>

#include "common/hash.h"
#include "dp-serve/content.h"

struct api;

int  api_new(struct loop *l, struct content *c, struct api **out);
void api_free(struct api **a);
/* multicast: it is on. crl: of the revocation list in force; all zero: none. */
void api_set(struct api *a, bool multicast, const struct hash *crl);
int  api_set_mcast(struct api *a, int take_fd); /* a new channel to it */

static inline bool
api_has(const char *path, size_t len)
{
	return len >= 4 && path[0] == '/' && path[1] == 'v' && path[2] == '1' &&
	    path[3] == '/';
}
/* device: its URI, "" if it has shown no certificate. */
int  api_get(struct api *a, const char *path, size_t len, const char *device,
     struct object **out);

struct api_counts {
	uint64_t asked, lists, hashed_bytes;
};
const struct api_counts *api_counts(const struct api *a);

#endif
