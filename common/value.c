/*
 * common/value.c - words and numbers of the configuration; see value.h.
 *
 * Runs in every program. Believes nothing of the text.
 * SPDX-License-Identifier: ISC
 */
#include "common/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNITS 10

static const struct unit {
	const char *name;
	uint64_t    factor;
} units[][UNITS] = {
	[VALUE_PLAIN] = { { "", 1 } },
	[VALUE_TIME] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 },
	    { "d", 86400 } },
	[VALUE_SIZE] = { { "", 1 }, { "B", 1 }, { "kB", 1000 },
	    { "KiB", 1 << 10 }, { "MB", 1000000 }, { "MiB", 1 << 20 },
	    { "GB", 1000000000 }, { "GiB", 1 << 30 }, { "TB", 1000000000000 },
	    { "TiB", 1ULL << 40 } },
};

int
value_word(const char *list, size_t *pos, char *out, size_t size)
{
	const char *p = list + *pos + strspn(list + *pos, " \t");
	size_t	    n = strcspn(p, " \t");

	if (n == 0)
		return 0;
	if (n >= size)
		n = size - 1;
	memcpy(out, p, n);
	out[n] = '\0';
	*pos = (size_t)(p - list) + n;
	return 1;
}

int
value_number(const char *text, enum value_unit unit, uint64_t *out)
{
	const struct unit *u = units[unit];
	char		  *end;
	uint64_t	   n;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0)
		return -EINVAL;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < UNITS && u[i].name != NULL; i++)
		if (strcmp(end, u[i].name) == 0)
			return __builtin_mul_overflow(n, u[i].factor, out)
			    ? -EINVAL
			    : 0;
	return -EINVAL;
}

int
value_rate(const char *text, uint64_t *out)
{
	char   size[64];
	size_t n = strlen(text);

	if (n > 2 && n < sizeof(size) && strcmp(text + n - 2, "/s") == 0) {
		memcpy(size, text, n - 2);
		size[n - 2] = '\0';
		text = size;
	}
	return value_number(text, VALUE_SIZE, out);
}

void
value_format(uint64_t n, enum value_unit unit, char *out, size_t size)
{
	const struct unit *u = &units[unit][0];

	for (const struct unit *v = u + 1;
	    n > 0 && v < units[unit] + UNITS && v->name != NULL; v++)
		if (n % v->factor == 0 && v->factor >= u->factor)
			u = v;
	snprintf(out, size, "%llu%s", (unsigned long long)(n / u->factor),
	    u->name);
}
