/*
 * dpctl/commands.c - the table of all commands, and help.
 *
 * Runs in dpctl. help and the command line's checks come from the table; a test
 * compares the manual page and packaging/completion/dpctl with it.
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>

#include "common/size.h"
#include "dpctl/dpctl.h"

const struct option_row global_options[] = {
	{ "json", NULL, "one JSON object per line, for programs" },
	{ "socket", "PATH", "the admin socket (/run/dpoint/admin.sock)" },
	{ "help", NULL, "help, also of one command" },
	{ "version", NULL, "the version" },
	{ NULL, NULL, NULL },
};

const struct command commands[] = {
	/* name, arguments, min, max, fn, options, help */
	{ "status", "", 0, 0, cmd_admin, NULL, "whether all is well" },
	{ "workers", "", 0, 0, cmd_admin_list, NULL,
	    "the workers: state, process, restarts" },
	{ "events", "", 0, 0, cmd_admin_events, events_options,
	    "what happened, and with --follow what happens" },
	{ "top", "", 0, 0, cmd_top, top_options,
	    "what moves just now, each second; q ends" },
	{ "report", "", 0, 0, cmd_report, report_options,
	    "a picture of the last transfers and of the state, as one file" },
	{ "metrics", "", 0, 0, cmd_admin_metrics, NULL,
	    "all workers' metrics as Prometheus text" },
	{ "reload", "", 0, 0, cmd_admin, NULL, "read the configuration again" },
	{ "refresh", "[content|site]", 0, 1, cmd_admin, NULL,
	    "look for new content upstream now" },
	{ "content list", "[PREFIX]", 0, 1, cmd_admin_list, NULL,
	    "what the store holds" },
	{ "content fetch", "NAME", 1, 1, cmd_named, NULL, "fetch a target now" },
	{ "store status", "", 0, 0, cmd_admin, NULL,
	    "space, objects, partial downloads" },
	{ "store verify", "", 0, 0, cmd_admin, NULL,
	    "hash every object and check the index" },
	{ "store repair", "", 0, 0, cmd_admin, NULL,
	    "drop what store verify finds damaged" },
	{ "fetch status", "", 0, 0, cmd_admin_list, NULL,
	    "repositories, transfers, WAN budget" },
	{ "serve status", "", 0, 0, cmd_admin, NULL, "connections, requests, bytes" },
	{ "mcast list", "", 0, 0, cmd_mcast_list, mcast_options,
	    "what is being sent by multicast" },
	{ "mcast carousel", "", 0, 0, cmd_admin_list, NULL,
	    "what is repeated: metadata, policies, tasks" },
	{ "mcast stats", "", 0, 0, cmd_admin, NULL,
	    "bytes, reports and decisions for unicast" },
	{ "mcast send", "NAME", 1, 1, cmd_named, NULL,
	    "send a target to all devices now" },
	{ "mcast stop", "[NAME]", 0, 1, cmd_named, NULL,
	    "end a session, or all; receivers go on by unicast" },
	{ "inbox list", "[DEVICE]", 0, 1, cmd_admin_list, NULL,
	    "devices' reports that wait for the server" },
	{ "inbox stats", "", 0, 0, cmd_admin, NULL,
	    "how many wait, and what became of others" },
	{ "inbox flush", "", 0, 0, cmd_admin, NULL,
	    "try to forward them now" },
	{ "inbox retry", "DEVICE|all", 1, 1, cmd_admin, NULL,
	    "put what the server refused back into the queue" },
	{ "inbox drop", "DEVICE", 1, 1, cmd_admin, NULL,
	    "drop all of a device, and forget its sequence" },
	{ "directory status", "", 0, 0, cmd_admin, NULL,
	    "where the reading of the directory is" },
	{ "directory read", "", 0, 0, cmd_admin, NULL,
	    "read the directory's computers now" },
	{ "gateway list", "[ADDRESS]", 0, 1, cmd_admin_list, NULL,
	    "the connections that the gateway carries" },
	{ "gateway stats", "", 0, 0, cmd_admin, NULL,
	    "connections, bytes, refusals by reason, servers" },
	{ "gateway drain", "[off]", 0, 1, cmd_admin, NULL,
	    "take no new connections; off: take them again" },
	{ "gateway kick", "ID|ADDRESS|all", 1, 1, cmd_admin, NULL,
	    "end a connection, those of an address, or all" },
	{ "gateway wake", "DEVICE|group:NAME|all", 1, 1, cmd_admin, wake_options,
	    "wake devices on the push channel" },
	{ "scan status", "", 0, 0, cmd_admin, NULL,
	    "network polling: schedules, the last polls, interfaces" },
	{ "scan run", "[KIND] [RANGE]", 0, 2, cmd_scan_run, scan_run_options,
	    "poll the network now" },
	{ "scan devices", "", 0, 0, cmd_scan_devices, scan_devices_options,
	    "the devices of the network" },
	{ "scan show", "DEVICE", 1, 1, cmd_scan_show, NULL,
	    "all that is known of one, by number, address or name" },
	{ "scan export", "", 0, 0, cmd_scan_export, scan_export_options,
	    "all that is known of all, as JSON lines or CSV" },
	{ "config check", "", 0, 0, cmd_config_check, config_options,
	    "whether dpoint.conf is good" },
	{ "ca init", "DIR", 1, 1, cmd_ca_init, ca_init_options,
	    "make a certificate authority in DIR" },
	{ "ca issue", "DIR NAME", 2, 2, cmd_ca_issue, ca_issue_options,
	    "issue NAME.crt and NAME.key to a server, device or DP" },
	{ "ca revoke", "DIR SERIAL|FILE", 2, 2, cmd_ca_revoke, ca_revoke_options,
	    "revoke a certificate and rewrite DIR/ca.crl" },
	{ "ca list", "DIR", 1, 1, cmd_ca_list, NULL, "list what the CA issued" },
	{ "repo init", "DIR", 1, 1, cmd_repo_init, repo_init_options,
	    "make a signed repository in DIR, and its keys" },
	{ "repo delegate", "DIR ROLE", 2, 2, cmd_repo_delegate, repo_delegate_options,
	    "add a delegated role, with a key of its own" },
	{ "repo add", "DIR FILE...", 2, -1, cmd_repo_add, repo_add_options,
	    "add files; they are published by repo publish" },
	{ "repo remove", "DIR NAME...", 2, -1, cmd_repo_remove, NULL,
	    "take targets out with the next repo publish" },
	{ "repo publish", "DIR", 1, 1, cmd_repo_publish, repo_publish_options,
	    "sign what was added and removed, and renew what expires" },
	{ "repo rotate", "DIR ROLE", 2, 2, cmd_repo_rotate, repo_rotate_options,
	    "replace the keys of a role" },
	{ "repo sign", "DIR", 1, 1, cmd_repo_sign, repo_key_options,
	    "add signatures to a new root that waits for them" },
	{ "repo verify", "DIR", 1, 1, cmd_repo_verify, NULL,
	    "read all again as an agent would, and hash every file" },
	{ "repo list", "DIR", 1, 1, cmd_repo_list, NULL, "list the targets" },
	{ "help", "[COMMAND...]", 0, 2, cmd_help, NULL, "this list, or help of a command" },
};
const size_t ncommands = COUNT(commands);

