/*
 * dp-serve/inbox.h - reports that devices put, on their way to the store.
 *
 *   PUT /v1/reports/<device>/<sequence>   (common/report.h)
 * Shape:   a struct upload is one report: its bytes, filled in by whoever
 *          reads them, then inbox_put(). The store keeps it on its disk before
 *          status is set and woken() called, out of no function of this file's;
 *          who will not wait frees it, and the report may be kept all the same;
 *          what the store was asked counts as here until the store has answered.
 * Who:     the device of the certificate, and only under its own name.
 * Answers: 201 kept, 200 kept before (a repeat), both with the highest sequence
 *          that was ever kept of the device; 507 no room. Before the body: 404
 *          there is no inbox, 403 another's, or no certificate of a device, 400
 *          no such path, 411 no length, 413 larger than inbox.max-report, 429
 *          (RFC 6585) one of the device is under way, 503 the store is away or
 *          too much is under way.
 * Bounds:  one upload of a device at a time, on however many connections; a
 *          device whose last connection is dead without our knowing gets its
 *          turn when conn.c gives that up. UPLOAD_SUM bytes of all bodies that
 *          are here.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SERVE_INBOX_H
#define DP_SERVE_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/report.h"
#include "dp-serve/content.h"

#define UPLOAD_SUM (64U * 1024 * 1024)

struct inbox;

struct upload {
	struct report_id id;
	size_t		 got; /* of len bytes; the reader counts */
	size_t		 len;
	bool		 asked;
	int		 status; /* of HTTP; 0: not yet */
	uint64_t	 highest;
	void		 (*woken)(struct upload *u);
	void		*ctx;

	/* inbox.c's own */
	struct inbox	*in;
	struct upload	*next, *beside;
	bool		 left;
	uint32_t	 ticket;
	uint8_t		 bytes[];
};

/* Why a report was not taken, before the store was asked. */
enum inbox_refusal {
	REFUSED_OFF,
	REFUSED_DEVICE,
	REFUSED_PATH,
	REFUSED_LENGTH,
	REFUSED_SIZE,
	REFUSED_BUSY,
	REFUSED_UNDER_WAY,
	REFUSED_MAX
};
extern const char *const inbox_refusals[REFUSED_MAX];

struct inbox_counts {
	uint64_t put, refused[REFUSED_MAX], bytes; /* bytes: here now */
};

/* The store's channel is the content's; c outlives it. */
int  inbox_new(struct content *c, struct inbox **out);
void inbox_free(struct inbox **in); /* after its uploads */
void inbox_set(struct inbox *in, bool enabled, uint64_t max_report);

/* uri: of the certificate, or "". 0, or a status of HTTP's. */
int  inbox_begin(struct inbox *in, const char *path, size_t len,
     const char *uri, bool has_length, uint64_t body_len, struct upload **out);
void inbox_put(struct upload *u); /* got is len; sets status if it fails */
void upload_free(struct upload **u);

const struct inbox_counts *inbox_counts(const struct inbox *in);

#endif
