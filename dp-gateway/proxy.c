/*
 * dp-gateway/proxy.c - builds a PROXY v2 header; see proxy.h.
 *
 * Runs in dp-gateway. Believes the kernel's addresses. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/proxy.h"

#include "common/wr.h"

#include <netinet/in.h>
#include <string.h>

#define VERSION_PROXY 0x21 /* version 2, command PROXY */
#define TCP_OVER_IPV4 0x11
#define TCP_OVER_IPV6 0x21
#define LENGTH_AT     14
#define HEAD	      16
#define TYPE_ALPN     0x01 /* section 2.2.1 */
#define TYPE_SSL      0x20
#define SSL_VERSION   0x21
#define SSL_CN	      0x22
#define SSL_CLIENT    0x01 /* it spoke TLS */
#define SSL_CERT      0x02 /* and showed a certificate in this connection */

static void
tlv(struct wr *w, uint8_t type, const char *text)
{
	wr_u8(w, type);
	wr_str(w, text);
}

static void
tell_tls(struct wr *w, const struct proxy_tls *t)
{
	if (t->alpn[0] != '\0')
		tlv(w, TYPE_ALPN, t->alpn);
	wr_u8(w, TYPE_SSL);
	wr_u16(w, (uint16_t)(5 + 3 + strlen(t->version) + 3 + strlen(t->name)));
	wr_u8(w, SSL_CLIENT | SSL_CERT);
	wr_u32(w, 0); /* verified */
	tlv(w, SSL_VERSION, t->version);
	tlv(w, SSL_CN, t->name);
}

size_t
proxy_build(const struct sockaddr_storage *client,
    const struct sockaddr_storage *here, const struct proxy_tls *tls,
    uint8_t *out, size_t size)
{
	static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
	const struct sockaddr_in  *c4 = (const struct sockaddr_in *)client,
				  *h4 = (const struct sockaddr_in *)here;
	const struct sockaddr_in6 *c6 = (const struct sockaddr_in6 *)client,
				  *h6 = (const struct sockaddr_in6 *)here;
	struct wr w = wr_to(out, size);

	if (client->ss_family != here->ss_family ||
	    (here->ss_family != AF_INET && here->ss_family != AF_INET6))
		return 0;
	wr_bytes(&w, signature, sizeof(signature));
	wr_u8(&w, VERSION_PROXY);
	if (here->ss_family == AF_INET) {
		wr_u8(&w, TCP_OVER_IPV4);
		wr_u16(&w, 0); /* later */
		wr_bytes(&w, &c4->sin_addr, 4);
		wr_bytes(&w, &h4->sin_addr, 4);
		wr_u16(&w, ntohs(c4->sin_port));
		wr_u16(&w, ntohs(h4->sin_port));
	} else {
		wr_u8(&w, TCP_OVER_IPV6);
		wr_u16(&w, 0);
		wr_bytes(&w, &c6->sin6_addr, 16);
		wr_bytes(&w, &h6->sin6_addr, 16);
		wr_u16(&w, ntohs(c6->sin6_port));
		wr_u16(&w, ntohs(h6->sin6_port));
	}
	if (tls != NULL)
		tell_tls(&w, tls);
	if (w.err != 0 || w.len - HEAD > UINT16_MAX)
		return 0;
	out[LENGTH_AT] = (uint8_t)((w.len - HEAD) >> 8);
	out[LENGTH_AT + 1] = (uint8_t)(w.len - HEAD);
	return w.len;
}
