/*
 * dp-listen/snmp.c - see snmp.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/snmp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Tags of BER (X.690) and of SNMP's PDUs. */
enum tag {
	TAG_INTEGER = 0x02,
	TAG_STRING = 0x04,
	TAG_OID = 0x06,
	TAG_SEQUENCE = 0x30,
	TAG_RESPONSE = 0xa2,
};

#define VERSION_1  0
#define VERSION_2C 1

/*
 * tag:u8 length value. Lengths of up to four bytes are read, zeros before them
 * too (agents differ); the indefinite form (0x80) has no place in SNMP.
 */
static struct rd
ber(struct rd *r, enum tag tag)
{
	uint8_t	 t = rd_u8(r), first = rd_u8(r);
	uint32_t len = first;

	if (first & 0x80) {
		len = 0;
		if ((first &= 0x7f) == 0 || first > 4)
			r->err = -EBADMSG;
		while (r->err == 0 && first-- > 0)
			len = len << 8 | rd_u8(r);
	}
	if (t != tag)
		r->err = -EBADMSG;
	if (r->err != 0)
		r->left = 0;
	return rd_sub(r, len);
}

/* What is at hand, of any tag. */
static struct rd
ber_any(struct rd *r, uint8_t *tag)
{
	*tag = r->left > 0 ? r->p[0] : 0;
	return ber(r, *tag);
}

/* Subidentifiers in base 128; the first holds two (X.690, 8.19). */
static void
add_oid(struct sight *s, struct rd r)
{
	char	 text[SIGHT_TEXT + 1];
	size_t	 at = 0;
	uint32_t v = 0;

	while (r.left > 0 && at + 16 < sizeof(text)) {
		uint8_t c = rd_u8(&r);

		if (v >> 25 != 0)
			return; /* more than 32 bits */
		v = v << 7 | (c & 0x7f);
		if (c & 0x80)
			continue;
		if (at == 0)
			at = (size_t)snprintf(text, sizeof(text), "%u.%u",
			    v < 80 ? v / 40 : 2, v < 80 ? v % 40 : v - 80);
		else
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			    ".%u", v);
		v = 0;
	}
	sight_add(s, FACT_MODEL, text, at);
}

/* SEQUENCE { name OID, value } of the system group, 1.3.6.1.2.1.1.X.0 */
static void
read_binding(struct sight *s, struct rd r)
{
	static const uint8_t system[] = { 0x2b, 6, 1, 2, 1, 1 };
	struct rd	     oid = ber(&r, TAG_OID), value;
	uint8_t		     tag;

	value = ber_any(&r, &tag);
	if (r.err != 0 || oid.left != sizeof(system) + 2 ||
	    memcmp(oid.p, system, sizeof(system)) != 0 || oid.p[7] != 0)
		return;
	if (oid.p[6] == 1 && tag == TAG_STRING)
		sight_add(s, FACT_DESCRIPTION, value.p, value.left);
	else if (oid.p[6] == 2 && tag == TAG_OID)
		add_oid(s, value);
	else if (oid.p[6] == 5 && tag == TAG_STRING)
		sight_add(s, FACT_NAME, value.p, value.left);
}

/* SEQUENCE { version INTEGER, community STRING, PDU { request-id INTEGER,
 * error-status INTEGER, error-index INTEGER, SEQUENCE { bindings } } } */
int
snmp_read(const struct packet *p, struct rd r, const struct told *to)
{
	struct rd    msg = ber(&r, TAG_SEQUENCE), version = ber(&msg, TAG_INTEGER);
	struct rd    pdu, bindings;
	struct sight s;

	(void)ber(&msg, TAG_STRING);
	pdu = ber(&msg, TAG_RESPONSE);
	for (int i = 0; i < 3; i++)
		(void)ber(&pdu, TAG_INTEGER);
	bindings = ber(&pdu, TAG_SEQUENCE);
	if (r.err != 0 || msg.err != 0 || pdu.err != 0 || version.left != 1 ||
	    version.p[0] > VERSION_2C)
		return -EBADMSG;
	packet_sight(p, SIGHT_SNMP, &s);
	while (bindings.left > 0) {
		struct rd one = ber(&bindings, TAG_SEQUENCE);

		if (bindings.err != 0)
			return -EBADMSG;
		read_binding(&s, one);
	}
	to->fn(to->ctx, &s);
	return 0;
}
