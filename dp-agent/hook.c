/*
 * dp-agent/hook.c - runs the administrator's program after a file was placed.
 *
 * Runs in the parent. One hook at a time, in the order of placing, in a
 * process group of its own, with a clean environment and a time limit. Words
 * of the repository reach it as environment variables only.
 *
 * state-dir/hooks/NAME, one small file a hook that is due, is written before the
 * file is placed and goes when the hook has succeeded: a crash or a failure
 * loses none, it runs again at the next start or round.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/agent.h"

#include "common/log.h"
#include "common/size.h"
#include "common/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void start_next(struct agent *a);
static void drop_first(struct agent *a);

static void
child(const struct agent *a, const struct hook_run *h)
{
	char	 path[1400], full[1700], kind[80], version[150], sha[100], dir[300], hex[HASH_HEX];
	char	*argv[] = { (char *)a->conf.hook, NULL };
	char	*envp[] = { path, full, kind, version, sha, dir,
		   (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	int	 fd;

	hash_to_hex(&h->hash, hex);
	snprintf(path, sizeof(path), "DP_TARGET=%s", h->path);
	snprintf(full, sizeof(full), "DP_PATH=%s/%s", a->conf.target_dir,
	    h->path);
	snprintf(kind, sizeof(kind), "DP_KIND=%s", h->kind);
	snprintf(version, sizeof(version), "DP_VERSION=%s", h->version);
	snprintf(sha, sizeof(sha), "DP_SHA256=%s", hex);
	snprintf(dir, sizeof(dir), "DP_DIR=%s", a->conf.target_dir);
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
	if (si.si_code == CLD_EXITED && si.si_status == 0) {
		log_info("hook for %s: done", h->path);
		hook_forget(a, h->path);
	} else {
		a->hooks_failed++;
		log_warn("hook for %s: %s %d", h->path,
		    si.si_code == CLD_EXITED ? "exit status" : "signal",
		    si.si_status);
	}
	drop_first(a);
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
drop_first(struct agent *a)
{
	struct hook_run *h = a->hooks;

	if ((a->hooks = h->next) == NULL)
		a->hooks_tail = &a->hooks;
	free(h);
}

static void
on_checked(void *ctx, int r)
{
	struct agent *a = ctx;

	a->hook_check = NULL;
	if (r == 1)
		a->hooks->checked = true;
	else { /* what it was for is not there */
		hook_forget(a, a->hooks->path);
		drop_first(a);
	}
	start_next(a);
	agent_maybe_end(a);
}

static int
run(struct agent *a, const struct hook_run *h)
{
	int r = 0;

	if ((a->hook_pid = spawn_fork()) < 0)
		return a->hook_pid;
	if (a->hook_pid == 0)
		child(a, h);
	if ((a->hook_fd = pidfd_open(a->hook_pid, 0)) < 0)
		r = -errno;
	else if ((r = loop_io_new(a->loop, a->hook_fd, LOOP_READ, on_exit_of, a,
		      &a->hook_watch)) < 0) {
		close(a->hook_fd);
		a->hook_fd = -1;
	}
	if (r < 0) { /* none runs that is not watched */
		kill(a->hook_pid, SIGKILL);
		waitpid(a->hook_pid, NULL, 0);
		return r;
	}
	return loop_timer_set(a->hook_timer, a->conf.hook_timeout * 1000);
}

static void
start_next(struct agent *a)
{
	struct hook_run *h;
	int		 r;

	while (a->hook_fd < 0 && a->hook_check == NULL && !a->stopping &&
	    (h = a->hooks) != NULL) {
		if (a->conf.hook[0] == '\0') /* a reload: it stays due */
			drop_first(a);
		else if (!h->checked) {
			r = keep_is(a->keep, h->path, &h->hash, on_checked, a,
			    &a->hook_check);
			if (r == -EINPROGRESS)
				return;
			hook_forget(a, h->path);
			drop_first(a);
		} else if ((r = run(a, h)) < 0) {
			log_warn_err(r, "hook for %s: not run", h->path);
			a->hooks_failed++;
			drop_first(a);
		}
	}
}

