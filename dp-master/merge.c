/*
 * dp-master/merge.c - rows of several processes as one; see merge.h. Pure.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/merge.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool
is_free(const char *key)
{
	return strcmp(key, "state") == 0 || strcmp(key, "why") == 0;
}

static bool
is_same(json_t *a, json_t *b)
{
	const char *key;
	json_t	   *v, *other;

	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach(a, key, v) {
		if ((other = json_object_get(b, key)) == NULL ||
		    json_typeof(v) != json_typeof(other))
			return false;
		if (!is_free(key) && !json_is_object(v) &&
		    (!json_is_number(v) || strcmp(key, "port") == 0) &&
		    !json_equal(v, other))
			return false;
	}
	return true;
}

static bool
ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && strcmp(s + n - t, tail) == 0;
}

double
merge_sample(const char *name, double a, double b)
{
	if (ends_with(name, "_up"))
		return a < b ? a : b;
	if (ends_with(name, "_seconds"))
		return a > b ? a : b;
	return a + b;
}

static json_t *
numbers(const char *key, const json_t *a, const json_t *b)
{
	json_int_t x = json_integer_value(a), y = json_integer_value(b);

	if (!json_is_integer(a) || !json_is_integer(b))
		return json_real(json_number_value(a) + json_number_value(b));
	if (ends_with(key, "_ms") || ends_with(key, "_s"))
		return json_integer(x > y ? x : y);
	return json_integer(x + y);
}

static json_t *
texts(const char *a, const char *b)
{
	char both[600];

	if (b[0] == '\0' || strstr(a, b) != NULL)
		return json_string(a);
	snprintf(both, sizeof(both), "%s%s%s", a, a[0] != '\0' ? ", " : "", b);
	return json_string(both);
}

static void
merge(json_t *into, json_t *from)
{
	const char *key;
	json_t	   *v, *was;

	json_object_foreach(from, key, v) {
		was = json_object_get(into, key);
		if (was == NULL)
			json_object_set(into, key, v);
		else if (json_is_object(v) && json_is_object(was))
			merge(was, v);
		else if (json_is_number(v) && json_is_number(was) &&
		    strcmp(key, "port") != 0)
			json_object_set_new(into, key, numbers(key, was, v));
		else if (json_is_string(v) && json_is_string(was) &&
		    is_free(key))
			json_object_set_new(into, key,
			    texts(json_string_value(was), json_string_value(v)));
	}
}

void
merge_row(json_t *rows, json_t *take_row)
{
	json_t *row;
	size_t	i;

	json_array_foreach(rows, i, row)
		if (is_same(row, take_row)) {
			merge(row, take_row);
			json_decref(take_row);
			return;
		}
	json_array_append_new(rows, take_row);
}
