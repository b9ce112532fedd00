/*
 * dp-probe/asker.c - sends what orders say; see asker.h.
 *
 * Runs in dp-probe behind its sandbox. Believes of an order that it is what the
 * keeper wants, and not that it is harmless.
 * SPDX-License-Identifier: ISC
 */
#include "dp-probe/asker.h"

#include "common/size.h"
#include "dp-probe/own.h"
#include "dp-probe/pace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 32
#define MS    1000000ull
#define TICK  MS /* waking up more often costs more than it smoothes */

struct asker {
	struct loop_timer *timer;
	void (*said)(void *ctx, const struct order *o);
	void *ctx;

	struct token_keys *tokens;
	struct ask_conf	   conf;
	uint32_t	   rate;
	int		   fds[ASK_SOCKETS];

	struct pace   pace; /* of all */
	struct pace   pace_of[PROBE_MAX];
	struct order *first[PROBE_MAX];
	unsigned      turn; /* the kind that begins */

	struct asker_counts counts;
	struct ask	    batch[BATCH];
	bool		    more[BATCH]; /* questions for the same target */
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* -- orders in their queues -- */

static bool
is_done(const struct order *o)
{
	return o->next == o->n;
}

/* The first of a kind gets its turn. */
static void
begin(struct asker *a, struct order *o, uint64_t now)
{
	uint32_t most = ask_rate_max((enum probe_kind)o->kind);
	int	 r = 0;

	o->begun = true;
	pace_begin(&a->pace_of[o->kind], o->rate < most ? o->rate : most, now);
	if (o->kind == PROBE_ARP || o->kind == PROBE_NS || o->kind == PROBE_MLD)
		r = own_source(a->fds[ASK_MDNS4], a->fds[ASK_MDNS6], o->ifindex,
		    o->mac, o->from);
	if (r < 0)
		order_fail(o, -r);
}

/* Says how far it came and forgets it. */
static void
end(struct asker *a, struct order **where)
{
	struct order *o = *where;

	a->counts.failed[o->kind] += o->failed;
	a->counts.orders--;
	*where = o->following;
	a->said(a->ctx, o);
	order_free(&o);
}

/* -- sending -- */

static void
next_target(struct order *o)
{
	o->next++;
	o->variant = 0;
}

static void
target_failed(struct order *o, int err)
{
	o->failed++;
	o->err = err;
	next_target(o);
}

/* Makes the next questions, up to max, that leave by one socket. Targets that
 * cannot be asked are counted and passed over while there is none before. */
static unsigned
prepare(struct asker *a, struct order *o, unsigned max)
{
	uint32_t i = o->next, variant = o->variant;
	unsigned n = 0;
	int	 r;

	while (n < max && i < o->n) {
		r = ask_make(&a->conf, a->tokens, o, i, variant, &a->batch[n],
		    &a->more[n]);
		if (r < 0 && n > 0)
			break;
		if (r < 0) {
			target_failed(o, -r);
			i = o->next;
			variant = 0;
			continue;
		}
		if (n > 0 && a->batch[n].socket != a->batch[0].socket)
			break;
		variant = a->more[n] ? variant + 1 : 0;
		i += !a->more[n];
		n++;
	}
	return n;
}

static int
transmit(const struct asker *a, unsigned n)
{
	struct mmsghdr m[BATCH];
	struct iovec   iov[BATCH];
	int	       r;

	memset(m, 0, sizeof(m[0]) * n);
	for (unsigned i = 0; i < n; i++) {
		const struct ask *q = &a->batch[i];

		iov[i].iov_base = (void *)(uintptr_t)q->bytes;
		iov[i].iov_len = q->len;
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i],
			.msg_iovlen = 1, .msg_namelen = q->to_len,
			.msg_name = (void *)(uintptr_t)&q->to };
		if (q->control_len > 0) {
			m[i].msg_hdr.msg_control = (void *)(uintptr_t)q->control;
			m[i].msg_hdr.msg_controllen = q->control_len;
		}
	}
	r = sendmmsg(a->fds[a->batch[0].socket], m, n, MSG_DONTWAIT);
	return r < 0 ? -errno : r;
}

/* Nothing could be sent, for this reason: it may pass, is this target's alone,
 * or ends the order. */
static void
refused(struct order *o, int err, uint64_t now)
{
	switch (err) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		if (o->stuck_ms == 0)
			o->stuck_ms = now / MS;
		else if (now / MS - o->stuck_ms > ASKER_STUCK_MS)
			order_fail(o, ENOBUFS);
		break;
	case EBADF: /* there is no such socket */
		order_fail(o, err);
		break;
	case ENETDOWN:
	case ENODEV:
	case ENXIO:
		if (o->ifindex != 0) {
			order_fail(o, err);
			break;
		}
		/* fall through */
	default:
		target_failed(o, err);
	}
}

