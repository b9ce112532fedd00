/*
 * common/mcast_group.h - the multicast groups that a configuration names.
 *
 * Text:    words "239.255.77.1" or "[ff15::7701]", each with "@INTERFACE" where
 *          the routing table is not to choose it.
 * Refused: what is no multicast address; what routers or every host on the
 *          link use themselves: 224.0.0.0/24, and of IPv6 the reserved and
 *          node-local scopes and all addresses that IANA assigns (flag T is
 *          0); and what a network card cannot tell apart, since an IPv4 group
 *          gives its Ethernet address 23 bits and an IPv6 group 32: from each
 *          other group, from 224.0.0.0/24, and from the groups each IPv6 host
 *          is in.
 * Shape:   pure; a group is plain bytes, copied with =.
 * Errors:  -EINVAL with one text: what was given and what was expected.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_MCAST_GROUP_H
#define COMMON_MCAST_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define MCAST_GROUPS	  16   /* of one configuration */
#define MCAST_GROUP_TEXT  72   /* "[V6]@INTERFACE" and its NUL */
#define MCAST_IFACE	  16
#define MCAST_PORT	  15001 /* data: FLUTE */
#define MCAST_NOTICE_PORT 15000 /* notices to it; everything from it; reports */
#define MCAST_ERR	  256

struct mcast_group {
	char	address[48]; /* as inet_ntop writes it */
	char	iface[MCAST_IFACE]; /* "": by the routing table */
	int	family;	     /* AF_INET, AF_INET6 */
	uint8_t bytes[16];   /* 4 or 16 of them, in network order */
};

int  mcast_group_parse(const char *word, struct mcast_group *out,
     char err[MCAST_ERR]);
/* All words of a list, at most MCAST_GROUPS; an empty one is 0 groups. */
int  mcast_groups_parse(const char *list, struct mcast_group out[MCAST_GROUPS],
     size_t *n, char err[MCAST_ERR]);
/* The last six bytes of frames to this group, as one number. */
uint64_t mcast_group_ethernet(const struct mcast_group *g);
/* 232.0.0.0/8 or ff3x::/32: receivers must name the source they want. */
bool mcast_group_is_ssm(const struct mcast_group *g);
/* Where to send. scope: the index of g->iface, or 0. The address's length. */
socklen_t mcast_group_addr(const struct mcast_group *g, uint16_t port,
    unsigned scope, struct sockaddr_storage *out);

#endif
