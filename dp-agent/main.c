/*
 * dp-agent/main.c - the network agent's parent: from the command line to the
 * end.
 *
 * Runs as root on a managed device. Parses its command line and agent.conf; of
 * its children only bounded messages, of the network nothing.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/agent.h"

#include "common/log.h"
#include "common/place.h"
#include "common/size.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF_FILE_DEFAULT "/etc/dpoint/agent.conf"
#define STOP_MS		  5000 /* from SIGTERM to SIGKILL of who runs */
#define ONCE_RETRY	  5    /* at most, seconds between rounds of --once */

static void
usage(FILE *f)
{
	fputs("usage: dp-agent [--config FILE] [--once [--wait TIME]] "
	      "[--verify]\n"
	      "       dp-agent [--config FILE] status [--json]\n"
	      "       dp-agent [--config FILE] --check-config | "
	      "--dump-config\n"
	      "  -c, --config FILE  default " CONF_FILE_DEFAULT "\n"
	      "  -1, --once         one round, then end\n"
	      "  -w, --wait TIME    with --once: further rounds until all is "
	      "in place,\n"
	      "                     for so long at most\n"
	      "  -r, --verify       hash again what is in place\n"
	      "  -t, --check-config say whether the configuration is good\n"
	      "  -d, --dump-config  print the values in force and where each "
	      "is given\n"
	      "  -j, --json         status as JSON\n"
	      "  -h, --help         this\n"
	      "  -V, --version      the version\n"
	      "Signals: SIGHUP reloads, SIGTERM and SIGINT end.\n"
	      "Exit: 0 all is verified and in place, 1 something is not, 2 a "
	      "hook failed,\n"
	      "      100 an operator must act, 111 try again.\n",
	    f);
}

struct args {
	const char *file, *wait;
	bool	    once, verify, json, status;
	int	    action; /* 't', 'd' or 0 */
};

