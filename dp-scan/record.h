/*
 * dp-scan/record.h - what is known of one device.
 *
 * Shape:   a head and packed items: a MAC address, an IP address, or a fact of
 *          common/sight.h, each with who said it last and when. Texts are those
 *          of sights: printable, escaped.
 * Bounds:  so many items of a kind as record_limit() says, RECORD_BYTES in all.
 *          A new one displaces the oldest of its kind, unless that one is of
 *          the last RECORD_FRESH_S: who says more at once is not believed.
 * Units:   seconds since 1970, 32 bits: until 2106.
 * Form:    items stand in memory as in the store: { u8 kind, u8 by, u8 len, u32
 *          seen, bytes }. Kinds are added and never change their meaning: an item
 *          of a kind that we do not know was kept by a later version and is left
 *          out, the rest of its record is not.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_RECORD_H
#define DP_SCAN_RECORD_H

#include "common/sight.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_BYTES   4096
#define RECORD_FRESH_S 60
/* What record_write() writes at most. */
#define RECORD_WIRE    (24 + RECORD_BYTES)

#define RECORD_ADDRS   32 /* of a device; it may have as many services */

/* Kinds of items: enum fact, and these. */
#define ITEM_MAC     64 /* 6 bytes */
#define ITEM_ADDR    65 /* 16 bytes, IPv4 mapped; of a link, see addr.h */
#define ITEM_KINDS   66

struct item {
	uint8_t	       kind, by, len;
	uint32_t       seen;
	const uint8_t *data; /* borrowed until the record changes */
};

enum record_state {
	RECORD_FREE,
	RECORD_SEEN,
	RECORD_ABSENT, /* silent for its life time */
};

struct record {
	uint32_t id;	      /* the same for as long as the device is known */
	uint32_t first, last; /* seen */
	uint32_t saved;	      /* `last` as it stands in the store */
	uint32_t by;	      /* bits 1 << enum sight_by */
	uint32_t prev, next;  /* devices.c's lists */
	uint16_t len, room;   /* of items */
	uint8_t	 state;
	bool	 confirmed;   /* answered us, or is vouched for; else only heard */
	bool	 many;	      /* claims more addresses than are believed, */
	uint32_t many_at;     /* the last time then; not kept */
	uint8_t *items;
};

unsigned record_limit(uint8_t kind);

enum record_change {
	RECORD_KNOWN,
	RECORD_ADDED,
	RECORD_REFUSED, /* more than is believed */
};
struct item_copy {
	uint8_t kind, len, data[255]; /* kind 0: none */
};
/*
 * Negative: -ENOMEM. *out gets what was displaced, if anything was. Texts that differ
 * in case alone are one where the kind is a name; one that DNS or a directory gave
 * stays theirs when the device says it, too, and an address that ARP, NDP or the
 * kernel's table showed stays theirs.
 */
int  record_put(struct record *r, uint8_t kind, uint8_t by, uint32_t now,
     const void *data, size_t len, enum record_change *change,
     struct item_copy *out);
void record_drop(struct record *r, uint8_t kind, const void *data, size_t len);
bool record_find(const struct record *r, uint8_t kind, const void *data,
     size_t len, struct item *out); /* out may be NULL */
bool record_has(const struct record *r, uint8_t kind);
/* The one that was seen last; false: none. */
bool record_newest(const struct record *r, uint8_t kind, struct item *out);
/* From *pos (0 at first) on: true, and *pos moves. */
bool record_next(const struct record *r, size_t *pos, struct item *out);
/* Each of its times becomes fn's of it. */
void record_times(struct record *r, uint32_t (*fn)(void *ctx, uint32_t t),
     void *ctx);
void record_fini(struct record *r);

void record_write(const struct record *r, struct wr *w);
/* The next one; -EBADMSG, nothing is left of it then. */
int  record_read(struct rd *rd, struct record *out);

#endif
