/*
 * dpctl/page_devices.c - devices of the network in the report: a map, a table.
 *
 * The map has a picture for each network that was polled: a wire, routers and
 * switches above it, all others on it. A device stands in the first network that
 * has one of its addresses. Rows as docs/scan.md has them, those first that an
 * administrator looks for: see rank_of().
 *
 * Runs in dpctl. Believes nothing of the rows: what devices say of themselves is
 * text here, never markup. Pictures and table are bounded.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/page.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/scope.h"
#include "common/size.h"
#include "dpctl/dpctl.h"
#include "dpctl/svg.h"

enum {
	NETWORKS_MAX = 32,
	CELLS_MAX = 256, /* devices of a picture */
	COLUMNS = 8,
	CELL_W = 112, CELL_H = 32, GAP_X = 8, GAP_Y = 12,
	TABLE_MAX = 500,
	WHAT_MAX = 40,
};

/* Which devices stand in a network; the last is of those in none. */
struct network {
	const char   *text, *result; /* of the poll */
	struct scope  scope;
	const json_t *devices[CELLS_MAX];
	size_t	      shown, n, agents, absent;
};

/* ---- which network a device is in ------------------------------------------------ */

static bool
address_of(const char *text, uint8_t out[16])
{
	struct sockaddr_storage ss = { .ss_family = AF_INET };

	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&ss)->sin_addr) != 1) {
		ss.ss_family = AF_INET6;
		if (inet_pton(AF_INET6, text,
		    &((struct sockaddr_in6 *)&ss)->sin6_addr) != 1)
			return false; /* of a link: "fe80::1%eth0" */
	}
	scope_addr(&ss, out);
	return true;
}

static size_t
networks_of(const json_t *polls, struct network *out)
{
	const char *text;
	char	    err[SCOPE_ERR];
	json_t	   *row;
	size_t	    i, k, n = 0;

	json_array_foreach(polls, i, row) {
		if ((text = js_str(row, "network")) == NULL || *text == '\0' ||
		    strchr(text, ' ') != NULL || n == NETWORKS_MAX)
			continue;
		for (k = 0; k < n && strcmp(out[k].text, text) != 0; k++)
			;
		if (k == n && scope_parse(text, &out[n].scope, err) == 0) {
			out[n].text = text;
			out[n++].result = js_str(row, "result");
		}
	}
	return n;
}

static struct network *
network_of(const json_t *device, struct network *nets, size_t n)
{
	const json_t *address;
	uint8_t	      a[16];
	size_t	      i;

	json_array_foreach(json_object_get(device, "addresses"), i, address)
		if (json_is_string(address) &&
		    address_of(json_string_value(address), a))
			for (size_t k = 0; k < n; k++)
				if (scope_has(&nets[k].scope, a))
					return &nets[k];
	return &nets[n];
}

static bool
is_kind(const json_t *device, const char *kind)
{
	const char *k = js_str(device, "kind");

	return k != NULL && strcmp(k, kind) == 0;
}

static bool
is_found_by(const json_t *device, const char *by)
{
	const json_t *e;
	size_t	      i;

	json_array_foreach(json_object_get(device, "found_by"), i, e)
		if (json_is_string(e) && strcmp(json_string_value(e), by) == 0)
			return true;
	return false;
}

static bool
is_absent(const json_t *device)
{
	const char *state = js_str(device, "state");

	return state != NULL && strcmp(state, "not-seen") == 0;
}

/* ---- what stands first ------------------------------------------------------------ */

/* It carries the others. */
static bool
is_above(const json_t *device)
{
	return is_kind(device, "router") || is_kind(device, "switch");
}

/* We ourselves; what carries the others; who has no agent yet; the others; who is
 * not there. */
static int
rank_of(const json_t *device)
{
	return is_found_by(device, "own")	   ? 0
	    : is_absent(device)			   ? 4
	    : is_above(device)			   ? 1
	    : js_str(device, "agent") == NULL ? 2 : 3;
}

struct ranked {
	json_t	   *device;
	json_int_t  first_seen;
	size_t	    at;
	int	    rank;
};

/* Of one rank the newest. */
static int
by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank - y->rank;
	if (x->first_seen != y->first_seen)
		return x->first_seen > y->first_seen ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

/* A new list; NULL: no memory. */
static json_t *
ranked(const json_t *devices)
{
	size_t		n = json_array_size(devices), i;
	struct ranked  *all = calloc(n + 1, sizeof(*all));
	json_t	       *out = json_array(), *device;

	if (all == NULL || out == NULL) {
		free(all);
		json_decref(out);
		return NULL;
	}
	json_array_foreach(devices, i, device)
		all[i] = (struct ranked){ device, json_integer_value(
		    json_object_get(device, "first_seen")), i, rank_of(device) };
	qsort(all, n, sizeof(*all), by_rank);
	for (i = 0; i < n; i++)
		json_array_append(out, all[i].device);
	free(all);
	return out;
}

