/*
 * common/json.h - JSON that somebody else wrote, and the one form that is signed.
 *
 * Loads by jansson, duplicate keys refused, with size, depth (JS_MAX_DEPTH) and
 * number of values bounded before jansson allocates anything.
 * Canonical form: what TUF signs (OLPC canonical JSON as securesystemslib writes
 * it): keys sorted by code point, no white space, only '"' and '\' escaped, the
 * rest raw UTF-8; integers only, so a real number is -EBADMSG.
 * Getters give NULL or -EBADMSG for an absent or wrongly typed member, borrow
 * from the object and take o == NULL or a non-object as "absent".
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JS_MAX_DEPTH 64

/* Call once before a sandbox closes: jansson reads /dev/urandom here. */
void js_setup(void);

/*
 * The value in buf[len], nothing after it but white space. Returns 0, -EBADMSG
 * (not JSON, or beyond the bounds; why[size] says so) or -ENOMEM. The caller
 * json_decref()s *out.
 */
int js_parse(json_t **out, const void *buf, size_t len, char *why, size_t size);

/* The canonical bytes of v, without NUL; the caller free()s them. */
int js_canon(const json_t *v, char **out, size_t *len);

const char *js_str(const json_t *o, const char *key);
json_t	   *js_obj(const json_t *o, const char *key);
json_t	   *js_arr(const json_t *o, const char *key);
int	    js_int(const json_t *o, const char *key, int64_t min, int64_t max,
		   int64_t *out);
int	    js_bool(const json_t *o, const char *key, bool *out);

#endif
