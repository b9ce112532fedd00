/*
 * dp-master/control.c - the control half's start; see control.h for its parts.
 *
 * Runs as its own user behind control_sandbox. Knows every worker's state,
 * pings them, keeps the events, and answers the admin socket.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/control.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "dp-master/control_sandbox.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static gid_t
find_group(const char *key, const char *name)
{
	const struct group *gr = name[0] != '\0' ? getgrnam(name) : NULL;

	if (gr == NULL)
		log_warn("%s: group \"%s\" does not exist: nobody is in it",
		    key, name);
	return gr != NULL ? gr->gr_gid : (gid_t)-1;
}

int
main(int argc, char *argv[])
{
	static struct control	  control;
	struct control		 *c = &control;
	const struct master_conf *conf;
	char			  user[64], path[300];

	c->w = worker_start(PEER_CONTROL, argc, argv);
	c->loop = worker_loop(c->w);
	conf = &worker_settings(c->w)->master;
	c->read_gid = find_group("master.admin-read-group",
	    conf->admin_read_group);
	c->change_gid = find_group("master.admin-change-group",
	    conf->admin_change_group);
	c->own_uid = geteuid();
	if ((c->listen_fd = worker_socket(c->w, "master.admin", 0, path,
		 sizeof(path))) < 0)
		log_fatal(EXIT_OPERATOR, "the master sent no admin socket");
	snprintf(user, sizeof(user), "%scontrol", conf->user_prefix);
	priv_drop(user, NULL);
	sandbox_enter(&control_sandbox);
	if (control_start(c) < 0 || admin_init(c) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	return worker_run(c->w, &control_ops, c) == 0 ? EXIT_SUCCESS
						      : EXIT_FAILURE;
}
