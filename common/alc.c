/*
 * common/alc.c - ALC packets and block partitioning; see alc.h.
 *
 * Runs once a packet in the sender and in every receiver. Believes nothing of
 * a packet: every length is checked by rd.h or against it.
 * SPDX-License-Identifier: ISC
 */
#include "common/alc.h"

#include "common/rd.h"
#include "common/wr.h"

#include <errno.h>
#include <string.h>

/*
 * RFC 5651, section 5.1, the first 16 bits:
 *   V(4)=1 C(2)=0 PSI(2)=0 S(1)=0 O(2)=0 H(1)=1 Res(2)=0 A(1) B(1)
 * PSI tells source from parity only where their payload IDs differ (RFC 5775,
 * section 2.1); ID 129 has one for both. Res were the times of RFC 3451, 4 more
 * bytes each: an old sender is not ours.
 */
#define LCT_FIXED	  0x1010
#define LCT_CLOSE_SESSION 0x0002
#define LCT_CLOSE_OBJECT  0x0001
#define LCT_WORDS	  3 /* of the header without extensions */

/* Header extensions: below 128 a length in words follows, others are a word. */
enum {
	EXT_FTI = 64,	/* RFC 5775 */
	EXT_SALT = 100, /* ours: u16 generation, salt */
	EXT_FDT = 192,	/* RFC 6726: version 2 in 4 bits, instance ID in 20 */
	EXT_COUNT = 200 /* ours: bits 32 to 55 of the counter */
};
#define SALT_WORDS  5
#define FTI_WORDS   4
#define FLUTE_V2    (2u << 20)
#define FDT_ID_MASK 0xfffffu

/* Which extensions came; twice is an error. */
enum { HAD_FTI = 1, HAD_SALT = 2, HAD_FDT = 4, HAD_COUNT = 8 };

static uint32_t
u24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static void
read_fti(struct alc_fti *f, struct rd *e, uint8_t codepoint)
{
	uint64_t hi = rd_u16(e);

	f->length = hi << 32 | rd_u32(e);
	/* reserved in ID 0, the FEC instance in ID 129: 0 is the only one of
	 * each */
	if (rd_u16(e) != 0)
		e->err = -EBADMSG;
	f->symbol = rd_u16(e);
	f->symbols = 0;
	if (codepoint == ALC_FEC_NO_CODE) {
		f->block = rd_u32(e);
	} else {
		f->block = rd_u16(e);
		f->symbols = rd_u16(e);
	}
	if (f->length == 0 || f->symbol == 0 || f->block == 0)
		e->err = -EBADMSG;
}

/* Reads one extension of known type from its content; *had gets its bit. */
static int
read_extension(struct alc_head *h, uint8_t type, struct rd e, uint8_t codepoint,
    unsigned *had)
{
	const uint8_t *p;
	unsigned       bit;
	uint32_t       v;

	switch (type) {
	case EXT_FTI:
		bit = HAD_FTI;
		read_fti(&h->fti, &e, codepoint);
		break;
	case EXT_SALT:
		bit = HAD_SALT;
		h->flags |= ALC_SALT;
		h->generation = rd_u16(&e);
		if ((p = rd_bytes(&e, sizeof(h->salt))) != NULL)
			memcpy(h->salt, p, sizeof(h->salt));
		break;
	case EXT_FDT:
		bit = HAD_FDT;
		v = (p = rd_bytes(&e, 3)) != NULL ? u24(p) : 0;
		h->fdt = v & FDT_ID_MASK;
		if ((v & ~FDT_ID_MASK) != FLUTE_V2)
			return -EBADMSG;
		break;
	case EXT_COUNT:
		bit = HAD_COUNT;
		h->flags |= ALC_SECURE;
		v = (p = rd_bytes(&e, 3)) != NULL ? u24(p) : 0;
		h->counter |= (uint64_t)v << 32;
		break;
	default:
		return 0;
	}
	if ((*had & bit) != 0)
		return -EBADMSG;
	*had |= bit;
	return rd_done(&e);
}

