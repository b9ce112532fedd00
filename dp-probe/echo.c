/*
 * dp-probe/echo.c - echo requests and checksums; see echo.h.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/echo.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

static uint32_t
add(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	return sum;
}

static uint16_t
fold(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t
echo_sum4(const uint8_t *message, size_t len)
{
	return fold(add(0, message, len));
}

uint16_t
echo_sum6(const uint8_t from[16], const uint8_t to[16], const uint8_t *message,
    size_t len)
{
	uint32_t sum = (uint32_t)len + IPPROTO_ICMPV6;

	return fold(add(add(add(sum, from, 16), to, 16), message, len));
}

void
echo4(struct wr *w, uint32_t token)
{
	uint8_t	  message[ECHO_LEN];
	struct wr m = wr_to(message, sizeof(message));
	uint16_t  sum;

	wr_u16(&m, ICMP_ECHO << 8);
	wr_u16(&m, 0); /* checksum */
	wr_u32(&m, token);
	sum = echo_sum4(message, sizeof(message));
	message[2] = (uint8_t)(sum >> 8);
	message[3] = (uint8_t)sum;
	wr_bytes(w, message, sizeof(message));
}

void
echo6(struct wr *w, uint32_t token)
{
	wr_u16(w, ICMP6_ECHO_REQUEST << 8);
	wr_u16(w, 0);
	wr_u32(w, token);
}
