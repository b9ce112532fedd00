/*
 * dp-scan/servers.c - see servers.h.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/servers.h"

#include <errno.h>
#include <string.h>

#define TOLD_S 3600 /* from one event of a server to the next */
#define LAZY_S 3600 /* as often is it written that one was heard */
enum { BIT_KNOWN = 1, BIT_MAC = 2 };

static struct dhcp_server *
server_of(struct dhcp_servers *s, const struct dhcp_answer *a)
{
	size_t i = 0;

	while (i < s->n && (memcmp(s->all[i].addr, a->addr, 16) != 0 ||
	    (s->all[i].ifindex != 0 && s->all[i].ifindex != a->ifindex)))
		i++;
	if (i == s->n) {
		i = i < DHCP_SERVERS ? s->n++ : DHCP_SERVERS - 1;
		s->all[i] = (struct dhcp_server){ .known = false };
		memcpy(s->all[i].addr, a->addr, 16);
		s->dirty = true;
	}
	return &s->all[i];
}

/* Of the machine that a known one is: it may serve IPv4 and IPv6. What it merely
 * says is its server address does not count, anybody can; nor does an address of
 * the link that it may have taken. */
static bool
is_known_machine(const struct dhcp_servers *s, const struct record *r)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct dhcp_server *v = &s->all[i];

		if (v->known && (v->has_mac
			? record_find(r, ITEM_MAC, v->mac, 6, NULL)
			: record_find(r, ITEM_ADDR, v->addr, 16, NULL)))
			return true;
	}
	return false;
}

/* What a relay brings of a server that is on the link: only if the relay is that
 * machine. Where it is not, who wants to be the server has but to call himself one. */
static bool
is_false_relay(const struct dhcp_server *v, const struct dhcp_answer *a)
{
	const struct record *r = a->machine;

	if (a->frame == NULL || (v->has_mac && memcmp(v->mac, a->frame, 6) == 0))
		return false;
	if (v->has_mac && !record_find(r, ITEM_MAC, v->mac, 6, NULL))
		return true;
	return record_has(r, ITEM_MAC) &&
	    !record_find(r, ITEM_MAC, a->frame, 6, NULL);
}

/* What was kept may lie in the future of a clock that is behind. */
static uint32_t
time_since(uint32_t t, uint32_t now)
{
	return now > t ? now - t : 0;
}

/* Its address is another machine's. One behind relays, of which there may be
 * several, has no MAC address here. */
static bool
is_impostor(struct dhcp_servers *s, struct dhcp_server *v,
    const struct dhcp_answer *a, uint32_t now, uint32_t life_time)
{
	bool differs;

	if (!a->on_link)
		return false;
	if (a->mac == NULL)
		return is_false_relay(v, a);
	differs = v->has_mac && memcmp(v->mac, a->mac, 6) != 0 &&
	    !record_find(a->machine, ITEM_MAC, v->mac, 6, NULL);
	if (differs && time_since(v->heard, now) <= life_time)
		return true;
	s->dirty |= !v->has_mac || memcmp(v->mac, a->mac, 6) != 0 ||
	    time_since(v->saved, now) >= LAZY_S;
	memcpy(v->mac, a->mac, 6);
	v->has_mac = true;
	v->ifindex = a->ifindex;
	v->heard = now;
	return differs;
}

struct dhcp_server *
servers_heard(struct dhcp_servers *s, const struct dhcp_answer *a, uint32_t now,
    uint32_t life_time)
{
	bool		    first = s->n == 0, known, impostor;
	struct dhcp_server *v = server_of(s, a);

	known = a->list == DHCP_LISTED || (a->list == DHCP_NO_LIST &&
		(first || v->known || is_known_machine(s, a->machine)));
	impostor = is_impostor(s, v, a, now, life_time);
	if (!impostor && v->known != known) {
		v->known = known;
		s->dirty = true;
	}
	return (known && !impostor) || (v->told != 0 && now - v->told < TOLD_S)
	    ? NULL : v;
}

void
servers_times(struct dhcp_servers *s, uint32_t (*fn)(void *ctx, uint32_t t),
    void *ctx)
{
	for (size_t i = 0; i < s->n; i++) {
		s->all[i].heard = fn(ctx, s->all[i].heard);
		s->all[i].told = fn(ctx, s->all[i].told);
		s->all[i].saved = fn(ctx, s->all[i].saved);
	}
}

void
servers_write(struct dhcp_servers *s, struct wr *w)
{
	for (size_t i = 0; i < s->n; i++) {
		struct dhcp_server *v = &s->all[i];

		wr_bytes(w, v->addr, 16);
		wr_u8(w, (uint8_t)((v->known ? BIT_KNOWN : 0) |
			     (v->has_mac ? BIT_MAC : 0)));
		wr_bytes(w, v->mac, 6);
		wr_u32(w, v->saved = v->heard);
	}
	s->dirty = false;
}

int
servers_read(struct dhcp_servers *s, const uint8_t *bytes, size_t len)
{
	struct dhcp_servers out = { .n = 0 };
	struct rd	    rd = rd_from(bytes, len);

	while (rd.left > 0 && out.n < DHCP_SERVERS) {
		struct dhcp_server *v = &out.all[out.n++];
		const uint8_t	   *addr = rd_bytes(&rd, 16);
		uint8_t		    bits = rd_u8(&rd);
		const uint8_t	   *mac = rd_bytes(&rd, 6);

		v->heard = v->saved = rd_u32(&rd);
		if (rd.err != 0 || bits > (BIT_KNOWN | BIT_MAC))
			return -EBADMSG;
		memcpy(v->addr, addr, 16);
		memcpy(v->mac, mac, 6);
		v->known = (bits & BIT_KNOWN) != 0;
		v->has_mac = (bits & BIT_MAC) != 0;
	}
	if (rd_done(&rd) < 0)
		return -EBADMSG;
	*s = out;
	return 0;
}