static int
read_extensions(
    struct alc_head *h, struct rd r, uint8_t codepoint, unsigned *had)
{
	*had = 0;
	while (r.left > 0) {
		uint8_t	       type = rd_u8(&r);
		size_t	       n = 3;
		const uint8_t *p;
		int	       rc;

		if (type < 128) {
			size_t words = rd_u8(&r);

			if (words == 0)
				return -EBADMSG;
			n = 4 * words - 2;
		}
		if ((p = rd_bytes(&r, n)) == NULL)
			return -EBADMSG;
		if ((rc = read_extension(
			 h, type, rd_from(p, n), codepoint, had)) < 0)
			return rc;
	}
	return 0;
}

int
alc_parse(struct alc_head *h, const void *buf, size_t len, size_t *head_len)
{
	struct rd r = rd_from(buf, len);
	unsigned  had, need;
	uint16_t  bits = rd_u16(&r);
	size_t	  words = rd_u8(&r);
	uint8_t	  codepoint = rd_u8(&r);
	int	  rc;

	if ((bits & ~(LCT_CLOSE_SESSION | LCT_CLOSE_OBJECT)) != LCT_FIXED ||
	    words < LCT_WORDS)
		return -EBADMSG;
	h->flags = 0;
	if (bits & LCT_CLOSE_SESSION)
		h->flags |= ALC_CLOSE_SESSION;
	if (bits & LCT_CLOSE_OBJECT)
		h->flags |= ALC_CLOSE_OBJECT;
	h->counter = rd_u32(&r);
	h->tsi = rd_u16(&r);
	h->toi = rd_u16(&r);
	if (codepoint !=
	    (h->toi == ALC_TOI_FDT ? ALC_FEC_NO_CODE : ALC_FEC_SMALL_BLOCK))
		return -EBADMSG;

	had = 0;
	if (words > LCT_WORDS) {
		size_t	       n = 4 * (words - LCT_WORDS);
		const uint8_t *p = rd_bytes(&r, n);

		if (p == NULL)
			return -EBADMSG;
		if ((rc = read_extensions(h, rd_from(p, n), codepoint, &had)) <
		    0)
			return rc;
	}

	if (h->toi == ALC_TOI_FDT) {
		h->sbn = rd_u16(&r);
		h->sbl = 0;
		h->esi = rd_u16(&r);
		need = HAD_FDT | HAD_FTI;
		if (had & HAD_COUNT)
			need |= HAD_SALT;
		if ((had & ~HAD_COUNT) != need)
			return -EBADMSG;
	} else {
		h->sbn = rd_u32(&r);
		h->sbl = rd_u16(&r);
		h->esi = rd_u16(&r);
		if ((had & ~HAD_COUNT) != 0 || h->sbl == 0 ||
		    h->sbl > ALC_SYMBOLS_MAX || h->esi >= ALC_SYMBOLS_MAX)
			return -EBADMSG;
	}
	if (r.err != 0 || h->counter == 0 ||
	    r.left <= (had & HAD_COUNT ? MCAST_TAG_LEN : 0))
		return -EBADMSG;
	*head_len = len - r.left;
	return 0;
}

static bool
may_build(const struct alc_head *h)
{
	bool is_secure = (h->flags & ALC_SECURE) != 0;

	if (h->counter == 0 ||
	    h->counter > (is_secure ? ALC_COUNTER_MAX : ALC_COUNTER_OPEN_MAX))
		return false;
	if (h->toi != ALC_TOI_FDT)
		return h->sbl > 0 && h->sbl <= ALC_SYMBOLS_MAX &&
		       h->esi < ALC_SYMBOLS_MAX && (h->flags & ALC_SALT) == 0;
	return is_secure == ((h->flags & ALC_SALT) != 0) && h->sbn <= 0xffff &&
	       h->sbl == 0 && h->fdt <= FDT_ID_MASK && h->fti.length > 0 &&
	       h->fti.length <= ALC_LENGTH_MAX && h->fti.symbol > 0 &&
	       h->fti.block > 0 && h->fti.symbols == 0;
}

