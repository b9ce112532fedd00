/*
 * dp-gateway/target.h - where tunnels may lead: the closed list of hosts and
 * ports.
 *
 * Pure. Names are the same whatever their letters' size, IPv6 addresses however
 * they are spelt; an IPv4 address and the same one mapped to IPv6 are two, and
 * what only a resolver would take for an address ("127.1") is a name. Nothing
 * stands for more than itself.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_TARGET_H
#define DP_GATEWAY_TARGET_H

#include "common/url.h"
#include "dp-gateway/admit.h"

#define TARGET_TEXT (URL_HOST_LEN + 8) /* "[2001:db8::1]:443" */

/*
 * list: of a checked configuration (gateway.proxy-allow); host: as CONNECT has
 * it (http_request.h), of len bytes. WHY_CLOSED, and out is how the list spells
 * it; else out is what was asked for, and the answer WHY_TARGET_HOST, or
 * WHY_TARGET_PORT for a host that is listed with others, or WHY_BAD_REQUEST,
 * out empty, for what no host is called.
 */
enum why target_admit(const char *list, const char *host, size_t len,
     uint16_t port, struct url *out);

void target_text(const struct url *at, char out[TARGET_TEXT]);

#endif
