/*
 * dpctl/table.c - rows for people; see table.h.
 *
 * Runs in dpctl. Believes nothing of the rows but that they are JSON objects.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/size.h"
#include "dpctl/dpctl.h"

enum { CELL_MAX = 512, COLUMNS_MAX = 24 };

#define BOLD  "\033[1m"
#define RED   "\033[31m"
#define GREEN "\033[32m"
#define AMBER "\033[33m"
#define PLAIN "\033[0m"

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static bool
is_bytes(const char *key)
{
	static const char *const words[] = { "bytes", "size", "length", "durable",
		"from_client", "from_server", "from_clients", "from_servers" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(key, words[i]) == 0)
			return true;
	return ends_with(key, "_bytes");
}

static bool
is_rate(const char *key)
{
	return ends_with(key, "_per_s") || ends_with(key, "_rate") ||
	    strcmp(key, "rate") == 0;
}

static bool
is_seconds(const char *key)
{
	return ends_with(key, "_s") || strcmp(key, "seconds") == 0;
}

/* Seconds since the epoch. */
static bool
is_time(const char *key)
{
	return strcmp(key, "time") == 0 || strcmp(key, "expires") == 0 ||
	    strcmp(key, "next_time") == 0 || strcmp(key, "first_seen") == 0 ||
	    strncmp(key, "last_", 5) == 0;
}

static void
span_text(double s, char *out, size_t size)
{
	int64_t n = (int64_t)s;

	if (s < 10)
		snprintf(out, size, s == (double)n ? "%.0f s" : "%.1f s", s);
	else if (n < 120)
		snprintf(out, size, "%" PRId64 " s", n);
	else if (n < 7200)
		snprintf(out, size, "%" PRId64 " min %02" PRId64 " s", n / 60, n % 60);
	else if (n < 172800)
		snprintf(out, size, "%" PRId64 " h %02" PRId64 " min", n / 3600,
		    n / 60 % 60);
	else
		snprintf(out, size, "%" PRId64 " d %02" PRId64 " h", n / 86400,
		    n / 3600 % 24);
}

static void
time_text(int64_t t, char *out, size_t size)
{
	time_t	  when = (time_t)t;
	struct tm tm;

	if (t == 0)
		snprintf(out, size, "never");
	else if (localtime_r(&when, &tm) == NULL ||
	    strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(out, size, "?");
}

/* The parts of a list, and of counts by name those that are not 0. */
static void
parts_text(const json_t *v, char *out, size_t size)
{
	char	    part[256];
	const char *key;
	json_t	   *e;
	size_t	    i, n = 0;

	out[0] = '\0';
	json_array_foreach((json_t *)v, i, e) {
		cell_text("", e, part, sizeof(part));
		if (n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s",
			    n > 0 ? ", " : "", part);
	}
	json_object_foreach((json_t *)v, key, e) {
		if (json_is_integer(e) && json_integer_value(e) == 0)
			continue;
		cell_text(key, e, part, sizeof(part));
		if (n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s %s",
			    n > 0 ? ", " : "", key, part);
	}
	if (n == 0)
		snprintf(out, size, "-");
}

void
cell_text(const char *key, const json_t *v, char *out, size_t size)
{
	char number[SIZE_TEXT];
	bool percent = json_is_number(v) && ends_with(key, "_percent");

	if (json_is_string(v))
		snprintf(out, size, "%s", json_string_value(v));
	else if (json_is_null(v) || v == NULL ||
	    (percent && json_number_value(v) < 0))
		snprintf(out, size, "-");
	else if (json_is_boolean(v))
		snprintf(out, size, "%s", json_is_true(v) ? "yes" : "no");
	else if (json_is_number(v) && ends_with(key, "_rate") &&
	    json_number_value(v) <= 0)
		snprintf(out, size, "no limit");
	else if (json_is_number(v) && is_rate(key))
		snprintf(out, size, "%s/s", size_text(json_number_value(v), number));
	else if (json_is_number(v) && is_bytes(key))
		snprintf(out, size, "%s", size_text(json_number_value(v), number));
	else if (json_is_number(v) && is_seconds(key))
		span_text(json_number_value(v), out, size);
	else if (percent)
		snprintf(out, size, "%.1f %%", json_number_value(v));
	else if (json_is_integer(v) && is_time(key))
		time_text(json_integer_value(v), out, size);
	else if (json_is_integer(v))
		snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_real(v))
		snprintf(out, size, "%.2f", json_real_value(v));
	else
		parts_text(v, out, size);
	tame(out);
}

