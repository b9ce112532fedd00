/*
 * dp-master/control_gateways.c - several gateways, asked and answering as one.
 *
 * Runs in the control half. A command goes to all that serve. Rows with an "id"
 * are passed on as they come; of the others those that tell of the same thing
 * become one (merge.h). It is done if one of them has done it: only one has the
 * connection that is to end, the device that is to wake. One gateway may order,
 * for a peer of its, to wake the devices of all. Wakes are numbered here, so that
 * a number means the same to all of them. What one has to say to the others is
 * passed on. That they drain is kept here for those that start later.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"
#include "dp-master/control.h"
#include "dp-master/merge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Of the next wake, from a random one on: none comes again after a restart. */
static uint64_t
wake_number(struct control *c)
{
	if (c->last_wake == 0 &&
	    getrandom(&c->last_wake, sizeof(c->last_wake), 0) !=
		(ssize_t)sizeof(c->last_wake))
		c->last_wake = (uint64_t)time(NULL) << 32;
	return ++c->last_wake;
}

static void
keep_drain(struct control *c, int argc, char *argv[])
{
	if (strcmp(argv[0], "gateway-drain") != 0)
		return;
	if (argc == 1)
		c->gateways_drain = true;
	else if (argc == 2 && strcmp(argv[1], "off") == 0)
		c->gateways_drain = false;
}

/* Its answer, to no request, is passed over. */
void
gateways_came(struct peer *p)
{
	uint8_t	  buf[32];
	struct wr w = wr_to(buf, sizeof(buf));

	if (!p->c->gateways_drain || peer_role_kind(p->role) != PEER_GATEWAY)
		return;
	wr_str(&w, "gateway-drain");
	if (ipc_send(p->ch, MSG_ADMIN, 0, buf, w.len) < 0)
		log_warn("worker %s does not know that it is to drain",
		    peer_role_name(p->role));
}

int
gateways_forward(struct request *q, int argc, char *argv[])
{
	char number[17], *wake[] = { argv[0], NULL, "refresh", number };
	int  r = -ENOTCONN, one;

	if (strcmp(argv[0], "gateway-wake") == 0) {
		for (int i = 1; i < argc; i++)
			wake[i] = argv[i];
		snprintf(number, sizeof(number), "%016" PRIx64,
		    wake_number(q->c));
		argv = wake;
		argc = COUNT(wake);
	}
	if ((q->merged = json_array()) == NULL)
		return -ENOMEM;
	for (int i = PEER_GATEWAY; i <= PEER_GATEWAY_LAST; i++)
		if ((one = control_forward(q, (enum peer_role)i, argc, argv)) !=
			-ENOTCONN && r != 0)
			r = one;
	if (r == 0)
		keep_drain(q->c, argc, argv);
	return r;
}

void
gateways_answer(struct request *q, json_t *take_row)
{
	if (json_object_get(take_row, "id") != NULL && q->conn != NULL)
		request_row(q, take_row);
	else
		merge_row(q->merged, take_row);
}

static uint32_t
number(const json_t *row, const char *key)
{
	return (uint32_t)json_integer_value(json_object_get(row, key));
}

static void
tell_orderer(struct request *q)
{
	const json_t *row = json_array_get(q->merged, 0);
	uint8_t	      buf[32];
	struct wr     w = wr_to(buf, sizeof(buf));

	if (q->orderer == NULL) /* it has left */
		return;
	wr_u8(&w, q->done);
	wr_u32(&w, number(row, "devices"));
	wr_u32(&w, number(row, "sent"));
	wr_u32(&w, number(row, "waiting"));
	wr_u64(&w, number(row, "took_ms"));
	/* one that takes no answer is itself the problem */
	(void)ipc_send(q->orderer->ch, MSG_WOKEN, q->order_id, buf, w.len);
}

void
gateways_answered(struct request *q, const char *error)
{
	json_t *row;
	size_t	i;
	bool	is_absent = error != NULL && strncmp(error, "no such ", 8) == 0;

	if (error == NULL)
		q->done = true;
	else if (q->error[0] == '\0' || (!is_absent && !q->failed))
		snprintf(q->error, sizeof(q->error), "%s", error);
	q->failed |= error != NULL && !is_absent;
	if (q->waits != 0)
		return;
	if (q->conn == NULL)
		tell_orderer(q);
	else
		json_array_foreach(q->merged, i, row) {
			request_row(q, json_incref(row));
		}
	/* what one process could not do is said, whatever others did */
	request_end(q, q->done && !q->failed ? NULL : q->error);
}

int
gateways_wake(void *peer, struct ipc_msg *m)
{
	struct peer    *p = peer;
	char		to[300], what[32], *argv[] = { "gateway-wake", to, what };
	struct request *q;

	rd_str(&m->rd, to, sizeof(to));
	rd_str(&m->rd, what, sizeof(what));
	if (rd_done(&m->rd) < 0 || peer_role_kind(p->role) != PEER_GATEWAY)
		return -EBADMSG;
	if ((q = request_new(p->c, NULL)) == NULL)
		return -ENOMEM;
	q->orderer = p;
	q->order_id = m->id;
	if (gateways_forward(q, COUNT(argv), argv) < 0 && q->waits == 0) {
		tell_orderer(q);
		request_end(q, NULL);
	}
	return 0;
}

static int
check_push(const struct ipc_msg *m)
{
	struct rd r = m->rd;
	char	  name[80], at[64];

	if (m->type == MSG_PUSH_CAME) {
		(void)rd_u64(&r);
		rd_str(&r, name, sizeof(name));
	} else {
		if (rd_u8(&r) >= PUSH_SHARED_KINDS)
			return -EBADMSG;
		(void)rd_u8(&r);
		rd_str(&r, name, sizeof(name));
		rd_str(&r, at, sizeof(at));
	}
	return rd_done(&r);
}

/* Who cannot take it now does without: its queue is for pings and orders, too. */
int
gateways_pass_on(void *peer, struct ipc_msg *m)
{
	struct peer *p = peer, *other;

	if (peer_role_kind(p->role) != PEER_GATEWAY || check_push(m) < 0)
		return -EBADMSG;
	for (int i = PEER_GATEWAY; i <= PEER_GATEWAY_LAST; i++) {
		other = &p->c->peers[i];
		if (other != p && other->ch != NULL)
			(void)ipc_notify(other->ch, m->type, m->rd.p,
			    m->rd.left);
	}
	return 0;
}

void
gateways_orderer_left(struct peer *p)
{
	for (struct request *q = p->c->requests; q != NULL; q = q->next)
		if (q->orderer == p)
			q->orderer = NULL;
}
