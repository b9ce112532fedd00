/*
 * dp-store/reports.c - batches, leases and ages of reports; see reports.h.
 *
 * Runs in dp-store: run_*() in the inbox's thread, the rest in the loop.
 * Believes the server of HTTPS about which device it is, and the forwarder
 * about what became of a report; about shapes nobody.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/reports.h"

#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"
#include "dp-store/inbox.h"
#include "dp-store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define BATCH_BYTES (2U << 20) /* of one commit; what is more is the next's */
#define OPS_MAX	    8192       /* that wait; then -ENOBUFS: 503 */
#define TAKES_MAX   64
#define LEASES_MAX  256
#define SLICE	    256 /* rows of one turn of what takes long */
#define EXPIRE_MS   60000
#define TELL_MS	    60000 /* from one event of a full inbox to the next */
#define OUT	    UINT64_MAX

struct op { /* a put or an end, on its way to the disk */
	struct op	 *next;
	struct peer	 *p;
	uint32_t	  turn, id;
	struct report_id  of;
	bool		  is_put;
	struct inbox_kept kept;
	enum report_end	  end;
	uint16_t	  status;
	uint32_t	  hold_ms;
	bool		  dropped;
	int		  r;
	size_t		  len;
	uint8_t		  bytes[];
};

struct lease { /* a device whose turn it is not */
	uint8_t	 device[REPORT_DEVICE_LEN];
	uint64_t until_ms; /* OUT: its report is under way */
};

struct take {
	uint32_t turn, id;
};

struct counts {
	uint64_t kept, repeated, failed, full[FULL_MAX];
	uint64_t forwarded, expired, refused, dropped_refused, dropped_admin;
	uint64_t forgotten, commits;
};

struct reports {
	struct store	   *s;
	struct inbox	   *inbox;
	struct io	   *io;
	struct op	   *todo, **todo_end;
	size_t		    nops, jobs;
	bool		    committing, taking, expiring;
	struct lease	    leases[LEASES_MAX];
	size_t		    nleases;
	struct take	    takes[TAKES_MAX]; /* of the one who forwards */
	size_t		    ntakes;
	struct peer	   *taker;
	uint8_t		    after[REPORT_DEVICE_LEN];
	uint8_t		   *part[PEER_MAX]; /* of a report, before its end */
	size_t		    npart[PEER_MAX];
	uint32_t	    part_id[PEER_MAX]; /* of which: its end may never come */
	struct inbox_limits limits;
	uint64_t	    max_age, reserve;
	struct loop_timer  *expire, *lease_timer;
	/* as of the last job */
	struct inbox_sums   sums;
	uint64_t	    oldest;
	struct counts	    n;
	uint64_t	    told_full_ms;
	bool		    is_full;
};

static void kick(void *ctx);

static const char *const full_names[FULL_MAX] = { "size", "device-size",
	"devices", "disk" };

static void
submit(struct reports *rs, struct job *j, void (*run)(struct job *),
    void (*done)(struct job *))
{
	j->run = run;
	j->done = done;
	rs->jobs++;
	io_submit(rs->io, j);
}

/* In the inbox's thread, after whatever a job did: for the loop to copy. */
struct view {
	struct inbox_sums sums;
	uint64_t	  oldest;
};

static void
look(struct inbox *ib, struct view *v)
{
	v->sums = inbox_sums(ib);
	v->oldest = 0;
	if (v->sums.queued + v->sums.aside == 0 || inbox_begin(ib) < 0)
		return;
	(void)inbox_oldest(ib, &v->oldest);
	inbox_abort(ib);
}

static void
took(struct reports *rs, const struct view *v)
{
	rs->jobs--;
	rs->sums = v->sums;
	rs->oldest = v->oldest;
	store_check(rs->s);
}

/* -- leases -- */

static bool
lease_has(const struct lease *of, size_t n, const uint8_t *device)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(of[i].device, device, REPORT_DEVICE_LEN) == 0)
			return true;
	return false;
}

static void
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
		for (i = 0; i < LEASES_MAX - 1 && rs->leases[i].until_ms == OUT;)
			i++;
	else
		rs->nleases++;
	memcpy(rs->leases[i].device, device, REPORT_DEVICE_LEN);
	rs->leases[i].until_ms = until_ms;
}

