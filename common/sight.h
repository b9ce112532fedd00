/*
 * common/sight.h - what one packet, answer or table row said of one device.
 *
 * Whoever sees something of a device (the listener, the directory's reader, the
 * kernel's neighbour table, a TLS connection of an agent) says it as a sight;
 * network polling makes records of devices out of them. A sight claims nothing
 * about who is who: merging is the records' part.
 *
 * Text:    facts are printable UTF-8: sight_add() writes every other byte, and
 *          the backslash itself, as \xHH. What shows them still escapes for its
 *          own form (JSON, CSV, HTML).
 * Bounds:  SIGHT_FACTS facts of SIGHT_TEXT bytes, SIGHT_POOL in all. What does
 *          not fit is left out, and cut is set.
 * Wire:    sight_write() and sight_read(): the payload of MSG_SIGHT, repeated.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SIGHT_H
#define COMMON_SIGHT_H

#include "common/rd.h"
#include "common/wr.h"

#include <stdbool.h>

#define SIGHT_FACTS 32
#define SIGHT_TEXT  255	 /* bytes of a fact, its NUL not counted */
#define SIGHT_POOL  2048 /* bytes of all facts of a sight, NULs counted */
/* What sight_write writes at most. */
#define SIGHT_WIRE_MAX (2 + 4 + 6 + 16 + 1 + SIGHT_FACTS * 3 + SIGHT_POOL)

/* By what a device was seen; each is also what `found by` shows. Append only:
 * the numbers are on the wire and in kept records. */
enum sight_by {
	SIGHT_NONE,
	SIGHT_ARP,	 /* RFC 826: request, reply, announcement (5227) */
	SIGHT_NDP,	 /* RFC 4861: solicitation, advertisement */
	SIGHT_ROUTER,	 /* RFC 4861: router advertisement */
	SIGHT_ECHO,	 /* RFC 792, 4443: answered us */
	SIGHT_DNS,	 /* reverse DNS */
	SIGHT_NETBIOS,	 /* RFC 1002: node status, name service */
	SIGHT_LLMNR,	 /* RFC 4795 */
	SIGHT_MDNS,	 /* RFC 6762, 6763 */
	SIGHT_SNMP,	 /* RFC 3416, 3418: system group */
	SIGHT_LDAP,	 /* computer object of a directory */
	SIGHT_DHCP,	 /* RFC 2131: as client, or as server */
	SIGHT_DHCP6,	 /* RFC 8415 */
	SIGHT_SSDP,	 /* UPnP Device Architecture */
	SIGHT_LLDP,	 /* IEEE 802.1AB */
	SIGHT_CDP,
	SIGHT_NEIGHBOUR, /* the kernel's neighbour table */
	SIGHT_AGENT,	 /* an agent's certificate, here or at the gateway */
	SIGHT_OWN,	 /* an address of this machine */
	SIGHT_MLD,	 /* RFC 3810, 2710: is in a group */
	SIGHT_BY_MAX
};
const char *sight_by_name(enum sight_by by); /* "mdns"; "?" if none */
int	    sight_by_from_name(const char *name, enum sight_by *out); /* -EINVAL */

/* What a fact's text is. Append only. */
enum fact {
	FACT_NONE,
	FACT_NAME,	   /* a host's name, as its source gives it */
	FACT_ADDRESS,	   /* a further address, as inet_ntop writes it */
	FACT_SERVICE,	   /* "_ipp._tcp 631 Instance Name" */
	FACT_DOMAIN,	   /* workgroup, DNS domain, directory */
	FACT_OS,	   /* operating system in the source's words */
	FACT_MODEL,	   /* make and model in the source's words */
	FACT_DESCRIPTION,  /* sysDescr, LLDP's system description */
	FACT_VENDOR_CLASS, /* DHCP option 60, DHCPv6 option 16 */
	FACT_FINGERPRINT,  /* DHCP option 55: "1,3,6,15" */
	FACT_CLIENT_ID,	   /* DHCP option 61, DHCPv6 DUID: hex */
	FACT_DHCP_SERVER,  /* this device answers DHCP as that address */
	FACT_ROUTER,	   /* it says that it is one; its life time in s */
	FACT_PREFIX,	   /* that it advertises: "2001:db8::/64" */
	FACT_SWITCH,	   /* LLDP, CDP: chassis id, as hex or text */
	FACT_PORT,	   /* the port of it that we are on */
	FACT_CAPABILITIES, /* LLDP, CDP: "bridge,router" */
	FACT_AGENT,	   /* "urn:dpoint:device:<uuid>" of its certificate */
	FACT_DIRECTORY_ID, /* distinguished name */
	FACT_CONFLICT,	   /* address that it probes for (RFC 5227) */
	FACT_FRAME,	   /* MAC address that brought it, maybe of a relay */
	FACT_DIRECTORY_UUID, /* of the object, whatever it is called */
	FACT_AGENT_MAC,	   /* to which the kernel sent when the agent spoke */
	FACT_GONE,	   /* a service that it has no more, as it said it */
	FACT_MAX
};
const char *fact_name(enum fact f); /* "service" */

struct sight {
	enum sight_by by;
	bool	      asked;	  /* an answer to what we sent, to us */
	bool	      cut;	  /* there was more */
	bool	      hearsay;	  /* somebody else said it of whoever has addr */
	uint32_t      ifindex;	  /* 0: of no interface */
	uint8_t	      mac[6];	  /* all zero: not known */
	uint8_t	      addr[16];	  /* IPv4 mapped; all zero: not known */
	unsigned      nfacts;
	size_t	      pool_len;
	struct {
		uint8_t	 kind; /* enum fact */
		uint16_t at;   /* in pool */
	} fact[SIGHT_FACTS];
	char pool[SIGHT_POOL]; /* each text with its NUL */
};

/* Empty, of that kind. The pool is not cleared. */
void sight_begin(struct sight *s, enum sight_by by);

/* len bytes of somebody else's. Not added: nothing is left of it, or the same
 * fact is there already. */
void sight_add(struct sight *s, enum fact kind, const void *bytes, size_t len);
void sight_addf(struct sight *s, enum fact kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
const char *sight_fact(const struct sight *s, unsigned i); /* its text */
const char *sight_first(const struct sight *s, enum fact kind); /* or NULL */

void sight_write(const struct sight *s, struct wr *w);
/* The next one of a message: 0; -EBADMSG: none could be read; whole or not at
 * all. Facts of a kind that we do not know are skipped, text is checked. */
int  sight_read(struct rd *r, struct sight *out);

#endif
