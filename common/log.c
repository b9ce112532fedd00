/*
 * common/log.c - one line to the operator; see log.h.
 *
 * Runs in every program, also behind the sandbox: one write(2) a line, no
 * allocation, no time stamp (the journal has its own).
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char    *log_name = "dpoint";
static enum log_level log_max = LOG_LEVEL_INFO;
static int	      log_journal;

void
log_init(const char *name)
{
	log_name = name;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

void
log_set_level(enum log_level level)
{
	log_max = level;
}

static void
log_line(enum log_level level, int r, const char *fmt, va_list ap)
{
	static const char *const word[] = { "error: ", "warning: ", "",
		"debug: " };
	static const int	 prio[] = { 3, 4, 6, 7 };
	char			 line[1024];
	size_t			 n = 0, text;

	if (level > log_max)
		return;
	if (log_journal)
		n += (size_t)snprintf(line, 8, "<%d>", prio[level]);
	n += (size_t)snprintf(line + n, 64, "%.40s: %s", log_name, word[level]);
	text = n;
	vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	n += strlen(line + n);
	if (r < 0 && n < sizeof(line) - 100) {
		snprintf(line + n, 99, ": %s", strerror(-r));
		n += strlen(line + n);
	}
	for (size_t i = text; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nobody listens: nothing better to do */
}

#define LOG_BODY(level, r)                                                     \
	va_list ap;                                                            \
	va_start(ap, fmt);                                                     \
	log_line(level, r, fmt, ap);                                           \
	va_end(ap)

void
log_err(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERR, 0);
}

void
log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN, 0);
}

void
log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_INFO, 0);
}

void
log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_DEBUG, 0);
}

void
log_err_err(int r, const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERR, r);
}

void
log_warn_err(int r, const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN, r);
}

void
log_fatal(int status, const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERR, 0);
	exit(status);
}
