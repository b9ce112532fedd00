/*
 * dp-scan/servers.h - the DHCP servers that were heard of: which are known.
 *
 * Known is who is listed; without a list the first one that was ever heard, and the
 * machine that it is. That outlives a restart: what servers_write() gave is read
 * before anybody is heard, so that an impostor is not the first, nor takes the
 * place of a server by its address.
 * Bounds:  DHCP_SERVERS; of more, the last place is used again.
 * Wire:    repeated: 16 address, u8 bits (1 known, 2 its MAC address is), 6 MAC,
 *          u32 heard.
 * Pure.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_SERVERS_H
#define DP_SCAN_SERVERS_H

#include "dp-scan/record.h"

#define DHCP_SERVERS 16
#define SERVERS_WIRE (DHCP_SERVERS * 27)

struct dhcp_server {
	uint8_t	 addr[16], mac[6];
	bool	 known, has_mac;
	uint32_t ifindex;     /* where; 0: not heard since it was kept */
	uint32_t heard, told; /* from that MAC address; of it */
	uint32_t saved;	      /* `heard` as it was written */
};

struct dhcp_servers {
	struct dhcp_server all[DHCP_SERVERS];
	size_t		   n;
	bool		   dirty; /* changed since it was written */
};

/* An answer of DHCP: the server that it names, and who sent it. */
struct dhcp_answer {
	uint8_t		     addr[16];
	const uint8_t	    *mac;   /* its own; NULL: not known */
	const uint8_t	    *frame; /* that brought it; NULL: not known */
	uint32_t	     ifindex;
	bool		     on_link; /* addr is, so that it has one MAC address */
	enum { DHCP_NO_LIST, DHCP_LISTED, DHCP_NOT_LISTED } list;
	const struct record *machine;
};

/* Whom an administrator is to be told of now: it is unknown, or not who has that
 * address, and was not told of within an hour; the caller, who tells, notes `told`.
 * NULL: of nobody. A MAC address that is silent for life_time is given up for a new
 * one. Borrowed until the next call. */
struct dhcp_server *servers_heard(struct dhcp_servers *s,
    const struct dhcp_answer *a, uint32_t now, uint32_t life_time);

/* Each of their times becomes fn's of it. */
void servers_times(struct dhcp_servers *s,
     uint32_t (*fn)(void *ctx, uint32_t t), void *ctx);

void servers_write(struct dhcp_servers *s, struct wr *w);
/* In place of what there is. -EBADMSG: nothing is changed. */
int  servers_read(struct dhcp_servers *s, const uint8_t *bytes, size_t len);

#endif
