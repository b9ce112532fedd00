/*
 * dpctl/page.c - see page.h.
 *
 * Runs in dpctl. What came from elsewhere is text here, never markup.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/page.h"

#include "dpctl/svg.h"
#include "dpctl/table.h"

enum { ROWS_MAX = 50, CELL_BYTES = 512 };

static void
cell(FILE *f, const char *key, const json_t *v)
{
	char text[CELL_BYTES];

	cell_text(key, v, text, sizeof(text));
	fprintf(f, "<td%s>", json_is_number(v) ? " class=\"n\"" : "");
	html_text(f, text);
	fputs("</td>", f);
}

static void
heading(FILE *f, const char *key)
{
	char text[64];

	key_text(key, text, sizeof(text));
	fputs("<th>", f);
	html_text(f, text);
	fputs("</th>", f);
}

/* One row stands as lines of key and value. */
void
page_lines(FILE *f, const json_t *row)
{
	const char *key;
	json_t	   *v;

	if (row == NULL) {
		fputs("<p class=\"dim\">no answer</p>\n", f);
		return;
	}
	fputs("<div class=\"wide\"><table>\n", f);
	json_object_foreach((json_t *)row, key, v) {
		fputs("<tr>", f);
		heading(f, key);
		cell(f, key, v);
		fputs("</tr>\n", f);
	}
	fputs("</table></div>\n", f);
}

void
page_table(FILE *f, const json_t *rows, const char *const columns[], const char *none)
{
	json_t *row;
	size_t	i;

	if (json_array_size(rows) == 0) {
		fprintf(f, "<p class=\"dim\">%s</p>\n", none);
		return;
	}
	fputs("<div class=\"wide\"><table>\n<tr>", f);
	for (size_t c = 0; columns[c] != NULL; c++)
		heading(f, columns[c]);
	fputs("</tr>\n", f);
	json_array_foreach(rows, i, row) {
		if (i == ROWS_MAX)
			break;
		fputs("<tr>", f);
		for (size_t c = 0; columns[c] != NULL; c++)
			cell(f, columns[c], json_object_get(row, columns[c]));
		fputs("</tr>\n", f);
	}
	fputs("</table></div>\n", f);
}

void
page_span(FILE *f, const char *key, const json_t *row)
{
	char text[CELL_BYTES];

	cell_text(key, json_object_get(row, key), text, sizeof(text));
	html_text(f, text);
}
