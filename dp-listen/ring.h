/*
 * dp-listen/ring.h - frames out of the capture socket's ring (TPACKET_V3, Linux
 * Documentation/networking/packet_mmap.rst).
 *
 * The kernel fills blocks of RING_BLOCK bytes and hands each over when it is full,
 * or RING_WAIT_MS after its first frame. A full ring loses what comes: counted.
 *
 * Shape:   one struct ring a socket; ring_open before the walls go up. A frame is
 *	    the ring's until fn returns.
 * Errors:  negative errno.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_RING_H
#define DP_LISTEN_RING_H

#include <stddef.h>
#include <stdint.h>

#define RING_BLOCK   (256 * 1024)
#define RING_BLOCKS  32 /* 8 MiB; less is used where RING_WAIT_MS ends blocks early */
#define RING_WAIT_MS 10
#define RING_TURN    4 /* blocks that one ring_read takes at most */

struct ring {
	int	 fd; /* the caller's */
	uint8_t *map;
	unsigned next; /* block */
};

struct ring_frame {
	const uint8_t *bytes;
	size_t	       len;
	uint32_t       ifindex;
	uint16_t       hatype; /* ARPHRD_... */
	uint8_t	       kind;   /* PACKET_HOST, PACKET_BROADCAST, ... */
};

int  ring_open(struct ring *r, int fd);
void ring_close(struct ring *r);
/* Cards drop frames to groups that nobody here is in: from now on this one passes
 * those that are read. May be said again; a link that vanishes needs no farewell. */
int  ring_join(struct ring *r, uint32_t ifindex);
/* Calls fn for what is there, but for frames of a VLAN, which that VLAN's link
 * hears; call it again when the socket is readable. */
void ring_read(struct ring *r, void (*fn)(void *ctx, const struct ring_frame *f),
    void *ctx);
/* Adds what came and what was lost since the last call (or ring_open). */
int  ring_count(struct ring *r, uint64_t *frames, uint64_t *lost);

#endif
