/*
 * tests/unit/check_gateway_relay.c - what relay.h promises, over TCP, with a
 * pipe (rows 0) and without one (rows 1).
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dp-gateway/relay.h"
#include "tests/unit/tcp_pair.h"

static struct relay  r;
static struct pipes *ps;
static int	     far_end[2]; /* of each side */
static int	     bad;

static void
begin(int without)
{
	int a[2], b[2];

	signal(SIGPIPE, SIG_IGN);
	tcp_pair(a);
	tcp_pair(b);
	far_end[0] = a[0];
	far_end[1] = b[0];
	ck_assert_int_eq(pipes_new(without ? 0 : 4, &ps), 0);
	relay_init(&r, a[1], b[1]);
}

static void
end(void)
{
	relay_fini(&r, ps);
	ck_assert_uint_eq(pipes_held(ps), 0);
	ck_assert_uint_eq(pipes_bare(ps), 0);
	pipes_free(&ps);
	for (int i = 0; i < 2; i++) {
		close(r.fd[i]);
		if (far_end[i] >= 0)
			close(far_end[i]);
	}
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
		if (poll(p, 2, 10) == 0)
			quiet++;
		for (int s = 0; s < 2; s++)
			if (p[s].revents != 0) {
				int e = relay_run(&r, ps, s,
				    (uint32_t)p[s].revents, &r, 1000, &bad);

				quiet = 0;
				if (e < 0)
					return e;
			}
	}
	return 0;
}

static size_t
drain_end(int fd, char *first)
{
	static char buf[65536];
	size_t	    n = 0;
	ssize_t	    k;

	while ((k = recv(fd, buf, sizeof(buf), 0)) > 0) {
		if (n == 0 && first != NULL)
			memcpy(first, buf, (size_t)k < 16 ? (size_t)k : 16);
		n += (size_t)k;
	}
	return n;
}

START_TEST(bytes_go_both_ways_and_nothing_is_held)
{
	char got[16];

	begin(_i);
	ck_assert_uint_eq(relay_wants(&r, 0), EPOLLIN);
	ck_assert_int_eq(send(far_end[0], "hello", 5, 0), 5);
	ck_assert_int_eq(send(far_end[1], "answer", 6, 0), 6);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(drain_end(far_end[1], got), 5);
	ck_assert_mem_eq(got, "hello", 5);
	ck_assert_uint_eq(drain_end(far_end[0], got), 6);
	ck_assert_mem_eq(got, "answer", 6);
	ck_assert_uint_eq(r.bytes[0], 5);
	ck_assert_uint_eq(r.bytes[1], 6);
	ck_assert_uint_eq(pipes_held(ps), 0);
	ck_assert(!relay_over(&r));
	end();
}
END_TEST

START_TEST(half_a_close_is_carried_and_the_other_half_works)
{
	char got[16];

	begin(_i);
	ck_assert_int_eq(send(far_end[0], "last", 4, 0), 4);
	shutdown(far_end[0], SHUT_WR);
	ck_assert_int_eq(run(), 0);
	ck_assert_int_eq(recv(far_end[1], got, 16, 0), 4);
	ck_assert_int_eq(recv(far_end[1], got, 16, 0), 0);
	ck_assert_uint_eq(relay_wants(&r, 0), 0);
	ck_assert_int_eq(send(far_end[1], "later", 5, 0), 5);
	ck_assert_int_eq(run(), 0);
	ck_assert_int_eq(recv(far_end[0], got, 16, 0), 5);
	shutdown(far_end[1], SHUT_WR);
	ck_assert_int_eq(run(), 0);
	ck_assert(relay_over(&r)); /* the rest is the caller's close */
	end();
}
END_TEST

struct stuck {
	int n;
};

static void
on_stuck(void *ctx, void *owner)
{
	ck_assert_ptr_eq(owner, &r);
	((struct stuck *)ctx)->n++;
}

