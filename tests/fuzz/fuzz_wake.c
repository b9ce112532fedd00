/*
 * Whatever a stranger orders, or asks as its group: an accepted order makes one
 * event of two lines, JSON that says the same, and an accepted group is one.
 * SPDX-License-Identifier: ISC
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "dp-gateway/wake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_event(const struct wake_order *o)
{
	struct wake *w;
	json_t	    *row;
	const char  *group;
	char	     why[80], *at;

	if (wake_new(o, 7, false, &w) < 0)
		return;
	if (strlen(w->text) != w->len || strcmp(w->text + w->len - 2, "\n\n") != 0 ||
	    strncmp(w->text, "event: wake\ndata: ", 18) != 0)
		abort();
	at = w->text + 18;
	if (strchr(at, '\n') != w->text + w->len - 2 || strchr(at, '\r') != NULL)
		abort();
	if (js_parse(&row, at, strlen(at), why, sizeof(why)) < 0)
		abort();
	group = js_str(row, "group");
	if (o->whom == WAKE_DEVICE ? group != NULL
				   : group == NULL || strcmp(group,
		o->whom == WAKE_ALL ? "all" : o->name) != 0)
		abort();
	json_decref(row);
	wake_unref(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wake_order o;
	char		  why[WAKE_WHY], group[GROUP_LEN];

	if (wake_order_parse((const char *)data, size, &o, why) == 0) {
		if (o.whom == WAKE_GROUP && !group_is_good(o.name))
			abort();
		check_event(&o);
	}
	if (push_query_parse((const char *)data, size, group) == 0) {
		json_t *shown = json_string(group); /* in the list */

		if (shown == NULL || !group_is_good(group))
			abort();
		json_decref(shown);
	}
	return 0;
}
