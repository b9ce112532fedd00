/*
 * tests/harness/flute-writer.c - a multicast session as a capture file.
 *
 * usage: flute-writer [-p PARITY] [-s SECRET] OUT.pcap FILE...
 *   -p   parity symbols of each block (20)
 *   -s   secure, under this group secret (64 hex digits), generation 7
 * Writes what a sender would send to 239.255.77.1, port 15001: the FDT, every
 * FILE as an object of its own (TOI 1 and up), the FDT again, which closes the
 * session. Ethernet, IPv4, UDP; the time between two packets is 0.1 ms.
 * SPDX-License-Identifier: ISC
 */
#include "common/alc.h"
#include "common/fdt.h"
#include "common/rs.h"
#include "common/wr.h"

#include <err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TSI	   0x4d43
#define GENERATION 7
#define GROUP	   0xefff4d01u /* 239.255.77.1 */
#define SOURCE	   0x0a000001u /* 10.0.0.1 */
#define PORT	   15001
#define UDP_MAX	   1472

static FILE		   *out;
static uint64_t		    counter;
static uint8_t		    base_flags;
static uint8_t		    salt[MCAST_SALT_LEN];
static struct mcast_sealer *sealer;
static unsigned		    parity = 20;

/* -- the capture -- */

static uint16_t
checksum(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void
put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
capture_begin(const char *path)
{
	/* magic, version 2.4, no offset, whole packets, Ethernet */
	static const uint32_t head[] = { 0xa1b2c3d4, 0x00040002, 0, 0, 65535,
		1 };

	if ((out = fopen(path, "wb")) == NULL ||
	    fwrite(head, sizeof(head), 1, out) != 1)
		err(1, "%s", path);
}

static void
capture_packet(const uint8_t *udp_payload, size_t n)
{
	uint8_t	  b[14 + 20 + 8 + UDP_MAX];
	struct wr w = wr_to(b, sizeof(b));
	uint64_t  us = UINT64_C(1700000000) * 1000000 + counter * 100;
	uint32_t  record[4];

	wr_bytes(&w, "\x01\0\x5e\x7f\x4d\x01\x02\0\0\0\0\x01\x08\0", 14);
	wr_bytes(&w, "\x45\0", 2);
	wr_u16(&w, (uint16_t)(28 + n));
	wr_bytes(&w, "\0\0\x40\0\x01\x11\0\0", 8); /* may not be cut, TTL 1 */
	wr_u32(&w, SOURCE);
	wr_u32(&w, GROUP);
	wr_u16(&w, PORT);
	wr_u16(&w, PORT);
	wr_u16(&w, (uint16_t)(8 + n));
	wr_u16(&w, 0);
	wr_bytes(&w, udp_payload, n);
	if (w.err != 0)
		errx(1, "a packet of %zu bytes", n);
	put16(b + 24, checksum(0, b + 14, 20));
	/* the pseudo header: addresses, protocol, length */
	put16(b + 40, checksum(17 + 8 + (uint32_t)n, b + 26, 8 + 8 + n));
	record[0] = (uint32_t)(us / 1000000);
	record[1] = (uint32_t)(us % 1000000);
	record[2] = record[3] = (uint32_t)w.len;
	if (fwrite(record, sizeof(record), 1, out) != 1 ||
	    fwrite(b, w.len, 1, out) != 1)
		err(1, "write");
}

/* -- the session -- */

static void
send_packet(struct alc_head *h, const void *payload, size_t n)
{
	uint8_t b[UDP_MAX];
	size_t	head;

	h->counter = ++counter;
	h->tsi = TSI;
	h->flags |= base_flags;
	if (alc_build(h, b, sizeof(b), &head) < 0)
		errx(1, "alc_build");
	if (head + n + (sealer != NULL ? MCAST_TAG_LEN : 0) > sizeof(b))
		errx(1, "a payload of %zu bytes behind a head of %zu", n, head);
	if (sealer == NULL) {
		memcpy(b + head, payload, n);
	} else {
		if (mcast_seal(
			sealer, h->counter, b, head, payload, n, b + head) < 0)
			errx(1, "mcast_seal");
		n += MCAST_TAG_LEN;
	}
	capture_packet(b, head + n);
}

/* Instances of one packet each, so that whoever reads one packet has it whole. */
static void
send_fdt(const struct fdt *f, bool is_last)
{
	uint32_t id = 0;

	for (size_t next = 0; next < f->n;) {
		struct alc_head h = { .fdt = ++id, .generation = GENERATION };
		char	       *xml;
		size_t		len;

		if (fdt_build_some(f, &next, ALC_SYMBOL_FDT, &xml, &len) < 0)
			errx(1, "fdt_build_some");
		h.fti = (struct alc_fti){
			.length = len, .symbol = ALC_SYMBOL_FDT, .block = 1
		};
		if (sealer != NULL)
			h.flags = ALC_SALT;
		if (is_last && next == f->n)
			h.flags |= ALC_CLOSE_SESSION;
		memcpy(h.salt, salt, sizeof(salt));
		send_packet(&h, xml, len);
		free(xml);
	}
}

static void
send_block(const struct alc_blocks *b, const struct fdt_file *f, uint32_t sbn,
    const uint8_t *bytes)
{
	uint16_t	k = alc_block_symbols(b, sbn);
	size_t		n = alc_block_bytes(b, sbn);
	uint8_t	       *sym = calloc(k + parity, b->symbol);
	const uint8_t  *src[ALC_SYMBOLS_MAX];
	uint8_t	       *par[ALC_SYMBOLS_MAX];
	struct alc_head h = { .toi = f->toi, .sbn = sbn, .sbl = k };
	struct rs      *rs;

	if (sym == NULL || rs_new(k, &rs) < 0)
		errx(1, "out of memory");
	memcpy(sym, bytes, n); /* the last symbol is filled up with zeros */
	for (unsigned i = 0; i < k; i++)
		src[i] = sym + (size_t)i * b->symbol;
	for (unsigned i = 0; i < parity; i++)
		par[i] = sym + (size_t)(k + i) * b->symbol;
	if (rs_encode(rs, b->symbol, src, k, parity, par) < 0)
		errx(1, "rs_encode");
	for (h.esi = 0; h.esi < k + parity; h.esi++) {
		size_t at = (size_t)h.esi * b->symbol, len = b->symbol;

		if (h.esi == k - 1) /* the zeros need not be sent */
			len = n - at;
		if (h.esi == k + parity - 1 && sbn == b->count - 1)
			h.flags = ALC_CLOSE_OBJECT;
		send_packet(&h, sym + at, len);
	}
	rs_free(&rs);
	free(sym);
}

static uint8_t *
read_file(const char *path, struct fdt_file *f, uint16_t toi)
{
	FILE	   *in = fopen(path, "rb");
	const char *slash = strrchr(path, '/');
	uint8_t	   *bytes = NULL;
	long	    size;

	if (in == NULL || fseek(in, 0, SEEK_END) != 0 ||
	    (size = ftell(in)) <= 0)
		err(1, "%s", path);
	rewind(in);
	if ((bytes = malloc((size_t)size)) == NULL ||
	    fread(bytes, (size_t)size, 1, in) != 1)
		err(1, "%s", path);
	fclose(in);
	*f = (struct fdt_file){
		.toi = toi,
		.kind = "package",
		.fti = { .length = (uint64_t)size,
		    .symbol = ALC_SYMBOL_IPV4,
		    .block = ALC_BLOCK,
		    .symbols = ALC_SYMBOLS_MAX },
	};
	if (asprintf(&f->name, "repo/targets/%s",
		slash != NULL ? slash + 1 : path) < 0 ||
	    hash_of(&f->hash, bytes, (size_t)size) < 0)
		errx(1, "out of memory");
	return bytes;
}

static void
seal_with(const char *hex)
{
	struct hash	 secret; /* as many digits as a hash has */
	struct mcast_key k;

	if (hash_from_hex(&secret, hex, strlen(hex)) < 0)
		errx(1, "-s: 64 hex digits");
	if (RAND_bytes(salt, sizeof(salt)) != 1 || mcast_seal_setup() < 0 ||
	    mcast_key_session(&k, secret.b, salt, GENERATION, TSI) < 0 ||
	    mcast_sealer_new(&sealer, MCAST_SEALS) < 0 ||
	    mcast_sealer_key(sealer, &k) < 0)
		errx(1, "keys");
	base_flags = ALC_SECURE;
}

int
main(int argc, char *argv[])
{
	struct fdt f = { .expires = fdt_expires(time(NULL) + 3600),
		.is_complete = true };
	uint8_t	 **bytes;
	int	   c;

	while ((c = getopt(argc, argv, "p:s:")) != -1)
		if (c == 'p')
			parity = (unsigned)atoi(optarg);
		else if (c == 's')
			seal_with(optarg);
		else
			return 1;
	if (argc - optind < 2 || parity > ALC_SYMBOLS_MAX - ALC_BLOCK)
		errx(1, "usage: see the top of flute-writer.c");
	capture_begin(argv[optind++]);
	f.n = (size_t)(argc - optind);
	f.file = calloc(f.n, sizeof(*f.file));
	bytes = calloc(f.n, sizeof(*bytes));
	if (f.file == NULL || bytes == NULL)
		err(1, "calloc");
	for (size_t i = 0; i < f.n; i++)
		bytes[i] = read_file(
		    argv[optind + (int)i], &f.file[i], (uint16_t)(i + 1));

	send_fdt(&f, false);
	for (size_t i = 0; i < f.n; i++) {
		struct alc_blocks b;
		struct alc_fti	 *t = &f.file[i].fti;

		if (alc_blocks_init(&b, t->length, t->symbol, t->block) < 0)
			errx(1, "alc_blocks_init");
		for (uint32_t sbn = 0; sbn < b.count; sbn++)
			send_block(&b, &f.file[i], sbn,
			    bytes[i] + alc_block_offset(&b, sbn));
		free(bytes[i]);
	}
	send_fdt(&f, true);
	if (fclose(out) != 0)
		err(1, "close");
	printf("%llu packets\n", (unsigned long long)counter);
	free(bytes);
	fdt_fini(&f);
	mcast_sealer_free(&sealer);
	return 0;
}
