/*
 * dp-master/conf_set.c - a configuration with the sockets it asks for.
 *
 * Runs in the root half. Believes the administrator's files and nothing else;
 * every failure names file, line and key.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/master.h"
#include "common/listen.h"

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

/* Takes the socket that is open on this address already, or opens one. */
static int
open_listener(struct conf_set *c, const struct conf_set *keep, const char *key,
    unsigned readers, const char *address)
{
	struct listener *l = &c->listeners[c->nlisteners];
	int		 r = 0;

	snprintf(l->key, sizeof(l->key), "%s", key);
	snprintf(l->address, sizeof(l->address), "%s", address);
	l->readers = readers;
	l->fd = -1;
	for (size_t i = 0; keep != NULL && i < keep->nlisteners; i++)
		if (strcmp(keep->listeners[i].address, address) == 0)
			l->fd = fcntl(keep->listeners[i].fd, F_DUPFD_CLOEXEC, 3);
	if (l->fd >= 0 || (r = listen_tcp(address, &l->fd)) == 0)
		c->nlisteners++;
	return r;
}

int
conf_set_open(struct conf_set *c, const struct conf_set *keep,
    char err[CONF_ERR_MAX])
{
	const struct settings_section *sec;
	const struct conf_item	      *i;
	char   word[SETTINGS_LISTEN_LEN], key[64], why[CONF_ERR_MAX];
	size_t pos;
	int    r;

	for (sec = settings_sections; sec->name != NULL; sec++)
		for (i = sec->items; i->key != NULL; i++) {
			const char *list = (char *)&c->s + sec->offset +
			    i->offset;

			snprintf(key, sizeof(key), "%s.%s", sec->name, i->key);
			pos = 0;
			while (i->type == CONF_LISTEN &&
			    conf_word(list, &pos, word, sizeof(word)) == 1) {
				r = open_listener(c, keep, key, sec->readers, word);
				if (r == 0)
					continue;
				snprintf(why, sizeof(why), "cannot listen on %s: %s",
				    word, strerror(-r));
				return settings_blame(c->src, sec->name, i->key,
				    why, err);
			}
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
