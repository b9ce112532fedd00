/*
 * dp-store/inbox_row.h - keys and values of the inbox, as bytes.
 *
 *   queue, aside  device[16] sequence:u64 -> version:u8 status:u16 received:u64
 *                 body...: a device's reports stand together, in their order
 *   times         received:u64 device[16] sequence:u64 -> empty: oldest first
 *   devices       device[16] -> highest:u64 used:u64 reports:u32 bytes:u64
 *   meta          "sums" -> queued, its bytes, aside, its bytes, devices: u64 each
 *                 "clock" -> u64: where the inbox's clock was at a commit
 * Units:   times are seconds of the inbox's clock (inbox.h); bytes are inbox_cost().
 * Shape:   pure; what is parsed is borrowed from the bytes.
 * Errors:  -EUCLEAN: the disk gave back what was never written.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_STORE_INBOX_ROW_H
#define DP_STORE_INBOX_ROW_H

#include "common/report.h"

#include <stddef.h>
#include <stdint.h>

#define INBOX_KEY_LEN	 (REPORT_DEVICE_LEN + 8)
#define INBOX_TIME_LEN	 (8 + INBOX_KEY_LEN)
#define INBOX_HEAD_LEN	 11 /* of a record, before its body */
#define INBOX_DEVICE_LEN 28
#define INBOX_SUMS_LEN	 40

struct inbox_record {
	uint64_t       received;
	uint16_t       status; /* aside: what the server answered; else 0 */
	const uint8_t *body;
	size_t	       len;
};

struct inbox_device {
	uint64_t highest; /* acknowledged */
	uint64_t used;	  /* when something last came or went */
	uint32_t reports; /* kept of it, and their */
	uint64_t bytes;
};

struct inbox_sums {
	uint64_t queued, queued_bytes; /* reports that wait */
	uint64_t aside, aside_bytes;   /* and those the server refused */
	uint64_t devices;	       /* known */
};

/* What a report takes, rows and all: so empty ones are not for nothing. */
static inline uint64_t
inbox_cost(size_t body_len)
{
	return body_len + 256;
}

void inbox_key(const struct report_id *id, uint8_t out[INBOX_KEY_LEN]);
int  inbox_key_parse(const void *p, size_t len, struct report_id *out);
void inbox_time_key(uint64_t received, const struct report_id *id,
    uint8_t out[INBOX_TIME_LEN]);
int  inbox_time_parse(const void *p, size_t len, uint64_t *received,
     struct report_id *out);
void inbox_record_head(const struct inbox_record *r,
    uint8_t out[INBOX_HEAD_LEN]);
int  inbox_record_parse(const void *p, size_t len, struct inbox_record *out);
void inbox_device_write(const struct inbox_device *d,
    uint8_t out[INBOX_DEVICE_LEN]);
int  inbox_device_parse(const void *p, size_t len, struct inbox_device *out);
void inbox_sums_write(const struct inbox_sums *s, uint8_t out[INBOX_SUMS_LEN]);
int  inbox_sums_parse(const void *p, size_t len, struct inbox_sums *out);

#endif