static void
help_options(const struct option_row *o)
{
	for (; o != NULL && o->name != NULL; o++) {
		char left[48];

		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value != NULL ?
		    " " : "", o->value != NULL ? o->value : "");
		printf("  %-20s %s\n", left, o->help);
	}
}

void
help_command(const struct command *c)
{
	printf("usage: dpctl %s%s%s%s\n%s\n", c->name, c->options != NULL ?
	    " [options]" : "", *c->usage != '\0' ? " " : "", c->usage, c->help);
	help_options(c->options);
}

static void
help_all(void)
{
	char left[64];

	puts("usage: dpctl [options] COMMAND [arguments]\n");
	for (size_t i = 0; i < ncommands; i++) {
		snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].usage);
		if (strlen(left) > 28) { /* the help begins in its column */
			printf("  %s\n", left);
			left[0] = '\0';
		}
		printf("  %-28s %s\n", left, commands[i].help);
	}
	puts("");
	help_options(global_options);
	puts("\nExit status: 0 done, 1 failed, 2 wrong command line, 3 no answer at the"
	    " socket,\n4 not permitted, 5 switched off in the configuration.");
}

static void
help_json(void)
{
	for (size_t i = 0; i < ncommands; i++) {
		json_t *o = json_array();

		for (const struct option_row *r = commands[i].options;
		     r != NULL && r->name != NULL; r++)
			json_array_append_new(o, json_pack("{s:s, s:s?, s:s}", "name",
			    r->name, "value", r->value, "help", r->help));
		say(json_pack("{s:s, s:s, s:s, s:o}", "command", commands[i].name, "usage",
		    commands[i].usage, "help", commands[i].help, "options", o), "%s", "");
	}
}

int
cmd_help(struct args *a)
{
	char name[64];

	if (a->json && a->npos == 0) {
		help_json();
		return EX_DONE;
	}
	if (a->npos == 0) {
		help_all();
		return EX_DONE;
	}
	snprintf(name, sizeof(name), "%s%s%s", a->pos[0], a->npos > 1 ? " " : "",
	    a->npos > 1 ? a->pos[1] : "");
	for (size_t i = 0, found = 0; i <= ncommands; i++)
		if (i == ncommands) {
			if (found == 0)
				return usage_error("\"%s\": no such command; dpctl help"
				    " lists them", name);
		} else if (strcmp(commands[i].name, name) == 0 || (a->npos == 1 &&
		    strncmp(commands[i].name, name, strlen(name)) == 0 &&
		    commands[i].name[strlen(name)] == ' ')) {
			if (found++ > 0)
				puts("");
			help_command(&commands[i]);
		}
	return EX_DONE;
}
