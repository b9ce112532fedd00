/*
 * dp-ldap/computer.c - see computer.h.
 *
 * Runs in dp-ldap. Believes nothing: whoever may write to a directory chooses
 * what stands there.
 * SPDX-License-Identifier: ISC
 */
#include "dp-ldap/computer.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ACCOUNT_DISABLED 0x2 /* MS-ADTS 2.2.16 */

enum { DNS_NAME, NAME, ACCOUNT_NAME, OS, OS_VERSION, DESCRIPTION, IP, MAC, CONTROL, GUID,
	UUID };

const char *const computer_attributes[] = {
	[DNS_NAME] = "dNSHostName", [NAME] = "cn",
	[ACCOUNT_NAME] = "sAMAccountName", [OS] = "operatingSystem",
	[OS_VERSION] = "operatingSystemVersion", [DESCRIPTION] = "description",
	[IP] = "ipHostNumber", [MAC] = "macAddress",
	[CONTROL] = "userAccountControl", [GUID] = "objectGUID",
	[UUID] = "entryUUID", NULL
};

/* Of "cn=pc1,ou=pcs,dc=example,dc=org" example.org. Escaped and multi-valued
 * parts (RFC 4514) are of no domain and end nothing. */
static void
add_domain(struct sight *s, const char *dn)
{
	char   domain[SIGHT_TEXT + 1];
	size_t n = 0;

	for (const char *part = dn; part != NULL && *part != '\0';) {
		const char *end = strchr(part, ',');
		size_t	    len = end != NULL ? (size_t)(end - part) : strlen(part);

		if (len > 3 && strncasecmp(part, "dc=", 3) == 0) {
			if (n + len - 2 > SIGHT_TEXT)
				return;
			if (n > 0)
				domain[n++] = '.';
			memcpy(domain + n, part + 3, len - 3);
			n += len - 3;
		} else if (n > 0)
			return; /* domain components are the end, and nothing else */
		part = end != NULL ? end + 1 : NULL;
	}
	sight_add(s, FACT_DOMAIN, domain, n);
}

void
computer_begin(struct computer *c, const char *dn)
{
	sight_begin(&c->sight, SIGHT_LDAP);
	c->disabled = false;
	c->dns_name.len = c->name.len = c->os.len = c->os_version.len = 0;
	sight_add(&c->sight, FACT_DIRECTORY_ID, dn, strlen(dn));
	add_domain(&c->sight, dn);
}

static void
add_address(struct sight *s, const char *text)
{
	static const uint8_t none[16], mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t		     a[16];
	char		     out[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET, text, a + 12) == 1)
		memcpy(a, mapped, sizeof(mapped));
	else if (inet_pton(AF_INET6, text, a) != 1)
		return;
	if (memcmp(s->addr, none, sizeof(none)) == 0) {
		memcpy(s->addr, a, sizeof(a));
		return;
	}
	if (memcmp(a, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, a + 12, out, sizeof(out));
	else
		inet_ntop(AF_INET6, a, out, sizeof(out));
	sight_add(s, FACT_ADDRESS, out, strlen(out));
}

/* "00:92:90:ee:e2:e9" (RFC 2307), digits of a byte one or two. The first
 * counts: a second one is another interface's, and which is whose nobody says. */
static void
take_mac(struct sight *s, const char *text)
{
	static const uint8_t none[6];
	unsigned	     b[6];
	int		     end = 0;

	if (memcmp(s->mac, none, sizeof(none)) != 0 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3],
		&b[4], &b[5], &end) != 6 ||
	    text[end] != '\0' || strspn(text, "0123456789abcdefABCDEF:") !=
		strlen(text))
		return;
	for (int i = 0; i < 6; i++)
		s->mac[i] = (uint8_t)b[i];
}

/* The first three parts are little-endian (MS-DTYP 2.3.4.2). */
static void
take_guid(struct sight *s, const uint8_t *g, size_t len)
{
	if (len == 16 && sight_first(s, FACT_DIRECTORY_UUID) == NULL)
		sight_addf(s, FACT_DIRECTORY_UUID, "%02x%02x%02x%02x-%02x%02x-"
		    "%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", g[3], g[2],
		    g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11],
		    g[12], g[13], g[14], g[15]);
}

/* RFC 4530, 4122 */
static void
take_uuid(struct sight *s, const char *text)
{
	char low[37];

	if (strlen(text) != 36 || sight_first(s, FACT_DIRECTORY_UUID) != NULL)
		return;
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return;
		low[i] = (char)tolower((unsigned char)text[i]);
	}
	sight_add(s, FACT_DIRECTORY_UUID, low, 36);
}

#define KEEP(field)                                                            \
	do {                                                                   \
		memcpy((field).bytes, bytes, len);                             \
		(field).len = len;                                             \
	} while (0)

void
computer_value(struct computer *c, const char *attribute, const void *bytes,
    size_t len)
{
	char text[COMPUTER_VALUE + 1];
	int  which = 0;

	while (computer_attributes[which] != NULL &&
	    strcasecmp(attribute, computer_attributes[which]) != 0)
		which++;
	if (len > COMPUTER_VALUE) {
		len = COMPUTER_VALUE;
		c->sight.cut = true;
	}
	memcpy(text, bytes, len);
	text[len] = '\0';
	switch (which) {
	case DNS_NAME:
		KEEP(c->dns_name);
		break;
	case NAME:
		KEEP(c->name);
		break;
	case ACCOUNT_NAME: /* "PC1$"; cn says it better */
		if (len > 1 && c->name.len == 0) {
			len -= text[len - 1] == '$';
			KEEP(c->name);
		}
		break;
	case OS:
		KEEP(c->os);
		break;
	case OS_VERSION:
		KEEP(c->os_version);
		break;
	case DESCRIPTION:
		sight_add(&c->sight, FACT_DESCRIPTION, bytes, len);
		break;
	case IP:
		add_address(&c->sight, text);
		break;
	case MAC:
		take_mac(&c->sight, text);
		break;
	case GUID:
		take_guid(&c->sight, bytes, len);
		break;
	case UUID:
		take_uuid(&c->sight, text);
		break;
	case CONTROL:
		c->disabled = (strtoul(text, NULL, 10) & ACCOUNT_DISABLED) != 0;
		break;
	}
}

void
computer_end(struct computer *c)
{
	char   os[2 * COMPUTER_VALUE + 1];
	size_t n = c->os.len;

	if (c->dns_name.len > 0)
		sight_add(&c->sight, FACT_NAME, c->dns_name.bytes,
		    c->dns_name.len);
	else
		sight_add(&c->sight, FACT_NAME, c->name.bytes, c->name.len);
	memcpy(os, c->os.bytes, n);
	if (n > 0 && c->os_version.len > 0) {
		os[n++] = ' ';
		memcpy(os + n, c->os_version.bytes, c->os_version.len);
		n += c->os_version.len;
	}
	sight_add(&c->sight, FACT_OS, os, n);
}
