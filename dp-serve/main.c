/*
 * dp-serve/main.c - HTTP and HTTPS content server; a table of contents.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/hash.h"
#include "common/log.h"
#include "common/tls.h"
#include "dp-serve/serve.h"

int
main(int argc, char *argv[])
{
	struct worker *w;
	struct serve  *s;
	char	       user[64];
	int	       r;

	w = worker_start(PEER_SERVE, argc, argv);
	if (hash_setup() < 0 || tls_setup() < 0)
		log_fatal(EXIT_TEMPORARY, "OpenSSL cannot be set up");
	s = serve_open(w); /* certificates, listeners, channels */
	snprintf(user, sizeof(user), "%sserve",
	    worker_settings(w)->master.user_prefix);
	priv_drop(user, NULL);
	sandbox_enter(&serve_sandbox);
	r = serve_run(s); /* until MSG_SHUTDOWN or the master is gone */
	serve_close(&s);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
