/*
 * dp-probe/hear.c - takes answers from the sockets; see hear.h.
 *
 * Runs in dp-probe behind its sandbox. Believes the kernel about where a
 * datagram came from.
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/hear.h"

#include "common/size.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define BATCH	8
#define BATCHES 8 /* a turn; then others have theirs */

static const uint8_t anybody[16];

/* -- whether it was asked for -- */

static uint32_t
be(const uint8_t *p, size_t n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* Identifier and sequence number stand behind type, code and checksum. */
static bool
accept_echo(const struct token_keys *t, const struct ask_conf *c,
    struct answer *a)
{
	(void)c;
	return a->len >= 8 &&
	    token_is(t, a->kind, a->addr, be(a->bytes + 4, 4), UINT32_MAX);
}

static bool
accept_echo4(const struct token_keys *t, const struct ask_conf *c,
    struct answer *a)
{
	size_t head = a->len > 0 ? (a->bytes[0] & 15u) * 4 : 0;

	if (head < 20 || head > a->len)
		return false;
	a->bytes += head;
	a->len -= head;
	return accept_echo(t, c, a);
}

static bool
accept_echo6(const struct token_keys *t, const struct ask_conf *c,
    struct answer *a)
{
	if (accept_echo(t, c, a))
		return true;
	a->kind = PROBE_ALLNODES;
	return a->len >= 8 &&
	    token_is(t, a->kind, anybody, be(a->bytes + 4, 4), UINT32_MAX);
}

/* The first two bytes of DNS and of NetBIOS are the identifier. */
static bool
is_id(const struct token_keys *t, uint8_t kind, const uint8_t peer[16],
    const struct answer *a)
{
	return a->len >= 12 &&
	    token_is(t, kind, peer, be(a->bytes, 2), UINT16_MAX);
}

static bool
accept_dns(const struct token_keys *t, const struct ask_conf *c,
    struct answer *a)
{
	for (unsigned i = 0; i < c->nservers; i++)
		if (memcmp(c->server[i], a->addr, 16) == 0)
			return is_id(t, a->kind, a->addr, a);
	return false;
}

static bool
accept_from_target(const struct token_keys *t, const struct ask_conf *c,
    struct answer *a)
{
	(void)c;
	return is_id(t, a->kind, a->addr, a);
}

static bool
accept_from_group(const struct token_keys *t, const struct ask_conf *c,
    struct answer *a)
{
	(void)c;
	return is_id(t, a->kind, anybody, a);
}

/* One socket for two kinds of question. */
static bool
accept_mdns(const struct token_keys *t, const struct ask_conf *c,
    struct answer *a)
{
	if (accept_from_group(t, c, a))
		return true;
	a->kind = PROBE_MDNS_PTR;
	return accept_from_group(t, c, a);
}

/* The identifier is an INTEGER of four bytes, behind the community: that it
 * stands near the beginning is enough, nothing here reads BER. */
static bool
accept_snmp(const struct token_keys *t, const struct ask_conf *c,
    struct answer *a)
{
	size_t last = a->len < 6 ? 0 : a->len - 6;

	(void)c;
	for (size_t i = 0; i < COMMUNITY_MAX + 24 && i < last; i++)
		if (a->bytes[i] == 2 && a->bytes[i + 1] == 4 &&
		    token_is(t, a->kind, a->addr, be(a->bytes + i + 2, 4),
			0x3fffffff))
			return true;
	return false;
}

/* From any port, and without an identifier: the first words are all there is. */
static bool
accept_ssdp(const struct token_keys *t, const struct ask_conf *c,
    struct answer *a)
{
	static const char ok[] = "HTTP/1.1 200";

	(void)c;
	return a->len >= sizeof(ok) && memcmp(a->bytes, ok, sizeof(ok) - 1) == 0 &&
	    token_searched(t);
}

static const struct {
	uint8_t	 kind;
	uint16_t port; /* that answers come from; 0: any, and that of echoes */
	bool (*accepts)(const struct token_keys *t, const struct ask_conf *c,
	    struct answer *a);
} sources[ASK_SOCKETS] = {
	[ASK_ECHO4] = { PROBE_ECHO4, 0, accept_echo4 },
	[ASK_ECHO6] = { PROBE_ECHO6, 0, accept_echo6 },
	[ASK_DNS4] = { PROBE_DNS_PTR, 53, accept_dns },
	[ASK_DNS6] = { PROBE_DNS_PTR, 53, accept_dns },
	[ASK_NBSTAT4] = { PROBE_NBSTAT, 137, accept_from_target },
	[ASK_LLMNR4] = { PROBE_LLMNR_PTR, 5355, accept_from_group },
	[ASK_LLMNR6] = { PROBE_LLMNR_PTR, 5355, accept_from_group },
	[ASK_MDNS4] = { PROBE_MDNS_BROWSE, 5353, accept_mdns },
	[ASK_MDNS6] = { PROBE_MDNS_BROWSE, 5353, accept_mdns },
	[ASK_SNMP4] = { PROBE_SNMP, 161, accept_snmp },
	[ASK_SNMP6] = { PROBE_SNMP, 161, accept_snmp },
	[ASK_SSDP4] = { PROBE_SSDP, 0, accept_ssdp },
	[ASK_SSDP6] = { PROBE_SSDP, 0, accept_ssdp },
};

bool
hear_accepts(const struct token_keys *t, const struct ask_conf *c,
    enum ask_socket from, struct answer *a)
{
	a->kind = sources[from].kind;
	return (sources[from].port == 0 || a->port == sources[from].port) &&
	    sources[from].accepts(t, c, a);
}

/* -- the sockets -- */

struct ear {
	struct hear    *hear;
	struct loop_io *io;
	enum ask_socket socket;
	int		fd;
};

struct hear {
	struct loop	  *loop;
	struct token_keys     *tokens;
	const struct ask_conf *conf;
	void (*fn)(void *ctx, const struct answer *a);
	void		  *ctx;
	struct ear	   ears[ASK_SOCKETS];
	struct hear_counts counts;
	uint8_t		   bytes[BATCH][HEAR_MAX];
};

static void
source_of(struct msghdr *m, struct answer *a)
{
	const struct sockaddr_storage *ss = m->msg_name;
	struct in_pktinfo	       v4;
	struct in6_pktinfo	       v6;

	scope_addr(ss, a->addr);
	/* both families have it there, raw sockets a zero */
	a->port = ntohs(((const struct sockaddr_in *)ss)->sin_port);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	     c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&v4, CMSG_DATA(c), sizeof(v4));
			a->ifindex = (uint32_t)v4.ipi_ifindex;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&v6, CMSG_DATA(c), sizeof(v6));
			a->ifindex = v6.ipi6_ifindex;
		}
}

