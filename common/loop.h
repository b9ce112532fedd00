/*
 * common/loop.h - timers, signals and readiness; a thin face on libevent.
 *
 * Shape:   one struct loop a process. A watch (struct loop_io, _timer,
 *          _signal) belongs to who made it and is freed by it, also inside
 *          its own callback. Watches are persistent; LOOP_EDGE makes them
 *          edge-triggered.
 * Units:   milliseconds; loop_now_ms is monotonic. Timers are right to a tick of
 *          the kernel's, 1 to 10 ms; those of a precise loop to 0.1 ms, for one
 *          system call more a turn.
 * Errors:  0 or -ENOMEM and such; loop_run gives what loop_stop was told.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;
struct loop_signal;

#define LOOP_READ  1
#define LOOP_WRITE 2
#define LOOP_EDGE  4
#define LOOP_CLOSED 8 /* the peer sends no more; bytes may still lie unread */

int	 loop_new(struct loop **out);
int	 loop_new_precise(struct loop **out);
void	 loop_free(struct loop **l);
int	 loop_run(struct loop *l);
void	 loop_stop(struct loop *l, int result);
uint64_t loop_now_ms(const struct loop *l);
/* The event_base below, for libevent's own resolver only. */
void	*loop_base(struct loop *l);

typedef void (*loop_io_fn)(void *ctx, int events); /* LOOP_READ | LOOP_WRITE */
typedef void (*loop_fn)(void *ctx);
typedef void (*loop_signal_fn)(void *ctx, int signo);

/* fd stays the caller's and is closed after loop_io_free. */
int  loop_io_new(struct loop *l, int fd, int events, loop_io_fn fn, void *ctx,
     struct loop_io **out);
int  loop_io_set(struct loop_io *io, int events); /* 0: watch nothing */
void loop_io_free(struct loop_io **io);

int  loop_timer_new(struct loop *l, loop_fn fn, void *ctx,
     struct loop_timer **out); /* not running yet */
int  loop_timer_set(struct loop_timer *t, uint64_t ms); /* once, from now */
int  loop_timer_set_us(struct loop_timer *t, uint64_t us);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer **t);

int  loop_signal_new(struct loop *l, int signo, loop_signal_fn fn, void *ctx,
     struct loop_signal **out);
void loop_signal_free(struct loop_signal **s);

#endif
