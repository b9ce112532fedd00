/*
 * dp-master/spawn.c - a worker's process, from fork to exec.
 *
 * Runs in the root half and, between fork and exec, in the child. The worker
 * starts as root in namespaces of its own and gives everything up itself
 * (priv_drop, sandbox_enter). It is not tied to us by PR_SET_PDEATHSIG, which
 * a change of user clears: it leaves when descriptor 3 ends.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/master.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const kept_env[] = { "JOURNAL_STREAM",
#ifdef DPOINT_SANITIZED
	"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
#endif
};

static void
enter_namespaces(enum peer_role role)
{
	int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;

	if (role != PEER_CONNECT) /* it resolves and connects; nobody else */
		flags |= CLONE_NEWNET;
	if (unshare(flags) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		log_fatal(EXIT_TEMPORARY, "worker %s: namespaces: %s",
		    peer_role_name(role), strerror(errno));
}

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

static void
child(const struct master *m, enum peer_role role, int channel_fd)
{
	char	 path[512];
	char	*argv[] = { path, NULL };
	sigset_t none;
	int	 null;

	snprintf(path, sizeof(path), "%s/dp-%s", m->conf->s.master.libexec,
	    peer_role_name(role));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	umask(027);
	if (m->is_root)
		enter_namespaces(role);
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0 ||
	    dup2(null, 0) < 0 || dup2(2, 1) < 0 || dup2(channel_fd, 3) < 0 ||
	    fcntl(3, F_SETFD, 0) < 0 || close_range(4, ~0U, 0) < 0)
		log_fatal(EXIT_TEMPORARY, "worker %s: descriptors: %s",
		    peer_role_name(role), strerror(errno));
	clean_environment();
	execv(path, argv);
	log_fatal(errno == ENOENT || errno == EACCES ? EXIT_OPERATOR
						     : EXIT_TEMPORARY,
	    "master.libexec: cannot execute %s: %s", path, strerror(errno));
}

int
spawn_worker(const struct master *m, enum peer_role role, int channel_fd,
    pid_t *pid, int *pidfd)
{
	if ((*pid = fork()) < 0)
		return -errno;
	if (*pid == 0)
		child(m, role, channel_fd);
	/* not reaped before we ask, so this names the right process */
	if ((*pidfd = pidfd_open(*pid, 0)) < 0) {
		int r = -errno;

		kill(*pid, SIGKILL);
		return r;
	}
	return 0;
}
