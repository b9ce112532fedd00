/*
 * dp-agent/hook.c - runs the administrator's program after a file was placed.
 *
 * Runs in the parent. One hook at a time, in the order of placing, in a
 * process group of its own, with a clean environment and a time limit. Words
 * of the repository reach it as environment variables only.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/agent.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void start_next(struct agent *a);

static void
child(const struct agent *a, const struct hook_run *h)
{
	char	 path[1400], full[1700], kind[80], version[150], sha[100], dir[300], hex[HASH_HEX];
	char	*argv[] = { (char *)a->conf.hook, NULL };
	char	*envp[] = { path, full, kind, version, sha, dir,
		   (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	sigset_t none;
	int	 fd;

	hash_to_hex(&h->hash, hex);
	snprintf(path, sizeof(path), "DP_TARGET=%s", h->path);
	snprintf(full, sizeof(full), "DP_PATH=%s/%s", a->conf.target_dir,
	    h->path);
	snprintf(kind, sizeof(kind), "DP_KIND=%s", h->kind);
	snprintf(version, sizeof(version), "DP_VERSION=%s", h->version);
	snprintf(sha, sizeof(sha), "DP_SHA256=%s", hex);
	snprintf(dir, sizeof(dir), "DP_DIR=%s", a->conf.target_dir);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	setsid();
	if ((fd = open("/dev/null", O_RDWR)) >= 0)
		dup2(fd, 0);
	dup2(2, 1);
	close_range(3, ~0U, 0);
	if (chdir(a->conf.target_dir) == 0)
		execve(a->conf.hook, argv, envp);
	log_err_err(-errno, "hook %s", a->conf.hook);
	_exit(127);
}

static void
on_exit_of(void *ctx, int events)
{
	struct agent	*a = ctx;
	struct hook_run *h = a->hooks;
	siginfo_t	 si = { 0 };

	(void)events;
	if (waitid(P_PID, (id_t)a->hook_pid, &si, WEXITED | WNOHANG) < 0 ||
	    si.si_pid == 0)
		return;
	loop_timer_stop(a->hook_timer);
	loop_io_free(&a->hook_watch);
	close(a->hook_fd);
	a->hook_fd = -1;
	if (si.si_code == CLD_EXITED && si.si_status == 0)
		log_info("hook for %s: done", h->path);
	else {
		a->hooks_failed++;
		log_warn("hook for %s: %s %d", h->path,
		    si.si_code == CLD_EXITED ? "exit status" : "signal",
		    si.si_status);
	}
	if ((a->hooks = h->next) == NULL)
		a->hooks_tail = &a->hooks;
	free(h);
	start_next(a);
	agent_maybe_end(a);
}

static void
on_timeout(void *ctx)
{
	struct agent *a = ctx;

	log_warn("hook for %s: not done in %llu s, killed", a->hooks->path,
	    (unsigned long long)a->conf.hook_timeout);
	kill(-a->hook_pid, SIGKILL); /* its session, and so its children */
}

static void
start_next(struct agent *a)
{
	struct hook_run *h;

	while (a->hook_fd < 0 && (h = a->hooks) != NULL) {
		a->hook_pid = fork();
		if (a->hook_pid == 0)
			child(a, h);
		if (a->hook_pid > 0)
			a->hook_fd = pidfd_open(a->hook_pid, 0);
		if (a->hook_fd >= 0 &&
		    loop_io_new(a->loop, a->hook_fd, LOOP_READ, on_exit_of, a,
			&a->hook_watch) == 0) {
			loop_timer_set(a->hook_timer,
			    a->conf.hook_timeout * 1000);
			return;
		}
		log_warn_err(-errno, "hook for %s: not run", h->path);
		a->hooks_failed++;
		if ((a->hooks = h->next) == NULL)
			a->hooks_tail = &a->hooks;
		free(h);
	}
}

int
hooks_init(struct agent *a)
{
	a->hook_fd = -1;
	a->hooks_tail = &a->hooks;
	return loop_timer_new(a->loop, on_timeout, a, &a->hook_timer);
}

void
hook_add(struct agent *a, const struct hash *hash, const char *path,
    const char *kind, const char *version)
{
	struct hook_run *h;

	if (a->conf.hook[0] == '\0')
		return;
	if ((h = calloc(1, sizeof(*h))) == NULL) {
		a->hooks_failed++;
		log_warn("hook for %s: no memory", path);
		return;
	}
	h->hash = *hash;
	snprintf(h->path, sizeof(h->path), "%s", path);
	snprintf(h->kind, sizeof(h->kind), "%s", kind);
	snprintf(h->version, sizeof(h->version), "%s", version);
	*a->hooks_tail = h;
	a->hooks_tail = &h->next;
	start_next(a);
}

bool
hooks_busy(const struct agent *a)
{
	return a->hooks != NULL;
}

void
hooks_kill(struct agent *a)
{
	if (a->hook_fd >= 0)
		kill(-a->hook_pid, SIGTERM);
}
