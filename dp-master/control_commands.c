/*
 * dp-master/control_commands.c - every word of the admin socket: who answers
 * it, who may ask, and its line of help. A word that is not in the table
 * reaches no worker.
 *
 * Runs in the control half. Believes no worker: rows are rebuilt from parsed
 * JSON, metric names and labels are checked.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/control.h"
#include "common/size.h"
#include "dp-master/merge.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX	    4000
#define WARNINGS_MAX	    100
#define DEADLINE_MS	    2000 /* then without who is silent */

struct command {
	const char    *name;
	enum peer_role role; /* who answers; PEER_CONTROL: fn */
	int	       min_args, max_args;
	bool	       changes;
	void (*fn)(struct request *q, int argc, char *argv[]);
	const char *args, *help;
};

static void cmd_help(struct request *q, int argc, char *argv[]);
static void cmd_status(struct request *q, int argc, char *argv[]);
static void ask_all(struct request *q, int argc, char *argv[]);
static void cmd_workers(struct request *q, int argc, char *argv[]);
static void cmd_events(struct request *q, int argc, char *argv[]);
static void cmd_metrics(struct request *q, int argc, char *argv[]);
static void cmd_reload(struct request *q, int argc, char *argv[]);

static const struct command commands[] = {
	/* name, who, args min max, changes, fn, arguments, help */
	{ "help", PEER_CONTROL, 0, 0, false, cmd_help, "",
	    "This list." },
	{ "status", PEER_CONTROL, 0, 0, false, cmd_status, "",
	    "Whether all is well, in one row." },
	{ "workers", PEER_CONTROL, 0, 0, false, cmd_workers, "",
	    "One row per worker: state, process, restarts." },
	{ "events", PEER_CONTROL, 0, 1, false, cmd_events, "[--follow]",
	    "The last 1,000 events, and those that come." },
	{ "metrics", PEER_CONTROL, 0, 0, false, cmd_metrics, "",
	    "All workers' metrics as Prometheus text." },
	{ "reload", PEER_CONTROL, 0, 0, true, cmd_reload, "",
	    "Reads the configuration again, as SIGHUP does." },
	{ "content-list", PEER_STORE, 0, 8, false, NULL, "[PREFIX]",
	    "What the store holds." },
	{ "store-status", PEER_STORE, 0, 8, false, NULL, "",
	    "Space, objects, partial downloads." },
	{ "store-verify", PEER_STORE, 0, 8, false, NULL, "",
	    "Hashes every object and checks the index." },
	{ "store-repair", PEER_STORE, 0, 8, true, NULL, "",
	    "Drops what store-verify finds damaged." },
	{ "fetch-status", PEER_FETCH, 0, 8, false, NULL, "",
	    "Repositories, transfers, budget." },
	{ "refresh", PEER_FETCH, 0, 8, true, NULL, "[content|site]",
	    "Refreshes the repositories now." },
	{ "content-fetch", PEER_FETCH, 1, 8, true, NULL, "NAME",
	    "Fetches a target now." },
	{ "serve-status", PEER_SERVE, 0, 8, false, NULL, "",
	    "Connections, requests, bytes." },
	{ "mcast-list", PEER_MCAST, 0, 8, false, NULL,
	    "[--receivers|--recent|--heat]",
	    "What is being sent, a session each." },
	{ "mcast-carousel", PEER_MCAST, 0, 8, false, NULL, "",
	    "What is repeated: metadata, policies, tasks." },
	{ "mcast-stats", PEER_MCAST, 0, 8, false, NULL, "",
	    "Bytes, reports and decisions since the start." },
	{ "mcast-send", PEER_MCAST, 1, 8, true, NULL, "NAME",
	    "Sends an object of the store now." },
	{ "mcast-stop", PEER_MCAST, 0, 8, true, NULL, "[NAME]",
	    "Ends a session, or all." },
	{ "inbox-list", PEER_STORE, 0, 8, false, NULL, "[DEVICE]",
	    "Devices' reports that wait for the server." },
	{ "inbox-stats", PEER_STORE, 0, 8, false, NULL, "",
	    "How many wait, and what became of others." },
	{ "inbox-flush", PEER_FETCH, 0, 8, true, NULL, "",
	    "Tries to forward them now." },
	{ "inbox-retry", PEER_STORE, 1, 8, true, NULL, "DEVICE|all",
	    "Puts what the server refused back into the queue." },
	{ "inbox-drop", PEER_STORE, 1, 8, true, NULL, "DEVICE",
	    "Drops all of a device, and forgets its sequence." },
	{ "directory-status", PEER_LDAP, 0, 8, false, NULL, "",
	    "Where the reading of the directory is." },
	{ "directory-read", PEER_LDAP, 0, 8, true, NULL, "",
	    "Reads it now." },
	{ "gateway-list", PEER_GATEWAY, 0, 8, false, NULL, "[ADDRESS]",
	    "The connections that the gateway carries." },
	{ "gateway-stats", PEER_GATEWAY, 0, 8, false, NULL, "",
	    "Connections, bytes, refusals by reason, servers." },
	{ "gateway-drain", PEER_GATEWAY, 0, 8, true, NULL, "[off]",
	    "Takes no new connections; off: takes them again." },
	{ "gateway-kick", PEER_GATEWAY, 1, 8, true, NULL, "ID|ADDRESS|all",
	    "Ends a connection, those of an address, or all." },
	{ "gateway-wake", PEER_GATEWAY, 1, 2, true, NULL,
	    "DEVICE|group:NAME|all [WHAT]",
	    "Wakes devices that wait on the push channel." },
	{ "scan-status", PEER_SCAN, 0, 0, false, NULL, "",
	    "Schedules, the last polls, interfaces." },
	{ "scan-run", PEER_SCAN, 0, 4, true, NULL, "[KIND] [RANGE] [--large]",
	    "Polls the network now." },
	{ "scan-devices", PEER_SCAN, 0, 2, false, NULL,
	    "[--new] [--without-agent]", "The devices of the network." },
	{ "scan-show", PEER_SCAN, 1, 1, false, NULL, "DEVICE",
	    "All that is known of one." },
	{ "scan-export", PEER_SCAN, 0, 2, false, NULL,
	    "[--new] [--without-agent]", "All that is known of all." },
};