static void
place_device(struct network *net, const json_t *device)
{
	net->n++;
	net->agents += js_str(device, "agent") != NULL;
	net->absent += is_absent(device);
	if (net->shown < CELLS_MAX)
		net->devices[net->shown++] = device;
}

/* ---- a picture -------------------------------------------------------------------- */

/* What a device without a name is known by. */
static const char *
first_address(const json_t *device)
{
	const char *a = device_address(device), *uri = js_str(device, "agent"), *colon;

	if (a != NULL || (a = js_str(device, "mac")) != NULL)
		return a;
	colon = uri != NULL ? strrchr(uri, ':') : NULL; /* urn:dpoint:device:UUID */
	return colon != NULL ? colon + 1 : "?";
}

/* Why a network that was polled has no device; NULL: a larger one has them. */
static const char *
why_empty(const struct network *net)
{
	static const char *const why[][2] = {
		{ "silent", "answers nothing" },
		{ "too-large", "not polled: more than 65,536 addresses" },
		{ "not-sent", "not polled: nothing could be sent" },
		{ "interface-gone", "its interface is gone" },
	};

	for (size_t i = 0; net->result != NULL && i < COUNT(why); i++)
		if (strcmp(why[i][0], net->result) == 0)
			return why[i][1];
	return NULL;
}

/* At most max characters of UTF-8, the last of them "..." if there are more. */
static void
shorten(const char *text, size_t max, char *out, size_t size)
{
	size_t n = 0, at = 0;

	for (; text[at] != '\0' && n < max; n++)
		do
			at++;
		while (((unsigned char)text[at] & 0xc0) == 0x80);
	if (text[at] == '\0')
		snprintf(out, size, "%s", text);
	else {
		for (n = 0, at = 0; n + 1 < max; n++)
			do
				at++;
			while (((unsigned char)text[at] & 0xc0) == 0x80);
		snprintf(out, size, "%.*s\xe2\x80\xa6", (int)at, text);
	}
}

static void
put_device(FILE *f, const json_t *device, double x, double y)
{
	const char *name = js_str(device, "name"), *kind = js_str(device, "kind"),
		   *vendor = js_str(device, "vendor");
	char	    text[4 * WHAT_MAX], whole[1024];

	snprintf(whole, sizeof(whole), "%s, %s%s%s%s%s", name != NULL ? name :
	    "no name", first_address(device), kind != NULL ? ", " : "",
	    kind != NULL ? kind : "", vendor != NULL ? ", " : "",
	    vendor != NULL ? vendor : "");
	fputs("<g><title>", f);
	html_text(f, whole);
	fprintf(f, "</title><rect class=\"dev%s%s%s\" x=\"%.0f\" y=\"%.0f\" width=\"%d\""
	    " height=\"%d\" rx=\"4\"/>\n", js_str(device, "agent") != NULL ?
	    " agent" : "", is_found_by(device, "own") ? " own" : "",
	    is_absent(device) ? " away" : "", x, y, CELL_W, CELL_H);
	shorten(name != NULL ? name : first_address(device), 15, text, sizeof(text));
	svg_text(f, x + 6, y + 14, "name", text);
	shorten(kind != NULL ? kind : vendor != NULL ? vendor : name != NULL ?
	    first_address(device) : "", 18, text, sizeof(text));
	svg_text(f, x + 6, y + 26, "what", text);
	fputs("</g>\n", f);
}

/* Rows of cells from y on, each on a line to the wire at bus; the next y. */
static double
put_rows(FILE *f, const struct network *net, bool above, double y, double bus)
{
	size_t n = 0, row = 0;
	double x = 0, last = y;

	for (int pass = 0; pass < 2; pass++) { /* lines lie below cells */
		n = 0;
		for (size_t i = 0; i < net->shown; i++) {
			if (is_above(net->devices[i]) != above)
				continue;
			row = n / COLUMNS;
			x = (double)(n++ % COLUMNS) * (CELL_W + GAP_X);
			last = y + (double)row * (CELL_H + GAP_Y);
			if (pass == 0)
				fprintf(f, "<path class=\"wire\" d=\"M%.0f %.0fV%.0f\"/>\n",
				    x + CELL_W / 2.0, above ? last + CELL_H : last, bus);
			else
				put_device(f, net->devices[i], x, last);
		}
	}
	return n == 0 ? y : last + CELL_H + GAP_Y;
}

