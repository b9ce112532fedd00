/*
 * dp-probe/order.c - reads orders; see order.h.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
order_read(struct rd *r, struct order **out)
{
	struct order   head = { 0 }, *o;
	const uint8_t *p;
	size_t	       n;

	*out = NULL;
	head.id = rd_u32(r);
	head.kind = rd_u8(r);
	head.ifindex = rd_u32(r);
	if ((p = rd_bytes(r, sizeof(head.mac))) != NULL)
		memcpy(head.mac, p, sizeof(head.mac));
	if ((p = rd_bytes(r, sizeof(head.from))) != NULL)
		memcpy(head.from, p, sizeof(head.from));
	head.rate = rd_u32(r);
	n = r->left / 16;
	p = rd_bytes(r, n * 16);
	if (rd_done(r) < 0 || n == 0 || n > PROBE_TARGETS ||
	    head.kind == PROBE_NONE || head.kind >= PROBE_MAX ||
	    head.ifindex > INT32_MAX)
		return -EBADMSG;
	if ((o = malloc(sizeof(*o) + n * 16)) == NULL)
		return -ENOMEM;
	*o = head;
	o->n = (uint32_t)n;
	memcpy(o->target, p, n * 16);
	*out = o;
	return 0;
}

void
order_free(struct order **o)
{
	free(*o);
	*o = NULL;
}

void
order_fail(struct order *o, int err)
{
	o->failed += o->n - o->next;
	o->next = o->n;
	o->err = err;
}
