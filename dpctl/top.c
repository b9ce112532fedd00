/*
 * dpctl/top.c - what moves just now, each second.
 *
 * Runs in dpctl. On a terminal a screen of it, elsewhere frame after frame as
 * plain text, or JSON. Names came from elsewhere: they are tamed.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/top.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"
#include "dpctl/screen.h"
#include "dpctl/table.h"

enum { EVERY_MS = 1000, LINE_BYTES = 1024, BAR = 10,
       NAME_MIN = 16, NAME_MAX = 44, NAME_PLAIN = 36, OTHERS = 100 };

#define BOLD  "\033[1m"
#define FAINT "\033[2m"
#define AMBER "\033[33m"
#define PLAIN "\033[0m"

/* ---- lines ---------------------------------------------------------------------- */

struct frame {
	FILE *f;
	int   columns, left; /* 0 columns: no bound; lines that may still come */
	bool  color;
};

/* How many bytes of s are at most n characters. */
static size_t
bytes_of(const char *s, int n)
{
	size_t i = 0;

	for (; s[i] != '\0'; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80 && n-- == 0)
			break;
	return i;
}

static void line(struct frame *t, const char *style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
line(struct frame *t, const char *style, const char *fmt, ...)
{
	char	text[LINE_BYTES];
	va_list ap;
	bool	styled = t->color && style != NULL;
	size_t	n;

	if (t->left == 0)
		return;
	t->left--;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tame(text);
	n = strlen(text);
	if (t->columns > 0) /* the last column would be wiped by what ends a line */
		n = bytes_of(text, t->columns - 1);
	fprintf(t->f, "%s%.*s%s\n", styled ? style : "", (int)n, text, styled ?
	    PLAIN : "");
}

/* "12.3 MiB/s"; "-" while it is not known. */
static const char *
speed(double per_s, char out[SIZE_TEXT + 4])
{
	char size[SIZE_TEXT];

	if (per_s < 0)
		snprintf(out, SIZE_TEXT + 4, "-");
	else
		snprintf(out, SIZE_TEXT + 4, "%s/s", size_text(per_s, size));
	return out;
}

static const char *
limit(const json_t *row, const char *key, char out[SIZE_TEXT + 8])
{
	char size[SIZE_TEXT];

	if (num(row, key) <= 0)
		snprintf(out, SIZE_TEXT + 8, "no limit");
	else
		snprintf(out, SIZE_TEXT + 8, "of %s/s", size_text(num(row, key), size));
	return out;
}

/* "alone 8, small 2" */
static void
counts_text(const json_t *counts, char *out, size_t size)
{
	const char *key;
	json_t	   *v;
	size_t	    n = 0;

	*out = '\0';
	json_object_foreach((json_t *)counts, key, v) {
		if (json_integer_value(v) == 0 || n >= size)
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s%s %lld", n > 0 ?
		    ", " : "", key, (long long)json_integer_value(v));
	}
}

/* ---- the parts of a frame --------------------------------------------------------- */

static void
put_head(struct frame *t, const struct snapshot *s)
{
	char	    up[32], clock[32] = "";
	const char *status = js_str(s->status, "status"),
		   *version = js_str(s->status, "version");
	time_t	    when = (time_t)s->time;
	struct tm   tm;
	json_t	   *w;
	size_t	    i;

	if (localtime_r(&when, &tm) != NULL)
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	cell_text("uptime_s", json_object_get(s->status, "uptime_s"), up, sizeof(up));
	line(t, BOLD, "dpoint %s: %s   up %s   %.0f of %.0f workers   %s",
	    version != NULL ? version : "?", status != NULL ? status : "?", up,
	    num(s->status, "workers_ready"), num(s->status, "workers"), clock);
	json_array_foreach(s->warnings, i, w) {
		if (i == 3) {
			line(t, AMBER, "%zu more: dpctl status",
			    json_array_size(s->warnings) - i);
			break;
		}
		line(t, AMBER, "%s: %s", js_str(w, "worker") != NULL ?
		    js_str(w, "worker") : "?", js_str(w, "warning") != NULL ?
		    js_str(w, "warning") : "?");
	}
}