/* Characters, which is not bytes. */
static int
width_of(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static const char *
color_of(const char *text)
{
	static const struct {
		const char *word, *color;
	} colors[] = { { "ok", GREEN }, { "ready", GREEN }, { "failed", RED },
		{ "error", RED }, { "degraded", AMBER }, { "backoff", AMBER },
		{ "expired", RED }, { "warning", AMBER } };

	for (size_t i = 0; i < COUNT(colors); i++)
		if (strcmp(colors[i].word, text) == 0)
			return colors[i].color;
	return NULL;
}

static void
put_cell(FILE *f, const char *text, int width, bool right, bool color)
{
	const char *c = color ? color_of(text) : NULL;
	int	    pad = width - width_of(text);

	if (right && pad > 0)
		fprintf(f, "%*s", pad, "");
	fprintf(f, "%s%s%s", c != NULL ? c : "", text, c != NULL ? PLAIN : "");
	if (!right && pad > 0)
		fprintf(f, "%*s", pad, "");
}

void
key_text(const char *key, char *out, size_t size)
{
	size_t n = strlen(key);

	if (n > 6 && (ends_with(key, "_per_s") || ends_with(key, "_bytes")))
		n -= 6;
	else if (n > 8 && ends_with(key, "_percent"))
		n -= 8;
	else if (n > 2 && ends_with(key, "_s"))
		n -= 2;
	snprintf(out, size, "%.*s", (int)n, key);
	tame(out);
	for (char *c = out; *c != '\0'; c++)
		*c = *c == '_' ? ' ' : *c;
}

static void
print_lines(FILE *f, const json_t *row, bool color)
{
	const char *key;
	json_t	   *v;
	char	    text[CELL_MAX], name[64];
	int	    width = 0;

	json_object_foreach((json_t *)row, key, v) {
		key_text(key, name, sizeof(name));
		if (width_of(name) > width)
			width = width_of(name);
	}
	json_object_foreach((json_t *)row, key, v) {
		key_text(key, name, sizeof(name));
		cell_text(key, v, text, sizeof(text));
		fprintf(f, "%-*s  ", width, name);
		put_cell(f, text, 0, false, color);
		putc('\n', f);
	}
}

struct column {
	const char *key;
	int	    width;
	bool	    right;
};

static size_t
find_columns(const json_t *rows, struct column col[COLUMNS_MAX])
{
	char	    text[CELL_MAX];
	const char *key;
	json_t	   *row, *v;
	size_t	    n = 0, i, c;

	json_array_foreach(rows, i, row) {
		json_object_foreach(row, key, v) {
			for (c = 0; c < n && strcmp(col[c].key, key) != 0; c++)
				;
			if (c == COLUMNS_MAX)
				continue;
			if (c == n)
				col[n++] = (struct column){ .key = key, .right = true,
					.width = width_of(key) };
			cell_text(key, v, text, sizeof(text));
			if (width_of(text) > col[c].width)
				col[c].width = width_of(text);
			col[c].right = col[c].right && (json_is_number(v) ||
			    json_is_null(v));
		}
	}
	return n;
}

static void
print_table(FILE *f, const json_t *rows, bool color)
{
	struct column col[COLUMNS_MAX];
	size_t	      n = find_columns(rows, col), i;
	char	      text[CELL_MAX];
	json_t	     *row;

	if (color)
		fputs(BOLD, f);
	for (size_t c = 0; c < n; c++) {
		key_text(col[c].key, text, sizeof(text));
		put_cell(f, text, c + 1 < n || col[c].right ? col[c].width : 0,
		    col[c].right, false);
		fputs(c + 1 < n ? "  " : "", f);
	}
	fputs(color ? PLAIN "\n" : "\n", f);
	json_array_foreach(rows, i, row) {
		for (size_t c = 0; c < n; c++) {
			json_t *v = json_object_get(row, col[c].key);

			cell_text(col[c].key, v, text, sizeof(text));
			put_cell(f, text, c + 1 < n || col[c].right ? col[c].width : 0,
			    col[c].right, color);
			fputs(c + 1 < n ? "  " : "", f);
		}
		putc('\n', f);
	}
}

static void
print_alike(FILE *f, const json_t *rows, bool color)
{
	if (json_array_size(rows) == 1)
		print_lines(f, json_array_get(rows, 0), color);
	else
		print_table(f, rows, color);
}

static const char *
first_key(json_t *row)
{
	const char *key = json_object_iter_key(json_object_iter(row));

	return key != NULL ? key : "";
}

void
table_print(FILE *f, const json_t *rows, bool color)
{
	json_t *run = json_array(), *row;
	size_t	i;

	/* rows of one kind begin alike: each kind has a table of its own */
	json_array_foreach(rows, i, row) {
		json_t *before = json_array_get(run, 0);

		if (before != NULL && strcmp(first_key(before), first_key(row)) != 0) {
			print_alike(f, run, color);
			putc('\n', f);
			json_array_clear(run);
		}
		json_array_append(run, row);
	}
	if (json_array_size(run) > 0)
		print_alike(f, run, color);
	json_decref(run);
}

void
event_print(FILE *f, const json_t *row, bool color)
{
	static const char *const shown[] = { "time", "from", "event", "seq" };
	char	    text[CELL_MAX], name[64];
	const char *key;
	json_t	   *v;

	cell_text("time", json_object_get(row, "time"), text, sizeof(text));
	fprintf(f, "%s  ", text);
	cell_text("from", json_object_get(row, "from"), text, sizeof(text));
	fprintf(f, "%-8s ", text);
	cell_text("event", json_object_get(row, "event"), text, sizeof(text));
	fprintf(f, "%s%s%s", color ? BOLD : "", text, color ? PLAIN : "");
	json_object_foreach((json_t *)row, key, v) {
		bool done = false;

		for (size_t i = 0; i < COUNT(shown); i++)
			done = done || strcmp(key, shown[i]) == 0;
		if (done)
			continue;
		snprintf(name, sizeof(name), "%s", key);
		tame(name);
		cell_text(key, v, text, sizeof(text));
		fprintf(f, "  %s=", name);
		put_cell(f, text, 0, false, color);
	}
	putc('\n', f);
	fflush(f);
}
