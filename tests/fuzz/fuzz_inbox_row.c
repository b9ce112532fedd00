/*
 * tests/fuzz/fuzz_inbox_row.c - whatever a disk gives back for a row of the inbox:
 * stay in bounds, and accept only what is written the same again. The first
 * byte says which kind of row.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/inbox_row.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(const uint8_t *p, size_t n, const uint8_t *q, size_t m)
{
	if (n != m || memcmp(p, q, n) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t		    buf[64];
	struct report_id    id;
	struct inbox_record rec;
	struct inbox_device d;
	struct inbox_sums   sums;
	uint64_t	    received;
	uint8_t		    kind;

	if (size == 0)
		return 0;
	kind = *data++ % 5;
	size--;
	if (kind == 0 && inbox_key_parse(data, size, &id) == 0) {
		inbox_key(&id, buf);
		same(data, size, buf, INBOX_KEY_LEN);
	} else if (kind == 1 &&
	    inbox_time_parse(data, size, &received, &id) == 0) {
		inbox_time_key(received, &id, buf);
		same(data, size, buf, INBOX_TIME_LEN);
	} else if (kind == 2 && inbox_record_parse(data, size, &rec) == 0) {
		inbox_record_head(&rec, buf);
		same(data, INBOX_HEAD_LEN, buf, INBOX_HEAD_LEN);
		same(data + INBOX_HEAD_LEN, size - INBOX_HEAD_LEN, rec.body,
		    rec.len);
	} else if (kind == 3 && inbox_device_parse(data, size, &d) == 0) {
		inbox_device_write(&d, buf);
		same(data, size, buf, INBOX_DEVICE_LEN);
	} else if (kind == 4 && inbox_sums_parse(data, size, &sums) == 0) {
		inbox_sums_write(&sums, buf);
		same(data, size, buf, INBOX_SUMS_LEN);
	}
	return 0;
}
