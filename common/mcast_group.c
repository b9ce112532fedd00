/*
 * common/mcast_group.c - see mcast_group.h.
 *
 * Runs in the parents and in the workers that send or receive. Believes the
 * administrator's text only after this.
 * SPDX-License-Identifier: ISC
 */
#include "common/mcast_group.h"

#include "common/value.h"


#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ETHERNET_V4 0x01005e000000ULL
#define ETHERNET_V6 0x333300000000ULL

static int refuse(char err[MCAST_ERR], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
refuse(char err[MCAST_ERR], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, MCAST_ERR, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static uint32_t
low_bits(const struct mcast_group *g)
{
	const uint8_t *b = g->bytes + (g->family == AF_INET ? 0 : 12);
	uint32_t       v = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	    (uint32_t)b[2] << 8 | b[3];

	return g->family == AF_INET ? v & 0x7fffff : v;
}

uint64_t
mcast_group_ethernet(const struct mcast_group *g)
{
	return (g->family == AF_INET ? ETHERNET_V4 : ETHERNET_V6) | low_bits(g);
}

bool
mcast_group_is_ssm(const struct mcast_group *g)
{
	return g->family == AF_INET ? g->bytes[0] == 232
				    : (g->bytes[1] & 0xf0) == 0x30 &&
		g->bytes[2] == 0 && g->bytes[3] == 0;
}

static int
check_v4(const struct mcast_group *g, char err[MCAST_ERR])
{
	const uint8_t *b = g->bytes;

	if ((b[0] & 0xf0) != 0xe0)
		return refuse(err, "%s is no multicast address: expected one "
			"of 224.0.0.0/4, such as 239.255.77.1", g->address);
	if (b[0] == 224 && b[1] == 0 && b[2] == 0)
		return refuse(err, "%s belongs to 224.0.0.0/24, which routers "
			"and hosts use themselves", g->address);
	if (low_bits(g) <= 0xff)
		return refuse(err, "%s has the Ethernet address of 224.0.0.%u: "
			"the last 23 bits must differ", g->address, b[3]);
	return 0;
}

static int
check_v6(const struct mcast_group *g, char err[MCAST_ERR])
{
	const uint8_t *b = g->bytes;
	unsigned       scope = b[1] & 0x0f;
	uint32_t       low = low_bits(g);

	if (b[0] != 0xff)
		return refuse(err, "%s is no multicast address: expected one "
			"of ff00::/8, such as ff15::7701", g->address);
	if (scope <= 1 || scope == 15)
		return refuse(err, "%s has scope %x, which never reaches a "
			"network: expected 2 to e", g->address, scope);
	if ((b[1] & 0x10) == 0)
		return refuse(err, "%s is of those that IANA assigns: "
			"expected ff1x:: or ff3x::", g->address);
	/* all nodes, routers, mDNS...; DHCP and LLMNR; solicited nodes */
	if (low <= 0xff || (low >= 0x10000 && low <= 0x100ff) ||
	    low >= 0xff000000)
		return refuse(err, "%s has the Ethernet address of a group that "
			"IPv6 hosts are in themselves: the last 32 bits must "
			"differ", g->address);
	return 0;
}

static int
take_iface(struct mcast_group *g, const char *name, char err[MCAST_ERR])
{
	size_t n = strlen(name);

	if (n == 0 || n >= sizeof(g->iface) || name[strcspn(name, "/:@ ")] != '\0')
		return refuse(err, "\"%.40s\" is no name of an interface", name);
	memcpy(g->iface, name, n + 1);
	return 0;
}

int
mcast_group_parse(const char *word, struct mcast_group *out,
    char err[MCAST_ERR])
{
	struct mcast_group g = { .family = AF_INET };
	const char	  *at = strchr(word, '@'), *from = word;
	size_t		   n = at != NULL ? (size_t)(at - word) : strlen(word);
	char		   text[64];
	int		   r;

	if (at != NULL && (r = take_iface(&g, at + 1, err)) < 0)
		return r;
	if (n > 2 && word[0] == '[' && word[n - 1] == ']') {
		g.family = AF_INET6;
		from++;
		n -= 2;
	}
	if (n >= sizeof(text))
		n = sizeof(text) - 1; /* and so no address */
	memcpy(text, from, n);
	text[n] = '\0';
	if (inet_pton(g.family, text, g.bytes) != 1 ||
	    inet_ntop(g.family, g.bytes, g.address, sizeof(g.address)) == NULL)
		return refuse(err, "\"%.60s\" is no group: expected "
			"239.255.77.1 or [ff15::7701], perhaps with @eth0", word);
	r = g.family == AF_INET ? check_v4(&g, err) : check_v6(&g, err);
	if (r == 0)
		*out = g;
	return r;
}

int
mcast_groups_parse(const char *list, struct mcast_group out[MCAST_GROUPS],
    size_t *n, char err[MCAST_ERR])
{
	char   word[MCAST_GROUP_TEXT + 64];
	size_t pos = 0;
	int    r;

	*n = 0;
	while (value_word(list, &pos, word, sizeof(word))) {
		if (*n == MCAST_GROUPS)
			return refuse(err, "more than %d groups", MCAST_GROUPS);
		if ((r = mcast_group_parse(word, &out[*n], err)) < 0)
			return r;
		for (size_t i = 0; i < *n; i++)
			if (mcast_group_ethernet(&out[i]) ==
			    mcast_group_ethernet(&out[*n]))
				return refuse(err, "%s and %s have the same "
					"Ethernet address: the last %d bits "
					"must differ", out[i].address,
				    out[*n].address,
				    out[i].family == AF_INET ? 23 : 32);
		++*n;
	}
	return 0;
}

socklen_t
mcast_group_addr(const struct mcast_group *g, uint16_t port, unsigned scope,
    struct sockaddr_storage *out)
{
	struct sockaddr_in  *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	out->ss_family = (sa_family_t)g->family;
	if (g->family == AF_INET) {
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, g->bytes, 4);
		return sizeof(*v4);
	}
	v6->sin6_port = htons(port);
	v6->sin6_scope_id = scope;
	memcpy(&v6->sin6_addr, g->bytes, 16);
	return sizeof(*v6);
}
