/*
 * dp-scan/guess.c - see guess.h.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/guess.h"

#include "common/size.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define VENDOR	  100 /* not a fact of the record */
#define ROUTE	  101
#define AGENT 102

#define LINUX	"Linux"
#define WINDOWS "Windows"
#define APPLE	"macOS"

static const struct hint {
	uint8_t	    of;	  /* enum fact, or above */
	const char *word; /* within, whatever its case; "^..." at its begin */
	const char *kind, *os;
	uint8_t	    weight;
} hints[] = {
	{ ROUTE, "", "router", NULL, 90 },
	{ FACT_ROUTER, "", "router", NULL, 60 },
	{ FACT_DHCP_SERVER, "", "router", NULL, 30 },
	{ FACT_CAPABILITIES, "router", "router", NULL, 50 },
	{ FACT_CAPABILITIES, "bridge", "switch", NULL, 55 },
	{ FACT_CAPABILITIES, "wlan", "access point", NULL, 70 },
	{ FACT_CAPABILITIES, "telephone", "telephone", NULL, 70 },
	{ FACT_CAPABILITIES, "docsis", "modem", NULL, 70 },

	{ FACT_SERVICE, "^_ipp", "printer", NULL, 70 },
	{ FACT_SERVICE, "^_printer._tcp", "printer", NULL, 60 },
	{ FACT_SERVICE, "^_pdl-datastream", "printer", NULL, 70 },
	{ FACT_SERVICE, "^_scanner", "printer", NULL, 40 },
	{ FACT_SERVICE, "^_uscan", "printer", NULL, 40 },
	{ FACT_SERVICE, "^_airplay", "media player", NULL, 40 },
	{ FACT_SERVICE, "^_raop", "media player", NULL, 40 },
	{ FACT_SERVICE, "^_googlecast", "media player", NULL, 70 },
	{ FACT_SERVICE, "^_spotify-connect", "media player", NULL, 40 },
	{ FACT_SERVICE, "^_hap._tcp", "appliance", NULL, 40 },
	{ FACT_SERVICE, "^_companion-link", NULL, APPLE, 30 },
	{ FACT_SERVICE, "^_apple-mobdev", "telephone", "iOS", 60 },
	{ FACT_SERVICE, "^_afpovertcp", NULL, APPLE, 20 },
	{ FACT_SERVICE, "^_workstation._tcp", "computer", LINUX, 30 },
	{ FACT_SERVICE, "^_smb._tcp", "computer", NULL, 15 },
	{ FACT_SERVICE, "^_nfs._tcp", "server", NULL, 25 },
	{ FACT_SERVICE, "^_ssh._tcp", "computer", NULL, 15 },
	{ FACT_SERVICE, "^_sftp-ssh._tcp", "computer", NULL, 15 },
	{ FACT_SERVICE, "^_rfb._tcp", "computer", NULL, 20 },
	{ FACT_SERVICE, "^_axis-video", "camera", NULL, 70 },
	{ FACT_SERVICE, "^_rtsp", "camera", NULL, 40 },
	{ FACT_SERVICE, "^_sip", "telephone", NULL, 40 },
	{ FACT_SERVICE, "InternetGatewayDevice", "router", NULL, 60 },
	{ FACT_SERVICE, "WFADevice", "access point", NULL, 30 },
	{ FACT_SERVICE, "MediaRenderer", "media player", NULL, 50 },
	{ FACT_SERVICE, "MediaServer", "server", NULL, 30 },

	{ FACT_VENDOR_CLASS, "MSFT", "computer", WINDOWS, 70 },
	{ FACT_VENDOR_CLASS, "android-dhcp", "telephone", "Android", 75 },
	{ FACT_VENDOR_CLASS, "dhcpcd", "computer", LINUX, 40 },
	{ FACT_VENDOR_CLASS, "udhcp", "appliance", LINUX, 40 },
	{ FACT_VENDOR_CLASS, "PXEClient", "computer", NULL, 30 },
	{ FACT_VENDOR_CLASS, "systemd", "computer", LINUX, 50 },
	{ FACT_VENDOR_CLASS, "Cisco", "switch", NULL, 30 },
	/* the order of options in requests (DHCP option 55) */
	{ FACT_FINGERPRINT, "^1,3,6,15,31,33,43,44,46,47,", "computer", WINDOWS,
	    60 },
	{ FACT_FINGERPRINT, "^1,15,3,6,44,46,47,31,33", "computer", WINDOWS, 60 },
	{ FACT_FINGERPRINT, "^1,121,3,6,15,119,252", NULL, APPLE, 50 },
	{ FACT_FINGERPRINT, "^1,3,6,15,26,28,51,58,59,43", "telephone", "Android",
	    55 },
	{ FACT_FINGERPRINT, "^1,28,2,3,15,6,119,12", "computer", LINUX, 50 },

	{ FACT_OS, "windows", "computer", WINDOWS, 80 },
	{ FACT_OS, "samba", NULL, LINUX, 40 },
	{ FACT_OS, "linux", NULL, LINUX, 70 },
	{ FACT_OS, "unix", NULL, LINUX, 30 },
	{ FACT_OS, "macos", "computer", APPLE, 80 },
	{ FACT_OS, "mac os", "computer", APPLE, 80 },
	{ FACT_OS, "server", "server", NULL, 60 },
	{ FACT_DESCRIPTION, "linux", NULL, LINUX, 60 },
	{ FACT_DESCRIPTION, "debian", "computer", LINUX, 65 },
	{ FACT_DESCRIPTION, "ubuntu", "computer", LINUX, 65 },
	{ FACT_DESCRIPTION, "windows", "computer", WINDOWS, 70 },
	{ FACT_DESCRIPTION, "darwin", "computer", APPLE, 60 },
	{ FACT_DESCRIPTION, "freebsd", NULL, "FreeBSD", 70 },
	{ FACT_DESCRIPTION, "cisco ios", "switch", "Cisco IOS", 80 },
	{ FACT_DESCRIPTION, "routeros", "router", "RouterOS", 80 },
	{ FACT_DESCRIPTION, "junos", "router", "Junos", 80 },
	{ FACT_DESCRIPTION, "jetdirect", "printer", NULL, 80 },
	{ FACT_DESCRIPTION, "laserjet", "printer", NULL, 80 },
	{ FACT_DESCRIPTION, "printer", "printer", NULL, 60 },
	{ FACT_DESCRIPTION, "switch", "switch", NULL, 45 },
	{ FACT_DESCRIPTION, "openwrt", "router", LINUX, 70 },
	{ FACT_DESCRIPTION, "esxi", "server", "ESXi", 80 },
	{ FACT_MODEL, "macbook", "computer", APPLE, 70 },
	{ FACT_MODEL, "imac", "computer", APPLE, 70 },
	{ FACT_MODEL, "macmini", "computer", APPLE, 70 },
	{ FACT_MODEL, "iphone", "telephone", "iOS", 80 },
	{ FACT_MODEL, "ipad", "tablet", "iOS", 80 },
	{ FACT_MODEL, "appletv", "media player", "tvOS", 80 },
	{ FACT_MODEL, "laserjet", "printer", NULL, 80 },

	{ FACT_NAME, "iphone", "telephone", "iOS", 40 },
	{ FACT_NAME, "ipad", "tablet", "iOS", 40 },
	{ FACT_NAME, "^android-", "telephone", "Android", 40 },
	{ FACT_NAME, "macbook", "computer", APPLE, 40 },
	{ FACT_NAME, "^desktop-", "computer", WINDOWS, 30 },
	{ FACT_NAME, "^laptop-", "computer", WINDOWS, 30 },
	{ FACT_NAME, "printer", "printer", NULL, 25 },

	{ VENDOR, "vmware", "virtual machine", NULL, 40 },
	{ VENDOR, "xensource", "virtual machine", NULL, 40 },
	{ VENDOR, "raspberry", "computer", LINUX, 35 },
	{ VENDOR, "cisco", "switch", NULL, 15 },
	{ VENDOR, "juniper", "router", NULL, 20 },
	{ VENDOR, "mikrotik", "router", NULL, 30 },
	{ VENDOR, "routerboard", "router", NULL, 30 },
	{ VENDOR, "ubiquiti", "access point", NULL, 30 },
	{ VENDOR, "avm", "router", NULL, 30 },
	{ VENDOR, "axis comm", "camera", NULL, 50 },
	{ VENDOR, "hikvision", "camera", NULL, 50 },
	{ VENDOR, "brother", "printer", NULL, 40 },
	{ VENDOR, "lexmark", "printer", NULL, 45 },
	{ VENDOR, "kyocera", "printer", NULL, 40 },
	{ VENDOR, "yealink", "telephone", NULL, 50 },
	{ VENDOR, "snom", "telephone", NULL, 50 },
	{ VENDOR, "synology", "server", LINUX, 40 },
	{ VENDOR, "qnap", "server", LINUX, 40 },
	{ AGENT, "", "computer", NULL, 60 }, /* an agent runs on it */
};

