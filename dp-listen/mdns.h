/*
 * dp-listen/mdns.h - multicast DNS (RFC 6762) and its services (RFC 6763).
 *
 * A sight for each host that the message gives addresses of, with
 *	FACT_NAME	"printer.local"
 *	FACT_ADDRESS	addresses other than the one in addr
 *	FACT_SERVICE	"_ipp._tcp 631 Instance"; port 0: not told; "_ipp._tcp"
 *			alone: of an answer to _services._dns-sd._udp
 *	FACT_MODEL, FACT_OS	from TXT (ty, md, model, ...) and HINFO
 * and one of the sender in any case, a query's too. The host that has the sender's
 * address is the sender, and so is the only host of a message that tells only
 * addresses of the other family; any other is spoken for by a proxy or reflector
 * and gets neither MAC nor address of the sender, nor counts as its own answer: it is
 * hearsay. What belongs to no host with
 * addresses is the sender's. Records that say goodbye (time to live 0) count for
 * nothing.
 * Bounds:  MDNS_HOSTS hosts, DNS_RECORDS records of a message.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_MDNS_H
#define DP_LISTEN_MDNS_H

#include "dp-listen/packet.h"

#define MDNS_PORT  5353
#define MDNS_HOSTS 8

int mdns_read(const struct packet *p, struct rd r, const struct told *to);

#endif