static size_t
leases_out(const struct reports *rs)
{
	size_t n = 0;

	for (size_t i = 0; i < rs->nleases; i++)
		n += rs->leases[i].until_ms == OUT;
	return n;
}

static void
leases_review(struct reports *rs)
{
	uint64_t now = loop_now_ms(rs->s->loop), next = OUT;

	for (size_t i = 0; i < rs->nleases;)
		if (rs->leases[i].until_ms <= now)
			rs->leases[i] = rs->leases[--rs->nleases];
		else {
			if (rs->leases[i].until_ms < next)
				next = rs->leases[i].until_ms;
			i++;
		}
	if (next != OUT)
		loop_timer_set(rs->lease_timer, next - now);
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
	look(ib, &t->view);
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

	rs->taking = false;
	took(rs, &t->view);
	if (t->r < 0 && t->r != -ENOENT)
		log_warn_err(t->r, "inbox: the next report");
	/* who asked may have left meanwhile */
	if (t->r == 0 && p != NULL && p->ipc != NULL && rs->ntakes > 0 &&
	    rs->takes[0].turn == p->turn) {
		uint32_t id = rs->takes[0].id;

		memmove(rs->takes, rs->takes + 1,
		    --rs->ntakes * sizeof(rs->takes[0]));
		if (send_report(p, id, t) == 0) {
			lease_add(rs, t->id.device, OUT);
			memcpy(rs->after, t->id.device, REPORT_DEVICE_LEN);
		}
		kick(rs);
	}
	free(t->body);
	free(t);
}

/* Whoever waits for a report gets one, if there is one. */
static void
kick(void *ctx)
{
	struct reports *rs = ctx;
	struct taking  *t;

	leases_review(rs);
	if (rs->taking || rs->ntakes == 0 || rs->sums.queued == 0 ||
	    rs->s->draining || (t = calloc(1, sizeof(*t))) == NULL)
		return;
	t->rs = rs;
	memcpy(t->leases, rs->leases, rs->nleases * sizeof(rs->leases[0]));
	t->nleases = rs->nleases;
	memcpy(t->after, rs->after, sizeof(t->after));
	rs->taking = true;
	submit(rs, &t->job, run_take, done_take);
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
	kick(rs);
	return 0;
}

/* -- batches -- */

struct batch {
	struct job	    job;
	struct reports	   *rs;
	struct view	    view;
	struct op	   *ops;
	struct inbox_limits limits;
	uint64_t	    reserve, now;
};

static int
apply_one(struct batch *b, struct op *op)
{
	struct inbox *ib = b->rs->inbox;

	if (op->is_put)
		return inbox_put(ib, &op->of, b->now, op->bytes, op->len,
		    &b->limits, &op->kept);
	if (op->end == REPORT_FORWARDED)
		return inbox_remove(ib, &op->of, b->now);
	return inbox_refuse(ib, &op->of, op->status, b->now, &b->limits,
	    &op->dropped);
}

/* All that are to be applied, in one commit; of the ends one may be for a
 * report that has gone meanwhile. */
static int
apply(struct batch *b, bool puts)
{
	struct inbox *ib = b->rs->inbox;
	int	      r = inbox_begin(ib);

	if (r < 0)
		return r;
	for (struct op *op = b->ops; r == 0 && op != NULL; op = op->next) {
		if ((op->is_put && !puts) ||
		    (!op->is_put && op->end == REPORT_LATER))
			continue;
		op->r = apply_one(b, op);
		if (op->r != -ENOENT || op->is_put)
			r = op->r;
	}
	if (r < 0)
		inbox_abort(ib);
	else
		r = inbox_commit(ib);
	return r;
}

static void
no_room(struct batch *b)
{
	for (struct op *op = b->ops; op != NULL; op = op->next)
		if (op->is_put) {
			op->kept = (struct inbox_kept){ .kept = REPORT_FULL,
				.why = FULL_DISK };
			op->r = 0; /* which is no failure */
		}
}

