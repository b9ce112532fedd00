/*
 * dpctl/main.c - the administrator's command; see commands.c for what it can.
 *
 * Runs as whoever calls it, with that user's rights.
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>

#include "dpctl/dpctl.h"

int
main(int argc, char *argv[])
{
	struct args a;
	bool	    help, version;
	int	    r = args_parse(&a, argc, argv, &help, &version);

	if (r == EX_DONE && version)
		say(json_pack("{s:s}", "version", DPOINT_VERSION), "dpctl %s",
		    DPOINT_VERSION);
	else if (r == EX_DONE && help && a.cmd != NULL)
		help_command(a.cmd);
	else if (r == EX_DONE && help)
		r = cmd_help(&a);
	else if (r == EX_DONE)
		r = a.cmd->fn(&a);
	if (fflush(stdout) != 0 && r == EX_DONE)
		r = fail("standard output: cannot write");
	args_fini(&a);
	return r;
}
