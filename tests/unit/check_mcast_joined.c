/*
 * tests/unit/check_mcast_joined.c - the real sender and real receivers, joined
 * in virtual time by a network that loses, delays, turns round and repeats, with
 * one receiver among them that lies. Each seed is another world.
 *
 * What must hold in all of them: each receiver ends with the exact bytes or
 * with a list of what is missing that is true; no report makes the sender send
 * more than it could need; and it is over after a while. Where the network is a
 * usual one, all have all.
 *
 * MCAST_SEED=N runs that one, MCAST_SEEDS=N so many.
 * SPDX-License-Identifier: ISC
 */
#include "common/alc.h"
#include "common/mcast_seal.h"
#include "common/rs.h"
#include "dp-agent/receiver.h"
#include "dp-mcast/sender.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS	UINT64_C(1000000)
#define SEC	UINT64_C(1000000000)
#define WORLD	80
#define SIZE	100000
#define EVENTS	(1 << 20)
#define PACKETS (1 << 18)
#define TRAIN	44
#define GUEST	UINT32_MAX /* event for the sender */

struct packet {
	bool		     is_notice;
	uint32_t	     sbn;
	uint16_t	     sbl, esi, len;
	uint8_t		    *bytes;
	struct mcast_notice *notice;
};

struct event {
	uint64_t	     at, order;
	uint32_t	     to; /* a receiver, or GUEST */
	uint32_t	     counter;
	struct mcast_report *report;
};

static struct device {
	struct receiver	   *rx;
	struct mcast_window window;
	uint8_t		   *file;
	uint64_t	    hashed, joins;
	unsigned	    loss, burst; /* percent; packets lost together */
	unsigned	    losing;
	int		    writes_left; /* then the disk is full */
	bool		    lies, over;
	enum receiver_state state;
} device[WORLD];

static struct world {
	uint64_t length, rate;
	uint32_t symbol, block;
	uint16_t symbols, depth;
	unsigned devices, jitter_us, dup, report_loss;
	uint64_t abort_at;
	bool	 usual;
} w;

static struct sender   *tx;
static struct alc_blocks blocks;
static uint8_t		object[SIZE];
static struct packet   *packet;
static struct event    *heap;
static size_t		nheap;
static uint64_t		now, order, counter, seed, first_seed;
static unsigned		sent[SIZE]; /* symbols, by block */

static unsigned
dice(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)((seed >> 33) % n);
}