struct sample {
	char  *name, *type, *help, *labels;
	double value;
};

struct metrics {
	struct sample *samples;
	size_t	       n;
};

static void
cmd_help(struct request *q, int argc, char *argv[])
{
	(void)argc;
	(void)argv;
	for (size_t i = 0; i < COUNT(commands); i++)
		request_row(q,
		    json_pack("{s:s,s:s,s:s,s:s,s:s}", "command",
			commands[i].name, "args", commands[i].args, "worker",
			peer_role_name(commands[i].role), "needs",
			commands[i].changes ? "change" : "read", "help",
			commands[i].help));
	request_end(q, NULL);
}

/* The workers' own warnings are here, too. */
static void
status_print(struct request *q)
{
	struct control *c = q->c;
	const char     *status = json_array_size(q->warnings) > 0 ? "warning"
								  : "ok";
	unsigned	ready = 0, off = 0, restarts = 0;

	for (int role = PEER_CONTROL; role < PEER_MAX; role++) {
		struct peer *p = &c->peers[role];

		restarts += p->restarts;
		if (p->state == WORKER_READY)
			ready++;
		else if (p->state == WORKER_OFF)
			off++;
		else if (p->state == WORKER_FAILED)
			status = "failed";
		else if (status[0] != 'f')
			status = "degraded";
	}
	request_row(q,
	    json_pack("{s:s,s:s,s:I,s:i,s:i,s:i,s:I,s:i}", "status", status,
		"version", DPOINT_VERSION, "uptime_s",
		(json_int_t)((loop_now_ms(c->loop) - c->started) / 1000),
		"workers_ready", (int)ready, "workers",
		PEER_MAX - PEER_CONTROL - (int)off, "restarts", (int)restarts, "events",
		(json_int_t)c->nevents, "warnings",
		(int)json_array_size(q->warnings)));
	for (size_t i = 0; i < json_array_size(q->warnings); i++)
		request_row(q, json_incref(json_array_get(q->warnings, i)));
	request_end(q, NULL);
}

