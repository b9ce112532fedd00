/*
 * dp-listen/llmnr.h - link-local multicast name resolution (RFC 4795).
 *
 * Who asks is there; who answers says FACT_NAME and its FACT_ADDRESSes. A name
 * in a PTR record counts as its answerer's, too.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_LLMNR_H
#define DP_LISTEN_LLMNR_H

#include "dp-listen/packet.h"

int llmnr_read(const struct packet *p, struct rd r, const struct told *to);

#endif
