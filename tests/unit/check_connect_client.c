/*
 * tests/unit/check_connect_client.c - sockets asked for, answers, a connector
 * that goes, comes back, or speaks nonsense.
 * SPDX-License-Identifier: ISC
 */
#include "common/connect_client.h"

#include "common/ipc.h"
#include "common/size.h"
#include "common/url.h"
#include "common/wr.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
	struct loop	      *loop;
	struct connect_client *c;
	int		       peer; /* the connector's end, raw */
	uint32_t	       ticket;
	int		       fd, lost, answers;
	bool		       frees;
	char		       text[512];
};

static void
on_answer(void *ctx, uint32_t ticket, int take_fd, const char *text)
{
	struct side *s = ctx;

	s->answers++;
	s->ticket = ticket;
	s->fd = take_fd;
	snprintf(s->text, sizeof(s->text), "%s", text);
	if (s->frees)
		connect_client_free(&s->c);
	loop_stop(s->loop, 0);
}

static void
on_lost(void *ctx, int r)
{
	struct side *s = ctx;

	s->lost = r;
	loop_stop(s->loop, 0);
}

static const struct connect_client_ops ops = { on_answer, on_lost };

static void
attach(struct side *s)
{
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds), 0);
	s->peer = fds[1];
	ck_assert_int_eq(connect_client_attach(s->c, fds[0]), 0);
}

static void
side_init(struct side *s)
{
	*s = (struct side){ .fd = -1, .peer = -1 };
	ck_assert_int_eq(loop_new(&s->loop), 0);
	ck_assert_int_eq(connect_client_new(s->loop, -1, &ops, s, &s->c), 0);
	ck_assert_int_eq(connect_client_ask(s->c, 1, "dp1", 80, 1000),
	    -ENOTCONN);
	attach(s);
}

static void
side_fini(struct side *s)
{
	connect_client_free(&s->c);
	if (s->peer >= 0)
		close(s->peer);
	loop_free(&s->loop);
}

START_TEST(a_request_arrives_as_the_connector_reads_it)
{
	struct side    s;
	struct ipc_msg m;
	uint8_t	       buf[1024];
	char	       host[URL_HOST_LEN];

	side_init(&s);
	ck_assert_int_eq((_i == 0 ? connect_client_ask : connect_client_begin)(
			     s.c, 77, "dp1.example", 8061, 1ULL << 40),
	    0);
	ck_assert_int_eq(ipc_recv_now(s.peer, buf, sizeof(buf), 1000, &m), 0);
	ck_assert_uint_eq(m.type, _i == 0 ? MSG_CONNECT : MSG_CONNECT_BEGIN);
	ck_assert_uint_eq(m.id, 77);
	ck_assert_uint_eq(rd_u16(&m.rd), 8061);
	ck_assert_uint_eq(rd_u32(&m.rd), UINT32_MAX); /* not wrapped */
	rd_str(&m.rd, host, sizeof(host));
	ck_assert_str_eq(host, "dp1.example");
	ck_assert_int_eq(rd_done(&m.rd), 0);
	side_fini(&s);
}
END_TEST

START_TEST(a_host_longer_than_any_is_not_sent)
{
	struct side s;
	char	    host[URL_HOST_LEN + 1];

	side_init(&s);
	memset(host, 'a', sizeof(host));
	host[URL_HOST_LEN] = '\0';
	ck_assert_int_eq(connect_client_ask(s.c, 1, host, 80, 1), -EINVAL);
	host[URL_HOST_LEN - 1] = '\0';
	ck_assert_int_eq(connect_client_ask(s.c, 1, host, 80, 1), 0);
	side_fini(&s);
}
END_TEST

static void
send_yes(struct side *s, const char *address)
{
	uint8_t	  buf[600];
	struct wr w = wr_to(buf, sizeof(buf));
	int	  fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	wr_str(&w, address);
	ck_assert_int_eq(ipc_send_now(s->peer, MSG_CONNECTED, 5, buf, w.len, fd),
	    0);
	close(fd);
}

