/*
 * dp-ldap/main.c - reads the computers of a directory; a table of contents.
 *
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "dp-ldap/directory.h"

#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char *argv[])
{
	struct worker	 *w;
	struct directory *d;
	char		  user[64];
	int		  r;

	w = worker_start(PEER_LDAP, argc, argv);
	if (!settings_wants(worker_settings(w), PEER_LDAP)) /* systemd started us */
		log_fatal(EXIT_OPERATOR,
		    "scan.enable = no or directory.url is empty: not wanted");
	if (tls_setup() < 0)
		log_fatal(EXIT_TEMPORARY, "OpenSSL cannot be set up");
	d = directory_open(w); /* certificates, password, channels */
	snprintf(user, sizeof(user), "%sldap",
	    worker_settings(w)->master.user_prefix);
	priv_drop(user, NULL);
	sandbox_enter(&ldap_sandbox);
	r = directory_run(d); /* until MSG_SHUTDOWN or the master is gone */
	directory_close(&d);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
