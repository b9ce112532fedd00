/*
 * dpctl/top.h - one frame of `dpctl top`, as text or as JSON.
 * SPDX-License-Identifier: ISC
 */
#ifndef DPCTL_TOP_H
#define DPCTL_TOP_H

#include <stdio.h>

#include "dpctl/snapshot.h"

/* before: for rates; its status is NULL where there is none. At most rows lines
 * of columns - 1 characters; 0: as many, as long as they are. */
void top_print(FILE *f, const struct snapshot *now, const struct snapshot *before,
    int columns, int rows, bool color);
json_t *top_json(const struct snapshot *now, const struct snapshot *before);

#endif
