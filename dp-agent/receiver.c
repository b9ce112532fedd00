/*
 * dp-agent/receiver.c - one object's reception; see receiver.h.
 *
 * Runs in the network child. What comes here is authentic, which an insider's
 * lies are too: every number is held against the object's own.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/receiver.h"

#include "common/alc.h"
#include "common/rs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS    UINT64_C(1000000)
#define SEC   UINT64_C(1000000000)
#define NEVER UINT64_MAX
#define TOLD  (NEVER - 1) /* done_at: the sender has heard it often enough */

#define PARTS	    4096 /* blocks whose symbols are remembered */
#define CACHE	    64	 /* parts found without a search, by number modulo */
#define WAITS	    256	 /* symbols of others without one: it waits for repair */
#define HELD	    4	 /* notices that are ahead of the data */
#define CHUNK	    65536 /* bytes read back at once, for the hash */
#define FEW	    64	 /* receivers whose reports need no thrift */
#define ROUNDS	    8	 /* a block asked for in vain so often is given up */
#define VAIN	    SEC	 /* but not before: a full socket loses many rounds */
#define REPORT_WIRE 100	 /* bytes of a report without entries, on the wire */
#define PACKET_WIRE 82	 /* of a packet beside its symbol */
#define STATUS_MIN  (10 * MS)
#define STATUS_MAX  (600 * SEC)
#define DONE_MAX    (60 * SEC)
#define DONE_TRIES  3
#define AGAIN	    (150 * MS) /* a third of the sender's patience, sender.c */
#define GRACE	    (20 * MS) /* for what is still on its way at the end */
#define LOSS_SPAN   (SEC / 2)
#define AHEAD	    4096 /* packets that may come before they are expected */

enum { EMPTY, PARTIAL, COMPLETE }; /* of a block, in two bits */

struct part {
	uint64_t had[4];  /* by ESI */
	uint64_t touched; /* the packet that last brought a symbol */
	uint64_t wanted_at; /* since when it is to be asked for; NEVER: not */
	uint64_t asked_at;
	uint64_t again; /* when to ask again, answered or not */
	uint64_t vain_from; /* since when what was asked for does not come */
	uint8_t *mem;	  /* symbols * E; NULL: the source symbols are in the
			   * file, parity is nowhere */
	uint32_t sbn;
	uint16_t k, have, parity; /* parity: of those it has */
	uint16_t sent;	     /* ESIs below it have been sent, as far as known */
	uint16_t asked_sent; /* sent, at the last report */
	uint16_t asked_have;
	uint8_t asked; /* deficit, at the last report; 0: none yet */
	uint8_t heard; /* by the sender from anybody, and not sent yet */
	uint8_t rounds;
	bool served; /* the last notice named it, and nothing pending */
	bool given_up;
};

struct buffer {
	uint8_t *mem;	   /* NULL: not made yet */
	struct part *part; /* NULL: free, or holds a complete block */
	uint32_t done;	   /* that block, until it is hashed; NONE */
};
#define NONE UINT32_MAX

struct receiver {
	struct receiver_conf conf;
	struct alc_blocks blocks;
	struct rs *rs[2]; /* of large and of small blocks; made when needed */
	int err;
	uint64_t rng;

	uint8_t *state; /* two bits a block */
	uint32_t complete;
	struct part **open; /* rising; at most PARTS */
	unsigned nopen, open_size;
	struct part *cache[CACHE];
	uint8_t *scratch; /* the symbol of a block without a buffer */
	struct buffer *buffer;
	unsigned nbuffers;

	uint32_t hash_next;
	uint8_t *chunk;

	uint64_t top; /* highest packet before which all was read */
	uint64_t first_at, last_at;
	uint64_t expected_total, received_total;
	struct {
		uint64_t since;
		uint32_t received, expected;
	} span[2]; /* this and the one before */

	struct {
		uint64_t at;
		struct mcast_notice n;
	} held[HELD];
	unsigned nheld;
	bool has_notice, few;
	uint32_t frontier, receivers;
	uint32_t scan; /* blocks below are complete, partial, or late */
	uint32_t late; /* blocks below went by before we came */
	uint16_t backoff_ms;
	uint32_t echo;
	uint64_t echo_at, notice_gap;
	uint64_t ended_at; /* NEVER: not yet */
	bool aborted;

	uint64_t report_at, status_at, look_at, done_at;
	uint64_t drawn_at; /* when report_at was drawn */
	unsigned done_told;
	bool leaving, leaving_told, notice_since_done;

	struct receiver_stats stats;
};

