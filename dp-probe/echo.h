/*
 * dp-probe/echo.h - ICMP and ICMPv6 echo requests, and the Internet checksum.
 *
 * A request carries 32 bits of the caller's as identifier and sequence number;
 * the answer carries the same. Nothing else is in it: who is there answers, how
 * long it takes is not asked.
 *
 * Shape:   pure; ICMP only, the kernel makes the IP header, and for ICMPv6 the
 *          checksum, which covers addresses that it chooses.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_PROBE_ECHO_H
#define DP_PROBE_ECHO_H

#include "common/wr.h"

#define ECHO_LEN 8

void echo4(struct wr *w, uint32_t token); /* RFC 792 */
void echo6(struct wr *w, uint32_t token); /* RFC 4443 4.1, checksum 0 */

/* RFC 1071; of an ICMPv6 message with its pseudo-header (RFC 8200 8.1). */
uint16_t echo_sum4(const uint8_t *message, size_t len);
uint16_t echo_sum6(const uint8_t from[16], const uint8_t to[16],
    const uint8_t *message, size_t len);

#endif