static void
put_totals(struct frame *t, const struct snapshot *s, const struct snapshot *b)
{
	double seconds = s->clock_s - b->clock_s, requests;
	char   rate[SIZE_TEXT + 4], max[SIZE_TEXT + 8], sum[SIZE_TEXT],
		parity[SIZE_TEXT], repair[SIZE_TEXT], asked[24] = "", why[256];

	if (s->line == NULL)
		line(t, NULL, "thin line  no answer");
	else
		line(t, NULL, "thin line  %12s %-16s %11s   %.0f downloads, %.0f failed",
		    speed(rate_of(s->line, b->line, "wan_bytes", seconds), rate),
		    limit(s->line, "wan_rate", max),
		    size_text(num(s->line, "wan_bytes"), sum),
		    num(s->line, "downloads"), num(s->line, "failed"));
	if (s->multicast == NULL)
		line(t, NULL, "multicast  %s", s->multicast_why);
	else {
		line(t, NULL, "multicast  %12s %-16s %11s   %.0f devices, %.0f sessions,"
		    " parity %s, repair %s", speed(rate_of(s->multicast, b->multicast,
		    "wire_bytes", seconds), rate), limit(s->multicast, "rate", max),
		    size_text(num(s->multicast, "wire_bytes"), sum),
		    num(s->multicast, "devices"), num(s->multicast, "sessions"),
		    size_text(num(s->multicast, "parity_bytes"), parity),
		    size_text(num(s->multicast, "repair_bytes"), repair));
	}
	requests = rate_of(s->serve, b->serve, "requests", seconds);
	if (requests >= 0)
		snprintf(asked, sizeof(asked), ", %.0f requests/s", requests);
	if (s->serve == NULL)
		line(t, NULL, "unicast    no answer");
	else
		line(t, NULL, "unicast    %12s %-16s %11s   %.0f connections%s",
		    speed(rate_of(s->serve, b->serve, "bytes", seconds), rate), "",
		    size_text(num(s->serve, "bytes"), sum), num(s->serve,
		    "connections"), asked);
	counts_text(json_object_get(s->multicast, "unicast_why"), why, sizeof(why));
	if (why[0] != '\0')
		line(t, NULL, "decided for unicast: %s", why);
}

/* Names get what the other columns leave. */
static int
name_width(const struct frame *t)
{
	int w = t->columns - OTHERS;

	return t->columns == 0 ? NAME_PLAIN : w < NAME_MIN ? NAME_MIN :
	    w > NAME_MAX ? NAME_MAX : w;
}

static bool
is_over(const json_t *session)
{
	return json_object_get(session, "ended") != NULL;
}

/* Frames a second: of what runs since the last look, of what is over in all. */
static double
session_rate(const json_t *row, const struct snapshot *now,
    const struct snapshot *before)
{
	double	id = num(row, "session"), seconds = num(row, "seconds");
	json_t *b;
	size_t	i;

	if (is_over(row))
		return seconds > 0 ? num(row, "wire_bytes") / seconds : -1;
	json_array_foreach(before->sessions, i, b) {
		if (num(b, "session") == id && !is_over(b))
			return rate_of(row, b, "wire_bytes", now->clock_s -
			    before->clock_s);
	}
	return -1;
}

static void
put_session(struct frame *t, const json_t *row, const struct snapshot *s,
    const struct snapshot *b)
{
	char	    name[1024], rate[SIZE_TEXT + 4], size[SIZE_TEXT], repair[SIZE_TEXT],
		bar[BAR + 1], done[32];
	const char *base, *state = js_str(row, "state");
	double	    sent = num(row, "blocks") > 0 ? num(row, "frontier") / num(row,
		   "blocks") : 0;
	int	    width = name_width(t), pad;

	plain_name(row, name, sizeof(name));
	tame(name);
	base = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
	pad = width;
	for (size_t i = bytes_of(base, width); i > 0; i--) /* characters, not bytes */
		pad -= ((unsigned char)base[i - 1] & 0xc0) != 0x80;
	for (int i = 0; i < BAR; i++)
		bar[i] = i < (int)(sent * BAR + 0.5) ? '#' : '.';
	bar[BAR] = '\0';
	snprintf(done, sizeof(done), "%.0f of %.0f", num(row, "done"), num(row,
	    "receivers"));
	line(t, is_over(row) ? FAINT : NULL, "%.*s%*s  %s  %-12s %5.1f %% %5.1f %%"
	    " %12s %10s %10s %8.1f s  %s", (int)bytes_of(base, width), base, pad, "",
	    bar, done, num(row, "loss_percent"), num(row, "loss_max_percent"),
	    speed(session_rate(row, s, b), rate),
	    size_text(num(row, "parity_bytes") + num(row, "repair_bytes"), repair),
	    size_text(num(row, "size"), size), num(row, "seconds"), state != NULL ?
	    state : "?");
}

static void
put_sessions(struct frame *t, const struct snapshot *s, const struct snapshot *b)
{
	json_t *row;
	size_t	i;

	if (s->multicast == NULL)
		return;
	line(t, NULL, "%s", "");
	if (json_array_size(s->sessions) == 0) {
		line(t, NULL, "nothing is being sent, and nothing was");
		return;
	}
	line(t, BOLD, "%-*s  %-*s  %-12s %7s %7s %12s %10s %10s %10s  %s", name_width(t),
	    "session", BAR, "sent", "done", "loss", "worst", "rate", "repair", "size",
	    "time", "state");
	json_array_foreach(s->sessions, i, row) {
		put_session(t, row, s, b);
	}
}

