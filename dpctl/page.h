/*
 * dpctl/page.h - what all parts of the report's page are made of, and the parts
 * that are files of their own.
 * SPDX-License-Identifier: ISC
 */
#ifndef DPCTL_PAGE_H
#define DPCTL_PAGE_H

#include <jansson.h>
#include <stdio.h>

#include "dpctl/snapshot.h"

/* One row as lines of key and value; NULL: there was no answer. */
void page_lines(FILE *f, const json_t *row);
/* The first 50 rows, these columns of them (NULL ends); none: what to say then. */
void page_table(FILE *f, const json_t *rows, const char *const columns[],
    const char *none);
/* The value of a key, as text. */
void page_span(FILE *f, const char *key, const json_t *row);

/* Devices of the network: a map, and a table (page_devices.c). */
void page_devices(FILE *f, const struct snapshot *s);

#endif
