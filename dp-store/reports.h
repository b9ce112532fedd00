/*
 * dp-store/reports.h - the inbox at work: who puts, who takes, what is said.
 *
 * Shape:   puts and ends gather while a commit is under way and are the next
 *          one, so that many share one sync; each is answered after its own.
 *          A report that was taken, and its device, are out until its end
 *          comes, or the channel of who took it breaks: then it is taken anew.
 * Thread:  all of inbox.h runs in one thread of its own, the rest in the loop.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_STORE_REPORTS_H
#define DP_STORE_REPORTS_H

#include "common/ipc.h"
#include "common/worker.h"

#include <stdbool.h>
#include <stddef.h>

struct reports;
struct store;
struct peer;

/* Ends the process when there can be no inbox. */
struct reports *reports_open(struct store *s);
void   reports_close(struct reports **rs);
void   reports_configure(struct reports *rs); /* as worker_settings() say */
size_t reports_waiting(const struct reports *rs); /* on the disk */
bool   reports_broken(const struct reports *rs);

/* Handlers of messages; ctx is the struct peer. */
int  reports_on_part(void *peer, struct ipc_msg *m);
int  reports_on_put(void *peer, struct ipc_msg *m);
int  reports_on_take(void *peer, struct ipc_msg *m);
int  reports_on_done(void *peer, struct ipc_msg *m);
void reports_peer_gone(struct peer *p);

/* Admin commands and metrics; ctx is the struct store. */
void reports_list(void *store, struct admin_reply *reply, int argc,
    char *argv[]);
void reports_stats(void *store, struct admin_reply *reply, int argc,
    char *argv[]);
void reports_change(void *store, struct admin_reply *reply, int argc,
    char *argv[]); /* inbox-drop, inbox-retry */
void reports_metrics(struct reports *rs, struct admin_reply *reply);
void reports_warnings(struct reports *rs, struct admin_reply *reply);

#endif