START_TEST(a_socket_is_handed_over)
{
	struct side s;

	side_init(&s);
	s.frees = _i == 1; /* the callee may */
	send_yes(&s, "192.0.2.1 port 80");
	loop_run(s.loop);
	ck_assert_uint_eq(s.ticket, 5);
	ck_assert_str_eq(s.text, "192.0.2.1 port 80");
	ck_assert_int_ge(s.fd, 0);
	ck_assert_int_ge(fcntl(s.fd, F_GETFD), 0); /* ours, not closed */
	close(s.fd);
	side_fini(&s);
}
END_TEST

START_TEST(a_refusal_says_why)
{
	struct side s;
	uint8_t	    buf[64];
	struct wr   w = wr_to(buf, sizeof(buf));

	side_init(&s);
	s.fd = 99;
	wr_u32(&w, ECONNREFUSED);
	wr_str(&w, "nobody listens");
	ck_assert_int_eq(ipc_send_now(s.peer, MSG_CONNECT_NO, 6, buf, w.len, -1),
	    0);
	loop_run(s.loop);
	ck_assert_uint_eq(s.ticket, 6);
	ck_assert_int_eq(s.fd, -ECONNREFUSED);
	ck_assert_str_eq(s.text, "nobody listens");
	ck_assert_int_eq(s.lost, 0);
	side_fini(&s);
}
END_TEST

static const struct {
	const char *why;
	uint16_t    type;
	size_t	    len;
	uint8_t	    bytes[8];
} refused[] = {
	{ "a socket without one", MSG_CONNECTED, 3, { 0, 1, 'a' } },
	{ "a refusal cut short", MSG_CONNECT_NO, 4, { 0, 0, 0, 1 } },
	{ "a text longer than the message", MSG_CONNECT_NO, 8,
	    { 0, 0, 0, 1, 0, 9, 'a', 'b' } },
	{ "bytes after the end", MSG_CONNECT_NO, 8,
	    { 0, 0, 0, 1, 0, 1, 'a', 'b' } },
	{ "another message", MSG_STORE_OK, 0, { 0 } },
};
START_TEST(nonsense_is_a_lost_connector)
{
	struct side s;

	side_init(&s);
	ck_assert_int_eq(ipc_send_now(s.peer, refused[_i].type, 1,
			     refused[_i].bytes, refused[_i].len, -1),
	    0);
	loop_run(s.loop);
	ck_assert_msg(s.lost == -EBADMSG && s.answers == 0, "accepted: %s",
	    refused[_i].why);
	ck_assert_int_eq(connect_client_ask(s.c, 1, "dp1", 80, 1), -ENOTCONN);
	side_fini(&s);
}
END_TEST

START_TEST(one_that_goes_can_come_back)
{
	struct side s;

	side_init(&s);
	close(s.peer);
	loop_run(s.loop);
	ck_assert_int_eq(s.lost, -ENOTCONN);
	ck_assert_int_eq(connect_client_ask(s.c, 1, "dp1", 80, 1), -ENOTCONN);
	attach(&s);
	s.lost = 0;
	ck_assert_int_eq(connect_client_ask(s.c, 1, "dp1", 80, 1), 0);
	close(s.peer);
	attach(&s); /* replaced while it stood: what was asked is lost */
	ck_assert_int_eq(s.lost, -ENOTCONN);
	send_yes(&s, "a");
	loop_run(s.loop);
	ck_assert_int_eq(s.answers, 1);
	close(s.fd);
	side_fini(&s);
}
END_TEST

int
main(void)
{
	Suite	*su = suite_create("connect_client");
	TCase	*t = tcase_create("connect_client");
	SRunner *r = srunner_create(su);
	int	 failed;

	tcase_add_loop_test(t, a_request_arrives_as_the_connector_reads_it, 0, 2);
	tcase_add_test(t, a_host_longer_than_any_is_not_sent);
	tcase_add_loop_test(t, a_socket_is_handed_over, 0, 2);
	tcase_add_test(t, a_refusal_says_why);
	tcase_add_loop_test(t, nonsense_is_a_lost_connector, 0, COUNT(refused));
	tcase_add_test(t, one_that_goes_can_come_back);
	suite_add_tcase(su, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
