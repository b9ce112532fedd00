/*
 * dpctl/snapshot.c - see snapshot.h.
 *
 * Runs in dpctl. Believes nothing of the rows but that they are JSON objects.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/snapshot.h"

#include <time.h>

#include "common/json.h"

double
num(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

double
rate_of(const json_t *now, const json_t *before, const char *key, double seconds)
{
	double d;

	if (now == NULL || before == NULL || seconds <= 0)
		return -1;
	d = num(now, key) - num(before, key);
	return d < 0 ? -1 : d / seconds; /* less: the worker was restarted */
}

/* The rows of one command, or none. */
static json_t *
rows_of(const struct args *a, const char *words, char *why, size_t size)
{
	char	other[256] = "";
	json_t *rows = json_array();

	if (admin_rows(a, words, rows, why != NULL ? why : other,
	    why != NULL ? size : sizeof(other)) != EX_DONE)
		json_array_clear(rows);
	return rows;
}

static json_t *
first_of(json_t *take_rows)
{
	json_t *row = json_incref(json_array_get(take_rows, 0));

	json_decref(take_rows);
	return row;
}

/* The last row is of the line, the others of a repository each. */
static void
take_fetch(struct snapshot *s, const struct args *a)
{
	size_t n;

	s->repositories = rows_of(a, "fetch-status", NULL, 0);
	n = json_array_size(s->repositories);
	if (n == 0)
		return;
	s->line = json_incref(json_array_get(s->repositories, n - 1));
	json_array_remove(s->repositories, n - 1);
}

int
snapshot_take(struct snapshot *s, const struct args *a, enum snapshot_kind kind,
    char *why, size_t size)
{
	struct timespec t;
	json_t	       *rows = json_array();
	int		st;

	*s = (struct snapshot){ .time = time(NULL) };
	clock_gettime(CLOCK_MONOTONIC, &t);
	s->clock_s = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	if ((st = admin_rows(a, "status", rows, why, size)) == EX_DONE &&
	    json_array_size(rows) == 0) {
		snprintf(why, size, "status has no row");
		st = EX_FAILED;
	}
	if (st != EX_DONE) {
		json_decref(rows);
		return st;
	}
	s->status = json_incref(json_array_get(rows, 0));
	json_array_remove(rows, 0);
	s->warnings = rows;
	take_fetch(s, a);
	s->serve = first_of(rows_of(a, "serve-status", NULL, 0));
	s->multicast = first_of(rows_of(a, "mcast-stats", s->multicast_why,
	    sizeof(s->multicast_why)));
	s->sessions = s->multicast == NULL ? json_array() : rows_of(a,
	    kind == SNAPSHOT_ALL ? "mcast-list --heat" : "mcast-list --recent",
	    NULL, 0);
	if (kind == SNAPSHOT_TOP)
		return EX_DONE;
	s->workers = rows_of(a, "workers", NULL, 0);
	s->store = first_of(rows_of(a, "store-status", NULL, 0));
	s->events = rows_of(a, "events", NULL, 0);
	s->polls = rows_of(a, "scan-status", s->devices_why, sizeof(s->devices_why));
	s->devices = rows_of(a, "scan-devices", NULL, 0);
	s->gateway = rows_of(a, "gateway-stats", NULL, 0);
	return EX_DONE;
}

void
snapshot_free(struct snapshot *s)
{
	json_decref(s->status);
	json_decref(s->warnings);
	json_decref(s->repositories);
	json_decref(s->line);
	json_decref(s->serve);
	json_decref(s->multicast);
	json_decref(s->sessions);
	json_decref(s->workers);
	json_decref(s->store);
	json_decref(s->events);
	json_decref(s->polls);
	json_decref(s->devices);
	json_decref(s->gateway);
	*s = (struct snapshot){ 0 };
}