START_TEST(who_takes_nothing_stops_who_sends_and_loses_nothing)
{
	static char  block[65536];
	size_t	     sent = 0, got = 0, k;
	struct stuck st = { 0 };
	ssize_t	     n;

	begin(_i);
	for (int quiet = 0; quiet < 3;) { /* nobody reads at the other end */
		n = send(far_end[0], block, sizeof(block), 0);
		quiet = n > 0 ? 0 : quiet + 1;
		sent += n > 0 ? (size_t)n : 0;
		ck_assert_int_eq(run(), 0);
	}
	ck_assert_uint_eq(relay_wants(&r, 0), 0);
	ck_assert_uint_eq(relay_wants(&r, 1), EPOLLIN | EPOLLOUT);
	ck_assert_uint_eq(pipes_held(ps), _i == 0);
	pipes_each_stuck(ps, 1000, on_stuck, &st);
	ck_assert_int_eq(st.n, 0);
	pipes_each_stuck(ps, 1001, on_stuck, &st);
	ck_assert_int_eq(st.n, _i == 0);
	ck_assert_uint_eq(pipes_bare(ps), _i == 1);
	ck_assert(!relay_stuck(&r, 1000));
	ck_assert(relay_stuck(&r, 1002) == (_i == 1));
	shutdown(far_end[0], SHUT_WR);
	/* the other way is not stopped by this */
	ck_assert_int_eq(send(far_end[1], "x", 1, 0), 1);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(drain_end(far_end[0], NULL), 1);
	while ((k = drain_end(far_end[1], NULL)) > 0 || got < sent) {
		got += k;
		ck_assert_int_eq(run(), 0);
	}
	ck_assert_uint_eq(got, sent);
	ck_assert_uint_eq(r.bytes[0], sent);
	ck_assert(r.told[0]);
	ck_assert_uint_eq(pipes_bare(ps), 0);
	ck_assert(!relay_stuck(&r, 100000));
	end();
}
END_TEST

START_TEST(a_reset_names_its_side)
{
	struct linger now = { 1, 0 };
	int	      side = _i % 2, e;

	begin(_i / 2);
	ck_assert_int_eq(setsockopt(far_end[side], SOL_SOCKET, SO_LINGER, &now,
			     sizeof(now)), 0);
	close(far_end[side]);
	far_end[side] = -1;
	e = run();
	ck_assert_int_eq(e, -ECONNRESET);
	ck_assert_int_eq(bad, side);
	end();
}
END_TEST

START_TEST(a_reset_behind_an_end_is_seen_too)
{
	struct linger now = { 1, 0 };

	begin(0);
	shutdown(far_end[0], SHUT_WR);
	ck_assert_int_eq(run(), 0);
	ck_assert_int_eq(setsockopt(far_end[0], SOL_SOCKET, SO_LINGER, &now,
			     sizeof(now)), 0);
	close(far_end[0]);
	far_end[0] = -1;
	ck_assert_int_eq(relay_run(&r, ps, 0, EPOLLERR | EPOLLHUP, &r, 1, &bad),
	    -ECONNRESET);
	ck_assert_int_eq(bad, 0);
	end();
}
END_TEST

START_TEST(bytes_before_a_reset_still_arrive)
{
	struct linger now = { 1, 0 };
	char	      got[16];

	begin(_i);
	ck_assert_int_eq(send(far_end[1], "fin", 3, 0), 3);
	ck_assert_int_eq(run(), 0);
	ck_assert_int_eq(send(far_end[1], "al", 2, 0), 2);
	ck_assert_int_eq(setsockopt(far_end[1], SOL_SOCKET, SO_LINGER, &now,
			     sizeof(now)), 0);
	ck_assert_int_eq(run(), 0);
	close(far_end[1]);
	far_end[1] = -1;
	ck_assert_int_lt(run(), 0);
	ck_assert_int_eq(recv(far_end[0], got, 16, 0), 5);
	end();
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("gateway relay");
	TCase	*t = tcase_create("gateway relay");
	SRunner *sr = srunner_create(s);
	int	 failed;

	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, bytes_go_both_ways_and_nothing_is_held, 0, 2);
	tcase_add_loop_test(t, half_a_close_is_carried_and_the_other_half_works,
	    0, 2);
	tcase_add_loop_test(t,
	    who_takes_nothing_stops_who_sends_and_loses_nothing, 0, 2);
	tcase_add_loop_test(t, a_reset_names_its_side, 0, 4);
	tcase_add_test(t, a_reset_behind_an_end_is_seen_too);
	tcase_add_loop_test(t, bytes_before_a_reset_still_arrive, 0, 2);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
