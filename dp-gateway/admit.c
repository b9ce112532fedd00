/*
 * dp-gateway/admit.c - the closed lists, and the words; see admit.h.
 *
 * Runs in dp-gateway. Believes the configuration and nothing of a hello. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/admit.h"

#include "common/size.h"
#include "common/value.h"

#include <string.h>

#define ALERT_INTERNAL_ERROR	      80
#define ALERT_UNRECOGNIZED_NAME	      112
#define ALERT_NO_APPLICATION_PROTOCOL 120

static const struct {
	const char *word, *text;
	uint8_t	    alert;
} whys[WHY_KINDS] = {
	[WHY_SCOPE] = { "scope", "its address is not in gateway.allow", 0 },
	[WHY_DRAINING] = { "draining", "the gateway is draining, or this listener leaves", 0 },
	[WHY_FULL] = { "full", "gateway.max-connections are there", 0 },
	[WHY_ADDRESS] = { "address", "gateway.max-per-address are there", 0 },
	[WHY_DESCRIPTORS] = { "descriptors", "no more descriptors", 0 },
	[WHY_MEMORY] = { "memory", "no more memory", 0 },
	[WHY_HELLO_TIMEOUT] = { "hello-timeout", "no whole hello or request in time",
	    0 },
	[WHY_NOT_TLS] = { "not-tls", "what it says is not TLS", 0 },
	[WHY_BAD_HELLO] = { "bad-hello", "its ClientHello is malformed", 0 },
	[WHY_LONG_HELLO] = { "long-hello", "its ClientHello is too long", 0 },
	[WHY_NO_SNI] = { "no-sni", "it names no server", ALERT_UNRECOGNIZED_NAME },
	[WHY_SNI] = { "sni", "the server it names is not in gateway.sni",
	    ALERT_UNRECOGNIZED_NAME },
	[WHY_ALPN] = { "alpn", "a protocol it offers is not in gateway.alpn",
	    ALERT_NO_APPLICATION_PROTOCOL },
	[WHY_NO_SERVER] = { "no-server", "no address of the server connects",
	    ALERT_INTERNAL_ERROR },
	[WHY_TLS] = { "tls", "the TLS handshake failed", 0 },
	[WHY_BAD_REQUEST] = { "bad-request", "what it asks is not understood",
	    0 },
	[WHY_LONG_REQUEST] = { "long-request", "what it asks is too long", 0 },
	[WHY_METHOD] = { "method", "what it asks is not CONNECT", 0 },
	[WHY_PROXY_FROM] = { "proxy-from",
	    "its address is not in gateway.proxy-from", 0 },
	[WHY_TARGET_HOST] = { "target-host",
	    "the host it asks for is not in gateway.proxy-allow", 0 },
	[WHY_TARGET_PORT] = { "target-port",
	    "the port it asks for is not that of this host in "
	    "gateway.proxy-allow", 0 },
	[WHY_TARGET_ADDRESS] = { "target-address",
	    "the name it asks for leads to an address of the gateway or its "
	    "links", 0 },
	[WHY_TARGET_AWAY] = { "target-away",
	    "what it asks for cannot be connected to", 0 },
	[WHY_TARGET_LATE] = { "target-late",
	    "what it asks for does not answer in time", 0 },
	[WHY_NO_CERT] = { "no-certificate", "it shows no certificate", 0 },
	[WHY_CERT] = { "certificate",
	    "its certificate is of another CA or of the wrong kind", 0 },
	[WHY_CERT_EXPIRED] = { "cert-expired", "its certificate has expired", 0 },
	[WHY_CERT_REVOKED] = { "cert-revoked", "its certificate is revoked", 0 },
	[WHY_CERT_NOT_YET] = { "cert-not-yet",
	    "its certificate is not good yet: look at the clocks", 0 },
	[WHY_CRL] = { "crl",
	    "gateway.client-crl has expired, or has no list of its CA", 0 },
	[WHY_DEVICE] = { "device", "gateway.max-per-device are there", 0 },
	[WHY_NO_DEVICE] = { "no-device", "its certificate names no device", 0 },
	[WHY_NO_ADMIN] = { "no-admin",
	    "its certificate is not in gateway.push-admins", 0 },
	[WHY_CLONE] = { "clone",
	    "another one with its certificate has just come", 0 },
	[WHY_NO_UPLINK] = { "no-uplink", "there is no uplink",
	    ALERT_INTERNAL_ERROR },
	[WHY_CIRCLE] = { "circle", "its way through gateways is a circle",
	    ALERT_INTERNAL_ERROR },
	[WHY_NOT_ALLOWED] = { "not-allowed",
	    "where it goes is not in the far end's gateway.far-end-allow",
	    ALERT_INTERNAL_ERROR },
	[WHY_PEER] = { "peer", "the far end's gateway.max-per-peer are there",
	    ALERT_INTERNAL_ERROR },
	[WHY_FAR_FULL] = { "far-full", "the far end has no room",
	    ALERT_INTERNAL_ERROR },
	[WHY_FAR_DRAINING] = { "far-draining", "the far end is draining",
	    ALERT_INTERNAL_ERROR },
	[WHY_FAR_REFUSED] = { "far-refused", "the far end refuses it",
	    ALERT_INTERNAL_ERROR },
	[WHY_LEFT] = { "left", "it left before it was connected", 0 },
	[WHY_CLOSED] = { "closed", "closed by both ends", 0 },
	[WHY_CLIENT_RESET] = { "client-reset", "reset by the client", 0 },
	[WHY_SERVER_RESET] = { "server-reset", "reset by the server", 0 },
	[WHY_SILENT] = { "silent", "the server never answered", 0 },
	[WHY_STUCK] = { "stuck", "one end takes nothing any more", 0 },
	[WHY_QUEUE] = { "queue", "it takes too little, the uplink's queue is full",
	    0 },
	[WHY_UPLINK] = { "uplink-lost", "its uplink was lost", 0 },
	[WHY_IDLE] = { "idle", "idle for too long", 0 },
	[WHY_TOTAL] = { "total", "older than gateway.total-timeout", 0 },
	[WHY_REPLACED] = { "replaced", "the same device came anew", 0 },
	[WHY_NOW_EXPIRED] = { "now-expired", "its certificate has expired", 0 },
	[WHY_NOW_REVOKED] = { "now-revoked", "its certificate is revoked", 0 },
	[WHY_KICKED] = { "kicked", "kicked by an administrator", 0 },
	[WHY_DRAINED] = { "drained", "the gateway ends", 0 },
};

const char *
why_word(enum why w)
{
	return whys[w].word;
}

const char *
why_text(enum why w)
{
	return whys[w].text;
}

/* "*.a.b" stands for one label before ".a.b" (RFC 6125, section 6.4.3). */
static bool
name_matches(const char *rule, const char *name)
{
	const char *dot;

	if (strncmp(rule, "*.", 2) != 0)
		return strcmp(rule, name) == 0;
	dot = strchr(name, '.');
	return dot != NULL && strcmp(rule + 1, dot) == 0;
}

