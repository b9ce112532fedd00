/*
 * dp-agent/conf.h - agent.conf: what the administrator of a device may say.
 *
 * Read by the parent only; the children are given what they need in the
 * words of the suite's own settings (agent_settings), so that dp-connect and
 * the network child start as any worker does.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_CONF_H
#define DP_AGENT_CONF_H

#include "common/settings.h"

struct agent_conf {
	char	 group[256];
	char	 sources[1024];	   /* distribution points, in order */
	char	 repository[512];  /* the repository itself, asked last */
	char	 root[256], ca[256], client_cert[256], client_key[256];
	char	 target_dir[256], state_dir[256], run_dir[256], libexec[256];
	char	 user_prefix[32];
	char	 hook[256];
	char	 log_level[16];
	uint64_t hook_timeout, interval, connect_timeout, stall_timeout;
	uint64_t max_object, parallel;
	bool	 remove;
};

extern const struct settings_section agent_sections[];

/* As settings_load(): 0, or -EINVAL and "FILE:LINE: agent.key: reason". */
int agent_conf_load(const char *file, struct agent_conf *c,
    struct settings_sources **sources, char err[CONF_ERR_MAX]);

/* Whether the files it names can be read: 0, or -EINVAL and the reason. */
int agent_conf_files(const struct agent_conf *c, char err[CONF_ERR_MAX]);

/* -E2BIG when the list of sources is longer than the settings hold. */
int agent_settings(const struct agent_conf *c, struct settings *out);

#endif
