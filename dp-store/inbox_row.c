/*
 * dp-store/inbox_row.c - bytes of the inbox; see inbox_row.h.
 *
 * Runs in dp-store. Pure: believes nothing a disk gives back.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/inbox_row.h"

#include "common/rd.h"
#include "common/wr.h"

#include <errno.h>
#include <string.h>

#define RECORD_VERSION 1

static int
row_done(const struct rd *r)
{
	return rd_done(r) < 0 ? -EUCLEAN : 0;
}

static void
write_id(struct wr *w, const struct report_id *id)
{
	wr_bytes(w, id->device, REPORT_DEVICE_LEN);
	wr_u64(w, id->sequence);
}

static void
read_id(struct rd *r, struct report_id *id)
{
	const uint8_t *p = rd_bytes(r, REPORT_DEVICE_LEN);

	if (p != NULL)
		memcpy(id->device, p, REPORT_DEVICE_LEN);
	id->sequence = rd_u64(r);
}

void
inbox_key(const struct report_id *id, uint8_t out[INBOX_KEY_LEN])
{
	struct wr w = wr_to(out, INBOX_KEY_LEN);

	write_id(&w, id);
}

int
inbox_key_parse(const void *p, size_t len, struct report_id *out)
{
	struct rd r = rd_from(p, len);

	read_id(&r, out);
	return row_done(&r);
}

void
inbox_time_key(uint64_t received, const struct report_id *id,
    uint8_t out[INBOX_TIME_LEN])
{
	struct wr w = wr_to(out, INBOX_TIME_LEN);

	wr_u64(&w, received);
	write_id(&w, id);
}

int
inbox_time_parse(const void *p, size_t len, uint64_t *received,
    struct report_id *out)
{
	struct rd r = rd_from(p, len);

	*received = rd_u64(&r);
	read_id(&r, out);
	return row_done(&r);
}

void
inbox_record_head(const struct inbox_record *rec, uint8_t out[INBOX_HEAD_LEN])
{
	struct wr w = wr_to(out, INBOX_HEAD_LEN);

	wr_u8(&w, RECORD_VERSION);
	wr_u16(&w, rec->status);
	wr_u64(&w, rec->received);
}

int
inbox_record_parse(const void *p, size_t len, struct inbox_record *out)
{
	struct rd r = rd_from(p, len);

	if (rd_u8(&r) != RECORD_VERSION)
		return -EUCLEAN;
	out->status = rd_u16(&r);
	out->received = rd_u64(&r);
	out->len = r.left;
	out->body = rd_bytes(&r, r.left);
	if (out->len > REPORT_BYTES_MAX)
		return -EUCLEAN;
	return row_done(&r);
}

void
inbox_device_write(const struct inbox_device *d, uint8_t out[INBOX_DEVICE_LEN])
{
	struct wr w = wr_to(out, INBOX_DEVICE_LEN);

	wr_u64(&w, d->highest);
	wr_u64(&w, d->used);
	wr_u32(&w, d->reports);
	wr_u64(&w, d->bytes);
}

int
inbox_device_parse(const void *p, size_t len, struct inbox_device *out)
{
	struct rd r = rd_from(p, len);

	out->highest = rd_u64(&r);
	out->used = rd_u64(&r);
	out->reports = rd_u32(&r);
	out->bytes = rd_u64(&r);
	if (out->highest > REPORT_SEQUENCE_MAX)
		return -EUCLEAN;
	return row_done(&r);
}

void
inbox_sums_write(const struct inbox_sums *s, uint8_t out[INBOX_SUMS_LEN])
{
	struct wr w = wr_to(out, INBOX_SUMS_LEN);

	wr_u64(&w, s->queued);
	wr_u64(&w, s->queued_bytes);
	wr_u64(&w, s->aside);
	wr_u64(&w, s->aside_bytes);
	wr_u64(&w, s->devices);
}

int
inbox_sums_parse(const void *p, size_t len, struct inbox_sums *out)
{
	struct rd r = rd_from(p, len);

	out->queued = rd_u64(&r);
	out->queued_bytes = rd_u64(&r);
	out->aside = rd_u64(&r);
	out->aside_bytes = rd_u64(&r);
	out->devices = rd_u64(&r);
	return row_done(&r);
}
