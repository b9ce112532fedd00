/*
 * common/sight.c - see sight.h.
 * SPDX-License-Identifier: ISC
 */
#include "common/sight.h"

#include "common/size.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WIRE_ASKED 1
#define WIRE_CUT   2
#define WIRE_HEARSAY 4

static const char *const by_names[SIGHT_BY_MAX] = {
	[SIGHT_ARP] = "arp", [SIGHT_NDP] = "ndp", [SIGHT_ROUTER] = "router",
	[SIGHT_ECHO] = "echo", [SIGHT_DNS] = "dns", [SIGHT_NETBIOS] = "netbios",
	[SIGHT_LLMNR] = "llmnr", [SIGHT_MDNS] = "mdns", [SIGHT_SNMP] = "snmp",
	[SIGHT_LDAP] = "ldap", [SIGHT_DHCP] = "dhcp", [SIGHT_DHCP6] = "dhcp6",
	[SIGHT_SSDP] = "ssdp", [SIGHT_LLDP] = "lldp", [SIGHT_CDP] = "cdp",
	[SIGHT_NEIGHBOUR] = "neighbour", [SIGHT_AGENT] = "agent",
	[SIGHT_OWN] = "own", [SIGHT_MLD] = "mld",
};

static const char *const fact_names[FACT_MAX] = {
	[FACT_NAME] = "name", [FACT_ADDRESS] = "address",
	[FACT_SERVICE] = "service", [FACT_DOMAIN] = "domain", [FACT_OS] = "os",
	[FACT_MODEL] = "model", [FACT_DESCRIPTION] = "description",
	[FACT_VENDOR_CLASS] = "vendor-class",
	[FACT_FINGERPRINT] = "fingerprint", [FACT_CLIENT_ID] = "client-id",
	[FACT_DHCP_SERVER] = "dhcp-server", [FACT_ROUTER] = "router",
	[FACT_PREFIX] = "prefix", [FACT_SWITCH] = "switch",
	[FACT_PORT] = "port", [FACT_CAPABILITIES] = "capabilities",
	[FACT_AGENT] = "agent", [FACT_DIRECTORY_ID] = "directory-id",
	[FACT_CONFLICT] = "conflict",
	[FACT_FRAME] = "frame",
	[FACT_DIRECTORY_UUID] = "directory-uuid",
	[FACT_AGENT_MAC] = "agent-mac",
	[FACT_GONE] = "gone",
};

const char *
sight_by_name(enum sight_by by)
{
	return by > SIGHT_NONE && by < SIGHT_BY_MAX ? by_names[by] : "?";
}

int
sight_by_from_name(const char *name, enum sight_by *out)
{
	for (unsigned i = 1; i < SIGHT_BY_MAX; i++)
		if (strcmp(by_names[i], name) == 0) {
			*out = i;
			return 0;
		}
	return -EINVAL;
}

const char *
fact_name(enum fact f)
{
	return f > FACT_NONE && f < FACT_MAX ? fact_names[f] : "?";
}

void
sight_begin(struct sight *s, enum sight_by by)
{
	memset(s, 0, offsetof(struct sight, pool));
	s->by = by;
}

/*
 * The length of the UTF-8 sequence at p if it is one that a terminal shows, or 0:
 * controls (C0, DEL, C1), line and paragraph separators, directional overrides
 * and isolates (U+200E-F, U+202A-E, U+2066-9), the byte order mark, private and
 * non-characters of the BMP's end, surrogates, overlong forms (RFC 3629).
 */
static size_t
printable(const uint8_t *p, size_t len)
{
	uint32_t c;
	size_t	 n;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f && p[0] != '\\';
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > len)
		return 0;
	c = p[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff)
		return 0;
	if (c < 0xa0 || (c >= 0xd800 && c < 0xf900) || c == 0xfeff ||
	    c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069) || (c >= 0xfff9 && c <= 0xffff))
		return 0;
	return n;
}

/* Whole characters only: a cut never leaves half of one. */
static size_t
escape(const uint8_t *p, size_t len, char out[SIGHT_TEXT + 1], bool *cut)
{
	size_t n = 0, step;

	for (size_t i = 0; i < len; i += step) {
		char   hex[5];
		size_t seq = printable(p + i, len - i), w = seq == 0 ? 4 : seq;

		step = seq == 0 ? 1 : seq;
		if (n + w > SIGHT_TEXT) {
			*cut = true;
			break;
		}
		if (seq == 0)
			snprintf(hex, sizeof(hex), "\\x%02x", p[i]);
		memcpy(out + n, seq == 0 ? (const void *)hex : p + i, w);
		n += w;
	}
	out[n] = '\0';
	return n;
}