static void
add_warning(struct request *q, enum peer_role from, const char *text)
{
	if (text != NULL && json_array_size(q->warnings) < WARNINGS_MAX)
		json_array_append_new(q->warnings,
		    json_pack("{s:s,s:s}", "worker", peer_role_name(from),
			"warning", text));
}

static void
cmd_status(struct request *q, int argc, char *argv[])
{
	char *ask[] = { "warnings" }, text[CONF_ERR_MAX + 64];

	(void)argc;
	(void)argv;
	if ((q->warnings = json_array()) == NULL) {
		request_end(q, "no memory");
		return;
	}
	if (q->c->reload_failed[0] != '\0') {
		snprintf(text, sizeof(text), "the last reload failed: %s",
		    q->c->reload_failed);
		add_warning(q, PEER_CONTROL, text);
	}
	ask_all(q, 1, ask);
}

static void
cmd_workers(struct request *q, int argc, char *argv[])
{
	(void)argc;
	(void)argv;
	for (int i = PEER_CONTROL; i < PEER_MAX; i++) {
		struct peer *p = &q->c->peers[i];

		if (p->state == WORKER_OFF && peer_role_kind(p->role) != p->role)
			continue; /* another gateway that nobody wants */
		request_row(q,
		    json_pack("{s:s,s:s,s:I,s:I,s:I}", "worker",
			peer_role_name(p->role), "state", state_names[p->state],
			"pid", (json_int_t)p->pid, "restarts",
			(json_int_t)p->restarts, "since_s",
			(json_int_t)((loop_now_ms(q->c->loop) - p->since) /
			    1000)));
	}
	request_end(q, NULL);
}

static void
cmd_events(struct request *q, int argc, char *argv[])
{
	struct control *c = q->c;
	uint64_t	i = c->nevents > EVENTS_MAX ? c->nevents - EVENTS_MAX : 0;

	if (argc == 2 && strcmp(argv[1], "--follow") != 0) {
		request_end(q, "usage: events [--follow]");
		return;
	}
	for (; i < c->nevents; i++)
		request_row(q, json_loads(c->events[i % EVENTS_MAX], 0, NULL));
	if (argc == 2)
		q->follows = true;
	else
		request_end(q, NULL);
}

static void
cmd_reload(struct request *q, int argc, char *argv[])
{
	(void)argc;
	(void)argv;
	q->reloads = true;
	if (ipc_send(worker_master(q->c->w), MSG_RELOAD, q->id, NULL, 0) < 0)
		request_end(q, "the master takes no message");
}

/* -- metrics -- */

static void
sample_fini(struct sample *s)
{
	free(s->name);
	free(s->type);
	free(s->help);
	free(s->labels);
}

void
metrics_free(struct metrics **mp)
{
	struct metrics *m = *mp;

	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++)
		sample_fini(&m->samples[i]);
	free(m->samples);
	free(m);
	*mp = NULL;
}

