/*
 * dp-store/reports_give.c - reports for who forwards them, and whose turn it is.
 *
 * Runs in dp-store: run_take() in the inbox's thread, the rest in the loop. A
 * device has a lease while a report of its is out, so that they leave in order,
 * and while it is held back after a failure. Believes nothing of the forwarder.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/reports_own.h"

#include "common/log.h"
#include "common/wr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* -- leases -- */

bool
lease_has(const struct lease *of, size_t n, const uint8_t *device)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(of[i].device, device, REPORT_DEVICE_LEN) == 0)
			return true;
	return false;
}

void
lease_end(struct reports *rs, const uint8_t *device)
{
	for (size_t i = 0; i < rs->nleases; i++)
		if (memcmp(rs->leases[i].device, device, REPORT_DEVICE_LEN) == 0) {
			rs->leases[i] = rs->leases[--rs->nleases];
			return;
		}
}

static void
lease_add(struct reports *rs, const uint8_t *device, uint64_t until_ms)
{
	size_t i = rs->nleases;

	/* one that only waits makes room: it is tried too soon, that is all;
	 * reports_on_take() sees to it that there is one */
	if (i == LEASES_MAX)
		for (i = 0; i < LEASES_MAX - 1 && rs->leases[i].until_ms == LEASE_OUT;)
			i++;
	else
		rs->nleases++;
	memcpy(rs->leases[i].device, device, REPORT_DEVICE_LEN);
	rs->leases[i].until_ms = until_ms;
}

void
lease_hold(struct reports *rs, const uint8_t *device, uint64_t ms)
{
	lease_add(rs, device, loop_now_ms(rs->s->loop) + ms);
}

static size_t
leases_out(const struct reports *rs)
{
	size_t n = 0;

	for (size_t i = 0; i < rs->nleases; i++)
		n += rs->leases[i].until_ms == LEASE_OUT;
	return n;
}

static void
leases_review(struct reports *rs)
{
	uint64_t now = loop_now_ms(rs->s->loop), next = LEASE_OUT;

	for (size_t i = 0; i < rs->nleases;)
		if (rs->leases[i].until_ms <= now)
			rs->leases[i] = rs->leases[--rs->nleases];
		else {
			if (rs->leases[i].until_ms < next)
				next = rs->leases[i].until_ms;
			i++;
		}
	if (next != LEASE_OUT)
		loop_timer_set(rs->give_timer, next - now);
}

/* -- taking -- */

struct taking {
	struct job	 job;
	struct reports	*rs;
	struct view	 view;
	struct lease	 leases[LEASES_MAX];
	size_t		 nleases;
	uint8_t		 after[REPORT_DEVICE_LEN];
	struct report_id id;
	uint8_t		*body;
	size_t		 len;
	int		 r;
};

static bool
is_leased(void *ctx, const uint8_t *device)
{
	const struct taking *t = ctx;

	return lease_has(t->leases, t->nleases, device);
}

static void
run_take(struct job *j)
{
	struct taking	   *t = (struct taking *)j;
	struct inbox	   *ib = t->rs->inbox;
	struct inbox_record rec;

	if ((t->r = inbox_begin(ib)) == 0) {
		t->r = inbox_next(ib, t->after, is_leased, t, &t->id, &rec);
		if (t->r == 0 && (t->body = malloc(rec.len + 1)) == NULL)
			t->r = -ENOMEM;
		if (t->r == 0) {
			memcpy(t->body, rec.body, rec.len);
			t->len = rec.len;
		}
		inbox_abort(ib);
	}
	reports_look(ib, &t->view);
}

/* The last bytes come with REPORT, those before in parts. */
static int
send_report(struct peer *p, uint32_t id, const struct taking *t)
{
	const size_t max = MSG_MAX_PAYLOAD - INBOX_KEY_LEN;
	uint8_t	     buf[MSG_MAX_PAYLOAD];
	struct wr    w = wr_to(buf, sizeof(buf));
	size_t	     at = 0;
	int	     r = 0;

	for (; r == 0 && t->len - at > max; at += max)
		r = ipc_send(p->ipc, MSG_REPORT_PART, id, t->body + at, max);
	wr_bytes(&w, t->id.device, REPORT_DEVICE_LEN);
	wr_u64(&w, t->id.sequence);
	wr_bytes(&w, t->body + at, t->len - at);
	return r < 0 ? r : ipc_send(p->ipc, MSG_REPORT, id, w.buf, w.len);
}

static void
done_take(struct job *j)
{
	struct taking  *t = (struct taking *)j;
	struct reports *rs = t->rs;
	struct peer    *p = rs->taker;
	int		r;

	rs->taking = false;
	reports_took(rs, &t->view);
	/* who asked may have left meanwhile */
	if (t->r == 0 && p != NULL && p->ipc != NULL && rs->ntakes > 0 &&
	    rs->takes[0].turn == p->turn) {
		uint32_t id = rs->takes[0].id;

		memmove(rs->takes, rs->takes + 1,
		    --rs->ntakes * sizeof(rs->takes[0]));
		if ((r = send_report(p, id, t)) == 0) {
			lease_add(rs, t->id.device, LEASE_OUT);
			memcpy(rs->after, t->id.device, REPORT_DEVICE_LEN);
		}
		peer_sent(p, r);
		reports_give(rs);
	} else if (rs->asked_again) /* what was leased may not be any more */
		reports_give(rs);
	if (t->r < 0 && t->r != -ENOENT) {
		log_warn_err(t->r, "inbox: the next report");
		reports_retry(rs);
	}
	free(t->body);
	free(t);
}

/* Whoever waits for a report gets one, if there is one. */
void
reports_give(void *ctx)
{
	struct reports *rs = ctx;
	struct taking  *t;

	leases_review(rs);
	rs->asked_again = rs->taking;
	if (rs->taking || rs->ntakes == 0 || rs->sums.queued == 0 ||
	    rs->s->draining)
		return;
	if ((t = calloc(1, sizeof(*t))) == NULL) {
		reports_retry(rs);
		return;
	}
	t->rs = rs;
	memcpy(t->leases, rs->leases, rs->nleases * sizeof(rs->leases[0]));
	t->nleases = rs->nleases;
	memcpy(t->after, rs->after, sizeof(t->after));
	rs->taking = true;
	reports_submit(rs, &t->job, run_take, done_take);
}

int
reports_on_take(void *peer, struct ipc_msg *m)
{
	struct peer    *p = peer;
	struct reports *rs = p->store->reports;

	if (rs->ntakes == TAKES_MAX ||
	    leases_out(rs) + rs->ntakes >= LEASES_MAX - 1)
		return -EBADMSG;
	rs->taker = p;
	rs->takes[rs->ntakes++] = (struct take){ p->turn, m->id };
	reports_give(rs);
	return 0;
}

void
reports_taker_gone(struct reports *rs)
{
	rs->ntakes = 0;
	for (size_t i = 0; i < rs->nleases;)
		if (rs->leases[i].until_ms == LEASE_OUT)
			rs->leases[i] = rs->leases[--rs->nleases];
		else
			i++;
}
