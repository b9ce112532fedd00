/*
 * dp-scan/scan.h - the keeper of what network polling knows: its parts.
 *
 * Shape:   one struct scan. Sights come from the listener, the kernel's tables
 *          (net.h) and whom agents connect to, into the records (devices.h);
 *          runs say what is asked when (run.c), the store keeps the records
 *          (keep.c), administrators ask (admin.c).
 * Ownership: scan_open() gives it, scan_close() ends it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_SCAN_H
#define DP_SCAN_SCAN_H

#include "common/sandbox.h"
#include "common/scope.h"
#include "common/store_client.h"
#include "common/worker.h"
#include "dp-scan/devices.h"
#include "dp-scan/net.h"
#include "dp-scan/poll.h"
#include "dp-scan/tally.h"
#include "dp-scan/upward.h"

#define RESULTS_MAX 256
#define RUNS_MAX    16

/* How the last poll of a network, or of all devices, went. */
#define LARGE_BITS   112 /* of 128; a shorter prefix needs a yes, */
#define LIMIT_BITS   104 /* and below this nothing helps */

struct result {
	enum probe_kind kind; /* PROBE_NONE: unused */
	uint8_t	 net[16], bits; /* bits 0: of devices, not of a network */
	char	 interface[16];	/* empty: routed */
	bool	 v4;
	char	 state[20];	/* "answers", "silent", "interface-gone", ... */
	struct tally_of claimant; /* answered for too many; n 0: nobody did */
	uint32_t when, took_ms;
	size_t	 targets, answered;
	uint64_t sent, failed;
};

struct run { /* what was ordered, or is due */
	unsigned	    kinds; /* bits 1 << enum probe_kind */
	bool		    has_net, large;
	uint8_t		    net[16], bits;
	uint32_t	    ifindex; /* 0: all */
	struct admin_reply *reply;   /* or NULL */
	const char	   *why;     /* "schedule", "order", "new network" */
	unsigned	    stage; /* of run.c's stages, the next one; 0: not begun */
	struct poll	   *polls;
	size_t		    npolls, at;
	uint64_t	    begun_ms, poll_ms;
	uint32_t	    begun;
	uint64_t	    sent, failed; /* of the poll */
	int		    error;
	size_t		    results; /* polls that had anybody to ask */
	size_t		    found; /* answers in all polls */
	uint64_t	    sent_all;
};

struct schedule {
	const char *name;
	unsigned    kinds;
	uint64_t    due_ms; /* of the loop's clock; 0: never */
};
enum { SCHEDULE_RANGES, SCHEDULE_NAMES, SCHEDULE_SNMP, SCHEDULES };

#define EVENT_ROOMS 3 /* none, Warning, Critical: none takes another's */

struct scan {
	struct worker	    *w;
	struct loop	    *loop;
	struct scan_conf     conf;
	struct scope	     ranges, exclude, snmp_ranges;
	struct ipc	    *probe, *listen;
	struct scan_directory *directory;
	struct scan_agents   *agents;
	struct store_client *store;
	struct net	    *net;
	struct devices	    *devices;
	struct upward	    *upward;
	struct loop_timer   *second;
	struct { int64_t wall, boot; uint32_t began, floor; } clock; /* s */
	uint64_t	     ticks, events_left_out;
	uint64_t	     events_room[EVENT_ROOMS]; /* by importance */
	char		     host[256]; /* this machine's name */
	uint64_t	     sights[SIGHT_BY_MAX];
	uint64_t	     malformed[PROTOCOLS]; /* as the listener says */
	bool		     missed_directory;
	uint32_t	     directory_said; /* of the last look at it */
	uint32_t	     directory_idle; /* when it was not being read last */
	bool		     going;	/* records were read, or cannot be */

	/* run.c */
	struct run	     runs[RUNS_MAX]; /* the first one is under way */
	size_t		     nruns;
	struct { uint32_t id, count, sent, failed; } orders[2];
	uint32_t	     next_order;
	uint64_t	     order_ms; /* when one was sent or answered last */
	struct loop_timer   *wait;
	bool		     waiting;
	struct schedule	     schedules[SCHEDULES];
	struct result	     results[RESULTS_MAX];
	struct tally	     tally; /* of the poll that is under way */
	uint64_t	     packets, polls; /* since the start */

	/* keep.c */
	uint32_t	     pages, pages_kept; /* of the store */
	uint32_t	     load_next, load_left;
	unsigned	     saving;
	size_t		     save_at;
	bool		     loading, loaded, draining, save_failed;
	uint64_t	     saved;
};

extern const struct sandbox scan_sandbox;

/* scan.c. May end the process: the first configuration must do. */
struct scan *scan_open(struct worker *w);
int	     scan_run(struct scan *s);
void	     scan_close(struct scan **s);
void	     scan_see(struct scan *s, const struct sight *sight);
/* Seconds since 1970. It stands still where the machine's clock is set back a little,
 * and leaps with it only where the devices' times go along. */
uint32_t     scan_now(const struct scan *s);
bool	     scan_uses(const struct scan *s, const struct net_link *l);
void	     scan_addr_text(const struct scan *s, const uint8_t addr[16],
	 char out[80]);

/* run.c */
extern const struct run_kind { const char *name; unsigned kinds; } run_kinds[];
int  runs_init(struct scan *s);
void runs_fini(struct scan *s);
void runs_configure(struct scan *s);
void runs_second(struct scan *s);
void runs_net_changed(struct scan *s);
bool runs_asks(const struct scan *s, const uint8_t addr[16]); /* by frames, now */
bool runs_asks_groups(const struct scan *s); /* by MLD, now */
void runs_heard(struct scan *s, const struct sight *sight);
/* No record is made of it now, nor ever if its poll ends so that it proves nothing. */
bool runs_withholds(const struct scan *s, const struct sight *sight);
int  runs_on_probed(void *scan, struct ipc_msg *m);
void runs_prober_back(struct scan *s);
/* -EBUSY: enough wait; -ERANGE: larger than a /16, without a yes; -E2BIG: larger
 * than a /8. */
int  runs_add(struct scan *s, const struct run *take);
bool runs_covers(const struct scan *s, const uint8_t addr[16]);

/* keep.c */
void keep_attached(struct scan *s);
void keep_second(struct scan *s);
void keep_drain(struct scan *s);

/* admin.c */
extern const struct admin_command scan_commands[];
void scan_metrics(void *scan, struct worker *w, struct admin_reply *r);
void scan_warnings(void *scan, struct admin_reply *r);
const char *scan_family(bool v4); /* "IPv4" */
json_t *scan_claimant(const struct tally_of *t); /* its MAC address, or null */
json_t *scan_device_row(const struct scan *s, const struct record *r);
/* Without what changes whenever the device is heard; see round.h. */
json_t *scan_device_lasting(const struct scan *s, const struct record *r);

#endif
