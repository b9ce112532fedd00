/*
 * dp-agent/mcast_socket.h - opens the sockets on which a group is heard.
 *
 * Runs in the parent, which joins the group for good: the network child that
 * gets the sockets can neither join nor leave anything.
 * Shape:   a group is heard on two sockets, one for data and one for notices,
 *          bound to the group's own address: nothing else comes in. Reports go
 *          out of a third, which is bound to nothing, never heard on for
 *          multicast, and whose packets take ttl hops.
 * Errors:  0 or a negative errno, *out -1 then; -ENODEV: no such interface.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_MCAST_SOCKET_H
#define DP_AGENT_MCAST_SOCKET_H

#include "common/mcast_group.h"

/* source: "" for any, or the address whose packets alone are heard (RFC 4607);
 * one of the other family is no source for this group and is passed over. */
int mcast_socket_hear(const struct mcast_group *g, const char *source,
    uint16_t port, int *out);
int mcast_socket_report(const struct mcast_group *g, unsigned ttl, int *out);

#endif
