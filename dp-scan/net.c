/*
 * dp-scan/net.c - see net.h.
 *
 * Runs in dp-scan. Believes the kernel. libnl reads the messages; it makes no
 * socket: it is given ours.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/net.h"

#include "common/log.h"
#include "common/scope.h"
#include "common/size.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/attr.h>
#include <linux/if_link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 200 /* from a question to its answer, at most */

static const int dumps[] = { RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE,
	RTM_GETNEIGH };

struct net {
	struct loop    *loop;
	struct loop_io *io;
	struct net_ops	ops;
	void	       *ctx;
	struct nl_sock *sk;
	struct nl_cb   *cb;
	size_t		dump; /* of dumps, the one under way; all: read */
	uint32_t	gen;  /* what is older than the dump is gone */
	bool		again, changed, full_told;
	struct net_link links[NET_LINKS];
	struct net_addr addrs[NET_ADDRS];
	struct net_seed seeds[NET_SEEDS];
	uint8_t		routers[NET_ROUTERS][16];
	size_t		nlinks, naddrs, nseeds, next_seed, nrouters;
	struct { /* the question to the kernel that waits for its answer */
		uint32_t seq; /* 0: none does */
		int	 r;
		uint8_t	 mac[6];
	} asked;
};

static bool
take_addr(struct nl_addr *a, uint8_t out[16])
{
	const uint8_t *p;

	if (a == NULL)
		return false;
	p = nl_addr_get_binary_addr(a);
	memset(out, 0, 16);
	if (nl_addr_get_family(a) == AF_INET && nl_addr_get_len(a) == 4) {
		out[10] = out[11] = 0xff;
		memcpy(out + 12, p, 4);
		return true;
	}
	if (nl_addr_get_family(a) == AF_INET6 && nl_addr_get_len(a) == 16) {
		memcpy(out, p, 16);
		return true;
	}
	return false;
}

static bool
take_mac(struct nl_addr *a, uint8_t out[6])
{
	if (a == NULL || nl_addr_get_len(a) != 6)
		return false;
	memcpy(out, nl_addr_get_binary_addr(a), 6);
	return true;
}

static void
say_full(struct net *n, const char *what)
{
	if (!n->full_told)
		log_warn("more %s than are looked at", what);
	n->full_told = true;
}

/* -- links -- */

/* Of a bridge or a bond: what it hears, its master hears, too. */
static bool
is_port(struct nlattr *const *tb)
{
	struct nlattr *of[IFLA_INFO_MAX + 1];

	return tb[IFLA_MASTER] != NULL && tb[IFLA_LINKINFO] != NULL &&
	    nla_parse_nested(of, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) >= 0 &&
	    of[IFLA_INFO_SLAVE_KIND] != NULL &&
	    nla_strcmp(of[IFLA_INFO_SLAVE_KIND], "vrf") != 0;
}

/* Read here and not by libnl, which refuses a link whose kind tells more than it
 * knows of that kind. */
