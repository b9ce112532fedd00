/*
 * dp-listen/mld.c - see mld.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/mld.h"

#include <errno.h>

/* type:u8 aux-len:u8 nsources:u16 group[16] source[16]... aux:u32... */
static void
read_record(struct rd *r)
{
	uint16_t nsources;
	uint8_t	 naux;

	(void)rd_u8(r);
	naux = rd_u8(r);
	nsources = rd_u16(r);
	(void)rd_bytes(r, 16 + nsources * 16U + naux * 4U);
}

/* type:u8 code:u8 checksum:u16; of version 2 reserved:u16 nrecords:u16 records, of
 * version 1 delay:u16 reserved:u16 group[16] */
int
mld_read(const struct packet *p, struct rd r, const struct told *to)
{
	uint8_t	     type = rd_u8(&r);
	uint16_t     n;
	struct sight s;

	(void)rd_bytes(&r, 5);
	n = rd_u16(&r);
	if (type == MLD_REPORT1)
		(void)rd_bytes(&r, 16);
	else if (type == MLD_REPORT2)
		for (; n > 0 && r.err == 0; n--)
			read_record(&r);
	else
		return 0;
	if (r.err != 0 || p->ttl != 1)
		return -EBADMSG;
	if (!addr_is_link_local(p->src))
		return 0;
	packet_sight(p, SIGHT_MLD, &s);
	s.asked = false; /* it goes to the group, asked or not */
	to->fn(to->ctx, &s);
	return 0;
}
