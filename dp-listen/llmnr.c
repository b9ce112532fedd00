/*
 * dp-listen/llmnr.c - see llmnr.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/llmnr.h"

#include "dp-listen/dns.h"

#include <errno.h>
#include <string.h>

static void
add_address(const struct packet *p, struct sight *s, const struct dns_rr *rr)
{
	uint8_t addr[16];

	if (rr->type == DNS_A)
		addr_from_v4(addr, rr->data.p);
	else
		memcpy(addr, rr->data.p, 16);
	if (memcmp(addr, p->src, 16) != 0)
		sight_add_addr(s, FACT_ADDRESS, addr, 16);
}

static void
read_answer(const struct packet *p, struct sight *s, const struct dns *d,
    const struct dns_rr *rr)
{
	struct dns_name	       target;
	const struct dns_name *name = &rr->name;
	uint8_t		       addr[16];
	char		       text[DNS_TEXT];

	if ((rr->type == DNS_A && rr->data.left == 4) ||
	    (rr->type == DNS_AAAA && rr->data.left == 16))
		add_address(p, s, rr);
	else if (rr->type == DNS_PTR && dns_reverse(&rr->name, addr) &&
	    dns_rdata_name(d, rr, 0, &target) == 0)
		name = &target;
	else
		return;
	sight_add(s, FACT_NAME, text, dns_text(name, 0, name->labels, text));
}

int
llmnr_read(const struct packet *p, struct rd r, const struct told *to)
{
	struct dns    d;
	struct dns_rr rr;
	struct sight  s;
	bool	      is_answer;
	int	      more;

	if (dns_begin(&d, r) < 0 || (d.flags & DNS_OPCODE) != 0)
		return -EBADMSG;
	is_answer = (d.flags & DNS_RESPONSE) != 0;
	packet_sight(p, SIGHT_LLMNR, &s);
	s.asked = is_answer && p->to_us;
	while ((more = dns_next(&d, &rr)) > 0)
		if (is_answer && rr.section == DNS_ANSWER && rr.class == DNS_IN)
			read_answer(p, &s, &d, &rr);
	if (more < 0)
		return -EBADMSG;
	to->fn(to->ctx, &s);
	return 0;
}