static void
on_link(struct net *n, struct nlmsghdr *h)
{
	const struct ifinfomsg *info = nlmsg_data(h);
	struct nlattr	       *tb[IFLA_MAX + 1];
	struct net_link		next = { .gen = n->gen };
	bool			gone = h->nlmsg_type == RTM_DELLINK;
	size_t			i = 0;

	if (nlmsg_parse(h, sizeof(*info), tb, IFLA_MAX, NULL) < 0 ||
	    info->ifi_family != AF_UNSPEC || tb[IFLA_IFNAME] == NULL)
		return; /* of AF_BRIDGE: a bridge's view of its port */
	next.ifindex = (uint32_t)info->ifi_index;
	nla_strlcpy(next.name, tb[IFLA_IFNAME], sizeof(next.name));
	if (tb[IFLA_ADDRESS] != NULL && nla_len(tb[IFLA_ADDRESS]) == 6)
		memcpy(next.mac, nla_data(tb[IFLA_ADDRESS]), 6);
	next.ethernet = info->ifi_type == ARPHRD_ETHER &&
	    (info->ifi_flags & IFF_NOARP) == 0 && !is_port(tb);
	next.up = (info->ifi_flags & (IFF_UP | IFF_RUNNING)) ==
	    (IFF_UP | IFF_RUNNING);
	while (i < n->nlinks && n->links[i].ifindex != next.ifindex)
		i++;
	if (gone) {
		if (i < n->nlinks) {
			n->links[i] = n->links[--n->nlinks];
			n->changed = true;
		}
		return;
	}
	if (i == NET_LINKS) {
		say_full(n, "interfaces");
		return;
	}
	if (i == n->nlinks)
		n->nlinks++;
	else if (strcmp(n->links[i].name, next.name) == 0 &&
	    memcmp(n->links[i].mac, next.mac, 6) == 0 &&
	    n->links[i].up == next.up &&
	    n->links[i].ethernet == next.ethernet) {
		n->links[i].gen = n->gen;
		return;
	}
	n->links[i] = next;
	n->changed = true;
}

/* -- addresses -- */

static void
on_addr(struct net *n, struct rtnl_addr *a, bool gone)
{
	struct net_addr next = { .gen = n->gen };
	unsigned	flags = rtnl_addr_get_flags(a);
	size_t		i = 0;

	next.ifindex = (uint32_t)rtnl_addr_get_ifindex(a);
	if (!take_addr(rtnl_addr_get_local(a), next.addr))
		return;
	next.bits = (uint8_t)(rtnl_addr_get_prefixlen(a) +
	    (rtnl_addr_get_family(a) == AF_INET ? 96 : 0));
	next.tentative = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0;
	while (i < n->naddrs && (n->addrs[i].ifindex != next.ifindex ||
	    n->addrs[i].bits != next.bits ||
	    memcmp(n->addrs[i].addr, next.addr, 16) != 0))
		i++;
	if (gone) {
		if (i < n->naddrs) {
			n->addrs[i] = n->addrs[--n->naddrs];
			n->changed = true;
		}
		return;
	}
	if (i == NET_ADDRS) {
		say_full(n, "addresses");
		return;
	}
	if (i == n->naddrs)
		n->naddrs++;
	else if (n->addrs[i].tentative == next.tentative) {
		n->addrs[i].gen = n->gen;
		return;
	}
	n->addrs[i] = next;
	n->changed = true;
}

/* -- routes: only who the routers are -- */

static void
on_next_hop(struct rtnl_nexthop *nh, void *ctx)
{
	struct net *n = ctx;
	uint8_t	    addr[16];

	if (!take_addr(rtnl_route_nh_get_gateway(nh), addr) ||
	    net_is_router(n, addr))
		return;
	if (n->nrouters < NET_ROUTERS)
		memcpy(n->routers[n->nrouters++], addr, 16);
}

static void
on_route(struct net *n, struct rtnl_route *r, bool gone)
{
	struct nl_addr *dst = rtnl_route_get_dst(r);

	if (rtnl_route_get_table(r) != RT_TABLE_MAIN ||
	    (dst != NULL && nl_addr_get_prefixlen(dst) != 0))
		return;
	if (gone) { /* which hops others still have is not worth counting */
		n->again = true;
		return;
	}
	rtnl_route_foreach_nexthop(r, on_next_hop, n);
}

/* -- neighbours -- */

static void
seed(struct net *n, uint32_t ifindex, const uint8_t addr[16])
{
	for (size_t i = 0; i < n->nseeds; i++)
		if (n->seeds[i].ifindex == ifindex &&
		    memcmp(n->seeds[i].addr, addr, 16) == 0)
			return;
	n->seeds[n->next_seed].ifindex = ifindex;
	memcpy(n->seeds[n->next_seed].addr, addr, 16);
	n->next_seed = (n->next_seed + 1) % NET_SEEDS; /* the oldest goes */
	if (n->nseeds < NET_SEEDS)
		n->nseeds++;
}

