/*
 * dp-agent/conf.c - agent.conf; see conf.h.
 *
 * Runs in the parent, which believes the file system's permissions and checks
 * values, and in the network child, which believes the parent.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/conf.h"

#include "common/mcast_group.h"
#include "common/size.h"
#include "common/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define A(k, t, f, d, lo, hi, h) CONF_ITEM(agent_conf, k, t, f, d, lo, hi, h)
#define AS(k, t, f, d, h)	 CONF_STR(agent_conf, k, t, f, d, h)

static const struct conf_item items[] = {
	AS("group", CONF_TEXT, group, "/",
	    "Administration group of this device."),
	AS("kinds", CONF_WORDS, kinds, "",
	    "Kinds of file this device takes, such as policy task; empty: "
	    "every one."),
	AS("distribution-points", CONF_URLS, sources, "",
	    "Distribution points, in the order in which they are asked: "
	    "https://dp1:8061/repo/ ..."),
	AS("repository", CONF_URLS, repository, "",
	    "The repository itself, asked when no distribution point helps."),
	AS("proxy", CONF_URLS, proxy, "", "HTTP proxy to the repository."),
	AS("proxy-auth", CONF_FILE, proxy_auth, "",
	    "File with user:password for the proxy."),
	AS("proxy-for", CONF_TEXT, proxy_for, "repository",
	    "repository: distribution points are reached directly; all: they "
	    "too through the proxy."),
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
	AS("gateway", CONF_PEERS, gateways, "",
	    "Connection gateways, in the order in which they are tried: dp1 "
	    "dp2:13295 ...; the port is 13295 where none is given."),
	AS("server", CONF_PEERS, server, "",
	    "The Administration Server, for a direct connection; port as of "
	    "gateway."),
	AS("connect-order", CONF_WORDS, connect_order, "gateway direct",
	    "Which way is preferred; a way that is not named is not taken."),
	A("connect-hold", CONF_SECONDS, connect_hold, "10m", 1, 7 * 86400,
	    "After falling back to another way it is kept for so long, then "
	    "left when the one preferred has answered."),
	A("push-keepalive", CONF_SECONDS, push_keepalive, "4m", 1, 86400,
	    "The other end's interval of signs of life; silence of two and a "
	    "half of them ends the connection."),
	A("push-spread", CONF_SECONDS, push_spread, "30", 0, 3600,
	    "A refresh that many devices are woken for begins at a random time "
	    "within this."),
	A("report-interval", CONF_SECONDS, report_interval, "0", 0, 30 * 86400,
	    "Pause between two reports into the distribution point's inbox; 0: "
	    "it does not report."),
	A("remove", CONF_BOOL, remove, "no", 0, 0,
	    "Remove placed files that are no longer meant for this device."),
	{ 0 }
};

static const struct conf_item multicast_items[] = {
	AS("group", CONF_GROUPS, mcast_group, "",
	    "Groups of the distribution point, such as 239.255.77.1@eth0 or "
	    "[ff15::7701]; empty: no multicast."),
	AS("source", CONF_ADDRS, mcast_source, "",
	    "Addresses that alone are heard, one of a family; empty: any."),
	A("ttl", CONF_INT, mcast_ttl, "1", 1, 255,
	    "Hops that reports may take; 1: this network only."),
	A("silence", CONF_SECONDS, mcast_silence, "5", 1, 600,
	    "What has not come by multicast for so long comes by unicast."),
	{ 0 }
};

const struct settings_section agent_sections[] = {
	{ "agent", items, 0, 1U << PEER_FETCH, PEER_FETCH },
	{ "multicast", multicast_items, 0, 1U << PEER_FETCH, PEER_FETCH },
	{ 0 }
};

static bool
is_level(const char *word)
{
	return strcmp(word, "err") == 0 || strcmp(word, "warn") == 0 ||
	    strcmp(word, "info") == 0 || strcmp(word, "debug") == 0;
}

static size_t
count_words(const char *list)
{
	char   word[1024];
	size_t pos = 0, n = 0;

	while (value_word(list, &pos, word, sizeof(word)))
		n++;
	return n;
}

static bool
has_source(const struct agent_conf *c, int family)
{
	char   word[64];
	size_t pos = 0;
	uint8_t bytes[16];

	while (value_word(c->mcast_source, &pos, word, sizeof(word)))
		if (inet_pton(family, word, bytes) == 1)
			return true;
	return false;
}

/* What [multicast] asks for beyond one value's syntax; NULL: nothing. */
static const char *
multicast_trouble(const struct agent_conf *c, const char **key)
{
	struct mcast_group g[MCAST_GROUPS];
	char		   err[MCAST_ERR];
	size_t		   n = 0;

	*key = "group";
	if (c->mcast_group[0] != '\0' && c->client_cert[0] == '\0')
		return "needs agent.client-cert: keys are for devices only";
	if (mcast_groups_parse(c->mcast_group, g, &n, err) < 0)
		return "expected groups"; /* conf_set lets none pass */
	for (size_t i = 0; i < n; i++)
		if (mcast_group_is_ssm(&g[i]) && !has_source(c, g[i].family))
			return "a source-specific group needs "
			       "multicast.source";
	return NULL;
}

