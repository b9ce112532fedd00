/*
 * dp-gateway/proxy.c - builds a PROXY v2 header; see proxy.h.
 *
 * Runs in dp-gateway. Believes the kernel's addresses. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/proxy.h"

#include "common/wr.h"

#include <netinet/in.h>

#define VERSION_PROXY 0x21 /* version 2, command PROXY */
#define TCP_OVER_IPV4 0x11
#define TCP_OVER_IPV6 0x21

size_t
proxy_build(const struct sockaddr_storage *client,
    const struct sockaddr_storage *here, uint8_t out[PROXY_MAX])
{
	static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
	const struct sockaddr_in  *c4 = (const struct sockaddr_in *)client,
				  *h4 = (const struct sockaddr_in *)here;
	const struct sockaddr_in6 *c6 = (const struct sockaddr_in6 *)client,
				  *h6 = (const struct sockaddr_in6 *)here;
	struct wr w = wr_to(out, PROXY_MAX);

	if (client->ss_family != here->ss_family ||
	    (here->ss_family != AF_INET && here->ss_family != AF_INET6))
		return 0;
	wr_bytes(&w, signature, sizeof(signature));
	wr_u8(&w, VERSION_PROXY);
	if (here->ss_family == AF_INET) {
		wr_u8(&w, TCP_OVER_IPV4);
		wr_u16(&w, 12);
		wr_bytes(&w, &c4->sin_addr, 4);
		wr_bytes(&w, &h4->sin_addr, 4);
		wr_u16(&w, ntohs(c4->sin_port));
		wr_u16(&w, ntohs(h4->sin_port));
	} else {
		wr_u8(&w, TCP_OVER_IPV6);
		wr_u16(&w, 36);
		wr_bytes(&w, &c6->sin6_addr, 16);
		wr_bytes(&w, &h6->sin6_addr, 16);
		wr_u16(&w, ntohs(c6->sin6_port));
		wr_u16(&w, ntohs(h6->sin6_port));
	}
	return w.len;
}
