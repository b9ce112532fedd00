/*
 * dpctl/snapshot.h - what a distribution point is doing at one moment.
 *
 * Shape:   the rows of several admin commands, asked one after the other. Only
 *          status must answer; a worker that does not leaves its part empty.
 * Ownership: snapshot_free() releases everything; it accepts an empty one.
 * SPDX-License-Identifier: ISC
 */
#ifndef DPCTL_SNAPSHOT_H
#define DPCTL_SNAPSHOT_H

#include "dpctl/dpctl.h"

struct snapshot {
	int64_t time;	   /* seconds since the epoch */
	double	clock_s;   /* monotonic, for rates */
	json_t *status;	   /* one row */
	json_t *warnings;  /* rows */
	json_t *repositories, *line; /* of fetch-status: rows, one row */
	json_t *serve;	   /* one row */
	json_t *multicast; /* one row, of mcast-stats */
	json_t *sessions;  /* rows, those that run first */
	/* SNAPSHOT_ALL only */
	json_t *workers, *store, *events; /* rows, one row, rows */
	char	multicast_why[256]; /* why there is none */
	json_t *polls, *devices; /* rows of scan-status, scan-devices */
	char	devices_why[256]; /* why there are none */
	json_t *gateway; /* rows of gateway-stats; none where it is off */
};

enum snapshot_kind { SNAPSHOT_TOP, SNAPSHOT_ALL };

/* EX_DONE, or a status and the reason in why; *s is empty then. */
int snapshot_take(struct snapshot *s, const struct args *a,
    enum snapshot_kind kind, char *why, size_t size);
void snapshot_free(struct snapshot *s);

double num(const json_t *row, const char *key); /* 0 where it is none */
/* The change of a number that only grows, per second; -1: not known. */
double rate_of(const json_t *now, const json_t *before, const char *key,
    double seconds);

#endif
