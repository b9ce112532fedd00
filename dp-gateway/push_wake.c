/*
 * dp-gateway/push_wake.c - wakes on their way to devices, and those that wait
 * for one that takes nothing; see push.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes the orders it gets.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "dp-gateway/push_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define TURN_WAKES 256	/* of one turn */
#define RUNS_MAX   64

struct run { /* a wake on its way */
	struct run	  *next;
	struct wake	  *wake;
	struct push_conn  *at; /* whose turn it is */
	struct wake_result result;
	uint64_t	   start_ms;
	void (*done)(void *ctx, const struct wake_result *r);
	void		  *ctx;
};

/* Of now; the loop's time is that of its turn's beginning. */
static uint64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* -- one device -- */

void
push_forget_waiting(struct push_conn *c)
{
	for (int i = 0; c->waiting != NULL && i < WAKE_WHATS; i++)
		wake_unref(&c->waiting[i]);
	free(c->waiting);
	c->waiting = NULL;
}

/* Whether it went out; else it waits, in place of what it replaces. */
static bool
give(struct push_conn *c, struct wake *w)
{
	struct push *p = c->p;

	if (c->state == S_OPEN) {
		p->n.wakes++;
		return push_emit(c, w->text, w->len);
	}
	if (c->waiting == NULL &&
	    (c->waiting = calloc(WAKE_WHATS, sizeof(struct wake *))) == NULL) {
		push_end(c, WHY_MEMORY); /* it comes again, and gets it then */
		return false;
	}
	p->n.merged += c->waiting[w->order.what] != NULL;
	wake_unref(&c->waiting[w->order.what]);
	w->refs++;
	c->waiting[w->order.what] = w;
	return false;
}

/* In order: who has one with its number has all up to that. */
static struct wake **
first_waiting(const struct push_conn *c)
{
	struct wake **first = NULL;

	for (int i = 0; c->waiting != NULL && i < WAKE_WHATS; i++)
		if (c->waiting[i] != NULL &&
		    (first == NULL ||
			(int64_t)(c->waiting[i]->number - (*first)->number) < 0))
			first = &c->waiting[i];
	return first;
}

bool
push_catch_up(struct push_conn *c)
{
	struct wake **at, *w;

	push_state(c, S_OPEN);
	while (c->state == S_OPEN && (at = first_waiting(c)) != NULL) {
		w = *at;
		*at = NULL;
		(void)give(c, w);
		wake_unref(&w);
	}
	if (c->state == S_OPEN)
		push_forget_waiting(c); /* empty now */
	return c->state == S_OPEN;
}

uint64_t
push_heard(const struct push *p)
{
	uint64_t last = recent_last(p->recent), back = 0;

	for (const struct run *r = p->runs; r != NULL; r = r->next)
		if (last - r->wake->number >= back)
			back = last - r->wake->number + 1;
	return last - back;
}

bool
push_missed(struct push_conn *c, uint64_t since)
{
	struct wake *missed[WAKE_WHATS];

	if (!recent_missed(c->p->recent, since, c->device.name,
		device_group(&c->device), missed))
		return false;
	for (int i = 0; i < WAKE_WHATS && c->state != S_ENDED; i++)
		if (missed[i] != NULL)
			(void)give(c, missed[i]); /* it waits: c is not open yet */
	return c->state != S_ENDED;
}

/* -- wakes -- */

static bool
is_meant(const struct run *r, const struct push_conn *c)
{
	return (c->state == S_OPEN || c->state == S_SLOW) &&
	    wake_is_for(r->wake, c->device.name, device_group(&c->device));
}

static void
run_give(struct run *r, struct push_conn *c)
{
	r->result.devices++;
	if (give(c, r->wake))
		r->result.sent++;
	else if (c->state == S_SLOW)
		r->result.waiting++;
}

/* Some of it, so that others have their turn. */
static bool
run_some(struct run *r)
{
	for (int n = 0; r->at != NULL && n < TURN_WAKES;) {
		struct push_conn *c = r->at;

		r->at = c->newer;
		if (is_meant(r, c)) {
			run_give(r, c);
			n++;
		}
	}
	return r->at == NULL;
}

void
push_runs_skip(const struct push_conn *c)
{
	for (struct run *r = c->p->runs; r != NULL; r = r->next)
		r->at = r->at == c ? c->newer : r->at;
}

static void
run_end(struct push *p, struct run *r)
{
	struct run **at = &p->runs;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	p->nruns--;
	wake_unref(&r->wake);
	r->result.took_ms = clock_ms() - r->start_ms;
	r->done(r->ctx, &r->result);
	free(r);
}

void
push_on_turn(void *ctx)
{
	struct push *p = ctx;

	for (struct run *r = p->runs, *next; r != NULL; r = next) {
		next = r->next;
		if (run_some(r))
			run_end(p, r);
	}
	push_bury(p);
	if (p->runs != NULL)
		(void)loop_timer_set(p->turn, 0);
}

/* Numbers go up by one, and those of another control begin elsewhere: one that
 * is a little ahead tells that we were not able to take one. */
static void
look_for_gap(struct push *p, uint64_t number)
{
	const uint64_t near = 1 << 20;
	uint64_t       ahead = number - recent_last(p->recent);

	if (p->has_gap || ahead <= 1 || ahead > near)
		return;
	p->has_gap = true;
	log_warn("push: %llu wakes were not given out here; devices refresh when "
		 "they return", (unsigned long long)ahead - 1);
}

int
push_wake(struct push *p, const struct wake_order *o, uint64_t number,
    void (*done)(void *ctx, const struct wake_result *r), void *ctx)
{
	struct run    *r = p->nruns < RUNS_MAX ? calloc(1, sizeof(*r)) : NULL;
	struct device *d;

	if (r == NULL)
		return p->nruns < RUNS_MAX ? -ENOMEM : -EBUSY;
	look_for_gap(p, number);
	if (wake_new(o, number, !p->has_gap && p->runs == NULL &&
		recent_follows(p->recent, number),
		&r->wake) < 0) {
		free(r);
		return -ENOMEM;
	}
	recent_add(p->recent, r->wake);
	r->start_ms = clock_ms();
	r->done = done;
	r->ctx = ctx;
	r->next = p->runs;
	p->runs = r;
	p->nruns++;
	if (o->whom != WAKE_DEVICE)
		r->at = p->oldest;
	else if ((d = registry_find(p->devices, o->name)) != NULL)
		run_give(r, push_device(d));
	(void)loop_timer_set(p->turn, 0);
	return 0;
}

void
push_runs_end(struct push *p)
{
	while (p->runs != NULL)
		run_end(p, p->runs);
}
