/*
 * dp-agent/gather.c - small objects in memory; see gather.h.
 *
 * Runs in the network child. A file description is authentic, which an
 * insider's lies are too: its numbers are held against the bounds.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/gather.h"

#include "dp-agent/receiver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct gathered {
	struct gathered *next;
	char		*name;
	struct hash	 hash;
	uint16_t	 toi;
	size_t		 len, cost;
	struct receiver *rx; /* NULL: it is whole */
	uint8_t		 bytes[];
};

static void
drop(struct gather *g, struct gathered *e)
{
	struct gathered **p;

	for (p = &g->first; *p != e; p = &(*p)->next)
		;
	*p = e->next;
	g->n--;
	g->bytes -= e->cost;
	receiver_free(&e->rx);
	free(e->name);
	free(e);
}

void
gather_fini(struct gather *g)
{
	while (g->first != NULL)
		drop(g, g->first);
}

static int
write_at(void *ctx, uint64_t offset, const void *p, size_t len)
{
	struct gathered *e = ctx;

	memcpy(e->bytes + offset, p, len);
	return 0;
}

static int
read_at(void *ctx, uint64_t offset, void *p, size_t len)
{
	const struct gathered *e = ctx;

	memcpy(p, e->bytes + offset, len);
	return 0;
}

/*
 * A block takes its place whole, parity and all, however few symbols are sent:
 * of a small object, which is one block, the first parity symbols are enough.
 * -EINVAL: not such an object; -ENOSPC: no room for it.
 */
static int
plan(const struct gather *g, const struct fdt_file *f,
    struct receiver_conf *c, size_t *cost)
{
	const struct alc_fti *t = &f->fti;
	uint64_t	      k;
	size_t		      block;

	if (t->length > GATHER_OBJECT || t->symbol == 0 ||
	    t->symbol > GATHER_SYMBOL || t->block == 0)
		return -EINVAL;
	k = (t->length + t->symbol - 1) / t->symbol;
	*c = (struct receiver_conf){ .length = t->length, .symbol = t->symbol,
		.block = t->block, .symbols = t->symbols,
		.silence = UINT64_MAX, .write = write_at, .read = read_at };
	if (k <= t->block && 2 * k + 2 < t->symbols) {
		c->block = (uint32_t)k;
		c->symbols = (uint16_t)(2 * k + 2);
	}
	block = (size_t)c->symbols * c->symbol;
	c->buffers = 2 * block;
	*cost = t->length + (k <= t->block ? 1 : 2) * block;
	return g->n == GATHER_OBJECTS || *cost > GATHER_BYTES - g->bytes
	    ? -ENOSPC
	    : 0;
}

static struct gathered *
find(const struct gather *g, uint16_t toi)
{
	struct gathered *e = g->first;

	while (e != NULL && e->toi != toi)
		e = e->next;
	return e;
}

static int
begin(struct gather *g, const struct fdt_file *f, struct gathered **out)
{
	struct receiver_conf c;
	struct gathered	    *e;
	size_t		     cost;
	int		     r;

	if ((e = find(g, f->toi)) != NULL)
		drop(g, e); /* another one's */
	if ((r = plan(g, f, &c, &cost)) < 0)
		return r;
	if ((e = calloc(1, sizeof(*e) + f->fti.length)) == NULL)
		return -ENOMEM;
	e->hash = f->hash;
	e->toi = f->toi;
	e->len = f->fti.length;
	e->cost = cost;
	e->name = strdup(f->name);
	e->next = g->first;
	g->first = e;
	g->n++;
	g->bytes += cost;
	c.ctx = e;
	if ((r = e->name == NULL ? -ENOMEM : receiver_new(&e->rx, &c)) < 0) {
		drop(g, e);
		return r;
	}
	*out = e;
	return 0;
}

uint8_t *
gather_place(struct gather *g, const struct fdt_file *f,
    const struct alc_head *h, size_t n)
{
	struct gathered	    *e = find(g, f->toi);
	struct receiver_conf c;
	size_t		     cost;
	uint16_t	     len;
	uint8_t		    *p;

	if (e != NULL && hash_eq(&e->hash, &f->hash)) {
		if (e->rx == NULL)
			return NULL;
		p = receiver_slot(e->rx, h->sbn, h->sbl, h->esi, &len);
		return p != NULL && n == len ? p : NULL;
	}
	return n <= GATHER_SYMBOL && plan(g, f, &c, &cost) == 0 ? g->scratch
								: NULL;
}

static int
whole(struct gather *g, struct gathered *e)
{
	struct receiver_stats s;
	struct hash	      h;

	receiver_stats(e->rx, &s);
	if (s.complete < s.blocks)
		return 0;
	if (hash_of(&h, e->bytes, e->len) < 0 || !hash_eq(&h, &e->hash)) {
		drop(g, e);
		return -EBADMSG;
	}
	receiver_free(&e->rx);
	g->bytes -= e->cost - e->len;
	e->cost = e->len;
	return 1;
}

int
gather_placed(struct gather *g, const struct fdt_file *f,
    const struct alc_head *h, size_t n)
{
	struct gathered *e = find(g, f->toi);
	uint16_t	 len;
	uint8_t		*p;
	int		 r;

	if (e == NULL || !hash_eq(&e->hash, &f->hash)) {
		if ((r = begin(g, f, &e)) < 0)
			return r == -ENOMEM ? r : 0;
		/* what it begins with waits in the place for that */
		p = receiver_slot(e->rx, h->sbn, h->sbl, h->esi, &len);
		if (p == NULL || n != len) {
			drop(g, e);
			return 0;
		}
		memcpy(p, g->scratch, n);
	}
	/* times matter to who reports, which nobody here does */
	if ((r = receiver_commit(e->rx, 1, h->counter, h->sbn, h->esi)) < 0) {
		drop(g, e);
		return r;
	}
	return r == 1 ? whole(g, e) : 0;
}

bool
gather_find(const struct gather *g, const char *name, const struct hash *h,
    const void **bytes, size_t *len)
{
	for (const struct gathered *e = g->first; e != NULL; e = e->next)
		if (e->rx == NULL && strcmp(e->name, name) == 0 &&
		    (h == NULL || hash_eq(&e->hash, h))) {
			*bytes = e->bytes;
			*len = e->len;
			return true;
		}
	return false;
}
