/*
 * dpctl/report.c - a picture of the last transfers and of the state, as one file.
 *
 * Runs in dpctl. The page has no script and refers to nothing; what came from
 * elsewhere is text in it, never markup. Its size is bounded: of sessions, rows
 * and events only so many are shown.
 * SPDX-License-Identifier: ISC
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/json.h"
#include "dpctl/page.h"
#include "dpctl/svg.h"
#include "dpctl/table.h"

enum { SESSIONS_MAX = 24, DECISIONS_MAX = 20 };

const struct option_row report_options[] = {
	{ "html", "FILE", "the page; it is replaced whole" },
	{ NULL, NULL, NULL },
};

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"
    " style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>dpoint</title>\n<style>\n"
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1c2733;--dim:#5b6875;"
    "--line:#d5dbe1;--wan:#8a5a00;--sent:#9db4cc;--mc:#1668b3;--uc:#6a7580;"
    "--h0:#eef1f4;--h1:#fde3a7;--h2:#fbc15e;--h3:#f3912f;--h4:#dc5a1a;--h5:#b02113;"
    "--h6:#5e0a1e}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14191f;--fg:#e3e8ed;--dim:#98a4b0;"
    "--line:#333d47;--wan:#d9a441;--sent:#44607d;--mc:#58a6e8;--uc:#8d98a3;"
    "--h0:#232b33;--h1:#5b4a1c;--h2:#8a6417;--h3:#bf7a16;--h4:#e5862b;--h5:#f7a565;"
    "--h6:#ffe6c9}}\n"
    "body{background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif;"
    "max-width:960px;margin:24px auto;padding:0 16px}\n"
    "h1{font-size:22px;margin:0}h2{font-size:17px;margin:32px 0 8px}"
    "h3{font-size:14px;margin:22px 0 2px;overflow-wrap:anywhere}"
    "p{margin:4px 0;overflow-wrap:anywhere}.dim{color:var(--dim);font-size:13px}"
    ".warn{border-left:4px solid var(--wan);padding-left:8px}\n"
    "svg{display:block;width:100%;height:auto;margin:6px 0}"
    "svg text{fill:var(--fg);font:13px system-ui,sans-serif}"
    "svg .axis{fill:var(--dim);font-size:12px}svg .row{font:10.5px ui-monospace,"
    "monospace}svg .end{text-anchor:end}svg .mid{text-anchor:middle}"
    "svg .grid,svg .tick{stroke:var(--line)}svg .gap{stroke:var(--bg)}"
    "svg .key{stroke:var(--line)}svg .wan{fill:var(--wan)}svg .sent{fill:var(--sent)}"
    "svg .mc{fill:var(--mc)}svg .uc{fill:var(--uc)}\n"
    ".h0{fill:var(--h0)}.h1{fill:var(--h1)}.h2{fill:var(--h2)}.h3{fill:var(--h3)}"
    ".h4{fill:var(--h4)}.h5{fill:var(--h5)}.h6{fill:var(--h6)}\n"
    "svg .wire{stroke:var(--dim);stroke-width:1.5;fill:none}svg .dev{fill:var(--bg);"
    "stroke:var(--uc)}svg .agent{stroke:var(--mc);stroke-width:2}svg .own{fill:var("
    "--sent);stroke:var(--mc)}svg .away{stroke-dasharray:4 3}svg .name{font-size:11px}"
    "svg .what{font-size:10px}\n"
    ".wide{overflow-x:auto}.wide svg{min-width:720px}"
    "table{border-collapse:collapse;font-size:13px;margin:6px 0}"
    "td,th{text-align:left;padding:3px 14px 3px 0;border-bottom:1px solid var(--line);"
    "vertical-align:top}td{max-width:15em;overflow-wrap:break-word}"
    "th{color:var(--dim);font-weight:600;white-space:nowrap}"
    "td.n{text-align:right;white-space:nowrap}\n"
    "@media print{h3,svg{break-inside:avoid}.wide{overflow-x:visible}"
    ".wide svg{min-width:0}}\n"
    "</style>\n</head>\n<body>\n";

/* ---- parts of the page --------------------------------------------------------------- */

