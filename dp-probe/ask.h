/*
 * dp-probe/ask.h - one question of an order, ready to be sent.
 *
 * Says for each kind of question which socket it leaves by, where to, and with
 * which bytes. What must not be asked is refused here: groups and broadcast
 * addresses, which would answer with more than was sent, and what the
 * configuration excludes.
 *
 * Shape:   pure; a struct ask is the caller's, nothing to free.
 * Errors:  -EINVAL: no target for this kind; -EPERM: excluded; -ENOENT: the
 *          configuration has no server or community for it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_PROBE_ASK_H
#define DP_PROBE_ASK_H

#include "common/scope.h"
#include "dp-probe/frame.h"
#include "dp-probe/order.h"
#include "dp-probe/query.h"
#include "dp-probe/token.h"

#include <sys/socket.h>

#define ASK_MAX		(QUERY_MAX > FRAME_MAX ? QUERY_MAX : FRAME_MAX)
#define SERVERS_MAX	8
#define COMMUNITIES_MAX 8

/* Sockets that the master made, by their names in common/packet.h. */
enum ask_socket {
	ASK_FRAMES,
	ASK_ECHO4,
	ASK_ECHO6,
	ASK_DNS4,
	ASK_DNS6,
	ASK_NBSTAT4,
	ASK_LLMNR4,
	ASK_LLMNR6,
	ASK_MDNS4,
	ASK_MDNS6,
	ASK_SNMP4,
	ASK_SNMP6,
	ASK_SSDP4,
	ASK_SSDP6,
	ASK_SOCKETS
};
extern const char *const ask_socket_names[ASK_SOCKETS];

/* Of the configuration. */
struct ask_conf {
	struct scope exclude;
	unsigned     nservers;
	uint8_t	     server[SERVERS_MAX][16]; /* of reverse DNS */
	unsigned     ncommunities;
	struct {
		uint8_t version; /* as in the packet: 0 is SNMPv1 */
		char	name[COMMUNITY_MAX + 1];
	} community[COMMUNITIES_MAX];
};

/* A line each, "public" or "v1 public" ('v2c' is the default), # a comment;
 * -EINVAL: no such file; *line is where. */
int ask_communities(struct ask_conf *c, const char *text, unsigned *line);

struct ask {
	enum ask_socket		socket;
	struct sockaddr_storage to;
	socklen_t		to_len;
	size_t			len, control_len;
	uint8_t			bytes[ASK_MAX];
	/* interface and source of a datagram */
	_Alignas(8) uint8_t control[40];
};

/* Question number `variant` (from 0) for the i-th target of an order, and whether
 * there is another one for it. */
int ask_make(const struct ask_conf *c, const struct token_keys *t,
    const struct order *o, uint32_t i, uint32_t variant, struct ask *out,
    bool *more);

/* Packets a second that this kind may be sent at most, whoever asks: what every
 * host of a link has to look at, or answers to, goes slowly. */
uint32_t ask_rate_max(enum probe_kind kind);

#endif
