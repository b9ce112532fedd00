/*
 * tests/bench/wire.c - what a multicast packet costs on one core, in ns.
 *
 * usage: bench-wire [RUNS]   median of RUNS (5), half a second each
 * Data packets of 1,432-byte symbols: head built and parsed; sealed from a
 * block's buffer into a train of packets, opened from there into a block's
 * buffer; near: all in the first-level cache; far: over 16 MiB. Then the
 * replay window, a report under a key of its own, and a full notice.
 * SPDX-License-Identifier: ISC
 */
#include "common/alc.h"
#include "common/mcast_msg.h"
#include "common/size.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PACKET (ALC_DATA_HEAD + ALC_SYMBOL_IPV4 + MCAST_TAG_LEN)
#define FAR    8192 /* packets of 1,432 bytes and as many symbols: 23 MB */
#define RUNS   99

static struct mcast_sealer *seals, *opens;
static struct mcast_key	    key;
static uint8_t		   *packets, *symbols;
static size_t		    npackets;
static struct mcast_window  window;
static struct mcast_notice  notice;
static struct mcast_report  report;
static uint8_t		    msg[2][2048];
static size_t		    msg_len[2];

static uint8_t *
packet(uint64_t i)
{
	return packets + i % npackets * PACKET;
}

static uint8_t *
symbol(uint64_t i)
{
	return symbols + i % npackets * ALC_SYMBOL_IPV4;
}

static int
build(uint64_t i)
{
	struct alc_head h = { .counter = i + 1,
		.tsi = 7,
		.toi = 1,
		.flags = ALC_SECURE,
		.sbn = (uint32_t)i,
		.sbl = 200,
		.esi = i % 200 };
	size_t		n;

	return alc_build(&h, packet(i), PACKET, &n);
}

static int
parse(uint64_t i)
{
	struct alc_head h;
	size_t		n;

	return alc_parse(&h, packet(i), PACKET, &n);
}

static int
seal(uint64_t i)
{
	return mcast_seal(seals, i % npackets + 1, packet(i), ALC_DATA_HEAD,
	    symbol(i), ALC_SYMBOL_IPV4, packet(i) + ALC_DATA_HEAD);
}

static int
unseal(uint64_t i)
{
	return mcast_unseal(opens, i % npackets + 1, packet(i), ALC_DATA_HEAD,
	    packet(i) + ALC_DATA_HEAD, PACKET - ALC_DATA_HEAD, symbol(i));
}

static int
replay(uint64_t i)
{
	int fresh = mcast_window_fresh(&window, window.top + 1 + i % 3);

	mcast_window_mark(&window, window.top + 1);
	return fresh ? 0 : -1;
}

/* As the sender does it: the next report is another agent's. */
static int
read_report(uint64_t i)
{
	static struct mcast_report r;

	(void)i;
	if (mcast_sealer_key(opens, &key) < 0)
		return -1;
	return mcast_report_read(&r, opens, msg[1], msg_len[1]);
}

static int
write_notice(uint64_t i)
{
	notice.counter = i + 1;
	return mcast_notice_write(
	    &notice, seals, msg[0], sizeof(msg[0]), &msg_len[0]);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
rising(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static char   json[4096]; /* the rows, for the last line */
static size_t json_len;

static void
measure(const char *what, size_t n, int (*fn)(uint64_t), int runs)
{
	double ns[RUNS];

	npackets = n;
	for (uint64_t i = 0; i < n; i++) /* whole packets, for unseal */
		if (build(i) < 0 || seal(i) < 0)
			errx(1, "%s: cannot prepare", what);
	for (int run = 0; run < runs; run++) {
		double	 start = seconds(), now = start;
		uint64_t done = 0;

		for (; now - start < 0.5; now = seconds())
			for (int i = 0; i < 256; i++)
				if (fn(done++) < 0)
					errx(1, "%s: fails", what);
		ns[run] = (now - start) / (double)done * 1e9;
	}
	qsort(ns, (size_t)runs, sizeof(*ns), rising);
	printf("%-28s %7.0f ns  (%.0f to %.0f)  %.2f M/s\n", what, ns[runs / 2],
	    ns[0], ns[runs - 1], 1e3 / ns[runs / 2]);
	json_len += (size_t)snprintf(json + json_len, sizeof(json) - json_len,
	    "%s{\"case\":\"%s\",\"unit\":\"ns\",\"ours\":%.0f,\"peer\":null,"
	    "\"theirs\":null,\"ratio\":null}",
	    json_len == 0 ? "" : ",", what, ns[runs / 2]);
}

int
main(int argc, char *argv[])
{
	static const uint8_t secret[MCAST_SECRET_LEN] = "bench", salt[16];
	int		     runs = argc > 1 ? atoi(argv[1]) : 5;

	if (runs < 1 || runs > RUNS)
		errx(1, "RUNS: 1 to %d", RUNS);
	packets = malloc((size_t)FAR * PACKET);
	symbols = malloc((size_t)FAR * ALC_SYMBOL_IPV4);
	if (packets == NULL || symbols == NULL)
		err(1, "malloc");
	memset(symbols, 's', (size_t)FAR * ALC_SYMBOL_IPV4);
	if (mcast_seal_setup() < 0 ||
	    mcast_key_session(&key, secret, salt, 1, 7) < 0 ||
	    mcast_sealer_new(&seals, MCAST_SEALS) < 0 ||
	    mcast_sealer_new(&opens, MCAST_OPENS) < 0 ||
	    mcast_sealer_key(seals, &key) < 0 ||
	    mcast_sealer_key(opens, &key) < 0)
		errx(1, "keys");
	notice = (struct mcast_notice){
		.generation = 1, .counter = 1, .n = MCAST_NOTICE_BLOCKS
	};
	report = (struct mcast_report){ .counter = 1, .n = 20 };
	for (size_t i = 0; i < report.n; i++)
		report.block[i].deficit = 1;
	if (mcast_report_write(
		&report, seals, msg[1], sizeof(msg[1]), &msg_len[1]) < 0)
		errx(1, "report");

	measure("alc_build", 16, build, runs);
	measure("alc_parse", 16, parse, runs);
	measure("mcast_seal, near", 8, seal, runs);
	measure("mcast_seal, far", FAR, seal, runs);
	measure("mcast_unseal, near", 8, unseal, runs);
	measure("mcast_unseal, far", FAR, unseal, runs);
	measure("mcast_window", 8, replay, runs);
	measure("report, 20 blocks: key, read", 8, read_report, runs);
	measure("notice, 192 blocks: write", 8, write_notice, runs);
	printf("\n{\"bench\":\"wire\",\"rows\":[%s]}\n", json);
	mcast_sealer_free(&seals);
	mcast_sealer_free(&opens);
	free(packets);
	free(symbols);
	return 0;
}
