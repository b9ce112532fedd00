/*
 * tests/unit/check_gateway_ends.c - what ends.h promises, over TCP: a device's
 * TLS to a server's (row 0), and to a server in clear (row 1).
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/ends.h"

#include "common/hash.h"
#include "common/tls_client.h"
#include "tests/unit/tcp_pair.h"
#include "tests/unit/tls_pki.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE 0
#define SERVER 1
#define DAY    86400

static struct relay r;
static struct ends  e;
static struct end   far_end[2]; /* of each side */
static struct tls  *device_rules, *server_rules, *to_server;
static uint64_t	    now = 1000;
static int	    bad;

static void
setup(void)
{
	const char    *uri = "URI:urn:dpoint:device:"
			     "6f1d2c3b-4a59-4687-8796-a5b4c3d2e1f0";
	static struct issued ca, device, server; /* held: it is no leak */
	struct tls_conf conf;
	char	       err[TLS_ERR_MAX];

	signal(SIGPIPE, SIG_IGN);
	ck_assert(hash_setup() == 0 && tls_setup() == 0);
	ca = pki_issue(NULL, "ca", 1, NULL, NULL, DAY);
	device = pki_issue(&ca, "device", 2, uri, "clientAuth", DAY);
	server = pki_issue(&ca, "server", 3, "DNS:a", "serverAuth", DAY);
	conf = (struct tls_conf){ server.cert, server.key_pem, ca.cert, NULL,
		strlen(server.cert), strlen(server.key_pem), strlen(ca.cert), 0,
		TLS_CLIENT_REQUIRED };
	ck_assert_int_eq(tls_new(&conf, &server_rules, err), 0);
	conf.cert = device.cert;
	conf.cert_len = strlen(device.cert);
	conf.key = device.key_pem;
	conf.key_len = strlen(device.key_pem);
	ck_assert_int_eq(tls_client_new(&conf, &device_rules, err), 0);
	ck_assert_int_eq(tls_client_new(&conf, &to_server, err), 0);
}

static void
shake(struct tls_conn *c, struct tls_conn *s)
{
	int cr = -EAGAIN, sr = -EAGAIN;

	for (int i = 0; i < 200 && (cr != 0 || sr != 0); i++) {
		tls_readable(c, false);
		if (cr != 0)
			cr = tls_handshake(c);
		tls_readable(s, false);
		if (sr != 0 && (sr = tls_handshake(s)) == 0)
			(void)tls_flush(s);
		usleep(100);
	}
	ck_assert_msg(cr == 0 && sr == 0, "%d %d", cr, sr);
}

static void
begin(int clear)
{
	struct tls_conn *c = NULL, *s = NULL;
	int		 a[2], b[2];

	tcp_pair(a);
	tcp_pair(b);
	ends_init(&e);
	relay_init(&r, a[1], b[1]);
	ck_assert_int_eq(tls_connect(device_rules, a[0], "a", NULL, &c), 0);
	ck_assert_int_eq(tls_accept(server_rules, a[1], &s), 0);
	shake(c, s);
	far_end[DEVICE] = (struct end){ .tls = c, .fd = a[0] };
	ends_set(&e, DEVICE, a[1], s);
	c = s = NULL;
	if (!clear) {
		ck_assert_int_eq(tls_connect(to_server, b[1], "a", NULL, &c), 0);
		ck_assert_int_eq(tls_accept(server_rules, b[0], &s), 0);
		shake(c, s);
	}
	far_end[SERVER] = (struct end){ .tls = s, .fd = b[0] };
	ends_set(&e, SERVER, b[1], c);
}

static void
end(void)
{
	ends_fini(&e);
	for (int s = 0; s < 2; s++) {
		tls_conn_free(&far_end[s].tls);
		close(r.fd[s]);
		if (far_end[s].fd >= 0)
			close(far_end[s].fd);
	}
	ck_assert_uint_eq(ends_waiting(), 0);
}