static void
put_head(FILE *f, const struct snapshot *s)
{
	json_t *now = json_pack("{s:I}", "time", (json_int_t)s->time), *w;
	size_t	i;

	fputs(head, f);
	fputs("<h1>Distribution point: ", f);
	page_span(f, "status", s->status);
	fputs("</h1>\n<p class=\"dim\">", f);
	page_span(f, "time", now);
	fputs(", dpoint ", f);
	page_span(f, "version", s->status);
	fputs(", up ", f);
	page_span(f, "uptime_s", s->status);
	fputs("</p>\n", f);
	json_array_foreach(s->warnings, i, w) {
		fputs("<p class=\"warn\">", f);
		page_span(f, "worker", w);
		fputs(": ", f);
		page_span(f, "warning", w);
		fputs("</p>\n", f);
	}
	json_decref(now);
}

static void
put_bytes(FILE *f, const struct snapshot *s)
{
	double wan = num(s->line, "wan_bytes"),
	       multicast = num(s->multicast, "delivered_bytes"),
	       unicast = num(s->serve, "bytes");
	char	       times[64] = "";
	struct svg_bar bar[] = {
		{ "over the thin line", "", "wan", wan },
		{ "sent by multicast", "frames, once for all", "sent",
		    num(s->multicast, "wire_bytes") },
		{ "delivered by multicast", times, "mc", multicast },
		{ "delivered by unicast", "HTTP, HTTPS", "uc", unicast },
	};

	fputs("<h2>Bytes since the workers started</h2>\n", f);
	svg_bars(f, bar, sizeof(bar) / sizeof(bar[0]));
	if (wan > 0)
		fprintf(f, "<p>What the thin line carried was delivered %.1f times"
		    " over.</p>\n", (multicast + unicast) / wan);
}

static void
put_session(FILE *f, const json_t *row)
{
	char	name[1024], a[SIZE_TEXT], b[SIZE_TEXT];
	json_t *strip = json_object_get(row, "strip");

	plain_name(row, name, sizeof(name));
	fputs("<h3>", f);
	html_text(f, name);
	fputs("</h3>\n<p class=\"dim\">", f);
	if (json_object_get(row, "ended") == NULL)
		fputs("runs; ", f);
	else {
		page_span(f, "state", row);
		fputs(" ", f);
		cell_text("time", json_object_get(row, "ended"), name, sizeof(name));
		html_text(f, name);
		fputs("; ", f);
	}
	fprintf(f, "%s to ", size_text(num(row, "size"), a));
	page_span(f, "group", row);
	fprintf(f, " in %.1f s; frames %s, parity and repair among them %s; loss %.1f %%"
	    " in the middle, %.1f %% at worst; %.0f of %.0f receivers done", num(row,
	    "seconds"), size_text(num(row, "wire_bytes"), a),
	    size_text(num(row, "parity_bytes") + num(row, "repair_bytes"), b), num(row,
	    "loss_percent"), num(row, "loss_max_percent"), num(row, "done"), num(row,
	    "receivers"));
	if (num(row, "unicast") > 0)
		fprintf(f, ", %.0f went on by unicast", num(row, "unicast"));
	fputs("</p>\n", f);
	if (json_array_size(strip) > 0)
		svg_heat(f, strip, num(row, "size"), num(row, "blocks"));
	else
		fputs("<p class=\"dim\">no receiver has said a word</p>\n", f);
}

static void
put_sessions(FILE *f, const struct snapshot *s)
{
	json_t *row;
	size_t	i;

	fputs("<h2>Multicast: receivers against the blocks of each object</h2>\n", f);
	if (s->multicast == NULL) {
		fputs("<p class=\"dim\">", f);
		html_text(f, s->multicast_why);
		fputs("</p>\n", f);
		return;
	}
	if (json_array_size(s->sessions) == 0) {
		fputs("<p class=\"dim\">no session runs, and none has ended since the"
		    " worker started</p>\n", f);
		return;
	}
	fputs("<p>Each line is a receiver, each cell a part of the object; the stronger"
	    " its colour, the more of a block the receiver had to ask for again."
	    " Those that lost most come first; of many, groups of alike share a line"
	    " and a cell is the worst of them.</p>\n", f);
	svg_heat_legend(f);
	json_array_foreach(s->sessions, i, row) {
		if (i == SESSIONS_MAX)
			break;
		put_session(f, row);
	}
}

