/*
 * dp-probe/frame.h - Ethernet frames that ask who has an address of the link, and who
 * is there.
 *
 * Shape:   pure; each writes one whole frame, destination first, without
 *          padding and checksum of the link.
 * Units:   addresses are 16 bytes, IPv4 mapped, as common/scope.h makes them.
 * Errors:  those of common/wr.h; FRAME_MAX is enough.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_PROBE_FRAME_H
#define DP_PROBE_FRAME_H

#include "common/wr.h"

#define FRAME_MAX 96

/* A broadcast ARP request (RFC 826). From no address, all zero, it is the probe
 * of RFC 5227 2.1.1, which enters nobody's cache and is answered to mac. */
void frame_arp(struct wr *w, const uint8_t mac[6], const uint8_t from[16],
    const uint8_t target[16]);

/* A neighbour solicitation (RFC 4861 4.3) to the target's solicited-node group,
 * from an address of this link; the answer comes to mac. */
void frame_ns(struct wr *w, const uint8_t mac[6], const uint8_t from[16],
    const uint8_t target[16]);

/* A general query of MLDv2 (RFC 3810 5.1) from our link-local address: members of
 * groups, which is everybody, report within FRAME_MLD_MS, each at a moment of its
 * own. Asks routers to keep their timers (S). */
#define FRAME_MLD_MS 300
void frame_mld(struct wr *w, const uint8_t mac[6], const uint8_t from[16]);

#endif
