/*
 * dp-listen/heard.h - MSG_HEARD: a datagram that came to a socket of the prober, as
 * an answer to what it asked; unparsed.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_HEARD_H
#define DP_LISTEN_HEARD_H

#include "dp-listen/packet.h"

/* r: the message's payload. -EBADMSG with *is_ours true: the datagram is wrong; with
 * false: the message is, and so the prober. */
int heard_read(struct rd r, const struct told *to, bool *is_ours);

#endif
