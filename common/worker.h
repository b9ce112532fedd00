/*
 * common/worker.h - how every worker starts and what it then shares with all.
 *
 * Start:   worker_start() finds the master (descriptor 3, or the socket named
 *          by --master when systemd started us), says hello, and takes
 *          configuration, files, sockets and channels until MSG_START. Any
 *          failure is one line and exit 100 (operator) or 111 (temporary).
 *          It also blocks no signal but ignores SIGPIPE and SIGHUP: a
 *          worker's orders come over the channel.
 * Serve:   the worker makes its loop (worker_loop) before the sandbox, then
 *          worker_run() says ready and runs it: pings are answered, reloads
 *          taken, peers replaced, admin commands looked up in the worker's
 *          table, until MSG_SHUTDOWN or SIGTERM has drained it or the master
 *          is gone.
 * Ownership: everything here lives as long as the process. A descriptor or a
 *          channel that worker_* gave is the caller's.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_WORKER_H
#define COMMON_WORKER_H

#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/settings.h"

#include <jansson.h>

struct worker;
struct admin_reply; /* one command under way; see below */

struct admin_command {
	const char *name;	   /* the first word */
	unsigned    min_args, max_args; /* words after it */
	bool	    changes;	   /* needs the changing group */
	/*
	 * Answers now, or keeps reply and answers later: rows, then exactly
	 * one admin_end. argv[0] is the name; argv lives during the call only.
	 */
	void	  (*fn)(void *ctx, struct admin_reply *reply, int argc,
		      char *argv[]);
	const char *args; /* "NAME [--json]" */
	const char *help; /* one line */
};

struct worker_ops {
	/* A new channel to a peer (also when the peer was restarted): the
	 * worker wraps it with ipc_new, replacing the old one. take_fd. */
	void (*peer)(void *ctx, enum peer_role role, int take_fd);
	/* A whole new configuration is in worker_settings(): take it or refuse
	 * with a negative errno, changing nothing. NULL: nothing to do. */
	int (*reload)(void *ctx);
	/* Finish what is under way, then call worker_drained(). NULL: at once. */
	void (*drain)(void *ctx);
	const struct admin_command *commands; /* name NULL ends; may be NULL */
	/* Further messages of the master that this worker alone is sent. */
	struct ipc_table from_master;
	struct ipc_table from_control; /* likewise */
	/* Adds Prometheus samples with worker_metric(). NULL: none. */
	void (*metrics)(void *ctx, struct worker *w, struct admin_reply *reply);
	/* What an operator should look into now, with worker_warning(); asked
	 * by each `dpctl status`. NULL: nothing ever. */
	void (*warnings)(void *ctx, struct admin_reply *reply);
};

/* argv: --master PATH, --help, --version. */
struct worker *worker_start(enum peer_role role, int argc, char *argv[]);
struct loop   *worker_loop(struct worker *w); /* made at the first call */
struct loop   *worker_loop_precise(struct worker *w); /* that first call */
int	       worker_run(struct worker *w, const struct worker_ops *ops, void *ctx);
void	       worker_drained(struct worker *w);

/* For what this worker alone tells the master; valid while worker_run runs. */
struct ipc *worker_master(struct worker *w);

/* As sent by the master; after a reload, the new one. */
const struct settings *worker_settings(const struct worker *w);

/*
 * What the master opened for "section.key". worker_file: the caller's
 * descriptor at offset 0, or -ENOENT if the key is empty. worker_socket: takes the
 * i-th socket (address gets its text), of which no other descriptor is left here;
 * -EBADF if it was taken, -ENOENT past the last. What a reload brings is taken in
 * ops->reload or not at all.
 * worker_file_text: the file's bytes and a NUL, malloc'ed, at most max bytes.
 */
int worker_file(struct worker *w, const char *key);
int worker_file_text(struct worker *w, const char *key, size_t max, char **out,
    size_t *len);
int worker_socket(struct worker *w, const char *key, unsigned i, char *address,
    size_t size);

/* The channel to a peer that came before MSG_START, or -ENOENT. */
int worker_peer(struct worker *w, enum peer_role role);

/*
 * For broken() of a channel to a peer, with its r: unless the peer just went
 * away (-ENOTCONN; a new channel comes when it is back) this is logged, and the
 * master replaces the peer and us, since one of the two is not what it should be.
 */
void worker_accuse(enum peer_role role, int r);

/* Which of its kind this process is, from MSG_START on. */
enum peer_role worker_role(const struct worker *w);

/* The channel to control, or NULL while it is away. */
struct ipc *worker_control(struct worker *w);

/* An event for `dpctl events`, log and all: takes the object's reference.
 * event is a stable word: "object-published", "refresh-failed". */
void worker_event(struct worker *w, const char *event, json_t *take_fields);

/* Answers of an admin command. admin_row takes the reference. The asker may
 * leave: admin_gone() then is true and rows are dropped; admin_end still ends
 * and frees. */
void admin_row(struct admin_reply *r, json_t *take_row);
bool admin_gone(const struct admin_reply *r);
void admin_end(struct admin_reply *r, const char *error); /* NULL: ok */

/* name "dpoint_store_objects", type "gauge" or "counter", labels `x="y"` or
 * NULL. Samples of one name are given one after the other. */
void worker_metric(struct admin_reply *r, const char *name, const char *type,
    const char *help, const char *labels, double value);
/* One line that says what is wrong: "content: timestamp has expired". */
void worker_warning(struct admin_reply *r, const char *fmt, ...) LOG_PRINTF(2, 3);

#endif
