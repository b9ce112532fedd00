/*
 * dp-agent/conf.c - agent.conf; see conf.h.
 *
 * Runs in the parent. Believes the file system's permissions, checks values.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/conf.h"

#include "common/size.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define A(k, t, f, d, lo, hi, h) CONF_ITEM(agent_conf, k, t, f, d, lo, hi, h)
#define AS(k, t, f, d, h)	 CONF_STR(agent_conf, k, t, f, d, h)

static const struct conf_item items[] = {
	AS("group", CONF_TEXT, group, "/",
	    "Administration group of this device."),
	AS("distribution-points", CONF_URLS, sources, "",
	    "Distribution points, in the order in which they are asked: "
	    "https://dp1:8061/repo/ ..."),
	AS("repository", CONF_URLS, repository, "",
	    "The repository itself, asked when no distribution point helps."),
	AS("root", CONF_FILE, root, "", "The first trusted root.json."),
	AS("ca", CONF_FILE, ca, "", "Private CA of the servers; empty: system."),
	AS("client-cert", CONF_FILE, client_cert, "",
	    "Certificate of this device."),
	AS("client-key", CONF_FILE, client_key, "", "Its key."),
	AS("target-dir", CONF_TEXT, target_dir, "/var/lib/dpoint-agent/files",
	    "Where verified files are placed."),
	AS("state-dir", CONF_TEXT, state_dir, "/var/lib/dpoint-agent/state",
	    "Trusted metadata, the list of placed files, the last status."),
	AS("run-dir", CONF_TEXT, run_dir, "/run/dpoint-agent",
	    "The lock file."),
	AS("libexec", CONF_TEXT, libexec, "/usr/libexec/dpoint",
	    "Directory of dp-agent-net and dp-connect."),
	AS("user-prefix", CONF_TEXT, user_prefix, "dp-",
	    "The children run as this and \"agent\", \"connect\"."),
	AS("hook", CONF_FILE, hook, "",
	    "Program run after a file was placed; see dp-agent(8)."),
	AS("log-level", CONF_TEXT, log_level, "info",
	    "err, warn, info or debug."),
	A("hook-timeout", CONF_SECONDS, hook_timeout, "10m", 1, 86400,
	    "A hook that runs for so long is killed."),
	A("interval", CONF_SECONDS, interval, "15m", 5, 30 * 86400,
	    "Pause between two refreshes, give or take a tenth."),
	A("connect-timeout", CONF_SECONDS, connect_timeout, "10", 1, 600,
	    "A server that does not answer for so long is given up."),
	A("stall-timeout", CONF_SECONDS, stall_timeout, "30", 1, 3600,
	    "A transfer that brings nothing for so long is given up."),
	A("max-object", CONF_BYTES, max_object, "64GiB", 1024, 1ULL << 44,
	    "Largest file accepted."),
	A("parallel", CONF_INT, parallel, "4", 1, 16, "Transfers at once."),
	A("remove", CONF_BOOL, remove, "no", 0, 0,
	    "Remove placed files that are no longer meant for this device."),
	{ 0 }
};

const struct settings_section agent_sections[] = {
	{ "agent", items, 0, 0 },
	{ 0 }
};

static bool
is_level(const char *word)
{
	return strcmp(word, "err") == 0 || strcmp(word, "warn") == 0 ||
	    strcmp(word, "info") == 0 || strcmp(word, "debug") == 0;
}

int
agent_conf_load(const char *file, struct agent_conf *c,
    struct settings_sources **sources, char err[CONF_ERR_MAX])
{
	struct settings_sources *src;
	int			 r;

	memset(c, 0, sizeof(*c));
	if ((r = settings_read(agent_sections, c, file, &src, err)) < 0)
		return r;

	const struct rule {
		bool	    wrong;
		const char *key, *expected;
	} rules[] = {
		{ c->sources[0] == '\0' && c->repository[0] == '\0',
		    "distribution-points",
		    "neither this nor repository is given" },
		{ strchr(c->repository, ' ') != NULL, "repository",
		    "expected one address" },
		{ c->root[0] == '\0', "root", "is needed" },
		{ c->group[0] != '/', "group",
		    "expected a group such as / or /hq/berlin" },
		{ (c->client_cert[0] == '\0') != (c->client_key[0] == '\0'),
		    "client-cert", "client-cert and client-key go together" },
		{ c->target_dir[0] != '/', "target-dir",
		    "expected an absolute path" },
		{ c->state_dir[0] != '/', "state-dir",
		    "expected an absolute path" },
		{ c->run_dir[0] != '/', "run-dir", "expected an absolute path" },
		{ c->libexec[0] != '/', "libexec", "expected an absolute path" },
		{ !is_level(c->log_level), "log-level",
		    "expected err, warn, info or debug" },
	};
	for (size_t i = 0; r == 0 && i < COUNT(rules); i++)
		if (rules[i].wrong)
			r = settings_blame(src, "agent", rules[i].key,
			    rules[i].expected, err);
	if (r == 0 && sources != NULL)
		*sources = src;
	else
		settings_sources_free(&src);
	return r;
}

int
agent_conf_files(const struct agent_conf *c, char err[CONF_ERR_MAX])
{
	const struct {
		const char *key, *path;
		int	    mode;
	} files[] = {
		{ "root", c->root, R_OK },
		{ "ca", c->ca, R_OK },
		{ "client-cert", c->client_cert, R_OK },
		{ "client-key", c->client_key, R_OK },
		{ "hook", c->hook, X_OK },
	};

	for (size_t i = 0; i < COUNT(files); i++)
		if (files[i].path[0] != '\0' &&
		    access(files[i].path, files[i].mode) < 0) {
			snprintf(err, CONF_ERR_MAX, "agent.%s: %s: %s",
			    files[i].key, files[i].path, strerror(errno));
			return -EINVAL;
		}
	return 0;
}

#define COPY(to, from) snprintf(to, sizeof(to), "%s", from)

int
agent_settings(const struct agent_conf *c, struct settings *out)
{
	int n;

	settings_preset(out);
	COPY(out->master.user_prefix, c->user_prefix);
	COPY(out->master.log_level, c->log_level);
	COPY(out->fetch.group, c->group);
	COPY(out->content.root, c->root);
	COPY(out->content.ca, c->ca);
	COPY(out->content.client_cert, c->client_cert);
	COPY(out->content.client_key, c->client_key);
	out->fetch.interval = c->interval;
	out->fetch.connect_timeout = c->connect_timeout;
	out->fetch.stall_timeout = c->stall_timeout;
	out->fetch.max_object = c->max_object;
	out->fetch.parallel = c->parallel;
	n = snprintf(out->content.upstream, sizeof(out->content.upstream),
	    "%s%s%s", c->sources,
	    c->sources[0] != '\0' && c->repository[0] != '\0' ? " " : "",
	    c->repository);
	return n < (int)sizeof(out->content.upstream) ? 0 : -E2BIG;
}