static uint64_t
min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t
rnd(struct receiver *r)
{
	uint64_t z = r->rng += 0x9e3779b97f4a7c15; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned
state_of(const struct receiver *r, uint32_t sbn)
{
	return r->state[sbn / 4] >> sbn % 4 * 2 & 3;
}

static void
set_state(struct receiver *r, uint32_t sbn, unsigned state)
{
	uint8_t *b = &r->state[sbn / 4];

	*b = (uint8_t)((*b & ~(3u << sbn % 4 * 2)) | state << sbn % 4 * 2);
}

int
receiver_new(struct receiver **out, const struct receiver_conf *conf)
{
	size_t size = (size_t)conf->symbols * conf->symbol;
	struct receiver *r;
	int rc;

	*out = NULL;
	if (conf->block > RS_K_MAX || conf->symbols > RS_N ||
	    conf->symbols <= conf->block ||
	    (conf->write != NULL) != (conf->read != NULL))
		return -EINVAL;
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return -ENOMEM;
	r->conf = *conf;
	r->rng = conf->seed;
	r->ended_at = r->report_at = r->status_at = r->look_at = NEVER;
	r->done_at = NEVER;
	r->notice_gap = 10 * MS;
	if ((rc = alc_blocks_init(
		 &r->blocks, conf->length, conf->symbol, conf->block)) < 0)
		goto out;
	r->nbuffers = 2;
	if (size > 0 && conf->buffers / size > 2)
		r->nbuffers = (unsigned)min64(conf->buffers / size, PARTS);
	rc = -ENOMEM;
	if ((r->state = calloc(r->blocks.count / 4 + 1, 1)) == NULL ||
	    (r->scratch = calloc(conf->symbol, 1)) == NULL)
		goto out;
	if (conf->write != NULL) {
		r->buffer = calloc(r->nbuffers, sizeof(*r->buffer));
		if (r->buffer == NULL)
			goto out;
		for (unsigned i = 0; i < r->nbuffers; i++)
			r->buffer[i].done = NONE;
	}
	*out = r;
	r = NULL;
	rc = 0;
out:
	receiver_free(&r);
	return rc;
}

void
receiver_free(struct receiver **rp)
{
	struct receiver *r = *rp;

	if (r == NULL)
		return;
	for (unsigned i = 0; i < r->nopen; i++)
		free(r->open[i]);
	for (unsigned i = 0; r->buffer != NULL && i < r->nbuffers; i++)
		free(r->buffer[i].mem);
	free(r->open);
	free(r->buffer);
	free(r->state);
	free(r->scratch);
	free(r->chunk);
	rs_free(&r->rs[0]);
	rs_free(&r->rs[1]);
	free(r);
	*rp = NULL;
}

/*
 * ---- blocks that lack symbols ----
 */

static bool
has(const struct part *p, unsigned esi)
{
	return (p->had[esi / 64] >> esi % 64 & 1) != 0;
}

/* Where block sbn stands among the open ones, or would. */
static unsigned
part_at(const struct receiver *r, uint32_t sbn)
{
	unsigned lo = 0, hi = r->nopen, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (r->open[mid]->sbn < sbn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct part *
part_find(struct receiver *r, uint32_t sbn)
{
	struct part *p = r->cache[sbn % CACHE];
	unsigned at;

	if (p != NULL && p->sbn == sbn)
		return p;
	if (state_of(r, sbn) != PARTIAL)
		return NULL;
	at = part_at(r, sbn);
	p = r->open[at];
	r->cache[sbn % CACHE] = p;
	return p;
}

static void
buffer_of_part_free(struct receiver *r, struct part *p)
{
	for (unsigned i = 0; p->mem != NULL && i < r->nbuffers; i++)
		if (r->buffer[i].part == p)
			r->buffer[i].part = NULL;
	p->mem = NULL;
}

/* Forgets a block's symbols; the block is then in the given state. */
static void
part_drop(struct receiver *r, struct part *p, unsigned state)
{
	unsigned at = part_at(r, p->sbn);

	buffer_of_part_free(r, p);
	memmove(&r->open[at], &r->open[at + 1],
	    (r->nopen - at - 1) * sizeof(r->open[0]));
	r->nopen--;
	if (r->cache[p->sbn % CACHE] == p)
		r->cache[p->sbn % CACHE] = NULL;
	set_state(r, p->sbn, state);
	if (state == EMPTY && p->sbn < r->scan)
		r->scan = p->sbn;
	free(p);
}

static int
part_new(struct receiver *r, uint32_t sbn, struct part **out)
{
	unsigned size, at;
	struct part **open, *p, *oldest;

	if (r->nopen == PARTS) {
		oldest = r->open[0];
		for (unsigned i = 1; i < r->nopen; i++)
			if (r->open[i]->touched < oldest->touched)
				oldest = r->open[i];
		part_drop(r, oldest, EMPTY);
	}
	if (r->nopen == r->open_size) {
		size = r->open_size > 0 ? 2 * r->open_size : 16;
		open = reallocarray(r->open, size, sizeof(*open));
		if (open == NULL)
			return -ENOMEM;
		r->open = open;
		r->open_size = size;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return -ENOMEM;
	p->sbn = sbn;
	p->k = alc_block_symbols(&r->blocks, sbn);
	p->again = p->wanted_at = NEVER;
	at = part_at(r, sbn);
	memmove(&r->open[at + 1], &r->open[at],
	    (r->nopen - at) * sizeof(r->open[0]));
	r->open[at] = p;
	r->nopen++;
	set_state(r, sbn, PARTIAL);
	*out = p;
	return 0;
}

/*
 * ---- buffers ----
 */

/* The source symbols go to the file, parity is lost; what they are is kept. */
static int
spill(struct receiver *r, struct part *p)
{
	uint64_t offset = alc_block_offset(&r->blocks, p->sbn);
	uint32_t bytes = alc_block_bytes(&r->blocks, p->sbn);
	size_t e = r->conf.symbol;
	int rc;

	for (unsigned i = 0, first; i < p->k; i++) {
		if (!has(p, i))
			continue;
		first = i;
		while (i < p->k && has(p, i))
			i++;
		if ((rc = r->conf.write(r->conf.ctx, offset + first * e,
			 p->mem + first * e,
			 min64(i * e, bytes) - first * e)) < 0)
			return rc;
	}
	for (unsigned i = p->k; i < r->conf.symbols; i++)
		p->had[i / 64] &= ~(UINT64_C(1) << i % 64);
	p->have -= p->parity;
	p->parity = 0;
	buffer_of_part_free(r, p);
	r->stats.spilled++;
	return 0;
}

/*
 * Whether a is the better one to give up its buffer: nothing comes for it now;
 * or it loses less parity, or has waited longer for a symbol. Of those that
 * symbols come for, which are new and have no parity yet, one must not throw out
 * the other at each symbol while others that only wait keep what they have.
 */
static bool
gives_way(const struct receiver *r, const struct part *a, const struct part *b)
{
	bool a_waits = r->stats.symbols - a->touched >= WAITS;
	bool b_waits = r->stats.symbols - b->touched >= WAITS;

	if (a_waits != b_waits)
		return a_waits;
	return a->parity != b->parity ? a->parity < b->parity
				      : a->touched < b->touched;
}

/* What taking a buffer costs: nothing, memory, reading again, symbols. */
static int
cost(const struct buffer *b)
{
	if (b->part != NULL)
		return 3;
	if (b->done != NONE)
		return 2;
	return b->mem == NULL;
}

static bool
costs_less(
    const struct receiver *r, const struct buffer *a, const struct buffer *b)
{
	if (cost(a) != cost(b))
		return cost(a) < cost(b);
	if (a->part != NULL && b->part != NULL)
		return gives_way(r, a->part, b->part);
	return a->done != NONE && a->done > b->done; /* the last in turn */
}

/*
 * A buffer for a part: a free one; else that of a complete block that waits for
 * the hash, since it can be read again; else that of the part that loses least.
 */
static int
buffer_take(struct receiver *r, struct part *p)
{
	struct buffer *b = &r->buffer[0];
	int rc;

	for (unsigned i = 1; i < r->nbuffers; i++)
		if (costs_less(r, &r->buffer[i], b))
			b = &r->buffer[i];
	if (b->part != NULL && (rc = spill(r, b->part)) < 0)
		return rc;
	if (b->mem == NULL &&
	    (b->mem = malloc((size_t)r->conf.symbols * r->conf.symbol)) == NULL)
		return -ENOMEM;
	b->done = NONE;
	b->part = p;
	p->mem = b->mem;
	return 0;
}

/* A buffer with what the part has. */
static int
part_load(struct receiver *r, struct part *p)
{
	uint32_t bytes = alc_block_bytes(&r->blocks, p->sbn);
	int rc;

	if ((rc = buffer_take(r, p)) < 0)
		return rc;
	if (p->have == 0)
		return 0;
	if ((rc = r->conf.read(r->conf.ctx,
		 alc_block_offset(&r->blocks, p->sbn), p->mem, bytes)) < 0)
		return rc;
	memset(p->mem + bytes, 0, (size_t)p->k * r->conf.symbol - bytes);
	return 0;
}

/*
 * ---- the hash ----
 */

static struct buffer *
buffer_done(struct receiver *r, uint32_t sbn)
{
	for (unsigned i = 0; r->buffer != NULL && i < r->nbuffers; i++)
		if (r->buffer[i].done == sbn)
			return &r->buffer[i];
	return NULL;
}

static bool
hash_waits(const struct receiver *r)
{
	return r->conf.piece != NULL && r->err == 0 &&
	    r->hash_next < r->blocks.count &&
	    state_of(r, r->hash_next) == COMPLETE;
}

static int
hash_bytes(struct receiver *r, uint64_t offset, const uint8_t *p, size_t len)
{
	int rc;

	if ((rc = r->conf.piece(r->conf.ctx, offset, p, len)) < 0)
		return rc;
	r->stats.hashed_bytes += len;
	return 0;
}

static int
hash_from_file(struct receiver *r, uint32_t sbn)
{
	uint64_t offset = alc_block_offset(&r->blocks, sbn);
	uint32_t bytes = alc_block_bytes(&r->blocks, sbn), n;
	int rc;

	if (r->chunk == NULL && (r->chunk = malloc(CHUNK)) == NULL)
		return -ENOMEM;
	for (; bytes > 0; bytes -= n, offset += n) {
		n = bytes < CHUNK ? bytes : CHUNK;
		if ((rc = r->conf.read(r->conf.ctx, offset, r->chunk, n)) < 0 ||
		    (rc = hash_bytes(r, offset, r->chunk, n)) < 0)
			return rc;
	}
	return 0;
}

static int
hash_one(struct receiver *r)
{
	struct buffer *b = buffer_done(r, r->hash_next);
	int rc;

	if (r->conf.write == NULL)
		rc = 0;
	else if (b != NULL)
		rc = hash_bytes(r, alc_block_offset(&r->blocks, r->hash_next),
		    b->mem, alc_block_bytes(&r->blocks, r->hash_next));
	else
		rc = hash_from_file(r, r->hash_next);
	if (rc < 0)
		return rc;
	if (b != NULL)
		b->done = NONE;
	r->hash_next++;
	return 0;
}

int
receiver_work(struct receiver *r)
{
	if (r->err != 0)
		return r->err;
	if (hash_waits(r))
		r->err = hash_one(r);
	return r->err != 0 ? r->err : hash_waits(r);
}

void
receiver_rest(struct receiver *r)
{
	if (r->complete < r->blocks.count)
		return;
	for (unsigned i = 0; r->buffer != NULL && i < r->nbuffers; i++) {
		free(r->buffer[i].mem);
		r->buffer[i] = (struct buffer){ .done = NONE };
	}
	free(r->chunk);
	r->chunk = NULL;
	r->hash_next = r->blocks.count;
}

/*
 * ---- symbols ----
 */

uint8_t *
receiver_slot(struct receiver *r, uint32_t sbn, uint16_t sbl, uint16_t esi,
    uint16_t *len)
{
	struct alc_head h = { .sbn = sbn, .sbl = sbl, .esi = esi };
	struct part *p;

	if (!alc_blocks_hold(&r->blocks, r->conf.symbols, &h) ||
	    r->err != 0 || state_of(r, sbn) == COMPLETE)
		return NULL;
	p = part_find(r, sbn);
	if (p != NULL && has(p, esi))
		return NULL;
	*len = (uint16_t)r->conf.symbol;
	if (esi + 1u == sbl && sbn + 1 == r->blocks.count)
		*len = (uint16_t)(alc_block_bytes(&r->blocks, sbn) -
		    (uint32_t)esi * r->conf.symbol);
	if (p == NULL || p->mem == NULL)
		return r->scratch;
	return p->mem + (size_t)esi * r->conf.symbol;
}

static int
decode(struct receiver *r, struct part *p)
{
	struct rs **rs = &r->rs[p->sbn >= r->blocks.larges];
	uint8_t *sym[RS_N];
	const uint8_t *parity[RS_N];
	uint8_t missing[RS_N], esi[RS_N];
	unsigned e = 0, n = 0;
	int rc;

	for (unsigned i = 0; i < p->k; i++) {
		sym[i] = p->mem + (size_t)i * r->conf.symbol;
		if (!has(p, i))
			missing[e++] = (uint8_t)i;
	}
	if (e == 0)
		return 0;
	for (unsigned i = p->k; n < e; i++)
		if (has(p, i)) {
			parity[n] = p->mem + (size_t)i * r->conf.symbol;
			esi[n++] = (uint8_t)i;
		}
	if (*rs == NULL && (rc = rs_new(p->k, rs)) < 0)
		return rc;
	r->stats.decoded++;
	return rs_decode(
	    *rs, r->conf.symbol, sym, missing, e, parity, esi);
}

/* All its symbols are there. */
static int
finish_block(struct receiver *r, struct part *p)
{
	uint32_t sbn = p->sbn, bytes = alc_block_bytes(&r->blocks, sbn);
	struct buffer *b = NULL;
	int rc;

	if (r->conf.write != NULL) {
		if ((rc = decode(r, p)) < 0 ||
		    (rc = r->conf.write(r->conf.ctx,
			 alc_block_offset(&r->blocks, sbn), p->mem, bytes)) < 0)
			return rc;
		for (b = r->buffer; b->part != p; b++)
			;
	}
	part_drop(r, p, COMPLETE);
	r->complete++;
	r->stats.complete_bytes += bytes;
	if (b != NULL && r->conf.piece != NULL && sbn >= r->hash_next)
		b->done = sbn;
	/* while it is in the cache; and one more, to catch up with those that
	 * came out of order, but not so many that packets are lost meanwhile */
	for (unsigned i = 0; i < 2 && hash_waits(r); i++) {
		if (i > 0 && r->conf.write != NULL &&
		    buffer_done(r, r->hash_next) == NULL)
			break;
		if ((rc = hash_one(r)) < 0)
			return rc;
	}
	return 0;
}

static void	note_packet(struct receiver *r, uint64_t now, uint64_t counter);
static int	apply_held(struct receiver *r, uint64_t now, uint64_t below);
static void	finished(struct receiver *r, uint64_t now);

static int
commit(struct receiver *r, uint32_t sbn, uint16_t esi)
{
	struct part *p = part_find(r, sbn);
	size_t e = r->conf.symbol;
	uint32_t bytes;
	int rc;

	if (p == NULL && (rc = part_new(r, sbn, &p)) < 0)
		return rc;
	if (has(p, esi))
		return 0;
	if (p->mem == NULL && r->conf.write != NULL) {
		if ((rc = part_load(r, p)) < 0)
			return rc;
		memcpy(p->mem + esi * e, r->scratch, e);
	}
	if (esi + 1u == p->k && sbn + 1 == r->blocks.count && p->mem != NULL) {
		bytes = alc_block_bytes(&r->blocks, sbn);
		memset(p->mem + bytes, 0, p->k * e - bytes);
	}
	p->had[esi / 64] |= UINT64_C(1) << esi % 64;
	p->have++;
	p->touched = ++r->stats.symbols;
	if (esi >= p->k) {
		p->parity++;
		r->stats.parity++;
	}
	if (p->sent <= esi)
		p->sent = (uint16_t)(esi + 1);
	if (p->have < p->k)
		return 0;
	rc = finish_block(r, p);
	return rc < 0 ? rc : 1;
}

int
receiver_commit(struct receiver *r, uint64_t now, uint64_t counter,
    uint32_t sbn, uint16_t esi)
{
	int done = 0;

	if (r->err != 0)
		return r->err;
	if (sbn >= r->blocks.count || esi >= r->conf.symbols)
		return -EINVAL;
	note_packet(r, now, counter);
	if (state_of(r, sbn) != COMPLETE && (done = commit(r, sbn, esi)) < 0)
		return r->err = done;
	if (r->complete == r->blocks.count && r->done_at == NEVER)
		finished(r, now);
	if (r->nheld > 0)
		r->err = apply_held(r, now, counter);
	return r->err < 0 ? r->err : done;
}

/*
 * ---- what was lost ----
 */

static void
turn_span(struct receiver *r, uint64_t now)
{
	if (now < r->span[0].since + LOSS_SPAN)
		return;
	r->span[1] = r->span[0];
	if (now >= r->span[0].since + 4 * LOSS_SPAN)
		r->span[1].received = r->span[1].expected = 0;
	r->span[0].since = now;
	r->span[0].received = r->span[0].expected = 0;
}

static void
note_packet(struct receiver *r, uint64_t now, uint64_t counter)
{
	turn_span(r, now);
	r->last_at = now;
	r->span[0].received++;
	r->received_total++;
	if (r->top == 0) { /* whatever went before was not for us */
		r->top = counter - 1;
		r->first_at = now;
	}
	if (counter > r->top) {
		uint64_t d = counter - r->top;

		r->span[0].expected += (uint32_t)min64(d, 1u << 24);
		r->expected_total += d;
		r->top = counter;
	}
}

void
receiver_packet(
    struct receiver *r, uint64_t now, uint64_t counter, bool authentic)
{
	if (r->err != 0 || counter == 0)
		return;
	if (authentic) {
		note_packet(r, now, counter);
		if (r->nheld > 0)
			r->err = apply_held(r, now, counter);
	} else if (r->top != 0 && counter + AHEAD > r->top &&
	    counter < r->top + AHEAD) {
		turn_span(r, now);
		r->span[0].received++;
		r->received_total++;
	}
}

/*
 * ---- notices ----
 */

/* Bytes a second that the session sends, for a share of it. */
static uint64_t
rate(const struct receiver *r, uint64_t now)
{
	uint64_t bytes = r->expected_total * (r->conf.symbol + PACKET_WIRE);
	uint64_t ms = (now - r->first_at) / MS + 1;

	return bytes / ms * 1000 + 1;
}

/* So that all receivers together, once in it, take one part in `part`. */
static uint64_t
spread(const struct receiver *r, uint64_t now, unsigned part)
{
	return (uint64_t)r->receivers * REPORT_WIRE * part * MS /
	    (rate(r, now) / 1000 + 1);
}

/*
 * When to report within the window: truncated exponential, so that of many
 * receivers the first few are heard before most have spoken (RFC 5401, 5.2).
 */
static uint64_t
backoff(struct receiver *r)
{
	uint64_t window = r->backoff_ms * MS, u, e, l = 0;
	int zeros;

	if (window == 0)
		return 0;
	/* in 1/65536: e = -log2 of a random number in 0..1, l = log2 receivers */
	u = rnd(r) | 1;
	zeros = __builtin_clzll(u);
	e = ((uint64_t)zeros + 1) << 16;
	e -= (u << zeros << 1) >> 48;
	for (uint32_t n = r->receivers; n > 1; n >>= 1)
		l += 1 << 16;
	if (l == 0)
		l = 1 << 16;
	return e >= l ? 0 : window / l * (l - e);
}

static unsigned
deficit_of(const struct part *p)
{
	return (unsigned)(p->k - p->have);
}

/*
 * Whether to ask for more of a block now: not while the sender knows of as much
 * from somebody, nor before what was asked for has been sent or is overdue. If
 * it is overdue only later, *look is when.
 */
static bool
wants(const struct receiver *r, const struct part *p, uint64_t now,
    uint64_t *look)
{
	if (p->given_up || p->heard >= deficit_of(p) ||
	    (p->sbn < r->late && p->have == 0 &&
		r->frontier < r->blocks.count))
		return false;
	if (p->asked == 0)
		return true;
	if (now >= p->again) /* the next notice is time enough */
		return r->echo_at > p->asked_at;
	if (p->heard == 0 && p->sent >= p->asked_sent + p->asked &&
	    p->sent < r->conf.symbols)
		return true;
	/* where the code goes round, numbers do not show what was sent; that
	 * the block is named as done with does, in a notice after the next */
	if (p->served && p->sent == r->conf.symbols &&
	    r->echo_at > p->asked_at + r->notice_gap)
		return true;
	*look = min64(*look, p->again);
	return false;
}

/* Blocks below the frontier of which nothing came. */
static int
find_empty(struct receiver *r)
{
	struct part *p;
	int rc;

	for (; r->scan < r->frontier; r->scan++) {
		if (state_of(r, r->scan) != EMPTY ||
		    (r->scan < r->late && r->frontier < r->blocks.count))
			continue;
		if (r->nopen == PARTS)
			return 0;
		if ((rc = part_new(r, r->scan, &p)) < 0)
			return rc;
	}
	return 0;
}

/* Sets the times for the next report and the next look. */
static void
look(struct receiver *r, uint64_t now)
{
	bool any = false, hope = r->frontier < r->blocks.count;

	r->look_at = NEVER;
	for (unsigned i = 0; i < r->nopen; i++) {
		struct part *p = r->open[i];

		if (p->sbn >= r->frontier)
			break;
		hope |= !p->given_up;
		if (!wants(r, p, now, &r->look_at))
			continue;
		any = true;
		if (p->wanted_at == NEVER)
			p->wanted_at = now;
	}
	if (any && r->report_at == NEVER) {
		r->report_at = now + backoff(r);
		r->drawn_at = now;
	}
	/* a block that is not there and not open is hope too */
	if (!hope && r->scan == r->frontier && r->complete < r->blocks.count)
		r->leaving = true;
}

static int
apply(struct receiver *r, uint64_t now, const struct mcast_notice *n,
    uint64_t came)
{
	struct part *p;
	int rc;

	note_packet(r, now, n->counter);
	r->echo = n->time;
	r->echo_at = came;
	r->backoff_ms = n->backoff_ms;
	r->receivers = n->receivers;
	r->few = n->receivers <= FEW;
	if (n->frontier > r->frontier)
		r->frontier = n->frontier < r->blocks.count ? n->frontier
							    : r->blocks.count;
	if (!r->has_notice) {
		r->has_notice = true;
		r->late = r->frontier;
		r->status_at = spread(r, now, 400) <= STATUS_MIN
		    ? now
		    : now + rnd(r) % spread(r, now, 400);
	}
	if (r->frontier == r->blocks.count && r->late > 0) {
		r->scan = 0; /* the time for those that went by before us */
		r->late = 0;
	}
	if ((n->flags & (MCAST_END | MCAST_ABORT)) != 0) {
		r->ended_at = min64(r->ended_at, now);
		r->aborted |= (n->flags & MCAST_ABORT) != 0;
		return 0;
	}
	r->notice_since_done = true;
	if (r->complete == r->blocks.count)
		return 0;
	for (unsigned i = 0; i < r->nopen; i++) {
		r->open[i]->served = false;
		if (n->n < MCAST_NOTICE_BLOCKS)
			r->open[i]->heard = 0;
	}
	for (unsigned i = 0; i < n->n && i < MCAST_NOTICE_BLOCKS; i++) {
		if (n->block[i].sbn >= r->blocks.count ||
		    (p = part_find(r, n->block[i].sbn)) == NULL)
			continue;
		p->heard = n->block[i].heard;
		p->served = p->heard == 0;
		if (p->sent < n->block[i].sent)
			p->sent = n->block[i].sent;
	}
	if ((rc = find_empty(r)) < 0)
		return rc;
	look(r, now);
	return 0;
}

/* The notices before packet `below`: all data before them has been read. */
static int
apply_held(struct receiver *r, uint64_t now, uint64_t below)
{
	unsigned n = 0;
	int rc = 0;

	while (rc == 0 && n < r->nheld && r->held[n].n.counter < below) {
		rc = apply(r, now, &r->held[n].n, r->held[n].at);
		n++;
	}
	if (n == 0)
		return rc;
	r->nheld -= n;
	memmove(&r->held[0], &r->held[n], r->nheld * sizeof(r->held[0]));
	return rc;
}

int
receiver_notice(
    struct receiver *r, uint64_t now, const struct mcast_notice *n)
{
	unsigned at = r->nheld;

	if (r->err != 0)
		return r->err;
	r->stats.notices++;
	if (r->echo_at > 0 && now > r->echo_at)
		r->notice_gap = (3 * r->notice_gap +
				    min64(now - r->echo_at, SEC)) / 4;
	r->last_at = now;
	if (at > 0 && r->held[at - 1].n.counter > n->counter) {
		receiver_packet(r, now, n->counter, false);
		return 0; /* overtaken by a newer one */
	}
	if (at == HELD) {
		/* the newest gives way: the oldest is next to count */
		at = HELD - 1;
		receiver_packet(r, now, r->held[at].n.counter, false);
	} else {
		r->nheld++;
	}
	r->held[at].at = now;
	memcpy(&r->held[at].n, n, offsetof(struct mcast_notice, block));
	memcpy(r->held[at].n.block, n->block,
	    min64(n->n, MCAST_NOTICE_BLOCKS) * sizeof(n->block[0]));
	r->err = apply_held(r, now, r->top);
	return r->err;
}

int
receiver_drained(struct receiver *r, uint64_t now)
{
	if (r->err == 0 && r->nheld > 0)
		r->err = apply_held(r, now, UINT64_MAX);
	return r->err;
}

/*
 * ---- reports ----
 */

/* The last block came. */
static void
finished(struct receiver *r, uint64_t now)
{
	uint64_t window = min64(spread(r, now, 50), DONE_MAX);

	r->report_at = r->status_at = r->look_at = NEVER;
	r->done_at = window < MS ? now : now + rnd(r) % window;
}

static void
report_head(struct receiver *r, uint64_t now, struct mcast_report *out)
{
	uint64_t held = (now - r->echo_at) / MS;
	uint32_t received, expected;

	turn_span(r, now);
	received = r->span[0].received + r->span[1].received;
	expected = r->span[0].expected + r->span[1].expected;
	out->flags = 0;
	out->echo = r->echo;
	out->held_ms = !r->has_notice || held > UINT16_MAX ? UINT16_MAX
							   : (uint16_t)held;
	out->seen = (uint32_t)r->top;
	/* packets that were not wanted came before any told us to expect them */
	out->received = received < expected ? received : expected;
	out->expected = expected;
	out->complete = r->complete;
	memset(r->span, 0, sizeof(r->span));
	r->span[0].since = now;
	r->span[0].received = (uint32_t)min64(received - out->received, AHEAD);
	r->stats.reports++;
}

/*
 * Only for blocks that have waited as long as the report: of those that came
 * since, nobody can have heard yet that somebody else asked, and all whose turn
 * it is now would.
 */
static void
ask(struct receiver *r, uint64_t now, struct mcast_report *out)
{
	uint64_t wait, never = NEVER;

	for (unsigned i = 0; i < r->nopen && out->n < MCAST_REPORT_BLOCKS; i++) {
		struct part *p = r->open[i];

		if (p->sbn >= r->frontier)
			break;
		if (!wants(r, p, now, &never) ||
		    (!r->few && p->wanted_at > r->drawn_at))
			continue;
		p->wanted_at = NEVER;
		if (p->asked == 0 || p->have != p->asked_have) {
			p->rounds = 0;
			p->vain_from = now;
		}
		if (p->rounds < ROUNDS) {
			p->rounds++;
		} else if (now - p->vain_from >= VAIN) {
			p->given_up = true;
			continue;
		}
		out->block[out->n++] = (struct mcast_report_block){
			.sbn = p->sbn,
			.deficit = (uint8_t)deficit_of(p),
		};
		if (p->sent < p->k) /* the first pass is over */
			p->sent = p->k;
		p->asked = (uint8_t)deficit_of(p);
		p->asked_have = p->have;
		p->asked_sent = p->sent;
		wait = 2 * r->notice_gap + 10 * MS + r->backoff_ms * MS;
		p->asked_at = now;
		p->again = now + min64(wait << (p->rounds - 1), AGAIN + wait);
	}
}

/* Whether a report with requests, or one without, is due; made if so. */
static bool
report(struct receiver *r, uint64_t now, struct mcast_report *out)
{
	bool status = now >= r->status_at;

	if (now >= r->look_at)
		look(r, now);
	if (now < r->report_at && !status)
		return false;
	out->n = 0;
	if (now >= r->report_at || (status && r->few)) {
		ask(r, now, out);
		r->report_at = NEVER;
		look(r, now);
		if (out->n == MCAST_REPORT_BLOCKS && r->report_at != NEVER)
			r->report_at = now + MS; /* the rest, soon */
	}
	if (status || (r->few && out->n > 0))
		r->status_at = now +
		    min64(max64(spread(r, now, 400), STATUS_MIN), STATUS_MAX);
	if (out->n == 0 && !status) /* somebody else has asked for it all */
		return false;
	report_head(r, now, out);
	return true;
}

bool
receiver_report(struct receiver *r, uint64_t now, struct mcast_report *out)
{
	if (r->complete == r->blocks.count) {
		if (r->done_at == NEVER || now < r->done_at)
			return false;
		/* told again only to a sender that goes on as if not told */
		if (r->done_told > 0 &&
		    (!r->notice_since_done || r->ended_at != NEVER)) {
			r->done_at = r->ended_at != NEVER ||
				now >= r->last_at + r->conf.silence
			    ? TOLD
			    : now + SEC;
			return false;
		}
		report_head(r, now, out);
		out->flags = MCAST_DONE;
		out->n = 0;
		r->notice_since_done = false;
		r->done_at = now + 100 * MS;
		if (++r->done_told == DONE_TRIES || !r->few)
			r->done_at = TOLD;
		return true;
	}
	if (r->err != 0 || r->leaving) {
		if (r->leaving_told || !r->has_notice)
			return false;
		report_head(r, now, out);
		out->flags = MCAST_LEAVING;
		out->n = 0;
		r->leaving_told = true;
		return true;
	}
	if (r->ended_at != NEVER)
		return false;
	return report(r, now, out);
}

uint64_t
receiver_next(const struct receiver *r)
{
	uint64_t at;

	if (r->complete == r->blocks.count)
		return r->done_at == TOLD ? NEVER : r->done_at;
	if (r->ended_at != NEVER)
		return r->ended_at + GRACE;
	at = min64(min64(r->report_at, r->status_at), r->look_at);
	if (r->last_at > 0)
		at = min64(at, r->last_at + r->conf.silence);
	return at;
}

enum receiver_state
receiver_state(struct receiver *r, uint64_t now)
{
	if (r->err != 0)
		return RECEIVER_FAILED;
	if (r->complete == r->blocks.count)
		return RECEIVER_COMPLETE;
	if (r->last_at == 0)
		r->last_at = now; /* silence counts from here on */
	if (now >= r->last_at + r->conf.silence)
		r->leaving = true;
	if (r->leaving || r->aborted ||
	    (r->ended_at != NEVER && now >= r->ended_at + GRACE))
		return RECEIVER_LEAVES;
	return RECEIVER_RUNS;
}

/*
 * ---- what is right and what is missing ----
 */

/* The block that byte `offset` of the object is in. */
static uint32_t
block_at(const struct receiver *r, uint64_t offset)
{
	const struct alc_blocks *b = &r->blocks;
	uint64_t symbol = offset / b->symbol;
	uint64_t in_larges = (uint64_t)b->larges * b->large;

	if (symbol < in_larges)
		return (uint32_t)(symbol / b->large);
	return (uint32_t)(b->larges + (symbol - in_larges) / b->small);
}

static int
range(const struct receiver *r, uint64_t offset, uint64_t length)
{
	return offset > r->conf.length || length > r->conf.length - offset
	    ? -EINVAL
	    : 0;
}

int
receiver_adopt(struct receiver *r, uint64_t offset, uint64_t length)
{
	struct part *p;
	int rc;

	if ((rc = range(r, offset, length)) < 0 || length == 0)
		return rc;
	for (uint32_t i = block_at(r, offset); i < r->blocks.count; i++) {
		uint64_t at = alc_block_offset(&r->blocks, i);
		uint32_t bytes = alc_block_bytes(&r->blocks, i);

		if (at + bytes > offset + length)
			break;
		if (at < offset || state_of(r, i) == COMPLETE)
			continue;
		if ((p = part_find(r, i)) != NULL)
			part_drop(r, p, COMPLETE);
		set_state(r, i, COMPLETE);
		r->complete++;
		r->stats.complete_bytes += bytes;
	}
	if (r->complete == r->blocks.count && r->done_at == NEVER)
		finished(r, r->last_at);
	return 0;
}

int
receiver_spoil(struct receiver *r, uint64_t offset, uint64_t length)
{
	struct buffer *b;
	int rc;

	if ((rc = range(r, offset, length)) < 0 || length == 0)
		return rc;
	for (uint32_t i = block_at(r, offset); i < r->blocks.count; i++) {
		if (alc_block_offset(&r->blocks, i) >= offset + length)
			break;
		if (state_of(r, i) == PARTIAL)
			part_drop(r, part_find(r, i), EMPTY);
		if (state_of(r, i) != COMPLETE)
			continue;
		set_state(r, i, EMPTY);
		if (i < r->scan)
			r->scan = i;
		if ((b = buffer_done(r, i)) != NULL)
			b->done = NONE;
		r->complete--;
		r->stats.complete_bytes -= alc_block_bytes(&r->blocks, i);
	}
	r->done_at = NEVER;
	r->done_told = 0;
	r->leaving = r->leaving_told = false;
	return 0;
}

bool
receiver_missing(
    const struct receiver *r, uint64_t *offset, uint64_t *length)
{
	uint32_t i, first;

	if (*offset >= r->conf.length)
		return false;
	for (i = block_at(r, *offset);
	     i < r->blocks.count && state_of(r, i) == COMPLETE; i++)
		;
	if (i == r->blocks.count)
		return false;
	for (first = i;
	     i < r->blocks.count && state_of(r, i) != COMPLETE; i++)
		;
	/* the first block may have been entered in its middle */
	*offset = max64(*offset, alc_block_offset(&r->blocks, first));
	*length = (i < r->blocks.count ? alc_block_offset(&r->blocks, i)
				       : r->conf.length) - *offset;
	return true;
}

void
receiver_stats(const struct receiver *r, struct receiver_stats *out)
{
	*out = r->stats;
	out->blocks = r->blocks.count;
	out->complete = r->complete;
	out->received = r->received_total;
	out->lost = r->expected_total > r->received_total
	    ? r->expected_total - r->received_total
	    : 0;
	out->last_ns = r->last_at;
}
