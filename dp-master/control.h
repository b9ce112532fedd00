/*
 * dp-master/control.h - the control half: health, events, the admin socket.
 *
 * Shape:   one struct control. control_workers.c holds the workers' state and their
 *          channels, control_admin.c the connections, control_commands.c what
 *          may be asked. A request lives from its line to its "ok" or "error".
 * Ownership: a request belongs to its connection; request_end frees it.
 * Limits:  64 connections, a line of 4 KiB, OUT_MAX bytes that wait for one
 *          reader, 1,000 events.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MASTER_CONTROL_H
#define DP_MASTER_CONTROL_H

#include "common/ipc.h"
#include "common/worker.h"
#include "dp-master/control_words.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#define EVENTS_MAX 1000
#define PEER_QUEUE 256 /* messages that wait for a worker */

struct conn;
struct metrics; /* samples on their way, control_commands.c */

/* One command under way. */
struct request {
	struct request *next;
	struct control *c;
	struct conn    *conn;
	uint32_t	id;	/* of the messages about it */
	unsigned	waits;	/* bits 1 << role: whose answers are missing */
	bool		json, follows, reloads;
	/* of what all gateways answer together */
	json_t	       *merged;
	bool		done; /* by one of them at least */
	bool		failed; /* another one could not: error says why */
	char		error[600]; /* the first, if none */
	struct peer    *orderer; /* not a connection's, but one of theirs */
	uint32_t	order_id;
	struct metrics *metrics;
	json_t	       *warnings; /* of a status under way */
	struct loop_timer *deadline;
};

struct peer {
	struct control	 *c;
	enum peer_role	  role;
	enum worker_state state;
	uint32_t	  pid, restarts, status;
	uint64_t	  since; /* loop ms of the last change */
	struct ipc	 *ch;
	uint64_t	  ping_sent, stood_still; /* ms since, see on_tick() */
	bool		  waiting; /* for its pong */
};

struct control {
	struct worker	*w;
	struct loop	*loop;
	struct peer	 peers[PEER_MAX];
	struct request	*requests;
	uint32_t	 last_id;
	gid_t		 read_gid, change_gid; /* (gid_t)-1: no such group */
	uid_t		 own_uid; /* not root: who started us may do all */
	int		 listen_fd;
	struct loop_io	*listen_io;
	struct conn	*conns;
	size_t		 nconns;
	char		*events[EVENTS_MAX]; /* JSON, by seq % EVENTS_MAX */
	uint64_t	 nevents;
	uint64_t	 started;
	uint64_t	 last_wake; /* its number; 0: none yet */
	bool		 gateways_drain; /* they take no new connections */
	char		 reload_failed[CONF_ERR_MAX]; /* why the last one did, or "" */
	struct loop_timer *tick, *sweep;
	uint64_t	 ticked;
};

/* control_admin.c */
int  admin_init(struct control *c);
void request_row(struct request *q, json_t *take_row);
void request_text(struct request *q, const char *line); /* as it is */
void request_end(struct request *q, const char *error); /* NULL: ok */
struct request *request_new(struct control *c, struct conn *conn); /* or NULL */

/* control_workers.c */
extern const char *const state_names[]; /* by enum worker_state */
extern const struct worker_ops control_ops;
int  control_start(struct control *c);
int  control_forward(struct request *q, enum peer_role role, int argc,
     char *argv[]);
void control_event(struct control *c, const char *from, json_t *take_event);
void control_stop_answers(struct request *q); /* its asker has gone */

/* control_gateways.c */
int  gateways_wake(void *peer, struct ipc_msg *m); /* MSG_WAKE */
int  gateways_pass_on(void *peer, struct ipc_msg *m); /* MSG_PUSH_... */
void gateways_orderer_left(struct peer *p);
void gateways_came(struct peer *p); /* one has started: what it is to know */
int  gateways_forward(struct request *q, int argc, char *argv[]);
void gateways_answer(struct request *q, json_t *take_row);
void gateways_answered(struct request *q, const char *error);

/* control_commands.c */
void command_run(struct request *q, int argc, char *argv[], bool may_change);
void command_answer(struct request *q, enum peer_role from, json_t *take_row);
void command_answered(struct request *q, enum peer_role from,
    const char *error);
void metrics_free(struct metrics **m);

#endif
