/*
 * dp-agent/mcast_socket.c - hearing a group; see mcast_socket.h.
 *
 * Runs in the parent, as root. Believes the configuration, reads no packet.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#define RECEIVE_BUFFER (8 << 20) /* what comes while the child decodes */

static int
set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno
								       : 0;
}

/* The source of the group's family in *out: whether there is one. */
static bool
source_of(const struct mcast_group *g, const char *source,
    struct sockaddr_storage *out)
{
	struct sockaddr_in  *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	out->ss_family = (sa_family_t)g->family;
	return inet_pton(g->family, source,
	    g->family == AF_INET ? (void *)&v4->sin_addr
				 : (void *)&v6->sin6_addr) == 1;
}

static int
join(int fd, const struct mcast_group *g, const char *source, unsigned scope)
{
	int level = g->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	struct group_source_req one = { .gsr_interface = scope };
	struct group_req	any = { .gr_interface = scope };

	(void)mcast_group_addr(g, 0, scope, &any.gr_group);
	if (!source_of(g, source, &one.gsr_source))
		return setsockopt(fd, level, MCAST_JOIN_GROUP, &any,
			   sizeof(any)) < 0 ? -errno : 0;
	one.gsr_group = any.gr_group;
	return setsockopt(fd, level, MCAST_JOIN_SOURCE_GROUP, &one,
		   sizeof(one)) < 0 ? -errno : 0;
}

int
mcast_socket_hear(const struct mcast_group *g, const char *source,
    uint16_t port, int *out)
{
	struct sockaddr_storage ss;
	unsigned		scope = 0;
	socklen_t		len;
	int			fd, r;

	*out = -1;
	if (g->iface[0] != '\0' && (scope = if_nametoindex(g->iface)) == 0)
		return -ENODEV;
	fd = socket(g->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* only what this socket joined, whatever others on the machine join */
	r = g->family == AF_INET ? set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0)
				 : set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
	if (r == 0 && g->family == AF_INET6)
		r = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (r == 0)
		r = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER) < 0)
		r = set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	/* data comes as trains where the card joins packets; before Linux 5.0
	 * one by one */
	if (port == MCAST_PORT)
		(void)set(fd, IPPROTO_UDP, UDP_GRO, 1);
	len = mcast_group_addr(g, port, scope, &ss);
	if (r == 0 && bind(fd, (struct sockaddr *)&ss, len) < 0)
		r = -errno;
	if (r == 0)
		r = join(fd, g, source, scope);
	if (r < 0)
		close(fd);
	else
		*out = fd;
	return r;
}

int
mcast_socket_report(const struct mcast_group *g, unsigned ttl, int *out)
{
	int fd, r;

	*out = -1;
	fd = socket(g->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = g->family == AF_INET
	    ? set(fd, IPPROTO_IP, IP_TTL, (int)ttl)
	    : set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, (int)ttl);
	if (r < 0)
		close(fd);
	else
		*out = fd;
	return r;
}
