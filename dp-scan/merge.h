/*
 * dp-scan/merge.h - the written rules by which two records are one machine.
 *
 * Pure. docs/design.md has the rules as a table; merge_verdict() is that table.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_MERGE_H
#define DP_SCAN_MERGE_H

#include "dp-scan/record.h"

/* What a sight and a record, or two records, have in common. */
enum merge_key {
	MERGE_AGENT,	 /* the URI of a certificate that was shown to us */
	MERGE_MAC,
	MERGE_CLIENT_ID, /* DHCP: option 61 or DUID */
	MERGE_CHASSIS,	 /* LLDP, CDP */
	MERGE_DIRECTORY, /* an object of it: its UUID, or distinguished name */
	MERGE_ADDRESS,
	MERGE_NAME,	 /* of a directory */
};

/* NULL: they are one machine; else why not. Who was not heard since silent (s) counts
 * as gone. */
const char *merge_verdict(const struct record *a, const struct record *b,
    enum merge_key by, uint32_t silent);

/* When it was heard last by a MAC address that other (NULL: nobody) has not; 0:
 * never. */
uint32_t merge_heard(const struct record *r, const struct record *other);

/* A MAC address that says which machine it is: not zero, not of a group, and not
 * one that virtual routers share (RFC 5798, HSRP, GLBP). */
bool merge_mac_is_own(const uint8_t mac[6]);

#endif
