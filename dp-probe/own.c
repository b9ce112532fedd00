/*
 * dp-probe/own.c - asks the kernel whose addresses these are; see own.h.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/own.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* The kernel's MSG_PROBE, which libc has under another name. */
#define FIND_ROUTE_ONLY 0x10

static int
own_mac(int fd, uint32_t ifindex, const uint8_t mac[6])
{
	struct ifreq ifr = { .ifr_ifindex = (int)ifindex };

	if (ioctl(fd, SIOCGIFNAME, &ifr) < 0 ||
	    ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		return errno == ENXIO ? -ENODEV : -errno;
	if (ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return -EOPNOTSUPP;
	return memcmp(ifr.ifr_hwaddr.sa_data, mac, 6) == 0 ? 0 : -EADDRNOTAVAIL;
}

/*
 * Goes the way of a datagram from that address to a group, which every interface
 * has a route to, as far as finding the route: the kernel refuses sources that
 * are not its own. MSG_PROBE: nothing is sent.
 */
static int
own_address(int fd, int level, int type, const void *info, size_t len,
    const void *to, socklen_t to_len)
{
	_Alignas(8) uint8_t control[64] = { 0 };
	struct cmsghdr	    h = { .cmsg_level = level, .cmsg_type = type,
		.cmsg_len = CMSG_LEN(len) };
	struct msghdr	    m = { .msg_control = control,
		.msg_controllen = CMSG_SPACE(len) };

	m.msg_name = (void *)(uintptr_t)to;
	m.msg_namelen = to_len;
	memcpy(control, &h, sizeof(h));
	memcpy(CMSG_DATA((struct cmsghdr *)(void *)control), info, len);
	return sendmsg(fd, &m, FIND_ROUTE_ONLY) < 0 ? -EADDRNOTAVAIL : 0;
}

static int
own_address4(int fd, uint32_t ifindex, const uint8_t from[4])
{
	struct in_pktinfo  info = { .ipi_ifindex = (int)ifindex };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_ALLHOSTS_GROUP) };

	memcpy(&info.ipi_spec_dst, from, 4);
	return own_address(fd, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info), &to,
	    sizeof(to));
}

static int
own_address6(int fd, uint32_t ifindex, const uint8_t from[16])
{
	struct in6_pktinfo  info = { .ipi6_ifindex = ifindex };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6,
		.sin6_port = htons(9), .sin6_scope_id = ifindex,
		.sin6_addr.s6_addr = { 0xff, 2, [15] = 1 } };

	memcpy(&info.ipi6_addr, from, 16);
	return own_address(fd, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info),
	    &to, sizeof(to));
}

int
own_source(int udp4, int udp6, uint32_t ifindex, const uint8_t mac[6],
    const uint8_t from[16])
{
	static const uint8_t none[16], mapped[12] = { [10] = 0xff, 0xff };
	int		     r;

	if ((r = own_mac(udp4, ifindex, mac)) < 0 || memcmp(from, none, 16) == 0)
		return r;
	if (memcmp(from, mapped, sizeof(mapped)) == 0)
		return own_address4(udp4, ifindex, from + 12);
	return own_address6(udp6, ifindex, from);
}
