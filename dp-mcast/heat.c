/*
 * dp-mcast/heat.c - see heat.h.
 *
 * Runs in dp-mcast. Does no I/O.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/heat.h"

#include <stdlib.h>
#include <string.h>

static int
by_loss(const void *a, const void *b)
{
	const struct heat_line *x = a, *y = b;

	if (x->loss_most != y->loss_most)
		return x->loss_most < y->loss_most ? 1 : -1;
	return strcmp(x->device, y->device); /* the same picture each time */
}

static void
merge(struct heat_line *into, const struct heat_line *l)
{
	into->devices += l->devices;
	into->done += l->done;
	into->unicast += l->unicast;
	if (l->loss_most > into->loss_most)
		into->loss_most = l->loss_most;
	if (l->loss_least < into->loss_least)
		into->loss_least = l->loss_least;
	for (int k = 0; k < SENDER_HEAT; k++)
		if (l->cell[k] > into->cell[k])
			into->cell[k] = l->cell[k];
}

size_t
heat_fold(struct heat_line *line, size_t n)
{
	const size_t single = HEAT_ROWS / 2, groups = HEAT_ROWS - single;
	size_t	     rest, at;

	qsort(line, n, sizeof(*line), by_loss);
	if (n <= HEAT_ROWS)
		return n;
	rest = n - single;
	for (size_t i = 0; i < rest; i++) {
		at = single + i * groups / rest; /* never beyond single + i */
		if (i == 0 || at != single + (i - 1) * groups / rest)
			line[at] = line[single + i];
		else
			merge(&line[at], &line[single + i]);
	}
	return HEAT_ROWS;
}

json_t *
heat_json(const struct heat_line *line, size_t n)
{
	json_t *list = json_array(), *row;
	char	cells[SENDER_HEAT + 1];

	for (size_t i = 0; i < n; i++) {
		const struct heat_line *l = &line[i];

		for (int k = 0; k < SENDER_HEAT; k++)
			cells[k] = (char)('0' +
			    (l->cell[k] <= 9 ? l->cell[k] : 9));
		cells[SENDER_HEAT] = '\0';
		row = json_pack("{s:i,s:i,s:i,s:[f,f],s:s}", "devices",
		    (int)l->devices, "done", (int)l->done, "unicast",
		    (int)l->unicast, "loss_percent", (double)l->loss_least / 10,
		    (double)l->loss_most / 10, "heat", cells);
		if (row != NULL && l->devices == 1)
			json_object_set_new(row, "device",
			    json_string(l->device));
		json_array_append_new(list, row);
	}
	return list;
}

void
heat_rows(json_t *row, json_t *receivers,
    void (*put)(void *ctx, json_t *take_row), void *ctx)
{
	json_t *session = json_incref(json_object_get(row, "session")),
	       *of = json_array(), *r;
	size_t	i;

	json_array_foreach(receivers, i, r) {
		if (i > 0 && i % HEAT_OF == 0) {
			json_object_set_new(row, "of", of);
			put(ctx, row);
			row = json_pack("{s:O}", "session", session);
			of = json_array();
		}
		json_array_append(of, r);
	}
	json_object_set_new(row, "of", of);
	put(ctx, row);
	json_decref(session);
	json_decref(receivers);
}
