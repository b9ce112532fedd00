/*
 * Any packet: stay in bounds, and what is accepted is described truthfully: it
 * builds back to the same header, byte by byte where its extensions can only
 * stand in one order.
 * SPDX-License-Identifier: ISC
 */
#include "common/alc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
cut(const struct alc_fti *f)
{
	struct alc_blocks b;

	if (alc_blocks_init(&b, f->length, f->symbol, f->block) < 0)
		return;
	must(b.count > 0 && b.large <= f->block && b.small <= b.large);
	must(alc_block_offset(&b, 0) == 0);
	must(alc_block_offset(&b, b.count - 1) +
		 alc_block_bytes(&b, b.count - 1) ==
	     f->length);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct alc_head h = { 0 }, again = { 0 };
	uint8_t		buf[ALC_HEAD_MAX + 1 + MCAST_TAG_LEN] = { 0 };
	size_t		len, n;

	if (alc_parse(&h, data, size, &len) < 0)
		return 0;
	must(len < size && h.counter > 0 && h.counter <= ALC_COUNTER_MAX);
	must(alc_build(&h, buf, ALC_HEAD_MAX, &n) == 0 && n <= len);
	if (h.toi != ALC_TOI_FDT) {
		must(h.sbl > 0 && h.esi < ALC_SYMBOLS_MAX);
		must(n < len || memcmp(buf, data, n) == 0);
	} else {
		cut(&h.fti);
	}
	must(alc_parse(&again, buf, sizeof(buf), &len) == 0 && len == n);
	must(again.counter == h.counter && again.tsi == h.tsi &&
	     again.toi == h.toi && again.flags == h.flags &&
	     again.sbn == h.sbn && again.sbl == h.sbl && again.esi == h.esi);
	must(again.fdt == h.fdt && again.generation == h.generation &&
	     memcmp(&again.fti, &h.fti, sizeof(h.fti)) == 0 &&
	     memcmp(again.salt, h.salt, sizeof(h.salt)) == 0);
	return 0;
}
