/*
 * dp-listen/ring.c - see ring.h.
 *
 * Runs in dp-listen. Believes the kernel about its blocks, and nothing of what is
 * in them.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/ring.h"

#include "common/size.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define VLAN_ID 0x0fff /* of a tag's 16 bits (802.1Q) */

/* The socket outlives the processes that read it: a ring of the one before goes
 * first, which also drops frames that came before there was any. */
int
ring_open(struct ring *r, int fd)
{
	struct tpacket_req3 none = { 0 }, req = {
		.tp_block_size = RING_BLOCK,
		.tp_block_nr = RING_BLOCKS,
		.tp_frame_size = 2048,
		.tp_frame_nr = RING_BLOCK / 2048 * RING_BLOCKS,
		.tp_retire_blk_tov = RING_WAIT_MS,
	};
	int	 version = TPACKET_V3;
	uint64_t ignored = 0;

	*r = (struct ring){ .fd = fd };
	(void)setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof(none));
	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version,
		sizeof(version)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return -errno;
	r->map = mmap(NULL, (size_t)RING_BLOCK * RING_BLOCKS,
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r->map == MAP_FAILED) {
		r->map = NULL;
		return -errno;
	}
	return ring_count(r, &ignored, &ignored);
}

void
ring_close(struct ring *r)
{
	if (r->map != NULL)
		munmap(r->map, (size_t)RING_BLOCK * RING_BLOCKS);
	r->map = NULL;
}

int
ring_join(struct ring *r, uint32_t ifindex)
{
	static const uint8_t groups[][6] = {
		{ 0x01, 0x80, 0xc2, 0, 0, 0x0e }, /* LLDP: the next bridge, */
		{ 0x01, 0x80, 0xc2, 0, 0, 0x03 }, /* the next that is not a relay, */
		{ 0x01, 0x80, 0xc2, 0, 0, 0x00 }, /* the next customer's bridge */
		{ 0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc }, /* CDP */
		{ 0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb }, /* mDNS */
		{ 0x01, 0x00, 0x5e, 0x00, 0x00, 0xfc }, /* LLMNR */
		{ 0x01, 0x00, 0x5e, 0x7f, 0xff, 0xfa }, /* SSDP */
		{ 0x33, 0x33, 0, 0, 0, 0xfb },
		{ 0x33, 0x33, 0, 1, 0, 0x03 },
		{ 0x33, 0x33, 0, 0, 0, 0x0c },
		{ 0x33, 0x33, 0, 1, 0, 0x02 }, /* DHCPv6 servers */
		{ 0x33, 0x33, 0, 0, 0, 0x02 }, /* routers: solicitations */
		{ 0x33, 0x33, 0, 0, 0, 0x16 }, /* MLD reports */
	};
	struct packet_mreq m = { .mr_ifindex = (int)ifindex,
		.mr_type = PACKET_MR_MULTICAST, .mr_alen = 6 };

	for (size_t i = 0; i < COUNT(groups); i++) {
		memcpy(m.mr_address, groups[i], 6);
		if (setsockopt(r->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m,
			sizeof(m)) < 0)
			return -errno;
	}
	return 0;
}

/* Tagged for a VLAN: what has a link here comes once more on that one, without the
 * tag, and the rest is no network of ours. VLAN 0 is a priority and no VLAN. */
static bool
is_tagged(const struct tpacket3_hdr *h)
{
	return (h->tp_status & TP_STATUS_VLAN_VALID) != 0 &&
	    (h->hv1.tp_vlan_tci & VLAN_ID) != 0;
}

static void
read_block(struct tpacket_block_desc *b,
    void (*fn)(void *ctx, const struct ring_frame *f), void *ctx)
{
	uint8_t *p = (uint8_t *)b + b->hdr.bh1.offset_to_first_pkt;

	for (uint32_t n = b->hdr.bh1.num_pkts; n > 0; n--) {
		struct tpacket3_hdr	 *h = (struct tpacket3_hdr *)p;
		const struct sockaddr_ll *ll = (const struct sockaddr_ll *)(p +
		    TPACKET_ALIGN(sizeof(*h)));
		struct ring_frame	  f = { p + h->tp_mac, h->tp_snaplen,
			    (uint32_t)ll->sll_ifindex, ll->sll_hatype,
			    ll->sll_pkttype };

		if (!is_tagged(h))
			fn(ctx, &f);
		p += h->tp_next_offset;
	}
}

void
ring_read(struct ring *r, void (*fn)(void *ctx, const struct ring_frame *f),
    void *ctx)
{
	for (int i = 0; i < RING_TURN; i++) {
		struct tpacket_block_desc *b = (struct tpacket_block_desc *)(r->map +
		    (size_t)r->next * RING_BLOCK);
		uint32_t *status = &b->hdr.bh1.block_status;

		if ((__atomic_load_n(status, __ATOMIC_ACQUIRE) &
			TP_STATUS_USER) == 0)
			return;
		read_block(b, fn, ctx);
		__atomic_store_n(status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		r->next = (r->next + 1) % RING_BLOCKS;
	}
}

int
ring_count(struct ring *r, uint64_t *frames, uint64_t *lost)
{
	struct tpacket_stats_v3 s;
	socklen_t		len = sizeof(s);

	if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &s, &len) < 0)
		return -errno;
	*frames += s.tp_packets;
	*lost += s.tp_drops;
	return 0;
}
