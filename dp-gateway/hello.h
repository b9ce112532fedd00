/*
 * dp-gateway/hello.h - what a ClientHello says about where it wants to go.
 *
 * Shape:   pure: the first bytes of a connection in, a verdict out. The message
 *          may be spread over several TLS records (RFC 8446, section 5.1); it
 *          is put together in h->msg, which the results borrow. The last
 *          record ends with it, as 5.1 says: what its server takes whole is
 *          there.
 * Results: after HELLO_WHOLE: sni is the host name (RFC 6066, section 3) in
 *          small letters, "" if there is none; alpn the list of protocols (RFC
 *          7301, section 3.1) as hello_alpn() walks it, alpn_len 0 if none.
 * Bounds:  HELLO_MAX bytes of the connection, headers included; then HELLO_LONG.
 *          Anything that a longer prefix could not mend is refused at once.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_HELLO_H
#define DP_GATEWAY_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HELLO_MAX 16384
#define HELLO_SNI 256 /* with its NUL */

enum hello_verdict {
	HELLO_MORE,    /* good so far */
	HELLO_WHOLE,
	HELLO_NOT_TLS, /* not a handshake record with a ClientHello */
	HELLO_BAD,     /* TLS, but against the RFCs */
	HELLO_LONG,
};

struct hello {
	char	       sni[HELLO_SNI];
	const uint8_t *alpn;
	size_t	       alpn_len;
	uint8_t	       msg[HELLO_MAX];
};

enum hello_verdict hello_parse(struct hello *h, const uint8_t *buf, size_t len);

/* The protocol at *pos, which moves behind it; NULL past the last. */
const uint8_t *hello_alpn(const struct hello *h, size_t *pos, size_t *len);

#endif
