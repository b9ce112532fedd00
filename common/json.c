/*
 * common/json.c - bounded JSON and its canonical form; see json.h.
 *
 * Runs wherever signed metadata is read or written. Believes nothing about the
 * bytes: a first pass without allocation bounds what jansson will build.
 * SPDX-License-Identifier: ISC
 */
#include "common/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
js_setup(void)
{
	json_object_seed(0);
}

/* Depth and number of values; whether it is JSON at all jansson says. */
static const char *
outside_bounds(const char *p, size_t len)
{
	size_t depth = 0, values = 0, most = 1024 + len / 4;
	bool   in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		switch (c) {
		case '"':
			in_string = true;
			break;
		case '{':
		case '[':
			if (++depth > JS_MAX_DEPTH)
				return "nested too deeply";
			values++;
			break;
		case '}':
		case ']':
			if (depth > 0)
				depth--;
			break;
		case ',':
			values++;
			break;
		}
	}
	return values > most ? "too many values for its size" : NULL;
}

int
js_parse(json_t **out, const void *buf, size_t len, char *why, size_t size)
{
	const char  *bounds = outside_bounds(buf, len);
	json_error_t e;

	*out = NULL;
	if (bounds != NULL) {
		snprintf(why, size, "%s", bounds);
		return -EBADMSG;
	}
	*out = json_loadb(buf, len, JSON_REJECT_DUPLICATES, &e);
	if (*out != NULL)
		return 0;
	if (json_error_code(&e) == json_error_out_of_memory) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	/* jansson quotes the input after " near "; that is not ours to repeat */
	e.text[strcspn(e.text, "'")] = '\0';
	snprintf(why, size, "not JSON: line %d: %s", e.line, e.text);
	return -EBADMSG;
}

/* ---- the canonical form ---------------------------------------------------- */

static int canon_value(FILE *f, const json_t *v);

static void
canon_string(FILE *f, const char *s, size_t len)
{
	putc_unlocked('"', f);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\')
			putc_unlocked('\\', f);
		putc_unlocked(s[i], f);
	}
	putc_unlocked('"', f);
}

static int
by_bytes(const void *a, const void *b)
{
	/* UTF-8 sorts by bytes as it does by code points */
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
canon_object(FILE *f, const json_t *o)
{
	size_t	     n = json_object_size(o), i = 0;
	const char **keys = calloc(n + 1, sizeof(*keys));
	const char  *key;
	json_t	    *v;
	int	     r = 0;

	if (keys == NULL)
		return -ENOMEM;
	json_object_foreach((json_t *)o, key, v)
		keys[i++] = key;
	qsort(keys, n, sizeof(*keys), by_bytes);
	putc_unlocked('{', f);
	for (i = 0; i < n && r == 0; i++) {
		if (i > 0)
			putc_unlocked(',', f);
		canon_string(f, keys[i], strlen(keys[i]));
		putc_unlocked(':', f);
		r = canon_value(f, json_object_get(o, keys[i]));
	}
	putc_unlocked('}', f);
	free(keys);
	return r;
}

static int
canon_array(FILE *f, const json_t *a)
{
	size_t n = json_array_size(a);
	int    r = 0;

	putc_unlocked('[', f);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (i > 0)
			putc_unlocked(',', f);
		r = canon_value(f, json_array_get(a, i));
	}
	putc_unlocked(']', f);
	return r;
}

static int
canon_value(FILE *f, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return canon_object(f, v);
	case JSON_ARRAY:
		return canon_array(f, v);
	case JSON_STRING:
		canon_string(f, json_string_value(v), json_string_length(v));
		return 0;
	case JSON_INTEGER:
		fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return 0;
	case JSON_TRUE:
		fputs("true", f);
		return 0;
	case JSON_FALSE:
		fputs("false", f);
		return 0;
	case JSON_NULL:
		fputs("null", f);
		return 0;
	case JSON_REAL:
		break;
	}
	return -EBADMSG;
}

int
js_canon(const json_t *v, char **out, size_t *len)
{
	FILE *f = open_memstream(out, len);
	int   r;

	if (f == NULL)
		return -ENOMEM;
	r = canon_value(f, v);
	if (fclose(f) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0) {
		free(*out);
		*out = NULL;
		*len = 0;
	}
	return r;
}

/* ---- getters --------------------------------------------------------------- */

const char *
js_str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

json_t *
js_obj(const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	return json_is_object(v) ? v : NULL;
}

json_t *
js_arr(const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	return json_is_array(v) ? v : NULL;
}

int
js_int(const json_t *o, const char *key, int64_t min, int64_t max, int64_t *out)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < min ||
	    json_integer_value(v) > max)
		return -EBADMSG;
	*out = json_integer_value(v);
	return 0;
}

int
js_bool(const json_t *o, const char *key, bool *out)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_boolean(v))
		return -EBADMSG;
	*out = json_is_true(v);
	return 0;
}
