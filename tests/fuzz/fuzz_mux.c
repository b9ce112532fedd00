/*
 * A peer at either end of the multiplexed uplink: whatever it says, in whatever
 * pieces, what waits is bounded, each stream ends once, and once the connection
 * is given up nothing but a GOAWAY follows. The first byte chooses the end and
 * how its owners behave, the second the pieces.
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dp-gateway/mux.h"

#define STREAMS	  16
#define QUEUE_MAX 65536
#define ALIVE	  0x5a

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t	     how;
static size_t	     given;
static unsigned char owners[256]; /* ALIVE: between the request and its end */
static unsigned	     n;

static void
on_request(void *ctx, struct mux_stream *s, const struct mux_request *rq)
{
	(void)ctx;
	if (memchr(rq->authority, '\0', sizeof(rq->authority)) == NULL)
		abort();
	n++;
	if ((how & 2) && n % 3 == 0)
		mux_refuse(s, 502, "test; error=connection_refused");
	else if (!(how & 4) || n % 4 != 0) {
		owners[n % sizeof(owners)] = ALIVE;
		mux_accept(s, &owners[n % sizeof(owners)]);
	}
}

static void
on_response(void *ctx, struct mux_stream *s, unsigned status, const char *text)
{
	(void)ctx;
	if (*(unsigned char *)mux_owner(s) != ALIVE ||
	    strlen(text) >= MUX_TEXT_MAX)
		abort();
	if (status != 200)
		*(unsigned char *)mux_owner(s) = 0;
}

static size_t
on_take(void *ctx, struct mux_stream *s, const uint8_t *p, size_t len)
{
	volatile uint8_t sum = 0;

	(void)ctx;
	for (size_t i = 0; i < len; i++)
		sum ^= p[i];
	if ((how & 8) && mux_id(s) % 5 == 0) {
		mux_reset(s);
		return len;
	}
	return how & 16 ? len / 2 : how & 32 ? 0 : len;
}

static void
on_ended(void *ctx, struct mux_stream *s)
{
	(void)ctx;
	if (how & 64)
		mux_reset(s);
}

static ssize_t
on_give(void *ctx, struct mux_stream *s, uint8_t *buf, size_t max)
{
	size_t len = max < 1000 ? max : 1000;

	(void)ctx, (void)s;
	if ((given += len) > 50000)
		return how & 128 ? 0 : -EAGAIN;
	memset(buf, 'g', len);
	return (ssize_t)len;
}

static void
on_closed(void *ctx, struct mux_stream *s, enum mux_end why)
{
	unsigned char *owner = mux_owner(s);

	(void)ctx, (void)why;
	if (owner != NULL && *owner != ALIVE)
		abort();
	if (owner != NULL)
		*owner = 0;
}

static void
say(struct mux *m, uint64_t now)
{
	struct mux_stats st;
	const uint8_t	*p;
	ssize_t		 len;

	while ((len = mux_out(m, &p, now)) > 0)
		if (len < 9)
			abort();
	mux_stats(m, &st);
	if (st.queued > QUEUE_MAX)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mux_ops ops = { on_request, on_response, on_take, NULL,
		on_ended, on_give, on_closed };
	const struct mux_request    rq = { "server.example:443", "2.0 a", "" };
	struct mux_conf conf = { .max_streams = STREAMS, .window = 16384,
		.window_max = 65536, .queue_max = QUEUE_MAX, .ping_ms = 30,
		.ping_timeout_ms = 10000 };
	struct mux_stream *s;
	struct mux	  *m;
	uint64_t	   now = 1;
	size_t		   step;

	if (size < 2)
		return 0;
	how = data[0];
	step = (size_t)data[1] + 1;
	conf.far = how & 1;
	given = n = 0;
	memset(owners, ALIVE, sizeof(owners));
	if (mux_new(&conf, &ops, NULL, now, &m) < 0)
		abort();
	for (size_t at = 2; at < size; at += step) {
		while (!conf.far && n < STREAMS &&
		    mux_open(m, &rq, &owners[n], &s) == 0)
			n++;
		mux_in(m, data + at, size - at < step ? size - at : step, now);
		say(m, now);
		mux_tick(m, now += 7);
	}
	if ((how & 3) == 3)
		mux_drain(m);
	say(m, now);
	if (mux_why(m, NULL) != MUX_NONE && mux_has_out(m))
		abort();
	mux_free(&m);
	return 0;
}
