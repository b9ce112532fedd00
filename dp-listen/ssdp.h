/*
 * dp-listen/ssdp.h - SSDP, HTTP in datagrams (UPnP Device Architecture 2.0, 1.2
 * and 1.3).
 *
 * NOTIFY alive, answers	FACT_SERVICE "urn:schemas-upnp-org:device:X:1 PORT uuid:..."
 *				(the port of LOCATION), FACT_OS and FACT_MODEL of SERVER
 * M-SEARCH			who asks is there; FACT_OS, FACT_MODEL of USER-AGENT,
 *				FACT_NAME of CPFN.UPNP.ORG
 * Goodbyes say nothing.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_SSDP_H
#define DP_LISTEN_SSDP_H

#include "dp-listen/packet.h"

int ssdp_read(const struct packet *p, struct rd r, const struct told *to);

#endif