static void
on_neighbour(struct net *n, struct rtnl_neigh *nb, bool gone)
{
	uint8_t	 addr[16], mac[6];
	uint32_t ifindex = (uint32_t)rtnl_neigh_get_ifindex(nb);
	int	 state = rtnl_neigh_get_state(nb);

	if (gone || !take_addr(rtnl_neigh_get_dst(nb), addr) ||
	    !take_mac(rtnl_neigh_get_lladdr(nb), mac) || (mac[0] & 1) != 0)
		return;
	if (state == NUD_REACHABLE)
		n->ops.neighbour(n->ctx, ifindex, mac, addr);
	else if (rtnl_neigh_get_family(nb) == AF_INET6 &&
	    (state & (NUD_STALE | NUD_DELAY | NUD_PROBE)) != 0)
		seed(n, ifindex, addr);
}

/* A connection that stands proves the entry by which its frames go, so that one
 * the kernel has not confirmed lately is as good. */
static void
on_answer(struct net *n, struct rtnl_neigh *nb)
{
	int state = rtnl_neigh_get_state(nb);

	n->asked.seq = 0;
	n->asked.r = (state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE |
			       NUD_PERMANENT)) != 0 &&
		take_mac(rtnl_neigh_get_lladdr(nb), n->asked.mac) &&
		(n->asked.mac[0] & 1) == 0 ? 0 : -ENOENT;
}

/* -- messages -- */

static void
on_object(struct nl_object *o, void *ctx)
{
	struct net *n = ctx;

	switch (nl_object_get_msgtype(o)) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		on_addr(n, (struct rtnl_addr *)o,
		    nl_object_get_msgtype(o) == RTM_DELADDR);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		on_route(n, (struct rtnl_route *)o,
		    nl_object_get_msgtype(o) == RTM_DELROUTE);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		on_neighbour(n, (struct rtnl_neigh *)o,
		    nl_object_get_msgtype(o) == RTM_DELNEIGH);
		break;
	}
}

static bool
is_answer(const struct net *n, const struct nlmsghdr *h)
{
	return n->asked.seq != 0 && h->nlmsg_seq == n->asked.seq;
}

static void
on_answer_object(struct nl_object *o, void *ctx)
{
	on_answer(ctx, (struct rtnl_neigh *)o);
}

static int
on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *ctx)
{
	struct net *n = ctx;

	(void)from;
	if (!is_answer(n, &e->msg))
		return -nl_syserr2nlerr(e->error);
	n->asked.seq = 0;
	n->asked.r = e->error < 0 ? e->error : -ENOENT;
	return NL_SKIP;
}

static int
on_valid(struct nl_msg *msg, void *ctx)
{
	struct nlmsghdr *h = nlmsg_hdr(msg);

	if (h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK)
		on_link(ctx, h);
	else if (is_answer(ctx, h) && h->nlmsg_type == RTM_NEWNEIGH)
		(void)nl_msg_parse(msg, on_answer_object, ctx);
	else if (nl_msg_parse(msg, on_object, ctx) < 0)
		log_debug("netlink: a message of type %u is not understood",
		    h->nlmsg_type);
	return NL_OK;
}

static int
on_any_sequence(struct nl_msg *msg, void *ctx)
{
	(void)msg; /* changes have none */
	(void)ctx;
	return NL_OK;
}

static int
ask(struct net *n)
{
	struct rtgenmsg g = { .rtgen_family = AF_UNSPEC };
	int		r;

	if (n->dump == COUNT(dumps))
		return 0;
	r = nl_send_simple(n->sk, dumps[n->dump], NLM_F_DUMP, &g, sizeof(g));
	return r < 0 ? -EIO : 0;
}