/* How many packets left, at most max. */
static uint32_t
send_some(struct asker *a, struct order *o, uint32_t max, uint64_t now)
{
	unsigned n = prepare(a, o, max < BATCH ? max : BATCH);
	int	 r;

	if (n == 0)
		return 0;
	if ((r = transmit(a, n)) < 0) {
		refused(o, -r, now);
		return 0;
	}
	o->stuck_ms = 0;
	for (int i = 0; i < r; i++)
		if (a->more[i]) {
			o->variant++;
		} else {
			o->sent++;
			next_target(o);
		}
	if (o->kind == PROBE_SSDP)
		a->tokens->searched_ms = now / MS;
	a->counts.sent[o->kind] += (unsigned)r;
	pace_sent(&a->pace, (uint32_t)r);
	pace_sent(&a->pace_of[o->kind], (uint32_t)r);
	return (uint32_t)r;
}

/* Each kind one batch; whether any packet left. */
static bool
round_of_kinds(struct asker *a, uint64_t now)
{
	bool any = false;

	for (unsigned i = 0; i < PROBE_MAX; i++) {
		unsigned      kind = (a->turn + i) % PROBE_MAX;
		struct order *o = a->first[kind];
		uint32_t      all = pace_allows(&a->pace, now), mine;

		if (o == NULL)
			continue;
		if (!o->begun)
			begin(a, o, now);
		mine = pace_allows(&a->pace_of[kind], now);
		if (!is_done(o) && send_some(a, o, all < mine ? all : mine,
				       now) > 0)
			any = true;
		if (is_done(o))
			end(a, &a->first[kind]);
	}
	a->turn = (a->turn + 1) % PROBE_MAX;
	return any;
}

/* Until the next packet may leave or somebody must hear of progress. */
static void
wait_for_more(struct asker *a, uint64_t now)
{
	uint64_t all = pace_wait(&a->pace, now), wait = ASKER_SAY_MS * MS, w;
	bool	 idle = true;

	for (unsigned k = 0; k < PROBE_MAX; k++) {
		if (a->first[k] == NULL)
			continue;
		idle = false;
		w = pace_wait(&a->pace_of[k], now);
		w = w < all ? all : w;
		wait = w < wait ? w : wait;
	}
	if (!idle)
		(void)loop_timer_set_us(a->timer,
		    (wait < TICK ? TICK : wait) / 1000);
}

static void
on_timer(void *ctx)
{
	struct asker *a = ctx;
	uint64_t      now = now_ns();

	token_turn(a->tokens, now / MS);
	while (round_of_kinds(a, now))
		;
	for (unsigned k = 0; k < PROBE_MAX; k++) {
		struct order *o = a->first[k];

		if (o == NULL || now / MS - o->said_ms < ASKER_SAY_MS)
			continue;
		o->said_ms = now / MS;
		a->said(a->ctx, o);
	}
	wait_for_more(a, now);
}

/* -- the outside -- */

int
asker_take(struct asker *a, struct order *o)
{
	struct order **end_of = &a->first[o->kind];
	uint64_t       now = now_ns();

	if (a->counts.orders == ASKER_ORDERS)
		return -ENOBUFS;
	if (a->counts.orders++ == 0)
		pace_begin(&a->pace, a->rate, now);
	while (*end_of != NULL)
		end_of = &(*end_of)->following;
	*end_of = o;
	o->said_ms = now / MS;
	return loop_timer_set_us(a->timer, 0);
}

void
asker_stop(struct asker *a, uint32_t id)
{
	for (unsigned k = 0; k < PROBE_MAX; k++)
		for (struct order **o = &a->first[k]; *o != NULL;)
			if ((*o)->id == id)
				end(a, o);
			else
				o = &(*o)->following;
}

void
asker_clear(struct asker *a)
{
	struct order *o;

	for (unsigned k = 0; k < PROBE_MAX; k++)
		while ((o = a->first[k]) != NULL) {
			a->first[k] = o->following;
			order_free(&o);
		}
	a->counts.orders = 0;
	loop_timer_stop(a->timer);
}

void
asker_configure(struct asker *a, const int fds[ASK_SOCKETS],
    const struct ask_conf *conf, uint32_t rate)
{
	memcpy(a->fds, fds, sizeof(a->fds));
	a->conf = *conf;
	a->rate = rate;
	pace_rate(&a->pace, rate);
}

const struct asker_counts *
asker_counts(const struct asker *a)
{
	return &a->counts;
}

int
asker_new(struct loop *precise, struct token_keys *tokens,
    void (*said)(void *ctx, const struct order *o), void *ctx,
    struct asker **out)
{
	struct asker *a = calloc(1, sizeof(*a));
	int	      r;

	*out = NULL;
	if (a == NULL)
		return -ENOMEM;
	a->said = said;
	a->ctx = ctx;
	a->tokens = tokens;
	for (size_t i = 0; i < ASK_SOCKETS; i++)
		a->fds[i] = -1;
	if ((r = loop_timer_new(precise, on_timer, a, &a->timer)) < 0) {
		free(a);
		return r;
	}
	*out = a;
	return 0;
}

void
asker_free(struct asker **ap)
{
	struct asker *a = *ap;

	if (a == NULL)
		return;
	asker_clear(a);
	loop_timer_free(&a->timer);
	free(a);
	*ap = NULL;
}
