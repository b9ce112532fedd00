/*
 * dp-agent/net.h - the network child: what its parts share.
 *
 * One round: refresh the metadata from the first source that helps, or from
 * what a carousel brought (net_refresh.c), then get what is meant for this device's group and not in
 * place yet (net_targets.c), then tell the parent. Sockets come from
 * dp-connect, files from the parent; the child owns neither.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_NET_H
#define DP_AGENT_NET_H

#include "common/connect_client.h"
#include "common/download.h"
#include "common/sandbox.h"
#include "common/state.h"
#include "common/tuf.h"
#include "common/worker.h"
#include "dp-agent/conf.h"

#define PARALLEL_MAX 16
#define KEPT_ROLES 3 /* timestamp, snapshot, targets */

struct source {
	char	 url[1024];
	bool	 direct;       /* not through the proxy, if there is one */
	bool	 is_point;     /* a distribution point, not the repository */
	unsigned failures;     /* in a row */
	uint64_t retry_ms;     /* not before, loop_now_ms */
	uint64_t bytes;
	char	 error[300];
};

enum target_state {
	TARGET_WAITS,
	TARGET_ASKED,	/* the parent, whether it is here */
	TARGET_COMES,	/* a download */
	TARGET_PLACING, /* the parent checks it again */
	TARGET_OK,
	TARGET_FAILED,
};

struct net;
struct cast;
struct mcast;
struct net_link;
struct net_report;

/* How a target came by multicast, for the status. */
struct target_cast {
	uint64_t multicast, repair, unicast; /* bytes: as sent first, parity,
					      * ranges by HTTPS */
	uint64_t ms;
	unsigned loss;	  /* in 1/1000 */
	char	 why[96]; /* unicast was taken; or "" */
};

struct target {
	struct net	 *n;
	char		 *path, *url_path;
	char		  kind[64], version[128], error[300];
	struct hash	  hash;
	uint64_t	  size, synced, start;
	enum target_state state;
	int		  fd, read_fd;
	unsigned	  tried; /* bits of sources */
	size_t		  source;
	struct download	 *download;
	struct cast	 *casting; /* by multicast, under way */
	struct target_cast cast;
};

struct kept {
	char  *bytes;
	size_t len;
};

struct net {
	struct worker	   *worker;
	struct loop	   *loop;
	struct ipc	   *keeper;
	struct connect_client *connector;
	struct downloads   *downloads;
	struct download_tls tls;
	struct agent_conf   conf;
	char		   *conf_root; /* the first trusted root */
	size_t		    conf_root_len;
	struct source	    sources[AGENT_SOURCES_MAX];
	size_t		    nsources;
	struct loop_timer  *timer; /* the next round */
	unsigned	    rounds_failed;

	/* refresh */
	struct kept	 kept[KEPT_ROLES];
	struct state	 roots;	    /* every version since the configured one */
	struct state	 delegated; /* the other roles, as far as there is room */
	bool		 delegated_changed;
	unsigned	 kept_left; /* answers of the parent that are due */
	struct tuf	*tuf;
	struct tuf_want	 want;
	struct download *download;
	size_t		 source;
	unsigned	 tried;
	bool		 all_roles;
	int64_t		 refreshed; /* time of the last one that worked */
	const char	*refreshed_by; /* "unicast", "multicast", or "" */
	struct hash	 timestamp; /* the one in force; zeros: none */
	bool		 in_round;
	bool		 news_round; /* begun by refresh_by_news() */
	char		 error[600];
	json_t		*metadata;  /* rows of the status */

	/* targets */
	struct target *targets;
	size_t	       ntargets, at, under_way, here;
	bool	       looks;	    /* there is no news: only at what is here */
	size_t	       other_kinds; /* meant for the group, not taken */
	struct target *active[PARALLEL_MAX]; /* those under way */
	uint64_t       bytes; /* received in this round */

	struct mcast *mcast; /* NULL: no group is heard */
	struct net_link *link; /* NULL: no connection is kept */
	struct net_report *report; /* NULL: it does not report */
	char	      proxy_auth[256];
};

extern const struct sandbox net_sandbox;

/* net_source.c */
int  sources_init(struct net *n); /* from the configuration */
/* The best source not in tried: in order, those that failed lately last.
 * -ENOENT when all were tried. */
int  source_pick(const struct net *n, unsigned tried, size_t *out);
void source_worked(struct net *n, size_t i);
void source_failed(struct net *n, size_t i, const char *why);

/* net_kept.c; kept_ask ends with refresh_start() */
void kept_ask(struct net *n);
int  kept_on_file(struct net *n, struct ipc_msg *m);
int  kept_on_none(struct net *n);
/* Gives it all of it; root: the one to begin with, NULL: the configured one. */
int  kept_local(struct net *n, struct tuf *t, const struct saved *root);
const struct saved *kept_root(const struct net *n, int64_t version); /* or NULL */
int  kept_save(void *arg, const struct tuf_file *f); /* for a struct tuf_conf */
/* A refresh is over; whole: what is in force now, or NULL when it failed. */
void kept_settle(struct net *n, struct tuf *whole);

/* net_refresh.c; ends with net_refreshed() */
void refresh_start(struct net *n);
/*
 * Between two rounds: a refresh from what news_file() gives, and nothing else.
 * 0: it brought something new, and a round has begun. -EAGAIN: *lacks is wanted
 * first. Else why not. *is_proven: the timestamp of that hash is trusted now.
 */
int refresh_by_news(struct net *n, const struct hash *timestamp,
    bool *is_proven, struct tuf_want *lacks, char *why, size_t size);

/* net_targets.c; ends with net_round_over() */
int  targets_collect(struct net *n, struct tuf *tuf);
void targets_start(struct net *n);
void targets_free(struct net *n);
/* From mcast_get(): all of it is there, with the right hash, or it is not. */
void targets_cast_over(struct target *t, bool whole);
int  targets_on_here(struct net *n, struct ipc_msg *m);
int  targets_on_part(struct net *n, struct ipc_msg *m);
int  targets_on_ok(struct net *n, struct ipc_msg *m);
int  targets_on_no(struct net *n, struct ipc_msg *m);

/* net_main.c */
void net_refreshed(struct net *n, bool has_list);
void net_round_over(struct net *n);
int  net_keep(struct net *n, const char *key, const void *bytes, size_t len);

#endif
