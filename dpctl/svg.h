/*
 * dpctl/svg.h - pictures for a page: no script, nothing from elsewhere.
 *
 * Colours are the classes and variables of the page (report.c), so that a
 * picture suits a light page and a dark one.
 * SPDX-License-Identifier: ISC
 */
#ifndef DPCTL_SVG_H
#define DPCTL_SVG_H

#include <jansson.h>
#include <stdio.h>

/* Text that is no markup, whatever it says. */
void html_text(FILE *f, const char *s);

/* A text at a place; class: of the page's style. */
void svg_text(FILE *f, double x, double y, const char *class, const char *text);

struct svg_bar {
	const char *label, *note, *class;
	double	    bytes;
};
void svg_bars(FILE *f, const struct svg_bar *bar, size_t n);

#define HEAT_STEPS 7 /* a cell's value: 0 to 6 */
/* Receivers against the parts of an object; rows as mcast-list --heat has them. */
void svg_heat(FILE *f, const json_t *strip, double object_bytes, double blocks);
void svg_heat_legend(FILE *f);

#endif
