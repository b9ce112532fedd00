/*
 * dp-gateway/main.c - connection gateway; a table of contents.
 *
 * SPDX-License-Identifier: ISC
 */
#include "common/hash.h"
#include "common/json.h"
#include "common/log.h"
#include "dp-gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char *argv[])
{
	struct worker  *w;
	struct gateway *g;
	char		user[64];
	int		r;

	w = worker_start(PEER_GATEWAY, argc, argv);
	if (!worker_settings(w)->gateway.enable) /* systemd started us */
		log_fatal(EXIT_OPERATOR, "gateway.enable = no: not wanted");
	js_setup();
	if (hash_setup() < 0 || tls_setup() < 0)
		log_fatal(EXIT_TEMPORARY, "OpenSSL cannot be set up");
	g = gateway_open(w); /* certificates, listeners, channels */
	snprintf(user, sizeof(user), "%sgateway",
	    worker_settings(w)->master.user_prefix);
	priv_drop(user, NULL);
	sandbox_enter(&gateway_sandbox);
	r = gateway_run(g); /* until MSG_SHUTDOWN or the master is gone */
	gateway_close(&g);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
