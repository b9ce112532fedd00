/*
 * dp-listen/lldp.h - link layer discovery (IEEE 802.1AB), with the inventory of
 * LLDP-MED (ANSI/TIA-1057).
 *
 * FACT_SWITCH (chassis), FACT_PORT, FACT_NAME, FACT_DESCRIPTION, FACT_CAPABILITIES
 * (those enabled), FACT_ADDRESS (management addresses: another interface's than the port's, so never
 * addr), and FACT_MODEL, FACT_OS of the inventory. A shutdown (time to live 0) says nothing.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_LLDP_H
#define DP_LISTEN_LLDP_H

#include "dp-listen/packet.h"

int lldp_read(const struct packet *p, struct rd r, const struct told *to);

#endif