static void
sweep(struct net *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->nlinks; i++)
		if (n->links[i].gen == n->gen)
			n->links[kept++] = n->links[i];
	n->changed |= kept != n->nlinks;
	n->nlinks = kept;
	kept = 0;
	for (size_t i = 0; i < n->naddrs; i++)
		if (n->addrs[i].gen == n->gen)
			n->addrs[kept++] = n->addrs[i];
	n->changed |= kept != n->naddrs;
	n->naddrs = kept;
}

static int
on_finish(struct nl_msg *msg, void *ctx)
{
	struct net *n = ctx;

	(void)msg;
	if (n->dump < COUNT(dumps) && ++n->dump == COUNT(dumps)) {
		sweep(n);
		n->changed = true;
	}
	if (ask(n) < 0)
		log_warn("netlink: a table cannot be asked for");
	return NL_OK;
}

int
net_begin(struct net *n)
{
	n->dump = 0;
	n->gen++;
	n->nrouters = 0;
	n->again = false;
	return ask(n);
}

/* 0: there may be more. */
static int
receive(struct net *n)
{
	int r = nl_recvmsgs(n->sk, n->cb);

	if (r < 0 && r != -NLE_AGAIN && r != -NLE_INTR)
		n->again = true; /* changes were lost: the buffer was too small */
	return r < 0 ? r : 0;
}

static void
settle(struct net *n)
{
	if (n->again && n->dump == COUNT(dumps))
		(void)net_begin(n);
	if (n->changed && n->dump == COUNT(dumps)) {
		n->changed = false;
		n->ops.changed(n->ctx);
	}
}

static void
on_readable(void *ctx, int events)
{
	struct net *n = ctx;
	int	    turns = 0;

	(void)events;
	/* the loop calls again while there is more */
	while (turns++ < 64 && receive(n) == 0)
		if (n->dump == COUNT(dumps) && turns >= 16)
			break;
	settle(n);
}

/* -- who has an address -- */

static int
ask_neighbour(struct net *n, uint32_t ifindex, const uint8_t addr[16])
{
	bool	       v4 = memcmp(addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;
	struct ndmsg   nd = { .ndm_family = v4 ? AF_INET : AF_INET6,
		.ndm_ifindex = (int)ifindex };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETNEIGH, 0);
	int	       r = -ENOMEM;

	memset(&n->asked, 0, sizeof(n->asked));
	if (m != NULL && nlmsg_append(m, &nd, sizeof(nd), NLMSG_ALIGNTO) == 0 &&
	    nla_put(m, NDA_DST, v4 ? 4 : 16, v4 ? addr + 12 : addr) == 0) {
		r = nl_send_auto(n->sk, m) < 0 ? -EIO : 0;
		n->asked.seq = nlmsg_hdr(m)->nlmsg_seq;
	}
	nlmsg_free(m);
	return r;
}

/* The kernel answers before it takes the next question: what stands in the socket
 * before the answer is read on the way, as ever. If that is all, there was no room
 * for the answer: another try. Others may change the tables faster than we read. */
static int
neighbour_on(struct net *n, uint32_t ifindex, const uint8_t addr[16])
{
	uint64_t until = loop_now_ms(n->loop) + ANSWER_MS;
	int	 r;

	do {
		if ((r = ask_neighbour(n, ifindex, addr)) < 0)
			return r;
		while (n->asked.seq != 0 && receive(n) != -NLE_AGAIN &&
		    loop_now_ms(n->loop) < until)
			;
	} while (n->asked.seq != 0 && loop_now_ms(n->loop) < until);
	return n->asked.seq == 0 ? n->asked.r : -ETIMEDOUT;
}

