/*
 * common/packet.h - the sockets of network polling, made by the root half.
 *
 * Shape:   each has a name, which is its address in MSG_SOCKET (key
 *          "scan.enable"), and one reader. They are made in the namespace of
 *          the master and stay as they are when a worker is started anew.
 *   netlink   route netlink, bound to the groups of links, neighbours, addresses
 *             and routes; its reader has no right to change any of these.
 *   capture   hears every interface, those that appear later too, but for what
 *             we send; only what common/capture.filter lets through, and that
 *             filter is locked. Its reader sets up the ring.
 *   frames    sends frames; hears nothing: protocol 0, and a locked filter.
 *   echo4, echo6            raw ICMP, hear echo replies alone.
 *   dns4 ... ssdp6          UDP, not bound: the first datagram gives the port.
 *             The echo and UDP sockets say with each datagram what interface
 *             and address it came to (IP_PKTINFO, IPV6_PKTINFO).
 * Errors:  0 or a negative errno, *out -1 then; -EPERM without CAP_NET_RAW.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_PACKET_H
#define COMMON_PACKET_H

#include "common/msg.h"

struct packet_socket {
	const char    *name; /* NULL ends */
	enum peer_role reader;
};
extern const struct packet_socket packet_sockets[];

int packet_open(const char *name, int *out);

#endif
