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

static bool say_json;

void
say_init(bool json)
{
	say_json = json;
}

void
tame(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			*s = '?';
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