static void
parse_args(struct args *a, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "once", no_argument, NULL, '1' },
		{ "wait", required_argument, NULL, 'w' },
		{ "verify", no_argument, NULL, 'r' },
		{ "check-config", no_argument, NULL, 't' },
		{ "dump-config", no_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c;

	a->file = CONF_FILE_DEFAULT;
	while ((c = getopt_long(argc, argv, "c:1w:rtdjhV", options, NULL)) != -1)
		switch (c) {
		case 'c':
			a->file = optarg;
			break;
		case '1':
			a->once = true;
			break;
		case 'w':
			a->wait = optarg;
			break;
		case 'r':
			a->verify = true;
			break;
		case 't':
		case 'd':
			a->action = c;
			break;
		case 'j':
			a->json = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'V':
			puts("dp-agent " DPOINT_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(EXIT_OPERATOR);
		}
	if (optind < argc && strcmp(argv[optind], "status") == 0) {
		a->status = true;
		optind++;
	}
	if (a->wait != NULL && !a->once) {
		log_err("--wait goes with --once");
		exit(EXIT_OPERATOR);
	}
	if (optind < argc || (a->json && !a->status)) {
		log_err("unexpected argument \"%s\"",
		    optind < argc ? argv[optind] : "--json");
		usage(stderr);
		exit(EXIT_OPERATOR);
	}
}

static void
take_conf(struct agent *a, const struct agent_conf *c)
{
	a->conf = *c;
	if (a->once && a->conf.interval > ONCE_RETRY)
		a->conf.interval = ONCE_RETRY;
	if (a->once) { /* nothing is waited for */
		a->conf.gateways[0] = a->conf.server[0] = '\0';
		a->conf.report_interval = 0;
	}
	agent_settings(&a->conf, &a->settings);
	settings_log_level(&a->settings);
}

/* --check-config, --dump-config and status end here. */
static void
act(const struct args *args, struct agent *a)
{
	struct settings_sources *src = NULL;
	struct agent_conf	 conf;
	char			 err[CONF_ERR_MAX];

	if (agent_conf_load(args->file, &conf, &src, err) < 0)
		log_fatal(EXIT_OPERATOR, "%s", err);
	if (args->action != 'd' && !args->status &&
	    agent_conf_files(&conf, err) < 0)
		log_fatal(EXIT_OPERATOR, "%s", err);
	if (args->action == 't')
		printf("%s: good\n", args->file);
	else if (args->action == 'd')
		settings_dump(&conf, src);
	settings_sources_free(&src);
	if (args->action != 0)
		exit(fflush(stdout) == 0 ? 0 : EXIT_TEMPORARY);
	if (args->status)
		exit(status_print(&conf, args->json));
	take_conf(a, &conf);
}

static void
find_users(const struct agent_conf *c)
{
	static const char *const names[] = { "agent", "connect" };

	if (geteuid() != 0) {
		log_warn("NOT ROOT: the children run as this user, without "
			 "namespaces of their own; for a developer's machine "
			 "only");
		return;
	}
	for (size_t i = 0; i < COUNT(names); i++)
		(void)place_user(c->user_prefix, names[i]);
}

static void
prepare(struct agent *a, bool verify)
{
	char lock[300];
	int  r;

	find_users(&a->conf);
	place_make_dir("agent.run-dir", a->conf.run_dir, 0755, 0);
	snprintf(lock, sizeof(lock), "%s/agent.lock", a->conf.run_dir);
	place_lock("agent.run-dir", lock, "dp-agent");
	if ((r = loop_new(&a->loop)) < 0)
		log_fatal(EXIT_TEMPORARY, "start: %s", strerror(-r));
	if ((r = keep_open(&a->keep, a->loop, a->conf.target_dir,
		 a->conf.state_dir)) < 0)
		exit(r == -ENOSPC || r == -ENOMEM ? EXIT_TEMPORARY
						  : EXIT_OPERATOR);
	if (verify)
		keep_doubt(a->keep);
	if (a->conf.hook[0] == '\0')
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* The children start anew with what is valid now; nothing placed is lost. */
static void
reload(struct agent *a)
{
	struct agent_conf next;
	char		  err[CONF_ERR_MAX];

	if (agent_conf_load(a->file, &next, NULL, err) < 0 ||
	    agent_conf_files(&next, err) < 0) {
		log_err("%s; the old configuration stays in force", err);
		return;
	}
	if (strcmp(next.target_dir, a->conf.target_dir) != 0 ||
	    strcmp(next.state_dir, a->conf.state_dir) != 0 ||
	    strcmp(next.run_dir, a->conf.run_dir) != 0) {
		log_err("target-dir, state-dir and run-dir need a restart to "
			"change; the old configuration stays in force");
		return;
	}
	take_conf(a, &next);
	log_info("configuration: reloaded");
	children_again(a);
}

static void
on_stop_timeout(void *ctx)
{
	children_kill(ctx);
	hook_kill(ctx, SIGKILL);
}

static struct loop_timer *stop_timer;

static void
on_signal(void *ctx, int signo)
{
	struct agent *a = ctx;

	if (signo == SIGHUP) {
		reload(a);
		return;
	}
	log_info("ending");
	a->stopping = true;
	if (a->once && !a->round_over)
		a->result = EXIT_TEMPORARY;
	hook_kill(a, SIGTERM);
	children_stop(a);
	loop_timer_set(stop_timer, STOP_MS);
	agent_maybe_end(a);
}

/* --wait 5m */
static uint64_t
wait_ms(const char *text)
{
	static const struct conf_item item = { "wait", CONF_SECONDS, 0, "0", 0,
		30 * 86400, "" };
	uint64_t seconds;
	char	 err[CONF_ERR_MAX];

	if (text == NULL)
		return 0;
	if (conf_set(&item, &seconds, text, err) < 0)
		log_fatal(EXIT_OPERATOR, "--wait: %s", err);
	return seconds * 1000;
}

int
main(int argc, char *argv[])
{
	static const int    signals[] = { SIGHUP, SIGTERM, SIGINT };
	static struct agent a;
	struct args	    args = { 0 };
	struct loop_signal *sig;
	int		    r = 0;

	log_init("dp-agent");
	parse_args(&args, argc, argv);
	a.file = args.file;
	a.once = args.once;
	act(&args, &a);
	prepare(&a, args.verify);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; r == 0 && i < COUNT(signals); i++)
		r = loop_signal_new(a.loop, signals[i], on_signal, &a, &sig);
	if (r < 0 || (r = hooks_init(&a)) < 0 || (r = children_init(&a)) < 0 ||
	    (r = loop_timer_new(a.loop, on_stop_timeout, &a, &stop_timer)) < 0)
		log_fatal(EXIT_TEMPORARY, "start: %s", strerror(-r));
	a.deadline_ms = loop_now_ms(a.loop) + wait_ms(args.wait);
	hooks_retry(&a);
	children_start(&a);
	r = loop_run(a.loop);
	keep_close(&a.keep);
	return r < 0 ? EXIT_TEMPORARY : r;
}
