/*
 * dpctl/svg.c - see svg.h.
 *
 * Runs in dpctl. Believes nothing of the rows: a cell that is no digit is none.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/svg.h"

#include <string.h>

#include "common/json.h"
#include "dpctl/snapshot.h"

enum { CELLS = 64, ROWS_MAX = 64, TEXT_MAX = 512 };

void
html_text(FILE *f, const char *s)
{
	char text[TEXT_MAX];

	snprintf(text, sizeof(text), "%s", s);
	tame(text); /* a character cut in two is no character */
	for (const char *c = text; *c != '\0'; c++)
		switch (*c) {
		case '&': fputs("&amp;", f); break;
		case '<': fputs("&lt;", f); break;
		case '>': fputs("&gt;", f); break;
		case '"': fputs("&quot;", f); break;
		case '\'': fputs("&#39;", f); break;
		default: putc(*c, f);
		}
}

void
svg_text(FILE *f, double x, double y, const char *class, const char *text)
{
	fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
	html_text(f, text);
	fputs("</text>\n", f);
}

/* ---- bars ------------------------------------------------------------------------ */

/* A step that divides max into six at most, of whole units of size_text(). */
static double
step_of(double max)
{
	static const double round[] = { 1, 2, 5, 10, 20, 50, 100, 200, 500 };
	double		    unit = 1;

	while (max / unit >= 1024)
		unit *= 1024;
	for (size_t i = 0; i < sizeof(round) / sizeof(round[0]); i++)
		if (max / (round[i] * unit) <= 6)
			return round[i] * unit;
	return 1000 * unit;
}

void
svg_bars(FILE *f, const struct svg_bar *bar, size_t n)
{
	enum { LEFT = 210, WIDTH = 480, ROW = 34, TOP = 8 };
	char   size[SIZE_TEXT], text[TEXT_MAX];
	double max = 1, step, bottom = TOP + (double)n * ROW;

	for (size_t i = 0; i < n; i++)
		max = bar[i].bytes > max ? bar[i].bytes : max;
	step = step_of(max);
	fprintf(f, "<div class=\"wide\"><svg viewBox=\"0 0 960 %.0f\" role=\"img\" aria-label=\"bytes by"
	    " way\">\n", bottom + 28);
	for (int i = 0; i * step <= max; i++) {
		double v = i * step, x = LEFT + v / max * WIDTH;

		fprintf(f, "<path class=\"grid\" d=\"M%.1f %d V%.1f\"/>\n", x, TOP, bottom);
		svg_text(f, x, bottom + 16, "axis mid", size_text(v, size));
	}
	for (size_t i = 0; i < n; i++) {
		double y = TOP + (double)i * ROW, w = bar[i].bytes / max * WIDTH;

		svg_text(f, LEFT - 10, y + 20, "end", bar[i].label);
		fprintf(f, "<rect class=\"%s\" x=\"%d\" y=\"%.1f\" width=\"%.1f\""
		    " height=\"%d\"/>\n", bar[i].class, LEFT, y + 6, w < 1 &&
		    bar[i].bytes > 0 ? 1 : w, ROW - 13);
		snprintf(text, sizeof(text), "%s%s%s", size_text(bar[i].bytes, size),
		    bar[i].note[0] != '\0' ? "  " : "", bar[i].note);
		svg_text(f, LEFT + w + 8, y + 20, "value", text);
	}
	fputs("</svg></div>\n", f);
}

/* ---- heat ------------------------------------------------------------------------ */

enum { HEAT_LEFT = 260, CELL = 8, HEAT_WIDTH = CELL * CELLS, HEAT_ROW = 13 };

static const char *
heat_of(const json_t *strip, size_t row)
{
	const char *heat = js_str(json_array_get(strip, row), "heat");

	return heat != NULL ? heat : "";
}

static int
step_of_cell(char c)
{
	return c < '0' || c > '9' ? 0 : c - '0' < HEAT_STEPS ? c - '0' :
	    HEAT_STEPS - 1;
}

/* Whose row it is, to its left, and what became of it, to its right. */
static void
row_labels(const json_t *row, char *left, char *right, size_t size)
{
	const char   *device = js_str(row, "device"), *id;
	const json_t *loss = json_object_get(row, "loss_percent");
	double	      least = json_number_value(json_array_get(loss, 0)),
		 most = json_number_value(json_array_get(loss, 1)),
		 n = num(row, "devices"), done = num(row, "done"),
		 unicast = num(row, "unicast");
	char lost[48];

	if (device != NULL) { /* "urn:dpoint:device:UUID" */
		id = strrchr(device, ':');
		snprintf(left, size, "%s", id != NULL ? id + 1 : device);
	} else
		snprintf(left, size, "%.0f receivers", n);
	if (least < most)
		snprintf(lost, sizeof(lost), "%.1f-%.1f %%", least, most);
	else
		snprintf(lost, sizeof(lost), "%.1f %%", most);
	if (n > 1 && done < n)
		snprintf(right, size, "%s, %.0f done", lost, done);
	else
		snprintf(right, size, "%s, %s", lost, done > 0 ? "done" : unicast > 0 ?
		    "by unicast" : "not done");
}

