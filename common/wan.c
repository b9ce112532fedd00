/*
 * common/wan.c - rates by time of day; see wan.h.
 *
 * Runs in the master, which checks the text, and in dp-fetch, which goes by it.
 * Believes the configuration's author to be human: every mistake is named.
 * SPDX-License-Identifier: ISC
 */
#include "common/wan.h"

#include "common/value.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define EVERY_DAY 0x7f
#define RATE_MIN  1000 /* bytes a second */
#define RATE_MAX  (1ULL << 40)

static const char days[7][4] = { "sun", "mon", "tue", "wed", "thu", "fri",
	"sat" };

static int
day(const char *p)
{
	for (int i = 0; i < 7; i++)
		if (strncmp(p, days[i], 3) == 0)
			return i;
	return -1;
}

/* "mon-fri,sun" */
static int
parse_days(const char *p, uint8_t *out)
{
	uint8_t set = 0;
	int	a, b;

	for (;; p++) {
		if ((a = b = day(p)) < 0)
			return -EINVAL;
		p += 3;
		if (*p == '-') {
			if ((b = day(p + 1)) < 0)
				return -EINVAL;
			p += 4;
		}
		set |= (uint8_t)(1 << a);
		for (; a != b; a = (a + 1) % 7)
			set |= (uint8_t)(1 << (a + 1) % 7);
		if (*p != ',')
			break;
	}
	if (*p != '\0')
		return -EINVAL;
	*out = set;
	return 0;
}

/* "08:00-18:00" */
static int
parse_window(const char *p, uint16_t *from, uint16_t *until)
{
	unsigned h1, m1, h2, m2;
	int	 n = 0;

	if (sscanf(p, "%2u:%2u-%2u:%2u%n", &h1, &m1, &h2, &m2, &n) != 4 ||
	    p[n] != '\0' || h1 > 23 || m1 > 59 || h2 > 24 || m2 > 59 ||
	    h2 * 60 + m2 > 1440)
		return -EINVAL;
	*from = (uint16_t)(h1 * 60 + m1);
	*until = (uint16_t)(h2 * 60 + m2);
	return *from == *until ? -EINVAL : 0;
}

static int
parse_rate(const char *p, uint64_t *out, char err[WAN_ERR])
{
	*out = 0;
	if (strcmp(p, "unlimited") == 0 ||
	    (value_rate(p, out) == 0 && *out >= RATE_MIN && *out <= RATE_MAX))
		return 0;
	snprintf(err, WAN_ERR, "\"%.40s\": expected a rate such as 2MB/s (at "
		"least 1kB/s), or unlimited", p);
	return -EINVAL;
}

int
wan_parse(const char *text, struct wan *out, char err[WAN_ERR])
{
	struct wan_rule	       *r;
	char			word[128], *eq;
	size_t			pos = 0;
	const struct wan_rule	whole = { EVERY_DAY, 0, 1440, 0 };
	struct wan_rule		next = whole;
	bool			open = false;

	out->n = 0;
	while (value_word(text, &pos, word, sizeof(word))) {
		eq = strchr(word, '=');
		if (eq == NULL && parse_days(word, &next.days) == 0 && !open) {
			open = true;
			continue;
		}
		if (out->n == WAN_RULES) {
			snprintf(err, WAN_ERR, "more than %d rules", WAN_RULES);
			return -EINVAL;
		}
		if (eq != NULL)
			*eq = '\0';
		if (eq != NULL && strcmp(word, "otherwise") != 0 &&
		    parse_days(word, &next.days) < 0 &&
		    parse_window(word, &next.from, &next.until) < 0) {
			snprintf(err, WAN_ERR, "\"%.40s\": expected days (mon-"
				"fri), a time (08:00-18:00) or otherwise "
				"before \"=\"", word);
			return -EINVAL;
		}
		r = &out->rules[out->n];
		*r = next;
		if (parse_rate(eq != NULL ? eq + 1 : word, &r->rate, err) < 0)
			return -EINVAL;
		out->n++;
		next = whole;
		open = false;
	}
	if (!open)
		return 0;
	snprintf(err, WAN_ERR, "days without a rate at the end");
	return -EINVAL;
}

uint64_t
wan_rate_at(const struct wan *w, const struct tm *t)
{
	int minute = t->tm_hour * 60 + t->tm_min;
	int yesterday = (t->tm_wday + 6) % 7;

	for (size_t i = 0; i < w->n; i++) {
		const struct wan_rule *r = &w->rules[i];
		bool today = r->days & 1 << t->tm_wday;

		if (r->from < r->until) {
			if (today && minute >= r->from && minute < r->until)
				return r->rate;
		} else if ((today && minute >= r->from) ||
		    (r->days & 1 << yesterday && minute < r->until))
			return r->rate;
	}
	return 0;
}