static void
heard(struct ear *e, struct msghdr *m, const uint8_t *bytes, size_t len)
{
	struct hear  *h = e->hear;
	struct answer a = { .bytes = bytes, .len = len };

	source_of(m, &a);
	if (m->msg_flags & MSG_TRUNC || !hear_accepts(h->tokens, h->conf,
					   e->socket, &a)) {
		h->counts.refused++;
		return;
	}
	h->counts.heard++;
	h->fn(h->ctx, &a);
}

static void
on_readable(void *ctx, int events)
{
	struct ear		*e = ctx;
	struct sockaddr_storage from[BATCH];
	_Alignas(8) uint8_t	control[BATCH][128];
	struct mmsghdr		m[BATCH];
	struct iovec		iov[BATCH];
	int			n = BATCH;

	(void)events;
	token_turn(e->hear->tokens, loop_now_ms(e->hear->loop));
	for (int turns = 0; n == BATCH && turns < BATCHES; turns++) {
		memset(m, 0, sizeof(m));
		for (unsigned i = 0; i < BATCH; i++) {
			iov[i].iov_base = e->hear->bytes[i];
			iov[i].iov_len = HEAR_MAX;
			m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i],
				.msg_iovlen = 1, .msg_name = &from[i],
				.msg_namelen = sizeof(from[i]),
				.msg_control = control[i],
				.msg_controllen = sizeof(control[i]) };
		}
		n = recvmmsg(e->fd, m, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			heard(e, &m[i].msg_hdr, e->hear->bytes[i],
			    m[i].msg_len);
	}
}

static void
deafen(struct hear *h)
{
	for (size_t i = 0; i < ASK_SOCKETS; i++)
		loop_io_free(&h->ears[i].io);
}

int
hear_sockets(struct hear *h, const int fds[ASK_SOCKETS])
{
	int r = 0;

	deafen(h);
	for (size_t i = 0; r == 0 && i < ASK_SOCKETS; i++) {
		struct ear *e = &h->ears[i];

		*e = (struct ear){ h, NULL, (enum ask_socket)i, fds[i] };
		if (fds[i] >= 0 && sources[i].accepts != NULL)
			r = loop_io_new(h->loop, fds[i], LOOP_READ, on_readable,
			    e, &e->io);
	}
	return r;
}

const struct hear_counts *
hear_counts(const struct hear *h)
{
	return &h->counts;
}

int
hear_new(struct loop *l, struct token_keys *t,
    const struct ask_conf *conf, void (*fn)(void *ctx, const struct answer *a),
    void *ctx, struct hear **out)
{
	struct hear *h = calloc(1, sizeof(*h));

	*out = h;
	if (h == NULL)
		return -ENOMEM;
	h->loop = l;
	h->tokens = t;
	h->conf = conf;
	h->fn = fn;
	h->ctx = ctx;
	return 0;
}

void
hear_free(struct hear **hp)
{
	if (*hp == NULL)
		return;
	deafen(*hp);
	free(*hp);
	*hp = NULL;
}
