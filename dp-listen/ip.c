/*
 * dp-listen/ip.c - see ip.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/ip.h"

#include "common/size.h"
#include "dp-listen/dhcp.h"
#include "dp-listen/dhcp6.h"
#include "dp-listen/echo.h"
#include "dp-listen/llmnr.h"
#include "dp-listen/mdns.h"
#include "dp-listen/mld.h"
#include "dp-listen/ndp.h"
#include "dp-listen/netbios.h"
#include "dp-listen/rdns.h"
#include "dp-listen/snmp.h"
#include "dp-listen/ssdp.h"

#include <errno.h>
#include <string.h>

#define PROTO_HOPOPTS 0
#define PROTO_ICMP    1
#define PROTO_UDP     17
#define PROTO_ROUTING 43
#define PROTO_ICMPV6  58
#define PROTO_DSTOPTS 60
#define HEADERS_MAX   4 /* extension headers that are walked */

enum when { TO_ALL, TO_US_TOO, OF_A_FILE };

/* By the port that is well known, whichever end has it. */
static const struct {
	uint16_t  port;
	enum when when;
	enum protocol protocol;
	int (*read)(const struct packet *p, struct rd r, const struct told *to);
} services[] = {
	{ 53, OF_A_FILE, PROTOCOL_DNS, rdns_read },
	{ 67, TO_US_TOO, PROTOCOL_DHCP, dhcp_read },
	{ 68, TO_US_TOO, PROTOCOL_DHCP, dhcp_read },
	{ 137, TO_ALL, PROTOCOL_NETBIOS, netbios_read },
	{ 161, OF_A_FILE, PROTOCOL_SNMP, snmp_read },
	{ 546, TO_US_TOO, PROTOCOL_DHCP6, dhcp6_read },
	{ 547, TO_US_TOO, PROTOCOL_DHCP6, dhcp6_read },
	{ 1900, TO_ALL, PROTOCOL_SSDP, ssdp_read },
	{ 5353, TO_ALL, PROTOCOL_MDNS, mdns_read },
	{ 5355, TO_ALL, PROTOCOL_LLMNR, llmnr_read },
};

static bool
is_wanted(const struct packet *p, enum when when)
{
	if (p->is_file)
		return true;
	return when == TO_US_TOO || (when == TO_ALL && p->to_many);
}

/*
 * Whether the frame's sender is the packet's. What goes to all of a link, or
 * comes from a link's address, is not forwarded; of the rest, hop limits that
 * are as hosts set them first are taken for untouched.
 */
static bool
is_near(const struct packet *p)
{
	const uint8_t *d = p->dst;

	if (addr_is_link_local(p->src))
		return true;
	if (p->to_many && addr_is_v4(d) &&
	    (d[12] < 224 || d[12] > 239 || (d[12] == 224 && d[13] == 0 && d[14] == 0)))
		return true; /* broadcast, directed too (RFC 2644); 224.0.0.0/24 */
	if (p->to_many && d[0] == 0xff && (d[1] & 0xf) == 2)
		return true;
	return p->ttl == 255 || p->ttl == 128 || p->ttl == 64;
}

/* sport:u16 dport:u16 length:u16, header counted; checksum:u16 */
static int
read_udp(struct packet *p, struct rd r, const struct told *to)
{
	uint16_t len;

	p->protocol = PROTOCOL_UDP;
	p->sport = rd_u16(&r);
	p->dport = rd_u16(&r);
	len = rd_u16(&r);
	(void)rd_u16(&r);
	if (r.err != 0 || len < 8)
		return -EBADMSG;
	r = rd_sub(&r, len - 8U);
	if (r.left != len - 8U)
		return -EBADMSG;
	for (size_t i = 0; i < COUNT(services); i++)
		if (p->dport == services[i].port || p->sport == services[i].port) {
			p->protocol = services[i].protocol;
			return is_wanted(p, services[i].when)
			    ? services[i].read(p, r, to)
			    : 0;
		}
	return 0;
}

