/*
 * common/loop.c - readiness, timers and signals; see loop.h.
 *
 * Runs in every program. The event base is made before the sandbox closes, so
 * that later only epoll_ctl and epoll_wait are needed, and timerfd_settime by a
 * precise one.
 * SPDX-License-Identifier: ISC
 */
#include "common/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdlib.h>
#include <time.h>

struct loop {
	struct event_base *base;
	int		   result;
};

struct loop_io {
	struct event *ev;
	struct loop  *loop;
	loop_io_fn    fn;
	void	     *ctx;
	int	      fd, events;
};

struct loop_timer {
	struct event *ev;
	loop_fn	      fn;
	void	     *ctx;
};

struct loop_signal {
	struct event  *ev;
	loop_signal_fn fn;
	void	      *ctx;
};

static int
new_with(int flags, struct loop **out)
{
	struct event_config *cfg = event_config_new();
	struct loop	    *l = calloc(1, sizeof(*l));

	*out = NULL;
	if (cfg != NULL && l != NULL) {
		event_config_set_flag(cfg,
		    EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV | flags);
		event_config_avoid_method(cfg, "select");
		l->base = event_base_new_with_config(cfg);
	}
	if (cfg != NULL)
		event_config_free(cfg);
	if (l == NULL || l->base == NULL) {
		free(l);
		return -ENOMEM;
	}
	*out = l;
	return 0;
}

int
loop_new(struct loop **out)
{
	return new_with(0, out);
}

int
loop_new_precise(struct loop **out)
{
	return new_with(EVENT_BASE_FLAG_PRECISE_TIMER, out);
}

void
loop_free(struct loop **l)
{
	if (*l == NULL)
		return;
	event_base_free((*l)->base);
	free(*l);
	*l = NULL;
}

int
loop_run(struct loop *l)
{
	if (event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
		return -EIO;
	return l->result;
}

void
loop_stop(struct loop *l, int result)
{
	l->result = result;
	event_base_loopbreak(l->base);
}

uint64_t
loop_now_ms(const struct loop *l)
{
	struct timespec ts;

	(void)l;
	/* the coarse clock costs no more than a cached value would */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void *
loop_base(struct loop *l)
{
	return l->base;
}

static void
on_io(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;

	(void)fd;
	io->fn(io->ctx, (what & EV_READ ? LOOP_READ : 0) |
	    (what & EV_WRITE ? LOOP_WRITE : 0) |
	    (what & EV_CLOSED ? LOOP_CLOSED : 0));
}

int
loop_io_new(struct loop *l, int fd, int events, loop_io_fn fn, void *ctx,
    struct loop_io **out)
{
	struct loop_io *io = calloc(1, sizeof(*io));
	int		r;

	*out = NULL;
	if (io == NULL)
		return -ENOMEM;
	*io = (struct loop_io){ .loop = l, .fn = fn, .ctx = ctx, .fd = fd };
	if ((r = loop_io_set(io, events)) < 0) {
		loop_io_free(&io);
		return r;
	}
	*out = io;
	return 0;
}

int
loop_io_set(struct loop_io *io, int events)
{
	short what = EV_PERSIST;

	if (io->ev != NULL && io->events == events)
		return 0;
	if (io->ev == NULL) {
		io->ev = event_new(io->loop->base, io->fd, what, on_io, io);
		if (io->ev == NULL)
			return -ENOMEM;
	}
	if (io->events != 0)
		event_del(io->ev);
	io->events = 0;
	if ((events & (LOOP_READ | LOOP_WRITE)) == 0)
		return 0;
	if (events & LOOP_READ)
		what |= EV_READ;
	if (events & LOOP_WRITE)
		what |= EV_WRITE;
	if (events & LOOP_CLOSED)
		what |= EV_CLOSED;
	if (events & LOOP_EDGE)
		what = (short)(what | EV_ET);
	if (event_assign(io->ev, io->loop->base, io->fd, what, on_io, io) < 0 ||
	    event_add(io->ev, NULL) < 0)
		return -EIO;
	io->events = events;
	return 0;
}

void
loop_io_free(struct loop_io **io)
{
	if (*io == NULL)
		return;
	if ((*io)->ev != NULL)
		event_free((*io)->ev);
	free(*io);
	*io = NULL;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->ctx);
}

int
loop_timer_new(struct loop *l, loop_fn fn, void *ctx, struct loop_timer **out)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return -ENOMEM;
	*t = (struct loop_timer){ .fn = fn, .ctx = ctx };
	if ((t->ev = evtimer_new(l->base, on_timer, t)) == NULL) {
		free(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

int
loop_timer_set(struct loop_timer *t, uint64_t ms)
{
	return loop_timer_set_us(t, ms * 1000);
}

int
loop_timer_set_us(struct loop_timer *t, uint64_t us)
{
	struct timeval tv = { (time_t)(us / 1000000),
		(suseconds_t)(us % 1000000) };

	return evtimer_add(t->ev, &tv) < 0 ? -ENOMEM : 0;
}

void
loop_timer_stop(struct loop_timer *t)
{
	evtimer_del(t->ev);
}

void
loop_timer_free(struct loop_timer **t)
{
	if (*t == NULL)
		return;
	event_free((*t)->ev);
	free(*t);
	*t = NULL;
}

static void
on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)what;
	s->fn(s->ctx, (int)signo);
}

int
loop_signal_new(struct loop *l, int signo, loop_signal_fn fn, void *ctx,
    struct loop_signal **out)
{
	struct loop_signal *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (s == NULL)
		return -ENOMEM;
	*s = (struct loop_signal){ .fn = fn, .ctx = ctx };
	s->ev = evsignal_new(l->base, signo, on_signal, s);
	if (s->ev == NULL || evsignal_add(s->ev, NULL) < 0) {
		loop_signal_free(&s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void
loop_signal_free(struct loop_signal **s)
{
	if (*s == NULL)
		return;
	if ((*s)->ev != NULL)
		event_free((*s)->ev);
	free(*s);
	*s = NULL;
}
