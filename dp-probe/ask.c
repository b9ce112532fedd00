/*
 * dp-probe/ask.c - from an order to packets; see ask.h.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/ask.h"

#include "common/size.h"
#include "dp-probe/echo.h"
#include "dp-probe/pace.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>

#define PORT_DNS    53
#define PORT_NBNS   137
#define PORT_SNMP   161
#define PORT_SSDP   1900
#define PORT_MDNS   5353
#define PORT_LLMNR  5355

const char *const ask_socket_names[ASK_SOCKETS] = {
	"frames", "echo4", "echo6", "dns4", "dns6", "nbstat4", "llmnr4",
	"llmnr6", "mdns4", "mdns6", "snmp4", "snmp6", "ssdp4", "ssdp6",
};

static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
static const uint8_t anybody[16];
static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };
static const uint8_t mdns4[16] = { [10] = 0xff, 0xff, 224, 0, 0, 251 };
static const uint8_t mdns6[16] = { 0xff, 2, [15] = 0xfb };
static const uint8_t ssdp4[16] = { [10] = 0xff, 0xff, 239, 255, 255, 250 };
static const uint8_t ssdp6[16] = { 0xff, 2, [15] = 0x0c };
static const uint8_t llmnr4[16] = { [10] = 0xff, 0xff, 224, 0, 0, 252 };
static const uint8_t llmnr6[16] = { 0xff, 2, [13] = 1, 0, 3 };

static bool
is_v4(const uint8_t a[16])
{
	return memcmp(a, mapped, sizeof(mapped)) == 0;
}

/* One host's address, and not one of this machine's own (127.0.0.0/8, ::1). */
static bool
is_unicast(const uint8_t a[16])
{
	static const uint8_t low[12];

	if (is_v4(a))
		return a[12] != 0 && a[12] != 127 && a[12] < 224;
	return a[0] != 0xff && memcmp(a, low, sizeof(low)) != 0;
}

/* -- where to -- */

/* Whether the interface must be named: such addresses mean nothing without. */
static bool
needs_interface(const uint8_t to[16])
{
	if (is_v4(to))
		return to[12] >> 4 == 0xe;
	return to[0] == 0xff || (to[0] == 0xfe && (to[1] & 0xc0) == 0x80);
}

static void
add_control(struct ask *a, int level, int type, const void *data, size_t len)
{
	struct cmsghdr h = { .cmsg_level = level, .cmsg_type = type,
		.cmsg_len = CMSG_LEN(len) };

	memcpy(a->control, &h, sizeof(h));
	memcpy(CMSG_DATA((struct cmsghdr *)(void *)a->control), data, len);
	a->control_len = CMSG_SPACE(len);
}

/* By a datagram socket, the one for IPv4 or the one for IPv6. */
static int
address(struct ask *a, uint32_t ifindex, const uint8_t from[16],
    enum ask_socket v4_socket, enum ask_socket v6_socket, const uint8_t to[16],
    uint16_t port)
{
	bool v4 = is_v4(to), has_from = memcmp(from, anybody, 16) != 0 &&
	    is_v4(from) == v4;

	if (ifindex == 0 && needs_interface(to))
		return -EINVAL;
	a->socket = v4 ? v4_socket : v6_socket;
	if (v4) {
		struct sockaddr_in sin = { .sin_family = AF_INET,
			.sin_port = htons(port) };
		struct in_pktinfo  info = { .ipi_ifindex = (int)ifindex };

		memcpy(&sin.sin_addr, to + 12, 4);
		memcpy(&a->to, &sin, a->to_len = sizeof(sin));
		if (has_from)
			memcpy(&info.ipi_spec_dst, from + 12, 4);
		if (has_from || ifindex != 0)
			add_control(a, IPPROTO_IP, IP_PKTINFO, &info,
			    sizeof(info));
	} else {
		struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
			.sin6_port = htons(port) };
		struct in6_pktinfo  info = { .ipi6_ifindex = ifindex };

		memcpy(&sin6.sin6_addr, to, 16);
		if (needs_interface(to))
			sin6.sin6_scope_id = ifindex;
		memcpy(&a->to, &sin6, a->to_len = sizeof(sin6));
		if (has_from)
			memcpy(&info.ipi6_addr, from, 16);
		if (has_from || ifindex != 0)
			add_control(a, IPPROTO_IPV6, IPV6_PKTINFO, &info,
			    sizeof(info));
	}
	return 0;
}

