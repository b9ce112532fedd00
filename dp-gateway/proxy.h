/*
 * dp-gateway/proxy.h - the header of the PROXY protocol, version 2.
 *
 * Source: "The PROXY protocol", Willy Tarreau, section 2.2. Pure. Both ends of
 * one TCP connection in; the header for the server out, PROXY_MAX bytes at
 * most; 0 if they are not both IPv4 or both IPv6.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_PROXY_H
#define DP_GATEWAY_PROXY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PROXY_MAX 52 /* 16 bytes and two IPv6 addresses with their ports */

size_t proxy_build(const struct sockaddr_storage *client,
    const struct sockaddr_storage *here, uint8_t out[PROXY_MAX]);

#endif
