/*
 * dp-mcast/sender.c - one session's sender; see sender.h.
 *
 * Runs in dp-mcast. A report has been authenticated when it comes here, which
 * makes its author known and its numbers no truer: each is checked against what
 * was sent before any has an effect.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/sender.h"

#include "common/alc.h"
#include "common/rs.h"
#include "dp-mcast/pace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS  UINT64_C(1000000)
#define SEC UINT64_C(1000000000)

#define REPAIRS	  4 /* blocks whose repairs are interleaved */
#define SPARE	  2 /* buffers, so that one call may end some blocks */
#define QUEUE	  4096
#define LOG	  32768 /* symbols of which we know when they were sent */
#define HISTORY	  32
#define SETTLING  512
#define RECENT	  64
#define REPEATS	  3  /* notices that tell of a finished repair, or of the end */
#define UNTOLD	  16 /* packets of the FDT, whose numbers we are not told */
#define TOKENS	  16 /* reports of one receiver at once; one more each ms */
#define REPORT_WIRE 150	  /* bytes of a usual report on the wire */
#define NOTICE_WIRE 42	  /* of a notice beside its payload */
#define NOTICE_EVERY (10 * MS)
#define NOTICE_GAP   (2 * MS)
#define QUIET	     (500 * MS)
#define MAX_LOSS     200
#define SLOW_SAMPLE  300 /* packets before a receiver is called slow */

struct block {
	uint32_t last;	  /* in the log, its last symbol: sequence + 1; 0 none */
	uint16_t next;	  /* symbols sent; the next one's ESI, modulo symbols */
	uint16_t pending; /* asked for, not sent. Not 0: it is in the queue or
			   * in a repair slot */
};

struct buffer {
	uint8_t *mem;	  /* symbols * E: source and, where made, parity */
	uint64_t used;	  /* the call that gave its bytes out last */
	uint64_t made[4]; /* parity symbols in mem, by ESI */
	uint32_t sbn;
	uint16_t pins;
	bool valid;
};

struct slot {
	struct buffer *buf;
	uint32_t sbn;
	uint16_t end; /* first pass: symbols */
};

struct peer {
	uint32_t complete, credit, seen_packets;
	uint32_t report_ms; /* of its last report */
	uint16_t loss;
	uint8_t flags, tokens;
};

/* A block whose first pass is over and which may still be asked for. */
struct settling {
	uint64_t at;
	uint32_t sbn;
	uint8_t proactive;
};

struct sender {
	struct sender_conf conf;
	struct alc_blocks blocks;
	struct rs *rs[2]; /* of large and of small blocks */
	unsigned stride;
	struct pace pace;
	enum sender_state state;
	uint8_t end_flag;
	unsigned end_notices;
	int err;

	struct block *block;
	struct {
		uint32_t counter, prev; /* prev: as struct block's last */
	} *log;
	uint32_t nlog;	  /* symbols sent, modulo 2^32 */
	uint64_t counter; /* highest number of a packet we know of */

	struct buffer *buffer;
	unsigned nbuffers;
	uint64_t calls;

	struct slot fresh[SENDER_DEPTH_MAX], repair[REPAIRS];
	unsigned nfresh, nrepair, fresh_turn, repair_turn;
	bool repair_was_last;
	uint32_t next_block, frontier;
	uint64_t fresh_left; /* source symbols */

	uint32_t queue[QUEUE];
	unsigned queue_head, queued;
	uint64_t pending;

	struct {
		uint32_t sbn;
		uint8_t left;
	} recent[RECENT];
	unsigned nrecent;

	struct settling settling[SETTLING];
	unsigned settling_head, nsettling;
	int16_t history[HISTORY];
	unsigned nhistory;
	uint8_t proactive;

	struct peer *peer;
	uint32_t peer_room, peers, heard, done, left, slow;
	uint8_t (*heat)[SENDER_HEAT];
	uint32_t nheat;

	uint64_t notice_at, noticed, notice_gap, useful;
	uint64_t rtt;
	uint32_t backoff_ms;
	uint64_t report_tokens, report_filled; /* thousandths */