/* Whether others' hosts answer each other is not our matter. */
static int
read_echo(struct packet *p, struct rd r, const struct told *to)
{
	if (!p->to_us)
		return 0;
	p->protocol = PROTOCOL_ECHO;
	p->to_us = false; /* whether we asked the prober knows */
	return addr_is_v4(p->src) ? echo4_read(p, r, to) : echo6_read(p, r, to);
}

static int
read_icmp6(struct packet *p, struct rd r, const struct told *to)
{
	if (r.left == 0)
		return -EBADMSG;
	if (r.p[0] >= NDP_FIRST && r.p[0] <= NDP_LAST) {
		p->protocol = PROTOCOL_NDP;
		return ndp_read(p, r, to);
	}
	if (r.p[0] == MLD_REPORT1 || r.p[0] == MLD_REPORT2) {
		p->protocol = PROTOCOL_MLD;
		return mld_read(p, r, to);
	}
	return r.p[0] == ECHO6_REPLY ? read_echo(p, r, to) : 0;
}

/* version+ihl:u8 tos:u8 length:u16 id:u16 flags+offset:u16 ttl:u8 protocol:u8
 * checksum:u16 src[4] dst[4] options */
int
ip4_read(struct packet *p, struct rd r, const struct told *to)
{
	size_t	       have = r.left, len, ihl;
	uint8_t	       first = rd_u8(&r), proto;
	uint16_t       fragment;
	const uint8_t *src, *dst;

	p->protocol = PROTOCOL_IPV4;
	ihl = (first & 0xfU) * 4U;
	(void)rd_u8(&r);
	len = rd_u16(&r);
	(void)rd_u16(&r);
	fragment = rd_u16(&r);
	p->ttl = rd_u8(&r);
	proto = rd_u8(&r);
	(void)rd_u16(&r);
	src = rd_bytes(&r, 4);
	dst = rd_bytes(&r, 4);
	if (r.err != 0 || first >> 4 != 4 || ihl < 20 || len < ihl || len > have)
		return -EBADMSG;
	(void)rd_bytes(&r, ihl - 20);
	r = rd_sub(&r, len - ihl);
	if ((fragment & 0x3fff) != 0) /* more of them, or not the first */
		return 0;
	addr_from_v4(p->src, src);
	addr_from_v4(p->dst, dst);
	p->is_near = is_near(p);
	if (proto == PROTO_UDP)
		return read_udp(p, r, to);
	return proto == PROTO_ICMP ? read_echo(p, r, to) : 0;
}

/* version+class+label:u32 length:u16 next:u8 hop-limit:u8 src[16] dst[16] */
int
ip6_read(struct packet *p, struct rd r, const struct told *to)
{
	uint32_t       first = rd_u32(&r);
	uint16_t       len = rd_u16(&r);
	uint8_t	       next = rd_u8(&r), size;
	const uint8_t *src, *dst;

	p->protocol = PROTOCOL_IPV6;
	p->ttl = rd_u8(&r);
	src = rd_bytes(&r, 16);
	dst = rd_bytes(&r, 16);
	if (r.err != 0 || first >> 28 != 6 || len > r.left ||
	    addr_is_v4(src) || addr_is_v4(dst))
		return -EBADMSG; /* a mapped address is none on the wire */
	r = rd_sub(&r, len);
	for (int i = 0; i < HEADERS_MAX && (next == PROTO_HOPOPTS ||
	     next == PROTO_ROUTING || next == PROTO_DSTOPTS); i++) {
		next = rd_u8(&r);
		size = rd_u8(&r);
		(void)rd_bytes(&r, size * 8U + 6U);
	}
	if (r.err != 0)
		return -EBADMSG;
	memcpy(p->src, src, sizeof(p->src));
	memcpy(p->dst, dst, sizeof(p->dst));
	p->is_near = is_near(p);
	if (next == PROTO_UDP)
		return read_udp(p, r, to);
	return next == PROTO_ICMPV6 ? read_icmp6(p, r, to) : 0;
}
