/*
 * dp-gateway/hello.c - the ClientHello of RFC 8446, section 4.1.2 (and of RFC
 * 5246, 7.4.1.2, which differs in nothing that matters here); see hello.h.
 *
 * Runs in dp-gateway. Believes nothing: these are a stranger's bytes. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/hello.h"

#include "common/rd.h"

#include <string.h>

#define RECORD_HEADER	 5
#define RECORD_MAX	 16384
#define RECORD_HANDSHAKE 22
#define CLIENT_HELLO	 1
#define EXT_SERVER_NAME	 0
#define EXT_ALPN	 16
#define MESSAGE_HEADER	 4
#define MESSAGE_MIN	 (2 + 32 + 1 + 4 + 2) /* one suite, null compression */

/* Letters, digits, "-", "_" and single dots inside; no address in brackets. */
static bool
take_name(char out[HELLO_SNI], const uint8_t *p, size_t len)
{
	if (len == 0 || len >= HELLO_SNI || p[0] == '.' || p[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = p[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_' && (c != '.' || p[i - 1] == '.'))
			return false;
		out[i] = (char)c;
	}
	out[len] = '\0';
	return true;
}

/* server_name_list := { type:u8 name<u16> } <u16>, a type at most once; only
 * type 0, host_name, was ever defined, and its length is the one we know. */
static bool
parse_sni(struct hello *h, struct rd ext)
{
	struct rd      list;
	const uint8_t *name;
	size_t	       len;

	list = rd_sub(&ext, rd_u16(&ext));
	if (rd_done(&ext) < 0 || rd_u8(&list) != 0)
		return false;
	len = rd_u16(&list);
	name = rd_bytes(&list, len);
	return rd_done(&list) == 0 && take_name(h->sni, name, len);
}

/* protocol_name_list := { name<u8, not empty> } <u16, not empty> */
static bool
parse_alpn(struct hello *h, struct rd ext)
{
	struct rd list;
	size_t	  n;

	h->alpn_len = rd_u16(&ext);
	h->alpn = rd_bytes(&ext, h->alpn_len);
	if (rd_done(&ext) < 0 || h->alpn_len == 0)
		return false;
	for (list = rd_from(h->alpn, h->alpn_len); list.left > 0;)
		if ((n = rd_u8(&list)) == 0 || rd_bytes(&list, n) == NULL)
			return false;
	return true;
}

static bool
parse_extensions(struct hello *h, struct rd *r)
{
	bool	  has_sni = false, has_alpn = false;
	uint16_t  type;
	struct rd ext;

	while (r->left > 0) {
		type = rd_u16(r);
		ext = rd_sub(r, rd_u16(r));
		if (r->err != 0)
			return false;
		if (type == EXT_SERVER_NAME) {
			if (has_sni || !parse_sni(h, ext))
				return false;
			has_sni = true;
		} else if (type == EXT_ALPN) {
			if (has_alpn || !parse_alpn(h, ext))
				return false;
			has_alpn = true;
		}
	}
	return true;
}

static bool
parse_body(struct hello *h, const uint8_t *body, size_t len)
{
	struct rd r = rd_from(body, len), ext;
	size_t	  n;

	if (rd_u16(&r) >> 8 != 3) /* legacy_version */
		return false;
	(void)rd_bytes(&r, 32);
	n = rd_u8(&r);
	(void)rd_bytes(&r, n);
	if (n > 32)
		return false;
	n = rd_u16(&r);
	(void)rd_bytes(&r, n);
	if (n == 0 || n % 2 != 0)
		return false;
	n = rd_u8(&r);
	(void)rd_bytes(&r, n);
	if (n == 0 || r.err != 0)
		return false;
	if (r.left == 0)
		return true; /* before TLS 1.3 extensions may be missing */
	ext = rd_sub(&r, rd_u16(&r));
	return rd_done(&r) == 0 && parse_extensions(h, &ext);
}

/*
 * The message's length, once its header is there. What is too short for any
 * ClientHello is as wrong as another type.
 */
static enum hello_verdict
message_size(const struct hello *h, size_t have, size_t *size)
{
	*size = MESSAGE_HEADER;
	if (have > 0 && h->msg[0] != CLIENT_HELLO)
		return HELLO_NOT_TLS;
	if (have < MESSAGE_HEADER)
		return HELLO_MORE;
	*size += (size_t)h->msg[1] << 16 | (size_t)h->msg[2] << 8 | h->msg[3];
	if (*size > HELLO_MAX - RECORD_HEADER)
		return HELLO_LONG;
	if (*size < MESSAGE_HEADER + MESSAGE_MIN)
		return HELLO_BAD;
	return have < *size ? HELLO_MORE : HELLO_WHOLE;
}

enum hello_verdict
hello_parse(struct hello *h, const uint8_t *buf, size_t len)
{
	size_t		   at = 0, have = 0, size, n, part;
	enum hello_verdict v = HELLO_MORE;

	h->sni[0] = '\0';
	h->alpn = NULL;
	h->alpn_len = 0;
	if (len > HELLO_MAX)
		len = HELLO_MAX;
	while (v == HELLO_MORE && at < len) {
		if (buf[at] != RECORD_HANDSHAKE ||
		    (len - at > 1 && buf[at + 1] != 3))
			return at == 0 ? HELLO_NOT_TLS : HELLO_BAD;
		if (len - at < RECORD_HEADER)
			break;
		n = (size_t)buf[at + 3] << 8 | buf[at + 4];
		if (n == 0 || n > RECORD_MAX)
			return HELLO_BAD;
		at += RECORD_HEADER;
		part = n < len - at ? n : len - at;
		memcpy(h->msg + have, buf + at, part);
		have += part;
		at += part;
		v = message_size(h, have, &size);
		/* it ends with its record (RFC 8446, 5.1): a server waits for
		 * the rest of one that is longer, and would seem silent */
		if ((v == HELLO_WHOLE || (v == HELLO_MORE &&
			have >= MESSAGE_HEADER)) && have - part + n > size)
			return HELLO_BAD;
		if (part < n)
			break;
	}
	if (v == HELLO_WHOLE)
		return parse_body(h, h->msg + MESSAGE_HEADER,
			   size - MESSAGE_HEADER)
		    ? HELLO_WHOLE
		    : HELLO_BAD;
	return v == HELLO_MORE && len == HELLO_MAX ? HELLO_LONG : v;
}

const uint8_t *
hello_alpn(const struct hello *h, size_t *pos, size_t *len)
{
	if (*pos >= h->alpn_len)
		return NULL;
	*len = h->alpn[*pos];
	*pos += 1 + *len;
	return h->alpn + *pos - *len;
}