/* What an event loop does, until nothing is ready or it is over. */
static int
run(void)
{
	for (int quiet = 0; quiet < 3 && !relay_over(&r);) {
		struct pollfd p[2];

		for (int s = 0; s < 2; s++)
			p[s] = (struct pollfd){ relay_wants(&r, s) ? r.fd[s] : -1,
				(short)relay_wants(&r, s), 0 };
		if (poll(p, 2, 10) <= 0) {
			quiet++;
			continue;
		}
		for (int s = 0; s < 2; s++)
			if (p[s].revents != 0 &&
			    ends_run(&e, &r, s, (uint32_t)p[s].revents, now,
				&bad) < 0)
				return -1;
	}
	return 0;
}

static ssize_t
take(int side, void *buf, size_t n)
{
	if (far_end[side].tls != NULL)
		tls_readable(far_end[side].tls, false);
	return end_read(&far_end[side], buf, n);
}

static void
say(int side, const void *p, size_t n)
{
	ck_assert_int_eq(end_write(&far_end[side], p, n), 0);
	ck_assert_int_eq(end_flush(&far_end[side]), 0);
}

/* So many bytes of one side, as the other gets them; `each`: it takes so many at
 * a time, fewer than come, so that all buffers fill. */
static void
carried_to(int from, size_t total, size_t each)
{
	static uint8_t out[60000], in[65536];
	size_t	       sent = 0, got = 0, n;
	bool	       wrong = false;
	ssize_t	       k;

	while (got < total) {
		n = total - sent < sizeof(out) ? total - sent : sizeof(out);
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)((sent + i) * 31 >> 3);
		if (end_flush(&far_end[from]) == 0 && n > 0 &&
		    end_write(&far_end[from], out, n) == 0)
			sent += n;
		(void)end_flush(&far_end[from]);
		ck_assert_int_eq(run(), 0);
		while ((k = take(!from, in, each)) > 0) {
			for (ssize_t i = 0; i < k; i++, got++)
				wrong = wrong ||
				    in[i] != (uint8_t)(got * 31 >> 3);
			if (each < sizeof(in))
				break;
		}
		ck_assert(k == -EAGAIN || (k > 0 && each < sizeof(in)));
	}
	ck_assert(!wrong);
	ck_assert_uint_eq(got, total);
}

static void
carried(int from, size_t total)
{
	carried_to(from, total, 65536);
}

START_TEST(bytes_go_both_ways)
{
	begin(_i);
	carried(DEVICE, 1);
	carried(SERVER, 1);
	carried(DEVICE, 2000000);
	carried(SERVER, 2000000);
	ck_assert_uint_eq(r.bytes[DEVICE], 2000001);
	ck_assert_uint_eq(r.bytes[SERVER], 2000001);
	end();
}
END_TEST

START_TEST(an_end_leaves_the_other_direction)
{
	char buf[8];

	begin(_i);
	say(DEVICE, "last", 4);
	tls_goodbye(far_end[DEVICE].tls);
	ck_assert_int_eq(run(), 0);
	ck_assert_int_eq(take(SERVER, buf, sizeof(buf)), 4);
	ck_assert_int_eq(take(SERVER, buf, sizeof(buf)), 0);
	ck_assert(far_end[SERVER].tls == NULL || tls_ended(far_end[SERVER].tls));
	carried(SERVER, 100000);
	if (far_end[SERVER].tls != NULL)
		tls_goodbye(far_end[SERVER].tls);
	else
		shutdown(far_end[SERVER].fd, SHUT_WR);
	ck_assert_int_eq(run(), 0);
	ck_assert(relay_over(&r));
	ck_assert_int_eq(take(DEVICE, buf, sizeof(buf)), 0);
	ck_assert(tls_ended(far_end[DEVICE].tls));
	end();
}
END_TEST

START_TEST(a_cut_stays_one)
{
	char buf[8];

	begin(0);
	shutdown(far_end[DEVICE].fd, SHUT_WR);
	ck_assert_int_eq(run(), 0);
	ck_assert_int_eq(take(SERVER, buf, sizeof(buf)), 0);
	ck_assert(!tls_ended(far_end[SERVER].tls));
	end();
}
END_TEST

