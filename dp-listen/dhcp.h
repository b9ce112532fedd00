/*
 * dp-listen/dhcp.h - DHCP for IPv4 (RFC 2131, 2132; client name RFC 4702).
 *
 * Client	FACT_NAME (options 12 and 81), FACT_VENDOR_CLASS (60), FACT_FINGERPRINT
 *		(55), FACT_CLIENT_ID (61); its address only where it has one already
 * Server	FACT_DHCP_SERVER with its address (option 54), FACT_DOMAIN (15); what
 *		it acknowledged (DHCPACK) is a sight of that client, too
 * Relay	a sight of its MAC address; the server's has it as FACT_FRAME
 * The MAC is the one in the message: relays have others. A server behind a relay
 * has none.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_DHCP_H
#define DP_LISTEN_DHCP_H

#include "dp-listen/packet.h"

int dhcp_read(const struct packet *p, struct rd r, const struct told *to);

#endif