static int
address_frame(struct ask *a, const struct order *o)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
		.sll_ifindex = (int)o->ifindex };

	if (o->ifindex == 0)
		return -EINVAL;
	a->socket = ASK_FRAMES;
	memcpy(&a->to, &ll, a->to_len = sizeof(ll));
	return 0;
}

/* -- each kind of question -- */

struct making {
	const struct ask_conf	*conf;
	const struct token_keys *tokens;
	const struct order	*order;
	const uint8_t		*target;
	uint32_t		 i, variant;
	struct ask		*ask;
	struct wr		 w;
	bool			 more;
};

static uint32_t
token(const struct making *m, const uint8_t peer[16])
{
	return token_of(m->tokens, m->order->kind, peer);
}

static int
by_datagram(struct making *m, enum ask_socket v4_socket,
    enum ask_socket v6_socket, const uint8_t to[16], uint16_t port)
{
	return address(m->ask, m->order->ifindex, m->order->from, v4_socket,
	    v6_socket, to, port);
}

static int
make_arp(struct making *m)
{
	if (!is_v4(m->target))
		return -EINVAL;
	frame_arp(&m->w, m->order->mac,
	    is_v4(m->order->from) ? m->order->from : anybody, m->target);
	return address_frame(m->ask, m->order);
}

static int
make_ns(struct making *m)
{
	if (is_v4(m->target) || is_v4(m->order->from) ||
	    !is_unicast(m->order->from))
		return -EINVAL;
	frame_ns(&m->w, m->order->mac, m->order->from, m->target);
	return address_frame(m->ask, m->order);
}

/* From an address of the link: hosts take queries from no other. */
static int
make_mld(struct making *m)
{
	const uint8_t *from = m->order->from;

	if (from[0] != 0xfe || (from[1] & 0xc0) != 0x80)
		return -EINVAL;
	frame_mld(&m->w, m->order->mac, from);
	return address_frame(m->ask, m->order);
}

static int
make_echo(struct making *m)
{
	if (is_v4(m->target) != (m->order->kind == PROBE_ECHO4))
		return -EINVAL;
	if (m->order->kind == PROBE_ECHO4)
		echo4(&m->w, token(m, m->target));
	else
		echo6(&m->w, token(m, m->target));
	return by_datagram(m, ASK_ECHO4, ASK_ECHO6, m->target, 0);
}

static int
make_allnodes(struct making *m)
{
	echo6(&m->w, token(m, anybody));
	return by_datagram(m, ASK_ECHO4, ASK_ECHO6, all_nodes, 0);
}

/* Servers take turns, and not the same one when a target's turn comes again. */
static int
make_dns(struct making *m)
{
	const uint8_t *server;

	if (m->conf->nservers == 0)
		return -ENOENT;
	server = m->conf->server[(m->order->id + m->i) %
	    m->conf->nservers];
	query_ptr(&m->w, QUERY_DNS, (uint16_t)token(m, server), m->target);
	return address(m->ask, 0, anybody, ASK_DNS4, ASK_DNS6, server,
	    PORT_DNS);
}

static int
make_nbstat(struct making *m)
{
	if (!is_v4(m->target))
		return -EINVAL;
	query_nbstat(&m->w, (uint16_t)token(m, m->target));
	return by_datagram(m, ASK_NBSTAT4, ASK_NBSTAT4, m->target,
	    PORT_NBNS);
}

/* To the group: RFC 4795 lets nobody answer what comes to one host by UDP. */
static int
make_llmnr(struct making *m)
{
	query_ptr(&m->w, QUERY_LLMNR, (uint16_t)token(m, anybody), m->target);
	return by_datagram(m, ASK_LLMNR4, ASK_LLMNR6,
	    is_v4(m->target) ? llmnr4 : llmnr6, PORT_LLMNR);
}

static int
make_mdns_ptr(struct making *m)
{
	query_ptr(&m->w, QUERY_MDNS, (uint16_t)token(m, anybody), m->target);
	return by_datagram(m, ASK_MDNS4, ASK_MDNS6,
	    is_v4(m->target) ? mdns4 : mdns6, PORT_MDNS);
}

/* The target is the group itself, or what is asked of the group. */
static int
make_mdns_browse(struct making *m)
{
	const uint8_t *group = !is_v4(m->order->from) &&
	    is_unicast(m->order->from) ? mdns6 : mdns4, *type = m->target;

	if (memcmp(type, mdns4, 16) == 0 || memcmp(type, mdns6, 16) == 0) {
		group = type;
		type = anybody;
	} else if (!query_is_service(type)) {
		return -EINVAL;
	}
	query_services(&m->w, (uint16_t)token(m, anybody), type);
	return by_datagram(m, ASK_MDNS4, ASK_MDNS6, group, PORT_MDNS);
}