static void
run_batch(struct job *j)
{
	struct batch *b = (struct batch *)j;
	uint64_t      bytes = 0, space;
	bool	      puts;
	int	      r = 0;

	for (struct op *op = b->ops; op != NULL; op = op->next)
		if (op->is_put)
			bytes += inbox_cost(op->len);
	puts = bytes > 0;
	if (puts && b->reserve > 0 &&
	    (content_free_bytes(b->rs->s->content, &space) < 0 ||
		space < b->reserve + bytes))
		r = -ENOSPC;
	else if (puts)
		r = inbox_reserve(b->rs->inbox, bytes);
	if (r == 0)
		r = apply(b, puts);
	if (r == -ENOSPC && puts) { /* what leaves must leave all the same */
		no_room(b);
		r = apply(b, false);
	}
	if (r < 0)
		for (struct op *op = b->ops; op != NULL; op = op->next)
			op->r = r;
	look(b->rs->inbox, &b->view);
}

static void
tell_full(struct reports *rs, const struct op *op)
{
	uint64_t now = loop_now_ms(rs->s->loop);
	char	 device[REPORT_DEVICE_TEXT];

	rs->n.full[op->kept.why]++;
	rs->is_full = rs->is_full || op->kept.why != FULL_DEVICE;
	if (rs->told_full_ms != 0 && now - rs->told_full_ms < TELL_MS)
		return;
	rs->told_full_ms = now;
	report_device_text(op->of.device, device);
	log_warn("inbox: no room (%s), first for a report of %s: refused",
	    full_names[op->kept.why], device);
	worker_event(rs->s->worker, "inbox-full",
	    json_pack("{s:s,s:s}", "reason", full_names[op->kept.why], "device",
		device));
}

static void
answer_put(struct reports *rs, struct op *op)
{
	uint8_t	  buf[9];
	struct wr w = wr_to(buf, sizeof(buf));

	if (op->r < 0)
		op->kept = (struct inbox_kept){ .kept = REPORT_FAILED };
	rs->n.forgotten += op->kept.forgotten;
	switch (op->kept.kept) {
	case REPORT_KEPT:
		rs->n.kept++;
		rs->is_full = false;
		break;
	case REPORT_REPEATED:
		rs->n.repeated++;
		break;
	case REPORT_FULL:
		tell_full(rs, op);
		break;
	default:
		rs->n.failed++;
	}
	if (op->p->ipc == NULL || op->p->turn != op->turn)
		return;
	wr_u8(&w, (uint8_t)op->kept.kept);
	wr_u64(&w, op->kept.highest);
	(void)ipc_send(op->p->ipc, MSG_REPORT_KEPT, op->id, buf, w.len);
}

static void
tell_refused(struct reports *rs, const struct op *op)
{
	char device[REPORT_DEVICE_TEXT];

	rs->n.refused++;
	rs->n.dropped_refused += op->dropped;
	report_device_text(op->of.device, device);
	log_warn("inbox: report %llu of %s: the server refuses it with %u; %s",
	    (unsigned long long)op->of.sequence, device, op->status,
	    op->dropped ? "dropped" : "set aside");
	worker_event(rs->s->worker, "report-refused",
	    json_pack("{s:s,s:I,s:i,s:b}", "device", device, "sequence",
		(json_int_t)op->of.sequence, "status", (int)op->status,
		"dropped", op->dropped));
}

static void
answer_end(struct reports *rs, struct op *op)
{
	const bool is_here = op->p->ipc != NULL && op->p->turn == op->turn;

	/* the leases of one that has gone meanwhile went with it, and the next
	 * one may have that device's */
	if (is_here)
		lease_end(rs, op->of.device);
	if (op->r == -ENOENT)
		op->r = 0; /* too old, or dropped, while it was under way */
	else if (op->r == 0 && op->end == REPORT_FORWARDED)
		rs->n.forwarded++;
	else if (op->r == 0 && op->end == REPORT_REFUSED)
		tell_refused(rs, op);
	if (op->r < 0)
		log_warn_err(op->r, "inbox: a report that is forwarded cannot "
				    "be removed; it will be sent again");
	if (is_here && op->end == REPORT_LATER && op->hold_ms > 0)
		lease_add(rs, op->of.device,
		    loop_now_ms(rs->s->loop) + op->hold_ms);
	if (op->r < 0)
		answer_no(op->p, op->turn, op->id, op->r, "the disk failed");
	else if (is_here)
		(void)ipc_send(op->p->ipc, MSG_STORE_OK, op->id, NULL, 0);
}

