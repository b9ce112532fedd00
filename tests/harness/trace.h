/*
 * tests/harness/trace.h - strace on one thread of a dp-store, faults and all.
 *
 * Threads by name: main (the loop), rows, bulk, inbox. What cannot be done ends
 * the test program with a line and exit 1.
 * SPDX-License-Identifier: ISC
 */
#ifndef TESTS_HARNESS_TRACE_H
#define TESTS_HARNESS_TRACE_H

#include <sys/types.h>

/* From now on, `strace -e EXPR -o FILE`; once. */
void trace_thread(pid_t pid, const char *thread, const char *file,
    const char *expr);
void trace_end(void); /* the traced process has ended: so does strace */

#endif
