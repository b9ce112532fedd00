/*
 * dp-listen/main.c - parses what the network says; a table of contents.
 *
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "dp-listen/listen.h"
#include "dp-listen/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char *argv[])
{
	struct worker *w;
	struct listen *l;
	char	       user[64];
	int	       r;

	if (argc == 3 && strcmp(argv[1], "--read") == 0)
		return show_file(argv[2]); /* an administrator's; no worker */
	w = worker_start(PEER_LISTEN, argc, argv);
	if (!settings_wants(worker_settings(w), PEER_LISTEN)) /* systemd started us */
		log_fatal(EXIT_OPERATOR, "scan.enable = no: not wanted");
	l = listen_open(w); /* sockets, channels */
	snprintf(user, sizeof(user), "%slisten",
	    worker_settings(w)->master.user_prefix);
	priv_drop(user, NULL);
	sandbox_enter(&listen_sandbox);
	r = listen_run(l); /* until MSG_SHUTDOWN or the master is gone */
	listen_close(&l);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
