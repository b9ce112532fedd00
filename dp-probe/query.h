/*
 * dp-probe/query.h - questions by UDP: DNS, mDNS, LLMNR, NetBIOS, SNMP.
 *
 * Shape:   pure; each writes one UDP payload. QUERY_MAX is enough for all.
 * Units:   addresses are 16 bytes, IPv4 mapped; ids come back in the answer.
 * Errors:  those of common/wr.h.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_PROBE_QUERY_H
#define DP_PROBE_QUERY_H

#include "common/wr.h"

#include <stdbool.h>

#define QUERY_MAX     160
#define COMMUNITY_MAX 63 /* so that every length in a request is one byte */

/* Who speaks the DNS format. They differ in a bit each: a name server is to
 * recurse (RFC 1035 4.1.1), an mDNS responder may answer to us alone (QU, RFC
 * 6762 5.4), LLMNR has neither (RFC 4795 2.1.1). */
enum query_dialect {
	QUERY_DNS,
	QUERY_LLMNR,
	QUERY_MDNS,
};

/* Which names has addr: PTR below in-addr.arpa or ip6.arpa (RFC 1035 3.5, 3596
 * 2.5). */
void query_ptr(struct wr *w, enum query_dialect d, uint16_t id,
    const uint8_t addr[16]);

/*
 * Who offers a service (RFC 6763 4.1), by mDNS. type is 'T' (_tcp) or 'U' (_udp)
 * and its name without the underscore, at most 15 bytes (RFC 6335 5.1), padded
 * with zeroes; all zero: which types are there (RFC 6763 9).
 */
void query_services(struct wr *w, uint16_t id, const uint8_t type[16]);
/* Whether it is one of the two: letters, digits and hyphens. */
bool query_is_service(const uint8_t type[16]);

/* NetBIOS node status of whoever gets it (RFC 1002 4.2.17). */
void query_nbstat(struct wr *w, uint16_t id);

/* sysDescr.0, sysObjectID.0 and sysName.0 (RFC 3418) by GetRequest; version 0
 * is SNMPv1 (RFC 1157), 1 is SNMPv2c (RFC 3416). Of id 30 bits count, and are
 * 4 bytes with their top bits 01, so that the answer has them as sent. */
void query_snmp(struct wr *w, uint8_t version, const char *community,
    uint32_t id);
uint32_t query_snmp_id(uint32_t id);

/* An M-SEARCH for all devices and services (UPnP Device Architecture 2.0, 1.3.2),
 * which are to answer within QUERY_SSDP_MX seconds. It has room for no token. */
#define QUERY_SSDP_MX 1
void query_ssdp(struct wr *w, bool v6);

#endif
