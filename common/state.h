/*
 * common/state.h - the metadata of a repository that is trusted, as kept.
 *
 * Shape:   a list of files by role, and of roots by version; one byte string
 *          on disk, wherever who keeps it may write.
 *	state  := version:u8=1 { kind:u8 role:str file_version:u64 len:u32 bytes }
 * Errors:  0, -ENOMEM, -EBADMSG for bytes that are not such a string.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_STATE_H
#define COMMON_STATE_H

#include <stddef.h>
#include <stdint.h>

enum saved_kind {
	SAVED_ROLE,   /* newest trusted file of a role */
	SAVED_ROOT,   /* each root that was ever trusted, for those behind */
	SAVED_CONFIG, /* the root of the configuration it all began with */
	SAVED_SET,    /* file of the set in force, where a newer one of its role
		       * is trusted already; else the SAVED_ROLE is in force */
	SAVED_KINDS
};

struct saved {
	uint8_t	 kind;
	char	 role[1024];
	uint64_t version;
	uint8_t *bytes;
	uint32_t len;
};

struct state {
	struct saved *of;
	size_t	      n;
};

/* Copies; 1 if it was new or other than before, 0 if the same. By role, and
 * roots by version. */
int  state_put(struct state *s, enum saved_kind kind, const char *role,
     uint64_t version, const void *bytes, size_t len);
const struct saved *state_find(const struct state *s, enum saved_kind kind,
    const char *role);
/* The same for SAVED_ROLE; what it replaces is in force until state_adopt(). */
int  state_trust(struct state *s, const char *role, uint64_t version,
     const void *bytes, size_t len);
void state_adopt(struct state *s); /* what is trusted is in force, all of it */
/* The file of this role in the set in force, or NULL. */
const struct saved *state_in_force(const struct state *s, const char *role);
int  state_encode(const struct state *s, uint8_t **out, size_t *len);
int  state_decode(struct state *s, const uint8_t *buf, size_t len);
void state_fini(struct state *s); /* and empty again */

#endif
