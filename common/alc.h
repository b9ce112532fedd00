/*
 * common/alc.h - packets of ALC (RFC 5775): an LCT header (RFC 5651), a FEC
 * payload ID (RFC 5445), a payload; and the cutting of an object into blocks
 * (RFC 5052, section 9.1).
 *
 * Shape:   this is one profile of these RFCs. LCT: version 1, C=0, S=0, O=0, H=1,
 *          so 32 bits of congestion control information, 16 of TSI, 16 of TOI.
 *          TOI 0 is the FDT (RFC 6726): codepoint 0, Compact No-Code, always
 *          with EXT_FDT and EXT_FTI. Every other TOI is an object: codepoint 129,
 *          Small Block Systematic, FEC instance 0, whose code is RFC 5510's over
 *          GF(2^8). The codepoint is the FEC encoding ID.
 *          The counter numbers the packets of a session and begins at 1. Its low
 *          32 bits stand where congestion control information would. In secure
 *          mode the next 24 stand in an extension of ours; the session ends
 *          before the upper 8 are needed. In open mode it ends at 2^32.
 *          A secure FDT packet also says from which generation of the group's
 *          secret and which salt the session's key comes (mcast_seal.h).
 *          The table of fields is in docs/design.md, "Multicast on the wire".
 * Units:   integers are big-endian; lengths are bytes, blocks are symbols.
 * Errors:  alc_parse gives -EBADMSG for what is not ours, and then leaves *h
 *          unspecified. Unknown extensions are skipped, as RFC 5651 asks. It
 *          authenticates nothing: in secure mode believe a header only after
 *          mcast_unseal() with all of the packet before the payload.
 *          Whether the numbers fit the object is the receiver's to check
 *          (alc_blocks_hold), since a packet can come before its FDT.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_ALC_H
#define COMMON_ALC_H

#include "common/mcast_seal.h"

#define ALC_TOI_FDT	     0
#define ALC_SYMBOLS_MAX	     255 /* of a block, parity and all: RFC 5510, m = 8 */
#define ALC_BLOCK	     200 /* source symbols of a block of ours, at most */
#define ALC_COUNTER_MAX	     ((UINT64_C(1) << 56) - 1)
#define ALC_COUNTER_OPEN_MAX UINT64_C(0xffffffff)      /* in open mode */
#define ALC_LENGTH_MAX	     ((UINT64_C(1) << 48) - 1) /* EXT_FTI's 48 bits */

/* Bytes before the payload: of a data packet in secure mode, and at most. */
#define ALC_DATA_HEAD 24
#define ALC_HEAD_MAX  60

/* A symbol fills one packet of a 1,500-byte network, seal included; the same in
 * open mode. The FDT's has room for its longer header on either. */
#define ALC_SYMBOL_IPV4 1432
#define ALC_SYMBOL_IPV6 1412
#define ALC_SYMBOL_FDT	1376

enum { ALC_FEC_NO_CODE = 0, ALC_FEC_SMALL_BLOCK = 129 };

enum alc_flag {
	ALC_SECURE = 1,	       /* 56 bits of counter; the payload is sealed */
	ALC_SALT = 2,	       /* generation and salt; TOI 0 in secure mode */
	ALC_CLOSE_SESSION = 4, /* LCT's A: no more packets will come */
	ALC_CLOSE_OBJECT = 8,  /* LCT's B: no more of this object */
};

/* FEC object transmission information. */
struct alc_fti {
	uint64_t length;  /* of the object: 1 to ALC_LENGTH_MAX */
	uint32_t block;	  /* source symbols of a block, at most */
	uint16_t symbol;  /* bytes */
	uint16_t symbols; /* of a block, parity and all, at most; 0: no code */
};

struct alc_head {
	uint64_t       counter;
	uint16_t       tsi, toi;
	uint8_t	       flags;	   /* enum alc_flag */
	uint32_t       sbn;	   /* number of the block */
	uint16_t       sbl;	   /* its source symbols; 0 for TOI 0 */
	uint16_t       esi;	   /* number of the symbol within the block */
	uint32_t       fdt;	   /* TOI 0: FDT instance ID, 20 bits */
	struct alc_fti fti;	   /* TOI 0: of the FDT itself */
	uint16_t       generation; /* ALC_SALT */
	uint8_t	       salt[MCAST_SALT_LEN]; /* ALC_SALT */
};

/* Reads a packet's header. The payload, never empty, begins head_len bytes into
 * buf; in secure mode it is longer than a tag. */
int alc_parse(
    struct alc_head *h, const void *buf, size_t len, size_t *head_len);

/* Writes h to buf and gives its bytes, at most ALC_HEAD_MAX. -EINVAL: h breaks
 * a rule from above; -EMSGSIZE: no room. */
int alc_build(
    const struct alc_head *h, void *buf, size_t size, size_t *head_len);

/* How an object is cut: the first `larges` blocks have `large` source symbols,
 * the others `small`, one fewer or as many; only the very last symbol can be
 * shorter than `symbol` bytes. */
struct alc_blocks {
	uint64_t length;
	uint32_t count, larges;
	uint16_t symbol, large, small;
};

/* -EINVAL: an empty object, a zero, block over ALC_SYMBOLS_MAX; -EFBIG: longer
 * than ALC_LENGTH_MAX, or more than 2^32 - 1 symbols. */
int alc_blocks_init(
    struct alc_blocks *b, uint64_t length, uint32_t symbol, uint32_t block);

/* Of block sbn, below count: source symbols, first byte in the object, bytes.
 */
uint16_t alc_block_symbols(const struct alc_blocks *b, uint32_t sbn);
uint64_t alc_block_offset(const struct alc_blocks *b, uint32_t sbn);
uint32_t alc_block_bytes(const struct alc_blocks *b, uint32_t sbn);

/* Whether the header's block and symbol numbers fit such an object, whose
 * blocks have at most `symbols` symbols, parity and all. */
bool alc_blocks_hold(
    const struct alc_blocks *b, uint16_t symbols, const struct alc_head *h);

#endif
