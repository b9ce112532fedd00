/*
 * dp-listen/heard.c - see heard.h.
 *
 * Runs in dp-listen. Believes the prober about where a datagram came from, and
 * nothing of what is in it. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/heard.h"

#include "common/msg.h"
#include "dp-listen/echo.h"
#include "dp-listen/llmnr.h"
#include "dp-listen/mdns.h"
#include "dp-listen/netbios.h"
#include "dp-listen/rdns.h"
#include "dp-listen/snmp.h"
#include "dp-listen/ssdp.h"

#include <errno.h>
#include <string.h>

static const struct {
	enum protocol protocol;
	int (*read)(const struct packet *, struct rd, const struct told *);
} readers[PROBE_MAX] = {
	[PROBE_ECHO4] = { PROTOCOL_ECHO, echo4_read },
	[PROBE_ECHO6] = { PROTOCOL_ECHO, echo6_read },
	[PROBE_ALLNODES] = { PROTOCOL_ECHO, echo6_read },
	[PROBE_DNS_PTR] = { PROTOCOL_DNS, rdns_read },
	[PROBE_NBSTAT] = { PROTOCOL_NETBIOS, netbios_read },
	[PROBE_LLMNR_PTR] = { PROTOCOL_LLMNR, llmnr_read },
	[PROBE_MDNS_BROWSE] = { PROTOCOL_MDNS, mdns_read },
	[PROBE_MDNS_PTR] = { PROTOCOL_MDNS, mdns_read },
	[PROBE_SNMP] = { PROTOCOL_SNMP, snmp_read },
	[PROBE_SSDP] = { PROTOCOL_SSDP, ssdp_read },
};

/* u8 kind, u32 ifindex, address[16], u16 port, payload */
int
heard_read(struct rd r, const struct told *to, enum protocol *of)
{
	struct packet  p = { .to_us = true };
	uint8_t	       kind = rd_u8(&r);
	const uint8_t *src;

	p.ifindex = rd_u32(&r);
	src = rd_bytes(&r, sizeof(p.src));
	p.sport = rd_u16(&r);
	*of = r.err == 0 && kind < PROBE_MAX ? readers[kind].protocol
					     : PROTOCOL_NONE;
	if (*of == PROTOCOL_NONE)
		return -EBADMSG;
	memcpy(p.src, src, sizeof(p.src));
	return readers[kind].read(&p, r, to);
}
