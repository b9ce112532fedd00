/*
 * dp-store/io.c - a queue of jobs and the thread that does them; see io.h.
 *
 * Runs in dp-store: io_main() in its own thread, the rest in the loop's.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/io.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
	struct job *head, **tail;
};

struct io {
	pthread_t	thread;
	bool		started;
	pthread_mutex_t lock; /* todo, ready, stop */
	pthread_cond_t	some;
	struct queue	todo, ready;
	bool		stop, running;
	size_t		waiting; /* the loop's */
	int		wake;
	struct loop_io *watch;
};

static void
put(struct queue *q, struct job *j)
{
	j->next = NULL;
	*q->tail = j;
	q->tail = &j->next;
}

static struct job *
take(struct queue *q)
{
	struct job *j = q->head;

	if (j != NULL && (q->head = j->next) == NULL)
		q->tail = &q->head;
	return j;
}

static void *
io_main(void *arg)
{
	struct io     *io = arg;
	const uint64_t one = 1;
	struct job    *j;

	pthread_mutex_lock(&io->lock);
	io->running = true;
	pthread_cond_broadcast(&io->some);
	for (;;) {
		while ((j = take(&io->todo)) == NULL && !io->stop)
			pthread_cond_wait(&io->some, &io->lock);
		if (j == NULL)
			break;
		pthread_mutex_unlock(&io->lock);
		j->run(j);
		pthread_mutex_lock(&io->lock);
		put(&io->ready, j);
		/* the counter of an eventfd does not fill up in a lifetime */
		(void)!write(io->wake, &one, sizeof(one));
	}
	pthread_mutex_unlock(&io->lock);
	return NULL;
}

static void
on_wake(void *ctx, int events)
{
	struct io   *io = ctx;
	struct queue ready;
	struct job  *j;
	uint64_t     n;

	(void)events;
	(void)!read(io->wake, &n, sizeof(n));
	pthread_mutex_lock(&io->lock);
	ready = io->ready;
	io->ready = (struct queue){ NULL, &io->ready.head };
	pthread_mutex_unlock(&io->lock);
	while ((j = ready.head) != NULL) {
		ready.head = j->next;
		io->waiting--;
		j->done(j);
	}
}

int
io_new(struct loop *l, struct io **out)
{
	struct io     *io = calloc(1, sizeof(*io));
	pthread_attr_t attr;
	sigset_t       all, old;
	int	       r;

	*out = NULL;
	if (io == NULL)
		return -ENOMEM;
	io->todo.tail = &io->todo.head;
	io->ready.tail = &io->ready.head;
	pthread_mutex_init(&io->lock, NULL);
	pthread_cond_init(&io->some, NULL);
	io->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = io->wake < 0 ? -errno : 0;
	if (r == 0)
		r = loop_io_new(l, io->wake, LOOP_READ, on_wake, io, &io->watch);
	if (r == 0) {
		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, 256 << 10);
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		r = -pthread_create(&io->thread, &attr, io_main, io);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		pthread_attr_destroy(&attr);
		io->started = r == 0;
	}
	if (r < 0) {
		io_free(&io);
		return r;
	}
	/* a thread makes itself known to the kernel at its start, with calls
	 * that the sandbox, which the caller is about to close, does not have */
	pthread_mutex_lock(&io->lock);
	while (!io->running)
		pthread_cond_wait(&io->some, &io->lock);
	pthread_mutex_unlock(&io->lock);
	*out = io;
	return 0;
}

void
io_submit(struct io *io, struct job *j)
{
	io->waiting++;
	pthread_mutex_lock(&io->lock);
	put(&io->todo, j);
	pthread_cond_signal(&io->some);
	pthread_mutex_unlock(&io->lock);
}

size_t
io_waiting(const struct io *io)
{
	return io->waiting;
}

void
io_free(struct io **iop)
{
	struct io *io = *iop;

	if (io == NULL)
		return;
	if (io->started) {
		pthread_mutex_lock(&io->lock);
		io->stop = true;
		pthread_cond_signal(&io->some);
		pthread_mutex_unlock(&io->lock);
		pthread_join(io->thread, NULL);
	}
	loop_io_free(&io->watch);
	if (io->wake >= 0)
		close(io->wake);
	pthread_cond_destroy(&io->some);
	pthread_mutex_destroy(&io->lock);
	free(io);
	*iop = NULL;
}
