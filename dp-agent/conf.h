/*
 * dp-agent/conf.h - agent.conf: what the administrator of a device may say.
 *
 * Files are read by the parent only, which sends the network child this section
 * as text (MSG_FILE "agent.conf"). What every worker of the suite needs for its
 * start, and dp-connect the hosts it may connect to, is agent_settings().
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_CONF_H
#define DP_AGENT_CONF_H

#include "common/settings.h"
#include "common/url.h"

#define AGENT_SOURCES_MAX 16 /* addresses in all */
#define AGENT_GATEWAYS	  16
#define AGENT_WAYS	  (AGENT_GATEWAYS + 1)
#define AGENT_PUSH_PORT	  13295 /* where none is given */

struct agent_conf {
	char	 group[256];
	char	 kinds[512];	   /* words; empty: all */
	char	 sources[1024];	   /* distribution points, in order */
	char	 repository[512];  /* the repository itself, asked last */
	char	 proxy[512], proxy_auth[256]; /* http://host:port; file */
	char	 proxy_for[16];	   /* "repository" or "all" */
	char	 root[256], ca[256], client_cert[256], client_key[256];
	char	 target_dir[256], state_dir[256], run_dir[256], libexec[256];
	char	 user_prefix[32];
	char	 hook[256];
	char	 log_level[16];
	uint64_t hook_timeout, interval, connect_timeout, stall_timeout;
	uint64_t max_object, parallel;
	bool	 remove;
	/* the connection that is kept */
	char	 gateways[1024], server[300];
	char	 connect_order[32]; /* "gateway direct", either or both */
	uint64_t connect_hold, push_keepalive, push_spread; /* seconds */
	uint64_t report_interval; /* seconds; 0: no reports */
	/* [multicast] */
	char	 mcast_group[1024]; /* common/mcast_group.h; empty: none */
	char	 mcast_source[128]; /* who alone is heard; empty: anyone */
	uint64_t mcast_ttl;	    /* hops of reports */
	uint64_t mcast_silence;	    /* seconds, then unicast */
};

/* A way of the connection that is kept. */
struct agent_way {
	bool	 is_gateway; /* else the server, directly */
	char	 host[URL_HOST_LEN];
	uint16_t port;
};

extern const struct settings_section agent_sections[];

/* As settings_load(): 0, or -EINVAL and "FILE:LINE: agent.key: reason". */
int agent_conf_load(const char *file, struct agent_conf *c,
    struct settings_sources **sources, char err[CONF_ERR_MAX]);

/* Whether the files it names can be read: 0, or -EINVAL and the reason. */
int agent_conf_files(const struct agent_conf *c, char err[CONF_ERR_MAX]);

/* The ways, the one preferred first; how many. */
size_t agent_ways(const struct agent_conf *c, struct agent_way out[AGENT_WAYS]);

void agent_settings(const struct agent_conf *c, struct settings *out);

/* Whether a device of these kinds takes a file of this one; NULL: it has none,
 * which only a device that takes every kind does. */
bool agent_takes(const struct agent_conf *c, const char *kind);

#endif
