/*
 * dp-listen/heard.h - MSG_HEARD: a datagram that came to a socket of the prober, as
 * an answer to what it asked; unparsed.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_HEARD_H
#define DP_LISTEN_HEARD_H

#include "dp-listen/packet.h"

/* r: the message's payload; *of: the datagram's protocol, or PROTOCOL_NONE: the message
 * is wrong, and so the prober. */
int heard_read(struct rd r, const struct told *to, enum protocol *of);

#endif