void
top_print(FILE *f, const struct snapshot *now, const struct snapshot *before,
    int columns, int rows, bool color)
{
	struct frame t = { .f = f, .columns = columns, .left = rows > 0 ? rows : -1,
		.color = color };

	put_head(&t, now);
	put_totals(&t, now, before);
	put_sessions(&t, now, before);
}

/* A rate that is not known is null. */
static void
set_rate(json_t *o, const char *key, double v)
{
	json_object_set_new(o, key, v < 0 ? json_null() : json_real(v));
}

json_t *
top_json(const struct snapshot *now, const struct snapshot *before)
{
	double	seconds = now->clock_s - before->clock_s;
	json_t *o = json_pack("{s:I,s:O,s:O,s:O?,s:O?,s:O?,s:O}", "time",
		   (json_int_t)now->time, "status", now->status, "warnings",
		   now->warnings, "line", now->line, "serve", now->serve,
		   "multicast", now->multicast, "sessions", now->sessions),
	       *row;
	size_t	i;

	set_rate(o, "wan_per_s", rate_of(now->line, before->line, "wan_bytes", seconds));
	set_rate(o, "multicast_per_s", rate_of(now->multicast, before->multicast,
	    "wire_bytes", seconds));
	set_rate(o, "unicast_per_s", rate_of(now->serve, before->serve, "bytes",
	    seconds));
	json_array_foreach(now->sessions, i, row) {
		set_rate(row, "per_s", session_rate(row, now, before));
	}
	return o;
}

/* ---- the command ------------------------------------------------------------------ */

const struct option_row top_options[] = {
	{ "once", NULL, "one frame, after a second, as plain text" },
	{ NULL, NULL, NULL },
};

static int
print_frame(const struct args *a, const struct snapshot *now,
    const struct snapshot *before)
{
	json_t *o;

	if (a->json) {
		o = top_json(now, before);
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
	} else
		top_print(stdout, now, before, 0, 0, false);
	return fflush(stdout) == 0 ? EX_DONE : fail("standard output: cannot write");
}

/* Frame after frame, until the reader has enough; with --once one of them. */
static int
run_plain(struct args *a, struct snapshot *before)
{
	struct snapshot now;
	char		why[2048];
	int		st;

	do {
		usleep(EVERY_MS * 1000);
		if ((st = snapshot_take(&now, a, SNAPSHOT_TOP, why, sizeof(why))) !=
		    EX_DONE)
			return fail_with(st, "%s", why);
		st = print_frame(a, &now, before);
		if (!a->json && !args_has(a, "once"))
			putchar('\n');
		snapshot_free(before);
		*before = now;
	} while (st == EX_DONE && !args_has(a, "once"));
	return st;
}

/* why: of there being no newer one than that. */
static bool
draw(const struct snapshot *now, const struct snapshot *before, const char *why)
{
	char  *text;
	size_t len;
	int    columns, rows;
	bool   good;
	FILE  *f = open_memstream(&text, &len);

	if (f == NULL)
		return false;
	screen_size(&columns, &rows);
	if (why[0] != '\0') {
		struct frame t = { f, columns, 1, use_color() };

		line(&t, AMBER, "%s", why);
		rows--;
	}
	if (rows > 0)
		top_print(f, now, before, columns, rows, use_color());
	fclose(f);
	good = screen_draw(text, len);
	free(text);
	return good;
}

static int
run_live(struct args *a, struct snapshot *first)
{
	struct snapshot	  before = { 0 }, now = *first, next;
	enum screen_event e = SCREEN_DRAW;
	char		  why[2048] = "";
	int		  r = screen_open();

	*first = (struct snapshot){ 0 };
	if (r < 0) {
		snapshot_free(&now);
		return fail_errno(-r, "terminal");
	}
	while (draw(&now, &before, why) &&
	    (e = screen_wait(EVERY_MS)) != SCREEN_QUIT) {
		if (e == SCREEN_DRAW)
			continue;
		if (snapshot_take(&next, a, SNAPSHOT_TOP, why, sizeof(why)) != EX_DONE)
			continue; /* it may come back */
		why[0] = '\0';
		snapshot_free(&before);
		before = now;
		now = next;
	}
	screen_close();
	snapshot_free(&before);
	snapshot_free(&now);
	return EX_DONE;
}

int
cmd_top(struct args *a)
{
	struct snapshot first;
	char		why[2048];
	int st = snapshot_take(&first, a, SNAPSHOT_TOP, why, sizeof(why));

	if (st != EX_DONE)
		return fail_with(st, "%s", why);
	if (!a->json && !args_has(a, "once") && isatty(STDOUT_FILENO))
		st = run_live(a, &first);
	else
		st = run_plain(a, &first);
	snapshot_free(&first);
	return st;
}
