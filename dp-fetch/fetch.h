/*
 * dp-fetch/fetch.h - the parts of dp-fetch and what they share.
 *
 * Shape:   one struct fetch; a repo per repository; a job per object under
 *          way, whoever waits for it; a want per question of the server.
 * Ownership: jobs free themselves when done or when nobody waits. A waiter is
 *          part of who waits, who leaves (job_leave) before it goes.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_FETCH_FETCH_H
#define DP_FETCH_FETCH_H

#include "common/connect_client.h"
#include "common/download.h"
#include "common/sandbox.h"
#include "common/store_client.h"
#include "common/wan.h"
#include "common/worker.h"
#include "dp-fetch/bucket.h"
#include "dp-fetch/forward.h"
#include "dp-fetch/set.h"
#include "dp-fetch/source.h"

#define REPOS 2

struct fetch;
struct job;
struct repo;
struct want;

/* -- job.c: an object from the line into the store -- */

struct job_waiter {
	struct job_waiter *next;
	struct job	  *job; /* NULL: waits for nothing */
	void		  *ctx;
	/* Any may be NULL. fd: read-only, of what is there so far, borrowed. */
	void (*opened)(void *ctx, const struct target *t, int fd);
	void (*progress)(void *ctx, uint64_t there);
	void (*verified)(void *ctx); /* all there, hash is right */
	/* Last: published, or r and text say why not. */
	void (*done)(void *ctx, int r, const char *text);
};

/* Joins the job of this object or makes one. on_demand: a device waits. The
 * answers come later, never from inside. */
int  job_want(struct fetch *f, struct repo *repo, const struct target *t,
     bool on_demand, struct job_waiter *w);
void job_leave(struct job_waiter *w);
void jobs_pump(struct fetch *f);	/* start what may start */
void jobs_store_lost(struct fetch *f);	/* begin again when it is back */
void jobs_again(struct fetch *f, struct repo *repo); /* with its new source */
void jobs_end(struct fetch *f);		/* keep partial files, then forget */

/* -- repo.c: one repository -- */

enum repo_step {
	REPO_OFF,     /* no upstream */
	REPO_LOADING, /* what is trusted already, from the store */
	REPO_IDLE,
	REPO_META,    /* metadata from upstream */
	REPO_SAVE,    /* trusted metadata to the store */
	REPO_PUT,     /* metadata as objects */
	REPO_TARGETS, /* what the scope needs */
	REPO_NAMES,   /* makes it visible */
};

struct repo_reply { /* an admin command that waits */
	struct repo_reply  *next;
	struct admin_reply *reply;
};

struct repo {
	struct fetch	       *f;
	const char	       *space, *prefix;
	struct source		src;

	enum repo_step		step;
	struct loop_timer      *timer;
	struct state		state;
	bool			state_changed, state_loaded;
	uint8_t		       *blob; /* state on its way to or from disk */
	size_t			blob_len, blob_at, blob_chunks;
	uint8_t			bank;
	struct tuf	       *tuf;
	struct tuf_want		want;
	bool			all_roles, roots_done;
	struct download	       *download;
	size_t			source; /* of src.urls, metadata is asked of */
	struct set	       *now, *next; /* in force; being fetched */
	size_t			at;	    /* progress of the step */
	unsigned		waiting, asked; /* answers that are due */
	struct preload	       *preloads;
	int			r; /* first failure of the step */
	char			why[600];   /* so far, in the refresh under way */
	char			error[600]; /* of the last one; or "" */
	unsigned		failures;
	int64_t			last_ok, last_try;
	bool			told_expired, is_committed;
	struct repo_reply      *replies;
};

int  repo_init(struct repo *r, struct fetch *f, const char *space,
     const char *prefix, const struct repo_conf *conf);
/* A reload, once all that may fail has been read; transfers go on, unless they
 * are from what is no more to be asked. */
void repo_apply(struct repo *r, struct source **take);
void repo_check_expiry(struct repo *r);
void repo_store_ready(struct repo *r);
void repo_store_lost(struct repo *r);
void repo_refresh(struct repo *r, struct admin_reply *reply); /* or NULL */
void repo_end(struct repo *r);
const char *repo_step_name(enum repo_step s);

/* -- want.c: what the server asks for -- */

void wants_peer(struct fetch *f, int take_fd);
void wants_end(struct fetch *f);

/* -- main.c -- */

struct fetch {
	struct worker	    *worker;
	struct loop	    *loop;
	struct store_client *store;
	struct connect_client *connector;
	struct ipc	    *asker;
	struct downloads    *downloads;
	struct fetch_conf    conf;
	struct wan	     wan;
	struct bucket	     bucket;
	struct loop_timer   *minute;
	char		    *system_ca;
	size_t		     system_ca_len;
	struct repo	     repos[REPOS];
	struct job	    *jobs;
	struct want	    *wants;
	struct forward	    *forward;
	bool		     draining;
	/* counted since the start */
	uint64_t wan_bytes, downloads_ok, downloads_failed, bytes_verified;
	uint64_t wrong_bytes, refreshes_ok, refreshes_failed, wants_answered;
};

extern const struct sandbox fetch_sandbox;

#endif