static bool
name_admitted(const char *rules, const char *name)
{
	char   rule[HELLO_SNI];
	size_t pos = 0;

	while (value_word(rules, &pos, rule, sizeof(rule)))
		if (name[0] == '\0' ? strcmp(rule, "none") == 0
				    : name_matches(rule, name))
			return true;
	return false;
}

static bool
protocol_listed(const char *rules, const uint8_t *p, size_t len)
{
	char   rule[256];
	size_t pos = 0;

	while (value_word(rules, &pos, rule, sizeof(rule)))
		if (strlen(rule) == len && memcmp(rule, p, len) == 0)
			return true;
	return false;
}

/* All that is offered must be listed: the server takes whichever it likes. */
static bool
protocols_admitted(const char *rules, const struct hello *h)
{
	const uint8_t *p;
	size_t	       pos = 0, len;

	if (rules[0] == '\0')
		return true;
	if (h->alpn_len == 0)
		return protocol_listed(rules, (const uint8_t *)"none", 4);
	while ((p = hello_alpn(h, &pos, &len)) != NULL)
		if (!protocol_listed(rules, p, len))
			return false;
	return true;
}

enum why
admit(const struct gateway_conf *conf, const struct hello *h)
{
	if (!name_admitted(conf->sni, h->sni))
		return h->sni[0] == '\0' ? WHY_NO_SNI : WHY_SNI;
	return protocols_admitted(conf->alpn, h) ? WHY_CLOSED : WHY_ALPN;
}

size_t
admit_alert(enum why w, uint8_t out[ADMIT_ALERT])
{
	const uint8_t alert[ADMIT_ALERT] = { 21, 3, 3, 0, 2, 2, whys[w].alert };

	memcpy(out, alert, ADMIT_ALERT);
	return whys[w].alert != 0 ? ADMIT_ALERT : 0;
}
