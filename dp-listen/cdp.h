/*
 * dp-listen/cdp.h - Cisco's discovery protocol, versions 1 and 2, as published in
 * Cisco's "Cisco Discovery Protocol" and read by others since.
 *
 * FACT_SWITCH and FACT_NAME (device id), FACT_PORT, FACT_MODEL (platform),
 * FACT_DESCRIPTION (version), FACT_CAPABILITIES, FACT_ADDRESS (never addr, as in lldp.h).
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_CDP_H
#define DP_LISTEN_CDP_H

#include "dp-listen/packet.h"

#define CDP_SNAP 0x2000 /* its protocol with Cisco's OUI, 00-00-0c */

int cdp_read(const struct packet *p, struct rd r, const struct told *to);

#endif