static bool
has_word(const char *list, const char *word)
{
	char   w[1024];
	size_t pos = 0;

	while (value_word(list, &pos, w, sizeof(w)))
		if (strcmp(w, word) == 0)
			return true;
	return false;
}

/* "gateway", "direct", or both in either order. */
static bool
is_order(const char *list)
{
	bool gateway = has_word(list, "gateway"), direct = has_word(list, "direct");

	return count_words(list) == (size_t)gateway + direct &&
	    (gateway || direct);
}

int
agent_conf_load(const char *file, struct agent_conf *c,
    struct settings_sources **sources, char err[CONF_ERR_MAX])
{
	struct settings_sources *src;
	const char		*key, *trouble;
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
		{ count_words(c->sources) > AGENT_SOURCES_MAX - 1,
		    "distribution-points", "expected at most 15 addresses" },
		{ c->proxy[0] != '\0' && !url_is_proxy(c->proxy), "proxy",
		    "expected one http:// address" },
		{ c->proxy_auth[0] != '\0' && c->proxy[0] == '\0',
		    "proxy-auth", "is given without proxy" },
		{ strcmp(c->proxy_for, "repository") != 0 &&
			strcmp(c->proxy_for, "all") != 0,
		    "proxy-for", "expected repository or all" },
		{ c->proxy[0] != '\0' && c->repository[0] == '\0' &&
			strcmp(c->proxy_for, "all") != 0,
		    "proxy", "leads to the repository, which is not given; "
		    "proxy-for = all is for distribution points too" },
		{ c->root[0] == '\0', "root", "is needed" },
		{ count_words(c->gateways) > AGENT_GATEWAYS, "gateway",
		    "expected at most 16 addresses" },
		{ count_words(c->server) > 1, "server",
		    "expected one address" },
		{ !is_order(c->connect_order), "connect-order",
		    "expected gateway direct, direct gateway, or one of them" },
		{ c->gateways[0] != '\0' && c->client_cert[0] == '\0', "gateway",
		    "needs client-cert: gateways know devices by it" },
		{ c->server[0] != '\0' && c->client_cert[0] == '\0', "server",
		    "needs client-cert: the server knows devices by it" },
		{ c->report_interval > 0 && c->client_cert[0] == '\0',
		    "report-interval", "needs client-cert: reports are a "
		    "device's" },
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
	if (r == 0 && (trouble = multicast_trouble(c, &key)) != NULL)
		r = settings_blame(src, "multicast", key, trouble, err);
	if (r == 0 && sources != NULL)
		*sources = src;
	else
		settings_sources_free(&src);
	return r;
}

