/*
 * dp-gateway/via.h - the way a connection has come, as the header Via has it
 * (RFC 9110, 7.6.3): "2.0 gw-a, 2.0 gw-b".
 *
 * Pure; and what else a gateway says of a stream. Who finds its own name there would close a circle; too many names are one
 * that others have closed.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_VIA_H
#define DP_GATEWAY_VIA_H

#include "common/url.h"

#include <stdbool.h>
#include <stddef.h>

#define VIA_HOPS 16
#define VIA_ID	 64 /* a gateway's name and its NUL */

bool via_has(const char *via, const char *id);
/* via and us after it; -ELOOP: too many, or too long. */
int  via_add(const char *via, const char *id, char *out, size_t size);
bool via_is_id(const char *id); /* a token (RFC 9110, 5.6.2) of a good length */

/* Whether a peer of that name is believed that a stream is that device's: a
 * distribution point verifies devices, a device is only itself. */
bool via_believes(const char *peer, const char *device);

/* Whether the list, of HOST:PORT words, has this host and port. */
bool via_allows(const char *list, const char *authority, struct url *at);

#endif