/* The newest first. */
static void
put_decisions(FILE *f, const struct snapshot *s)
{
	static const char *const columns[] = { "time", "name", "reason", "text", "size",
		"devices", NULL };
	json_t	   *rows = json_array(), *row;
	const char *event;
	char	    name[1024];

	for (size_t i = json_array_size(s->events); i > 0 &&
	     json_array_size(rows) < DECISIONS_MAX; i--) {
		row = json_array_get(s->events, i - 1);
		if ((event = js_str(row, "event")) == NULL ||
		    strcmp(event, "unicast-decided") != 0)
			continue;
		plain_name(row, name, sizeof(name));
		json_object_set_new(row, "name", json_string(name[0] != '\0' ? name :
		    js_str(row, "sha256")));
		json_array_append(rows, row);
	}
	fputs("<h2>Why objects went by unicast</h2>\n", f);
	page_table(f, rows, columns, "no object was left to unicast");
	json_decref(rows);
}

/* Rows of gateway-stats: counters, then servers and uplinks as they come. */
static void
put_gateway(FILE *f, const struct snapshot *s)
{
	static const char *const servers[] = { "server", "port", "state", "failures",
		"why", NULL },
			  *const uplinks[] = { "uplink", "name", "end", "state",
		"streams", "rtt_ms", "age_s", "why", NULL };
	json_t *of[2] = { json_array(), json_array() }, *row;
	size_t	i;

	if (json_array_size(s->gateway) > 0) {
		fputs("<h2>Connection gateway</h2>\n", f);
		page_lines(f, json_array_get(s->gateway, 0));
	}
	json_array_foreach(s->gateway, i, row) {
		if (js_str(row, "server") != NULL)
			json_array_append(of[0], row);
		else if (js_str(row, "uplink") != NULL)
			json_array_append(of[1], row);
	}
	if (json_array_size(of[0]) > 0)
		page_table(f, of[0], servers, "");
	if (json_array_size(of[1]) > 0)
		page_table(f, of[1], uplinks, "");
	json_decref(of[0]);
	json_decref(of[1]);
}

static void
put_state(FILE *f, const struct snapshot *s)
{
	static const char *const workers[] = { "worker", "state", "pid", "restarts",
		"since_s", NULL },
			  *const repositories[] = { "repository", "step", "failures",
		"last_refresh", "snapshot", "targets", "expires", "error", NULL };

	fputs("<h2>Store</h2>\n", f);
	page_lines(f, s->store);
	fputs("<h2>Repositories</h2>\n", f);
	page_table(f, s->repositories, repositories, "no answer");
	fputs("<h2>Workers</h2>\n", f);
	page_table(f, s->workers, workers, "no answer");
}

static void
put_page(FILE *f, const struct snapshot *s)
{
	put_head(f, s);
	put_bytes(f, s);
	put_sessions(f, s);
	put_decisions(f, s);
	put_gateway(f, s);
	page_devices(f, s);
	put_state(f, s);
	fputs("</body>\n</html>\n", f);
}

int
cmd_report(struct args *a)
{
	const char     *path = args_get(a, "html", NULL);
	struct snapshot s;
	char		why[2048], *page = NULL;
	size_t		len;
	FILE	       *f;
	mode_t		mask;
	int		st;

	if (path == NULL || *path == '\0')
		return usage_error("report: --html FILE is needed");
	if ((st = snapshot_take(&s, a, SNAPSHOT_ALL, why, sizeof(why))) != EX_DONE)
		return fail_with(st, "%s", why);
	if ((f = open_memstream(&page, &len)) != NULL)
		put_page(f, &s);
	if (f == NULL || fclose(f) != 0)
		st = fail("out of memory");
	else {
		(void)umask(mask = umask(077));
		st = file_write(path, 0666 & ~mask, page, len);
	}
	if (st == EX_DONE)
		say(json_pack("{s:s%, s:I, s:I}", "report", path, strlen(path), "bytes",
		    (json_int_t)len, "sessions",
		    (json_int_t)json_array_size(s.sessions)), "%s: %zu sessions, %zu kB",
		    path, json_array_size(s.sessions), (len + 999) / 1000);
	free(page);
	snapshot_free(&s);
	return st;
}
