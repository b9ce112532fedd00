/*
 * common/msg.c - names of the roles; see msg.h.
 * SPDX-License-Identifier: ISC
 */
#include "common/msg.h"

#include <errno.h>
#include <string.h>

static const char *const names[PEER_MAX] = { "?", "master", "control",
	"connect", "store", "fetch", "serve", "mcast", "gateway" };

const char *
peer_role_name(enum peer_role role)
{
	return role > PEER_NONE && role < PEER_MAX ? names[role] : names[0];
}

int
peer_role_from_name(const char *name, enum peer_role *out)
{
	for (int i = PEER_NONE + 1; i < PEER_MAX; i++)
		if (strcmp(name, names[i]) == 0) {
			*out = (enum peer_role)i;
			return 0;
		}
	return -ENOENT;
}
