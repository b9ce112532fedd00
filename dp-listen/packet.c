/*
 * dp-listen/packet.c - see packet.h.
 *
 * Runs in dp-listen. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/packet.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

bool
mac_is_host(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return (mac[0] & 1) == 0 && memcmp(mac, zero, sizeof(zero)) != 0;
}

bool
addr_is_v4(const uint8_t addr[16])
{
	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

void
addr_from_v4(uint8_t addr[16], const uint8_t v4[4])
{
	memcpy(addr, mapped, sizeof(mapped));
	memcpy(addr + sizeof(mapped), v4, 4);
}

/* RFC 6890: 0/8, 127/8, from 224/4 on; ::/96 (so :: and ::1), ff00::/8. */
bool
addr_is_host(const uint8_t addr[16])
{
	static const uint8_t zero[12];

	if (addr_is_v4(addr))
		return addr[12] != 0 && addr[12] != 127 && addr[12] < 224;
	return addr[0] != 0xff && memcmp(addr, zero, sizeof(zero)) != 0;
}

bool
addr_is_link_local(const uint8_t addr[16])
{
	if (addr_is_v4(addr))
		return addr[12] == 169 && addr[13] == 254;
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

void
packet_sight(const struct packet *p, enum sight_by by, struct sight *s)
{
	sight_begin(s, by);
	s->ifindex = p->ifindex;
	s->asked = p->to_us;
	if (p->is_near && mac_is_host(p->mac))
		memcpy(s->mac, p->mac, sizeof(s->mac));
	if (addr_is_host(p->src))
		memcpy(s->addr, p->src, sizeof(s->addr));
}

void
sight_add_addr(struct sight *s, enum fact kind, const uint8_t *addr, size_t len)
{
	char	text[INET6_ADDRSTRLEN];
	uint8_t a[16];

	if (len == 4)
		addr_from_v4(a, addr);
	else
		memcpy(a, addr, sizeof(a));
	if (!addr_is_host(a))
		return;
	if (addr_is_v4(a))
		inet_ntop(AF_INET, a + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, a, text, sizeof(text));
	sight_add(s, kind, text, strlen(text));
}

void
sight_add_hex(struct sight *s, enum fact kind, const uint8_t *p, size_t len,
    char sep)
{
	static const char digits[] = "0123456789abcdef";
	char		  text[SIGHT_TEXT];
	size_t		  n = 0;

	for (size_t i = 0; i < len; i++) {
		if (n + 3 > sizeof(text)) {
			s->cut = true;
			break;
		}
		if (sep != '\0' && i > 0)
			text[n++] = sep;
		text[n++] = digits[p[i] >> 4];
		text[n++] = digits[p[i] & 0xf];
	}
	sight_add(s, kind, text, n);
}
