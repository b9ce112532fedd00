/*
 * dp-store/reports_write.c - puts and ends on their way to the disk.
 *
 * Runs in dp-store: run_batch() in the inbox's thread, the rest in the loop. What
 * comes while a commit is under way is the next one; each is answered after its
 * own. Believes the server of HTTPS about which device it is, and the forwarder
 * about what became of a report; about shapes nobody.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/reports_own.h"

#include "common/log.h"
#include "common/wr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES (2U << 20) /* of one commit; what is more is the next's */
#define OPS_MAX	    8192       /* that wait; then -ENOBUFS: 503 */
#define OPS_BYTES   (64U << 20)
#define TELL_MS	    60000      /* from one event of a full inbox to the next */

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

const char *const report_full_names[FULL_MAX] = { "size", "device-size",
	"devices", "disk" };

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
	reports_look(b->rs->inbox, &b->view);
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
	    report_full_names[op->kept.why], device);
	worker_event(rs->s->worker, "inbox-full",
	    json_pack("{s:s,s:s}", "reason", report_full_names[op->kept.why], "device",
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
	wr_u8(&w, (uint8_t)op->kept.kept);
	wr_u64(&w, op->kept.highest);
	peer_answer(op->p, op->turn, MSG_REPORT_KEPT, op->id, buf, w.len);
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
		lease_hold(rs, op->of.device, op->hold_ms);
	if (op->r < 0)
		answer_no(op->p, op->turn, op->id, op->r, "the disk failed");
	else
		peer_answer(op->p, op->turn, MSG_STORE_OK, op->id, NULL, 0);
}

static void
done_batch(struct job *j)
{
	struct batch   *b = (struct batch *)j;
	struct reports *rs = b->rs;
	struct op      *op;

	rs->committing = false;
	rs->n.commits++;
	reports_took(rs, &b->view);
	while ((op = b->ops) != NULL) {
		b->ops = op->next;
		if (op->is_put)
			answer_put(rs, op);
		else
			answer_end(rs, op);
		rs->nops--;
		rs->op_bytes -= op->len;
		free(op);
	}
	free(b);
	reports_write(rs);
	reports_give(rs);
}

void
reports_write(struct reports *rs)
{
	struct batch *b;
	struct op   **end;
	size_t	      bytes = 0;

	if (rs->committing || rs->todo == NULL)
		return;
	if ((b = calloc(1, sizeof(*b))) == NULL) {
		reports_retry(rs);
		return;
	}
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
	reports_submit(rs, &b->job, run_batch, done_batch);
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
	rs->op_bytes += len;
	return op;
}

void
reports_part_drop(struct reports *rs, enum peer_role role)
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
		reports_part_drop(rs, p->role);
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

/* dp-scan speaks for this distribution point and for nobody else, and nobody else
 * for it: two that number reports of one device would lose some. */
static bool
may_put(struct reports *rs, enum peer_role role, const struct report_id *of)
{
	bool is_point = rs->has_point &&
	    memcmp(of->device, rs->point, REPORT_DEVICE_LEN) == 0;
	uint64_t now = loop_now_ms(rs->s->loop);

	if (is_point == (role == PEER_SCAN))
		return true;
	if (rs->told_point_ms == 0 || now - rs->told_point_ms >= TELL_MS) {
		rs->told_point_ms = now;
		log_warn("inbox: a report from %s %s scan.id: refused",
		    peer_role_name(role), is_point ? "under" : "not under");
	}
	return false;
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
		reports_part_drop(rs, p->role);
	n = rs->npart[p->role];
	get_id(m, &of);
	left = m->rd.left;
	if (m->rd.err < 0 || of.sequence > REPORT_SEQUENCE_MAX ||
	    left > REPORT_BYTES_MAX - n)
		return -EBADMSG;
	if (rs->s->draining || !may_put(rs, p->role, &of) ||
	    rs->nops >= OPS_MAX || rs->op_bytes + n + left > OPS_BYTES ||
	    (op = op_new(p, m->id, n + left)) == NULL) {
		struct op no = { .p = p, .turn = p->turn, .id = m->id,
			.r = -EAGAIN };

		reports_part_drop(rs, p->role);
		answer_put(rs, &no);
		return 0;
	}
	if (n > 0)
		memcpy(op->bytes, rs->part[p->role], n);
	memcpy(op->bytes + n, rd_bytes(&m->rd, left), left);
	reports_part_drop(rs, p->role);
	op->is_put = true;
	op->of = of;
	reports_write(rs);
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
	reports_write(rs);
	return 0;
}