	struct sender_stats stats;
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

static uint32_t
to_ms(uint64_t ns)
{
	return (uint32_t)(ns / MS);
}

static unsigned
symbols_of(const struct sender *s, uint32_t sbn)
{
	return alc_block_symbols(&s->blocks, sbn);
}

static uint64_t
frame(const struct sender *s)
{
	return (uint64_t)s->conf.symbol + s->conf.overhead;
}

/* No divisor in common with n, and far from 1 and n. */
static unsigned
stride_of(unsigned n)
{
	unsigned stride = n * 5 / 8, a, b;

	for (;; stride++) {
		for (a = stride, b = n; b != 0;) {
			unsigned rest = a % b;

			a = b;
			b = rest;
		}
		if (a == 1)
			return stride;
	}
}

int
sender_new(struct sender **out, const struct sender_conf *conf)
{
	struct sender *s;
	uint64_t symbols;
	size_t size;
	int r;

	*out = NULL;
	if (conf->depth == 0 || conf->depth > SENDER_DEPTH_MAX ||
	    conf->block > RS_K_MAX || conf->symbols > RS_N ||
	    conf->symbols <= conf->block || conf->read == NULL)
		return -EINVAL;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return -ENOMEM;
	s->conf = *conf;
	if (s->conf.max_loss == 0)
		s->conf.max_loss = MAX_LOSS;
	if ((r = alc_blocks_init(
		 &s->blocks, conf->length, conf->symbol, conf->block)) < 0)
		goto out;
	r = -ENOMEM;
	size = (size_t)conf->symbols * conf->symbol;
	s->nbuffers = conf->depth + REPAIRS + SPARE;
	s->stride = stride_of(conf->symbols);
	if ((s->block = calloc(s->blocks.count, sizeof(*s->block))) == NULL ||
	    (s->log = calloc(LOG, sizeof(*s->log))) == NULL ||
	    (s->buffer = calloc(s->nbuffers, sizeof(*s->buffer))) == NULL)
		goto out;
	for (unsigned i = 0; i < s->nbuffers; i++)
		if ((s->buffer[i].mem = malloc(size)) == NULL)
			goto out;
	if ((r = rs_new(s->blocks.large, &s->rs[0])) < 0 ||
	    (r = rs_new(s->blocks.small, &s->rs[1])) < 0 ||
	    (r = sender_receivers(s, conf->receivers)) < 0)
		goto out;
	symbols = (conf->length - 1) / conf->symbol + 1;
	s->fresh_left = symbols;
	/* the clock is not known yet: the first call sets it */
	pace_init(&s->pace, 0, conf->rate, conf->rate_start,
	    (uint32_t)frame(s));
	s->report_tokens = UINT64_MAX;
	*out = s;
	s = NULL;
	r = 0;
out:
	sender_free(&s);
	return r;
}

void
sender_free(struct sender **sp)
{
	struct sender *s = *sp;

	if (s == NULL)
		return;
	for (unsigned i = 0; s->buffer != NULL && i < s->nbuffers; i++)
		free(s->buffer[i].mem);
	free(s->buffer);
	free(s->block);
	free(s->log);
	free(s->peer);
	free(s->heat);
	rs_free(&s->rs[0]);
	rs_free(&s->rs[1]);
	free(s);
	*sp = NULL;
}

/*
 * ---- when notices come, and when it is over ----
 */

/*
 * The window for reports. While all of them together, one for each notice, are
 * less than a hundredth of the data, no receiver needs to wait for another's.
 * Beyond that: so long that of all those that lack as much, one or two speak
 * before the next notice has silenced the others (RFC 5401, 5.2, turned round).
 */
static uint32_t
backoff_ms(const struct sender *s)
{
	uint64_t hundredth = s->pace.rate / 100 * (NOTICE_EVERY / MS) / 1000;
	uint64_t tau = NOTICE_EVERY + s->rtt;
	unsigned bits = 0;

	if (s->peers <= 4 || (uint64_t)s->peers * REPORT_WIRE <= hundredth)
		return 0;
	for (uint32_t n = s->peers; n > 0; n >>= 1)
		bits++;
	return (uint32_t)min64(tau * bits / MS, 10000);
}

static uint64_t
settle_time(const struct sender *s)
{
	return 2 * NOTICE_EVERY + s->rtt + 10 * MS + s->backoff_ms * MS;
}

/* Something that receivers wait for: the next notice comes soon. */
static void
notice_soon(struct sender *s, uint64_t now)
{
	s->notice_at = min64(s->notice_at, max64(now, s->noticed + MS));
	s->notice_gap = NOTICE_GAP;
}

static bool
first_pass_over(const struct sender *s)
{
	return s->frontier == s->blocks.count;
}

/*
 * What a block turned out to need, parity symbols in all: with as many sent at
 * once, four blocks of five would have needed them all.
 */
static void
learn(struct sender *s, int need)
{
	int16_t sorted[HISTORY];
	unsigned n;
	int want;

	s->history[s->nhistory++ % HISTORY] = (int16_t)need;
	n = s->nhistory < HISTORY ? s->nhistory : HISTORY;
	if (n < 4)
		return;
	for (unsigned i = 0, j; i < n; i++) {
		for (j = i; j > 0 && sorted[j - 1] > s->history[i]; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = s->history[i];
	}
	want = sorted[n / 5];
	s->proactive = (uint8_t)(want > 0 ? want : 0);
}

static void
settle(struct sender *s, uint64_t now)
{
	while (s->nsettling > 0) {
		struct settling *t = &s->settling[s->settling_head];
		const struct block *b = &s->block[t->sbn];
		int extra;

		if (t->at + settle_time(s) > now)
			return;
		extra = (int)b->next + b->pending -
		    (int)symbols_of(s, t->sbn) - t->proactive;
		/* not asked for: it would have done with less */
		learn(s, extra > 0 ? t->proactive + extra : t->proactive - 1);
		s->settling_head = (s->settling_head + 1) % SETTLING;
		s->nsettling--;
	}
}

static void
end(struct sender *s, uint64_t now, uint8_t flag)
{
	if (s->state != SENDER_RUNS)
		return;
	s->state = SENDER_ENDS;
	s->end_flag = flag;
	s->end_notices = REPEATS;
	s->notice_at = now;
}

static void
tick(struct sender *s, uint64_t now)
{
	if (s->pace.filled == 0) {
		s->pace.filled = s->pace.step_at = now;
		s->useful = s->noticed = s->notice_at = now;
	}
	settle(s, now);
	s->backoff_ms = backoff_ms(s);
	if (s->state != SENDER_RUNS || !first_pass_over(s) || s->pending > 0)
		return;
	if ((s->peers > 0 && s->done + s->left >= s->peers) ||
	    now > s->useful + QUIET + 3 * s->backoff_ms * MS + 4 * s->rtt +
		    4 * (s->notice_at - s->noticed))
		end(s, now, MCAST_END);
}

/*
 * ---- blocks and their buffers ----
 */

static struct buffer *
buffer_find(struct sender *s, uint32_t sbn)
{
	for (unsigned i = 0; i < s->nbuffers; i++)
		if (s->buffer[i].valid && s->buffer[i].sbn == sbn)
			return &s->buffer[i];
	return NULL;
}

/* The buffer with block sbn, pinned. -EAGAIN: not in this call. */
static int
buffer_get(struct sender *s, uint32_t sbn, struct buffer **out)
{
	struct buffer *b = buffer_find(s, sbn);
	uint32_t len = alc_block_bytes(&s->blocks, sbn);
	int r;

	if (b == NULL) {
		for (unsigned i = 0; i < s->nbuffers; i++) {
			struct buffer *c = &s->buffer[i];

			/* its bytes may be in what this call gives out */
			if (c->pins == 0 && c->used < s->calls &&
			    (b == NULL || c->used < b->used))
				b = c;
		}
		if (b == NULL)
			return -EAGAIN;
		b->valid = false;
		if ((r = s->conf.read(s->conf.ctx,
			 alc_block_offset(&s->blocks, sbn), b->mem, len)) < 0)
			return r;
		/* the code counts the last symbol's missing bytes as zeros */
		memset(b->mem + len, 0,
		    (size_t)symbols_of(s, sbn) * s->conf.symbol - len);
		memset(b->made, 0, sizeof(b->made));
		b->sbn = sbn;
		b->valid = true;
	}
	b->used = s->calls;
	b->pins++;
	*out = b;
	return 0;
}

static bool
is_made(const struct buffer *b, unsigned esi)
{
	return (b->made[esi / 64] >> esi % 64 & 1) != 0;
}

/* Makes the parity symbols among esi..esi+n-1 that are not there. */
static int
make_parity(struct sender *s, struct buffer *b, unsigned esi, unsigned n)
{
	const uint8_t *src[RS_N];
	uint8_t *out[RS_N] = { NULL };
	unsigned k = symbols_of(s, b->sbn), end_esi = esi + n, first;
	int r;

	if (end_esi > s->conf.symbols)
		end_esi = s->conf.symbols;
	for (unsigned i = 0; i < s->conf.symbols; i++)
		out[i] = b->mem + (size_t)i * s->conf.symbol;
	for (unsigned i = 0; i < k; i++)
		src[i] = out[i];
	for (unsigned i = esi < k ? k : esi; i < end_esi; i++) {
		if (is_made(b, i))
			continue;
		first = i;
		while (i < end_esi && !is_made(b, i)) {
			b->made[i / 64] |= UINT64_C(1) << i % 64;
			i++;
		}
		if ((r = rs_encode(s->rs[b->sbn >= s->blocks.larges],
			 s->conf.symbol, src, first, i - first,
			 out + first)) < 0)
			return r;
	}
	return 0;
}

static void
slot_close(struct slot *slots, unsigned *n, unsigned i, unsigned *turn)
{
	slots[i].buf->pins--;
	memmove(&slots[i], &slots[i + 1], (*n - i - 1) * sizeof(slots[0]));
	(*n)--;
	if (*turn > i)
		(*turn)--;
}

/*
 * Opens the next block beside those under way when it is its turn: they are to
 * be spread evenly, each 1/depth of a block behind the one before it.
 */
static int
fresh_open(struct sender *s)
{
	struct slot *newest = s->nfresh > 0 ? &s->fresh[s->nfresh - 1] : NULL;
	struct slot *slot = &s->fresh[s->nfresh];
	unsigned k;
	int r;

	if (s->next_block == s->blocks.count || s->nfresh == s->conf.depth)
		return 0;
	if (newest != NULL) {
		k = symbols_of(s, newest->sbn);
		if ((unsigned)s->block[newest->sbn].next * s->conf.depth < k)
			return 0;
	}
	if ((r = buffer_get(s, s->next_block, &slot->buf)) < 0)
		return r;
	slot->sbn = s->next_block++;
	slot->end = (uint16_t)symbols_of(s, slot->sbn);
	s->nfresh++;
	return 0;
}

static void
fresh_ended(struct sender *s, uint64_t now, unsigned i)
{
	const struct slot *slot = &s->fresh[i];
	struct settling *t;

	if (s->nsettling < SETTLING) {
		t = &s->settling[(s->settling_head + s->nsettling) % SETTLING];
		*t = (struct settling){ now, slot->sbn,
			(uint8_t)(slot->end - symbols_of(s, slot->sbn)) };
		s->nsettling++;
	}
	slot_close(s->fresh, &s->nfresh, i, &s->fresh_turn);
	s->frontier = s->next_block;
	for (i = 0; i < s->nfresh; i++)
		if (s->fresh[i].sbn < s->frontier)
			s->frontier = s->fresh[i].sbn;
	if (first_pass_over(s)) {
		s->useful = now;
		notice_soon(s, now);
	}
}

static void
repair_ended(struct sender *s, uint64_t now, unsigned i)
{
	uint32_t sbn = s->repair[i].sbn;
	unsigned at;

	slot_close(s->repair, &s->nrepair, i, &s->repair_turn);
	for (at = 0; at < s->nrecent && s->recent[at].sbn != sbn; at++)
		;
	if (at == s->nrecent && at == RECENT)
		at = 0;
	if (at < s->nrecent) {
		memmove(&s->recent[at], &s->recent[at + 1],
		    (s->nrecent - at - 1) * sizeof(s->recent[0]));
		s->nrecent--;
	}
	s->recent[s->nrecent].sbn = sbn;
	s->recent[s->nrecent++].left = REPEATS;
	s->useful = now;
	if (s->pending == 0 && first_pass_over(s))
		notice_soon(s, now);
}

static int
repair_open(struct sender *s)
{
	struct slot *slot;
	int r;

	while (s->nrepair < REPAIRS && s->queued > 0) {
		slot = &s->repair[s->nrepair];
		slot->sbn = s->queue[s->queue_head];
		if ((r = buffer_get(s, slot->sbn, &slot->buf)) < 0)
			return r;
		s->queue_head = (s->queue_head + 1) % QUEUE;
		s->queued--;
		s->nrepair++;
	}
	return 0;
}

/*
 * Which symbol of a block is the next, after so many. When the code goes round
 * it does so in long steps: most is lost in a row, and who asks for a few that
 * lie all beyond that row gets none, again and again, until it gives up.
 */
static unsigned
esi_of(const struct sender *s, unsigned next)
{
	unsigned n = s->conf.symbols;

	return next < n ? next : next % n * s->stride % n;
}

/* One symbol of a slot's block goes to *out as packet `counter`. */
static void
give(struct sender *s, struct slot *slot, uint64_t counter,
    struct sender_symbol *out)
{
	struct block *b = &s->block[slot->sbn];
	unsigned k = symbols_of(s, slot->sbn);
	uint64_t rest;

	out->sbn = slot->sbn;
	out->sbl = (uint16_t)k;
	out->esi = (uint16_t)esi_of(s, b->next);
	out->p = slot->buf->mem + (size_t)out->esi * s->conf.symbol;
	out->len = (uint16_t)s->conf.symbol;
	if (out->esi + 1u == k && slot->sbn + 1 == s->blocks.count) {
		rest = s->blocks.length - alc_block_offset(&s->blocks, out->sbn);
		out->len = (uint16_t)(rest - (uint64_t)out->esi * s->conf.symbol);
	}
	slot->buf->used = s->calls;
	s->log[s->nlog % LOG].counter = (uint32_t)counter;
	s->log[s->nlog % LOG].prev = b->last;
	b->last = ++s->nlog;
	if (b->last == 0) /* means none; a wrap that long forgets one symbol */
		b->last = s->nlog = 1;
	b->next++;
	s->counter = counter;
}

/* 1: *out is the next symbol; 0: none, or none in this call. */
static int
next_fresh(struct sender *s, uint64_t now, uint64_t counter,
    struct sender_symbol *out)
{
	struct slot *slot;
	unsigned k, i;
	int r;

	if ((r = fresh_open(s)) < 0 && (r != -EAGAIN || s->nfresh == 0))
		return r == -EAGAIN ? 0 : r;
	if (s->nfresh == 0)
		return 0;
	if (s->fresh_turn >= s->nfresh)
		s->fresh_turn = 0;
	i = s->fresh_turn++;
	slot = &s->fresh[i];
	k = symbols_of(s, slot->sbn);
	give(s, slot, counter, out);
	if (out->esi < k) {
		s->fresh_left--;
		s->stats.source_bytes += out->len;
	} else {
		s->stats.proactive_bytes += out->len;
	}
	if (s->block[slot->sbn].next == k && s->proactive > 0) {
		unsigned most = s->conf.symbols - k;

		slot->end = (uint16_t)(k +
		    (s->proactive < most ? s->proactive : most));
		if ((r = make_parity(s, slot->buf, k, slot->end - k)) < 0)
			return r;
	}
	if (s->block[slot->sbn].next == slot->end)
		fresh_ended(s, now, i);
	return 1;
}

static int
next_repair(struct sender *s, uint64_t now, uint64_t counter,
    struct sender_symbol *out)
{
	struct slot *slot;
	struct block *b;
	unsigned esi, i;
	int r;

	if ((r = repair_open(s)) < 0 && (r != -EAGAIN || s->nrepair == 0))
		return r == -EAGAIN ? 0 : r;
	if (s->nrepair == 0)
		return 0;
	if (s->repair_turn >= s->nrepair)
		s->repair_turn = 0;
	i = s->repair_turn++;
	slot = &s->repair[i];
	b = &s->block[slot->sbn];
	esi = esi_of(s, b->next);
	if (esi >= symbols_of(s, slot->sbn) && !is_made(slot->buf, esi) &&
	    (r = make_parity(s, slot->buf, esi,
		 b->next < s->conf.symbols ? b->pending : 1)) < 0)
		return r;
	give(s, slot, counter, out);
	s->stats.repair_bytes += out->len;
	s->pending--;
	if (--b->pending == 0)
		repair_ended(s, now, i);
	return 1;
}

int
sender_next(struct sender *s, uint64_t now, uint64_t counter,
    struct sender_symbol out[], unsigned max)
{
	unsigned n = 0, most;
	bool repair;
	int r = 0;

	tick(s, now);
	if (s->state != SENDER_RUNS)
		return s->err;
	s->calls++;
	most = pace_may(&s->pace, now, s->fresh_left + s->nfresh + s->pending);
	if (most > max)
		most = max;
	while (n < most) {
		repair = s->pending > 0 && !s->repair_was_last;
		r = repair ? next_repair(s, now, counter + n, &out[n])
			   : next_fresh(s, now, counter + n, &out[n]);
		if (r == 0) /* then the other kind */
			r = repair ? next_fresh(s, now, counter + n, &out[n])
				   : next_repair(s, now, counter + n, &out[n]);
		if (r <= 0)
			break;
		s->repair_was_last = repair;
		n++;
	}
	if (n > 0) {
		pace_spent(&s->pace, n * frame(s));
		s->stats.wire_bytes += n * frame(s);
	}
	if (r < 0) {
		s->err = r;
		end(s, now, MCAST_ABORT);
		return n > 0 ? (int)n : r;
	}
	return (int)n;
}

/*
 * ---- notices ----
 */

static bool
notice_block(const struct sender *s, struct mcast_notice *n, uint32_t sbn)
{
	const struct block *b = &s->block[sbn];

	if (n->n == MCAST_NOTICE_BLOCKS)
		return false;
	n->block[n->n++] = (struct mcast_notice_block){
		.sbn = sbn,
		.sent = b->next < s->conf.symbols ? b->next : s->conf.symbols,
		.heard = (uint8_t)(b->pending < 255 ? b->pending : 255),
	};
	return true;
}

/* Pending ones first: a receiver takes a block that is not named, in a notice
 * that is not full, for one that nobody has asked for. */
static void
notice_blocks(struct sender *s, struct mcast_notice *n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < s->nrepair; i++)
		notice_block(s, n, s->repair[i].sbn);
	for (unsigned i = 0; i < s->queued; i++)
		if (!notice_block(s, n, s->queue[(s->queue_head + i) % QUEUE]))
			break;
	for (unsigned i = 0; i < s->nrecent; i++) {
		if (s->block[s->recent[i].sbn].pending == 0 &&
		    notice_block(s, n, s->recent[i].sbn))
			s->recent[i].left--;
		if (s->recent[i].left > 0)
			s->recent[kept++] = s->recent[i];
	}
	s->nrecent = kept;
}

bool
sender_notice(struct sender *s, uint64_t now, uint64_t counter,
    struct mcast_notice *n)
{
	uint64_t bytes, share;

