/*
 * dp-gateway/proxy.h - the header of the PROXY protocol, version 2.
 *
 * Source: "The PROXY protocol", Willy Tarreau, section 2.2. Pure. Both ends of
 * one TCP connection in; the header for the server out, and its length: 0 if
 * they are not both IPv4 or both IPv6, or size is too small. Where TLS ended at the gateway
 * what it showed goes along (2.2.6): verified name as common name, version,
 * protocol.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_PROXY_H
#define DP_GATEWAY_PROXY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* A size for all we tell: 52 without TLS, with it a name and a protocol of up
 * to 255. */
#define PROXY_MAX 512

struct proxy_tls {
	const char *name, *version, *alpn; /* alpn "": none */
};

size_t proxy_build(const struct sockaddr_storage *client,
    const struct sockaddr_storage *here, const struct proxy_tls *tls,
    uint8_t *out, size_t size); /* tls NULL: it goes through */

#endif
