/*
 * dp-scan/main.c - keeper of the records of devices; a table of contents.
 *
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "dp-scan/scan.h"

#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char *argv[])
{
	struct worker *w;
	struct scan *s;
	char	       user[64];
	int	       r;

	w = worker_start(PEER_SCAN, argc, argv);
	if (!settings_wants(worker_settings(w), PEER_SCAN)) /* systemd started us */
		log_fatal(EXIT_OPERATOR, "scan.enable = no: not wanted");
	s = scan_open(w); /* sockets, channels */
	snprintf(user, sizeof(user), "%sscan",
	    worker_settings(w)->master.user_prefix);
	priv_drop(user, NULL);
	sandbox_enter(&scan_sandbox);
	r = scan_run(s); /* until MSG_SHUTDOWN or the master is gone */
	scan_close(&s);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
