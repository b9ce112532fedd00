/*
 * dp-gateway/admit.h - whom the gateway carries: the closed lists of server
 * names and protocols, and the words for all that ends a connection.
 *
 * Pure. What is on no list is refused: the gateway is no open relay, and the
 * client chooses neither host nor port.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_ADMIT_H
#define DP_GATEWAY_ADMIT_H

#include "common/settings.h"
#include "dp-gateway/hello.h"

/* Why a connection is no more. Up to WHY_REFUSED it was never carried. */
enum why {
	WHY_SCOPE,	   /* address outside gateway.allow */
	WHY_DRAINING,	   /* by dpctl gateway drain, or at the end */
	WHY_FULL,	   /* gateway.max-connections */
	WHY_ADDRESS,	   /* gateway.max-per-address */
	WHY_DESCRIPTORS,   /* the process or the machine has no more */
	WHY_MEMORY,
	WHY_HELLO_TIMEOUT, /* no whole ClientHello in time */
	WHY_NOT_TLS,
	WHY_BAD_HELLO,
	WHY_LONG_HELLO,
	WHY_NO_SNI,
	WHY_SNI,
	WHY_ALPN,
	WHY_NO_SERVER,	   /* none of the addresses connects */
	WHY_TLS,	   /* the handshake failed: no good certificate, mostly */
	WHY_BAD_REQUEST,
	WHY_LONG_REQUEST,
	WHY_METHOD,	   /* not CONNECT */
	WHY_PROXY_FROM,	   /* address outside gateway.proxy-from */
	WHY_TARGET_HOST,   /* of a tunnel: on no line of gateway.proxy-allow */
	WHY_TARGET_PORT,   /* only with other ports */
	WHY_TARGET_ADDRESS, /* its name leads where it must not */
	WHY_TARGET_AWAY,   /* it does not connect */
	WHY_TARGET_LATE,   /* not in time */
	WHY_NO_CERT,
	WHY_CERT,	   /* of another CA, or of the wrong kind */
	WHY_CERT_EXPIRED,
	WHY_CERT_REVOKED,
	WHY_CERT_NOT_YET,
	WHY_CRL,	   /* none of its CA that is good now */
	WHY_DEVICE,	   /* gateway.max-per-device */
	WHY_NO_DEVICE,	   /* its certificate names none */
	WHY_NO_ADMIN,	   /* nor is it in gateway.push-admins */
	WHY_CLONE,	   /* another one with its certificate has just come */
	WHY_NO_UPLINK,	   /* and gateway.uplink-fallback = no */
	WHY_CIRCLE,	   /* of gateways */
	WHY_NOT_ALLOWED,   /* by a far end */
	WHY_PEER,	   /* likewise: gateway.max-per-peer */
	WHY_FAR_FULL,	   /* likewise: it has no room */
	WHY_FAR_DRAINING,  /* likewise: dpctl gateway drain there */
	WHY_FAR_REFUSED,   /* likewise: by a status that says no more */
	WHY_LEFT,	   /* the client, before there was a server */
	WHY_REFUSED = WHY_LEFT,
	WHY_CLOSED,	   /* by both ends, after all was carried */
	WHY_CLIENT_RESET,
	WHY_SERVER_RESET,
	WHY_SILENT,	   /* the server connected and never answered */
	WHY_STUCK,	   /* gateway.send-timeout */
	WHY_QUEUE,	   /* too much waits for it, for all of an uplink */
	WHY_UPLINK,	   /* was lost */
	WHY_IDLE,
	WHY_TOTAL,
	WHY_REPLACED,	   /* the same device has come anew */
	WHY_NOW_EXPIRED,   /* its certificate, while it was carried */
	WHY_NOW_REVOKED,
	WHY_KICKED,
	WHY_DRAINED,
	WHY_KINDS
};
const char *why_word(enum why w); /* "no-sni": of metrics and rows */
const char *why_text(enum why w); /* a clause for the log */

/* Whether the lists (of a checked configuration) admit what h says: WHY_CLOSED
 * is yes, else WHY_NO_SNI, WHY_SNI or WHY_ALPN. */
enum why admit(const struct gateway_conf *conf, const struct hello *h);

/* The fatal alert for a client refused with this (RFC 8446, 6.2, in a record
 * of its own), or its length 0: a close says enough. */
#define ADMIT_ALERT 7
size_t admit_alert(enum why w, uint8_t out[ADMIT_ALERT]);

#endif