int
net_neighbour(struct net *n, const uint8_t addr[16], uint32_t *ifindex,
    uint8_t mac[6])
{
	int r = -ENOENT;

	for (size_t i = 0; r < 0 && i < n->naddrs; i++) {
		uint32_t	       on = n->addrs[i].ifindex;
		const struct net_link *l = net_link_by(n, on);

		if (l == NULL || !l->ethernet ||
		    !scope_same_network(addr, n->addrs[i].addr,
			n->addrs[i].bits) ||
		    (r = neighbour_on(n, on, addr)) < 0)
			continue;
		*ifindex = on;
		memcpy(mac, n->asked.mac, 6);
	}
	n->asked.seq = 0; /* an answer that comes late is nobody's */
	settle(n);
	return r < 0 ? -ENOENT : 0;
}

/* -- what is asked -- */

bool
net_is_read(const struct net *n)
{
	return n->dump == COUNT(dumps);
}

size_t
net_nlinks(const struct net *n)
{
	return n->nlinks;
}

const struct net_link *
net_link_at(const struct net *n, size_t i)
{
	return &n->links[i];
}

const struct net_link *
net_link_by(const struct net *n, uint32_t ifindex)
{
	for (size_t i = 0; i < n->nlinks; i++)
		if (n->links[i].ifindex == ifindex)
			return &n->links[i];
	return NULL;
}

size_t
net_naddrs(const struct net *n)
{
	return n->naddrs;
}

const struct net_addr *
net_addr_at(const struct net *n, size_t i)
{
	return &n->addrs[i];
}

size_t
net_nseeds(const struct net *n)
{
	return n->nseeds;
}

const struct net_seed *
net_seed_at(const struct net *n, size_t i)
{
	return &n->seeds[i];
}

bool
net_is_on_link(const struct net *n, uint32_t ifindex, const uint8_t addr[16])
{
	if (addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80)
		return true;
	for (size_t i = 0; i < n->naddrs; i++)
		if ((ifindex == 0 || n->addrs[i].ifindex == ifindex) &&
		    scope_same_network(addr, n->addrs[i].addr, n->addrs[i].bits))
			return true;
	return false;
}

bool
net_is_router(const struct net *n, const uint8_t addr[16])
{
	for (size_t i = 0; i < n->nrouters; i++)
		if (memcmp(n->routers[i], addr, 16) == 0)
			return true;
	return false;
}

/* -- life -- */

static int
set_up(struct net *n, int fd)
{
	if ((n->cb = nl_cb_alloc(NL_CB_DEFAULT)) == NULL ||
	    (n->sk = nl_socket_alloc_cb(n->cb)) == NULL)
		return -ENOMEM;
	if (nl_socket_set_fd(n->sk, NETLINK_ROUTE, fd) < 0)
		return -EINVAL;
	nl_socket_disable_auto_ack(n->sk);
	nl_socket_enable_msg_peek(n->sk);
	nl_cb_set(n->cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, n);
	nl_cb_set(n->cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, n);
	nl_cb_set(n->cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_any_sequence, n);
	nl_cb_err(n->cb, NL_CB_CUSTOM, on_error, n);
	return loop_io_new(n->loop, fd, LOOP_READ, on_readable, n, &n->io);
}

int
net_new(struct loop *l, int take_fd, const struct net_ops *ops, void *ctx,
    struct net **out)
{
	struct net *n = calloc(1, sizeof(*n));
	int	    r;

	*out = NULL;
	if (n == NULL) {
		close(take_fd);
		return -ENOMEM;
	}
	n->loop = l;
	n->ops = *ops;
	n->ctx = ctx;
	if ((r = set_up(n, take_fd)) < 0) {
		if (n->sk == NULL || r == -EINVAL)
			close(take_fd); /* libnl has it otherwise */
		net_free(&n);
		return r;
	}
	*out = n;
	return 0;
}

void
net_free(struct net **np)
{
	struct net *n = *np;

	if (n == NULL)
		return;
	loop_io_free(&n->io);
	if (n->sk != NULL)
		nl_socket_free(n->sk); /* closes the descriptor */
	if (n->cb != NULL)
		nl_cb_put(n->cb);
	free(n);
	*np = NULL;
}
