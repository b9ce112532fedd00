/*
 * dp-agent/status.c - shows the last round.
 *
 * Runs in the administrator's own `dp-agent status`. The file was written by the
 * network child: it is JSON of a bounded size and nothing of it is believed
 * beyond being shown, without control bytes.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/agent.h"

#include "common/json.h"
#include "common/log.h"
#include "common/place.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATUS_MAX (8 << 20)

static void
show(const char *s)
{
	for (; *s != '\0'; s++)
		putchar((unsigned char)*s < ' ' || *s == 127 ? '?' : *s);
}

static void
format_time(int64_t t, const char *never, char out[40])
{
	time_t	  v = (time_t)t;
	struct tm tm;

	if (t <= 0 || gmtime_r(&v, &tm) == NULL)
		snprintf(out, 40, "%s", never);
	else
		strftime(out, 40, "%Y-%m-%d %H:%M:%S UTC", &tm);
}

/* by: who or what, or NULL or "" */
static void
show_time(const char *label, int64_t t, const char *by)
{
	char text[40];

	format_time(t, "none since the start", text);
	printf("%-14s %s", label, text);
	if (by != NULL && *by != '\0') {
		printf(", by ");
		show(by);
	}
	putchar('\n');
}

static void
show_line(const char *label, const char *s)
{
	if (s == NULL || *s == '\0')
		return;
	printf("%-14s ", label);
	show(s);
	putchar('\n');
}

static void
show_row(const json_t *row, const char *a, const char *b, const char *c)
{
	const char *s;

	printf("  ");
	s = js_str(row, a);
	show(s != NULL ? s : "?");
	s = js_str(row, b);
	printf("  ");
	show(s != NULL ? s : "");
	if ((s = js_str(row, c)) != NULL && *s != '\0') {
		printf(": ");
		show(s);
	}
	putchar('\n');
}

static void
show_bytes(int64_t n)
{
	if (n < 1000)
		printf("%lld B", (long long)n);
	else if (n < 999950)
		printf("%.1f kB", (double)n / 1e3);
	else
		printf("%.1f MB", (double)n / 1e6);
}

/* "12.3 MB multicast, 4.3 kB repair, 0 B unicast, 2.1 % lost, 0.6 s" */
static void
show_way(const json_t *came)
{
	static const char *const ways[] = { "multicast", "repair", "unicast" };
	const char *why = js_str(came, "why_unicast");
	int64_t	    v[3] = { 0 }, loss = 0, ms = 0;

	for (int i = 0; i < 3; i++)
		(void)js_int(came, ways[i], 0, INT64_MAX, &v[i]);
	if (v[0] + v[1] + v[2] == 0)
		return; /* it was here */
	(void)js_int(came, "loss_permille", 0, 1000, &loss);
	(void)js_int(came, "ms", 0, INT64_MAX, &ms);
	printf("    ");
	for (int i = 0; i < 3; i++) {
		show_bytes(v[i]);
		printf(" %s, ", ways[i]);
	}
	printf("%.1f %% lost, %.1f s", (double)loss / 10, (double)ms / 1000);
	if (why != NULL && *why != '\0') {
		printf("; unicast since ");
		show(why);
	}
	putchar('\n');
}

/* "2 refreshes, 1 refused: timestamp.json: version 3 is older than ..." */
static void
show_carousel(const json_t *o)
{
	const char *error = js_str(o, "error");
	int64_t	    taken = 0, refused = 0, incomplete = 0;

	if (o == NULL)
		return;
	(void)js_int(o, "taken", 0, INT64_MAX, &taken);
	(void)js_int(o, "refused", 0, INT64_MAX, &refused);
	(void)js_int(o, "incomplete", 0, INT64_MAX, &incomplete);
	printf("%-14s %lld refreshes, %lld refused, %lld incomplete", "carousel",
	    (long long)taken, (long long)refused, (long long)incomplete);
	if (error != NULL && *error != '\0') {
		printf(": ");
		show(error);
	}
	putchar('\n');
}

