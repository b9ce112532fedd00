/*
 * common/spawn.c - a sandboxed program's process, from fork to exec.
 *
 * Runs in a root parent and, between fork and exec, in its child. The program
 * starts as root in namespaces of its own and gives everything up itself
 * (priv_drop, sandbox_enter). It is not tied to the parent by PR_SET_PDEATHSIG,
 * which a change of user clears: it leaves when descriptor 3 ends.
 * SPDX-License-Identifier: ISC
 */
#include "common/spawn.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

static const char *const kept_env[] = { "JOURNAL_STREAM",
#ifdef DPOINT_SANITIZED
	"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
#endif
};

static void
clean_environment(void)
{
	char	    text[256];
	char	   *keep[8] = { 0 };
	const char *v;
	size_t	    n = 0;

	for (size_t i = 0; i < sizeof(kept_env) / sizeof(*kept_env); i++)
		if ((v = getenv(kept_env[i])) != NULL &&
		    snprintf(text, sizeof(text), "%s=%s", kept_env[i], v) <
			(int)sizeof(text))
			keep[n++] = strdup(text);
	clearenv();
	while (n > 0)
		if (keep[--n] != NULL)
			putenv(keep[n]);
}

pid_t
spawn_fork(void)
{
	sigset_t all, old;
	pid_t	 pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	if ((pid = fork()) < 0)
		pid = -errno;
	else if (pid == 0) { /* the parent's handlers are not for us */
		for (int i = 1; i < NSIG; i++)
			(void)signal(i, SIG_DFL);
		sigemptyset(&old);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

static void
child(const char *path, int namespaces, int channel_fd)
{
	char *argv[] = { (char *)path, NULL };
	int   null;

	setsid();
	umask(027);
	if (namespaces != 0 && (unshare(namespaces) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		log_fatal(EXIT_TEMPORARY, "%s: namespaces: %s", path,
		    strerror(errno));
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0 ||
	    dup2(null, 0) < 0 || dup2(2, 1) < 0 || dup2(channel_fd, 3) < 0 ||
	    fcntl(3, F_SETFD, 0) < 0 || close_range(4, ~0U, 0) < 0)
		log_fatal(EXIT_TEMPORARY, "%s: descriptors: %s", path,
		    strerror(errno));
	clean_environment();
	execv(path, argv);
	log_fatal(errno == ENOENT || errno == EACCES ? EXIT_OPERATOR
						     : EXIT_TEMPORARY,
	    "cannot execute %s: %s", path, strerror(errno));
}

int
spawn(const char *path, int namespaces, int channel_fd, pid_t *pid, int *pidfd)
{
	int r;

	if ((*pid = spawn_fork()) < 0)
		return *pid;
	if (*pid == 0)
		child(path, namespaces, channel_fd);
	/* not reaped before we ask, so this names the right process */
	if ((*pidfd = pidfd_open(*pid, 0)) < 0) {
		r = -errno;
		kill(*pid, SIGKILL);
		(void)waitpid(*pid, NULL, 0);
		return r;
	}
	return 0;
}

int
peer_process(int fd, uid_t *uid, pid_t *pid, int *pidfd)
{
	struct ucred  cred;
	socklen_t     len = sizeof(cred);
	struct pollfd p = { .fd = fd };

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*uid = cred.uid;
	*pid = cred.pid;
	len = sizeof(*pidfd);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, pidfd, &len) == 0)
		return 0;
	if ((*pidfd = pidfd_open(cred.pid, 0)) < 0)
		return -errno;
	/* older kernels: still connected, so it had not ended before that */
	if (poll(&p, 1, 0) != 0) {
		close(*pidfd);
		return -ENOTCONN;
	}
	return 0;
}
