/*
 * dp-store/io.h - a thread for what may block: hashing, syncing, committing.
 *
 * A look-up must not wait for a disk, and fsync can neither be sliced nor
 * bounded; so the loop's thread only reads, and everything that writes runs
 * here. Threads are started before the sandbox closes.
 * Shape:   jobs run in the order given; run() is called in the thread, done()
 *          afterwards in the loop. A job is the caller's; done() may free it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_STORE_IO_H
#define DP_STORE_IO_H

#include "common/loop.h"

#include <stddef.h>

struct io;

struct job {
	struct job *next;
	void (*run)(struct job *j);
	void (*done)(struct job *j);
};

int    io_new(struct loop *l, struct io **out);
void   io_submit(struct io *io, struct job *j);
size_t io_waiting(const struct io *io); /* jobs not done() yet */
void   io_free(struct io **io); /* runs what was given, calls no done() */

#endif
