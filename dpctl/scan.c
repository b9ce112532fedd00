/*
 * dpctl/scan.c - network polling: a run as it goes, devices for people, CSV.
 *
 * Runs in dpctl. Texts come from devices that may be hostile: nothing of them
 * reaches a terminal before tame(), nor a spreadsheet as a formula.
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "common/size.h"
#include "dpctl/dpctl.h"
#include "dpctl/table.h"

const struct option_row scan_run_options[] = {
	{ "large", NULL, "a range of more than 65,536 addresses is meant" },
	{ NULL, NULL, NULL },
};

const struct option_row scan_devices_options[] = {
	{ "new", NULL, "first seen within the life time (24 h)" },
	{ "without-agent", NULL, "only those without a network agent" },
	{ NULL, NULL, NULL },
};

const struct option_row scan_export_options[] = {
	{ "csv", NULL, "comma-separated, for spreadsheets; else JSON lines" },
	{ "new", NULL, "first seen within the life time (24 h)" },
	{ "without-agent", NULL, "only those without a network agent" },
	{ NULL, NULL, NULL },
};

/* ---- a run ------------------------------------------------------------------- */

struct run_shown {
	json_t	       *rows;
	struct progress bar;
	char		what[48];
	bool		began;
};

static void
run_row(void *ctx, const json_t *row)
{
	struct run_shown *v = ctx;
	const char	 *state = js_str(row, "state"), *kind = js_str(row, "kind");
	int64_t		  done = 0, total = 0;

	if (state == NULL || strcmp(state, "running") != 0) {
		if (v->began)
			progress_end(&v->bar);
		v->began = false;
		json_array_append(v->rows, (json_t *)row);
		return;
	}
	(void)js_int(row, "sent", 0, INT64_MAX, &done);
	(void)js_int(row, "targets", 0, INT64_MAX, &total);
	if (!v->began) {
		snprintf(v->what, sizeof(v->what), "%.20s %.24s",
		    kind != NULL ? kind : "", js_str(row, "network") != NULL
			? js_str(row, "network") : "");
		tame(v->what);
		progress_begin(&v->bar, v->what, total, false);
		v->began = true;
	}
	progress_at(&v->bar, done < total ? done : total);
}

int
cmd_scan_run(struct args *a)
{
	struct run_shown v = { .rows = json_array() };
	int		 st = admin_each(a, a->json, run_row, &v);

	if (v.began)
		progress_end(&v.bar);
	if (!a->json)
		table_print(stdout, v.rows, use_color());
	json_decref(v.rows);
	return st;
}

/* ---- devices ----------------------------------------------------------------- */

/* How good an address is to know a device by: IPv4, then one that is no link's. */
static int
rank_of(const char *address)
{
	if (address == NULL)
		return 0;
	return strchr(address, ':') == NULL ? 3 : strchr(address, '%') == NULL &&
	    strncmp(address, "fe80:", 5) != 0 ? 2 : 1;
}

const char *
device_address(const json_t *row)
{
	const char   *best = NULL, *s;
	const json_t *e;
	size_t	      i;

	json_array_foreach(json_object_get(row, "addresses"), i, e) {
		s = json_string_value(e);
		if (rank_of(s) > rank_of(best))
			best = s;
	}
	return best;
}

static void
device_row(void *ctx, const json_t *row)
{
	static const char *const same[] = { "mac", "vendor", "kind", "os" };
	json_t	   *out = json_object(), *v;
	const char *agent = js_str(row, "agent");
	const char *address = device_address(row);
	char	    more[80];
	size_t	    n = json_array_size(json_object_get(row, "addresses"));

	json_object_set(out, "id", json_object_get(row, "id"));
	if ((v = json_object_get(row, "name")) != NULL)
		json_object_set(out, "device", v);
	snprintf(more, sizeof(more), n > 1 ? "%.60s +%zu" : "%.60s",
	    address != NULL ? address : "-", n - 1);
	json_object_set_new(out, "address", json_string(more));
	for (size_t i = 0; i < COUNT(same); i++)
		if ((v = json_object_get(row, same[i])) != NULL)
			json_object_set(out, same[i], v);
	json_object_set_new(out, "agent", json_boolean(agent != NULL));
	json_object_set(out, "state", json_object_get(row, "state"));
	json_object_set(out, "last_seen", json_object_get(row, "last_seen"));
	json_array_append_new(ctx, out);
}

int
cmd_scan_devices(struct args *a)
{
	json_t *rows = json_array();
	int	st = admin_each(a, a->json, device_row, rows);

	if (!a->json)
		table_print(stdout, rows, use_color());
	if (st == EX_DONE && !a->json && json_array_size(rows) == 0)
		puts("nothing");
	json_decref(rows);
	return st;
}

static void
print_value(const char *key, const json_t *v)
{
	char text[1024], name[64];

	key_text(key, name, sizeof(name));
	cell_text(key, v, text, sizeof(text));
	printf("%-13s %s\n", name, text);
}

