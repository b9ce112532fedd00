/*
 * dp-serve/range.h - which part of an object a request wants, and whether at all.
 *
 * Pure functions over the values of Range, If-*, and over dates as HTTP writes
 * them. A Range that is malformed, of another unit, or of several parts gets
 * the whole object (RFC 9110, 14.2 lets a server ignore it): so there is no
 * multipart answer to get wrong, and no set of overlapping ranges that costs
 * more than the file.
 * Units: bytes; last is included. Times are seconds since 1970.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SERVE_RANGE_H
#define DP_SERVE_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/http_request.h"

#define HTTP_DATE_LEN 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

void http_date(int64_t t, char out[HTTP_DATE_LEN + 1]);
int  http_date_parse(int64_t *t, const char *p, size_t n); /* 0 or -EINVAL */

enum range_answer { RANGE_WHOLE, RANGE_PART, RANGE_NONE };
enum range_answer range_parse(const char *p, size_t n, uint64_t size,
    uint64_t *first, uint64_t *last);

/* Does the list of entity tags p name etag (with its quotes), or is it "*"? */
bool etag_listed(const char *p, size_t n, const char *etag, bool weak_ok);

/*
 * The request's conditions against what we have: 200, 206 (first and last are
 * set), 304, 412 or 416.
 */
int conditions(const struct http_request *r, const char *buf, const char *etag,
    int64_t mtime, uint64_t size, uint64_t *first, uint64_t *last);

#endif
