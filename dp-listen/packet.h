/*
 * dp-listen/packet.h - what a parser is told of the packet whose bytes it reads,
 * and whom it tells what they say.
 *
 * Shape:   every parser of dp-listen/ is a pure function
 *	    int x_read(const struct packet *, struct rd, const struct told *);
 *	    it calls told->fn for each sight, which lives during that call only.
 * Errors:  0, also for what says nothing of use; -EBADMSG: against its RFC, and
 *	    nothing was said, unless the parser's header says otherwise.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_PACKET_H
#define DP_LISTEN_PACKET_H

#include "common/msg.h"
#include "common/sight.h"

struct packet {
	uint32_t ifindex;
	bool	 to_us;	  /* to this machine alone: an answer */
	bool	 to_many; /* to a link's broadcast or multicast address */
	bool	 is_file; /* of a capture file: nobody else reads answers to us */
	bool	 is_near; /* no router was between: mac is the sender's own */
	uint8_t	 mac[6];  /* whose frame it was; all zero: not known */
	uint8_t	 src[16], dst[16]; /* IPv4 mapped */
	uint16_t sport, dport;
	uint8_t	 ttl; /* or hop limit */
	enum protocol protocol; /* whose parser reads it: at an error its rules
				 * are those that are broken */
};

struct told {
	void (*fn)(void *ctx, const struct sight *s);
	void *ctx;
};

/* A sight of the sender: by its address, and its MAC if it is near. */
void packet_sight(const struct packet *p, enum sight_by by, struct sight *s);

/* A card's own address: neither of a group nor all zero. */
bool mac_is_host(const uint8_t mac[6]);

/* A host's own address, of a kind that others see: no group, loopback,
 * broadcast or reserved one, and not the unspecified. */
bool addr_is_host(const uint8_t addr[16]);
bool addr_is_link_local(const uint8_t addr[16]);
bool addr_is_v4(const uint8_t addr[16]);
void addr_from_v4(uint8_t addr[16], const uint8_t v4[4]);

/* A fact that is an address; len is 4 or 16. Not added if it is no host's. */
void sight_add_addr(struct sight *s, enum fact kind, const uint8_t *addr,
    size_t len);
/* Bytes as lower-case hex, pairs parted by sep if it is not NUL. */
void sight_add_hex(struct sight *s, enum fact kind, const uint8_t *p, size_t len,
    char sep);

#endif
