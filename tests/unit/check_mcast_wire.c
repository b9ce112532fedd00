/*
 * tests/unit/check_mcast_wire.c - dp-agent/mcast_wire.h: only what opens has a
 * say, and each packet once.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast_wire.h"

#include <check.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SYMBOL 100
#define PLACES 8

static struct mcast_session	session;
static struct mcast_wire_counts counts;
static struct mcast_sealer     *sealer;
static struct mcast_key		key;
static uint8_t			places[PLACES][SYMBOL], fdt_bytes[SYMBOL];
static bool			there[PLACES];
static unsigned			fdts, symbols, unwanteds;

static struct mcast_session *
find(void *ctx, const struct alc_head *h)
{
	(void)ctx;
	return h->tsi == session.tsi ? &session : NULL;
}

static uint8_t *
place(void *ctx, struct mcast_session *s, const struct alc_head *h, size_t n)
{
	(void)ctx;
	(void)s;
	return h->esi < PLACES && !there[h->esi] && n == SYMBOL ? places[h->esi]
								: NULL;
}

static void
placed(void *ctx, struct mcast_session *s, const struct alc_head *h, size_t n)
{
	(void)ctx;
	(void)s;
	(void)n;
	there[h->esi] = true;
	symbols++;
}

static void
unwanted(void *ctx, struct mcast_session *s, const struct alc_head *h)
{
	(void)ctx;
	(void)s;
	(void)h;
	unwanteds++;
}

static void
fdt(void *ctx, struct mcast_session *s, const struct alc_head *h,
    const uint8_t *p, size_t n)
{
	(void)ctx;
	(void)s;
	(void)h;
	ck_assert_uint_eq(n, SYMBOL);
	memcpy(fdt_bytes, p, n);
	fdts++;
}

static const struct mcast_wire_ops ops = { find, place, unwanted, placed,
	fdt, NULL };

/* A packet with symbol esi, all of whose bytes are `fill`; its length. */
static size_t
packet(uint8_t *out, uint64_t counter, uint16_t esi, uint8_t fill, bool secure)
{
	struct alc_head h = { .counter = counter, .tsi = 7, .toi = 1,
		.flags = secure ? ALC_SECURE : 0, .sbl = PLACES, .esi = esi };
	uint8_t	 bytes[SYMBOL];
	size_t	 head;

	memset(bytes, fill, sizeof(bytes));
	ck_assert_int_eq(alc_build(&h, out, 2048, &head), 0);
	if (!secure) {
		memcpy(out + head, bytes, SYMBOL);
		return head + SYMBOL;
	}
	ck_assert_int_eq(mcast_seal(sealer, counter, out, head, bytes, SYMBOL,
			     out + head),
	    0);
	return head + SYMBOL + MCAST_TAG_LEN;
}

static void
take(const uint8_t *p, size_t n)
{
	mcast_wire_packet(&ops, NULL, &counts, p, n);
}

static void
setup(void)
{
	memset(&session, 0, sizeof(session));
	memset(&counts, 0, sizeof(counts));
	memset(there, 0, sizeof(there));
	memset(&key, 9, sizeof(key));
	fdts = symbols = unwanteds = 0;
	session.tsi = 7;
	ck_assert_int_eq(mcast_sealer_new(&sealer, MCAST_SEALS), 0);
	ck_assert_int_eq(mcast_sealer_new(&session.opener, MCAST_OPENS), 0);
	ck_assert_int_eq(mcast_sealer_key(sealer, &key), 0);
	ck_assert_int_eq(mcast_sealer_key(session.opener, &key), 0);
}

static void
teardown(void)
{
	mcast_sealer_free(&sealer);
	mcast_sealer_free(&session.opener);
}