int
alc_build(const struct alc_head *h, void *buf, size_t size, size_t *head_len)
{
	struct wr w = wr_to(buf, size);
	unsigned  words = LCT_WORDS, bits = LCT_FIXED;

	if (!may_build(h))
		return -EINVAL;
	if (h->flags & ALC_CLOSE_SESSION)
		bits |= LCT_CLOSE_SESSION;
	if (h->flags & ALC_CLOSE_OBJECT)
		bits |= LCT_CLOSE_OBJECT;
	if (h->flags & ALC_SECURE)
		words++;
	if (h->toi == ALC_TOI_FDT)
		words += 1 + FTI_WORDS;
	if (h->flags & ALC_SALT)
		words += SALT_WORDS;

	wr_u16(&w, (uint16_t)bits);
	wr_u8(&w, (uint8_t)words);
	wr_u8(
	    &w, h->toi == ALC_TOI_FDT ? ALC_FEC_NO_CODE : ALC_FEC_SMALL_BLOCK);
	wr_u32(&w, (uint32_t)h->counter);
	wr_u16(&w, h->tsi);
	wr_u16(&w, h->toi);
	if (h->flags & ALC_SECURE)
		wr_u32(&w,
		    (uint32_t)EXT_COUNT << 24 | (uint32_t)(h->counter >> 32));
	if (h->toi == ALC_TOI_FDT) {
		wr_u32(&w, (uint32_t)EXT_FDT << 24 | FLUTE_V2 | h->fdt);
		wr_u16(&w, EXT_FTI << 8 | FTI_WORDS);
		wr_u16(&w, (uint16_t)(h->fti.length >> 32));
		wr_u32(&w, (uint32_t)h->fti.length);
		wr_u16(&w, 0);
		wr_u16(&w, h->fti.symbol);
		wr_u32(&w, h->fti.block);
	}
	if (h->flags & ALC_SALT) {
		wr_u16(&w, EXT_SALT << 8 | SALT_WORDS);
		wr_u16(&w, h->generation);
		wr_bytes(&w, h->salt, sizeof(h->salt));
	}
	if (h->toi == ALC_TOI_FDT) {
		wr_u16(&w, (uint16_t)h->sbn);
		wr_u16(&w, h->esi);
	} else {
		wr_u32(&w, h->sbn);
		wr_u16(&w, h->sbl);
		wr_u16(&w, h->esi);
	}
	*head_len = w.len;
	return w.err;
}

int
alc_blocks_init(
    struct alc_blocks *b, uint64_t length, uint32_t symbol, uint32_t block)
{
	uint64_t symbols, count;

	if (length == 0 || symbol == 0 || symbol > UINT16_MAX || block == 0 ||
	    block > ALC_SYMBOLS_MAX)
		return -EINVAL;
	if (length > ALC_LENGTH_MAX)
		return -EFBIG;
	symbols = (length - 1) / symbol + 1;
	if (symbols > UINT32_MAX)
		return -EFBIG;
	count = (symbols - 1) / block + 1;
	*b = (struct alc_blocks){
		.length = length,
		.count = (uint32_t)count,
		.larges = (uint32_t)(symbols % count),
		.symbol = (uint16_t)symbol,
		.small = (uint16_t)(symbols / count),
	};
	b->large = (uint16_t)(b->small + (b->larges > 0));
	if (b->larges == 0) /* all blocks alike */
		b->larges = b->count;
	return 0;
}

uint16_t
alc_block_symbols(const struct alc_blocks *b, uint32_t sbn)
{
	return sbn < b->larges ? b->large : b->small;
}

uint64_t
alc_block_offset(const struct alc_blocks *b, uint32_t sbn)
{
	uint64_t symbols = sbn < b->larges
			       ? (uint64_t)sbn * b->large
			       : (uint64_t)b->larges * b->large +
				     (uint64_t)(sbn - b->larges) * b->small;

	return symbols * b->symbol;
}

uint32_t
alc_block_bytes(const struct alc_blocks *b, uint32_t sbn)
{
	uint32_t whole = (uint32_t)alc_block_symbols(b, sbn) * b->symbol;
	uint64_t rest = b->length - alc_block_offset(b, sbn);

	return rest < whole ? (uint32_t)rest : whole;
}

bool
alc_blocks_hold(
    const struct alc_blocks *b, uint16_t symbols, const struct alc_head *h)
{
	return h->sbn < b->count && h->sbl == alc_block_symbols(b, h->sbn) &&
	       h->esi < symbols;
}
