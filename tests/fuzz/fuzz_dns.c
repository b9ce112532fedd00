/*
 * tests/fuzz/fuzz_dns.c - messages in DNS's form: a name that is read has the
 * labels it says, is read the same from its own wire form, and every walk ends
 * within the message.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/dns.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct dns_name *n)
{
	struct dns	d = { .msg = n->wire, .len = n->len, .is_plain = true };
	struct dns_name again;
	size_t		at = 0, len, sum = 1;
	char		text[DNS_TEXT];
	uint8_t		addr[16];

	if (dns_name(&d, &at, &again) < 0 || at != n->len ||
	    again.labels != n->labels || !dns_same(n, &again))
		abort();
	for (unsigned i = 0; dns_label(n, i, &len) != NULL; i++)
		sum += len + 1;
	if (sum != n->len || dns_text(n, 0, n->labels, text) > sizeof(text))
		abort();
	(void)dns_reverse(n, addr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns	d;
	struct dns_rr	rr;
	struct dns_name name;
	size_t		at = size / 3;
	unsigned	n = 0;

	if (dns_begin(&d, rd_from(data, size)) == 0)
		while (dns_next(&d, &rr) > 0) {
			check(&rr.name);
			if (d.at > size || rr.at + rr.data.left > size ||
			    ++n > DNS_RECORDS)
				abort();
			if (dns_rdata_name(&d, &rr, 0, &name) == 0)
				check(&name);
		}
	if (size > 0 && dns_name(&d, &at, &name) == 0) {
		if (at > size)
			abort();
		check(&name);
	}
	return 0;
}
