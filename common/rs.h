/*
 * common/rs.h - Reed-Solomon erasure code over GF(2^8), as RFC 5510 defines it.
 *
 * Shape:   k source symbols of one block become up to 255 encoding symbols.
 *          Encoding symbol ESI 0..k-1 is source symbol ESI itself, k..254 is
 *          parity. Any k different ones give the block back. The field is that
 *          of x^8+x^4+x^3+x^2+1 (0x11d), the generator matrix that of sections
 *          8.2 and 8.4: V(k,k)^-1 * V(k,255), V[i][j] = alpha^(i*j). Byte b of
 *          a symbol is coded with byte b of the others and with nothing else.
 * Units:   symbols of one call all have len bytes, 1..RS_LEN_MAX, at any
 *          alignment; a short last symbol is filled up with zeros by the
 * caller. Ownership: a struct rs serves all blocks with the same k, one after
 * the other: it holds the tables of the call under way, so not two threads. It
 *          keeps at most 0.6 MB, of which only what is used is ever touched.
 *          Nothing is allocated after rs_new().
 * Errors:  0, -ENOMEM, or -EINVAL when an argument is outside what is written
 *          here; then no symbol has been changed.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_RS_H
#define COMMON_RS_H

#include <stddef.h>
#include <stdint.h>

#define RS_N	   255	 /* encoding symbols of a block, at most */
#define RS_K_MAX   254	 /* source symbols: one parity symbol at least */
#define RS_LEN_MAX 65535 /* bytes of a symbol; RFC 5510 says it in 16 bits */

struct rs;
int rs_new(unsigned k, struct rs **out);
void rs_free(struct rs **r);

/*
 * Parity symbols esi..esi+n-1 of the block src[0..k-1], into out[0..n-1].
 * k <= esi, esi + n <= 255; n may be 0. Cheapest when blocks in turn ask
 * for the same run: its tables are then ready.
 */
int rs_encode(struct rs *r, size_t len, const uint8_t *const src[],
    unsigned esi, unsigned n, uint8_t *const out[]);

/*
 * Rebuilds the e source symbols missing[0..e-1] (rising, below k) in place from
 * the other k - e and from e parity symbols, parity[i] being ESI esi[i] (all
 * different, any order). Writes sym[missing[i]] and nothing else.
 */
int rs_decode(struct rs *r, size_t len, uint8_t *const sym[],
    const uint8_t missing[], unsigned e, const uint8_t *const parity[],
    const uint8_t esi[]);

#endif
