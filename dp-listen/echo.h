/*
 * dp-listen/echo.h - answers to echo requests (RFC 792; RFC 4443, 4.2): their
 * sender is there.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_ECHO_H
#define DP_LISTEN_ECHO_H

#include "dp-listen/packet.h"

#define ECHO4_REPLY 0
#define ECHO6_REPLY 129

/* r: the ICMP message. */
int echo4_read(const struct packet *p, struct rd r, const struct told *to);
int echo6_read(const struct packet *p, struct rd r, const struct told *to);

#endif
