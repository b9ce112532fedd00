/*
 * common/rd.c - bounded reader; see rd.h.
 *
 * Runs in every program. Believes nothing: this is where all arithmetic on
 * foreign lengths happens.
 * SPDX-License-Identifier: ISC
 */
#include "common/rd.h"

#include <errno.h>
#include <string.h>

struct rd
rd_from(const void *buf, size_t len)
{
	return (struct rd){ .p = buf, .left = len };
}

const uint8_t *
rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->err != 0 || n > r->left) { /* compare; p + n could wrap */
		r->err = -EBADMSG;
		r->left = 0;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

struct rd
rd_sub(struct rd *r, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);

	return rd_from(p != NULL ? p : (const uint8_t *)"", p != NULL ? n : 0);
}

static uint64_t
rd_uint(struct rd *r, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);
	uint64_t       v = 0;

	if (p == NULL)
		return 0;
	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

uint8_t
rd_u8(struct rd *r)
{
	return (uint8_t)rd_uint(r, 1);
}

uint16_t
rd_u16(struct rd *r)
{
	return (uint16_t)rd_uint(r, 2);
}

uint32_t
rd_u32(struct rd *r)
{
	return (uint32_t)rd_uint(r, 4);
}

uint64_t
rd_u64(struct rd *r)
{
	return rd_uint(r, 8);
}

void
rd_str(struct rd *r, char *out, size_t size)
{
	size_t	       n = rd_u16(r);
	const uint8_t *p = rd_bytes(r, n);

	out[0] = '\0';
	if (p == NULL)
		return;
	if (n >= size || memchr(p, '\0', n) != NULL) {
		r->err = -EBADMSG;
		r->left = 0;
		return;
	}
	memcpy(out, p, n);
	out[n] = '\0';
}

int
rd_done(const struct rd *r)
{
	if (r->err != 0)
		return r->err;
	return r->left == 0 ? 0 : -EBADMSG;
}
