/*
 * dp-mcast/main.c - multicast sender; a table of contents.
 *
 * SPDX-License-Identifier: ISC
 */
#include "common/hash.h"
#include "common/json.h"
#include "common/log.h"
#include "dp-mcast/mcast.h"

#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char *argv[])
{
	struct worker *w;
	struct mcast  *m;
	char	       user[64];
	int	       r;

	w = worker_start(PEER_MCAST, argc, argv);
	if (!worker_settings(w)->multicast.enable) /* systemd started us */
		log_fatal(EXIT_OPERATOR, "multicast.enable = no: not wanted");
	if (hash_setup() < 0 || mcast_seal_setup() < 0)
		log_fatal(EXIT_TEMPORARY, "OpenSSL cannot be set up");
	js_setup();
	m = mcast_open(w); /* sockets of the groups, channels */
	snprintf(user, sizeof(user), "%smcast",
	    worker_settings(w)->master.user_prefix);
	priv_drop(user, NULL);
	sandbox_enter(&mcast_sandbox);
	r = mcast_run(m); /* until MSG_SHUTDOWN or the master is gone */
	mcast_close(&m);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