/* Column c of a row: of few blocks each has one, wider than a cell. */
static int
step_at(const char *heat, int c, int columns)
{
	size_t k = (size_t)(c * CELLS / columns);

	return k < strnlen(heat, CELLS) ? step_of_cell(heat[k]) : 0;
}

/* Neighbours of one step are one piece; all pieces of a step are one path. */
static void
put_step(FILE *f, const json_t *strip, size_t rows, int columns, int step)
{
	bool any = false;

	for (size_t i = 0; i < rows; i++) {
		const char *heat = heat_of(strip, i);
		double	    wide = (double)HEAT_WIDTH / columns;
		int	    to;

		for (int c = 0; c < columns; c = to > c ? to : c + 1) {
			for (to = c; to < columns && step_at(heat, to, columns) == step;
			     to++)
				;
			if (to == c)
				continue;
			if (!any)
				fprintf(f, "<path class=\"h%d\" d=\"", step);
			fprintf(f, "M%.4g %zuh%.4gv%dh-%.4gz", HEAT_LEFT + c * wide,
			    i * HEAT_ROW, (to - c) * wide, HEAT_ROW - 1,
			    (to - c) * wide);
			any = true;
		}
	}
	if (any)
		fputs("\"/>\n", f);
}

void
svg_heat(FILE *f, const json_t *strip, double object_bytes, double blocks)
{
	size_t rows = json_array_size(strip);
	char   left[TEXT_MAX], right[TEXT_MAX], size[SIZE_TEXT];
	double bottom;
	int    columns = blocks >= 1 && blocks < CELLS ? (int)blocks : CELLS;

	if (rows > ROWS_MAX)
		rows = ROWS_MAX;
	bottom = (double)rows * HEAT_ROW;
	fprintf(f, "<div class=\"wide\"><svg viewBox=\"0 0 960 %.0f\" role=\"img\" aria-label=\"holes of"
	    " receivers along the object\">\n", bottom + 34);
	fprintf(f, "<rect class=\"h0\" x=\"%d\" width=\"%d\" height=\"%.0f\"/>\n",
	    HEAT_LEFT, HEAT_WIDTH, bottom);
	for (int step = 1; step < HEAT_STEPS; step++)
		put_step(f, strip, rows, columns, step);
	for (size_t i = 0; i < rows; i++) {
		double y = (double)i * HEAT_ROW;

		if (i > 0)
			fprintf(f, "<path class=\"gap\" d=\"M%d %.1fh%d\"/>\n", HEAT_LEFT,
			    y - 0.5, HEAT_WIDTH);
		row_labels(json_array_get(strip, i), left, right, sizeof(left));
		svg_text(f, HEAT_LEFT - 8, y + 10, "row end", left);
		svg_text(f, HEAT_LEFT + HEAT_WIDTH + 8, y + 10, "row", right);
	}
	for (int q = 0; q <= 4; q++) {
		double x = HEAT_LEFT + HEAT_WIDTH * q / 4.0;

		fprintf(f, "<path class=\"tick\" d=\"M%.1f %.1fv4\"/>\n", x, bottom);
		svg_text(f, x, bottom + 16, "axis mid", size_text(object_bytes * q / 4,
		    size));
	}
	svg_text(f, HEAT_LEFT - 28, bottom + 16, "axis end", "receiver");
	svg_text(f, HEAT_LEFT + HEAT_WIDTH / 2.0, bottom + 30, "axis mid",
	    "where in the object");
	svg_text(f, HEAT_LEFT + HEAT_WIDTH + 34, bottom + 16, "axis", "loss, end");
	fputs("</svg></div>\n", f);
}

void
svg_heat_legend(FILE *f)
{
	static const char *const text[HEAT_STEPS] = { "no hole", "up to 1 %", "2 %",
		"5 %", "10 %", "25 %", "more" };

	fputs("<div class=\"wide\"><svg viewBox=\"0 0 960 24\" role=\"img\" aria-label=\"legend\">\n", f);
	svg_text(f, HEAT_LEFT - 8, 15, "axis end", "missing of a block");
	for (int i = 0; i < HEAT_STEPS; i++) {
		fprintf(f, "<rect class=\"h%d key\" x=\"%d\" y=\"5\" width=\"14\""
		    " height=\"12\"/>\n", i, HEAT_LEFT + i * 84);
		svg_text(f, HEAT_LEFT + i * 84 + 19, 15, "axis", text[i]);
	}
	fputs("</svg></div>\n", f);
}
