/*
 * dp-agent/wake.c - what the kept connection brings; see wake.h.
 *
 * Runs in the network child. Believes that whoever holds the other end may wake
 * us, as his certificate was checked, and of his words only their form. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/wake.h"

#include "common/json.h"
#include "common/size.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool
is_word(const char *s, size_t size)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz-");

	return n > 0 && s[n] == '\0' && n < size;
}

bool
push_id_is_good(const char *s)
{
	for (const char *c = s; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return strlen(s) < WAKE_ID_LEN;
}

static enum push_kind
kind_of(const char *what)
{
	static const struct {
		const char    *what;
		enum push_kind kind;
	} kinds[] = {
		{ "refresh", PUSH_REFRESH },
		{ "policy", PUSH_REFRESH },
		{ "task", PUSH_REFRESH },
		{ "report", PUSH_REPORT },
	};

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (strcmp(what, kinds[i].what) == 0)
			return kinds[i].kind;
	return PUSH_OTHER;
}

static const char *
read_wake(struct push_message *m, const json_t *o)
{
	const char *what = js_str(o, "what"), *id = js_str(o, "id"),
		   *group = js_str(o, "group");

	if (what == NULL || !is_word(what, sizeof(m->what)))
		return "wake: expected what, a short word";
	if (id != NULL && !push_id_is_good(id))
		return "wake: expected a short id";
	snprintf(m->what, sizeof(m->what), "%s", what);
	snprintf(m->id, sizeof(m->id), "%s", id != NULL ? id : "");
	m->is_for_many = group != NULL; /* a group, or "all" */
	m->kind = kind_of(what);
	return NULL;
}

static const char *
read_leave(struct push_message *m, const json_t *o)
{
	int64_t ms = 0;

	if (json_object_get(o, "in_ms") != NULL &&
	    js_int(o, "in_ms", 0, INT64_MAX, &ms) < 0)
		return "leave: expected in_ms, milliseconds";
	m->delay_ms = (uint64_t)ms;
	return NULL;
}

int
push_parse(struct push_message *m, const char *type, const char *data,
    size_t len, char *why, size_t size)
{
	const char *trouble;
	json_t	   *o = NULL;
	int	    r;

	*m = (struct push_message){ .kind = PUSH_OTHER };
	if (strcmp(type, "wake") != 0 && strcmp(type, "leave") != 0) {
		snprintf(m->what, sizeof(m->what), "%s",
		    is_word(type, sizeof(m->what)) ? type : "?");
		return 0;
	}
	snprintf(m->what, sizeof(m->what), "%s", type);
	if ((r = js_parse(&o, data, len, why, size)) < 0)
		return r;
	if (type[0] == 'l') {
		m->kind = PUSH_LEAVE;
		trouble = read_leave(m, o);
	} else
		trouble = read_wake(m, o);
	json_decref(o);
	if (trouble == NULL)
		return 0;
	snprintf(why, size, "%s", trouble);
	return -EBADMSG;
}

bool
wakes_is_new(struct wakes *w, const struct push_message *m)
{
	w->came++;
	if (m->id[0] == '\0')
		return true;
	for (size_t i = 0; i < WAKE_IDS; i++)
		if (strcmp(w->ids[i], m->id) == 0) {
			w->repeated++;
			return false;
		}
	memcpy(w->ids[w->next_id++ % WAKE_IDS], m->id, WAKE_ID_LEN);
	return true;
}

void
wakes_add(struct wakes *w, const struct push_message *m, uint64_t now,
    uint64_t spread_ms, uint32_t dice)
{
	uint64_t due = now, debt = (WAKE_BURST - 1) * WAKE_EVERY_MS;

	if (m->is_for_many)
		due += spread_ms * dice >> 32;
	if (w->full_ms > debt && due < w->full_ms - debt)
		due = w->full_ms - debt;
	if (w->due_ms == 0 || due < w->due_ms)
		w->due_ms = due > 0 ? due : 1;
}

uint64_t
wakes_due(const struct wakes *w)
{
	return w->due_ms != 0 ? w->due_ms : UINT64_MAX;
}

void
wakes_begun(struct wakes *w, uint64_t now)
{
	if (w->due_ms == 0)
		return;
	w->due_ms = 0;
	w->full_ms = (w->full_ms > now ? w->full_ms : now) + WAKE_EVERY_MS;
}
