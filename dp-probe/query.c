/*
 * dp-probe/query.c - questions by UDP; see query.h.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/query.h"

#include "common/size.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define TYPE_PTR    12
#define TYPE_NBSTAT 0x21
#define CLASS_IN    1
#define CLASS_QU    0x8000 /* mDNS: the answer may come to us alone */
#define FLAG_RD	    0x0100

static const uint8_t mapped[12] = { [10] = 0xff, 0xff };

static void
header(struct wr *w, uint16_t id, uint16_t flags)
{
	wr_u16(w, id);
	wr_u16(w, flags);
	wr_u16(w, 1); /* question; no answers, authority, additional */
	wr_u16(w, 0);
	wr_u32(w, 0);
}

static void
label_n(struct wr *w, const char *text, size_t n)
{
	wr_u8(w, (uint8_t)n);
	wr_bytes(w, text, n);
}

static void
label(struct wr *w, const char *text)
{
	label_n(w, text, strlen(text));
}

static void
question(struct wr *w, uint16_t type, uint16_t class)
{
	wr_u8(w, 0); /* the root, where the name ends */
	wr_u16(w, type);
	wr_u16(w, class);
}

static void
label_byte(struct wr *w, uint8_t v)
{
	char	 d[3] = { (char)('0' + v / 100), (char)('0' + v / 10 % 10),
		 (char)('0' + v % 10) };
	unsigned skip = v < 10 ? 2 : v < 100 ? 1 : 0;

	label_n(w, d + skip, sizeof(d) - skip);
}

static void
label_nibble(struct wr *w, uint8_t v)
{
	label_n(w, &"0123456789abcdef"[v & 15], 1);
}

static void
reverse_name(struct wr *w, const uint8_t addr[16])
{
	bool is_v4 = memcmp(addr, mapped, sizeof(mapped)) == 0;

	for (size_t i = 16; i-- > (is_v4 ? 12 : 0);)
		if (is_v4) {
			label_byte(w, addr[i]);
		} else {
			label_nibble(w, addr[i]);
			label_nibble(w, addr[i] >> 4);
		}
	label(w, is_v4 ? "in-addr" : "ip6");
	label(w, "arpa");
}

void
query_ptr(struct wr *w, enum query_dialect d, uint16_t id,
    const uint8_t addr[16])
{
	header(w, id, d == QUERY_DNS ? FLAG_RD : 0);
	reverse_name(w, addr);
	question(w, TYPE_PTR, d == QUERY_MDNS ? CLASS_QU | CLASS_IN : CLASS_IN);
}

static size_t
service_len(const uint8_t type[16])
{
	return strnlen((const char *)type + 1, 15);
}

bool
query_is_service(const uint8_t type[16])
{
	size_t n = service_len(type);

	for (size_t i = 0; i < n; i++)
		if (!isalnum(type[1 + i]) && type[1 + i] != '-')
			return false;
	for (size_t i = n; i < 15; i++)
		if (type[1 + i] != 0)
			return false;
	return n == 0 ? type[0] == 0 : type[0] == 'T' || type[0] == 'U';
}

void
query_services(struct wr *w, uint16_t id, const uint8_t type[16])
{
	char   name[16] = "_";
	size_t n = service_len(type);

	header(w, id, 0);
	if (type[0] == 0) {
		label(w, "_services");
		label(w, "_dns-sd");
		label(w, "_udp");
	} else {
		memcpy(name + 1, type + 1, n);
		label_n(w, name, 1 + n);
		label(w, type[0] == 'T' ? "_tcp" : "_udp");
	}
	label(w, "local");
	question(w, TYPE_PTR, CLASS_QU | CLASS_IN);
}

void
query_nbstat(struct wr *w, uint16_t id)
{
	/* "*" and 15 NULs, a half-byte a letter (RFC 1001 14.1) */
	static const char any[] = "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

	header(w, id, 0);
	label(w, any);
	question(w, TYPE_NBSTAT, CLASS_IN);
}

uint32_t
query_snmp_id(uint32_t id)
{
	return (id & 0x3fffffff) | 0x40000000;
}

void
query_snmp(struct wr *w, uint8_t version, const char *community, uint32_t id)
{
	/* of mib-2.system, 1.3.6.1.2.1.1: sysDescr, sysObjectID, sysName */
	static const uint8_t objects[] = { 1, 2, 5 };
	/* SEQUENCE { OID of 8 bytes, NULL }; its last two arcs are missing */
	static const uint8_t bind[] = { 0x30, 12, 6, 8, 0x2b, 6, 1, 2, 1, 1 };
	size_t	n = strlen(community), binds = COUNT(objects) * 14;
	uint8_t len = (uint8_t)n;

	if (n > COMMUNITY_MAX) {
		w->err = -EMSGSIZE;
		return;
	}
	wr_u16(w, (uint16_t)(0x3000 + 3 + 2 + n + 2 + 6 + 3 + 3 + 2 + binds));
	wr_bytes(w, (uint8_t[]){ 2, 1, version, 4, len }, 5);
	wr_bytes(w, community, n);
	wr_u16(w, (uint16_t)(0xa000 + 6 + 3 + 3 + 2 + binds)); /* GetRequest */
	wr_u16(w, 0x0204);
	wr_u32(w, query_snmp_id(id));
	wr_bytes(w, (uint8_t[]){ 2, 1, 0, 2, 1, 0 }, 6); /* error status, index */
	wr_u16(w, (uint16_t)(0x3000 + binds));
	for (size_t i = 0; i < COUNT(objects); i++) {
		wr_bytes(w, bind, sizeof(bind));
		wr_bytes(w, (uint8_t[]){ objects[i], 0, 5, 0 }, 4);
	}
}

static void
text(struct wr *w, const char *t)
{
	wr_bytes(w, t, strlen(t));
}

void
query_ssdp(struct wr *w, bool v6)
{
	text(w, "M-SEARCH * HTTP/1.1\r\nHOST: ");
	text(w, v6 ? "[FF02::C]" : "239.255.255.250");
	text(w, ":1900\r\nMAN: \"ssdp:discover\"\r\nMX: ");
	wr_u8(w, '0' + QUERY_SSDP_MX);
	text(w, "\r\nST: ssdp:all\r\n\r\n");
}
