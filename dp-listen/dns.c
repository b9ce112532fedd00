/*
 * dp-listen/dns.c - see dns.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/dns.h"

#include "dp-listen/packet.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define LABEL_KIND    0xc0 /* the upper two bits: 00 a label, 11 a pointer */
#define LABEL_POINTER 0xc0

int
dns_begin(struct dns *d, struct rd msg)
{
	memset(d, 0, sizeof(*d));
	d->msg = msg.p;
	d->len = msg.left;
	(void)rd_u16(&msg);
	d->flags = rd_u16(&msg);
	for (int i = 0; i < 4; i++)
		d->left[i] = rd_u16(&msg);
	d->at = d->len - msg.left;
	return msg.err;
}

/* A length byte is below 64 and has no case. */
static uint8_t
small(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* FNV-1a: a message's names are compared with each other, and there may be many. */
static uint32_t
hash(const uint8_t *p, size_t n)
{
	uint32_t h = 2166136261;

	while (n-- > 0)
		h = (h ^ small(*p++)) * 16777619;
	return h;
}

int
dns_name(const struct dns *d, size_t *at, struct dns_name *out)
{
	size_t pos = *at, run = pos, to, n = 0;
	bool   moved = false;
	int    hops = 0;

	out->labels = 0;
	for (;;) {
		uint8_t c;

		if (pos >= d->len)
			return -EBADMSG;
		c = d->msg[pos];
		if ((c & LABEL_KIND) == LABEL_POINTER) {
			if (d->is_plain || d->len - pos < 2 || hops++ == DNS_HOPS)
				return -EBADMSG;
			to = (size_t)(c & 0x3f) << 8 | d->msg[pos + 1];
			if (to >= run)
				return -EBADMSG;
			if (!moved)
				*at = pos + 2;
			moved = true;
			pos = run = to;
			continue;
		}
		if ((c & LABEL_KIND) != 0 || c >= d->len - pos ||
		    n + c + 1U + (c != 0) > DNS_NAME) /* room for the root */
			return -EBADMSG;
		memcpy(out->wire + n, d->msg + pos, c + 1U);
		n += c + 1U;
		pos += c + 1U;
		if (c == 0)
			break;
		out->labels++;
	}
	out->len = (uint8_t)n;
	out->hash = hash(out->wire, n);
	if (!moved)
		*at = pos;
	return 0;
}

int
dns_next(struct dns *d, struct dns_rr *rr)
{
	struct rd r;
	int	  s = DNS_QUESTION;

	while (s <= DNS_ADDITIONAL && d->left[s] == 0)
		s++;
	if (s > DNS_ADDITIONAL || d->seen++ == DNS_RECORDS)
		return 0;
	d->left[s]--;
	if (dns_name(d, &d->at, &rr->name) < 0)
		return -EBADMSG;
	r = rd_from(d->msg + d->at, d->len - d->at);
	rr->section = s;
	rr->type = rd_u16(&r);
	rr->class = rd_u16(&r);
	rr->ttl = 0;
	rr->data = rd_from(d->msg, 0);
	if (s != DNS_QUESTION) {
		rr->ttl = rd_u32(&r);
		rr->data = rd_sub(&r, rd_u16(&r));
	}
	if (r.err != 0)
		return -EBADMSG;
	d->at = d->len - r.left;
	rr->at = d->at - rr->data.left;
	return 1;
}

int
dns_rdata_name(const struct dns *d, const struct dns_rr *rr, size_t skip,
    struct dns_name *out)
{
	size_t at = rr->at + skip;

	if (skip >= rr->data.left || dns_name(d, &at, out) < 0 || at > d->at)
		return -EBADMSG;
	return 0;
}

const uint8_t *
dns_label(const struct dns_name *n, unsigned i, size_t *len)
{
	const uint8_t *p = n->wire;

	if (i >= n->labels)
		return NULL;
	while (i-- > 0)
		p += *p + 1;
	*len = *p;
	return p + 1;
}

bool
dns_label_is(const struct dns_name *n, unsigned i, const char *text)
{
	size_t	       len;
	const uint8_t *p = dns_label(n, i, &len);

	return p != NULL && len == strlen(text) &&
	    strncasecmp((const char *)p, text, len) == 0;
}

bool
dns_same(const struct dns_name *a, const struct dns_name *b)
{
	if (a->len != b->len || a->hash != b->hash)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (small(a->wire[i]) != small(b->wire[i]))
			return false;
	return true;
}

size_t
dns_text(const struct dns_name *n, unsigned first, unsigned count,
    char out[DNS_TEXT])
{
	size_t at = 0, len;

	for (unsigned i = 0; i < count; i++) {
		const uint8_t *p = dns_label(n, first + i, &len);

		if (p == NULL)
			break;
		if (i > 0)
			out[at++] = '.';
		for (size_t k = 0; k < len; k++) {
			if (p[k] == '.')
				out[at++] = '\\';
			out[at++] = (char)p[k];
		}
	}
	return at;
}

static bool
reverse4(const struct dns_name *n, uint8_t addr[16])
{
	uint8_t v4[4];
	size_t	len;

	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *p = dns_label(n, 3 - i, &len);
		unsigned       v = 0;

		if (len == 0 || len > 3 || (len > 1 && p[0] == '0'))
			return false;
		for (size_t k = 0; k < len; k++) {
			if (!isdigit(p[k]))
				return false;
			v = v * 10 + (p[k] - (unsigned)'0');
		}
		if (v > 255)
			return false;
		v4[i] = (uint8_t)v;
	}
	addr_from_v4(addr, v4);
	return true;
}

static bool
reverse6(const struct dns_name *n, uint8_t addr[16])
{
	size_t len;

	memset(addr, 0, 16);
	for (unsigned i = 0; i < 32; i++) {
		const uint8_t *p = dns_label(n, 31 - i, &len);

		if (len != 1 || !isxdigit(p[0]))
			return false;
		addr[i / 2] = (uint8_t)(addr[i / 2] << 4 |
		    (isdigit(p[0]) ? p[0] - '0' : (p[0] | 0x20) - 'a' + 10));
	}
	return true;
}

bool
dns_reverse(const struct dns_name *n, uint8_t addr[16])
{
	if (n->labels == 6 && dns_label_is(n, 4, "in-addr") &&
	    dns_label_is(n, 5, "arpa"))
		return reverse4(n, addr);
	if (n->labels == 34 && dns_label_is(n, 32, "ip6") &&
	    dns_label_is(n, 33, "arpa"))
		return reverse6(n, addr);
	return false;
}
