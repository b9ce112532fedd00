/*
 * dp-store/reports_own.h - what the files of reports.h share among themselves.
 *
 *   reports.c        life, configuration, jobs in the inbox's thread
 *   reports_write.c  puts and ends on their way to the disk, many a commit
 *   reports_give.c   who forwards gets a report, of a device that has none out
 *   reports_age.c    what has waited for too long
 *   reports_admin.c  what an administrator is told and may change
 * Thread:  struct reports is the loop's; a job, in the inbox's thread, touches of
 *          it only inbox, and its own struct.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_STORE_REPORTS_OWN_H
#define DP_STORE_REPORTS_OWN_H

#include "dp-store/inbox.h"
#include "dp-store/io.h"
#include "dp-store/reports.h"
#include "dp-store/store.h"

#define SLICE	   256 /* rows of one turn of what takes long */
#define TAKES_MAX  64
#define LEASES_MAX 256

struct op; /* of reports_write.c */

struct lease { /* a device whose turn it is not */
	uint8_t	 device[REPORT_DEVICE_LEN];
	uint64_t until_ms; /* LEASE_OUT: its report is under way */
};
#define LEASE_OUT UINT64_MAX

struct take {
	uint32_t turn, id;
};

struct report_counts {
	uint64_t kept, repeated, failed, full[FULL_MAX];
	uint64_t forwarded, expired, refused, dropped_refused, dropped_admin;
	uint64_t forgotten, commits;
};

struct reports {
	struct store	   *s;
	struct inbox	   *inbox;
	struct io	   *io;
	size_t		    jobs;
	struct inbox_limits limits;
	uint64_t	    max_age, reserve;
	bool		    has_point; /* dp-scan reports, too: */
	uint8_t		    point[REPORT_DEVICE_LEN]; /* as this device */
	struct inbox_sums   sums; /* as of the last job */
	uint64_t	    oldest;
	struct report_counts n;
	/* reports_write.c */
	struct op	   *todo, **todo_end;
	size_t		    nops, op_bytes;
	bool		    committing, is_full;
	uint64_t	    told_full_ms, told_point_ms;
	uint8_t		   *part[PEER_MAX]; /* of a report, before its end */
	size_t		    npart[PEER_MAX];
	uint32_t	    part_id[PEER_MAX]; /* of which: its end may never come */
	/* reports_give.c */
	struct peer	   *taker;
	struct take	    takes[TAKES_MAX]; /* of the taker */
	size_t		    ntakes;
	struct lease	    leases[LEASES_MAX];
	size_t		    nleases;
	uint8_t		    after[REPORT_DEVICE_LEN];
	bool		    taking, asked_again; /* while it takes */
	struct loop_timer  *give_timer;
	/* reports_age.c */
	struct loop_timer  *age_timer;
	bool		    expiring;
};

/* reports.c: a job begins with its struct job, and calls reports_look() at the
 * end of run() and reports_took() at the beginning of done(). */
struct view { /* of the inbox after whatever a job did */
	struct inbox_sums sums;
	uint64_t	  oldest;
};
void reports_submit(struct reports *rs, struct job *j,
     void (*run)(struct job *), void (*done)(struct job *));
void reports_look(struct inbox *ib, struct view *v);
void reports_took(struct reports *rs, const struct view *v);
/* There was no memory for a job, or it failed: all is tried again in a while. */
void reports_retry(struct reports *rs);

/* reports_write.c */
extern const char *const report_full_names[FULL_MAX];
void reports_write(struct reports *rs); /* the next commit, if it can be now */
void reports_part_drop(struct reports *rs, enum peer_role role);

/* reports_give.c */
void reports_give(void *reports); /* to whoever waits, if there is one */
void reports_taker_gone(struct reports *rs);
bool lease_has(const struct lease *of, size_t n, const uint8_t *device);
void lease_end(struct reports *rs, const uint8_t *device);
void lease_hold(struct reports *rs, const uint8_t *device, uint64_t ms);

/* reports_age.c */
void reports_age(void *reports);

#endif