static bool
has(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	if (word[0] == '^')
		return len >= n - 1 && strncasecmp(text, word + 1, n - 1) == 0;
	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(text + i, word, n) == 0)
			return true;
	return n == 0;
}

static const char *
what_of(uint8_t of)
{
	return of == VENDOR ? "vendor" : of == ROUTE ? "route"
	    : of == AGENT			     ? "agent"
						     : fact_name((enum fact)of);
}

/* The heaviest stay, in order. */
static void
note(struct guess *g, const struct hint *h, const char *text, size_t len)
{
	size_t at = g->n;

	while (at > 0 && g->evidence[at - 1].weight < h->weight)
		at--;
	if (at == GUESS_EVIDENCE)
		return;
	if (g->n < GUESS_EVIDENCE)
		g->n++;
	memmove(&g->evidence[at + 1], &g->evidence[at],
	    (g->n - at - 1) * sizeof(g->evidence[0]));
	g->evidence[at].what = what_of(h->of);
	g->evidence[at].weight = h->weight;
	g->evidence[at].kind = h->kind;
	g->evidence[at].os = h->os;
	if (len >= sizeof(g->evidence[at].text)) /* whole characters only */
		for (len = sizeof(g->evidence[at].text) - 1; len > 0 &&
		    ((unsigned char)text[len] & 0xc0) == 0x80; len--)
			;
	memcpy(g->evidence[at].text, text, len);
	g->evidence[at].text[len] = '\0';
}

