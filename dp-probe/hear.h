/*
 * dp-probe/hear.h - answers: only from who was asked, and never looked into.
 *
 * An answer is let through when it comes from the port that was asked and bears
 * the token of its sender (dp-probe/token.h) where the protocol puts it; SSDP has
 * neither, and is let through within seconds of a search. What an answer says is
 * for others to read.
 *
 * Shape:   hear_accepts() is pure; a struct hear watches the sockets.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_PROBE_HEAR_H
#define DP_PROBE_HEAR_H

#include "common/loop.h"
#include "dp-probe/ask.h"

#define HEAR_MAX 9000 /* RFC 6762 17; what is longer is dropped */

struct answer {
	uint8_t	       kind; /* enum probe_kind */
	uint32_t       ifindex;
	uint8_t	       addr[16];
	uint16_t       port; /* 0 of echoes */
	const uint8_t *bytes; /* of echoes the ICMP message */
	size_t	       len;
};

/* A datagram as it came to that socket: sets kind, for echoes cuts off the IPv4
 * header, and says whether it answers a question of late. */
bool hear_accepts(const struct token_keys *t, const struct ask_conf *c,
    enum ask_socket from, struct answer *a);

struct hear;

struct hear_counts {
	uint64_t heard, refused; /* let through; not asked, or not from there */
};

int  hear_new(struct loop *l, struct token_keys *t,
    const struct ask_conf *conf, /* both borrowed */
    void (*fn)(void *ctx, const struct answer *a), void *ctx,
    struct hear **out);
void hear_free(struct hear **h);
/* Instead of those before, which must still be open. */
int  hear_sockets(struct hear *h, const int fds[ASK_SOCKETS]);
const struct hear_counts *hear_counts(const struct hear *h);

#endif
