/*
 * dp-serve/blocks.c - lists of hashes of pieces; see blocks.h.
 *
 * Runs in dp-serve behind its sandbox. Believes nothing about a path; the
 * objects are content.c's.
 * SPDX-License-Identifier: ISC
 */
#include "dp-serve/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

#define LISTS	 64  /* at once, those that wait for their object included */
#define KEPT	 8   /* finished ones, of at most 1 MiB each */
#define SLICE	 (512 * 1024) /* hashed in one turn: a third of a millisecond */
#define PAUSE_MS 1
#define WAKE_MS	 200 /* what was made meanwhile is sent */
#define PATH_LEN (HASH_HEX + 8)

struct list {
	struct list	*next; /* those under way, or the kept ones */
	struct blocks	*b;
	struct object	*base, *answer;
	struct waiter	 waiter; /* for base to be there */
	struct hash_run *run;	 /* NULL: not begun */
	struct hash	 tag;
	uint64_t	 at, made; /* bytes hashed, bytes of the list */
	uint32_t	 piece;
};

struct blocks {
	struct loop	  *loop;
	struct content	  *content;
	struct list	  *first, **last; /* under way, in turn */
	struct list	  *kept;	  /* newest first */
	unsigned	   n;
	struct loop_timer *timer;
	uint64_t	   woke_ms, *lists, *bytes;
};

/* Its maker's references go; those who still read it keep theirs. */
static void
list_free(struct list *l)
{
	waiter_stop(&l->waiter);
	hash_run_free(&l->run);
	object_unref(&l->base);
	object_unref(&l->answer);
	free(l);
}

static void
append(struct blocks *b, struct list *l)
{
	l->next = NULL;
	*b->last = l;
	b->last = &l->next;
	b->n++;
}

static void
take(struct blocks *b, struct list *l)
{
	struct list **p = &b->first;

	while (*p != l)
		p = &(*p)->next;
	if ((*p = l->next) == NULL)
		b->last = p;
	b->n--;
}

static void
keep(struct blocks *b, struct list *l)
{
	struct list **p = &b->kept;
	unsigned      n = 0;

	hash_run_free(&l->run);
	l->next = b->kept;
	b->kept = l;
	++*b->lists;
	while (*p != NULL && n++ < KEPT)
		p = &(*p)->next;
	if (*p != NULL) {
		list_free(*p);
		*p = NULL;
	}
}

/* The object is there, or will not come. 0: hash it. */
static int
begin(struct list *l)
{
	const struct object *o = l->base;
	uint64_t	     n;
	uint8_t		    *bytes;

	l->answer->reach = o->reach;
	if (o->state == OBJECT_FAILED) {
		object_refuse(l->answer, o->status);
		return -ENOENT;
	}
	n = (o->size + l->piece - 1) / l->piece;
	if (n > BLOCKS_MAX) {
		object_refuse(l->answer, 404);
		return -ENOENT;
	}
	if ((bytes = malloc(n * HASH_LEN + 1)) == NULL ||
	    hash_run_new(&l->run) < 0) {
		free(bytes);
		object_refuse(l->answer, 503);
		return -ENOMEM;
	}
	object_made(l->answer, "application/octet-stream", &l->tag, bytes,
	    n * HASH_LEN, 0);
	return 0;
}

/* Hashes on, by one slice. 1: finished. */
static int
work(struct list *l)
{
	static uint8_t buf[64 * 1024];
	struct object *o = l->base;
	struct hash    h;
	size_t	       want, done = 0;
	ssize_t	       n;
	int	       r = 0;

	while (l->at < o->size && done < SLICE) {
		want = l->piece - l->at % l->piece;
		if (want > sizeof(buf))
			want = sizeof(buf);
		if ((n = pread(o->fd, buf, want, (off_t)l->at)) <= 0)
			return n < 0 ? -errno : -EIO;
		if ((r = hash_run_add(l->run, buf, (size_t)n)) < 0)
			return r;
		l->at += (uint64_t)n;
		done += (size_t)n;
		*l->b->bytes += (uint64_t)n;
		if (l->at % l->piece != 0 && l->at < o->size)
			continue;
		if ((r = hash_run_end(l->run, &h)) < 0)
			return r;
		memcpy(l->answer->bytes + l->made, h.b, HASH_LEN);
		l->made += HASH_LEN;
	}
	return l->at == o->size;
}

static bool
is_there(const struct list *l)
{
	return l->base->state == OBJECT_READY ||
	    l->base->state == OBJECT_FAILED;
}

