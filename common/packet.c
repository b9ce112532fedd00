/*
 * common/packet.c - raw, packet and netlink sockets; see packet.h.
 *
 * Runs in the root half, before and while workers run. Reads nothing from any
 * of these sockets.
 * SPDX-License-Identifier: ISC
 */
#include "common/packet.h"

#include "common/size.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER (4 << 20) /* answers of a /16, or of many at once */

const struct packet_socket packet_sockets[] = {
	{ "netlink", PEER_SCAN },
	{ "capture", PEER_LISTEN },
	{ "frames", PEER_PROBE },
	{ "echo4", PEER_PROBE },
	{ "echo6", PEER_PROBE },
	{ "dns4", PEER_PROBE },
	{ "dns6", PEER_PROBE },
	{ "nbstat4", PEER_PROBE },
	{ "llmnr4", PEER_PROBE },
	{ "llmnr6", PEER_PROBE },
	{ "mdns4", PEER_PROBE },
	{ "mdns6", PEER_PROBE },
	{ "snmp4", PEER_PROBE },
	{ "snmp6", PEER_PROBE },
	{ "ssdp4", PEER_PROBE },
	{ "ssdp6", PEER_PROBE },
	{ 0 },
};

static const struct sock_filter heard[] = {
#include "capture_filter.h" /* from capture.filter, by filter_table.c */
};
static const struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };

static int
set_int(int fd, int level, int name, int v)
{
	return setsockopt(fd, level, name, &v, sizeof(v)) < 0 ? -errno : 0;
}

static int
lock_filter(int fd, const struct sock_filter *code, size_t n)
{
	struct sock_fprog prog = { .len = (unsigned short)n,
		.filter = (struct sock_filter *)(uintptr_t)code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
		sizeof(prog)) < 0)
		return -errno;
	return set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
}

static int
netlink(int fd)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR |
		    RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE };

	(void)set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER);
	return bind(fd, (struct sockaddr *)&nl, sizeof(nl)) < 0 ? -errno : 0;
}

/* Hears nothing until it is bound, and then through the filter. */
static int
capture(int fd)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL) };
	int		   r;

	if ((r = set_int(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)) < 0 ||
	    (r = lock_filter(fd, heard, COUNT(heard))) < 0)
		return r;
	return bind(fd, (struct sockaddr *)&ll, sizeof(ll)) < 0 ? -errno : 0;
}

static int
frames(int fd)
{
	(void)set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER);
	return lock_filter(fd, nothing, COUNT(nothing));
}

/* What is sent counts for as long as a neighbour is waited for, 3 s. */
static void
buffers(int fd)
{
	(void)set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER);
	(void)set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER);
}

static int
echo4(int fd)
{
	struct icmp_filter pass = { ~(1U << ICMP_ECHOREPLY) };

	buffers(fd);
	if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &pass, sizeof(pass)) < 0)
		return -errno;
	return set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

static int
echo6(int fd)
{
	struct icmp6_filter pass;

	buffers(fd);
	ICMP6_FILTER_SETBLOCKALL(&pass);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &pass);
	if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &pass,
		sizeof(pass)) < 0)
		return -errno;
	return set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

/* RFC 6762, section 11, and RFC 4795, section 2.7: 255 hops to a group. */
static int
udp(int fd, int family)
{
	int r;

	buffers(fd);
	if (family == AF_INET)
		return (r = set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, 255)) < 0
		    ? r : set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
	if ((r = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) < 0 ||
	    (r = set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255)) < 0)
		return r;
	return set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

static int
udp4(int fd)
{
	return udp(fd, AF_INET);
}

static int
udp6(int fd)
{
	return udp(fd, AF_INET6);
}

/* Of that group routers forward; what is behind them is not asked. */
static int
ssdp4(int fd)
{
	int r = udp4(fd);

	return r < 0 ? r : set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1);
}

int
packet_open(const char *name, int *out)
{
	static const struct {
		const char *name; /* "*4": any that ends so */
		int	    family, type, protocol;
		int (*set)(int fd);
	} kinds[] = {
		{ "netlink", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, netlink },
		{ "capture", AF_PACKET, SOCK_RAW, 0, capture },
		{ "frames", AF_PACKET, SOCK_RAW, 0, frames },
		{ "echo4", AF_INET, SOCK_RAW, IPPROTO_ICMP, echo4 },
		{ "echo6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, echo6 },
		{ "ssdp4", AF_INET, SOCK_DGRAM, 0, ssdp4 },
		{ "*4", AF_INET, SOCK_DGRAM, 0, udp4 },
		{ "*6", AF_INET6, SOCK_DGRAM, 0, udp6 },
	};
	size_t i = 0, len = strlen(name);
	int    fd, r;

	*out = -1;
	while (i < COUNT(kinds) && strcmp(kinds[i].name, name) != 0 &&
	    (kinds[i].name[0] != '*' || len == 0 ||
		kinds[i].name[1] != name[len - 1]))
		i++;
	if (i == COUNT(kinds))
		return -EINVAL;
	if ((fd = socket(kinds[i].family,
		 kinds[i].type | SOCK_CLOEXEC | SOCK_NONBLOCK,
		 kinds[i].protocol)) < 0)
		return -errno;
	if ((r = kinds[i].set(fd)) < 0)
		close(fd);
	else
		*out = fd;
	return r;
}