static void
add_text(struct sight *s, enum fact kind, const char *text, size_t len)
{
	for (unsigned i = 0; i < s->nfacts; i++)
		if (s->fact[i].kind == kind && strcmp(sight_fact(s, i), text) == 0)
			return;
	if (s->nfacts == SIGHT_FACTS || s->pool_len + len + 1 > SIGHT_POOL) {
		s->cut = true;
		return;
	}
	s->fact[s->nfacts].kind = (uint8_t)kind;
	s->fact[s->nfacts++].at = (uint16_t)s->pool_len;
	memcpy(s->pool + s->pool_len, text, len + 1);
	s->pool_len += len + 1;
}

void
sight_add(struct sight *s, enum fact kind, const void *bytes, size_t len)
{
	char   text[SIGHT_TEXT + 1];
	size_t n = escape(bytes, len, text, &s->cut);

	if (n > 0)
		add_text(s, kind, text, n);
}

void
sight_addf(struct sight *s, enum fact kind, const char *fmt, ...)
{
	char	text[SIGHT_TEXT + 1];
	va_list ap;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(text)) {
		s->cut = true;
		n = sizeof(text) - 1;
	}
	if (n > 0)
		sight_add(s, kind, text, (size_t)n);
}

const char *
sight_fact(const struct sight *s, unsigned i)
{
	return s->pool + s->fact[i].at;
}

const char *
sight_first(const struct sight *s, enum fact kind)
{
	for (unsigned i = 0; i < s->nfacts; i++)
		if (s->fact[i].kind == kind)
			return sight_fact(s, i);
	return NULL;
}

/* u8 by, u8 flags, u32 ifindex, 6 mac, 16 addr, u8 n, n of { u8 kind, str } */
void
sight_write(const struct sight *s, struct wr *w)
{
	wr_u8(w, (uint8_t)s->by);
	wr_u8(w, (uint8_t)((s->asked ? WIRE_ASKED : 0) | (s->cut ? WIRE_CUT : 0) |
		     (s->hearsay ? WIRE_HEARSAY : 0)));
	wr_u32(w, s->ifindex);
	wr_bytes(w, s->mac, sizeof(s->mac));
	wr_bytes(w, s->addr, sizeof(s->addr));
	wr_u8(w, (uint8_t)s->nfacts);
	for (unsigned i = 0; i < s->nfacts; i++) {
		wr_u8(w, s->fact[i].kind);
		wr_str(w, sight_fact(s, i));
	}
}

/* What sight_add made of bytes: printable, and backslashes only in \xHH. */
static bool
is_text(const char *t, size_t len)
{
	const uint8_t *p = (const uint8_t *)t;
	size_t	       n;

	for (size_t i = 0; i < len; i += n) {
		n = printable(p + i, len - i);
		if (n == 0 && len - i >= 4 && p[i] == '\\' && p[i + 1] == 'x' &&
		    strspn(t + i + 2, "0123456789abcdef") >= 2)
			n = 4;
		if (n == 0)
			return false;
	}
	return len > 0;
}

int
sight_read(struct rd *r, struct sight *out)
{
	char		text[SIGHT_TEXT + 1];
	const uint8_t  *mac, *addr;
	uint8_t		by = rd_u8(r), flags = rd_u8(r), n, kind;

	sight_begin(out, by);
	out->asked = (flags & WIRE_ASKED) != 0;
	out->cut = (flags & WIRE_CUT) != 0;
	out->hearsay = (flags & WIRE_HEARSAY) != 0;
	out->ifindex = rd_u32(r);
	mac = rd_bytes(r, sizeof(out->mac));
	addr = rd_bytes(r, sizeof(out->addr));
	n = rd_u8(r);
	if (r->err != 0 || by == SIGHT_NONE || by >= SIGHT_BY_MAX ||
	    (flags & ~(WIRE_ASKED | WIRE_CUT | WIRE_HEARSAY)) != 0 || n > SIGHT_FACTS)
		return -EBADMSG;
	memcpy(out->mac, mac, sizeof(out->mac));
	memcpy(out->addr, addr, sizeof(out->addr));
	while (n-- > 0) {
		kind = rd_u8(r);
		rd_str(r, text, sizeof(text));
		if (r->err != 0 || kind == FACT_NONE ||
		    !is_text(text, strlen(text)))
			return -EBADMSG;
		if (kind < FACT_MAX)
			add_text(out, kind, text, strlen(text));
	}
	return 0;
}
