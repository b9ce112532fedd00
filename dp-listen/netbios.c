/*
 * dp-listen/netbios.c - see netbios.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/netbios.h"

#include "dp-listen/dns.h"

#include <errno.h>
#include <string.h>

#define NAME_LEN 15 /* and a byte that says of what */
#define GROUP	 0x8000

enum { OP_QUERY = 0, OP_REGISTER = 5, OP_REFRESH = 8, OP_REFRESH_TOO = 9 };

/* Suffixes, as Microsoft and Samba use them. */
#define SUFFIX_HOST    0x00 /* of a group: its workgroup */
#define SUFFIX_DOMAIN  0x1c /* group: controllers of that domain */
#define SUFFIX_BROWSER 0x1e /* group: elections in that workgroup */
#define SUFFIX_SERVER  0x20

/* name[15], padded with spaces, and its suffix */
static void
add_name(struct sight *s, const uint8_t *name, uint16_t flags)
{
	uint8_t suffix = name[NAME_LEN];
	size_t	n = NAME_LEN;

	while (n > 0 && (name[n - 1] == ' ' || name[n - 1] == '\0'))
		n--;
	if ((flags & GROUP) == 0) {
		if (suffix == SUFFIX_HOST || suffix == SUFFIX_SERVER)
			sight_add(s, FACT_NAME, name, n);
	} else if (suffix == SUFFIX_HOST || suffix == SUFFIX_DOMAIN ||
	    suffix == SUFFIX_BROWSER)
		sight_add(s, FACT_DOMAIN, name, n);
}

/* A byte is two letters, "A" and its upper and lower half (RFC 1001, 14.1). */
static bool
decode(const struct dns_name *n, uint8_t out[NAME_LEN + 1])
{
	size_t	       len;
	const uint8_t *p = dns_label(n, 0, &len);

	if (p == NULL || len != 2 * (NAME_LEN + 1))
		return false;
	for (size_t i = 0; i < len; i++)
		if (p[i] < 'A' || p[i] > 'P')
			return false;
	for (size_t i = 0; i <= NAME_LEN; i++)
		out[i] = (uint8_t)((p[2 * i] - 'A') << 4 | (p[2 * i + 1] - 'A'));
	return true;
}

/* count:u8 { name[16] flags:u16 } unit-id[6] statistics */
static int
read_status(struct sight *s, struct rd r)
{
	uint8_t	       n = rd_u8(&r);
	const uint8_t *unit;

	while (n-- > 0) {
		const uint8_t *name = rd_bytes(&r, NAME_LEN + 1);
		uint16_t       flags = rd_u16(&r);

		if (r.err != 0)
			return -EBADMSG;
		add_name(s, name, flags);
	}
	if ((unit = rd_bytes(&r, 6)) != NULL && mac_is_host(unit))
		memcpy(s->mac, unit, sizeof(s->mac)); /* Samba's is zero */
	return 0;
}

/* { flags:u16 address[4] } repeated; the name is the sender's if one is its */
static int
read_addresses(const struct packet *p, struct sight *s, const uint8_t *name,
    struct rd r)
{
	uint8_t	 addr[16];
	uint16_t flags;

	while (r.left > 0) {
		const uint8_t *v4;

		flags = rd_u16(&r);
		if ((v4 = rd_bytes(&r, 4)) == NULL)
			return -EBADMSG;
		addr_from_v4(addr, v4);
		if (memcmp(addr, p->src, 16) == 0)
			add_name(s, name, flags);
	}
	return 0;
}

static int
read_record(const struct packet *p, struct sight *s, const struct dns_rr *rr)
{
	uint8_t name[NAME_LEN + 1];

	if (rr->section == DNS_QUESTION)
		return 0;
	if (rr->type == DNS_NBSTAT)
		return read_status(s, rr->data);
	return rr->type == DNS_NB && decode(&rr->name, name)
	    ? read_addresses(p, s, name, rr->data)
	    : 0;
}

int
netbios_read(const struct packet *p, struct rd r, const struct told *to)
{
	struct dns    d;
	struct dns_rr rr;
	struct sight  s;
	bool	      is_answer, has_names;
	int	      more, op;

	if (dns_begin(&d, r) < 0 || !addr_is_v4(p->src))
		return -EBADMSG;
	is_answer = (d.flags & DNS_RESPONSE) != 0;
	op = (d.flags & DNS_OPCODE) >> 11;
	has_names = is_answer ? op == OP_QUERY && (d.flags & DNS_RCODE) == 0
			      : op == OP_REGISTER || op == OP_REFRESH ||
		op == OP_REFRESH_TOO;
	packet_sight(p, SIGHT_NETBIOS, &s);
	s.asked = is_answer && p->to_us;
	while ((more = dns_next(&d, &rr)) > 0)
		if (has_names && read_record(p, &s, &rr) < 0)
			return -EBADMSG;
	if (more < 0)
		return -EBADMSG;
	to->fn(to->ctx, &s);
	return 0;
}
