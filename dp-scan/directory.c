/*
 * dp-scan/directory.c - see directory.h.
 *
 * Runs in dp-scan. Believes dp-ldap that it read what it says, and nothing of
 * what was read.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/directory.h"

#include "common/size.h"
#include "common/worker.h"

#include <errno.h>
#include <stdlib.h>

#define QUEUE 16

struct scan_directory {
	struct loop		   *loop;
	struct ipc		   *ch; /* NULL: away */
	scan_sight_fn		    fn;
	void			   *ctx;
	struct scan_directory_state last;
	struct sight		    sight; /* the one being read */
};

static int
on_sight(void *ctx, struct ipc_msg *m)
{
	struct scan_directory *d = ctx;
	int		       r = 0;

	while (m->rd.left > 0 && (r = sight_read(&m->rd, &d->sight)) == 0) {
		if (d->sight.by != SIGHT_LDAP)
			return -EBADMSG;
		d->fn(d->ctx, &d->sight);
	}
	return r;
}

int
scan_directory_state_read(struct rd *r, struct scan_directory_state *last)
{
	struct scan_directory_state s = { .state = rd_u8(r), .there = true,
		.said = last->said + 1 };

	s.computers = rd_u32(r);
	s.left_out = rd_u32(r);
	rd_str(r, s.server, sizeof(s.server));
	rd_str(r, s.text, sizeof(s.text));
	if (rd_done(r) < 0 || s.state >= DIRECTORY_STATES)
		return -EBADMSG;
	*last = s;
	return 0;
}

static int
on_state(void *ctx, struct ipc_msg *m)
{
	struct scan_directory *d = ctx;

	return scan_directory_state_read(&m->rd, &d->last);
}

static const struct ipc_handler from_ldap[] = {
	/* type		nfds min max		      fn */
	{ MSG_SIGHT,	 0,  1,	 MSG_MAX_PAYLOAD,     on_sight },
	{ MSG_DIRECTORY, 0,  13, 9 + 2 * (2 + 255),   on_state },
};

static void
on_broken(void *ctx, struct ipc *c, int r)
{
	struct scan_directory *d = ctx;

	ipc_free(&c);
	d->ch = NULL;
	d->last.there = false;
	worker_accuse(PEER_LDAP, r);
}

int
scan_directory_new(struct loop *l, scan_sight_fn fn, void *ctx,
    struct scan_directory **out)
{
	struct scan_directory *d = calloc(1, sizeof(*d));

	*out = d;
	if (d == NULL)
		return -ENOMEM;
	d->loop = l;
	d->fn = fn;
	d->ctx = ctx;
	return 0;
}

void
scan_directory_free(struct scan_directory **dp)
{
	if (*dp == NULL)
		return;
	ipc_free(&(*dp)->ch);
	free(*dp);
	*dp = NULL;
}

int
scan_directory_attach(struct scan_directory *d, int take_fd)
{
	int r;

	ipc_free(&d->ch);
	r = ipc_new(d->loop, take_fd,
	    (struct ipc_table){ from_ldap, COUNT(from_ldap) }, d, on_broken, QUEUE,
	    &d->ch);
	d->last.there = r == 0;
	return r;
}

int
scan_directory_read(struct scan_directory *d)
{
	return d->ch == NULL ? -ENOTCONN
			     : ipc_send(d->ch, MSG_DIRECTORY_READ, 0, "", 0);
}

const struct scan_directory_state *
scan_directory_state(const struct scan_directory *d)
{
	return &d->last;
}
