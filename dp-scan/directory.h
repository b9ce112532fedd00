/*
 * dp-scan/directory.h - the directory's reader, as the keeper sees it.
 *
 * Shape:   a channel to dp-ldap, which reads of its own accord and when told;
 *          where its reading is, and its sights by a callback.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_DIRECTORY_H
#define DP_SCAN_DIRECTORY_H

#include "common/ipc.h"
#include "common/sight.h"

#include <stdbool.h>

struct scan_directory;

struct scan_directory_state { /* as MSG_DIRECTORY said last */
	enum directory_state state;
	bool		     there; /* dp-ldap is */
	uint32_t	     said;  /* how often it said so: a new reading counts up */
	uint32_t	     computers, left_out;
	char		     server[256], text[256];
};

/* MSG_DIRECTORY's payload in place of the last one; -EBADMSG: nothing is changed. */
int scan_directory_state_read(struct rd *r, struct scan_directory_state *last);

/* s lives during the call. */
typedef void (*scan_sight_fn)(void *ctx, const struct sight *s);

int  scan_directory_new(struct loop *l, scan_sight_fn fn, void *ctx,
     struct scan_directory **out);
void scan_directory_free(struct scan_directory **d);
int  scan_directory_attach(struct scan_directory *d, int take_fd);
/* Asks for a reading now; nothing if one is under way. -ENOTCONN: dp-ldap is
 * away, or not wanted. */
int  scan_directory_read(struct scan_directory *d);
const struct scan_directory_state *scan_directory_state(
    const struct scan_directory *d);

#endif
