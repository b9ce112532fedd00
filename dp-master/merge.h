/*
 * dp-master/merge.h - rows of several processes about one thing, as one row.
 *
 * Pure. Two rows are about the same thing if they have the same keys and agree
 * in each but the numbers, "state" and "why"; a "port" is no number then. Numbers
 * are added, but of those that end in "_ms" or "_s" the largest counts; objects
 * are merged member by member; states that differ are listed.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MASTER_MERGE_H
#define DP_MASTER_MERGE_H

#include <jansson.h>

/* Of two samples of a metric of this name: a state ("_up") is the worse of both, a
 * time ("_seconds", a gauge's) the longer; all else adds up. */
double merge_sample(const char *name, double a, double b);

/* Into the row of rows that is about the same, or behind them. */
void merge_row(json_t *rows, json_t *take_row);

#endif
