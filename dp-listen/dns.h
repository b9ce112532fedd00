/*
 * dp-listen/dns.h - messages in DNS's form (RFC 1035, section 4), as DNS, mDNS,
 * LLMNR and the NetBIOS name service have them: the one place where names are
 * decompressed.
 *
 * Shape:   struct dns is a view of a message; struct dns_name is a copy, in wire
 *	    form without compression: labels with their length bytes, and the root.
 * Bounds:  a pointer leads to before the labels that lead to it, so no name can
 *	    loop; at most DNS_HOPS of them. Longer than 255 bytes is refused.
 * Errors:  -EBADMSG.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_DNS_H
#define DP_LISTEN_DNS_H

#include "common/rd.h"

#include <stdbool.h>

#define DNS_NAME 255 /* bytes, the root's counted */
#define DNS_TEXT (2 * DNS_NAME)
#define DNS_HOPS 32
#define DNS_RECORDS 128 /* that are looked at of one message */

#define DNS_RESPONSE 0x8000 /* of flags */
#define DNS_OPCODE   0x7800
#define DNS_RCODE    0x000f

#define DNS_IN 1

enum dns_type {
	DNS_A = 1,
	DNS_PTR = 12,
	DNS_HINFO = 13,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_NB = 32, /* RFC 1002; the number is also DNS's NIMLOC */
	DNS_SRV = 33,
	DNS_NBSTAT = 33, /* RFC 1002 */
};

enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL };

struct dns {
	const uint8_t *msg;
	size_t	       len;
	size_t	       at; /* where the next record is */
	uint16_t       flags;
	uint16_t       left[4]; /* records of each section still to come */
	unsigned       seen;
	bool	       is_plain; /* names are not compressed (RFC 8106, 3315) */
};

struct dns_name {
	uint32_t hash; /* without case; of different names mostly another */
	uint8_t len;	/* bytes of wire, the root's counted */
	uint8_t labels; /* the root not counted */
	uint8_t wire[DNS_NAME];
};

struct dns_rr {
	enum dns_section section;
	struct dns_name	 name;
	uint16_t	 type, class; /* with mDNS's top bit */
	uint32_t	 ttl;
	size_t		 at;  /* of its data in the message */
	struct rd	 data; /* empty for a question */
};

/* Reads the header. */
int dns_begin(struct dns *d, struct rd msg);
/* The next question or record: 1; 0 past the last (or past DNS_RECORDS). */
int dns_next(struct dns *d, struct dns_rr *rr);
/* The name at *at, which moves behind it. */
int dns_name(const struct dns *d, size_t *at, struct dns_name *out);
/* The name that a record's data begin with, and ends within. */
int dns_rdata_name(const struct dns *d, const struct dns_rr *rr, size_t skip,
    struct dns_name *out);

/* Label i, from 0; NULL past the last. */
const uint8_t *dns_label(const struct dns_name *n, unsigned i, size_t *len);
bool dns_label_is(const struct dns_name *n, unsigned i, const char *text);
/* Letters of ASCII compare without their case (RFC 4343). */
bool dns_same(const struct dns_name *a, const struct dns_name *b);
/* count labels from first on, joined by dots, a dot within a label written "\.".
 * No NUL: the length is given, and labels hold what they like. */
size_t dns_text(const struct dns_name *n, unsigned first, unsigned count,
    char out[DNS_TEXT]);
/* What a name below in-addr.arpa or ip6.arpa is for (RFC 1035, 3.5; 3596, 2.5). */
bool dns_reverse(const struct dns_name *n, uint8_t addr[16]);

#endif
