/*
 * dp-listen/dhcp6.h - DHCP for IPv6 (RFC 8415; client name RFC 4704, its MAC as
 * a relay saw it RFC 6939).
 *
 * Client	FACT_CLIENT_ID (DUID), FACT_NAME, FACT_VENDOR_CLASS, FACT_FINGERPRINT
 *		(option request), FACT_ADDRESS where it says that it has them
 * Server	FACT_DHCP_SERVER, FACT_DOMAIN (search list)
 * What a relay carries is its client's, without MAC unless the relay tells it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_DHCP6_H
#define DP_LISTEN_DHCP6_H

#include "dp-listen/packet.h"

int dhcp6_read(const struct packet *p, struct rd r, const struct told *to);

#endif
