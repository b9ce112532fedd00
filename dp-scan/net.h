/*
 * dp-scan/net.h - links, addresses, routes and neighbours, as the kernel has them.
 *
 * Shape:   one struct net over the netlink socket that the master made (bound to the
 *          groups of changes). All tables are read once, then changes are followed;
 *          when some were lost, all are read anew.
 * Bounds:  NET_LINKS links and so on; what is more is not seen, which is logged.
 * Units:   addresses are 16 bytes, IPv4 mapped; bits of all 128.
 * Ownership: the descriptor is taken. Pointers live until the loop turns.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_NET_H
#define DP_SCAN_NET_H

#include "common/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_LINKS    256
#define NET_ADDRS    1024
#define NET_ROUTERS  16
#define NET_SEEDS    4096

struct net;

struct net_link {
	uint32_t ifindex, gen;
	char	 name[16];
	uint8_t	 mac[6];
	bool	 up;	   /* and running */
	bool	 ethernet; /* has neighbours with MAC addresses of its own, and not
			    * by way of a bridge or bond that it is a port of */
};

struct net_addr {
	uint32_t ifindex, gen;
	uint8_t	 addr[16], bits;
	bool	 tentative; /* not ours yet */
};

struct net_seed { /* an IPv6 neighbour that the kernel knew of once */
	uint32_t ifindex;
	uint8_t	 addr[16];
};

struct net_ops {
	/* Links or addresses are not what they were; also once all is read. */
	void (*changed)(void *ctx);
	/* Just now somebody at addr proved to be there. */
	void (*neighbour)(void *ctx, uint32_t ifindex, const uint8_t mac[6],
	    const uint8_t addr[16]);
};

int  net_new(struct loop *l, int take_fd, const struct net_ops *ops, void *ctx,
     struct net **out);
void net_free(struct net **n);
int  net_begin(struct net *n); /* asks for all tables */
bool net_is_read(const struct net *n);

size_t net_nlinks(const struct net *n);
const struct net_link *net_link_at(const struct net *n, size_t i);
const struct net_link *net_link_by(const struct net *n, uint32_t ifindex);
size_t net_naddrs(const struct net *n);
const struct net_addr *net_addr_at(const struct net *n, size_t i);
size_t net_nseeds(const struct net *n);
const struct net_seed *net_seed_at(const struct net *n, size_t i);

/* Whether addr is in a network of the interface (0: of any). */
bool net_is_on_link(const struct net *n, uint32_t ifindex,
    const uint8_t addr[16]);
/* Where frames to that address go now, by the kernel's table, which is asked
 * anew: -ENOENT: it is on no Ethernet link, or does not speak with us, or the kernel
 * did not say in time; nothing is written then. */
int  net_neighbour(struct net *n, const uint8_t addr[16], uint32_t *ifindex,
    uint8_t mac[6]);
/* Whether a default route leads there. */
bool net_is_router(const struct net *n, const uint8_t addr[16]);

#endif
