/*
 * common/wr.c - bounded writer; see wr.h.
 * SPDX-License-Identifier: ISC
 */
#include "common/wr.h"

#include <errno.h>
#include <string.h>

struct wr
wr_to(void *buf, size_t size)
{
	return (struct wr){ .buf = buf, .size = size };
}

void
wr_bytes(struct wr *w, const void *p, size_t n)
{
	if (w->err != 0 || n > w->size - w->len) {
		w->err = -EMSGSIZE;
		return;
	}
	if (n > 0)
		memcpy(w->buf + w->len, p, n);
	w->len += n;
}

static void
wr_uint(struct wr *w, uint64_t v, size_t n)
{
	uint8_t b[8];

	for (size_t i = n; i-- > 0; v >>= 8)
		b[i] = (uint8_t)v;
	wr_bytes(w, b, n);
}

void
wr_u8(struct wr *w, uint8_t v)
{
	wr_uint(w, v, 1);
}

void
wr_u16(struct wr *w, uint16_t v)
{
	wr_uint(w, v, 2);
}

void
wr_u32(struct wr *w, uint32_t v)
{
	wr_uint(w, v, 4);
}

void
wr_u64(struct wr *w, uint64_t v)
{
	wr_uint(w, v, 8);
}

void
wr_str(struct wr *w, const char *s)
{
	size_t n = strlen(s);

	if (n > UINT16_MAX) {
		w->err = -EMSGSIZE;
		return;
	}
	wr_u16(w, (uint16_t)n);
	wr_bytes(w, s, n);
}
