/*
 * tests/sim/world.c - a session with thousands of receivers; see world.h.
 *
 * What makes it quick: a receiver does nothing between two notices but take
 * symbols, so it takes them all at once when a notice or its own timer comes,
 * each with the time it came at; and losses are drawn as distances to the next
 * one, so that what is not lost costs no random number.
 *
 * What is left out: transit takes the same time for all; a receiver that has
 * all takes no notice of packets any more.
 * SPDX-License-Identifier: ISC
 */
#include "tests/sim/world.h"

#include "common/alc.h"
#include "dp-agent/receiver.h"
#include "dp-mcast/sender.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MS	 UINT64_C(1000000)
#define SEC	 UINT64_C(1000000000)
#define START	 (10 * SEC)
#define TRANSIT	 (MS / 2)
#define TRAIN	 44
#define DEPTH	 8
#define OVERHEAD 82 /* beside a symbol: Ethernet, IPv4, UDP, ALC, tag */
#define REPORT_OVERHEAD (14 + 20 + 8 + 16)
#define FDT_WIRE 700
#define FDT_EVERY (100 * MS)
#define LINKS	 64
#define BURST	 10.0
#define NEVER	 UINT64_MAX

struct packet {
	uint64_t at, lost_links; /* when it comes; links that lose it */
	uint32_t sbn;
	uint16_t sbl, esi;
	uint16_t nth; /* symbol of its block, from 1; 0: the FDT; or */
	uint32_t notice; /* 1 + index */
};

struct flight { /* a report under way */
	uint64_t at;
	uint32_t from;
	struct mcast_report *report;
};

struct device {
	struct receiver *rx;
	uint64_t cursor; /* next packet to take */
	uint64_t lose_from, lose_to, rng;
	uint64_t wake;
	uint32_t at; /* in the heap of wakes */
	bool complete, gone;
};

struct sim {
	struct sim_conf conf;
	struct sim_result *out;
	struct alc_blocks blocks;
	struct sender *tx;
	struct device *device;
	uint32_t *heap; /* of devices, by wake */
	struct packet *packet;
	uint64_t npackets, room; /* the next number is npackets + 1 */
	uint64_t taken;		 /* packets that have come by now */
	struct mcast_notice *notice;
	uint32_t nnotices, notice_room, notice_next;
	struct flight *flight;
	uint64_t nflights, flight_room, flight_next;
	uint16_t *sent, *needed; /* by block */
	uint64_t now, rng, fdt_at;
	uint64_t root_loss, link_loss[LINKS];
	double own; /* loss that is nobody else's */
	int err;
};