static void next_batch(struct reports *rs);

static void
done_batch(struct job *j)
{
	struct batch   *b = (struct batch *)j;
	struct reports *rs = b->rs;
	struct op      *op;

	rs->committing = false;
	rs->n.commits++;
	took(rs, &b->view);
	while ((op = b->ops) != NULL) {
		b->ops = op->next;
		if (op->is_put)
			answer_put(rs, op);
		else
			answer_end(rs, op);
		free(op);
		rs->nops--;
	}
	free(b);
	next_batch(rs);
	kick(rs);
}

static void
next_batch(struct reports *rs)
{
	struct batch *b;
	struct op   **end;
	size_t	      bytes = 0;

	if (rs->committing || rs->todo == NULL ||
	    (b = calloc(1, sizeof(*b))) == NULL)
		return; /* without memory: with the next one */
	b->rs = rs;
	b->limits = rs->limits;
	b->reserve = rs->reserve;
	b->now = inbox_now(rs->inbox);
	for (end = &rs->todo; *end != NULL && bytes <= BATCH_BYTES;
	    end = &(*end)->next)
		bytes += inbox_cost((*end)->len);
	b->ops = rs->todo;
	rs->todo = *end;
	*end = NULL;
	if (rs->todo == NULL)
		rs->todo_end = &rs->todo;
	rs->committing = true;
	submit(rs, &b->job, run_batch, done_batch);
}

static struct op *
op_new(struct peer *p, uint32_t id, size_t len)
{
	struct reports *rs = p->store->reports;
	struct op      *op = calloc(1, sizeof(*op) + len);

	if (op == NULL)
		return NULL;
	op->p = p;
	op->turn = p->turn;
	op->id = id;
	op->len = len;
	*rs->todo_end = op;
	rs->todo_end = &op->next;
	rs->nops++;
	return op;
}

static void
part_drop(struct reports *rs, enum peer_role role)
{
	free(rs->part[role]);
	rs->part[role] = NULL;
	rs->npart[role] = 0;
}

int
reports_on_part(void *peer, struct ipc_msg *m)
{
	struct peer    *p = peer;
	struct reports *rs = p->store->reports;
	size_t		n = m->rd.left;
	uint8_t	       *more;

	if (m->id != rs->part_id[p->role])
		part_drop(rs, p->role);
	rs->part_id[p->role] = m->id;
	if (n > REPORT_BYTES_MAX - rs->npart[p->role])
		return -EBADMSG;
	more = realloc(rs->part[p->role], rs->npart[p->role] + n);
	if (more == NULL)
		return -ENOMEM;
	memcpy(more + rs->npart[p->role], rd_bytes(&m->rd, n), n);
	rs->part[p->role] = more;
	rs->npart[p->role] += n;
	return 0;
}

static void
get_id(struct ipc_msg *m, struct report_id *id)
{
	const uint8_t *p = rd_bytes(&m->rd, REPORT_DEVICE_LEN);

	if (p != NULL)
		memcpy(id->device, p, REPORT_DEVICE_LEN);
	id->sequence = rd_u64(&m->rd);
}

int
reports_on_put(void *peer, struct ipc_msg *m)
{
	struct peer	*p = peer;
	struct reports	*rs = p->store->reports;
	struct report_id of = { 0 };
	size_t		 n, left;
	struct op	*op;

	if (m->id != rs->part_id[p->role])
		part_drop(rs, p->role);
	n = rs->npart[p->role];
	get_id(m, &of);
	left = m->rd.left;
	if (m->rd.err < 0 || of.sequence > REPORT_SEQUENCE_MAX ||
	    left > REPORT_BYTES_MAX - n)
		return -EBADMSG;
	if (rs->s->draining || rs->nops >= OPS_MAX ||
	    (op = op_new(p, m->id, n + left)) == NULL) {
		struct op no = { .p = p, .turn = p->turn, .id = m->id,
			.r = -EAGAIN };

		part_drop(rs, p->role);
		answer_put(rs, &no);
		return 0;
	}
	if (n > 0)
		memcpy(op->bytes, rs->part[p->role], n);
	memcpy(op->bytes + n, rd_bytes(&m->rd, left), left);
	part_drop(rs, p->role);
	op->is_put = true;
	op->of = of;
	next_batch(rs);
	return 0;
}

