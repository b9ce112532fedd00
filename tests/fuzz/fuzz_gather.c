/*
 * Whatever symbols an insider sends of whatever objects he describes: within
 * bounds, and what is found has its hash.
 *
 * input := { description:u8[10] count:u8 { symbol:u8[5] } }
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/gather.h"

#include "common/rd.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
describe(struct rd *r, struct fdt_file *f)
{
	static char    name[] = "a";
	static uint8_t zeros[4096];

	*f = (struct fdt_file){ .name = name, .toi = rd_u8(r) };
	f->fti = (struct alc_fti){ .length = rd_u32(r), .symbol = rd_u16(r),
		.block = rd_u8(r), .symbols = rd_u8(r) };
	name[0] = (char)('a' + f->toi % 3);
	/* of zeros, so that some come out right; else of nothing */
	if (rd_u8(r) % 2 == 0 && f->fti.length <= sizeof(zeros))
		(void)hash_of(&f->hash, zeros, f->fti.length);
}

static void
symbol(struct rd *r, struct gather *g, const struct fdt_file *f)
{
	struct alc_blocks b;
	struct alc_head	  h = { .toi = f->toi, .counter = 1 };
	uint8_t		 *to;
	size_t		  n;

	h.sbn = rd_u8(r);
	h.esi = rd_u8(r);
	n = rd_u16(r);
	/* mostly what the sender would say */
	if (alc_blocks_init(&b, f->fti.length, f->fti.symbol, f->fti.block) == 0 &&
	    h.sbn < b.count)
		h.sbl = alc_block_symbols(&b, h.sbn);
	if (rd_u8(r) % 2 == 0)
		n = f->fti.symbol;
	if ((to = gather_place(g, f, &h, n)) == NULL)
		return;
	memset(to, 0, n);
	(void)gather_placed(g, f, &h, n);
	if (g->bytes > GATHER_BYTES || g->n > GATHER_OBJECTS)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool	ready;
	struct gather	g = { 0 };
	struct rd	r = rd_from(data, size);
	struct fdt_file f;
	struct hash	h;
	const void     *bytes;
	size_t		len;

	if (!ready && hash_setup() < 0)
		abort();
	ready = true;
	while (r.left > 0 && r.err == 0) {
		describe(&r, &f);
		if (f.fti.length == 0 || f.toi == 0)
			continue; /* common/fdt.h lets none pass */
		for (unsigned n = rd_u8(&r); n > 0 && r.err == 0; n--)
			symbol(&r, &g, &f);
		if (gather_find(&g, f.name, &f.hash, &bytes, &len) &&
		    (hash_of(&h, bytes, len) < 0 || !hash_eq(&h, &f.hash)))
			abort();
	}
	gather_fini(&g);
	return 0;
}