/* "gateway dp1:13295: did not answer within 10 s at 2026-11-28 12:01:12 UTC",
 * of each way that is not the one in use. */
static void
show_ways(const json_t *link, const char *used)
{
	const json_t *row;
	size_t	      i;

	json_array_foreach(js_arr(link, "ways"), i, row) {
		const char *way = js_str(row, "way"), *why = js_str(row, "why");
		bool	    on_trial = false;
		int64_t	    v = 0;
		char	    when[40];

		(void)js_int(row, "failed", 1, INT64_MAX, &v);
		(void)js_bool(row, "trial", &on_trial);
		if (v == 0 || way == NULL || why == NULL ||
		    (used != NULL && strcmp(way, used) == 0))
			continue;
		format_time(v, "none since the start", when);
		printf("  ");
		show(way);
		printf(": ");
		show(why);
		printf(" at %s%s\n", when, on_trial ? "; is being tried" : "");
	}
}

/* "direct server:13295 since 2026-11-28 12:01:22 UTC", and why not otherwise */
static void
show_link(const json_t *link)
{
	const char   *state = js_str(link, "state"), *way = js_str(link, "way"),
		     *why = js_str(link, "why");
	const json_t *woken = js_obj(link, "woken");
	bool	      up = state != NULL && strcmp(state, "up") == 0;
	int64_t	      v = 0;
	char	      when[40];

	if (state == NULL)
		return;
	(void)js_int(link, up ? "way_since" : "since", 1, INT64_MAX, &v);
	format_time(v, "none since the start", when);
	printf("%-14s ", "link");
	if (up && way != NULL)
		show(way);
	else
		printf("%s", "down");
	if (why != NULL) {
		printf(": ");
		show(why);
		putchar('\n');
	} else
		printf(" since %s\n", when);
	show_ways(link, up ? way : NULL);
	v = 0;
	(void)js_int(woken, "time", 1, INT64_MAX, &v);
	format_time(v, "none since the start", when);
	printf("%-14s %s", "last wake", when);
	if (v > 0 && js_str(woken, "by") != NULL && js_str(woken, "what") != NULL) {
		printf(", for ");
		show(js_str(woken, "what"));
		printf(", by ");
		show(js_str(woken, "by"));
	}
	putchar('\n');
}

/* "2026-11-28 12:01:22 UTC, number 7"; "...; number 8 waits: HTTP status 507" */
static void
show_report(const json_t *o)
{
	const char *error = js_str(o, "error");
	bool	    waits = js_str(o, "report") != NULL;
	int64_t	    t = 0, number = 0;
	char	    when[40];

	if (o == NULL)
		return;
	(void)js_int(o, "arrived", 1, INT64_MAX, &t);
	(void)js_int(o, "sequence", 0, INT64_MAX, &number);
	format_time(t, "none yet", when);
	printf("%-14s %s", "last report", when);
	if (waits) {
		printf("; number %lld waits", (long long)number);
		if (error != NULL && *error != '\0') {
			printf(": ");
			show(error);
		}
	} else if (t > 0)
		printf(", number %lld", (long long)number);
	putchar('\n');
}

