/*
 * common/place.c - see place.h.
 *
 * Runs in the parents of the suite, as root, and in workers that are about to
 * drop root. Believes the administrator's
 * paths; a symbolic link in the last place is refused.
 * SPDX-License-Identifier: ISC
 */
#include "common/place.h"

#include "common/listen.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const struct passwd *
place_user(const char *prefix, const char *name)
{
	const struct passwd *pw;
	char		     user[128];

	snprintf(user, sizeof(user), "%s%s", prefix, name);
	if ((pw = getpwnam(user)) == NULL)
		log_fatal(EXIT_OPERATOR, "user %s does not exist; "
		    "systemd-sysusers dpoint.conf creates it", user);
	if (pw->pw_uid == 0)
		log_fatal(EXIT_OPERATOR,
		    "user %s is root: a worker must not be", user);
	return pw;
}

void
place_make_dir(const char *key, const char *path, mode_t mode, uid_t owner)
{
	char	    part[4096];
	struct stat st;
	int	    fd;

	for (size_t i = 1; i < sizeof(part) && path[i] != '\0'; i++)
		if (path[i] == '/') {
			memcpy(part, path, i);
			part[i] = '\0';
			if (mkdir(part, 0755) < 0 && errno != EEXIST)
				log_fatal(EXIT_OPERATOR, "%s: %s: %s", key,
				    part, strerror(errno));
		}
	if ((mkdir(path, mode) < 0 && errno != EEXIST) ||
	    (fd = open(path,
		 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		log_fatal(EXIT_OPERATOR, "%s: %s: %s", key, path,
		    strerror(errno));
	if (fstat(fd, &st) < 0 ||
	    ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0) ||
	    (geteuid() == 0 && st.st_uid != owner &&
		fchown(fd, owner, (gid_t)-1) < 0))
		log_fatal(EXIT_OPERATOR, "%s: %s: owner or mode: %s", key, path,
		    strerror(errno));
	close(fd);
}

void
place_lock(const char *key, const char *path, const char *program)
{
	char pid[24];
	int  fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		log_fatal(EXIT_OPERATOR, "%s: %s: %s", key, path,
		    strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		log_fatal(EXIT_OPERATOR, "%s: another %s holds %s", key,
		    program, path);
	snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || write(fd, pid, strlen(pid)) < 0)
		log_warn_err(-errno, "%s", path);
}

bool
place_is_locked(const char *path)
{
	unsigned long long inode;
	struct stat	   st;
	char		   line[160];
	bool		   is = false;
	FILE		  *f;

	if (stat(path, &st) < 0 || (f = fopen("/proc/locks", "re")) == NULL)
		return false;
	/* "1: FLOCK  ADVISORY  WRITE 123 00:19:1234 0 EOF" (proc_locks(5)) */
	while (!is && fgets(line, sizeof(line), f) != NULL)
		is = sscanf(line, "%*s FLOCK %*s WRITE %*s %*x:%*x:%llu",
			 &inode) == 1 && inode == st.st_ino;
	fclose(f);
	return is;
}

int
place_socket(const char *key, const char *dir, const char *name, int type)
{
	char path[300];
	int  fd, r;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((r = listen_unix(path, type, 0666, &fd)) < 0)
		log_fatal(EXIT_OPERATOR, "%s: %s: %s", key, path, strerror(-r));
	return fd;
}
