/*
 * dp-scan/upward.h - what is known of devices, on its way to the server.
 *
 * Shape:   every scan.report-interval a round of round.h, full ones at the start and
 *          every scan.report-full-interval; its parts are put into the inbox one after
 *          the other as reports of scan.id.
 * Ownership: upward_new() gives it, upward_free() ends it; the scan outlives it.
 * Errors:  what the inbox does not take is tried again, and is a warning.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_UPWARD_H
#define DP_SCAN_UPWARD_H

#include "common/worker.h"

struct scan;
struct upward;

int  upward_new(struct scan *s, struct upward **out);
void upward_free(struct upward **u);
void upward_configure(struct upward *u); /* as worker_settings() say */
void upward_second(struct upward *u);
void upward_status(const struct upward *u, struct admin_reply *r);
void upward_warnings(const struct upward *u, struct admin_reply *r);
uint64_t upward_parts(const struct upward *u); /* kept since the start */
uint64_t upward_bytes(const struct upward *u); /* of these */

#endif
