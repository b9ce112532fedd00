/*
 * tests/harness/trace.c - see trace.h.
 *
 * Runs in test programs only.
 * SPDX-License-Identifier: ISC
 */
#include "tests/harness/trace.h"

#include <dirent.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t tracer;

/* Threads in the order they were started, which is the kernel's own and not that of
 * their numbers, since those begin again: the loop, rows, bulk. */
static pid_t
thread_of(pid_t pid, const char *name)
{
	static const char *const names[] = { "main", "rows", "bulk",
		"inbox" };
	char			 path[64];
	struct dirent	       **e;
	int			 n, k = 0, tid[16], at = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	n = scandir(path, &e, NULL, NULL);
	for (int i = 0; i < n; i++) {
		if (e[i]->d_name[0] != '.' && k < 16)
			tid[k++] = atoi(e[i]->d_name);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
	while (at < 4 && strcmp(names[at], name) != 0)
		at++;
	if (at >= k)
		errx(1, "no thread %s", name);
	return tid[at];
}

static bool
is_traced(pid_t tid)
{
	char  path[64], line[128];
	FILE *f;
	int   by = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	if ((f = fopen(path, "r")) == NULL)
		return true; /* gone already */
	while (fgets(line, sizeof(line), f) != NULL) {
		(void)sscanf(line, "TracerPid: %d", &by);
		if (strncmp(line, "State:\tZ", 8) == 0)
			by = 1; /* hit already */
	}
	fclose(f);
	return by != 0;
}

void
trace_thread(pid_t pid, const char *thread, const char *file, const char *expr)
{
	pid_t tid = thread_of(pid, thread);
	char  num[16];

	snprintf(num, sizeof(num), "%d", (int)tid);
	if ((tracer = fork()) < 0)
		err(1, "fork");
	if (tracer == 0) {
		execlp("strace", "strace", "-q", "-y", "-p", num, "-o", file,
		    "-e", expr, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; !is_traced(tid); i++) {
		if (i > 60000)
			errx(1, "strace does not attach");
		usleep(1000);
	}
}

void
trace_end(void)
{
	int status;

	if (tracer > 0)
		waitpid(tracer, &status, 0);
}
