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

	if (argc > 1 && strcmp(argv[1], "--read") == 0) { /* no worker */
		if (argc == 3)
			return show_file(argv[2]);
		fputs("dp-listen: --read: expected one FILE\n", stderr);
		return EXIT_OPERATOR;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		puts("usage: dp-listen --read FILE\n"
		     "Shows what a capture file (pcap, pcapng) says, a JSON object a "
		     "line.\nExit: 0 the whole file was read, 1 it was not.\n\nOr:");
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
