/*
 * dpctl/say.c - how dpctl speaks: rows, errors, sizes, colours.
 *
 * Runs in dpctl. Text that came from elsewhere is tamed before a terminal
 * sees it.
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dpctl/dpctl.h"

static bool   say_json;
static char  *caught; /* complaints go there instead */
static size_t caught_size;

void
say_init(bool json)
{
	say_json = json;
}

/* The length of the character at s, and *code; 0: no UTF-8. */
static size_t
character(const unsigned char *s, uint32_t *code)
{
	size_t	 n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 :
		(s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
	uint32_t c = n == 1 ? s[0] : s[0] & (0xff >> (n + 1));

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	*code = c;
	return n;
}

/* Controls of ASCII and of Latin-1 (U+009B is an ESC [), and what turns the
 * direction of the text around. */
static bool
is_obeyed(uint32_t c)
{
	return c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void
tame(char *s)
{
	uint32_t code = 0;

	while (*s != '\0') {
		size_t n = character((unsigned char *)s, &code);

		if (n == 0 || is_obeyed(code))
			memset(s, '?', n > 0 ? n : 1);
		s += n > 0 ? n : 1;
	}
}

void
say_catch(char *out, size_t size)
{
	caught = out;
	caught_size = size;
}

static int
complain(int status, int error, const char *fmt, va_list ap)
{
	char   text[2048];
	size_t n;

	vsnprintf(text, sizeof(text), fmt, ap);
	n = strlen(text);
	if (error != 0)
		snprintf(text + n, sizeof(text) - n, ": %s", strerror(error));
	tame(text);
	if (caught != NULL) {
		snprintf(caught, caught_size, "%s", text);
		return status;
	}
	fflush(stdout);
	fprintf(stderr, "dpctl: %s\n", text);
	if (say_json) {
		json_t *row = json_pack("{s:s%, s:i}", "error", text, strlen(text),
		    "status", status);

		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(row);
	}
	return status;
}

int
fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(EX_FAILED, 0, fmt, ap);
	va_end(ap);
	return EX_FAILED;
}

int
fail_with(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(status, 0, fmt, ap);
	va_end(ap);
	return status;
}

int
fail_errno(int error, const char *fmt, ...)
{
	int	status = error == EACCES || error == EPERM ? EX_NOT_PERMITTED :
		EX_FAILED;
	va_list ap;

	va_start(ap, fmt);
	complain(status, error, fmt, ap);
	va_end(ap);
	return status;
}

void
warn_line(const char *fmt, ...)
{
	char	text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tame(text);
	fflush(stdout);
	fprintf(stderr, "dpctl: warning: %s\n", text);
}

void
say(json_t *row, const char *fmt, ...)
{
	va_list ap;

	if (say_json) {
		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
		putchar('\n');
	}
	json_decref(row);
}

const char *
size_text(double bytes, char out[SIZE_TEXT])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	size_t			 u = 0;

	while (bytes >= 1024 && u < sizeof(unit) / sizeof(unit[0]) - 1) {
		bytes /= 1024;
		u++;
	}
	snprintf(out, SIZE_TEXT, u == 0 ? "%.0f %s" : "%.1f %s", bytes, unit[u]);
	return out;
}

bool
use_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') &&
	    term != NULL && strcmp(term, "dumb") != 0;
}
