/*
 * common/log.h - one line to the operator.
 *
 * Lines go to standard error: "dp-fetch: warning: text", or with the syslog
 * priority "<4>" before the text where journald reads it (JOURNAL_STREAM).
 * Levels answer "who acts?": err operator now, warn operator later, info a
 * state change worth a line a day, debug developers. Text begins with its
 * subject. Control bytes are replaced, a line is at most 1,000 bytes.
 * The *_err forms append the text of a negative errno.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* name is kept, not copied. Until log_init the name is "dpoint". */
void log_init(const char *name);
void log_set_level(enum log_level level);

#define LOG_PRINTF(f, a) __attribute__((format(printf, f, a)))
void log_err(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_warn(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_info(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_debug(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_err_err(int r, const char *fmt, ...) LOG_PRINTF(2, 3);
void log_warn_err(int r, const char *fmt, ...) LOG_PRINTF(2, 3);

/*
 * Start-up failures: one line, then exit. EXIT_OPERATOR (100) means that a
 * human must act and a restart is useless, EXIT_TEMPORARY (111) try later.
 */
#define EXIT_OPERATOR  100
#define EXIT_TEMPORARY 111
void log_fatal(int status, const char *fmt, ...) LOG_PRINTF(2, 3)
    __attribute__((noreturn));

#endif