static void
turn(struct list *l)
{
	struct blocks *b = l->b;
	bool	       wakes;
	int	       r = 0;

	take(b, l);
	if (l->answer->refs == 1) { /* nobody waits any more */
		list_free(l);
		return;
	}
	if (l->run == NULL && begin(l) < 0) {
		list_free(l);
		return;
	}
	if ((r = work(l)) < 0) {
		log_warn_err(r, "hashing pieces of an object");
		object_refuse(l->answer, 503);
		list_free(l);
		return;
	}
	wakes = loop_now_ms(b->loop) - b->woke_ms >= WAKE_MS;
	if (r == 1)
		keep(b, l);
	else
		append(b, l);
	if (r == 1 || wakes) {
		b->woke_ms = loop_now_ms(b->loop);
		object_made_more(l->answer, l->made);
	}
}

static void
on_timer(void *ctx)
{
	struct blocks *b = ctx;
	struct list   *l = b->first;

	for (; l != NULL && !is_there(l); l = l->next)
		object_wait(l->base, &l->waiter);
	if (l == NULL)
		return; /* on_woken starts it again */
	turn(l);
	(void)loop_timer_set(b->timer, PAUSE_MS);
}

static void
on_woken(struct waiter *w)
{
	struct list *l = (struct list *)((char *)w -
	    offsetof(struct list, waiter));

	(void)loop_timer_set(l->b->timer, PAUSE_MS);
}

static struct list *
find(struct list *l, const struct object *base, uint32_t piece)
{
	while (l != NULL && (l->base != base || l->piece != piece))
		l = l->next;
	return l;
}

/* "<sha256>/<n>" */
static int
parse(const char *path, size_t len, uint32_t *piece)
{
	struct hash h;
	uint32_t    n = 0;

	if (len < HASH_HEX + 1 || len >= PATH_LEN + 8 ||
	    path[HASH_HEX - 1] != '/' ||
	    hash_from_hex(&h, path, HASH_HEX - 1) < 0)
		return -ENOENT;
	for (size_t i = HASH_HEX; i < len; i++) {
		if (path[i] < '0' || path[i] > '9' || n > BLOCKS_PIECE_MAX)
			return -ENOENT;
		n = n * 10 + (uint32_t)(path[i] - '0');
	}
	if (path[HASH_HEX] == '0' || n < BLOCKS_PIECE_MIN ||
	    n > BLOCKS_PIECE_MAX || (n & (n - 1)) != 0)
		return -ENOENT;
	*piece = n;
	return 0;
}

static int
list_new(struct blocks *b, struct object *take_base, const char *path,
    size_t len, uint32_t piece, struct list **out)
{
	struct list *l;
	int	     r = -ENOMEM;

	if (b->n == LISTS || (l = calloc(1, sizeof(*l))) == NULL) {
		object_unref(&take_base);
		return b->n == LISTS ? -ENOBUFS : r;
	}
	*l = (struct list){ .b = b, .base = take_base, .piece = piece,
		.waiter.woken = on_woken };
	if ((r = hash_of(&l->tag, path, len)) < 0 ||
	    (r = object_make(b->content, take_base->reach, &l->answer)) < 0) {
		list_free(l);
		return r;
	}
	append(b, l);
	on_woken(&l->waiter);
	*out = l;
	return 0;
}

int
blocks_get(struct blocks *b, const char *path, size_t len, bool is_device,
    struct object **out)
{
	char	       by_hash[64 + HASH_HEX] = "/objects/sha256/";
	size_t	       n = strlen(by_hash);
	struct object *base;
	struct list   *l;
	uint32_t       piece;
	int	       r;

	if ((r = parse(path, len, &piece)) < 0)
		return r;
	memcpy(by_hash + n, path, HASH_HEX - 1);
	r = content_get(b->content, by_hash, n + HASH_HEX - 1, is_device, &base);
	if (r < 0)
		return r;
	/* the same object in the table: what is known of who may read it holds */
	if ((l = find(b->kept, base, piece)) == NULL)
		l = find(b->first, base, piece);
	if (l != NULL)
		object_unref(&base);
	else if ((r = list_new(b, base, path, len, piece, &l)) < 0)
		return r;
	*out = object_ref(l->answer);
	return 0;
}

int
blocks_new(struct loop *l, struct content *c, uint64_t *lists, uint64_t *bytes,
    struct blocks **out)
{
	struct blocks *b = calloc(1, sizeof(*b));
	int	       r;

	*out = b;
	if (b == NULL)
		return -ENOMEM;
	*b = (struct blocks){ .loop = l, .content = c, .lists = lists,
		.bytes = bytes };
	b->last = &b->first;
	if ((r = loop_timer_new(l, on_timer, b, &b->timer)) < 0)
		blocks_free(out);
	return r;
}

void
blocks_free(struct blocks **bp)
{
	struct blocks *b = *bp;
	struct list   *l;

	if (b == NULL)
		return;
	while ((l = b->first) != NULL) {
		take(b, l);
		list_free(l);
	}
	while ((l = b->kept) != NULL) {
		b->kept = l->next;
		list_free(l);
	}
	loop_timer_free(&b->timer);
	free(b);
	*bp = NULL;
}
