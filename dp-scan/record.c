/*
 * dp-scan/record.c - packed items of one device; see record.h.
 *
 * Pure but for memory. Believes nothing of what it reads back from the store.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Kept free of texts: what a device says must not hide where it is. */
#define KEYS_ROOM (RECORD_ADDRS * (7 + 16) + 8 * (7 + 6))
#define HEAD 7 /* bytes before an item's own */

unsigned
record_limit(uint8_t kind)
{
	switch (kind) {
	case ITEM_ADDR:
	case FACT_SERVICE:
		return RECORD_ADDRS;
	case FACT_NAME:
		return 16;
	case ITEM_MAC:
	case FACT_CLIENT_ID:
		return 8;
	default:
		return 4;
	}
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static void
put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

bool
record_next(const struct record *r, size_t *pos, struct item *out)
{
	const uint8_t *p;

	if (*pos >= r->len)
		return false;
	p = r->items + *pos;
	*out = (struct item){ p[0], p[1], p[2], get32(p + 3), p + HEAD };
	*pos += HEAD + (size_t)p[2];
	return true;
}

/* Host names, and services which have them, are the same in any case. */
static bool
same(uint8_t kind, const void *a, const void *b, size_t len)
{
	return kind == FACT_NAME || kind == FACT_DOMAIN
	    ? strncasecmp(a, b, len) == 0
	    : memcmp(a, b, len) == 0;
}

bool
record_find(const struct record *r, uint8_t kind, const void *data, size_t len,
    struct item *out)
{
	struct item it;
	size_t	    pos = 0;

	while (record_next(r, &pos, &it))
		if (it.kind == kind && it.len == len &&
		    same(kind, it.data, data, len)) {
			if (out != NULL)
				*out = it;
			return true;
		}
	return false;
}

bool
record_has(const struct record *r, uint8_t kind)
{
	struct item it;
	size_t	    pos = 0;

	while (record_next(r, &pos, &it))
		if (it.kind == kind)
			return true;
	return false;
}

bool
record_newest(const struct record *r, uint8_t kind, struct item *out)
{
	struct item it;
	size_t	    pos = 0;
	bool	    found = false;

	while (record_next(r, &pos, &it))
		if (it.kind == kind && (!found || it.seen >= out->seen)) {
			*out = it;
			found = true;
		}
	return found;
}

static void
cut(struct record *r, const struct item *it)
{
	uint8_t *at = r->items + (it->data - HEAD - r->items);
	size_t	 n = HEAD + (size_t)it->len;

	memmove(at, at + n, (size_t)(r->items + r->len - (at + n)));
	r->len = (uint16_t)(r->len - n);
}

void
record_drop(struct record *r, uint8_t kind, const void *data, size_t len)
{
	struct item it;

	if (record_find(r, kind, data, len, &it))
		cut(r, &it);
}

static int
room_for(struct record *r, size_t n)
{
	uint8_t *p;
	size_t	 want;

	if (r->len + n <= r->room)
		return 0;
	want = (r->len + n + 63) / 64 * 64;
	if ((p = realloc(r->items, want)) == NULL)
		return -ENOMEM;
	r->items = p;
	r->room = (uint16_t)want;
	return 0;
}

/* The oldest of the kind, and how many there are. */
static unsigned
oldest(const struct record *r, uint8_t kind, struct item *out)
{
	struct item it;
	size_t	    pos = 0;
	unsigned    n = 0;

	while (record_next(r, &pos, &it))
		if (it.kind == kind && (n++ == 0 || it.seen < out->seen))
			*out = it;
	return n;
}

/* What others say of a device it does not become the one to say; and an address that
 * the link showed is not one that a datagram says, because it says it, too. */
static bool
is_vouched(uint8_t kind, uint8_t by)
{
	return (kind == FACT_NAME && (by == SIGHT_DNS || by == SIGHT_LDAP)) ||
	    (kind == ITEM_ADDR && (by == SIGHT_ARP || by == SIGHT_NDP ||
		by == SIGHT_NEIGHBOUR));
}

int
record_put(struct record *r, uint8_t kind, uint8_t by, uint32_t now,
    const void *data, size_t len, enum record_change *change,
    struct item_copy *out)
{
	struct item it;
	uint8_t	   *p;
	size_t	    most = RECORD_BYTES;
	int	    e;

	out->kind = 0;
	*change = RECORD_REFUSED;
	if (len == 0 || len > 255)
		return 0;
	if (record_find(r, kind, data, len, &it)) {
		p = r->items + (it.data - HEAD - r->items);
		if (now >= it.seen) {
			if (!is_vouched(kind, it.by) || is_vouched(kind, by))
				p[1] = by;
			put32(p + 3, now);
		}
		*change = RECORD_KNOWN;
		return 0;
	}
	if (kind < FACT_MAX)
		most -= KEYS_ROOM;
	if (oldest(r, kind, &it) >= record_limit(kind)) {
		/* what only one source says many of at once is not worth more */
		if (it.seen + RECORD_FRESH_S > now)
			return 0;
		out->kind = kind;
		out->len = it.len;
		memcpy(out->data, it.data, it.len);
		cut(r, &it);
	}
	if (r->len + HEAD + len > most)
		return 0;
	if ((e = room_for(r, HEAD + len)) < 0)
		return e;
	p = r->items + r->len;
	p[0] = kind;
	p[1] = by;
	p[2] = (uint8_t)len;
	put32(p + 3, now);
	memcpy(p + HEAD, data, len);
	r->len = (uint16_t)(r->len + HEAD + len);
	*change = RECORD_ADDED;
	return 0;
}

void
record_times(struct record *r, uint32_t (*fn)(void *ctx, uint32_t t), void *ctx)
{
	r->first = fn(ctx, r->first);
	r->last = fn(ctx, r->last);
	r->saved = fn(ctx, r->saved);
	r->many_at = fn(ctx, r->many_at);
	for (size_t at = 0; at < r->len; at += HEAD + (size_t)r->items[at + 2])
		put32(r->items + at + 3, fn(ctx, get32(r->items + at + 3)));
}

void
record_fini(struct record *r)
{
	free(r->items);
	*r = (struct record){ 0 };
}

/* -- kept -- */

#define KEPT_CONFIRMED 1
#define KEPT_ABSENT    2
#define KEPT_MANY      4

void
record_write(const struct record *r, struct wr *w)
{
	wr_u32(w, r->id);
	wr_u32(w, r->first);
	wr_u32(w, r->last);
	wr_u32(w, r->by);
	wr_u8(w, (uint8_t)((r->confirmed ? KEPT_CONFIRMED : 0) |
		     (r->state == RECORD_ABSENT ? KEPT_ABSENT : 0) |
		     (r->many ? KEPT_MANY : 0)));
	wr_u16(w, r->len);
	wr_bytes(w, r->items, r->len);
}

/* No version of ours writes such a one. */
static bool
is_broken(const struct item *it)
{
	return it->kind == FACT_NONE || it->len == 0 ||
	    (it->kind == ITEM_MAC && it->len != 6) ||
	    (it->kind == ITEM_ADDR && it->len != 16);
}

/* Else a later version than this one kept it. */
static bool
is_known(const struct item *it)
{
	return it->by < SIGHT_BY_MAX && (it->kind < FACT_MAX ||
	    it->kind == ITEM_MAC || it->kind == ITEM_ADDR);
}

static void
copy_known(struct record *r, const uint8_t *bytes)
{
	struct record from = { .items = (uint8_t *)(uintptr_t)bytes,
		.len = r->len };
	struct item   it;
	size_t	      pos = 0, n;

	for (r->len = 0; record_next(&from, &pos, &it);) {
		if (!is_known(&it))
			continue;
		n = HEAD + (size_t)it.len;
		memcpy(r->items + r->len, it.data - HEAD, n);
		r->len = (uint16_t)(r->len + n);
	}
}

int
record_read(struct rd *rd, struct record *out)
{
	struct record r = { 0 };
	struct item   it;
	const uint8_t *bytes;
	uint8_t	       flags;
	size_t	       pos = 0;

	r.id = rd_u32(rd);
	r.first = rd_u32(rd);
	r.last = r.saved = rd_u32(rd);
	r.by = rd_u32(rd);
	flags = rd_u8(rd);
	r.len = rd_u16(rd);
	bytes = rd_bytes(rd, r.len);
	*out = (struct record){ 0 };
	if (rd->err != 0 || r.len > RECORD_BYTES || r.id == 0)
		return -EBADMSG;
	for (size_t at = 0; at < r.len; at += HEAD + (size_t)bytes[at + 2])
		if (r.len - at < HEAD || r.len - at - HEAD < bytes[at + 2])
			return -EBADMSG;
	r.items = (uint8_t *)(uintptr_t)bytes;
	while (record_next(&r, &pos, &it))
		if (is_broken(&it))
			return -EBADMSG;
	r.items = NULL;
	if (r.len > 0 && (r.items = malloc(r.len)) == NULL)
		return -ENOMEM;
	r.room = r.len;
	copy_known(&r, bytes);
	r.confirmed = (flags & KEPT_CONFIRMED) != 0;
	r.many = (flags & KEPT_MANY) != 0;
	r.state = (flags & KEPT_ABSENT) != 0 ? RECORD_ABSENT : RECORD_SEEN;
	*out = r;
	return 0;
}
