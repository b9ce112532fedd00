/*
 * dp-listen/echo.c - see echo.h.
 *
 * Runs in dp-listen. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/echo.h"

#include <errno.h>

/* type:u8 code:u8 checksum:u16 identifier:u16 sequence:u16 data */
static int
echo_read(const struct packet *p, struct rd r, uint8_t reply,
    const struct told *to)
{
	uint8_t	     type = rd_u8(&r), code = rd_u8(&r);
	struct sight s;

	(void)rd_bytes(&r, 6);
	if (r.err != 0)
		return -EBADMSG;
	if (type != reply || code != 0)
		return 0;
	if (!addr_is_host(p->src))
		return -EBADMSG;
	packet_sight(p, SIGHT_ECHO, &s);
	to->fn(to->ctx, &s);
	return 0;
}

int
echo4_read(const struct packet *p, struct rd r, const struct told *to)
{
	return echo_read(p, r, ECHO4_REPLY, to);
}

int
echo6_read(const struct packet *p, struct rd r, const struct told *to)
{
	return echo_read(p, r, ECHO6_REPLY, to);
}
