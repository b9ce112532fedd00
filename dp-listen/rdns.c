/*
 * dp-listen/rdns.c - see rdns.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/rdns.h"

#include "dp-listen/dns.h"

#include <errno.h>

int
rdns_read(const struct packet *p, struct rd r, const struct told *to)
{
	struct dns	d;
	struct dns_rr	rr;
	struct dns_name name;
	struct sight	s;
	char		text[DNS_TEXT];
	int		more;

	if (dns_begin(&d, r) < 0 || (d.flags & DNS_OPCODE) != 0 ||
	    (d.flags & DNS_RESPONSE) == 0 || d.left[DNS_QUESTION] != 1)
		return -EBADMSG;
	sight_begin(&s, SIGHT_DNS);
	s.ifindex = p->ifindex;
	s.asked = p->to_us;
	if (dns_next(&d, &rr) != 1)
		return -EBADMSG;
	if (rr.type != DNS_PTR || rr.class != DNS_IN ||
	    !dns_reverse(&rr.name, s.addr) || !addr_is_host(s.addr))
		return -EBADMSG;
	if ((d.flags & DNS_RCODE) != 0)
		return 0;
	while ((more = dns_next(&d, &rr)) > 0)
		if (rr.section == DNS_ANSWER && rr.type == DNS_PTR &&
		    rr.class == DNS_IN && dns_rdata_name(&d, &rr, 0, &name) == 0)
			sight_add(&s, FACT_NAME, text,
			    dns_text(&name, 0, name.labels, text));
	if (more < 0)
		return -EBADMSG;
	if (s.nfacts > 0)
		to->fn(to->ctx, &s);
	return 0;
}
