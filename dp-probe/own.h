/*
 * dp-probe/own.h - whether a frame's source is this machine's own.
 *
 * A frame says who sends it, and hosts believe that: who could choose it freely
 * could take over any neighbour's traffic. Of datagrams the kernel checks the
 * source, of frames nobody but us.
 *
 * Shape:   asks the kernel by sockets of the namespace concerned; sends nothing.
 * Errors:  -ENODEV: no such interface; -EOPNOTSUPP: not Ethernet;
 *          -EADDRNOTAVAIL: another's address.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_PROBE_OWN_H
#define DP_PROBE_OWN_H

#include <stdint.h>

/* mac is that of the interface; from, unless all zero, an address of ours.
 * udp4 and udp6: any UDP sockets. */
int own_source(int udp4, int udp6, uint32_t ifindex, const uint8_t mac[6],
    const uint8_t from[16]);

#endif