int
reports_on_done(void *peer, struct ipc_msg *m)
{
	struct peer	*p = peer;
	struct reports	*rs = p->store->reports;
	struct report_id of = { 0 };
	struct op	*op;
	uint8_t		 end;
	uint16_t	 status;
	uint32_t	 hold_ms;

	get_id(m, &of);
	end = rd_u8(&m->rd);
	status = rd_u16(&m->rd);
	hold_ms = rd_u32(&m->rd);
	if (rd_done(&m->rd) < 0 || end > REPORT_REFUSED ||
	    !lease_has(rs->leases, rs->nleases, of.device))
		return -EBADMSG;
	/* no more of these than reports are out, so OPS_MAX is for puts */
	if ((op = op_new(p, m->id, 0)) == NULL)
		return -ENOMEM;
	op->of = of;
	op->end = (enum report_end)end;
	op->status = status;
	op->hold_ms = hold_ms;
	next_batch(rs);
	return 0;
}

void
reports_peer_gone(struct peer *p)
{
	struct reports *rs = p->store->reports;

	part_drop(rs, p->role);
	if (p != rs->taker)
		return;
	rs->ntakes = 0;
	for (size_t i = 0; i < rs->nleases;)
		if (rs->leases[i].until_ms == OUT)
			rs->leases[i] = rs->leases[--rs->nleases];
		else
			i++;
}

/* -- ages -- */

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
	look(ib, &a->view);
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
	took(rs, &a->view);
	if (a->r == 0)
		tell_expired(rs, a);
	else
		log_warn_err(a->r, "inbox: reports that are too old");
	free(a);
	loop_timer_set(rs->expire, more ? 0 : EXPIRE_MS);
}

static void
on_expire(void *ctx)
{
	struct reports *rs = ctx;
	uint64_t	now = inbox_now(rs->inbox);
	struct ageing  *a;

	loop_timer_set(rs->expire, EXPIRE_MS);
	if (rs->expiring || rs->s->draining || now <= rs->max_age ||
	    rs->sums.queued + rs->sums.aside == 0 ||
	    (a = calloc(1, sizeof(*a))) == NULL)
		return;
	a->rs = rs;
	a->before = now - rs->max_age;
	rs->expiring = true;
	submit(rs, &a->job, run_expire, done_expire);
}

/* -- admin commands -- */

enum asking { LIST_DEVICES, LIST_REPORTS, DROP, RETRY };

struct row {
	uint8_t		    device[REPORT_DEVICE_LEN];
	struct inbox_device d;
	uint64_t	    sequence, received;
	size_t		    len;
	uint16_t	    status;
};

struct asked {
	struct job	    job;
	struct reports	   *rs;
	struct view	    view;
	struct admin_reply *reply;
	enum asking	    what;
	uint8_t		    device[REPORT_DEVICE_LEN]; /* or where a list is */
	bool		    begun, all;
	struct row	    rows[SLICE];
	size_t		    n, total;
	int		    r;
};

static int
row_device(void *ctx, const uint8_t *device, const struct inbox_device *d)
{
	struct asked *a = ctx;
	struct row   *row = &a->rows[a->n];

	memcpy(row->device, device, REPORT_DEVICE_LEN);
	row->d = *d;
	return ++a->n < SLICE ? 0 : 1;
}

static int
row_report(void *ctx, const struct report_id *id, const struct inbox_record *rec)
{
	struct asked *a = ctx;

	a->rows[a->n] = (struct row){ .sequence = id->sequence,
		.received = rec->received, .len = rec->len,
		.status = rec->status };
	return ++a->n < SLICE ? 0 : 1;
}

