/*
 * common/msg.c - the roles: their names, and who talks to whom; see msg.h.
 * SPDX-License-Identifier: ISC
 */
#include "common/msg.h"

#include "common/size.h"

#include <errno.h>
#include <string.h>

static const char *const names[PEER_MAX] = { "?", "master", "control",
	"connect", "store", "fetch", "serve", "mcast", "gateway", "gateway-2",
	"gateway-3", "gateway-4", "gateway-5", "gateway-6", "gateway-7",
	"gateway-8", "scan", "probe", "listen", "ldap" };

/* Who may talk to whom; of several gateways each. */
static const struct { enum peer_role a, b; } pairs[] = {
	{ PEER_CONTROL, PEER_CONNECT },
	{ PEER_CONTROL, PEER_STORE },
	{ PEER_CONTROL, PEER_FETCH },
	{ PEER_CONTROL, PEER_SERVE },
	{ PEER_FETCH, PEER_CONNECT },
	{ PEER_FETCH, PEER_STORE },
	{ PEER_SERVE, PEER_STORE },
	{ PEER_SERVE, PEER_FETCH },
	{ PEER_CONTROL, PEER_MCAST },
	{ PEER_SERVE, PEER_MCAST },
	{ PEER_STORE, PEER_MCAST },
	{ PEER_CONTROL, PEER_GATEWAY },
	{ PEER_GATEWAY, PEER_CONNECT },
	{ PEER_CONTROL, PEER_SCAN },
	{ PEER_CONTROL, PEER_PROBE },
	{ PEER_CONTROL, PEER_LISTEN },
	{ PEER_SCAN, PEER_PROBE },
	{ PEER_SCAN, PEER_LISTEN },
	{ PEER_PROBE, PEER_LISTEN },
	{ PEER_SCAN, PEER_STORE },
	{ PEER_CONTROL, PEER_LDAP },
	{ PEER_LDAP, PEER_CONNECT },
	{ PEER_SCAN, PEER_LDAP },
	{ PEER_SERVE, PEER_SCAN },
	{ PEER_GATEWAY, PEER_SCAN },
};

const char *
peer_role_name(enum peer_role role)
{
	return role > PEER_NONE && role < PEER_MAX ? names[role] : names[0];
}

int
peer_role_from_name(const char *name, enum peer_role *out)
{
	for (int i = PEER_NONE + 1; i < PEER_MAX; i++)
		if (strcmp(name, names[i]) == 0) {
			*out = (enum peer_role)i;
			return 0;
		}
	return -ENOENT;
}

enum peer_role
peer_role_kind(enum peer_role role)
{
	return role > PEER_GATEWAY && role <= PEER_GATEWAY_LAST ? PEER_GATEWAY
								 : role;
}

bool
peer_roles_talk(enum peer_role a, enum peer_role b)
{
	a = peer_role_kind(a);
	b = peer_role_kind(b);
	for (size_t i = 0; i < COUNT(pairs); i++)
		if ((pairs[i].a == a && pairs[i].b == b) ||
		    (pairs[i].a == b && pairs[i].b == a))
			return true;
	return false;
}

const char *
probe_kind_name(enum probe_kind p)
{
	static const char *const probes[PROBE_MAX] = { "?", "arp", "ns", "echo4",
		"echo6", "allnodes", "dns-ptr", "nbstat", "llmnr-ptr",
		"mdns-browse", "mdns-ptr", "snmp", "mld",
		"ssdp" };

	return p > PROBE_NONE && p < PROBE_MAX ? probes[p] : probes[0];
}

const char *
protocol_name(enum protocol p)
{
	static const char *const protocols[PROTOCOLS] = { "?", "ethernet", "arp",
		"ipv4", "ipv6", "udp", "echo", "ndp", "mld", "dhcp", "dhcp6", "dns",
		"mdns", "llmnr", "netbios", "snmp", "ssdp", "lldp", "cdp" };

	return p > PROTOCOL_NONE && p < PROTOCOLS ? protocols[p]
						 : protocols[0];
}
