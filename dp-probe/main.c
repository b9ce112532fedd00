/*
 * dp-probe/main.c - asks the network; a table of contents.
 *
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "dp-probe/probe.h"

#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char *argv[])
{
	struct worker *w;
	struct probe *p;
	char	       user[64];
	int	       r;

	w = worker_start(PEER_PROBE, argc, argv);
	if (!settings_wants(worker_settings(w), PEER_PROBE)) /* systemd started us */
		log_fatal(EXIT_OPERATOR, "scan.enable or scan.active = no: not wanted");
	p = probe_open(w); /* sockets, channels */
	snprintf(user, sizeof(user), "%sprobe",
	    worker_settings(w)->master.user_prefix);
	priv_drop(user, NULL);
	sandbox_enter(&probe_sandbox);
	r = probe_run(p); /* until MSG_SHUTDOWN or the master is gone */
	probe_close(&p);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