	tick(s, now);
	if (s->state == SENDER_OVER || now < s->notice_at)
		return false;
	n->counter = s->counter = counter;
	n->flags = 0;
	n->proactive = s->proactive;
	n->backoff_ms = (uint16_t)s->backoff_ms;
	n->time = to_ms(now);
	n->frontier = s->frontier;
	n->receivers = s->peers;
	n->n = 0;
	if (s->state == SENDER_ENDS)
		n->flags = s->end_flag;
	else
		notice_blocks(s, n);
	bytes = NOTICE_WIRE + 48 + 7 * (uint64_t)n->n;
	pace_spent(&s->pace, bytes);
	s->stats.wire_bytes += bytes;
	s->stats.notices++;
	s->noticed = now;
	if (s->state == SENDER_ENDS) {
		s->notice_at = now + 5 * MS;
		if (--s->end_notices == 0)
			s->state = SENDER_OVER;
		return true;
	}
	/*
	 * Every 10 ms; when all has been sent and the last receivers are
	 * waited for, after 2 ms and then more and more seldom. Never more
	 * than a five-hundredth of the bandwidth.
	 */
	share = bytes * SEC / max64(s->pace.rate / 500, 1);
	if (first_pass_over(s) && s->pending == 0) {
		s->notice_at = now + max64(s->notice_gap, share);
		s->notice_gap = min64(2 * s->notice_gap, 2 * NOTICE_EVERY);
	} else {
		s->notice_at = now + max64(NOTICE_EVERY, share);
	}
	s->notice_at = min64(s->notice_at, now + SEC / 4);
	return true;
}

void
sender_charge(struct sender *s, uint64_t bytes)
{
	pace_spent(&s->pace, bytes);
	s->stats.wire_bytes += bytes;
}

uint64_t
sender_wake(struct sender *s, uint64_t now)
{
	uint64_t at, ready;

	tick(s, now);
	if (s->state == SENDER_OVER)
		return UINT64_MAX;
	at = s->notice_at;
	ready = s->fresh_left + s->nfresh + s->pending;
	if (s->state == SENDER_RUNS && ready > 0)
		at = min64(at, pace_when(&s->pace, now, ready));
	return at;
}

/*
 * ---- reports ----
 */

/*
 * Reports are to stay below a twentieth of the data; who sends more is not
 * listened to. A thousand a second cost nothing at any rate.
 */
bool
sender_admits(struct sender *s, uint64_t now)
{
	uint64_t rate = max64(s->pace.rate / 20 / REPORT_WIRE, 1000);
	uint64_t most = rate * 1000 / 4; /* a quarter of a second's */
	uint64_t d = now - s->report_filled;

	/* in thousandths of a report */
	if (s->report_tokens > most || d >= SEC)
		s->report_tokens = most;
	else
		s->report_tokens = min64(most, s->report_tokens + d / 1000 * rate / 1000);
	s->report_filled = now;
	if (s->report_tokens < 1000) {
		s->stats.reports.flood++;
		return false;
	}
	s->report_tokens -= 1000;
	return true;
}

/* The packet that a report has heard of last; its 32 bits are those of the
 * number nearest to ours, and there is none below 0. */
static uint64_t
seen_of(const struct sender *s, const struct mcast_report *r)
{
	int32_t d = (int32_t)(r->seen - (uint32_t)s->counter);

	return d < 0 && s->counter < (uint64_t)-(int64_t)d
	    ? UINT64_MAX
	    : s->counter + (uint64_t)(int64_t)d;
}

/* What we know of a peer's link, by its own count. */
static void
peer_loss(struct sender *s, uint64_t now, uint32_t receiver,
    const struct mcast_report *r)
{
	struct peer *p = &s->peer[receiver];
	uint32_t ago = to_ms(now) - p->report_ms;
	uint64_t since = (p->flags & SENDER_HEARD) != 0 && ago * MS < now
	    ? now - ago * MS
	    : 1;
	uint64_t seen = seen_of(s, r),
		 behind = seen < s->counter ? s->counter - seen : 0;
	uint32_t loss, w, known;
	bool slow = (p->flags & SENDER_SLOW) != 0;

	/* of many only their unprovoked word: those who lack something speak
	 * more often, and would stand for all; it is about the last second */
	if (s->peers > PACE_RECEIVERS)
		since = now > SEC ? now - SEC : 1;
	s->pace.many = s->peers > PACE_RECEIVERS;
	if ((!s->pace.many || r->n == 0) && !slow)
		pace_sample(&s->pace, s->rtt, receiver, since, r->received,
		    r->expected, behind * frame(s));
	if (r->expected == 0)
		return;
	loss = (uint32_t)((uint64_t)(r->expected - r->received) * 1000 /
	    r->expected);
	w = r->expected < 1000 ? r->expected : 1000;
	known = p->seen_packets < 1000 ? p->seen_packets : 1000;
	p->loss = (uint16_t)((p->loss * known + loss * w) / (known + w));
	p->seen_packets += r->expected;
	if (p->seen_packets < r->expected)
		p->seen_packets = UINT32_MAX;
	if (!slow && p->seen_packets >= SLOW_SAMPLE &&
	    p->loss > s->conf.max_loss) {
		p->flags |= SENDER_SLOW;
		s->slow++;
	} else if (slow && p->loss < s->conf.max_loss / 4 * 3) {
		p->flags &= (uint8_t)~SENDER_SLOW;
		s->slow--;
	}
}

/*
 * Symbols of block b sent after packet `seen`, at most `most`. What the log has
 * forgotten was sent before any packet that a report may speak of.
 */
static unsigned
sent_since(const struct sender *s, const struct block *b, uint32_t seen,
    unsigned most)
{
	uint32_t at = b->last;
	unsigned n = 0;

	while (n < most && at != 0 && s->nlog - at < LOG) {
		if ((int32_t)(s->log[(at - 1) % LOG].counter - seen) <= 0)
			break;
		n++;
		at = s->log[(at - 1) % LOG].prev;
	}
	return n;
}

/*
 * Symbols to send so that a receiver gets `need` it does not have. As long as
 * the block has fresh ones, as many; then the code goes round, and only those
 * help that the receiver lacks: of k source symbols it lacks at most its
 * deficit and what parity has stood in for.
 */
static unsigned
symbols_for(const struct sender *s, const struct block *b, unsigned k,
    unsigned deficit, unsigned need)
{
	unsigned fresh = b->next < s->conf.symbols ? s->conf.symbols - b->next
						   : 0;
	unsigned lacks;

	if (need <= fresh)
		return need;
	lacks = deficit + (b->next > k ? b->next - k : 0);
	if (lacks > k)
		lacks = k;
	return fresh + ((need - fresh) * k + lacks - 1) / lacks;
}

static void
heat(struct sender *s, uint32_t receiver, uint32_t sbn, unsigned deficit,
    unsigned k)
{
	unsigned share = deficit * 100 / k;
	uint8_t step = share >= 25 ? 6
	    : share >= 10	   ? 5
	    : share >= 5	   ? 4
	    : share >= 2	   ? 3
	    : share >= 1	   ? 2
				   : 1;
	uint8_t *cell;

	if (receiver >= s->nheat)
		return;
	cell = &s->heat[receiver]
		       [(uint64_t)sbn * SENDER_HEAT / s->blocks.count];
	if (*cell < step)
		*cell = step;
}

static void
asked(struct sender *s, uint64_t now, uint32_t receiver, uint32_t sbn,
    unsigned deficit, uint32_t seen)
{
	struct block *b = &s->block[sbn];
	struct peer *p = &s->peer[receiver];
	unsigned k = symbols_of(s, sbn), n = s->conf.symbols;
	unsigned need, total, was = b->next + b->pending;

	heat(s, receiver, sbn, deficit, k);
	if (b->pending >= deficit)
		return;
	need = deficit - sent_since(s, b, seen, deficit);
	if (need == 0)
		return;
	total = b->next + symbols_for(s, b, k, deficit, need);
	if (total <= was)
		return;
	if (total > 2 * n) {
		s->stats.reports.capped++;
		total = 2 * n;
	}
	/* What goes round costs all others as much as unicast would cost one:
	 * each receiver may cause a tenth of the object. */
	if (total > n && total - (was > n ? was : n) > p->credit) {
		s->stats.reports.capped++;
		total = n;
	}
	if (total <= was)
		return;
	if (b->pending == 0) {
		if (s->queued == QUEUE) {
			s->stats.reports.capped++;
			return;
		}
		s->queue[(s->queue_head + s->queued++) % QUEUE] = sbn;
	}
	if (total > n)
		p->credit -= total - (was > n ? was : n);
	b->pending = (uint16_t)(b->pending + total - was);
	s->pending += total - was;
	s->useful = now;
}

/* A report's numbers fit what there is and what was sent. */
static bool
in_range(const struct sender *s, uint64_t now, const struct mcast_report *r)
{
	if (r->received > r->expected || r->complete > s->blocks.count ||
	    r->n > MCAST_REPORT_BLOCKS ||
	    (r->held_ms != UINT16_MAX && (int32_t)(to_ms(now) - r->echo) < 0) ||
	    seen_of(s, r) > s->counter + MCAST_WINDOW)
		return false;
	for (unsigned i = 0; i < r->n; i++)
		if (r->block[i].sbn >= s->frontier ||
		    r->block[i].deficit > symbols_of(s, r->block[i].sbn))
			return false;
	return true;
}

/*
 * It has heard a packet that was never sent: somebody in the group forges them,
 * and what the receiver takes for loss is none. It takes ours all the same as
 * long as they are within its window.
 */
static bool
is_deceived(const struct sender *s, const struct mcast_report *r)
{
	return seen_of(s, r) > s->counter + UNTOLD;
}

/* Whether it says nothing of what was sent lately. */
static bool
is_stale(const struct sender *s, const struct mcast_report *r)
{
	uint32_t n = s->nlog < LOG ? s->nlog : LOG;

	return n == LOG &&
	    (int32_t)(s->log[s->nlog % LOG].counter - r->seen) > 0;
}

static void
finish(struct sender *s, struct peer *p, uint8_t flag)
{
	if ((p->flags & flag) != 0)
		return;
	if (flag == SENDER_DONE && (p->flags & SENDER_LEFT) != 0) {
		p->flags &= (uint8_t)~SENDER_LEFT;
		s->left--;
	}
	if (flag == SENDER_LEFT && (p->flags & SENDER_DONE) != 0)
		return;
	p->flags |= flag;
	if (flag == SENDER_DONE)
		s->done++;
	else
		s->left++;
}

/* One token a millisecond for each receiver. */
static bool
peer_may_speak(struct sender *s, uint64_t now, struct peer *p)
{
	uint32_t d = to_ms(now) - p->report_ms;
	uint32_t tokens = p->tokens + (d < TOKENS ? d : TOKENS);

	if ((p->flags & SENDER_HEARD) == 0 || tokens > TOKENS)
		tokens = TOKENS;
	if (tokens == 0) {
		s->stats.reports.busy++;
		return false;
	}
	p->tokens = (uint8_t)(tokens - 1);
	return true;
}

int
sender_report(struct sender *s, uint64_t now, uint32_t receiver,
    const struct mcast_report *r)
{
	struct peer *p;
	uint64_t rtt;

	tick(s, now);
	if (receiver >= s->peers || !in_range(s, now, r)) {
		s->stats.reports.range++;
		return -ERANGE;
	}
	p = &s->peer[receiver];
	if ((r->flags & MCAST_DONE) != 0)
		finish(s, p, SENDER_DONE);
	else if ((r->flags & MCAST_LEAVING) != 0)
		finish(s, p, SENDER_LEFT);
	if (!peer_may_speak(s, now, p))
		return -EBUSY;
	p->complete = r->complete;
	if (!is_deceived(s, r))
		peer_loss(s, now, receiver, r);
	if ((p->flags & SENDER_HEARD) == 0) {
		p->flags |= SENDER_HEARD;
		s->heard++;
	}
	p->report_ms = to_ms(now);
	if (r->held_ms != UINT16_MAX) {
		uint32_t away = to_ms(now) - r->echo;

		rtt = away > r->held_ms ? (away - r->held_ms) * MS : 0;
		if (rtt < SEC)
			s->rtt = s->rtt == 0 ? rtt + 1
					     : (7 * s->rtt + rtt) / 8 + 1;
	}
	if (is_stale(s, r)) {
		s->stats.reports.stale++;
		return -ESTALE;
	}
	s->stats.reports.taken++;
	if (s->state != SENDER_RUNS)
		return 0;
	if (r->n > 0 && (p->flags & SENDER_SLOW) != 0 &&
	    (uint64_t)s->slow * 4 <= s->heard) {
		s->stats.reports.passed_over++;
		return 0;
	}
	for (unsigned i = 0; i < r->n; i++)
		asked(s, now, receiver, r->block[i].sbn, r->block[i].deficit,
		    r->seen);
	pace_step(&s->pace, now, first_pass_over(s));
	tick(s, now);
	return 0;
}

int
sender_receivers(struct sender *s, uint32_t n)
{
	uint64_t symbols = (s->blocks.length - 1) / s->blocks.symbol + 1;
	uint64_t credit = max64(symbols / 10, 1024);
	uint32_t room = s->peer_room;
	struct peer *p;
	void *h;

	if (n <= s->peers)
		return 0;
	if (n > room) { /* they come one by one, tens of thousands */
		room = n - room > room / 2 ? n : room + room / 2;
		if ((p = reallocarray(s->peer, room, sizeof(*p))) == NULL)
			return -ENOMEM;
		s->peer = p;
		s->peer_room = room;
	}
	if (s->nheat < SENDER_HEAT_ROWS) {
		uint32_t rows = n < SENDER_HEAT_ROWS ? n : SENDER_HEAT_ROWS;

		if ((h = reallocarray(s->heat, rows, SENDER_HEAT)) == NULL)
			return -ENOMEM;
		s->heat = h;
		memset(s->heat[s->nheat], 0,
		    (size_t)(rows - s->nheat) * SENDER_HEAT);
		s->nheat = rows;
	}
	for (uint32_t i = s->peers; i < n; i++)
		s->peer[i] = (struct peer){
			.credit = (uint32_t)min64(credit, UINT32_MAX),
			.tokens = TOKENS,
		};
	s->peers = n;
	return 0;
}

uint64_t
sender_rate(const struct sender *s)
{
	return s->pace.rate;
}

uint64_t
sender_found(const struct sender *s)
{
	return pace_found(&s->pace);
}

void
sender_ceiling(struct sender *s, uint64_t now, uint64_t rate)
{
	tick(s, now);
	pace_ceiling(&s->pace, rate);
}

void
sender_abort(struct sender *s, uint64_t now)
{
	tick(s, now);
	end(s, now, MCAST_ABORT);
}

enum sender_state
sender_state(const struct sender *s)
{
	return s->state;
}

void
sender_stats(const struct sender *s, struct sender_stats *out)
{
	uint32_t by_loss[1001] = { 0 }, n = 0;

	*out = s->stats;
	out->rate = s->pace.rate;
	out->blocks = s->blocks.count;
	out->frontier = s->frontier;
	out->pending = (uint32_t)min64(s->pending, UINT32_MAX);
	out->proactive = s->proactive;
	out->rtt_us = (uint32_t)(s->rtt / 1000);
	out->receivers = s->peers;
	out->heard = s->heard;
	out->done = s->done;
	out->left = s->left;
	out->slow = s->slow;
	for (uint32_t i = 0; i < s->peers; i++)
		if (s->peer[i].seen_packets > 0) {
			by_loss[s->peer[i].loss]++;
			n++;
		}
	for (uint32_t i = 0, sum = 0; i <= 1000 && sum < n; i++) {
		if (by_loss[i] == 0)
			continue;
		if (sum <= (n - 1) / 2)
			out->loss_median = (uint16_t)i;
		if (sum <= (uint64_t)(n - 1) * 9 / 10)
			out->loss_90 = (uint16_t)i;
		out->loss_max = (uint16_t)i;
		sum += by_loss[i];
	}
}

int
sender_receiver(
    const struct sender *s, uint32_t receiver, struct sender_receiver *out)
{
	const struct peer *p;

	if (receiver >= s->peers)
		return -ERANGE;
	p = &s->peer[receiver];
	out->flags = p->flags;
	out->loss = p->loss;
	out->complete = p->complete;
	memset(out->heat, 0, sizeof(out->heat));
	if (receiver < s->nheat)
		memcpy(out->heat, s->heat[receiver], sizeof(out->heat));
	return 0;
}
