/*
 * dp-listen/netbios.h - NetBIOS name service (RFC 1001, RFC 1002, section 4.2).
 *
 * Node status	FACT_NAME, FACT_DOMAIN (workgroup or domain); the adapter's MAC if it
 *		tells one, which then is the sight's
 * Registration, refresh	of one name, by broadcast: the same facts
 * Name query	an answer to us: FACT_NAME; a question: who asks is there
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_NETBIOS_H
#define DP_LISTEN_NETBIOS_H

#include "dp-listen/packet.h"

int netbios_read(const struct packet *p, struct rd r, const struct told *to);

#endif
