/*
 * dp-ldap/computer.h - an object of a directory as a sight. Pure.
 *
 * Attributes come in any order and number (RFC 4511, 4.5.2); each value is
 * bytes of the directory's. Known are those of Active Directory's computers and
 * of RFC 2307's ipHost and ieee802Device, and what identifies an object for good:
 * objectGUID, or entryUUID.
 * Order:   computer_begin, computer_value for each value, computer_end once; the
 *          sight is whole then.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LDAP_COMPUTER_H
#define DP_LDAP_COMPUTER_H

#include "common/sight.h"

#define COMPUTER_VALUE 256 /* more of a value is not looked at */

struct computer {
	struct sight sight;
	bool	     disabled; /* its account is: userAccountControl, bit 1 */
	struct {
		char   bytes[COMPUTER_VALUE];
		size_t len;
	} dns_name, name, os, os_version;
};

/* What is asked for; NULL ends. Known to computer_value, in any case. */
extern const char *const computer_attributes[];

/* dn: its distinguished name; the "dc=" at its end are the domain's name. */
void computer_begin(struct computer *c, const char *dn);
void computer_value(struct computer *c, const char *attribute, const void *bytes,
    size_t len);
void computer_end(struct computer *c);

#endif
