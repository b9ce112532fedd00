/*
 * common/msg.c - names of the roles; see msg.h.
 * SPDX-License-Identifier: ISC
 */
#include "common/msg.h"

#include <errno.h>
#include <string.h>

static const char *const names[PEER_MAX] = { "?", "master", "control",
	"connect", "store", "fetch", "serve", "mcast", "gateway", "gateway-2",
	"gateway-3", "gateway-4", "gateway-5", "gateway-6", "gateway-7",
	"gateway-8" };

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

enum peer_role
peer_role_kind(enum peer_role role)
{
	return role > PEER_GATEWAY && role <= PEER_GATEWAY_LAST ? PEER_GATEWAY
								 : role;
}
