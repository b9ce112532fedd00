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

static int (*const readers[PROBE_MAX])(const struct packet *, struct rd,
    const struct told *) = {
	[PROBE_ECHO4] = echo4_read,
	[PROBE_ECHO6] = echo6_read,
	[PROBE_ALLNODES] = echo6_read,
	[PROBE_DNS_PTR] = rdns_read,
	[PROBE_NBSTAT] = netbios_read,
	[PROBE_LLMNR_PTR] = llmnr_read,
	[PROBE_MDNS_BROWSE] = mdns_read,
	[PROBE_MDNS_PTR] = mdns_read,
	[PROBE_SNMP] = snmp_read,
	[PROBE_SSDP] = ssdp_read,
};

/* u8 kind, u32 ifindex, address[16], u16 port, payload */
int
heard_read(struct rd r, const struct told *to, bool *is_ours)
{
	struct packet  p = { .to_us = true };
	uint8_t	       kind = rd_u8(&r);
	const uint8_t *src;

	p.ifindex = rd_u32(&r);
	src = rd_bytes(&r, sizeof(p.src));
	p.sport = rd_u16(&r);
	*is_ours = r.err == 0 && kind < PROBE_MAX && readers[kind] != NULL;
	if (!*is_ours)
		return -EBADMSG;
	memcpy(p.src, src, sizeof(p.src));
	return readers[kind](&p, r, to);
}
