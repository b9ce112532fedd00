/*
 * common/rd.h - bounded reader over bytes that somebody else wrote.
 *
 * Shape:   a struct rd is a view; it never owns, copies or frees the bytes, and
 *          the bytes outlive it; buf is not NULL even when len is 0.
 * Units:   lengths are bytes; integers on the wire are big-endian.
 * Errors:  the first read past the end sets err to -EBADMSG and empties the
 *          view. Later reads give 0 or NULL. Read all fields, then ask
 *          rd_done() once.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_RD_H
#define COMMON_RD_H

#include <stddef.h>
#include <stdint.h>

struct rd {
	const uint8_t *p;
	size_t	       left;
	int	       err; /* 0 or -EBADMSG */
};

struct rd      rd_from(const void *buf, size_t len);
uint8_t	       rd_u8(struct rd *r);
uint16_t       rd_u16(struct rd *r);
uint32_t       rd_u32(struct rd *r);
uint64_t       rd_u64(struct rd *r);
const uint8_t *rd_bytes(struct rd *r, size_t n); /* borrowed from buf */
struct rd      rd_sub(struct rd *r, size_t n); /* the next n as a view; empty, and
						* r in error, if there are fewer */

/*
 * A string: u16 length, then bytes, none of them NUL. Copied into out, which
 * gets a closing NUL; longer than size - 1 is an error of the message.
 */
void rd_str(struct rd *r, char *out, size_t size);

int rd_done(const struct rd *r); /* 0: no error, nothing left over */

#endif
