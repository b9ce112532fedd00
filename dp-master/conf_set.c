/*
 * dp-master/conf_set.c - a configuration with the sockets it asks for.
 *
 * Runs in the root half. Believes the administrator's files and nothing else;
 * every failure names file, line and key.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/master.h"
#include "common/listen.h"
#include "common/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
conf_set_load(const char *file, struct conf_set **out, char err[CONF_ERR_MAX])
{
	struct conf_set *c = calloc(1, sizeof(*c));
	int		 r = -ENOMEM;

	snprintf(err, CONF_ERR_MAX, "out of memory");
	if (c != NULL &&
	    ((r = settings_load(file, &c->s, &c->src, err)) < 0 ||
		(r = settings_check_files(&c->s, c->src, err)) < 0))
		conf_set_free(&c);
	*out = c;
	return r;
}

#define PATIENCE_MS 2000 /* with workers of a master that was killed */

struct opening {
	struct conf_set	      *c;
	const struct conf_set *keep;
	char		      *err;
	unsigned	       patience_ms;
};

/* On 0.0.0.0, say, where 127.0.0.1 is wanted. In a reload one of ours may have
 * it as well that a worker is just leaving. */
static bool
has_port(const struct conf_set *c, const char *text)
{
	for (size_t i = 0; i < c->nlisteners; i++) {
		const char *a = c->listeners[i].address, *port = strrchr(a, ':');

		if (port != NULL && (a[0] == '[') == (text[0] == '[') &&
		    strcmp(port, strrchr(text, ':')) == 0)
			return true;
	}
	return false;
}

/* Takes the one its readers have on this address already, or opens one. */
static int
open_socket(void *ctx, const struct settings_section *sec,
    const struct conf_item *item, const char *text, unsigned readers,
    unsigned nth)
{
	struct opening	*o = ctx;
	struct conf_set *c = o->c;
	struct listener *l = &c->listeners[c->nlisteners];
	char		 why[CONF_ERR_MAX];
	int		 r = 0;

	*l = (struct listener){ .readers = readers, .nth = nth, .fd = -1 };
	snprintf(l->key, sizeof(l->key), "%s.%s", sec->name, item->key);
	snprintf(l->address, sizeof(l->address), "%s", text);
	for (size_t i = 0; o->keep != NULL && i < o->keep->nlisteners; i++)
		if (strcmp(o->keep->listeners[i].address, text) == 0 &&
		    o->keep->listeners[i].readers == readers &&
		    o->keep->listeners[i].nth == nth)
			l->fd = fcntl(o->keep->listeners[i].fd,
			    F_DUPFD_CLOEXEC, 3);
	if (l->fd < 0)
		r = item->type == CONF_SWITCH ? packet_open(text, &l->fd)
		    : item->type == CONF_GROUPS ? listen_group(text, &l->fd)
						: listen_tcp(text,
						    o->keep != NULL || has_port(c, text),
						    &o->patience_ms, &l->fd);
	if (r < 0) {
		snprintf(why, sizeof(why), "cannot listen on %s: %s", text,
		    strerror(-r));
		return settings_blame(c->src, sec->name, item->key, why, o->err);
	}
	c->nlisteners++;
	return 0;
}

int
conf_set_open(struct conf_set *c, const struct conf_set *keep,
    char err[CONF_ERR_MAX])
{
	struct opening o = { c, keep, err, keep == NULL ? PATIENCE_MS : 0 };

	return settings_each_socket(&c->s, open_socket, &o);
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
