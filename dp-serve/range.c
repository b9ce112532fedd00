/*
 * dp-serve/range.c - ranges, conditions and dates; see range.h.
 *
 * Runs in dp-serve behind its sandbox. Pure functions over a stranger's bytes.
 * SPDX-License-Identifier: ISC
 */
#include "dp-serve/range.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const char days[] = "ThuFriSatSunMonTueWed";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static void
digits(char *p, unsigned v, int n)
{
	while (n-- > 0) {
		p[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

/* Days since 1970 and back, in the proleptic Gregorian calendar. */
static int64_t
days_from_civil(int64_t y, unsigned m, unsigned d)
{
	int64_t	 era;
	unsigned yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = (unsigned)(y - era * 400);
	doy = (153 * (m + (m > 2 ? (unsigned)-3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) -
	    719468;
}

void
http_date(int64_t t, char out[HTTP_DATE_LEN + 1])
{
	int64_t	 day, z, era, y;
	unsigned sec, doe, yoe, doy, mp, d, m;

	if (t < 0 || t > INT64_C(253402300799)) /* 31 Dec 9999 */
		t = 0;
	day = t / 86400;
	sec = (unsigned)(t % 86400);
	z = day + 719468;
	era = z / 146097;
	doe = (unsigned)(z - era * 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	d = doy - (153 * mp + 2) / 5 + 1;
	m = mp < 10 ? mp + 3 : mp - 9;
	y = (int64_t)yoe + era * 400 + (m <= 2);
	memcpy(out, "ddd, 00 mmm 0000 00:00:00 GMT", HTTP_DATE_LEN + 1);
	memcpy(out, days + 3 * (day % 7), 3);
	digits(out + 5, d, 2);
	memcpy(out + 8, months + 3 * (m - 1), 3);
	digits(out + 12, (unsigned)y, 4);
	digits(out + 17, sec / 3600, 2);
	digits(out + 20, sec / 60 % 60, 2);
	digits(out + 23, sec % 60, 2);
}

static int
number(const char *p, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + p[i] - '0';
	}
	return v;
}

int
http_date_parse(int64_t *t, const char *p, size_t n)
{
	int	   d, y, h, mi, s;
	const char *m = months;
	char	   back[HTTP_DATE_LEN + 1];

	/* only the form that all write today; the others are ignored */
	if (n != HTTP_DATE_LEN)
		return -EINVAL;
	d = number(p + 5, 2);
	y = number(p + 12, 4);
	h = number(p + 17, 2);
	mi = number(p + 20, 2);
	s = number(p + 23, 2);
	while (*m != '\0' && memcmp(m, p + 8, 3) != 0)
		m += 3;
	if (*m == '\0' || d < 1 || d > 31 || y < 1970 || h < 0 || h > 23 ||
	    mi < 0 || mi > 59 || s < 0 || s > 59)
		return -EINVAL;
	*t = days_from_civil(y, (unsigned)(m - months) / 3 + 1, (unsigned)d) *
	    86400 + h * 3600 + mi * 60 + s;
	http_date(*t, back); /* weekday, day of the month and the rest */
	return memcmp(back, p, n) == 0 ? 0 : -EINVAL;
}

/* Digits to a number that stops at the largest; false without a digit. */
static bool
take_number(const char *p, size_t n, size_t *i, uint64_t *v)
{
	size_t from = *i;

	*v = 0;
	for (; *i < n && p[*i] >= '0' && p[*i] <= '9'; (*i)++)
		if (__builtin_mul_overflow(*v, (uint64_t)10, v) ||
		    __builtin_add_overflow(*v, (uint64_t)(p[*i] - '0'), v))
			*v = UINT64_MAX;
	return *i > from;
}

enum range_answer
range_parse(const char *p, size_t n, uint64_t size, uint64_t *first,
    uint64_t *last)
{
	uint64_t a = 0, b = UINT64_MAX;
	size_t	 i = 6;

	if (n < 8 || strncasecmp(p, "bytes=", 6) != 0)
		return RANGE_WHOLE;
	if (p[i] == '-') { /* the last so many */
		i++;
		if (!take_number(p, n, &i, &b) || i != n)
			return RANGE_WHOLE;
		if (b == 0 || size == 0)
			return RANGE_NONE;
		*first = b >= size ? 0 : size - b;
		*last = size - 1;
		return RANGE_PART;
	}
	if (!take_number(p, n, &i, &a) || i == n || p[i++] != '-')
		return RANGE_WHOLE;
	if (i < n && (!take_number(p, n, &i, &b) || i != n || b < a))
		return RANGE_WHOLE;
	if (a >= size)
		return RANGE_NONE;
	*first = a;
	*last = b >= size ? size - 1 : b;
	return RANGE_PART;
}

bool
etag_listed(const char *p, size_t n, const char *etag, bool weak_ok)
{
	size_t e = strlen(etag), i = 0;

	if (n == 1 && p[0] == '*')
		return true;
	while (i < n) {
		bool   weak = false;
		size_t from;

		while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == ','))
			i++;
		if (n - i >= 2 && p[i] == 'W' && p[i + 1] == '/') {
			weak = true;
			i += 2;
		}
		from = i;
		if (i >= n || p[i] != '"')
			return false;
		for (i++; i < n && p[i] != '"';)
			i++;
		if (i == n)
			return false;
		i++;
		if ((!weak || weak_ok) && i - from == e &&
		    memcmp(p + from, etag, e) == 0)
			return true;
	}
	return false;
}

/* RFC 9110, 13.2.2, in its order. */
int
conditions(const struct http_request *r, const char *buf, const char *etag,
    int64_t mtime, uint64_t size, uint64_t *first, uint64_t *last)
{
	const struct http_span *m = &r->f[HTTP_IF_MATCH], *u = &r->f[HTTP_IF_UNMODIFIED],
			  *nm = &r->f[HTTP_IF_NONE_MATCH],
			  *s = &r->f[HTTP_IF_MODIFIED], *ir = &r->f[HTTP_IF_RANGE],
			  *rg = &r->f[HTTP_RANGE];
	int64_t		   t;

	if (m->len != 0) {
		if (!etag_listed(buf + m->off, m->len, etag, false))
			return 412;
	} else if (u->len != 0 &&
	    http_date_parse(&t, buf + u->off, u->len) == 0 && mtime > t)
		return 412;
	if (nm->len != 0) {
		if (etag_listed(buf + nm->off, nm->len, etag, true))
			return 304;
	} else if (s->len != 0 &&
	    http_date_parse(&t, buf + s->off, s->len) == 0 && mtime <= t)
		return 304;
	if (rg->len == 0 || r->method == HTTP_HEAD)
		return 200;
	if (ir->len != 0) {
		const char *v = buf + ir->off;

		/* one strong tag, or exactly our date */
		if (v[0] == '"' ? ir->len != strlen(etag) ||
			memcmp(v, etag, ir->len) != 0
		    : http_date_parse(&t, v, ir->len) != 0 || t != mtime)
			return 200;
	}
	switch (range_parse(buf + rg->off, rg->len, size, first, last)) {
	case RANGE_PART:
		return 206;
	case RANGE_NONE:
		return 416;
	default:
		return 200;
	}
}