struct votes {
	const char *name[32];
	unsigned    weight[32], spare[32]; /* of those not the heaviest */
	size_t	    n;
};

static void
vote(struct votes *v, const char *name, unsigned weight)
{
	size_t i = 0;

	if (name == NULL)
		return;
	while (i < v->n && strcmp(v->name[i], name) != 0)
		i++;
	if (i == COUNT(v->name))
		return;
	if (i == v->n) {
		v->name[v->n] = name;
		v->weight[v->n] = v->spare[v->n] = 0;
		v->n++;
	}
	/* what agrees makes surer: each takes a third of the doubt that is left */
	if (weight > v->weight[i]) {
		unsigned was = v->weight[i];

		v->weight[i] = weight;
		weight = was;
	}
	v->spare[i] += weight / 3;
}

static const char *
winner(const struct votes *v, unsigned *weight)
{
	size_t best = 0;

	*weight = 0;
	for (size_t i = 0; i < v->n; i++) {
		unsigned w = v->weight[i] + (100 - v->weight[i]) *
			(v->spare[i] < 100 ? v->spare[i] : 100) / 100;

		if (w > *weight) {
			*weight = w;
			best = i;
		}
	}
	return v->n > 0 ? v->name[best] : NULL;
}

static void
weigh(struct guess *g, struct votes *kinds, struct votes *systems, uint8_t of,
    const char *text, size_t len)
{
	for (size_t i = 0; i < COUNT(hints); i++)
		if (hints[i].of == of && has(text, len, hints[i].word)) {
			vote(kinds, hints[i].kind, hints[i].weight);
			vote(systems, hints[i].os, hints[i].weight);
			note(g, &hints[i], text, len);
		}
}

void
guess(const struct record *r, const char *vendor, size_t vendor_len,
    bool is_router, struct guess *out)
{
	struct votes kinds = { .n = 0 }, systems = { .n = 0 };
	struct item  it;
	size_t	     pos = 0;

	memset(out, 0, sizeof(*out));
	while (record_next(r, &pos, &it))
		if (it.kind < FACT_MAX)
			weigh(out, &kinds, &systems, it.kind,
			    (const char *)it.data, it.len);
	if (vendor != NULL)
		weigh(out, &kinds, &systems, VENDOR, vendor, vendor_len);
	if (is_router)
		weigh(out, &kinds, &systems, ROUTE, "default route", 13);
	if (record_has(r, FACT_AGENT))
		weigh(out, &kinds, &systems, AGENT, "network agent", 13);
	out->kind = winner(&kinds, &out->kind_weight);
	out->os = winner(&systems, &out->os_weight);
}