/* A guess, and how much of 100 speaks for it. */
static void
print_guess(const char *key, const json_t *v, const json_t *weight)
{
	char text[128];

	snprintf(text, sizeof(text), "%.80s, %d of 100", json_string_value(v),
	    (int)json_integer_value(weight));
	tame(text);
	printf("%-13s %s\n", key, text);
}

static void
print_fact(const json_t *f)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s (%s)",
	    js_str(f, "text") != NULL ? js_str(f, "text") : "",
	    js_str(f, "by") != NULL ? js_str(f, "by") : "");
	tame(text);
	printf("%-13.40s %s\n", js_str(f, "fact") != NULL ? js_str(f, "fact") : "",
	    text);
}

static void
print_evidence(const json_t *e)
{
	char	text[1024];
	int64_t weight = 0;

	(void)js_int(e, "weight", 0, 100, &weight);
	snprintf(text, sizeof(text), "%s \"%s\": %s%s%s, %d of 100",
	    js_str(e, "what") != NULL ? js_str(e, "what") : "",
	    js_str(e, "text") != NULL ? js_str(e, "text") : "",
	    js_str(e, "kind") != NULL ? js_str(e, "kind") : "",
	    js_str(e, "kind") != NULL && js_str(e, "os") != NULL ? ", " : "",
	    js_str(e, "os") != NULL ? js_str(e, "os") : "", (int)weight);
	tame(text);
	printf("%-13s %s\n", "because", text);
}

/* macs tells it, or the guess. */
static bool
is_told_elsewhere(const char *key)
{
	static const char *const keys[] = { "mac", "kind_weight", "os_weight" };

	for (size_t i = 0; i < COUNT(keys); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

/* A line for each thing; of lists one for each of theirs, found_by apart. */
static void
show_row(void *ctx, const json_t *row)
{
	const char *key;
	json_t	   *v, *e;
	size_t	    i;

	(void)ctx;
	json_object_foreach((json_t *)row, key, v) {
		if (is_told_elsewhere(key) || json_is_null(v))
			continue;
		if (strcmp(key, "kind") == 0 && json_is_string(v))
			print_guess(key, v, json_object_get(row, "kind_weight"));
		else if (strcmp(key, "os") == 0 && json_is_string(v))
			print_guess(key, v, json_object_get(row, "os_weight"));
		else if (!json_is_array(v) || strcmp(key, "found_by") == 0) {
			print_value(key, v);
			continue;
		}
		json_array_foreach(v, i, e) {
			if (strcmp(key, "facts") == 0)
				print_fact(e);
			else if (strcmp(key, "evidence") == 0)
				print_evidence(e);
			else
				print_value(i == 0 ? key : "", e);
		}
	}
}

int
cmd_scan_show(struct args *a)
{
	return admin_each(a, a->json, show_row, NULL);
}

/* ---- CSV (RFC 4180) ---------------------------------------------------------- */

/* What a spreadsheet would take for a formula gets an apostrophe before it. */
static void
csv_text(const char *s)
{
	if (s[0] != '\0' && strchr("=+-@\t\r", s[0]) != NULL)
		putchar('\'');
	for (; *s != '\0'; s++) {
		if (*s == '"')
			putchar('"');
		putchar((unsigned char)*s < ' ' ? ' ' : *s);
	}
}

/* Times are UTC, as ISO 8601 writes them. */
static void
csv_cell(const char *key, const json_t *v)
{
	char	      number[32];
	const json_t *e;
	size_t	      i;
	time_t	      t = (time_t)json_integer_value(v);
	struct tm     tm;

	putchar('"');
	if (json_is_string(v))
		csv_text(json_string_value(v));
	else if (json_is_integer(v) && strstr(key, "_seen") != NULL && gmtime_r(&t, &tm) !=
	    NULL && strftime(number, sizeof(number), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		csv_text(number);
	else if (json_is_integer(v)) {
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
		    json_integer_value(v));
		csv_text(number);
	}
	json_array_foreach(v, i, e) {
		if (i > 0)
			fputs("; ", stdout);
		if (json_is_string(e))
			csv_text(json_string_value(e));
	}
	putchar('"');
}

static const char *const columns[] = { "id", "state", "name", "names",
	"addresses", "macs", "vendor", "kind", "os", "agent", "services",
	"found_by", "first_seen", "last_seen", "seen_by" };

static void
csv_row(void *ctx, const json_t *row)
{
	(void)ctx;
	for (size_t i = 0; i < COUNT(columns); i++) {
		if (i > 0)
			putchar(',');
		csv_cell(columns[i], json_object_get(row, columns[i]));
	}
	fputs("\r\n", stdout);
}

int
cmd_scan_export(struct args *a)
{
	bool csv = args_has(a, "csv");

	if (csv && a->json)
		return usage_error("scan export: --json and --csv exclude each other");
	for (size_t i = 0; csv && i < COUNT(columns); i++)
		printf("%s%s", columns[i], i + 1 < COUNT(columns) ? "," : "\r\n");
	return admin_each(a, !csv, csv_row, NULL);
}
