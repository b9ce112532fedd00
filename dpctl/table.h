/*
 * dpctl/table.h - rows of JSON objects for people: a table, or one row as lines.
 *
 * A value's unit is in its key: *_bytes, bytes, size, length, durable, from_client(s)
 * and from_server(s) are bytes, *_s are seconds, rate, *_per_s and *_rate bytes in a
 * second (a *_rate of 0 is no limit), *_percent what it says (none below 0), time,
 * next_time, expires, first_seen and last_* seconds since the epoch. Lists, and
 * counts by name, stand in a row. Values are tamed: they came from elsewhere.
 * SPDX-License-Identifier: ISC
 */
#ifndef DPCTL_TABLE_H
#define DPCTL_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The value as a person reads it; at most size - 1 bytes of out. */
void cell_text(const char *key, const json_t *v, char *out, size_t size);
/* "uptime_s" is "uptime": the unit stands with the value. */
void key_text(const char *key, char *out, size_t size);
/*
 * All rows of an array. Rows that follow each other and begin with the same key
 * are a table; one alone stands as `key  value` lines.
 */
void table_print(FILE *f, const json_t *rows, bool color);
/* One event: time, who, what, then the rest as key=value. */
void event_print(FILE *f, const json_t *row, bool color);

#endif
