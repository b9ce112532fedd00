/*
 * common/http_request.h - the head of one HTTP/1.1 request, parsed strictly.
 *
 * Shape:   a struct http_request holds offsets into the bytes it was parsed
 *          from, so those may move between two calls if they keep their order.
 * Use:     http_request_begin with the methods that are wanted, then
 *          http_request_parse with everything received so far, again and again
 *          as it grows; it resumes where it stopped.
 * Errors:  the answer is HTTP_REQUEST_MORE, HTTP_REQUEST_DONE, or a status of
 *          HTTP's that ends the connection: after it nothing on the line can be
 *          trusted. A method that is known and not wanted: 405.
 * Refused: what two readers could understand differently. Bare LF, folded
 *          lines, space before the colon, control bytes, two Hosts or lengths,
 *          a length with an encoding, any body but that of POST and PUT (those
 *          have a length, there are no chunks), absolute URIs, a CONNECT to
 *          anything but host and port, and paths that climb, repeat a slash or
 *          escape an escape.
 * Source:  RFC 9112, sections 2 to 6; RFC 9110, section 9.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_HTTP_REQUEST_H
#define COMMON_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_REQUEST_LINE_MAX	2048 /* its CR included; longer: 414 */
#define HTTP_REQUEST_FIELDS_MAX 64   /* more lines: 431 */
#define HTTP_REQUEST_HEAD_MAX	8192 /* more bytes: 431 */

enum { HTTP_REQUEST_MORE = 0, HTTP_REQUEST_DONE = 200 };

enum http_method { /* bits, for a set of what is wanted */
	HTTP_GET = 1,
	HTTP_HEAD = 2,
	HTTP_POST = 4,
	HTTP_PUT = 8,
	HTTP_CONNECT = 16
};

struct http_span { /* bytes of the head; len 0: the field is absent */
	uint16_t off, len;
};

enum http_field {
	HTTP_HOST,
	HTTP_CONNECTION,
	HTTP_CONTENT_LENGTH,
	HTTP_TRANSFER_ENCODING,
	HTTP_EXPECT,
	HTTP_RANGE,
	HTTP_IF_RANGE,
	HTTP_IF_MATCH,
	HTTP_IF_NONE_MATCH,
	HTTP_IF_MODIFIED,
	HTTP_IF_UNMODIFIED,
	HTTP_LAST_EVENT_ID,
	HTTP_FIELDS
};

struct http_request {
	struct http_span path;	/* begins with '/', as url_path_canon makes it */
	struct http_span query; /* what follows '?', as it was sent */
	struct http_span host;	/* of CONNECT, whose path is empty; no brackets */
	struct http_span f[HTTP_FIELDS];
	uint16_t	 port; /* of CONNECT */
	uint16_t	 line, scan, nfields;
	uint16_t	 seen; /* a bit for each field of f that came */
	uint8_t		 wanted, method; /* of enum http_method */
	bool		 keep_alive, has_query, started;
	uint8_t		 minor;	   /* of HTTP/1.x */
	uint16_t	 head_len; /* once done: bytes of the head, empty line too */
	uint64_t	 body_len; /* bytes that follow the head */
};

void http_request_begin(struct http_request *r, unsigned wanted);

/* buf is written to where the path holds escapes. */
int http_request_parse(struct http_request *r, char *buf, size_t len);

#endif
