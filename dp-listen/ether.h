/*
 * dp-listen/ether.h - frames of Ethernet: tags, types, LLC (IEEE 802.3, 802.1Q,
 * 802.2), and what is in them.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_ETHER_H
#define DP_LISTEN_ETHER_H

#include "dp-listen/packet.h"

/* p: ifindex and to_us; the rest is filled in, as far as it is read. */
int ether_read(struct packet *p, struct rd frame, const struct told *to);
/* What is behind a link's header: p has ifindex, to_us, to_many, mac. */
int ether_payload(struct packet *p, uint16_t type, struct rd r,
    const struct told *to);

#endif
