/*
 * dp-scan/poll.c - see poll.h.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/poll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static bool
get(const uint8_t *bits, size_t i)
{
	return (bits[i / 8] >> i % 8 & 1) != 0;
}

static void
set(uint8_t *bits, size_t i)
{
	bits[i / 8] |= (uint8_t)(1 << i % 8);
}

static uint32_t
low(const uint8_t a[16])
{
	return (uint32_t)a[12] << 24 | (uint32_t)a[13] << 16 |
	    (uint32_t)a[14] << 8 | a[15];
}

static int
make_bits(struct poll *p)
{
	p->heard = calloc(p->n / 8 + 1, 1);
	p->skip = calloc(p->n / 8 + 1, 1);
	p->left = p->n;
	if (p->heard != NULL && p->skip != NULL)
		return 0;
	poll_fini(p);
	return -ENOMEM;
}

int
poll_network(struct poll *p, enum probe_kind kind, const uint8_t net[16],
    unsigned bits)
{
	bool	 v4 = memcmp(net, mapped, 12) == 0;
	uint32_t mask, first;
	uint64_t n;

	*p = (struct poll){ .kind = kind, .bits = (uint8_t)bits, .v4 = v4 };
	if (bits < 96 || bits > 128 || 1ULL << (128 - bits) > POLL_MOST)
		return -E2BIG;
	n = 1ULL << (128 - bits);
	mask = (uint32_t)(0 - n);
	first = low(net) & mask;
	memcpy(p->first, net, 12);
	memcpy(p->net, net, 12);
	for (int i = 0; i < 4; i++)
		p->net[12 + i] = (uint8_t)(first >> (24 - 8 * i));
	if (v4 && bits < 127) { /* RFC 3021 */
		first++;
		n -= 2;
	}
	for (int i = 0; i < 4; i++)
		p->first[12 + i] = (uint8_t)(first >> (24 - 8 * i));
	p->n = (size_t)n;
	return make_bits(p);
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

int
poll_list(struct poll *p, enum probe_kind kind, uint8_t (*take)[16], size_t n)
{
	size_t kept = 0;

	*p = (struct poll){ .kind = kind, .list = take };
	qsort(take, n, 16, by_bytes);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || memcmp(take[i], take[kept - 1], 16) != 0)
			memmove(take[kept++], take[i], 16);
	p->n = kept;
	p->v4 = kept > 0 && memcmp(p->list[0], mapped, 12) == 0;
	return make_bits(p);
}

void
poll_fini(struct poll *p)
{
	free(p->list);
	free(p->heard);
	free(p->skip);
	*p = (struct poll){ 0 };
}

static void
target(const struct poll *p, size_t i, uint8_t out[16])
{
	uint32_t v;

	if (p->list != NULL) {
		memcpy(out, p->list[i], 16);
		return;
	}
	memcpy(out, p->first, 12);
	v = low(p->first) + (uint32_t)i;
	for (int k = 0; k < 4; k++)
		out[12 + k] = (uint8_t)(v >> (24 - 8 * k));
}

static bool
find(const struct poll *p, const uint8_t addr[16], size_t *out)
{
	const uint8_t (*at)[16];

	if (p->list != NULL) {
		at = bsearch(addr, p->list, p->n, 16, by_bytes);
		*out = at != NULL ? (size_t)(at - (const uint8_t(*)[16])p->list)
				  : 0;
		return at != NULL;
	}
	*out = low(addr) - low(p->first);
	return memcmp(addr, p->first, 12) == 0 && low(addr) >= low(p->first) &&
	    *out < p->n;
}

void
poll_skip(struct poll *p, const uint8_t addr[16])
{
	size_t i;

	if (!find(p, addr, &i) || get(p->skip, i))
		return;
	set(p->skip, i);
	p->left--;
}

void
poll_skip_network(struct poll *p, const uint8_t net[16], unsigned bits)
{
	uint8_t addr[16];

	if (!scope_same_network(p->net, net, bits < p->bits ? bits : p->bits))
		return;
	for (size_t i = 0; i < p->n; i++) {
		target(p, i, addr);
		if (scope_same_network(addr, net, bits))
			poll_skip(p, addr);
	}
}

void
poll_skip_poll(struct poll *p, const struct poll *other)
{
	uint8_t addr[16];

	if (p->list == NULL && !scope_same_network(p->net, other->net,
		other->bits < p->bits ? other->bits : p->bits))
		return;
	for (size_t i = 0; i < p->n; i++) {
		target(p, i, addr);
		if (poll_has(other, addr))
			poll_skip(p, addr);
	}
}

void
poll_skip_ranges(struct poll *p, const struct scope *ranges)
{
	uint8_t addr[16];

	for (size_t i = 0; ranges->n > 0 && i < p->n; i++) {
		target(p, i, addr);
		if (scope_has(ranges, addr))
			poll_skip(p, addr);
	}
}

bool
poll_has(const struct poll *p, const uint8_t addr[16])
{
	size_t i;

	return find(p, addr, &i) && !get(p->skip, i);
}

bool
poll_heard(struct poll *p, const uint8_t addr[16])
{
	size_t i;

	if (!find(p, addr, &i) || get(p->skip, i) || get(p->heard, i))
		return false;
	set(p->heard, i);
	p->answered++;
	return true;
}

size_t
poll_take(struct poll *p, uint8_t (*out)[16], size_t max)
{
	size_t n = 0;

	for (; p->next < p->n && n < max; p->next++)
		if (!get(p->skip, p->next) &&
		    (p->round == 0 || !get(p->heard, p->next)))
			target(p, p->next, out[n++]);
	return n;
}

bool
poll_again(struct poll *p)
{
	bool group = p->kind == PROBE_ALLNODES ||
	    p->kind == PROBE_MDNS_BROWSE || p->kind == PROBE_SSDP;

	/* of a group it is not known how many there are; and asking who is in which
	 * is for routers: once is enough */
	if (p->kind == PROBE_MLD || p->round + 1 == POLL_ROUNDS ||
	    (!group && p->answered == p->left))
		return false;
	p->round++;
	p->next = 0;
	return true;
}

bool
poll_all_answer(const struct poll *p)
{
	size_t asked = p->round > 0 || p->next > p->left ? p->left : p->next;

	/* one in 64 may be lost */
	return asked >= POLL_ALL && p->answered + asked / 64 >= asked;
}

bool
poll_next_heard(const struct poll *p, size_t *pos, uint8_t out[16])
{
	while (*pos < p->n && !get(p->heard, *pos))
		++*pos;
	if (*pos == p->n)
		return false;
	target(p, (*pos)++, out);
	return true;
}
