/*
 * common/wan.h - the budget of the thin line as text: so many bytes a second,
 * by time of day.
 *
 * Text:    "20MB/s", or rules tried in order, the last without a time:
 *          "mon-fri 08:00-18:00=2MB/s sat,sun 10:00-12:00=5MB/s otherwise=20MB/s".
 *          Days are mon tue wed thu fri sat sun, as ranges and lists; no days
 *          means every day. A window past midnight (22:00-06:00) belongs to
 *          the day it begins on. "unlimited" is a rate. No rule that fits, or
 *          an empty text: unlimited.
 * Units:   bytes per second; 0 is unlimited. Times are local.
 * Shape:   pure: callers pass the time.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_WAN_H
#define COMMON_WAN_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define WAN_RULES 16
#define WAN_ERR	  256

struct wan_rule {
	uint8_t	 days;	      /* bit 0: Sunday, as tm_wday */
	uint16_t from, until; /* minutes of the day */
	uint64_t rate;
};

struct wan {
	struct wan_rule rules[WAN_RULES];
	size_t		n;
};

/* 0, or -EINVAL and err says what was expected. */
int	 wan_parse(const char *text, struct wan *out, char err[WAN_ERR]);
uint64_t wan_rate_at(const struct wan *w, const struct tm *local);

#endif