static void
run_asked(struct job *j)
{
	struct asked *a = (struct asked *)j;
	struct inbox *ib = a->rs->inbox;
	int	      r = inbox_begin(ib);

	a->n = 0;
	if (r == 0)
		switch (a->what) {
		case LIST_DEVICES:
			r = inbox_each_device(ib, a->device, &a->begun,
			    row_device, a);
			break;
		case LIST_REPORTS: /* the first of them */
			r = inbox_each_report(ib, a->device, false, row_report,
			    a);
			if (r == 0)
				r = inbox_each_report(ib, a->device, true,
				    row_report, a);
			break;
		case DROP:
			r = inbox_drop(ib, a->device, SLICE, &a->n);
			break;
		case RETRY:
			r = inbox_retry(ib, a->all ? NULL : a->device, SLICE,
			    &a->n);
			break;
		}
	if (r >= 0 && (a->what == DROP || a->what == RETRY))
		r = inbox_commit(ib);
	else
		inbox_abort(ib);
	a->r = r;
	look(ib, &a->view);
}

static void
say_row(struct asked *a, const struct row *row)
{
	uint64_t now = inbox_now(a->rs->inbox);
	char	 device[REPORT_DEVICE_TEXT];
	json_t	*o;

	if (a->what == LIST_DEVICES) {
		report_device_text(row->device, device);
		admin_row(a->reply,
		    json_pack("{s:s,s:i,s:I,s:I,s:I}", "device", device,
			"reports", (int)row->d.reports, "bytes",
			(json_int_t)row->d.bytes, "highest",
			(json_int_t)row->d.highest, "used",
			(json_int_t)time(NULL) -
			    (json_int_t)(now - row->d.used)));
		return;
	}
	o = json_pack("{s:I,s:I,s:I,s:s}", "sequence",
	    (json_int_t)row->sequence, "bytes", (json_int_t)row->len, "age_s",
	    (json_int_t)(now > row->received ? now - row->received : 0), "state",
	    row->status == 0 ? "waits" : "refused");
	if (row->status != 0 && o != NULL)
		json_object_set_new(o, "status", json_integer(row->status));
	admin_row(a->reply, o);
}

static void
say_changed(struct asked *a)
{
	struct reports *rs = a->rs;
	char		device[REPORT_DEVICE_TEXT] = "all";

	if (!a->all)
		report_device_text(a->device, device);
	admin_row(a->reply,
	    json_pack("{s:s,s:I}", "device", device,
		a->what == DROP ? "dropped" : "queued", (json_int_t)a->total));
	if (a->what != DROP)
		return;
	log_warn("inbox: %zu reports of %s dropped by an administrator",
	    a->total, device);
	worker_event(rs->s->worker, "reports-dropped",
	    json_pack("{s:s,s:I}", "device", device, "reports",
		(json_int_t)a->total));
}

static void
done_asked(struct job *j)
{
	struct asked   *a = (struct asked *)j;
	struct reports *rs = a->rs;
	bool		changes = a->what == DROP || a->what == RETRY;

	took(rs, &a->view);
	if (a->r >= 0) {
		a->total += a->n;
		for (size_t i = 0; !changes && i < a->n; i++)
			say_row(a, &a->rows[i]);
		if (a->what == DROP)
			rs->n.dropped_admin += a->n;
		if (a->n == SLICE && a->what != LIST_REPORTS &&
		    !rs->s->draining && (changes || !admin_gone(a->reply))) {
			submit(rs, j, run_asked, done_asked);
			return;
		}
		if (changes)
			say_changed(a);
	}
	admin_end(a->reply, a->r == -ENOENT ? "nothing is known of that device"
		: a->r < 0		    ? strerror(-a->r)
					    : NULL);
	free(a);
	kick(rs);
}

static void
ask(struct store *s, struct admin_reply *reply, enum asking what,
    const char *device)
{
	struct asked *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		admin_end(reply, "no memory");
		return;
	}
	a->rs = s->reports;
	a->reply = reply;
	a->what = what;
	a->all = what == RETRY && strcmp(device, "all") == 0;
	if (device != NULL && !a->all &&
	    report_device_parse(device, strlen(device), a->device) < 0) {
		admin_end(reply, "expected the UUID of a device");
		free(a);
		return;
	}
	submit(s->reports, &a->job, run_asked, done_asked);
}

