/*
 * dp-gateway/wake.c - orders to wake, and events; see wake.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes nothing of an order or a
 * query but what it has checked. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/wake.h"

#include "common/json.h"
#include "common/size.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE "urn:dpoint:device:"

static const char *const whats[WAKE_WHATS] = { "refresh", "policy", "task",
	"report" };

static int
refuse(char why[WAKE_WHY], const char *text)
{
	snprintf(why, WAKE_WHY, "%s", text);
	return -EINVAL;
}

/* Of a URI's last part, or a UUID: enough for one, and nothing to quote. */
static bool
is_word(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	return s[0] != '\0' && s[strspn(s, letters)] == '\0';
}

int
wake_to_parse(const char *text, struct wake_order *out, char why[WAKE_WHY])
{
	const char *id = strncmp(text, DEVICE, strlen(DEVICE)) == 0
	    ? text + strlen(DEVICE) : text;

	out->name[0] = '\0';
	if (strcmp(text, "all") == 0) {
		out->whom = WAKE_ALL;
		return 0;
	}
	if (strncmp(text, "group:", 6) == 0) {
		if (!group_is_good(text + 6))
			return refuse(why, "expected a group such as "
					   "group:/hq/berlin");
		out->whom = WAKE_GROUP;
		snprintf(out->name, sizeof(out->name), "%s", text + 6);
		return 0;
	}
	if (!is_word(id) || strlen(id) > 40)
		return refuse(why, "expected all, group:NAME, or a device's "
				   "URI or UUID");
	out->whom = WAKE_DEVICE;
	snprintf(out->name, sizeof(out->name), DEVICE "%s", id);
	return 0;
}

void
wake_to_text(const struct wake_order *o, char out[WAKE_TO_MAX])
{
	snprintf(out, WAKE_TO_MAX, "%s%s",
	    o->whom == WAKE_ALL		? "all"
		: o->whom == WAKE_GROUP ? "group:"
					: "", o->name);
}

const char *
wake_what_word(enum wake_what w)
{
	return whats[w];
}

int
wake_what_parse(const char *word, struct wake_order *out, char why[WAKE_WHY])
{
	for (int i = 0; i < WAKE_WHATS; i++)
		if (strcmp(word, whats[i]) == 0) {
			out->what = (enum wake_what)i;
			return 0;
		}
	return refuse(why, "what: expected refresh, policy, task or report");
}

int
wake_order_parse(const char *json, size_t len, struct wake_order *out,
    char why[WAKE_WHY])
{
	json_t	   *o = NULL;
	const char *to, *what;
	int	    r = js_parse(&o, json, len, why, WAKE_WHY);

	out->what = WAKE_REFRESH;
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	to = js_str(o, "to");
	what = js_str(o, "what");
	if (to == NULL || json_object_size(o) != (what != NULL ? 2 : 1))
		r = refuse(why, "expected an object with to, and what perhaps");
	else if ((r = wake_to_parse(to, out, why)) == 0 && what != NULL)
		r = wake_what_parse(what, out, why);
	json_decref(o);
	return r;
}

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0'
	    : c >= 'a' && c <= 'f'  ? c - 'a' + 10
	    : c >= 'A' && c <= 'F'  ? c - 'A' + 10
				    : -1;
}

int
push_query_parse(const char *query, size_t len, char group[GROUP_LEN])
{
	size_t n = 0;

	snprintf(group, GROUP_LEN, "/");
	if (len == 0)
		return 0;
	if (len < 6 || memcmp(query, "group=", 6) != 0)
		return -EINVAL;
	for (size_t i = 6; i < len; i++) {
		int c = (unsigned char)query[i];

		if (c == '%') {
			if (len - i < 3 || hex(query[i + 1]) < 0 ||
			    hex(query[i + 2]) < 0)
				return -EINVAL;
			c = hex(query[i + 1]) << 4 | hex(query[i + 2]);
			i += 2;
		}
		if (c == 0 || n == GROUP_LEN - 1)
			return -EINVAL;
		group[n++] = (char)c;
	}
	group[n] = '\0';
	return group_is_good(group) ? 0 : -EINVAL;
}

int
wake_new(const struct wake_order *o, uint64_t number, bool has_all,
    struct wake **out)
{
	char	     text[17], id[WAKE_ID_MAX] = "", *data = NULL;
	json_t	    *row;
	struct wake *w = NULL;
	size_t	     size;

	*out = NULL;
	snprintf(text, sizeof(text), "%016llx", (unsigned long long)number);
	row = json_pack("{s:s,s:s}", "id", text, "what", whats[o->what]);
	if (row != NULL && o->whom != WAKE_DEVICE)
		json_object_set_new(row, "group",
		    json_string(o->whom == WAKE_ALL ? "all" : o->name));
	if (row != NULL)
		data = json_dumps(row, JSON_COMPACT);
	json_decref(row);
	if (has_all)
		snprintf(id, sizeof(id), "id: %s\n", text);
	if (data != NULL) {
		size = strlen(id) + sizeof("event: wake\ndata: \n\n") +
		    strlen(data);
		w = malloc(sizeof(*w) + size);
	}
	if (w != NULL) {
		w->refs = 1;
		w->number = number;
		w->order = *o;
		w->len = (size_t)snprintf(w->text, size,
		    "%sevent: wake\ndata: %s\n\n", id, data);
	}
	free(data);
	*out = w;
	return w != NULL ? 0 : -ENOMEM;
}

bool
wake_is_for(const struct wake *w, const char *device, const char *group)
{
	return w->order.whom == WAKE_ALL ||
	    (w->order.whom == WAKE_GROUP
		    ? group_holds(w->order.name, group)
		    : strcmp(w->order.name, device) == 0);
}

size_t
push_id_text(uint64_t number, bool is_comment, char out[WAKE_ID_MAX])
{
	return (size_t)snprintf(out, WAKE_ID_MAX, "%sid: %016llx\n\n",
	    is_comment ? ":\n" : "", (unsigned long long)number);
}

int
push_id_parse(const char *text, size_t len, uint64_t *out)
{
	uint64_t n = 0;

	if (len != 16)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (hex(text[i]) < 0)
			return -EINVAL;
		n = n << 4 | (uint64_t)hex(text[i]);
	}
	*out = n;
	return 0;
}

void
wake_unref(struct wake **wp)
{
	struct wake *w = *wp;

	*wp = NULL;
	if (w != NULL && --w->refs == 0)
		free(w);
}

size_t
push_leave_text(uint64_t in_ms, char out[WAKE_LEAVE_MAX])
{
	unsigned long long ms = in_ms;

	return (size_t)snprintf(out, WAKE_LEAVE_MAX,
	    "retry: %llu\nevent: leave\ndata: {\"in_ms\":%llu}\n\n", ms, ms);
}