START_TEST(a_symbol_comes_to_its_place)
{
	uint8_t p[2048];
	size_t	n = packet(p, 1, 3, 'x', true);

	take(p, n);
	ck_assert(there[3]);
	ck_assert_uint_eq(places[3][0], 'x');
	ck_assert_uint_eq(places[3][SYMBOL - 1], 'x');
	ck_assert_uint_eq(symbols, 1);
	ck_assert_uint_eq(counts.bytes, n);
}
END_TEST

START_TEST(what_came_before_costs_nothing)
{
	uint8_t p[2048];
	size_t	n = packet(p, 1, 3, 'x', true);

	take(p, n);
	there[3] = false; /* even if it were wanted */
	take(p, n);
	ck_assert(!there[3]);
	ck_assert_uint_eq(counts.replayed, 1);
	ck_assert_uint_eq(symbols, 1);
}
END_TEST

START_TEST(a_forged_packet_spoils_nothing)
{
	uint8_t p[2048];
	size_t	n;

	for (size_t at = 0; at < 2; at++) {
		n = packet(p, 5, 2, 'x', true);
		p[at == 0 ? n - 1 : 23] ^= 1; /* the tag; then the ESI's byte */
		take(p, n);
	}
	ck_assert_uint_eq(counts.forged, 2);
	ck_assert_uint_eq(symbols, 0);
	n = packet(p, 5, 2, 'y', true); /* its counter is not used up */
	take(p, n);
	ck_assert(there[2]);
	ck_assert_uint_eq(places[2][9], 'y');
}
END_TEST

START_TEST(a_forged_counter_does_not_move_the_window)
{
	uint8_t p[2048];
	size_t	n = packet(p, UINT64_C(1) << 40, 2, 'x', true);

	p[n - 1] ^= 1;
	take(p, n);
	take(p, packet(p, 1, 2, 'x', true));
	ck_assert(there[2]);
	ck_assert_uint_eq(session.window.top, 1);
}
END_TEST

START_TEST(clear_packets_have_no_say_in_a_secure_session)
{
	uint8_t p[2048];

	take(p, packet(p, 1, 3, 'x', false));
	ck_assert(!there[3]);
	ck_assert_uint_eq(counts.strange, 1);
	mcast_sealer_free(&session.opener);
	take(p, packet(p, 1, 3, 'x', true)); /* nor the other way round */
	ck_assert_uint_eq(counts.strange, 2);
	take(p, packet(p, 1, 3, 'x', false));
	ck_assert(there[3]);
}
END_TEST

START_TEST(an_unwanted_one_is_not_opened)
{
	uint8_t p[2048];

	there[3] = true;
	take(p, packet(p, 1, 3, 'x', true));
	ck_assert_uint_eq(counts.unwanted, 1);
	ck_assert_uint_eq(unwanteds, 1);
	ck_assert_uint_eq(session.window.top, 0);
	take(p, packet(p, 2, PLACES, 'x', true)); /* no such place */
	ck_assert_uint_eq(counts.unwanted, 2);
}
END_TEST

START_TEST(an_fdt_is_handed_over_opened)
{
	struct alc_head h = { .counter = 4, .tsi = 7, .toi = ALC_TOI_FDT,
		.flags = ALC_SECURE | ALC_SALT, .fdt = 1,
		.fti = { .length = SYMBOL, .block = 64, .symbol = SYMBOL },
		.generation = 1 };
	uint8_t p[2048], bytes[SYMBOL];
	size_t	head;

	memset(bytes, 'f', sizeof(bytes));
	ck_assert_int_eq(alc_build(&h, p, sizeof(p), &head), 0);
	ck_assert_int_eq(mcast_seal(sealer, 4, p, head, bytes, SYMBOL, p + head),
	    0);
	take(p, head + SYMBOL + MCAST_TAG_LEN);
	ck_assert_uint_eq(fdts, 1);
	ck_assert_mem_eq(fdt_bytes, bytes, SYMBOL);
}
END_TEST

START_TEST(rubbish_is_counted)
{
	uint8_t p[2048] = { 0x10 };

	for (size_t n = 0; n < 60; n++)
		take(p, n);
	memset(p, 0xff, sizeof(p));
	take(p, sizeof(p));
	ck_assert_uint_eq(counts.malformed, 61);
}
END_TEST