static uint64_t
rnd(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A number from 1, geometrically distributed around 1 / p. */
static uint64_t
distance(uint64_t *state, double p)
{
	double u = (double)((rnd(state) >> 11) + 1) * 0x1p-53, d;

	if (p <= 0)
		return NEVER / 4;
	d = floor(log(u) / log1p(-p));
	return d < 1e15 ? 1 + (uint64_t)d : (uint64_t)1e15;
}

static bool
grow(struct sim *s, void *p, uint64_t n, uint64_t *room, size_t size)
{
	void *more, **at = p;

	if (n < *room)
		return true;
	*room = *room > 0 ? 2 * *room : 1024;
	if ((more = reallocarray(*at, *room, size)) == NULL) {
		s->err = -ENOMEM;
		return false;
	}
	*at = more;
	return true;
}

/* -- wakes of devices: a heap -- */

static void
place(struct sim *s, uint32_t at, uint32_t d)
{
	s->heap[at] = d;
	s->device[d].at = at;
}

static void
set_wake(struct sim *s, uint32_t d, uint64_t wake)
{
	uint32_t i = s->device[d].at, n = s->conf.receivers, c;

	s->device[d].wake = wake;
	for (; i > 0 && wake < s->device[s->heap[(i - 1) / 2]].wake;
	     i = (i - 1) / 2)
		place(s, i, s->heap[(i - 1) / 2]);
	while ((c = 2 * i + 1) < n) {
		if (c + 1 < n && s->device[s->heap[c + 1]].wake <
		    s->device[s->heap[c]].wake)
			c++;
		if (s->device[s->heap[c]].wake >= wake)
			break;
		place(s, i, s->heap[c]);
		i = c;
	}
	place(s, i, d);
}

/* -- the sender -- */

static struct packet *
send_packet(struct sim *s)
{
	uint64_t number = s->npackets + 1;
	struct packet *p;

	if (!grow(s, &s->packet, s->npackets, &s->room, sizeof(*s->packet)))
		return NULL;
	p = &s->packet[s->npackets++];
	*p = (struct packet){ .at = s->now + TRANSIT };
	if (s->conf.kind == SIM_CORRELATED) {
		for (unsigned i = 0; i < LINKS; i++)
			if (s->link_loss[i] == number) {
				p->lost_links |= UINT64_C(1) << i;
				s->link_loss[i] +=
				    distance(&s->rng, s->conf.loss / 2);
			}
		if (s->root_loss == number) {
			p->lost_links = UINT64_MAX;
			s->root_loss += distance(&s->rng, s->conf.loss / 4);
		}
	}
	return p;
}

static int
read_nothing(void *ctx, uint64_t offset, void *buf, size_t len)
{
	(void)ctx;
	(void)offset;
	(void)buf;
	(void)len;
	return 0;
}

/* As dp-mcast/session.c does it. */
static void
sender_turn(struct sim *s)
{
	struct sender_symbol out[TRAIN];
	struct mcast_notice *n;
	struct packet *p;
	uint64_t room = s->notice_room;
	int k;

	if (s->now >= s->fdt_at && sender_state(s->tx) == SENDER_RUNS) {
		s->fdt_at = s->now + FDT_EVERY;
		sender_charge(s->tx, FDT_WIRE);
		(void)send_packet(s);
	}
	if (!grow(s, &s->notice, s->nnotices, &room, sizeof(*s->notice)))
		return;
	s->notice_room = (uint32_t)room;
	n = &s->notice[s->nnotices];
	if (sender_notice(s->tx, s->now, s->npackets + 1, n) &&
	    (p = send_packet(s)) != NULL)
		p->notice = ++s->nnotices;
	k = sender_next(s->tx, s->now, s->npackets + 1, out, TRAIN);
	for (int i = 0; i < k && (p = send_packet(s)) != NULL; i++) {
		p->sbn = out[i].sbn;
		p->sbl = out[i].sbl;
		p->esi = out[i].esi;
		p->nth = ++s->sent[p->sbn];
	}
	if (k < 0)
		s->err = k;
}

/* -- receivers -- */

static void
lose_next(struct sim *s, struct device *d)
{
	uint64_t from = d->lose_to;

	if (s->conf.kind == SIM_BURSTY) {
		d->lose_from = from +
		    distance(&d->rng, s->own / BURST / (1 - s->own));
		d->lose_to = d->lose_from + distance(&d->rng, 1 / BURST);
		return;
	}
	d->lose_from = from + distance(&d->rng, s->own) - 1;
	d->lose_to = d->lose_from + 1;
}

static uint32_t
bin_of(uint64_t at)
{
	uint64_t bin = (at - START) / SIM_BIN;

	return bin < SIM_BINS ? (uint32_t)bin : SIM_BINS - 1;
}

static void
take(struct sim *s, struct device *d, const struct packet *p, uint64_t number)
{
	uint16_t len;

	if (p->notice > 0) {
		(void)receiver_notice(d->rx, p->at, &s->notice[p->notice - 1]);
		(void)receiver_drained(d->rx, p->at);
		return;
	}
	if (p->nth == 0) {
		receiver_packet(d->rx, p->at, number, true);
		return;
	}
	if (receiver_slot(d->rx, p->sbn, p->sbl, p->esi, &len) == NULL) {
		receiver_packet(d->rx, p->at, number, false);
		return;
	}
	if (receiver_commit(d->rx, p->at, number, p->sbn, p->esi) != 1)
		return;
	if (s->needed[p->sbn] < p->nth)
		s->needed[p->sbn] = p->nth;
	if (receiver_state(d->rx, p->at) != RECEIVER_COMPLETE)
		return;
	d->complete = true;
	s->out->complete++;
	s->out->bin_complete[bin_of(p->at)]++;
	if (p->at - START > s->out->last_ns)
		s->out->last_ns = p->at - START;
}

/* All packets up to number `last` that have not been taken. */
static void
catch_up(struct sim *s, uint32_t i, uint64_t last)
{
	struct device *d = &s->device[i];

	for (; d->cursor <= last && !d->complete; d->cursor++) {
		const struct packet *p = &s->packet[d->cursor - 1];

		while (d->cursor >= d->lose_to)
			lose_next(s, d);
		if (d->cursor >= d->lose_from || (p->lost_links >> i % LINKS & 1))
			continue;
		take(s, d, p, d->cursor);
	}
}

static void
report(struct sim *s, uint32_t from, const struct mcast_report *m)
{
	uint8_t buf[MCAST_REPORT_SIZE];
	struct flight *f;
	size_t len = 0;
	uint32_t bin = bin_of(s->now + TRANSIT);

	s->err = mcast_report_write(m, NULL, buf, sizeof(buf), &len);
	len += REPORT_OVERHEAD;
	s->out->over_ns = s->now + TRANSIT - START;
	if ((double)(rnd(&s->rng) >> 11) * 0x1p-53 < s->conf.loss)
		return;
	s->out->reports++;
	s->out->report_bytes += len;
	s->out->bin_reports[bin]++;
	s->out->bin_bytes[bin] += (uint32_t)len;
	if (!grow(s, &s->flight, s->nflights, &s->flight_room,
		sizeof(*s->flight)))
		return;
	f = &s->flight[s->nflights++];
	*f = (struct flight){ .at = s->now + TRANSIT, .from = from,
		.report = malloc(sizeof(*m)) };
	if (f->report == NULL) {
		s->err = -ENOMEM;
		return;
	}
	memcpy(f->report, m,
	    offsetof(struct mcast_report, block) + m->n * sizeof(m->block[0]));
}

/* As dp-agent/mcast.c does it. */
static void
device_turn(struct sim *s, uint32_t i)
{
	struct device *d = &s->device[i];
	static struct mcast_report m = { .tsi = 1, .agent = 1, .counter = 1 };
	enum receiver_state state;

	while (receiver_report(d->rx, s->now, &m))
		report(s, i, &m);
	state = receiver_state(d->rx, s->now);
	if (state != RECEIVER_RUNS && state != RECEIVER_COMPLETE) {
		if (receiver_report(d->rx, s->now, &m))
			report(s, i, &m);
		s->out->left++;
		d->gone = true;
	}
	if (state == RECEIVER_COMPLETE && receiver_next(d->rx) == NEVER)
		d->gone = true;
	if (d->gone)
		receiver_free(&d->rx);
	set_wake(s, i, d->gone ? NEVER : receiver_next(d->rx));
}

/* A notice comes to all at once. */
static void
notice_comes(struct sim *s, uint64_t number)
{
	for (uint32_t i = 0; i < s->conf.receivers; i++) {
		struct device *d = &s->device[i];

		/* it is all a matter of waiting for memory */
		if (i + 1 < s->conf.receivers && !d[1].complete)
			for (unsigned line = 0; line < 16; line++)
				__builtin_prefetch(
				    (const char *)d[1].rx + 64 * line);
		if (d->complete)
			continue;
		catch_up(s, i, number);
		if (d->complete || receiver_next(d->rx) != d->wake)
			device_turn(s, i);
	}
}

/* -- all of it -- */

static void
reports_come(struct sim *s)
{
	while (s->flight_next < s->nflights &&
	    s->flight[s->flight_next].at <= s->now) {
		struct flight *f = &s->flight[s->flight_next++];

		if (sender_admits(s->tx, s->now))
			(void)sender_report(s->tx, s->now, f->from, f->report);
		free(f->report);
		f->report = NULL;
	}
}

static void
run(struct sim *s)
{
	uint64_t wake, next;

	for (uint32_t i = 0; i < s->conf.receivers; i++)
		device_turn(s, i);
	while (s->err == 0) {
		wake = sender_wake(s->tx, s->now);
		next = wake;
		if (s->device[s->heap[0]].wake < next)
			next = s->device[s->heap[0]].wake;
		if (s->taken < s->npackets && s->packet[s->taken].at < next)
			next = s->packet[s->taken].at;
		if (s->flight_next < s->nflights &&
		    s->flight[s->flight_next].at < next)
			next = s->flight[s->flight_next].at;
		if (next == NEVER)
			return;
		if (next > s->now)
			s->now = next;
		reports_come(s);
		if (wake <= s->now)
			sender_turn(s);
		while (s->taken < s->npackets &&
		    s->packet[s->taken].at <= s->now) {
			s->taken++;
			if (s->packet[s->taken - 1].notice > 0)
				notice_comes(s, s->taken);
		}
		while (s->device[s->heap[0]].wake <= s->now) {
			uint32_t i = s->heap[0];

			catch_up(s, i, s->taken);
			device_turn(s, i);
		}
	}
}

static void
sum_up(struct sim *s)
{
	struct sim_result *r = s->out;
	uint64_t frame = ALC_SYMBOL_IPV4 + OVERHEAD, symbols = 0;
	uint64_t bins = SEC / SIM_BIN, reports = 0, bytes = 0;

	for (uint32_t b = 0; b < s->blocks.count; b++) {
		r->ideal_bytes += s->needed[b] * frame;
		symbols += alc_block_symbols(&s->blocks, b);
	}
	r->ideal_ns = r->ideal_bytes * 1000000 / s->conf.rate * 1000 + TRANSIT;
	r->bare_ns = symbols * frame * 1000000 / s->conf.rate * 1000 + TRANSIT;
	sender_stats(s->tx, &r->sender);
	for (uint32_t i = 0; i < SIM_BINS; i++) {
		reports += r->bin_reports[i];
		bytes += r->bin_bytes[i];
		if (i >= bins) {
			reports -= r->bin_reports[i - bins];
			bytes -= r->bin_bytes[i - bins];
		}
		if (bytes > r->peak_bytes) {
			r->peak_bytes = bytes;
			r->peak_reports = reports;
		}
	}
}

static int
device_init(struct sim *s, uint32_t i)
{
	struct device *d = &s->device[i];
	struct receiver_conf c = { .length = s->conf.bytes,
		.symbol = ALC_SYMBOL_IPV4, .block = ALC_BLOCK,
		.symbols = ALC_SYMBOLS_MAX, .silence = 10 * SEC,
		.seed = rnd(&s->rng) };

	*d = (struct device){ .cursor = 1, .lose_to = 1, .rng = rnd(&s->rng),
		.wake = NEVER, .at = i };
	s->heap[i] = i;
	return receiver_new(&d->rx, &c);
}

int
sim_run(const struct sim_conf *conf, struct sim_result *out)
{
	struct sim s = { .conf = *conf, .out = out, .now = START,
		.rng = conf->seed };
	struct sender_conf c = { .length = conf->bytes,
		.symbol = ALC_SYMBOL_IPV4, .block = ALC_BLOCK,
		.symbols = ALC_SYMBOLS_MAX, .depth = DEPTH,
		.receivers = conf->receivers, .overhead = OVERHEAD,
		.rate = conf->rate, .rate_start = conf->rate,
		.read = read_nothing };
	int r = -ENOMEM;

	memset(out, 0, sizeof(*out));
	s.own = conf->kind == SIM_CORRELATED ? conf->loss / 4 : conf->loss;
	s.root_loss = distance(&s.rng, conf->loss / 4);
	for (unsigned i = 0; i < LINKS; i++)
		s.link_loss[i] = distance(&s.rng, conf->loss / 2);
	if ((r = alc_blocks_init(
		 &s.blocks, conf->bytes, c.symbol, c.block)) < 0)
		return r;
	s.device = calloc(conf->receivers, sizeof(*s.device));
	s.heap = calloc(conf->receivers, sizeof(*s.heap));
	s.sent = calloc(s.blocks.count, sizeof(*s.sent));
	s.needed = calloc(s.blocks.count, sizeof(*s.needed));
	r = s.device == NULL || s.heap == NULL || s.sent == NULL ||
		s.needed == NULL
	    ? -ENOMEM
	    : sender_new(&s.tx, &c);
	for (uint32_t i = 0; r == 0 && i < conf->receivers; i++)
		r = device_init(&s, i);
	if (r == 0) {
		run(&s);
		sum_up(&s);
		r = s.err;
	}
	for (uint32_t i = 0; s.device != NULL && i < conf->receivers; i++)
		receiver_free(&s.device[i].rx);
	for (uint64_t i = s.flight_next; i < s.nflights; i++)
		free(s.flight[i].report);
	sender_free(&s.tx);
	free(s.device);
	free(s.heap);
	free(s.packet);
	free(s.notice);
	free(s.flight);
	free(s.sent);
	free(s.needed);
	return r;
}
