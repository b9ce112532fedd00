/*
 * dp-serve/request.h - the head of one HTTP/1.1 request, parsed strictly.
 *
 * Shape:   a struct request holds offsets into the bytes it was parsed from, so
 *          those may move between two calls as long as they keep their order.
 * Use:     request_begin, then request_parse with everything received so far,
 *          again and again as it grows; it resumes where it stopped.
 * Errors:  the answer is REQUEST_MORE, REQUEST_DONE, or a status of HTTP's that
 *          ends the connection: after it nothing on the line can be trusted.
 * Refused: what two readers could understand differently. Bare LF, folded
 *          lines, space before the colon, control bytes, two Hosts or lengths,
 *          a length with an encoding, any body, absolute URIs (this is no
 *          proxy), and paths that climb, repeat a slash or escape an escape.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SERVE_REQUEST_H
#define DP_SERVE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_LINE_MAX   2048 /* its CR included; longer: 414 */
#define REQUEST_FIELDS_MAX 64	/* more lines: 431 */
#define REQUEST_HEAD_MAX   8192 /* more bytes: 431 */

enum { REQUEST_MORE = 0, REQUEST_DONE = 200 };

struct span { /* bytes of the head; len 0: the field is absent */
	uint16_t off, len;
};

enum request_field {
	F_HOST,
	F_CONNECTION,
	F_CONTENT_LENGTH,
	F_TRANSFER_ENCODING,
	F_EXPECT,
	F_RANGE,
	F_IF_RANGE,
	F_IF_MATCH,
	F_IF_NONE_MATCH,
	F_IF_MODIFIED,
	F_IF_UNMODIFIED,
	F_COUNT
};

struct request {
	struct span path;     /* begins with '/', as url_path_canon makes it */
	struct span f[F_COUNT];
	uint16_t    line, scan, nfields;
	uint16_t    seen;     /* a bit for each field of f that came */
	bool	    is_head, keep_alive, has_query, started;
	uint8_t	    minor;    /* of HTTP/1.x */
	uint16_t    head_len; /* once done: bytes of the head, empty line too */
};

void request_begin(struct request *r);

/* buf is written to where the path holds escapes. */
int request_parse(struct request *r, char *buf, size_t len);

#endif