START_TEST(a_socket_is_emptied_in_batches)
{
	uint8_t p[2048];
	int	fds[2];
	size_t	n;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	for (uint64_t i = 0; i < PLACES; i++) {
		n = packet(p, i + 1, (uint16_t)i, 'x', true);
		ck_assert_int_eq(send(fds[0], p, n, 0), (ssize_t)n);
	}
	ck_assert_int_eq(mcast_wire_read(fds[1], 3, &ops, NULL, &counts), 3);
	ck_assert_int_eq(mcast_wire_read(fds[1], 999, &ops, NULL, &counts), 5);
	ck_assert_int_eq(mcast_wire_read(fds[1], 999, &ops, NULL, &counts), 0);
	ck_assert_uint_eq(symbols, PLACES);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* Five packets of one length and a shorter one leave as one train, and come as
 * one by the loopback interface; a lone packet behind it comes as it is. */
START_TEST(a_train_is_taken_apart)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	uint8_t	  train[6 * 2048], *p = train;
	char	  first[2048];
	struct iovec  iov = { first, sizeof(first) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t	  n = 0;
	int	  in = socket(AF_INET, SOCK_DGRAM, 0), one = 1, step;
	int	  out = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_eq(setsockopt(in, IPPROTO_UDP, UDP_GRO, &one, sizeof(one)),
	    0);
	ck_assert_int_eq(bind(in, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(getsockname(in, (struct sockaddr *)&at, &len), 0);
	ck_assert_int_eq(connect(out, (struct sockaddr *)&at, sizeof(at)), 0);
	for (uint64_t i = 0; i < 5; i++)
		p += n = packet(p, i + 1, (uint16_t)i, 'x', true);
	step = (int)n;
	memset(p, 0xff, 20); /* no packet of ours ends the train */
	ck_assert_int_eq(setsockopt(out, IPPROTO_UDP, UDP_SEGMENT, &step,
			     sizeof(step)), 0);
	n = (size_t)(p - train) + 20;
	ck_assert_int_eq(send(out, train, n, 0), (ssize_t)n);
	n = packet(train, 6, 5, 'y', true);
	ck_assert_int_eq(send(out, train, n, 0), (ssize_t)n);
	/* it is a train here, or this says nothing */
	ck_assert_int_eq(recvmsg(in, &m, MSG_PEEK | MSG_TRUNC), 5 * step + 20);

	ck_assert_int_eq(mcast_wire_read(in, 999, &ops, NULL, &counts), 7);
	ck_assert_uint_eq(symbols, 6);
	ck_assert_uint_eq(places[4][SYMBOL - 1], 'x');
	ck_assert_uint_eq(places[5][0], 'y');
	ck_assert_uint_eq(counts.packets, 7);
	ck_assert_uint_eq(counts.malformed, 1);
	ck_assert_uint_eq(counts.forged, 0);
	close(in);
	close(out);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcast_wire");
	TCase	*t = tcase_create("mcast_wire");
	SRunner *sr = srunner_create(s);
	int	 failed;

	if (mcast_seal_setup() < 0)
		return EXIT_FAILURE;
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_symbol_comes_to_its_place);
	tcase_add_test(t, what_came_before_costs_nothing);
	tcase_add_test(t, a_forged_packet_spoils_nothing);
	tcase_add_test(t, a_forged_counter_does_not_move_the_window);
	tcase_add_test(t, clear_packets_have_no_say_in_a_secure_session);
	tcase_add_test(t, an_unwanted_one_is_not_opened);
	tcase_add_test(t, an_fdt_is_handed_over_opened);
	tcase_add_test(t, rubbish_is_counted);
	tcase_add_test(t, a_socket_is_emptied_in_batches);
	tcase_add_test(t, a_train_is_taken_apart);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