void
reports_list(void *store, struct admin_reply *reply, int argc, char *argv[])
{
	ask(store, reply, argc > 1 ? LIST_REPORTS : LIST_DEVICES,
	    argc > 1 ? argv[1] : NULL);
}

void
reports_change(void *store, struct admin_reply *reply, int argc, char *argv[])
{
	(void)argc;
	ask(store, reply, strcmp(argv[0], "inbox-drop") == 0 ? DROP : RETRY,
	    argv[1]);
}

static uint64_t
oldest_s(const struct reports *rs)
{
	uint64_t now = inbox_now(rs->inbox);

	return rs->oldest != 0 && now > rs->oldest ? now - rs->oldest : 0;
}

void
reports_stats(void *store, struct admin_reply *reply, int argc, char *argv[])
{
	const struct reports *rs = ((struct store *)store)->reports;
	uint64_t	      full = 0;

	(void)argc;
	(void)argv;
	for (int i = 0; i < FULL_MAX; i++)
		full += rs->n.full[i];
	admin_row(reply,
	    json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
		"queued", (json_int_t)rs->sums.queued, "bytes",
		(json_int_t)(rs->sums.queued_bytes + rs->sums.aside_bytes),
		"set_aside", (json_int_t)rs->sums.aside, "devices",
		(json_int_t)rs->sums.devices, "oldest_s",
		(json_int_t)oldest_s(rs), "kept", (json_int_t)rs->n.kept,
		"repeated", (json_int_t)rs->n.repeated, "full",
		(json_int_t)full, "forwarded", (json_int_t)rs->n.forwarded,
		"refused", (json_int_t)rs->n.refused, "expired",
		(json_int_t)rs->n.expired, "commits",
		(json_int_t)rs->n.commits));
	admin_end(reply, NULL);
}

void
reports_warnings(struct reports *rs, struct admin_reply *reply)
{
	if (rs->is_full)
		worker_warning(reply, "inbox: there is no room for reports; "
				      "devices are told to keep them");
	if (rs->sums.aside > 0)
		worker_warning(reply, "inbox: the server has refused %llu "
			"reports, which are set aside: inbox list, inbox retry, "
			"inbox drop", (unsigned long long)rs->sums.aside);
}

void
reports_metrics(struct reports *rs, struct admin_reply *reply)
{
	char label[32];

#define GAUGE(name, help, v) \
	worker_metric(reply, "dpoint_inbox_" name, "gauge", help, NULL, (double)(v))
#define COUNTER(name, help, labels, v)                                          \
	worker_metric(reply, "dpoint_inbox_" name "_total", "counter", help,    \
	    labels, (double)(v))
	GAUGE("reports", "Reports that wait for the server.", rs->sums.queued);
	GAUGE("bytes", "Bytes of reports kept, those set aside too.",
	    rs->sums.queued_bytes + rs->sums.aside_bytes);
	GAUGE("set_aside", "Reports the server has refused.", rs->sums.aside);
	GAUGE("devices", "Devices whose last sequence is remembered.",
	    rs->sums.devices);
	GAUGE("oldest_seconds", "Age of the oldest report kept.", oldest_s(rs));
	COUNTER("kept", "Reports acknowledged.", NULL, rs->n.kept);
	COUNTER("repeated", "Reports that were here before.", NULL,
	    rs->n.repeated);
	for (int i = 0; i < FULL_MAX; i++) {
		snprintf(label, sizeof(label), "reason=\"%s\"", full_names[i]);
		COUNTER("full", "Reports not taken for want of room.", label,
		    rs->n.full[i]);
	}
	COUNTER("failed", "Reports not taken for a failure of the disk.", NULL,
	    rs->n.failed);
	COUNTER("forwarded", "Reports that the server has.", NULL,
	    rs->n.forwarded);
	COUNTER("refused", "Reports that the server refused for good.", NULL,
	    rs->n.refused);
	COUNTER("dropped", "Reports dropped.", "reason=\"age\"", rs->n.expired);
	COUNTER("dropped", "Reports dropped.", "reason=\"refused\"",
	    rs->n.dropped_refused);
	COUNTER("dropped", "Reports dropped.", "reason=\"administrator\"",
	    rs->n.dropped_admin);
	COUNTER("forgotten", "Devices forgotten to make room for others.", NULL,
	    rs->n.forgotten);
	COUNTER("commits", "Times that reports were written and synced.", NULL,
	    rs->n.commits);
#undef GAUGE
#undef COUNTER
}

