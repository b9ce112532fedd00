/*
 * dp-fetch/forward.h - devices' reports, from the store to the server.
 *
 * Shape:   inbox.parallel slots, each with one report under way: taken from the
 *          store, PUT to inbox.url "/<device>/<sequence>", its end told to the
 *          store. The store gives no second report of a device before the first
 *          is done, so each device's arrive in order.
 * Meaning: forward_end_of() is pure. 2xx: the server has it. No answer, 5xx,
 *          408, 425, 429, 3xx and what concerns us and not the report (401, 403,
 *          404, 405, 407, 421, 426, 451): later. Any other 4xx: refused.
 * Failing: while nothing gets through, one slot tries, at intervals that grow
 *          from 1 s to 60 s; one device whose report alone fails is held back
 *          and the others go on. A Retry-After, of 10 minutes at most, is kept.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_FETCH_FORWARD_H
#define DP_FETCH_FORWARD_H

#include "common/report.h"
#include "common/settings.h"
#include "common/worker.h"

#include <stdbool.h>

struct fetch;
struct forward;
struct forward_conf; /* as read from the configuration, before it is applied */

enum report_end forward_end_of(unsigned status); /* 0: no answer */

int  forward_new(struct fetch *f, struct forward **out);
/* -EINVAL: what is wrong has been said. */
int  forward_read(struct fetch *f, const struct inbox_conf *conf,
     struct forward_conf **out);
void forward_conf_free(struct forward_conf **c);
void forward_apply(struct forward *w, struct forward_conf **take);
void forward_store_ready(struct forward *w);
void forward_store_lost(struct forward *w);
void forward_end(struct forward *w); /* nothing more is taken or sent */

void forward_flush(void *fetch, struct admin_reply *reply, int argc,
    char *argv[]);
void forward_metrics(struct forward *w, struct admin_reply *reply);
void forward_warnings(struct forward *w, struct admin_reply *reply);

#endif
