/*
 * dpctl/files.c - files read with a bound, and written whole or not at all.
 *
 * Runs in dpctl. A file is written beside its place, synced and renamed: who
 * looks at any moment, a web server or a power cut, sees the old or the new.
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dpctl/dpctl.h"

int
path_join(char out[PATH_LEN], const char *dir, const char *fmt, ...)
{
	int	n = snprintf(out, PATH_LEN, "%s/", dir), m;
	va_list ap;

	if (n < 0 || n >= PATH_LEN)
		return fail("%.60s...: the path is too long", dir);
	va_start(ap, fmt);
	m = vsnprintf(out + n, (size_t)(PATH_LEN - n), fmt, ap);
	va_end(ap);
	if (m < 0 || m >= PATH_LEN - n)
		return fail("%.60s...: the path is too long", dir);
	return EX_DONE;
}

int
file_read(const char *path, size_t max, char **out, size_t *len)
{
	struct stat st;
	int	    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t	    size, n = 0;
	ssize_t	    got;
	char	   *buf;

	*out = NULL;
	*len = 0;
	if (fd < 0 || fstat(fd, &st) < 0) {
		int e = errno;

		if (fd >= 0)
			close(fd);
		return fail_errno(e, "%s", path);
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max) {
		close(fd);
		return !S_ISREG(st.st_mode) ? fail("%s: not a file", path) :
		    fail("%s: %lld bytes; at most %zu expected", path,
		    (long long)st.st_size, max);
	}
	size = (size_t)st.st_size;
	if ((buf = malloc(size + 1)) == NULL) {
		close(fd);
		return fail("out of memory");
	}
	while (n < size && (got = read(fd, buf + n, size - n)) != 0) {
		if (got < 0 && errno != EINTR) {
			int e = errno;

			free(buf);
			close(fd);
			return fail_errno(e, "%s: read", path);
		}
		n += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	buf[n] = '\0';
	*out = buf;
	*len = n;
	return EX_DONE;
}

static int
sync_dir_of(const char *path)
{
	char copy[PATH_LEN];
	int  fd, e = 0;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (fsync(fd) < 0)
		e = errno;
	close(fd);
	return e;
}

static int
write_whole(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) < 0 ? errno : 0;
}

static int
put(const char *path, mode_t mode, const void *bytes, size_t len, bool replace)
{
	char tmp[PATH_LEN + 8];
	int  fd, e;

	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path);
	if ((fd = mkostemp(tmp, O_CLOEXEC)) < 0)
		return fail_errno(errno, "%s: cannot write there", path);
	e = write_whole(fd, bytes, len);
	if (e == 0 && fchmod(fd, mode) < 0)
		e = errno;
	if (close(fd) < 0 && e == 0)
		e = errno;
	if (e == 0 && replace && rename(tmp, path) < 0)
		e = errno;
	if (e == 0 && !replace && link(tmp, path) < 0)
		e = errno;
	if (e != 0 || !replace)
		unlink(tmp);
	if (e == 0)
		e = sync_dir_of(path);
	return e == 0 ? EX_DONE : fail_errno(e, "%s", path);
}

int
file_write(const char *path, mode_t mode, const void *bytes, size_t len)
{
	return put(path, mode, bytes, len, true);
}

int
file_create(const char *path, mode_t mode, const void *bytes, size_t len)
{
	return put(path, mode, bytes, len, false);
}

int
dir_make(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0) {
		sync_dir_of(path);
		return EX_DONE;
	}
	if (errno != EEXIST)
		return fail_errno(errno, "%s: cannot make the directory", path);
	if (stat(path, &st) < 0)
		return fail_errno(errno, "%s", path);
	return S_ISDIR(st.st_mode) ? EX_DONE : fail("%s: not a directory", path);
}

int
dir_make_above(const char *path)
{
	char copy[PATH_LEN];
	int  r;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *s = strchr(copy + 1, '/'); s != NULL; s = strchr(s + 1, '/')) {
		*s = '\0';
		if ((r = dir_make(copy, 0755)) != EX_DONE)
			return r;
		*s = '/';
	}
	return EX_DONE;
}