static const char *
login_trouble(const char *path)
{
	char	    text[512], login[256];
	const char *why = NULL;
	ssize_t	    n;
	int	    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || (n = read(fd, text, sizeof(text) - 1)) < 0)
		why = strerror(errno);
	else {
		text[n] = '\0';
		if (url_login(text, login, sizeof(login)) < 0)
			why = "expected user:password in its first line";
	}
	if (fd >= 0)
		close(fd);
	return why;
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
	const char *why;

	for (size_t i = 0; i < COUNT(files); i++)
		if (files[i].path[0] != '\0' &&
		    access(files[i].path, files[i].mode) < 0) {
			snprintf(err, CONF_ERR_MAX, "agent.%s: %s: %s",
			    files[i].key, files[i].path, strerror(errno));
			return -EINVAL;
		}
	if (c->proxy_auth[0] != '\0' &&
	    (why = login_trouble(c->proxy_auth)) != NULL) {
		snprintf(err, CONF_ERR_MAX, "agent.proxy-auth: %s: %s",
		    c->proxy_auth, why);
		return -EINVAL;
	}
	return 0;
}

static size_t
add_ways(const char *list, bool is_gateway, struct agent_way *out, size_t room)
{
	char	   word[1024];
	size_t	   pos = 0, n = 0;
	struct url at;

	while (n < room && value_word(list, &pos, word, sizeof(word))) {
		if (url_host_or_port(word, AGENT_PUSH_PORT, &at) < 0)
			continue; /* conf_set lets none pass */
		out[n].is_gateway = is_gateway;
		memcpy(out[n].host, at.host, sizeof(at.host));
		out[n++].port = at.port;
	}
	return n;
}

size_t
agent_ways(const struct agent_conf *c, struct agent_way out[AGENT_WAYS])
{
	char   word[32];
	size_t pos = 0, n = 0;

	while (value_word(c->connect_order, &pos, word, sizeof(word))) {
		bool is_gateway = strcmp(word, "gateway") == 0;

		n += add_ways(is_gateway ? c->gateways : c->server, is_gateway,
		    out + n, is_gateway ? AGENT_GATEWAYS : 1);
	}
	return n;
}

/* To dp-connect they are one more list of hosts. */
static void
add_hosts(const struct agent_conf *c, char *out, size_t size)
{
	struct agent_way ways[AGENT_WAYS];
	size_t		 n = agent_ways(c, ways), k = 0;

	for (size_t i = 0; i < n && k < size; i++)
		k += (size_t)snprintf(out + k, size - k,
		    strchr(ways[i].host, ':') != NULL ? "%shttps://[%s]:%u/"
							 : "%shttps://%s:%u/",
		    i > 0 ? " " : "", ways[i].host, ways[i].port);
}

#define COPY(to, from) snprintf(to, sizeof(to), "%s", from)

void
agent_settings(const struct agent_conf *c, struct settings *out)
{
	_Static_assert(sizeof(c->sources) + sizeof(c->repository) <=
		sizeof(out->content.upstream), "the list of both must fit");

	settings_preset(out);
	COPY(out->master.user_prefix, c->user_prefix);
	COPY(out->master.log_level, c->log_level);
	COPY(out->fetch.proxy, c->proxy);
	snprintf(out->content.upstream, sizeof(out->content.upstream),
	    "%s%s%s", c->sources,
	    c->sources[0] != '\0' && c->repository[0] != '\0' ? " " : "",
	    c->repository);
	add_hosts(c, out->site.upstream, sizeof(out->site.upstream));
}

bool
agent_takes(const struct agent_conf *c, const char *kind)
{
	char   word[sizeof(c->kinds)];
	size_t pos = 0;

	if (c->kinds[0] == '\0')
		return true;
	while (kind != NULL && value_word(c->kinds, &pos, word, sizeof(word)))
		if (strcmp(word, kind) == 0)
			return true;
	return false;
}
