/*
 * common/notify.c - systemd's notify protocol; see notify.h.
 *
 * Runs in the parents of the suite. Believes NOTIFY_SOCKET, and takes it out of the
 * environment.
 * SPDX-License-Identifier: ISC
 */
#include "common/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_un where;
static socklen_t	  where_len;

void
notify_init(void)
{
	const char *p = getenv("NOTIFY_SOCKET");
	size_t	    n;

	if (p == NULL || (p[0] != '/' && p[0] != '@') ||
	    (n = strlen(p)) >= sizeof(where.sun_path))
		return;
	where.sun_family = AF_UNIX;
	memcpy(where.sun_path, p, n);
	if (p[0] == '@')
		where.sun_path[0] = '\0';
	where_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	unsetenv("NOTIFY_SOCKET");
}

void
notify_send(const char *text)
{
	int fd;

	if (where_len == 0 ||
	    (fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
		return;
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
	    (struct sockaddr *)&where, where_len);
	close(fd);
}

void
notify_reloading(void)
{
	struct timespec ts;
	char		text[64];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	notify_send(text);
}
