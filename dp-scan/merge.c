/*
 * dp-scan/merge.c - see merge.h.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/merge.h"

#include "common/size.h"

#include <string.h>
#include <strings.h>

#define MACS_MAX 4 /* of one machine by what it says: wire, wireless, dock, spare */

bool
merge_mac_is_own(const uint8_t mac[6])
{
	static const struct { uint8_t len, p[5]; } shared[] = {
		{ 5, { 0x00, 0x00, 0x5e, 0x00, 0x01 } }, /* VRRP, CARP */
		{ 5, { 0x00, 0x00, 0x5e, 0x00, 0x02 } }, /* VRRP, IPv6 */
		{ 5, { 0x00, 0x00, 0x0c, 0x07, 0xac } }, /* HSRP */
		{ 4, { 0x00, 0x00, 0x0c, 0x9f } },	 /* HSRP 2 */
		{ 4, { 0x00, 0x05, 0x73, 0xa0 } },	 /* HSRP, IPv6 */
		{ 4, { 0x00, 0x07, 0xb4, 0x00 } },	 /* GLBP */
	};

	if ((mac[0] & 1) != 0 || memcmp(mac, (uint8_t[6]){ 0 }, 6) == 0)
		return false;
	for (size_t i = 0; i < COUNT(shared); i++)
		if (memcmp(mac, shared[i].p, shared[i].len) == 0)
			return false;
	return true;
}

/* Both have some of the kind, and none in common. */
static bool
differ(const struct record *a, const struct record *b, uint8_t kind)
{
	struct item it;
	size_t	    pos = 0;

	if (!record_has(a, kind) || !record_has(b, kind))
		return false;
	while (record_next(a, &pos, &it))
		if (it.kind == kind &&
		    record_find(b, kind, it.data, it.len, NULL))
			return false;
	return true;
}

static size_t
label(const struct item *it)
{
	const uint8_t *dot = memchr(it->data, '.', it->len);

	return dot != NULL ? (size_t)(dot - it->data) : it->len;
}

/* What a machine says of itself where it also says its identity. */
static bool
is_own_name(const struct item *it)
{
	return it->kind == FACT_NAME &&
	    (it->by == SIGHT_DHCP || it->by == SIGHT_DHCP6 ||
		it->by == SIGHT_LLDP || it->by == SIGHT_CDP);
}

static bool
names_differ(const struct record *a, const struct record *b)
{
	struct item x, y;
	size_t	    i = 0, k;
	bool	    both = false;

	while (record_next(a, &i, &x)) {
		if (!is_own_name(&x))
			continue;
		for (k = 0; record_next(b, &k, &y);) {
			if (!is_own_name(&y))
				continue;
			both = true;
			if (label(&x) == label(&y) &&
			    strncasecmp((const char *)x.data,
				(const char *)y.data, label(&x)) == 0)
				return false;
		}
	}
	return both;
}

/* One has shown an agent, which an address is lent to as to the other. */
static bool
is_agents_address(const struct record *agent, const struct record *other)
{
	return record_has(agent, FACT_AGENT) && !record_has(other, FACT_AGENT) &&
	    (record_has(other, ITEM_MAC) || record_has(other, FACT_CLIENT_ID));
}

static bool
is_other_mac(const struct item *it, const struct record *other)
{
	return it->kind == ITEM_MAC && (other == NULL ||
		!record_find(other, ITEM_MAC, it->data, it->len, NULL));
}

uint32_t
merge_heard(const struct record *r, const struct record *other)
{
	struct item it;
	size_t	    pos = 0;
	uint32_t    heard = 0;

	while (record_next(r, &pos, &it))
		if (is_other_mac(&it, other) && it.seen > heard)
			heard = it.seen;
	return heard;
}

static unsigned
count_macs(const struct record *a, const struct record *b)
{
	struct item it;
	size_t	    pos = 0, k = 0;
	unsigned    n = 0;

	while (record_next(a, &pos, &it))
		n += it.kind == ITEM_MAC;
	while (record_next(b, &k, &it))
		n += is_other_mac(&it, a);
	return n;
}

/* What a machine is called by DHCP and LLDP any other can say, too: who is heard,
 * and whom we know for certain, nobody becomes by it. */
static const char *
identity_verdict(const struct record *a, const struct record *b, uint32_t silent)
{
	if (names_differ(a, b)) /* copies of one disk image have one DUID */
		return "two host names";
	if (record_has(a, FACT_AGENT) || record_has(b, FACT_AGENT) ||
	    ((a->by | b->by) & 1U << SIGHT_OWN) != 0)
		return "an agent, or this machine";
	if (record_has(b, ITEM_MAC) ? merge_heard(b, a) > silent
				    : record_has(a, ITEM_MAC) && b->last > silent)
		return "both are heard";
	return count_macs(a, b) > MACS_MAX ? "many MAC addresses" : NULL;
}

const char *
merge_verdict(const struct record *a, const struct record *b,
    enum merge_key by, uint32_t silent)
{
	if (differ(a, b, FACT_AGENT))
		return "two agents";
	if (differ(a, b, FACT_DIRECTORY_UUID) || (differ(a, b, FACT_DIRECTORY_ID) &&
		!(record_has(a, FACT_DIRECTORY_UUID) &&
		    record_has(b, FACT_DIRECTORY_UUID)))) /* then it was moved */
		return "two computers of the directory";
	switch (by) {
	case MERGE_AGENT:
	case MERGE_MAC:
	case MERGE_DIRECTORY:
		return NULL;
	case MERGE_CLIENT_ID:
	case MERGE_CHASSIS:
		return identity_verdict(a, b, silent);
	case MERGE_ADDRESS: /* an address is lent */
		if (record_has(a, ITEM_MAC) && record_has(b, ITEM_MAC))
			return "two MAC addresses";
		return is_agents_address(a, b) || is_agents_address(b, a)
		    ? "an agent, and who is more than an address" : NULL;
	case MERGE_NAME:
		return (record_has(a, ITEM_MAC) || record_has(a, ITEM_ADDR)) &&
			(record_has(b, ITEM_MAC) || record_has(b, ITEM_ADDR))
		    ? "a name is no identity" : NULL;
	}
	return "no rule";
}
