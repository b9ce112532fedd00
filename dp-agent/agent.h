/*
 * dp-agent/agent.h - the parent: what its parts share.
 *
 * The parent is root, reads the configuration, places files and runs hooks. It
 * starts two children that speak to the world: dp-agent-net, which believes
 * nobody, and dp-connect, the suite's own connector. If one of them dies both
 * are started anew: what is under way is gone on with from the partial files.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_AGENT_H
#define DP_AGENT_AGENT_H

#include "common/ipc.h"
#include "common/loop.h"
#include "dp-agent/conf.h"
#include "dp-agent/keep.h"

#include <sys/types.h>

enum child_kind { CHILD_CONNECT, CHILD_NET, CHILDREN };

struct agent;

struct child {
	struct agent   *a;
	enum child_kind kind;
	pid_t		pid;
	int		pidfd; /* -1: not running */
	struct ipc     *ch, *pings;
	unsigned	missed; /* pings in a row */
	struct loop_io *watch;
	bool		hello, ready;
};

struct hook_run {
	struct hook_run *next;
	bool		 checked; /* what it is for was just placed */
	struct hash	 hash;
	char		 path[KEEP_PATH_LEN], kind[64], version[128];
};

struct agent {
	const char	 *file; /* configuration */
	struct agent_conf conf;
	struct settings	  settings; /* what the children are told */
	struct loop	 *loop;
	struct keep	 *keep;
	struct ipc	 *keeper; /* channel to the network child */
	struct request	 *requests; /* of the child, while a file is hashed */
	struct child	  children[CHILDREN];
	struct loop_timer *restart, *pinger;
	uint64_t	  started_ms;
	unsigned	  failures;
	uint64_t	  deadline_ms; /* of --once --wait */
	bool		  once, stopping, again;
	unsigned	  deaf; /* groups that could not be joined */
	int		  result; /* exit status */
	bool		  round_over;
	/* hooks, one at a time */
	struct hook_run	 *hooks, **hooks_tail;
	struct keep_job	 *hook_check; /* of the first */
	pid_t		  hook_pid;
	int		  hook_fd; /* pidfd, -1: none runs */
	int		  hooks_fd; /* directory of those that are due */
	struct loop_io	 *hook_watch;
	struct loop_timer *hook_timer;
	unsigned	  hooks_failed;
};

/* child.c */
int  children_init(struct agent *a);
void children_start(struct agent *a);
void children_stop(struct agent *a); /* MSG_SHUTDOWN; agent_child_gone follows */
void children_kill(struct agent *a);
void children_again(struct agent *a); /* anew, with what is configured now */
bool children_alive(const struct agent *a);
/* A group that could not be joined can be by now: the children start anew. */
void children_hear(struct agent *a);
void agent_maybe_end(struct agent *a); /* all is done and gone: ends the loop */

/* keeper.c: what the network child may ask of the parent */
int  keeper_open(struct agent *a, int take_fd);
void keeper_close(struct agent *a); /* what it asked for is left */

/* hook.c */
int  hooks_init(struct agent *a);
void hook_add(struct agent *a, const struct hash *h, const char *path,
    const char *kind, const char *version);
/* Before the file is placed, and when it was not or its hook succeeded. */
int  hook_note(struct agent *a, const struct hash *h, const char *path,
    const char *kind, const char *version);
void hook_forget(struct agent *a, const char *path);
void hooks_retry(struct agent *a); /* what is due and not under way */
bool hooks_busy(const struct agent *a);
bool hook_runs(const struct agent *a);
void hook_kill(struct agent *a, int signo);

/* status.c: prints the last round; the exit status */
int status_print(const struct agent_conf *c, bool json);

#endif
