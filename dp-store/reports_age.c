/*
 * dp-store/reports_age.c - what has waited for longer than inbox.max-age.
 *
 * Runs in dp-store: run_expire() in the inbox's thread, the rest in the loop. Time
 * is the inbox's clock, which no step of the wall clock moves.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/reports_own.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRE_MS 60000

struct ageing {
	struct job	 job;
	struct reports	*rs;
	struct view	 view;
	uint64_t	 before;
	struct report_id gone[SLICE];
	size_t		 n;
	int		 r;
};

static void
run_expire(struct job *j)
{
	struct ageing *a = (struct ageing *)j;
	struct inbox  *ib = a->rs->inbox;

	if ((a->r = inbox_begin(ib)) == 0) {
		a->r = inbox_expire(ib, a->before, SLICE, a->gone, &a->n);
		if (a->r == 0)
			a->r = inbox_commit(ib); /* the clock, if nothing else */
		else
			inbox_abort(ib);
		if (a->r == -ENOSPC && a->n == 0)
			a->r = 0; /* the clock is written when there is room */
	}
	reports_look(ib, &a->view);
}

/* One event for each device and slice. */
static void
tell_expired(struct reports *rs, struct ageing *a)
{
	char	 device[REPORT_DEVICE_TEXT];
	unsigned n;

	for (size_t i = 0; i < a->n; i += n) {
		struct report_id *first = &a->gone[i];
		uint64_t	  last = first->sequence;

		n = 1;
		for (size_t k = i + 1; k < a->n; k++)
			if (memcmp(a->gone[k].device, first->device,
				REPORT_DEVICE_LEN) == 0) {
				struct report_id it = a->gone[k];

				a->gone[k] = a->gone[i + n];
				a->gone[i + n++] = it;
				last = it.sequence > last ? it.sequence : last;
			}
		report_device_text(first->device, device);
		log_warn("inbox: %u reports of %s, up to %llu, are too old: "
			 "dropped", n, device, (unsigned long long)last);
		worker_event(rs->s->worker, "reports-expired",
		    json_pack("{s:s,s:i,s:I,s:I}", "device", device, "reports",
			(int)n, "first", (json_int_t)first->sequence, "last",
			(json_int_t)last));
	}
	rs->n.expired += a->n;
}

static void
done_expire(struct job *j)
{
	struct ageing  *a = (struct ageing *)j;
	struct reports *rs = a->rs;
	bool		more = a->r == 0 && a->n == SLICE;

	rs->expiring = false;
	reports_took(rs, &a->view);
	if (a->r == 0)
		tell_expired(rs, a);
	else
		log_warn_err(a->r, "inbox: reports that are too old");
	free(a);
	loop_timer_set(rs->age_timer, more ? 0 : EXPIRE_MS);
}

void
reports_age(void *ctx)
{
	struct reports *rs = ctx;
	uint64_t	now = inbox_now(rs->inbox);
	struct ageing  *a;

	loop_timer_set(rs->age_timer, EXPIRE_MS);
	if (rs->expiring || rs->s->draining || now <= rs->max_age ||
	    rs->sums.queued + rs->sums.aside == 0 ||
	    (a = calloc(1, sizeof(*a))) == NULL)
		return;
	a->rs = rs;
	a->before = now - rs->max_age;
	rs->expiring = true;
	reports_submit(rs, &a->job, run_expire, done_expire);
}