/* -- hooks that are due -- */

static void
note_name(const char *path, char out[HASH_HEX])
{
	struct hash h = { 0 };

	(void)hash_of(&h, path, strlen(path));
	hash_to_hex(&h, out);
}

int
hook_note(struct agent *a, const struct hash *hash, const char *path,
    const char *kind, const char *version)
{
	char name[HASH_HEX], tmp[HASH_HEX + 8], hex[HASH_HEX];
	int  fd, n, r = 0;

	if (a->conf.hook[0] == '\0')
		return 0;
	note_name(path, name);
	hash_to_hex(hash, hex);
	snprintf(tmp, sizeof(tmp), "%s.new", name);
	fd = openat(a->hooks_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = dprintf(fd, "%s\n%s\n%s\n%s\n", hex, path, kind, version);
	if (n < 0 || fsync(fd) < 0 ||
	    renameat(a->hooks_fd, tmp, a->hooks_fd, name) < 0)
		r = errno > 0 ? -errno : -EIO;
	close(fd);
	return r;
}

void
hook_forget(struct agent *a, const char *path)
{
	char name[HASH_HEX];

	note_name(path, name);
	unlinkat(a->hooks_fd, name, 0);
}

static bool
is_queued(const struct agent *a, const char *path)
{
	const struct hook_run *h = a->hooks;

	while (h != NULL && strcmp(h->path, path) != 0)
		h = h->next;
	return h != NULL;
}

static void
queue(struct agent *a, const struct hash *hash, const char *path,
    const char *kind, const char *version, bool checked)
{
	struct hook_run *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		a->hooks_failed++;
		log_warn("hook for %s: no memory", path);
		return;
	}
	h->checked = checked;
	h->hash = *hash;
	snprintf(h->path, sizeof(h->path), "%s", path);
	snprintf(h->kind, sizeof(h->kind), "%s", kind);
	snprintf(h->version, sizeof(h->version), "%s", version);
	*a->hooks_tail = h;
	a->hooks_tail = &h->next;
	start_next(a);
}

void
hook_add(struct agent *a, const struct hash *hash, const char *path,
    const char *kind, const char *version)
{
	if (a->conf.hook[0] != '\0')
		queue(a, hash, path, kind, version, true);
}

static void
retry(struct agent *a, const char *name)
{
	char	    buf[KEEP_PATH_LEN + 400], *line[4], *p = buf;
	struct hash h;
	ssize_t	    n;
	int	    fd = openat(a->hooks_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; i < COUNT(line); i++) {
		line[i] = p;
		p += strcspn(p, "\n");
		if (*p != '\0')
			*p++ = '\0';
	}
	if (hash_from_hex(&h, line[0], strlen(line[0])) < 0)
		unlinkat(a->hooks_fd, name, 0);
	else if (!is_queued(a, line[1]))
		queue(a, &h, line[1], line[2], line[3], false);
}

void
hooks_retry(struct agent *a)
{
	int	       fd = openat(a->hooks_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR	      *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL && fd >= 0)
		close(fd);
	while (d != NULL && a->conf.hook[0] != '\0' && (e = readdir(d)) != NULL)
		if (strlen(e->d_name) == HASH_HEX - 1)
			retry(a, e->d_name);
	if (d != NULL)
		closedir(d);
}

int
hooks_init(struct agent *a)
{
	char dir[300];

	snprintf(dir, sizeof(dir), "%s/hooks", a->conf.state_dir);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	a->hooks_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->hooks_fd < 0)
		return -errno;
	a->hook_fd = -1;
	a->hooks_tail = &a->hooks;
	return loop_timer_new(a->loop, on_timeout, a, &a->hook_timer);
}

bool
hooks_busy(const struct agent *a)
{
	return a->hooks != NULL;
}

bool
hook_runs(const struct agent *a)
{
	return a->hook_fd >= 0;
}

void
hook_kill(struct agent *a, int signo)
{
	if (a->hook_fd >= 0)
		kill(-a->hook_pid, signo);
}