static void
show_text(const json_t *o)
{
	const json_t *row;
	int64_t	      v = 0, here = 0;
	size_t	      i;

	(void)js_int(o, "time", 0, INT64_MAX, &v);
	show_time("last round", v, NULL);
	v = 0;
	(void)js_int(o, "refreshed", 0, INT64_MAX, &v);
	show_time("last refresh", v, js_str(o, "refreshed_by"));
	show_carousel(js_obj(o, "carousel"));
	show_link(js_obj(o, "link"));
	show_report(js_obj(o, "report"));
	show_line("error", js_str(o, "error"));
	show_line("group", js_str(o, "group"));
	show_line("kinds", js_str(o, "kinds"));
	if (js_int(o, "other_kinds", 1, INT64_MAX, &v) == 0)
		printf("%-14s %lld files of the group, not taken\n",
		    "other kinds", (long long)v);
	if (js_int(o, "hooks_due", 1, INT64_MAX, &v) == 0)
		printf("%-14s %lld\n", "hooks due", (long long)v);
	puts("sources");
	json_array_foreach(js_arr(o, "sources"), i, row) {
		show_row(row, "url", "state", "error");
	}
	puts("metadata");
	json_array_foreach(js_arr(o, "metadata"), i, row) {
		show_row(row, "role", "text", "warning");
	}
	v = 0;
	(void)js_int(o, "wanted", 0, INT64_MAX, &v);
	(void)js_int(o, "verified", 0, INT64_MAX, &here);
	printf("files, %lld of %lld in place\n", (long long)here, (long long)v);
	json_array_foreach(js_arr(o, "targets"), i, row) {
		show_row(row, "path", "state", "error");
		show_way(js_obj(row, "came"));
	}
}

/* What the child cannot know; left out for who may not look. */
static void
add_hooks(const struct agent_conf *c, json_t *o)
{
	char	       path[400];
	DIR	      *d;
	struct dirent *e;
	json_int_t     n = 0;

	snprintf(path, sizeof(path), "%s/hooks", c->state_dir);
	if ((d = opendir(path)) == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		n += strlen(e->d_name) == HASH_HEX - 1;
	closedir(d);
	json_object_set_new(o, "hooks_due", json_integer(n));
}

/* What the child wrote under that name. */
static int
read_state(const struct agent_conf *c, const char *name, json_t **out)
{
	char  path[400], why[200], *buf;
	FILE *f;
	int   r;

	*out = NULL;
	snprintf(path, sizeof(path), "%s/tuf/%s", c->state_dir, name);
	if ((f = fopen(path, "re")) == NULL)
		return -errno;
	if ((buf = malloc(STATUS_MAX)) == NULL) {
		fclose(f);
		return -ENOMEM;
	}
	if ((r = js_parse(out, buf, fread(buf, 1, STATUS_MAX, f), why,
		 sizeof(why))) < 0)
		log_err("%s: %s", path, why);
	fclose(f);
	free(buf);
	return r;
}

/* An older configuration's are of no interest. */
static void
add_link_and_report(const struct agent_conf *c, json_t *o)
{
	struct agent_way ways[AGENT_WAYS];
	char		 lock[300];
	json_t		*of;

	snprintf(lock, sizeof(lock), "%s/agent.lock", c->run_dir);
	if (agent_ways(c, ways) > 0 && read_state(c, "link.json", &of) == 0) {
		if (!place_is_locked(lock)) { /* it could not say so */
			json_object_set_new(of, "state", json_string("down"));
			json_object_set_new(of, "why",
			    json_string("dp-agent does not run"));
			json_object_del(of, "since");
		}
		json_object_set_new(o, "link", of);
	}
	if (c->report_interval > 0 && read_state(c, "report.json", &of) == 0)
		json_object_set_new(o, "report", of);
}

int
status_print(const struct agent_conf *c, bool json)
{
	json_t *o;
	int	r = read_state(c, "status.json", &o);

	if (r == -ENOMEM)
		return EXIT_TEMPORARY;
	if (r < 0 && r != -EBADMSG)
		log_err("%s/tuf/status.json: %s", c->state_dir,
		    r == -ENOENT ? "no round has ended yet" : strerror(-r));
	else if (r == 0) {
		add_hooks(c, o);
		add_link_and_report(c, o);
		if (json) {
			json_dumpf(o, stdout, JSON_COMPACT);
			putchar('\n');
		} else
			show_text(o);
	}
	json_decref(o);
	return r < 0 || fflush(stdout) != 0 ? 1 : 0;
}