static bool
is_name(const char *s)
{
	if (s == NULL || !(isalpha((unsigned char)*s) || *s == '_'))
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

static bool
is_line(const char *s)
{
	for (; s != NULL && *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return false;
	return true;
}

static void
metrics_add(struct metrics *m, bool of_many, const char *name, const char *type,
    const char *help, const char *labels, double value)
{
	struct sample *bigger;

	for (size_t i = 0; of_many && name != NULL && i < m->n; i++)
		if (strcmp(m->samples[i].name, name) == 0 &&
		    strcmp(m->samples[i].labels != NULL ? m->samples[i].labels
							: "",
			labels != NULL ? labels : "") == 0) {
			m->samples[i].value = merge_sample(name,
			    m->samples[i].value, value);
			return;
		}

	if (!is_name(name) || !is_line(help) || !is_line(labels) ||
	    (type != NULL && strcmp(type, "gauge") != 0 &&
		strcmp(type, "counter") != 0) ||
	    m->n == SAMPLES_MAX ||
	    (bigger = reallocarray(m->samples, m->n + 1, sizeof(*bigger))) ==
		NULL)
		return;
	m->samples = bigger;
	m->samples[m->n] = (struct sample){ .name = strdup(name),
		.type = type != NULL ? strdup(type) : NULL,
		.help = help != NULL ? strdup(help) : NULL,
		.labels = labels != NULL ? strdup(labels) : NULL,
		.value = value };
	if (m->samples[m->n].name == NULL)
		sample_fini(&m->samples[m->n]);
	else
		m->n++;
}

static void
put_sample(struct request *q, const struct sample *s, bool first)
{
	char text[2048];

	if (first && s->type != NULL && s->help != NULL) {
		snprintf(text, sizeof(text), "# HELP %.200s %.500s\n# TYPE %.200s %s\n",
		    s->name, s->help, s->name, s->type);
		request_text(q, text);
	}
	snprintf(text, sizeof(text), "%.200s%s%.1000s%s %.*f\n", s->name,
	    s->labels != NULL ? "{" : "", s->labels != NULL ? s->labels : "",
	    s->labels != NULL ? "}" : "",
	    s->value == floor(s->value) ? 0 : 6, s->value);
	request_text(q, text);
}

/* All samples of a name stand together, as the format wants it. */
static void
metrics_print(struct request *q)
{
	struct metrics *m = q->metrics;

	for (size_t i = 0; i < m->n; i++) {
		bool first = true;

		if (q->json) {
			struct sample *s = &m->samples[i];

			request_row(q,
			    json_pack("{s:s,s:s?,s:f}", "name", s->name,
				"labels", s->labels, "value", s->value));
			continue;
		}
		for (size_t k = 0; k < i && first; k++)
			first = strcmp(m->samples[k].name,
				    m->samples[i].name) != 0;
		for (size_t k = i; first && k < m->n; k++)
			if (strcmp(m->samples[k].name, m->samples[i].name) == 0)
				put_sample(q, &m->samples[k], k == i);
	}
	request_end(q, NULL);
}

static void
own_metrics(struct control *c, struct metrics *m)
{
	char labels[64];

	for (int i = PEER_CONTROL; i < PEER_MAX; i++) {
		if (c->peers[i].state == WORKER_OFF &&
		    peer_role_kind(c->peers[i].role) != c->peers[i].role)
			continue;
		snprintf(labels, sizeof(labels), "worker=\"%s\"",
		    peer_role_name((enum peer_role)i));
		metrics_add(m, false, "dpoint_worker_ready", "gauge",
		    "Whether the worker serves.", labels,
		    c->peers[i].state == WORKER_READY);
		metrics_add(m, false, "dpoint_worker_restarts_total", "counter",
		    "Times the worker was started again.", labels,
		    c->peers[i].restarts);
	}
	metrics_add(m, false, "dpoint_events_total", "counter",
	    "Events since the control half started.", NULL,
	    (double)c->nevents);
	metrics_add(m, false, "dpoint_admin_connections", "gauge",
	    "Connections to the admin socket.", NULL, (double)c->nconns);
}

static void
cmd_metrics(struct request *q, int argc, char *argv[])
{
	if ((q->metrics = calloc(1, sizeof(*q->metrics))) == NULL) {
		request_end(q, "no memory");
		return;
	}
	own_metrics(q->c, q->metrics);
	ask_all(q, argc, argv);
}

/* -- answers of workers -- */

static void
all_answered(struct request *q)
{
	if (q->metrics != NULL)
		metrics_print(q);
	else
		status_print(q);
}

static void
on_deadline(void *ctx)
{
	struct request *q = ctx;

	for (int i = PEER_CONNECT; i < PEER_MAX; i++)
		if (q->warnings != NULL && (q->waits & 1U << i))
			add_warning(q, (enum peer_role)i, "does not answer");
	control_stop_answers(q);
	q->waits = 0;
	all_answered(q);
}

static void
ask_all(struct request *q, int argc, char *argv[])
{
	if (loop_timer_new(q->c->loop, on_deadline, q, &q->deadline) < 0) {
		request_end(q, "no memory");
		return;
	}
	for (int i = PEER_CONNECT; i < PEER_MAX; i++)
		(void)control_forward(q, (enum peer_role)i, argc, argv);
	if (q->waits == 0)
		all_answered(q);
	else
		loop_timer_set(q->deadline, DEADLINE_MS);
}

void
command_answer(struct request *q, enum peer_role from, json_t *take_row)
{
	if (q->warnings != NULL) {
		add_warning(q, from,
		    json_string_value(json_object_get(take_row, "warning")));
		json_decref(take_row);
		return;
	}
	if (q->metrics == NULL && peer_role_kind(from) == PEER_GATEWAY) {
		gateways_answer(q, take_row);
		return;
	}
	if (q->metrics == NULL) {
		request_row(q, take_row);
		return;
	}
	metrics_add(q->metrics, peer_role_kind(from) == PEER_GATEWAY,
	    json_string_value(json_object_get(take_row, "name")),
	    json_string_value(json_object_get(take_row, "type")),
	    json_string_value(json_object_get(take_row, "help")),
	    json_string_value(json_object_get(take_row, "labels")),
	    json_number_value(json_object_get(take_row, "value")));
	json_decref(take_row);
}

void
command_answered(struct request *q, enum peer_role from, const char *error)
{
	q->waits &= ~(1U << from);
	if (q->metrics == NULL && q->warnings == NULL &&
	    peer_role_kind(from) == PEER_GATEWAY) {
		gateways_answered(q, error);
		return;
	}
	if (q->waits != 0)
		return;
	if (q->metrics != NULL || q->warnings != NULL)
		all_answered(q);
	else
		request_end(q, error);
}

/* What an administrator calls what a worker does, and what turns it off. */
static const struct {
	enum peer_role role;
	const char    *function, *key;
} switches[] = {
	{ PEER_MCAST, "multicast", "multicast.enable = no" },
	{ PEER_GATEWAY, "the connection gateway", "gateway.enable = no" },
	{ PEER_SCAN, "network polling", "scan.enable = no" },
	{ PEER_LDAP, "reading a directory", "directory.url is empty" },
};

/* Why a worker that should answer cannot. */
static void
say_absent(const struct control *c, enum peer_role role, int r, char *text,
    size_t size)
{
	bool off = c->peers[role].state == WORKER_OFF;

	if (role == PEER_LDAP && c->peers[PEER_SCAN].state == WORKER_OFF)
		role = PEER_SCAN; /* which it is a part of */
	for (size_t i = 0; off && i < COUNT(switches); i++)
		if (switches[i].role == role) {
			snprintf(text, size, "%s is switched off (%s)",
			    switches[i].function, switches[i].key);
			return;
		}
	snprintf(text, size, "worker %s does not serve now%s%s",
	    peer_role_name(role), r == -ENOTCONN ? "" : ": ",
	    r == -ENOTCONN ? "" : strerror(-r));
}

void
command_run(struct request *q, int argc, char *argv[], bool may_change)
{
	const struct command *cmd = NULL;
	char		      text[300];
	int		      r;

	for (size_t i = 0; i < COUNT(commands); i++)
		if (strcmp(commands[i].name, argv[0]) == 0)
			cmd = &commands[i];
	if (cmd == NULL) {
		snprintf(text, sizeof(text), "no such command \"%.100s\"; "
					     "try help", argv[0]);
		request_end(q, text);
	} else if (cmd->changes && !may_change)
		request_end(q, "permission denied: neither root nor in "
			       "master.admin-change-group");
	else if (argc - 1 < cmd->min_args || argc - 1 > cmd->max_args) {
		snprintf(text, sizeof(text), "usage: %s%s%s", cmd->name,
		    cmd->args[0] != '\0' ? " " : "", cmd->args);
		request_end(q, text);
	} else if (cmd->fn != NULL)
		cmd->fn(q, argc, argv);
	else if ((r = cmd->role == PEER_GATEWAY
			 ? gateways_forward(q, argc, argv)
			 : control_forward(q, cmd->role, argc, argv)) < 0) {
		say_absent(q->c, cmd->role, r, text, sizeof(text));
		request_end(q, text);
	}
}