/* Check writes down each assertion; of millions only those that fail count. */
#define HOLDS(c) \
	((c) ? (void)0 \
	     : ck_abort_msg("MCAST_SEED=%llu: not so: %s", \
		   (unsigned long long)first_seed, #c))

/* -- the network -- */

static bool
before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void
push(struct event e)
{
	size_t i = nheap++;

	HOLDS(nheap < EVENTS);
	e.order = order++;
	for (; i > 0 && before(&e, &heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = e;
}

static struct event
pop(void)
{
	struct event top = heap[0], last = heap[--nheap];
	size_t	     i = 0, c;

	while ((c = 2 * i + 1) < nheap) {
		if (c + 1 < nheap && before(&heap[c + 1], &heap[c]))
			c++;
		if (!before(&heap[c], &last))
			break;
		heap[i] = heap[c];
		i = c;
	}
	heap[i] = last;
	return top;
}

static uint64_t
transit(void)
{
	return now + 200000 + dice(w.jitter_us + 1) * UINT64_C(1000);
}

static bool
is_lost(struct device *d)
{
	if (d->losing == 0 && dice(100 * d->burst) < d->loss)
		d->losing = d->burst;
	if (d->losing == 0)
		return false;
	d->losing--;
	return true;
}

static void
transmit(uint64_t number)
{
	for (unsigned i = 0; i < w.devices; i++) {
		struct event e = { .to = i, .counter = (uint32_t)number };

		if (is_lost(&device[i]))
			continue;
		do {
			e.at = transit();
			push(e);
		} while (dice(1000) < w.dup);
	}
}

/* -- the receivers -- */

static int
write_file(void *ctx, uint64_t offset, const void *p, size_t len)
{
	struct device *d = ctx;

	if (d->writes_left == 0)
		return -ENOSPC;
	d->writes_left--;
	HOLDS(offset + len <= w.length);
	memcpy(d->file + offset, p, len);
	return 0;
}

static int
read_file(void *ctx, uint64_t offset, void *p, size_t len)
{
	struct device *d = ctx;

	HOLDS(offset + len <= w.length);
	memcpy(p, d->file + offset, len);
	return 0;
}

static int
take_piece(void *ctx, uint64_t offset, const void *p, size_t len)
{
	struct device *d = ctx;

	HOLDS(offset == d->hashed);
	HOLDS(memcmp(p, object + offset, len) == 0);
	d->hashed += len;
	return 0;
}

static void
report(uint32_t from, const struct mcast_report *m)
{
	struct event e = { .at = transit(), .to = GUEST, .counter = from };

	HOLDS(m->received <= m->expected);
	if (dice(100) < w.report_loss)
		return;
	e.report = malloc(sizeof(*m));
	memcpy(e.report, m, sizeof(*m));
	push(e);
}

static void
lie(uint32_t from, struct mcast_report *m)
{
	unsigned n = dice(MCAST_REPORT_BLOCKS + 1);

	m->n = 0;
	if (dice(4) == 0)
		m->seen -= dice(100000);
	for (unsigned i = 0; i < n; i++)
		m->block[m->n++] = (struct mcast_report_block){
			dice(blocks.count + 1), (uint8_t)dice(w.block + 1) };
	for (unsigned i = dice(4); i-- > 0;)
		report(from, m);
}

static void
device_turn(uint32_t i)
{
	struct device	   *d = &device[i];
	struct mcast_report m = { 0 };

	for (int n = 0; receiver_report(d->rx, now, &m); n++) {
		HOLDS(n < 100);
		report(i, &m);
		if (d->lies)
			lie(i, &m);
	}
	while (dice(4) > 0 && receiver_work(d->rx) > 0)
		;
	d->state = receiver_state(d->rx, now);
	if (d->state == RECEIVER_LEAVES || d->state == RECEIVER_FAILED) {
		if (receiver_report(d->rx, now, &m))
			report(i, &m);
		d->over = true;
	}
}

/* As dp-agent/mcast_wire.c and mcast.c do it. */
static void
device_hears(uint32_t i, uint32_t number)
{
	struct device	    *d = &device[i];
	const struct packet *p = &packet[number];
	uint16_t	     len;
	uint8_t		    *to;

	if (d->over || now < d->joins || !mcast_window_fresh(&d->window, number))
		return;
	if (p->is_notice) {
		mcast_window_mark(&d->window, number);
		(void)receiver_notice(d->rx, now, p->notice);
	} else if ((to = receiver_slot(d->rx, p->sbn, p->sbl, p->esi, &len)) ==
	    NULL) {
		receiver_packet(d->rx, now, number, false);
	} else {
		HOLDS(len == p->len);
		mcast_window_mark(&d->window, number);
		memcpy(to, p->bytes, len);
		(void)receiver_commit(d->rx, now, number, p->sbn, p->esi);
	}
	if (dice(4) > 0) /* there was nothing more in the sockets */
		(void)receiver_drained(d->rx, now);
	device_turn(i);
}

/* -- the sender -- */

static int
read_object(void *ctx, uint64_t offset, void *buf, size_t len)
{
	(void)ctx;
	HOLDS(offset + len <= w.length);
	memcpy(buf, object + offset, len);
	return 0;
}

static struct packet *
packet_new(void)
{
	HOLDS(counter < PACKETS);
	return &packet[counter];
}

static void
sender_turn(void)
{
	struct sender_symbol out[TRAIN];
	struct mcast_notice  n;
	struct packet	    *p;
	int		     k;

	if (sender_notice(tx, now, counter, &n)) {
		p = packet_new();
		p->is_notice = true;
		p->notice = malloc(sizeof(n));
		memcpy(p->notice, &n, sizeof(n));
		transmit(counter++);
	}
	k = sender_next(tx, now, counter, out, TRAIN);
	HOLDS(k >= 0);
	for (int i = 0; i < k; i++) {
		p = packet_new();
		*p = (struct packet){ .sbn = out[i].sbn, .sbl = out[i].sbl,
			.esi = out[i].esi, .len = out[i].len };
		HOLDS(p->sbn < blocks.count && p->esi < w.symbols);
		p->bytes = malloc(p->len);
		memcpy(p->bytes, out[i].p, p->len);
		/* no block goes round more than twice */
		HOLDS(++sent[p->sbn] <= 2u * w.symbols);
		transmit(counter++);
	}
}

/*
 * What a report may cause: as many symbols as it says are lacking, while the
 * blocks have fresh ones. When they go round it may be more, since only those
 * help that are lacking: then as much as the blocks have left at most.
 */
static void
sender_hears(uint32_t from, const struct mcast_report *m)
{
	struct sender_stats a, b;
	uint64_t	    most = 0;

	if (!sender_admits(tx, now))
		return;
	sender_stats(tx, &a);
	for (unsigned i = 0; i < m->n; i++) {
		uint32_t sbn = m->block[i].sbn;

		if (sbn >= blocks.count)
			continue;
		most += sent[sbn] + m->block[i].deficit <= w.symbols
		    ? m->block[i].deficit
		    : 2u * w.symbols - sent[sbn];
	}
	(void)sender_report(tx, now, from, m);
	sender_stats(tx, &b);
	HOLDS(b.pending <= a.pending + most);
	if (m->n == 0)
		HOLDS(b.pending == a.pending);
}

/* -- a world -- */

static void
make_world(void)
{
	w = (struct world){
		.length = 1 + dice(dice(3) == 0 ? 2000 : SIZE - 1),
		.symbol = 16 + dice(120),
		.block = 1 + dice(60),
		.depth = (uint16_t)(1 + dice(8)),
		.devices = 1 + dice(dice(4) == 0 ? WORLD : 8),
		.jitter_us = dice(3) == 0 ? 0 : dice(dice(2) == 0 ? 300 : 20000),
		.dup = dice(3) * 20,
		.usual = dice(2) == 0,
		.abort_at = UINT64_MAX,
	};
	w.symbols = (uint16_t)(w.block + 1 + dice(255 - w.block));
	w.rate = dice(3) == 0 ? 10000000 : 300000 + dice(3000000);
	w.report_loss = w.usual ? 2 : dice(40);
	if (w.usual) /* a path where packets overtake few others */
		w.jitter_us %= 300;
	if (w.usual && w.symbols < w.block * 3 / 2 + 10)
		w.symbols = (uint16_t)(w.block * 3 / 2 + 10);
	if (!w.usual && dice(8) == 0)
		w.abort_at = SEC + dice(500) * MS;
	ck_assert_int_eq(
	    alc_blocks_init(&blocks, w.length, w.symbol, w.block), 0);
	for (size_t i = 0; i < w.length; i++)
		object[i] = (uint8_t)dice(256);
}

static void
make_device(struct device *d)
{
	struct receiver_conf c = { .length = w.length, .symbol = w.symbol,
		.block = w.block, .symbols = w.symbols,
		.buffers = (w.usual ? 100 : dice(20)) *
		    (size_t)w.symbols * w.symbol,
		.silence = 3 * SEC, .seed = dice(1u << 30),
		.write = write_file, .read = read_file, .piece = take_piece,
		.ctx = d };

	*d = (struct device){ .file = calloc(1, w.length), .burst = 1,
		.writes_left = INT32_MAX };
	memset(d->file, 0xee, w.length);
	d->loss = w.usual ? dice(6) : dice(dice(3) == 0 ? 101 : 25);
	if (!w.usual) {
		d->burst = 1 + dice(30);
		d->joins = dice(4) == 0 ? SEC + dice(800) * MS : 0;
		d->lies = dice(6) == 0;
		if (dice(10) == 0)
			d->writes_left = (int)dice(40);
	}
	ck_assert_int_eq(receiver_new(&d->rx, &c), 0);
	/* an earlier start left something */
	if (dice(5) == 0) {
		uint64_t at = dice((unsigned)w.length), n;

		n = dice((unsigned)(w.length - at) + 1);
		memcpy(d->file + at, object + at, n);
		ck_assert_int_eq(receiver_adopt(d->rx, at, n), 0);
	}
}

static void
device_is_honest(struct device *d)
{
	struct receiver_stats s;
	uint64_t	      at = 0, len, missing = 0, from = 0;
	int		      more;

	while (receiver_missing(d->rx, &at, &len)) {
		HOLDS(memcmp(d->file + from, object + from, at - from) == 0);
		missing += len;
		from = at += len;
	}
	HOLDS(memcmp(d->file + from, object + from, w.length - from) == 0);
	receiver_stats(d->rx, &s);
	HOLDS(s.complete_bytes + missing == w.length);
	if (d->state != RECEIVER_COMPLETE)
		return;
	HOLDS(missing == 0);
	while ((more = receiver_work(d->rx)) > 0)
		;
	HOLDS(more == 0 && d->hashed == w.length);
}

static void
run_world(void)
{
	uint64_t     wake, next;
	struct event e;
	bool	     aborted = false;

	for (unsigned i = 0; i < w.devices; i++)
		device_turn(i);
	for (;;) {
		wake = sender_wake(tx, now);
		next = wake;
		for (unsigned i = 0; i < w.devices; i++)
			if (!device[i].over &&
			    receiver_next(device[i].rx) < next)
				next = receiver_next(device[i].rx);
		if (nheap > 0 && heap[0].at < next)
			next = heap[0].at;
		if (next == UINT64_MAX)
			break;
		if (next > now)
			now = next;
		HOLDS(now < 200 * SEC);
		if (now >= w.abort_at && !aborted) {
			aborted = true;
			sender_abort(tx, now);
		}
		if (nheap > 0 && heap[0].at <= now) {
			e = pop();
			if (e.to == GUEST)
				sender_hears(e.counter, e.report);
			else
				device_hears(e.to, e.counter);
			free(e.report);
			continue;
		}
		if (wake <= now)
			sender_turn();
		for (unsigned i = 0; i < w.devices; i++)
			if (!device[i].over &&
			    receiver_next(device[i].rx) <= now) {
				(void)receiver_drained(device[i].rx, now);
				device_turn(i);
			}
	}
	HOLDS(sender_state(tx) == SENDER_OVER);
}

static void
a_world(uint64_t number)
{
	struct sender_conf  c;
	struct sender_stats s;
	unsigned	    complete = 0;

	first_seed = seed = number;
	for (int i = 0; i < 5; i++)
		(void)dice(2);
	make_world();
	c = (struct sender_conf){ .length = w.length, .symbol = w.symbol,
		.block = w.block, .symbols = w.symbols, .depth = w.depth,
		.receivers = w.devices, .overhead = 82, .rate = w.rate,
		.read = read_object };
	now = SEC;
	order = nheap = 0;
	counter = 1;
	memset(sent, 0, sizeof(sent));
	ck_assert_int_eq(sender_new(&tx, &c), 0);
	for (unsigned i = 0; i < w.devices; i++)
		make_device(&device[i]);
	run_world();
	sender_stats(tx, &s);
	for (unsigned i = 0; i < w.devices; i++) {
		device_is_honest(&device[i]);
		complete += device[i].state == RECEIVER_COMPLETE;
		receiver_free(&device[i].rx);
		free(device[i].file);
	}
	HOLDS(s.done <= complete);
	if (w.usual)
		HOLDS(complete == w.devices);
	sender_free(&tx);
	for (uint64_t i = 0; i < counter; i++) {
		free(packet[i].bytes);
		free(packet[i].notice);
		packet[i] = (struct packet){ 0 };
	}
}

#define SLICES 8

START_TEST(all_end_with_the_bytes_or_know_what_is_missing)
{
	const char *one = getenv("MCAST_SEED"), *many = getenv("MCAST_SEEDS");
	uint64_t    n = many != NULL ? strtoull(many, NULL, 10) : 120;

	packet = calloc(PACKETS, sizeof(*packet));
	heap = calloc(EVENTS, sizeof(*heap));
	if (one != NULL)
		a_world(strtoull(one, NULL, 10));
	else
		for (uint64_t i = (uint64_t)_i; i < n; i += SLICES)
			a_world(i);
	free(packet);
	free(heap);
}
END_TEST

int
main(void)
{
	Suite	*suite = suite_create("mcast_joined");
	TCase	*t = tcase_create("joined");
	SRunner *r = srunner_create(suite);
	int	 failed;

	tcase_set_timeout(t, 3600);
	tcase_add_loop_test(
	    t, all_end_with_the_bytes_or_know_what_is_missing, 0, SLICES);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