/* Who takes nothing: little waits for it, the sender is held up, and its own
 * bytes still go the other way. */
START_TEST(what_waits_is_bounded)
{
	static uint8_t much[100000];
	size_t	       before = 0, sent = 0;
	char	       buf[8];

	begin(_i);
	for (int i = 0; i < 400; i++) {
		if (end_flush(&far_end[DEVICE]) == 0 &&
		    end_write(&far_end[DEVICE], much, sizeof(much)) == 0)
			sent += sizeof(much);
		(void)end_flush(&far_end[DEVICE]);
		for (int s = 0; s < 2; s++)
			(void)ends_run(&e, &r, s, relay_wants(&r, s), now, &bad);
		if (r.blocked[DEVICE] && r.bytes[DEVICE] == before)
			break;
		before = (size_t)r.bytes[DEVICE];
	}
	ck_assert(r.blocked[DEVICE]);
	ck_assert_uint_lt(before, sent);
	ck_assert_uint_le(_i == 0 ? tls_unsent(e.of[SERVER].tls)
				  : e.of[SERVER].rest_len,
	    ENDS_BATCH + 2 * 16384);
	ck_assert_uint_ge(ends_waiting(), _i == 0 ? tls_unsent(e.of[SERVER].tls)
						  : e.of[SERVER].rest_len);
	ck_assert(!ends_stuck(&e, &r, now));
	ck_assert(ends_stuck(&e, &r, now + 1));
	say(SERVER, "back", 4);
	ck_assert_int_eq(ends_run(&e, &r, SERVER, EPOLLIN, now, &bad), 0);
	ck_assert_int_eq(take(DEVICE, buf, sizeof(buf)), 4);
	ck_assert(ends_stuck(&e, &r, now + 1)); /* that is another direction */
	end();
}
END_TEST

START_TEST(who_takes_slowly_gets_every_byte)
{
	const int few = 20000;

	begin(_i);
	for (int s = 0; s < 2; s++) {
		(void)setsockopt(r.fd[s], SOL_SOCKET, SO_SNDBUF, &few,
		    sizeof(few));
		(void)setsockopt(far_end[s].fd, SOL_SOCKET, SO_RCVBUF, &few,
		    sizeof(few));
	}
	carried_to(DEVICE, 600000, 20000);
	carried_to(SERVER, 600000, 20000);
	ck_assert_uint_eq(r.bytes[DEVICE], 600000);
	end();
}
END_TEST

START_TEST(what_does_not_open_is_that_sides_fault)
{
	begin(_i);
	ck_assert_int_eq(send(far_end[DEVICE].fd,
			     "\x17\x03\x03\x00\x20................................",
			     37, 0), 37);
	ck_assert_int_lt(run(), 0);
	ck_assert_int_eq(bad, DEVICE);
	end();
}
END_TEST

START_TEST(a_side_that_is_gone_is_noticed)
{
	struct linger at_once = { 1, 0 };

	begin(_i);
	setsockopt(far_end[SERVER].fd, SOL_SOCKET, SO_LINGER, &at_once,
	    sizeof(at_once));
	close(far_end[SERVER].fd);
	far_end[SERVER].fd = -1;
	ck_assert_int_lt(run(), 0);
	ck_assert_int_eq(bad, SERVER);
	end();
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("gateway_ends");
	TCase *t = tcase_create("gateway_ends");

	tcase_set_timeout(t, 30);
	tcase_add_unchecked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, bytes_go_both_ways, 0, 2);
	tcase_add_loop_test(t, an_end_leaves_the_other_direction, 0, 2);
	tcase_add_test(t, a_cut_stays_one);
	tcase_add_loop_test(t, what_waits_is_bounded, 0, 2);
	tcase_add_loop_test(t, who_takes_slowly_gets_every_byte, 0, 2);
	tcase_add_loop_test(t, what_does_not_open_is_that_sides_fault, 0, 2);
	tcase_add_loop_test(t, a_side_that_is_gone_is_noticed, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *sr = srunner_create(suite());
	int	 failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