/* -- life -- */

struct resize {
	struct job	job;
	struct reports *rs;
	struct view	view;
	uint64_t	max_size;
	int		r;
};

static void
run_resize(struct job *j)
{
	struct resize *z = (struct resize *)j;

	z->r = inbox_resize(z->rs->inbox, z->max_size);
	look(z->rs->inbox, &z->view);
}

static void
done_resize(struct job *j)
{
	struct resize *z = (struct resize *)j;

	took(z->rs, &z->view);
	if (z->r < 0)
		log_warn_err(z->r, "inbox.max-size: from the next start");
	free(z);
}

void
reports_configure(struct reports *rs)
{
	const struct settings	*st = worker_settings(rs->s->worker);
	const struct inbox_conf *c = &st->inbox;
	uint64_t		 was = rs->limits.max_size;
	struct resize		*z;

	rs->limits = (struct inbox_limits){ c->max_size, c->max_device_size,
		c->max_devices };
	rs->max_age = c->max_age;
	rs->reserve = st->store.reserve;
	loop_timer_set(rs->expire, 0);
	if (was == 0 || was == c->max_size ||
	    (z = calloc(1, sizeof(*z))) == NULL)
		return;
	z->rs = rs;
	z->max_size = c->max_size;
	submit(rs, &z->job, run_resize, done_resize);
}

struct reports *
reports_open(struct store *s)
{
	const struct settings *st = worker_settings(s->worker);
	struct reports	      *rs = calloc(1, sizeof(*rs));
	struct view	       v;
	uint32_t	       version;
	int		       r;

	if (rs == NULL || loop_timer_new(s->loop, on_expire, rs, &rs->expire) < 0 ||
	    loop_timer_new(s->loop, kick, rs, &rs->lease_timer) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	rs->s = s;
	rs->todo_end = &rs->todo;
	if (mkdir("inbox", 0700) < 0 && errno != EEXIST)
		log_fatal(EXIT_OPERATOR, "store.dir: %s/inbox: %s",
		    st->store.dir, strerror(errno));
	r = inbox_open("inbox", st->inbox.max_size, &rs->inbox, &version);
	if (r == -EPROTO && version != 0)
		log_fatal(EXIT_OPERATOR, "the inbox has version %u and this "
			"program knows only %d: use the dpoint that wrote it",
		    version, INBOX_VERSION);
	if (r == -EPROTO || r == -EUCLEAN)
		log_fatal(EXIT_OPERATOR, "the inbox is not readable: move "
			"%s/inbox away (reports that wait there are lost)",
		    st->store.dir);
	if (r < 0)
		log_fatal(EXIT_TEMPORARY, "inbox: %s", strerror(-r));
	look(rs->inbox, &v);
	rs->sums = v.sums;
	rs->oldest = v.oldest;
	if ((r = io_new(s->loop, &rs->io)) < 0)
		log_fatal(EXIT_TEMPORARY, "threads: %s", strerror(-r));
	reports_configure(rs);
	return rs;
}

void
reports_close(struct reports **rsp)
{
	struct reports *rs = *rsp;

	if (rs == NULL)
		return;
	io_free(&rs->io);
	inbox_close(&rs->inbox);
	for (int i = 0; i < PEER_MAX; i++)
		free(rs->part[i]);
	loop_timer_free(&rs->expire);
	loop_timer_free(&rs->lease_timer);
	free(rs);
	*rsp = NULL;
}

size_t
reports_waiting(const struct reports *rs)
{
	return rs->jobs;
}

bool
reports_broken(const struct reports *rs)
{
	return inbox_broken(rs->inbox);
}