static void
put_network(FILE *f, const struct network *net, const char *title)
{
	size_t above = 0, others, rows;
	double bus, height;

	if (net->n == 0 && why_empty(net) == NULL)
		return;
	for (size_t i = 0; i < net->shown; i++)
		above += is_above(net->devices[i]);
	others = net->shown - above;
	rows = (above + COLUMNS - 1) / COLUMNS;
	bus = 4 + (double)rows * (CELL_H + GAP_Y);
	rows = (others + COLUMNS - 1) / COLUMNS;
	height = bus + GAP_Y + (double)rows * (CELL_H + GAP_Y);
	fputs("<h3>", f);
	html_text(f, title);
	if (net->n == 0) {
		fprintf(f, "</h3>\n<p class=\"dim\">%s</p>\n", why_empty(net));
		return;
	}
	fprintf(f, "</h3>\n<p class=\"dim\">%zu device%s, %zu with an agent", net->n,
	    net->n == 1 ? "" : "s", net->agents);
	if (net->absent > 0)
		fprintf(f, ", %zu not seen of late", net->absent);
	if (net->n > net->shown)
		fprintf(f, "; the first %zu are drawn", net->shown);
	fputs("</p>\n", f);
	fprintf(f, "<div class=\"wide\"><svg viewBox=\"0 0 960 %.0f\" role=\"img\" aria-label=\"devices of a"
	    " network\">\n<path class=\"wire\" d=\"M0 %.0fH952\"/>\n", height, bus);
	put_rows(f, net, true, 2, bus);
	put_rows(f, net, false, bus + GAP_Y, bus);
	fputs("</svg></div>\n", f);
}

/* ---- the table -------------------------------------------------------------------- */

static json_t *
joined(const json_t *list)
{
	char	      text[512] = "";
	size_t	      i, n = 0;
	const json_t *e;

	json_array_foreach(list, i, e)
		if (json_is_string(e) && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
			    n > 0 ? ", " : "", json_string_value(e));
	tame(text); /* a character cut in two is no character */
	return json_string(text);
}

static void
put_table(FILE *f, const json_t *devices)
{
	static const char *const columns[] = { "name", "addresses", "mac", "vendor",
		"what", "agent", "found_by", "last_seen", NULL };
	static const char *const same[] = { "name", "mac", "vendor", "last_seen",
		NULL };
	char what[128];
	json_t *rows = json_array(), *device, *row;
	size_t	i;

	json_array_foreach(devices, i, device) {
		if (i == TABLE_MAX)
			break;
		row = json_object();
		for (size_t k = 0; same[k] != NULL; k++)
			if (!json_is_null(json_object_get(device, same[k])))
				json_object_set(row, same[k],
				    json_object_get(device, same[k]));
		json_object_set_new(row, "addresses",
		    joined(json_object_get(device, "addresses")));
		snprintf(what, sizeof(what), "%.60s%s%.60s",
		    js_str(device, "kind") != NULL ? js_str(device, "kind") : "",
		    js_str(device, "kind") != NULL && js_str(device, "os") != NULL
			? ", " : "",
		    js_str(device, "os") != NULL ? js_str(device, "os") : "");
		tame(what);
		json_object_set_new(row, "what", json_string(what));
		json_object_set_new(row, "found_by",
		    joined(json_object_get(device, "found_by")));
		json_object_set_new(row, "agent", json_string(
		    js_str(device, "agent") != NULL ? "yes" : ""));
		json_array_append_new(rows, row);
	}
	if (json_array_size(devices) > TABLE_MAX)
		fprintf(f, "<p class=\"dim\">the first %d of %zu; all: dpctl scan"
		    " export</p>\n", TABLE_MAX, json_array_size(devices));
	page_table(f, rows, columns, "no device is known");
	json_decref(rows);
}

void
page_devices(FILE *f, const struct snapshot *s)
{
	struct network *nets = calloc(NETWORKS_MAX + 1, sizeof(*nets));
	size_t		n, i;
	json_t	       *device, *devices = ranked(s->devices);

	fputs("<h2>Devices of the network</h2>\n", f);
	if (nets == NULL || devices == NULL || json_array_size(s->polls) == 0) {
		fputs("<p class=\"dim\">", f);
		html_text(f, s->devices_why);
		fputs("</p>\n", f);
		free(nets);
		json_decref(devices);
		return;
	}
	n = networks_of(s->polls, nets);
	json_array_foreach(devices, i, device) {
		place_device(network_of(device, nets, n), device);
	}
	fputs("<p>Routers and switches stand above the wire of their network, others on"
	    " it, those without an agent first and of these the newest. A blue"
	    " frame: a network agent is there; filled: this distribution point;"
	    " broken: not seen of late.</p>\n", f);
	for (i = 0; i < n; i++)
		put_network(f, &nets[i], nets[i].text);
	if (nets[n].n > 0)
		put_network(f, &nets[n], "in none of the networks that are polled");
	fputs("<h3>All of them</h3>\n", f);
	put_table(f, devices);
	json_decref(devices);
	free(nets);
}
