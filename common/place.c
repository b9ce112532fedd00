/*
 * common/place.c - see place.h.
 *
 * Runs in the parents of the suite, as root. Believes the administrator's
 * paths; a symbolic link in the last place is refused.
 * SPDX-License-Identifier: ISC
 */
#include "common/place.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

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
