/*
 * common/supply.c - see supply.h.
 *
 * Runs in the parents of the suite, as root: opens the administrator's files
 * and reads none of them.
 * SPDX-License-Identifier: ISC
 */
#include "common/supply.h"

#include "common/log.h"
#include "common/wr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int
supply_file(struct ipc *c, const char *section, const char *key,
    const char *path)
{
	char	  name[128];
	uint8_t	  buf[160];
	struct wr w = wr_to(buf, sizeof(buf));
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	snprintf(name, sizeof(name), "%s.%s", section, key);
	if (fd < 0) { /* was there when it was checked */
		log_err("%s: %s: %s", name, path, strerror(errno));
		return 0;
	}
	wr_str(&w, name);
	return ipc_send_fds(c, MSG_FILE, 0, buf, w.len, fd, -1);
}

int
supply_config(struct ipc *c, const struct settings *s, enum peer_role role)
{
	const struct settings_section *sec;
	int			       fd, r;

	if ((r = settings_to_memfd(settings_sections, s, role, &fd)) == 0)
		r = ipc_send_fds(c, MSG_CONFIG, 0, NULL, 0, fd, -1);
	for (sec = settings_sections; r == 0 && sec->name != NULL; sec++)
		for (const struct conf_item *i = sec->items;
		    r == 0 && i->key != NULL; i++) {
			const char *path = (const char *)s + sec->offset +
			    i->offset;

			if (sec->files == peer_role_kind(role) &&
			    i->type == CONF_FILE && path[0] != '\0')
				r = supply_file(c, sec->name, i->key, path);
		}
	return r;
}

int
supply_socket(struct ipc *c, const char *key, const char *address,
    int borrowed_fd)
{
	uint8_t	  buf[512];
	struct wr w = wr_to(buf, sizeof(buf));
	int	  fd = fcntl(borrowed_fd, F_DUPFD_CLOEXEC, 3);

	wr_str(&w, key);
	wr_str(&w, address);
	return fd < 0 ? -errno
		      : ipc_send_fds(c, MSG_SOCKET, 0, buf, w.len, fd, -1);
}

int
supply_start(struct ipc *c, enum peer_role role)
{
	uint8_t b = (uint8_t)role;

	return ipc_send(c, MSG_START, 0, &b, 1);
}
