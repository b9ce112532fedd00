/*
 * common/wr.h - bounded writer, the mirror of rd.h.
 *
 * Shape:   a struct wr fills memory of the caller's; len is what it has written.
 * Units:   integers are written big-endian.
 * Errors:  the first write past the end sets err to -EMSGSIZE; later writes do
 *          nothing. Write all fields, then look at err once.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_WR_H
#define COMMON_WR_H

#include <stddef.h>
#include <stdint.h>

struct wr {
	uint8_t *buf;
	size_t	 size, len;
	int	 err; /* 0 or -EMSGSIZE */
};

struct wr wr_to(void *buf, size_t size);
void	  wr_u8(struct wr *w, uint8_t v);
void	  wr_u16(struct wr *w, uint16_t v);
void	  wr_u32(struct wr *w, uint32_t v);
void	  wr_u64(struct wr *w, uint64_t v);
void	  wr_bytes(struct wr *w, const void *p, size_t n);
void	  wr_str(struct wr *w, const char *s); /* u16 length, then bytes */

#endif