static int
make_ssdp(struct making *m)
{
	bool v6 = !is_v4(m->order->from) && is_unicast(m->order->from);

	query_ssdp(&m->w, v6);
	return by_datagram(m, ASK_SSDP4, ASK_SSDP6, v6 ? ssdp6 : ssdp4,
	    PORT_SSDP);
}

static int
make_snmp(struct making *m)
{
	uint32_t i = m->variant;

	if (i >= m->conf->ncommunities)
		return -ENOENT;
	m->more = i + 1 < m->conf->ncommunities;
	query_snmp(&m->w, m->conf->community[i].version,
	    m->conf->community[i].name, token(m, m->target));
	return by_datagram(m, ASK_SNMP4, ASK_SNMP6, m->target,
	    PORT_SNMP);
}

static const struct {
	int	(*make)(struct making *m);
	uint32_t rate_max;
	bool	 to_one;  /* the target is one host's address */
	bool	 to_itself; /* who is asked is the target */
} kinds[PROBE_MAX] = {
	[PROBE_ARP] = { make_arp, PACE_RATE_MAX, true, true },
	[PROBE_NS] = { make_ns, PACE_RATE_MAX, true, true },
	[PROBE_ECHO4] = { make_echo, PACE_RATE_MAX, true, true },
	[PROBE_ECHO6] = { make_echo, PACE_RATE_MAX, true, true },
	/* all that are there answer */
	[PROBE_ALLNODES] = { make_allnodes, 4, false, false },
	[PROBE_MLD] = { make_mld, 1, false, false },
	[PROBE_MDNS_BROWSE] = { make_mdns_browse, 10, false, false },
	[PROBE_SSDP] = { make_ssdp, 4, false, false },
	/* all that are there look at it, one answers */
	[PROBE_LLMNR_PTR] = { make_llmnr, 100, true, true },
	[PROBE_MDNS_PTR] = { make_mdns_ptr, 100, true, true },
	[PROBE_DNS_PTR] = { make_dns, PACE_RATE_MAX, true, false },
	[PROBE_NBSTAT] = { make_nbstat, PACE_RATE_MAX, true, true },
	[PROBE_SNMP] = { make_snmp, PACE_RATE_MAX, true, true },
};

uint32_t
ask_rate_max(enum probe_kind kind)
{
	return kinds[kind].rate_max;
}

int
ask_make(const struct ask_conf *c, const struct token_keys *t,
    const struct order *o, uint32_t i, uint32_t variant, struct ask *out,
    bool *more)
{
	struct making m = { c, t, o, o->target[i], i, variant, out,
		wr_to(out->bytes, sizeof(out->bytes)), false };
	int	      r;

	*more = false;
	out->control_len = 0;
	if (kinds[o->kind].to_one && !is_unicast(m.target))
		return -EINVAL;
	if (kinds[o->kind].to_itself && c->exclude.n > 0 &&
	    scope_has(&c->exclude, m.target))
		return -EPERM;
	if ((r = kinds[o->kind].make(&m)) < 0)
		return r;
	out->len = m.w.len;
	*more = m.more;
	return m.w.err;
}

/* -- communities -- */

static int
community(struct ask_conf *c, const char *line, size_t n)
{
	uint8_t version = 1;

	if (n > 3 && memcmp(line, "v1 ", 3) == 0)
		version = 0, line += 3, n -= 3;
	else if (n > 4 && memcmp(line, "v2c ", 4) == 0)
		line += 4, n -= 4;
	if (n > COMMUNITY_MAX || c->ncommunities == COMMUNITIES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (line[i] < '!' || line[i] > '~')
			return -EINVAL;
	c->community[c->ncommunities].version = version;
	memcpy(c->community[c->ncommunities].name, line, n);
	c->community[c->ncommunities++].name[n] = '\0';
	return 0;
}

int
ask_communities(struct ask_conf *c, const char *text, unsigned *line)
{
	size_t n;
	int    r = 0;

	c->ncommunities = 0;
	*line = 0;
	while (r == 0 && *text != '\0') {
		n = strcspn(text, "\n");
		++*line;
		if (n > 0 && *text != '#')
			r = community(c, text, n);
		text += n + (text[n] != '\0');
	}
	return r;
}
