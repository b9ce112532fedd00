/*
 * dp-listen/snmp.h - answers of SNMP v1 and v2c (RFC 1157, 1901, 3416) about the
 * system group (RFC 3418), in BER.
 *
 * FACT_DESCRIPTION (sysDescr), FACT_NAME (sysName), FACT_MODEL (sysObjectID, as
 * "1.3.6.1.4.1.8072.3.2.10"). An answer that is an error says that it is there.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_SNMP_H
#define DP_LISTEN_SNMP_H

#include "dp-listen/packet.h"

int snmp_read(const struct packet *p, struct rd r, const struct told *to);

#endif
