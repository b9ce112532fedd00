/*
 * dp-master/listen.c - a configuration with all that it needs from root.
 *
 * Runs in the root half. Believes the administrator's files and nothing else;
 * every failure names file, line and key.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/master.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096

/* err: where the value stands, its name, and what is wrong with it */
static int
refuse(const struct conf_set *c, const struct settings_section *sec,
    const struct conf_item *item, char err[CONF_ERR_MAX], const char *fmt, ...)
{
	struct settings_source at = settings_source_of(c->src, sec->name,
	    item->key);
	char	text[CONF_ERR_MAX / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (at.line > 0)
		snprintf(err, CONF_ERR_MAX, "%s:%d: %s.%s: %s", at.file,
		    at.line, sec->name, item->key, text);
	else
		snprintf(err, CONF_ERR_MAX, "default of %s.%s: %s", sec->name,
		    item->key, text);
	return -EINVAL;
}

/* The file must be there and readable now; workers get it opened anew. */
static int
check_file(const char *path)
{
	struct stat st;
	int	    fd, r = 0;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -ENODEV;
	close(fd);
	return r;
}

/* "1.2.3.4:80" or "[::1]:80" */
static int
address_parse(const char *text, struct sockaddr_storage *ss, socklen_t *len)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *ai;
	char		 host[128];
	const char	*colon = strrchr(text, ':');
	size_t		 n;

	if (colon == NULL || (n = (size_t)(colon - text)) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		memmove(host, host + 1, n - 2);
		host[n - 2] = '\0';
		hints.ai_family = AF_INET6;
	} else
		hints.ai_family = AF_INET;
	if (getaddrinfo(host, colon + 1, &hints, &ai) != 0)
		return -EINVAL;
	memcpy(ss, ai->ai_addr, ai->ai_addrlen);
	*len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return 0;
}

static int
listen_tcp(const char *text, int *out)
{
	struct sockaddr_storage ss;
	socklen_t		len;
	int			fd, r, one = 1;

	*out = -1;
	if ((r = address_parse(text, &ss, &len)) < 0)
		return r;
	if ((fd = socket(ss.ss_family,
		 SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    (ss.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6,
		 IPV6_V6ONLY, &one, sizeof(one)) < 0) ||
	    bind(fd, (struct sockaddr *)&ss, len) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*out = fd;
	return 0;
}

/* A leftover of a run that ended badly is removed; we hold the lock. */
int
listen_unix(const char *path, int type, mode_t mode, int *out)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int		   fd, r;

	*out = -1;
	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, strlen(path) + 1);
	if ((fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return -errno;
	if ((unlink(path) < 0 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 ||
	    chmod(path, mode) < 0 || listen(fd, 128) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*out = fd;
	return 0;
}

static int
open_listener(struct conf_set *c, const struct conf_set *keep,
    const struct settings_section *sec, const struct conf_item *item,
    const char *address, char err[CONF_ERR_MAX])
{
	struct listener *l = &c->listeners[c->nlisteners];
	int		 r = 0;

	if (c->nlisteners == LISTEN_MAX)
		return refuse(c, sec, item, err,
		    "more than %d addresses in all", LISTEN_MAX);
	for (size_t i = 0; i < c->nlisteners; i++)
		if (strcmp(c->listeners[i].address, address) == 0)
			return refuse(c, sec, item, err,
			    "%s is given twice (also for %s)", address,
			    c->listeners[i].key);
	snprintf(l->key, sizeof(l->key), "%s.%s", sec->name, item->key);
	snprintf(l->address, sizeof(l->address), "%s", address);
	l->fd = -1;
	for (size_t i = 0; keep != NULL && i < keep->nlisteners; i++)
		if (strcmp(keep->listeners[i].address, address) == 0 &&
		    (l->fd = fcntl(keep->listeners[i].fd, F_DUPFD_CLOEXEC,
			 3)) < 0)
			r = -errno;
	if (r == 0 && l->fd < 0)
		r = listen_tcp(address, &l->fd);
	if (r < 0)
		return refuse(c, sec, item, err, "cannot listen on %s: %s",
		    address, strerror(-r));
	c->nlisteners++;
	return 0;
}

int
conf_set_load(const char *file, struct conf_set **out, char err[CONF_ERR_MAX])
{
	struct conf_set *c = calloc(1, sizeof(*c));
	int		 r = 0;

	*out = NULL;
	if (c == NULL) {
		snprintf(err, CONF_ERR_MAX, "out of memory");
		return -ENOMEM;
	}
	if ((r = settings_load(file, &c->s, &c->src, err)) < 0)
		conf_set_free(&c);
	for (const struct settings_section *sec = settings_sections;
	    r == 0 && sec->name != NULL; sec++)
		for (const struct conf_item *i = sec->items;
		    r == 0 && i->key != NULL; i++) {
			const char *path = (char *)&c->s + sec->offset +
			    i->offset;
			int e;

			if (i->type != CONF_FILE || path[0] == '\0' ||
			    (e = check_file(path)) == 0)
				continue;
			r = refuse(c, sec, i, err, "%s: %s", path,
			    e == -ENODEV ? "not a regular file" : strerror(-e));
			conf_set_free(&c);
		}
	*out = c;
	return r;
}

int
conf_set_open(struct conf_set *c, const struct conf_set *keep,
    char err[CONF_ERR_MAX])
{
	char   word[128];
	size_t pos;
	int    r;

	for (const struct settings_section *sec = settings_sections;
	    sec->name != NULL; sec++)
		for (const struct conf_item *i = sec->items; i->key != NULL;
		    i++) {
			const char *list = (char *)&c->s + sec->offset +
			    i->offset;

			pos = 0;
			while (i->type == CONF_LISTEN &&
			    conf_word(list, &pos, word, sizeof(word)) == 1)
				if ((r = open_listener(c, keep, sec, i, word,
					 err)) < 0)
					return r;
		}
	return 0;
}

void
conf_set_free(struct conf_set **cp)
{
	struct conf_set *c = *cp;

	if (c == NULL)
		return;
	for (size_t i = 0; i < c->nlisteners; i++)
		close(c->listeners[i].fd);
	settings_sources_free(&c->src);
	free(c);
	*cp = NULL;
}
