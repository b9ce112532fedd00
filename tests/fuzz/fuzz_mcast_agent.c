/*
 * The agent's way of packets, notices and answers of a distribution point, all
 * of it, in open mode where nothing needs a key: any sequence of them. Whatever
 * comes, it stays in bounds, keeps to its limits, and never calls an object
 * whole whose bytes are not right.
 *
 * Input: records of u8 kind, u8 argument, u16 length and as many bytes. Besides
 * raw packets there are well-formed ones, so that a fuzzer need not invent them.
 * SPDX-License-Identifier: ISC
 */
#include "tests/harness/agent-mcast.h"

#include "common/rd.h"

#include <event2/event.h>

#define SIZE	20000
#define RECORDS 96

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t bytes[SIZE];

static void
turn(void)
{
	for (int i = 0; i < 4; i++)
		(void)event_base_loop(loop_base(lab.net.loop), EVLOOP_NONBLOCK);
}

static void
describe(uint8_t arg)
{
	static const uint16_t symbols[] = { 100, 500, 1000, 1432 };

	lab_describe(arg & 3, symbols[arg >> 2 & 3], (arg >> 4 & 3) + 2,
	    (uint16_t)((arg >> 4 & 3) + 5), (arg & 64) == 0);
}

/* A symbol of the cut that the last description of that kind said. */
static void
symbol(uint8_t arg, struct rd r)
{
	static const uint16_t lens[] = { 100, 500, 1000, 1432 };
	uint16_t len = lens[arg >> 2 & 3], esi = rd_u8(&r) % 12, sbl = rd_u8(&r);
	uint32_t sbn = rd_u8(&r);
	struct alc_blocks b;
	uint64_t at;
	uint8_t	 p[1432] = { 0 };

	if (sbl == 0 || (arg & 3) == 0)
		return;
	lab_must(alc_blocks_init(&b, SIZE, len, (arg >> 4 & 3) + 2u) == 0);
	at = alc_block_offset(&b, sbn % b.count) + (uint64_t)esi * len;
	if (at < SIZE)
		memcpy(p, bytes + at, SIZE - at < len ? SIZE - at : len);
	if (at < SIZE && SIZE - at < len && (arg & 64) == 0)
		len = (uint16_t)(SIZE - at);
	p[0] ^= (uint8_t)(arg >> 7); /* an insider's */
	lab_data(arg & 3, sbn, sbl, esi, p, len);
}

/* An answer to whatever was asked first; kinds: raw, and what fits. */
static void
answer(uint8_t arg, const uint8_t *p, size_t n)
{
	static const char comes[] = "{\"how\":\"multicast\",\"in_ms\":0}";
	char	    req[4096], head[200];
	struct hash h;
	ssize_t	    got;
	int	    len;

	for (unsigned k = 0; k < lab.nhttp; k++) {
		got = recv(lab.http[k], req, sizeof(req) - 1, MSG_DONTWAIT);
		if (got <= 0)
			continue;
		req[got] = '\0';
		if (arg & 1) {
			p = (const uint8_t *)comes;
			n = sizeof(comes) - 1;
		} else if (arg & 2) {
			(void)hash_of(&h, bytes, SIZE);
			h.b[0] ^= (uint8_t)(arg >> 7);
			p = h.b;
			n = HASH_LEN;
		} else if (arg & 4) {
			p = bytes;
			n = SIZE;
		}
		len = snprintf(head, sizeof(head),
		    "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n",
		    arg & 4 ? "206 Partial Content" : arg & 8 ? "503 Busy" : "200 OK",
		    arg & 4 ? "Content-Range: bytes 0-19999/20000\r\n" : "", n);
		(void)!send(lab.http[k], head, (size_t)len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)!send(lab.http[k], p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		return;
	}
}

static void
record(struct rd *r)
{
	uint8_t	       kind = rd_u8(r), arg = rd_u8(r);
	size_t	       n = rd_u16(r);
	const uint8_t *p;
	struct rd      rest;

	n = n < r->left ? n : r->left;
	p = rd_bytes(r, n);
	if (r->err != 0)
		return;
	n = n < 1472 ? n : 1472;
	rest = rd_from(p, n);
	switch (kind % 7) {
	case 0:
	case 1:
		lab_send(kind % 7, p, n);
		break;
	case 2:
		describe(arg);
		break;
	case 3:
		symbol(arg, rest);
		break;
	case 4:
		lab_notice(arg & 3, arg >> 2 & 3, rd_u32(&rest));
		break;
	case 5:
		answer(arg, p, n);
		break;
	case 6: /* time passes: the timers of all casts come due */
		for (struct cast *c = lab.net.mcast->casts; c != NULL; c = c->next)
			if (c->state != CAST_EXPECTED && c->state != CAST_WAITS)
				(void)loop_timer_set(c->timer, 0);
		break;
	}
	turn();
	lab_must(lab.net.mcast->nsessions <= SESSIONS_MAX && lab.overs <= 1);
}

/* The next input finds it as this one did. */
static void
forget(void)
{
	struct mcast *m = lab.net.mcast;

	while (m->casts != NULL) /* those that linger */
		cast_ended(m->casts, "");
	for (struct session *s = m->sessions; s != NULL; s = s->next)
		s->heard_ms = 0;
	lab_must(loop_timer_set(m->tick, 0) == 0);
	turn();
	lab_must(m->nsessions == 0);
	m->off_ms = 0;
	lab.counter = lab.instance = 1;
	lab.net.sources[0].failures = 0;
	lab.net.sources[0].retry_ms = 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t got[SIZE];
	struct rd      r = rd_from(data, size);

	if (lab.net.loop == NULL) {
		for (size_t i = 0; i < SIZE; i++)
			bytes[i] = (uint8_t)(i * 31 + i / 79);
		log_set_level(LOG_LEVEL_ERR);
		lab_open();
		/* no question for keys at a time that is drawn */
		lab.net.mcast->strange_ms = UINT64_MAX;
	}
	lab_target(bytes, SIZE, rd_u8(&r) & 1 ? SIZE / 2 : 0);
	lab_must(mcast_get(&lab.target));
	turn();
	for (int i = 0; i < RECORDS && r.left > 0; i++)
		record(&r);
	if (lab.overs == 1 && lab.whole)
		lab_must(pread(lab.target.read_fd, got, SIZE, 0) == SIZE &&
		    memcmp(got, bytes, SIZE) == 0);
	mcast_cancel(&lab.target);
	forget();
	return 0;
}
